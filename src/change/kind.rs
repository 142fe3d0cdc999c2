//! What a kind of change is: what it does to a row of a table, how it is applied and taken back, what follows from it.
//! It must not know which kinds there are.

use std::cmp::Ordering;

use crate::change::kinds::{ALL, RANKS};
use crate::db::{Literal, Value};
use crate::moodle::events::Event;
use crate::report::words::ChangeWords;

/// A column of the Moodle table, and the column of the journal that holds its value.
pub type Pair = (&'static str, &'static str);

/// A kind of change.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the journal, in reports and in metrics: the thing, a full stop, what is done to it.
    pub name: &'static str,
    /// The Moodle table, without the prefix.
    pub table: &'static str,
    /// What the journal's columns say of the row: of an added row all that it is found by.
    pub key: &'static [Pair],
    /// What is done to the row; applying it and taking it back follow from that.
    pub change: Change,
    /// The event that tells of it, if Moodle has one. (A forum's subscription writes its own: `moodle::forum`.)
    pub event: Option<&'static Event>,
    /// Whose rights Moodle must load anew.
    pub dirty: Option<Dirty>,
    /// Where reports and the guard count it.
    pub figure: Option<Figure>,
    /// What it is called in reports, with its number before or behind it.
    pub english: &'static str,
    /// The same in French.
    pub french: &'static str,
}

/// What is done to a row.
#[derive(Debug)]
pub enum Change {
    /// A row is added. It is taken back by deleting the newest row that still stands as the journal says.
    Added {
        /// What the journal's columns say of it beside the key.
        says: &'static [Pair],
        /// The columns whose values the journal holds as an old row's, because it has no column for them.
        named: &'static [&'static str],
        /// The column that holds the run's clock since.
        made: Option<&'static str>,
        /// It stays while another table has a row whose column is the same as one of its own: table, column, own
        /// column.
        used_by: &'static [(&'static str, &'static str, &'static str)],
    },
    /// Values of a row change. They are set back where the row still has the new ones.
    Changed(&'static [Changing]),
    /// A row is removed, while it still stands as planned. It is inserted again with the id and all that it held.
    Removed {
        /// What must still hold of the row when it goes.
        still: Still,
        /// Columns of the journal that the pick gives, because the row does not hold them.
        given: &'static [&'static str],
        /// Where the table has no such unique key: the columns of which no other row may have the same.
        alone: &'static [&'static str],
    },
}

/// A column that changes: its name, its new value, and the column of the journal that holds the old one; `None` if only
/// the old row does. The new value is a column of the journal (`c.status`), the run's clock (`:now`) or the account
/// that acts (`:actor`).
pub type Changing = (&'static str, &'static str, Option<&'static str>);

/// What must still hold of a row that was planned to go.
#[derive(Debug)]
pub enum Still {
    /// It is there.
    There,
    /// It has its key: the rest is when and by whom.
    Key,
    /// These columns are as the journal says.
    Says(&'static [Pair]),
    /// It is as the old row, in every column.
    Whole,
}

/// Whose rights Moodle must load anew after a change (spec enrol-core 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirty {
    /// The user's.
    User,
    /// Everybody's who looks at the course.
    Course,
}

/// What a change is counted as: in the table of rules, in the account of a full set, by the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Somebody is enrolled.
    Enrolled,
    /// An enrolment is changed, or active again.
    Changed,
    /// An enrolment is suspended.
    Suspended,
    /// Somebody is unenrolled.
    Unenrolled,
    /// A role is given.
    RoleGiven,
    /// A role is taken.
    RoleTaken,
    /// Somebody joins a group.
    GroupJoined,
    /// Somebody leaves a group.
    GroupLeft,
    /// Somebody joins a cohort.
    CohortJoined,
    /// Somebody leaves a cohort.
    CohortLeft,
    /// An instance or a group is made.
    Made,
    /// An instance is removed.
    Unmade,
}

/// Where the changes of a kind stand in a pass: the order of Moodle's events for one enrolment (spec enrol-core 13).
#[derive(Clone, Copy, Debug)]
pub struct Rank {
    /// What is written there.
    pub kind: &'static Kind,
    /// The place, from 1 to 99.
    pub at: i64,
    /// The place by the order in which they are applied, where that is another.
    pub applied: i64,
}

impl Rank {
    /// The rank so many places behind.
    pub fn plus(self, places: i64) -> Self {
        Self { at: self.at + places, applied: self.applied + places, ..self }
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.at) == (other.kind, other.at)
    }
}

impl Kind {
    /// The kind of this name; `None` for a name that another version of enrold has written.
    pub fn of(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|kind| kind.name == name)
    }

    /// The kind that removes what this one adds and tells of it, if there is one.
    pub fn remover(&self) -> Option<&'static Self> {
        let removes = |kind: &&Self| kind.table == self.table && matches!(kind.change, Change::Removed { .. });
        ALL.iter().copied().filter(removes).find(|kind| kind.event.is_some())
    }

    /// The conditions under which a row `alias` still is as it was when the change `c` was planned, beside its id;
    /// `whole` says that it is as the old row.
    pub fn still(&self, alias: &str, whole: impl FnOnce() -> String) -> Vec<String> {
        let same = |pairs: &[Pair]| pairs.iter().map(|(own, journal)| format!("{alias}.{own} = c.{journal}")).collect();
        match &self.change {
            Change::Removed { still: Still::Key, .. } => same(self.key),
            Change::Removed { still: Still::Says(pairs), .. } => same(pairs),
            Change::Removed { still: Still::Whole, .. } => vec![whole()],
            Change::Changed(values) => {
                let old = values.iter().filter_map(|(column, _, old)| Some((*column, (*old)?)));
                same(&old.collect::<Vec<_>>())
            }
            Change::Added { .. } | Change::Removed { still: Still::There, .. } => Vec::new(),
        }
    }

    /// The columns that the change gives new values, with those.
    pub fn new_values(&self) -> Vec<(&'static str, &'static str)> {
        let Change::Changed(values) = &self.change else { return Vec::new() };
        values.iter().map(|(column, new, _)| (*column, *new)).collect()
    }

    /// Its ranks, in their order.
    pub fn ranks(&self) -> impl Iterator<Item = Rank> {
        RANKS.iter().copied().filter(move |rank| rank.kind == self)
    }

    /// True for a change that the table of rules counts in its columns.
    fn is_in_table(&self) -> bool {
        use Figure::{Changed, Enrolled, GroupJoined, GroupLeft, RoleGiven, RoleTaken, Suspended, Unenrolled};
        let columns = [Enrolled, Changed, Suspended, Unenrolled, RoleGiven, RoleTaken, GroupJoined, GroupLeft];
        self.figure.is_some_and(|figure| columns.contains(&figure))
    }
}

/// A kind is its name.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

/// Its name as a literal, for statements that write or ask for a kind.
impl From<&Kind> for Value {
    fn from(kind: &Kind) -> Self {
        Self::Sql(Literal::word(kind.name).to_string())
    }
}

/// The names of the kinds for which something holds, as literals in a list.
pub fn names(which: impl Fn(&Kind) -> bool) -> Value {
    let names = ALL.iter().filter(|kind| which(kind)).map(|kind| Literal::word(kind.name).to_string());
    Value::Sql(names.collect::<Vec<_>>().join(", "))
}

/// What reports call a kind and where they count it; `None` for a name that is not in the catalogue.
pub fn words(name: &str) -> Option<ChangeWords> {
    let kind = Kind::of(name)?;
    Some(ChangeWords { english: kind.english, french: kind.french, in_table: kind.is_in_table() })
}
