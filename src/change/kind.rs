//! What a kind of change is: what it does to a row of a table, how it is applied and undone, what follows from it. It
//! must not name a kind: the catalogue does.

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
    /// Its name in the journal, in reports and in metrics: object, point, verb.
    pub name: &'static str,
    /// The Moodle table, without the prefix.
    pub table: &'static str,
    /// What the journal's columns hold of the row; an added row is found by these.
    pub key: &'static [Pair],
    /// What is done to the row; how it is applied and undone follows from that.
    pub change: Change,
    /// Moodle's event for it, if there is one. (`moodle::forum` writes that of a forum subscription.)
    pub event: Option<&'static Event>,
    /// Whose permissions Moodle must reload.
    pub dirty: Option<Dirty>,
    /// What reports and the guard count it as.
    pub figure: Option<Figure>,
    /// Its name in English reports, before or after its number.
    pub english: &'static str,
    /// The same in French.
    pub french: &'static str,
}

/// What is done to a row.
#[derive(Debug)]
pub enum Change {
    /// A row is added. Undoing it deletes the newest row that still matches the journal.
    Added {
        /// What the journal's columns hold of it beside the key.
        says: &'static [Pair],
        /// The columns whose values are in `oldrow`, because the journal has no column for them.
        named: &'static [&'static str],
        /// The column that is set to the run's clock.
        made: Option<&'static str>,
        /// Undoing keeps the row while another table refers to it: the table, its column, the column of this row.
        used_by: &'static [(&'static str, &'static str, &'static str)],
    },
    /// Values of a row change. Undoing sets them back where the row still has the new ones.
    Changed(&'static [Changing]),
    /// Some of these columns get new values: `newrow` holds those and `oldrow` the old ones, of the changed columns
    /// only. Undoing sets exactly these back where the row still has all new values.
    Rewritten(&'static [&'static str]),
    /// A row is removed if it is still as planned. Undoing inserts the whole old row again, with its id.
    Removed {
        /// What must still hold of the row when it is removed.
        still: Still,
        /// Columns of the journal that the pick gives, because the row does not have them.
        given: &'static [&'static str],
        /// The columns that must be unique together although the table has no unique key on them.
        alone: &'static [&'static str],
    },
}

/// A column that changes: its name, its new value, and the column of the journal that holds the old one; `None` if only
/// `oldrow` has it. The new value is a column of the journal (`c.status`), the run's clock (`:now`) or the acting
/// account (`:actor`).
pub type Changing = (&'static str, &'static str, Option<&'static str>);

/// What must still hold of a row whose removal is planned.
#[derive(Debug)]
pub enum Still {
    /// It exists.
    There,
    /// Its key is unchanged; the other columns are time and modifier.
    Key,
    /// These columns have the journal's values.
    Says(&'static [Pair]),
    /// Every column is as in `oldrow`.
    Whole,
}

/// What Moodle must reload after a change: whose permissions, or whose preferences (spec enrol-core 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirty {
    /// Those of the user.
    User,
    /// Those of all users of the course.
    Course,
    /// Not the permissions, but the preferences of the user.
    Preferences,
}

/// What a change is counted as: in the table of rules, in the report of a full set, by the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A user is enrolled.
    Enrolled,
    /// An enrolment is changed, or active again.
    Changed,
    /// An enrolment is suspended.
    Suspended,
    /// A user is unenrolled.
    Unenrolled,
    /// A role is assigned.
    RoleGiven,
    /// A role is removed.
    RoleTaken,
    /// A user joins a group.
    GroupJoined,
    /// A user leaves a group.
    GroupLeft,
    /// A user joins a cohort.
    CohortJoined,
    /// A user leaves a cohort.
    CohortLeft,
    /// An instance or a group is created.
    Made,
    /// An instance is removed.
    Unmade,
}

/// The order of a kind's changes in a pass: that of Moodle's events for one enrolment (spec enrol-core 13).
#[derive(Clone, Copy, Debug)]
pub struct Rank {
    /// The kind of the changes.
    pub kind: &'static Kind,
    /// The order in the journal, from 1 to 99.
    pub at: i64,
    /// The order of application; equal to `at` unless declared otherwise.
    pub applied: i64,
}

impl Rank {
    /// The rank `places` further.
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

    /// The kind that removes, with an event, what this one adds, if there is one.
    pub fn remover(&self) -> Option<&'static Self> {
        let removes = |kind: &&Self| kind.table == self.table && matches!(kind.change, Change::Removed { .. });
        ALL.iter().copied().filter(removes).find(|kind| kind.event.is_some())
    }

    /// The conditions, beside the id, under which a row `alias` is still as it was when the change `c` was planned;
    /// `whole` gives the condition that it equals the old row.
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
            Change::Added { .. } | Change::Rewritten(_) | Change::Removed { still: Still::There, .. } => Vec::new(),
        }
    }

    /// The columns that the change sets, with their new values.
    pub fn new_values(&self) -> Vec<(&'static str, &'static str)> {
        let Change::Changed(values) = &self.change else { return Vec::new() };
        values.iter().map(|(column, new, _)| (*column, *new)).collect()
    }

    /// Its ranks, in order.
    pub fn ranks(&self) -> impl Iterator<Item = Rank> {
        RANKS.iter().copied().filter(move |rank| rank.kind == self)
    }

    /// True if the table of rules has a column for the change.
    fn is_in_table(&self) -> bool {
        use Figure::{Changed, Enrolled, GroupJoined, GroupLeft, RoleGiven, RoleTaken, Suspended, Unenrolled};
        let columns = [Enrolled, Changed, Suspended, Unenrolled, RoleGiven, RoleTaken, GroupJoined, GroupLeft];
        self.figure.is_some_and(|figure| columns.contains(&figure))
    }
}

/// Kinds are compared by name.
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

/// Its name as a literal, for statements that write or select a kind.
impl From<&Kind> for Value {
    fn from(kind: &Kind) -> Self {
        Self::Sql(Literal::word(kind.name).to_string())
    }
}

/// The names of the kinds that `which` accepts, as a list of literals.
pub fn names(which: impl Fn(&Kind) -> bool) -> Value {
    let names = ALL.iter().filter(|kind| which(kind)).map(|kind| Literal::word(kind.name).to_string());
    Value::Sql(names.collect::<Vec<_>>().join(", "))
}

/// What reports call a kind and whether the table of rules counts it; `None` for a name that is not in the catalogue.
pub fn words(name: &str) -> Option<ChangeWords> {
    let kind = Kind::of(name)?;
    Some(ChangeWords { english: kind.english, french: kind.french, in_table: kind.is_in_table() })
}
