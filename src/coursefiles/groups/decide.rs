//! Decides in the order of the rows which groups and groupings are made, changed, bound, emptied and removed, and which
//! rows are refused. It must not know a database: it is given what the rows say and what the site has.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::FileGroupKey;
use crate::coursefiles::groups::items::{Decided, Item, Place, Terms, Values};
use crate::coursefiles::groups::renames;
use crate::coursefiles::is_sound;
use crate::files::{GroupRow, GroupType, GroupVerb, GroupingNamed};
use crate::problem::{Code, Problem, shown};

/// Decides about the rows, in their order; each has its course or why it has none. `items` are those of the site that
/// have an id, a name or an idnumber of the file.
pub fn decide(terms: &Terms, rows: Vec<(GroupRow, Result<Place, Problem>)>, items: Vec<Item>) -> Decided {
    let mut deciding = Deciding {
        terms,
        by_name: Index::new(),
        by_idnumber: Index::new(),
        ids: BTreeMap::new(),
        pairs: BTreeSet::new(),
        barred: BTreeSet::new(),
        decided: Decided::default(),
    };
    for item in items {
        deciding.insert(item);
    }
    let ends = renames::ends(terms, &rows);
    for ((row, place), end) in rows.into_iter().zip(ends) {
        let refused = place.and_then(|place| deciding.row(&row, &place, end.as_deref()));
        if let Err(problem) = refused {
            deciding.decided.refused.push(problem);
        }
    }
    let mut decided = deciding.decided;
    // What the file makes and removes again is never made.
    decided.forget(|item| item.id == 0 && item.removed > 0);
    decided
}

/// Positions in `items` by type, course and text.
type Index = BTreeMap<(GroupType, i64, String), Vec<usize>>;

struct Deciding<'a> {
    terms: &'a Terms,
    by_name: Index,
    by_idnumber: Index,
    ids: BTreeMap<(GroupType, i64), usize>,
    pairs: BTreeSet<(usize, usize)>,
    /// Names that a row removes: no row after it makes them again, or the same file would do so the next time.
    barred: BTreeSet<(GroupType, i64, String)>,
    decided: Decided,
}

impl Deciding<'_> {
    fn insert(&mut self, item: Item) -> usize {
        let at = self.decided.items.len();
        self.by_name.entry((item.of, item.courseid, item.is.name.clone())).or_default().push(at);
        if !item.is.idnumber.is_empty() {
            self.by_idnumber.entry((item.of, item.courseid, item.is.idnumber.clone())).or_default().push(at);
        }
        if item.id > 0 {
            self.ids.insert((item.of, item.id), at);
        }
        self.decided.items.push(item);
        at
    }

    /// Decides about a row; `end` is the name that later rows give to what it adds.
    fn row(&mut self, row: &GroupRow, place: &Place, end: Option<&str>) -> Result<(), Problem> {
        let found = self.find(row, place)?;
        let gone = found.is_some_and(|at| self.decided.items[at].removed > 0);
        let key = (row.of, place.courseid, row.said.name.clone());
        if row.verb == GroupVerb::Delete {
            self.barred.insert(key.clone());
        }
        if row.verb == GroupVerb::Add && (gone || self.barred.contains(&key)) {
            return Err(exists(row, &row.said.name, place));
        }
        // What this file has renamed before, in an earlier run.
        let renamed = || end.filter(|_| row.verb == GroupVerb::Update).and_then(|end| self.only(row, place, end));
        let at = match (row.verb, found.filter(|_| !gone).or_else(renamed)) {
            (GroupVerb::Add, None) => match end.and_then(|end| self.only(row, place, end)) {
                None => return self.make(row, place),
                Some(at) => {
                    let grouping = self.grouping(row, place)?;
                    if self.terms.update || !row.update.is_empty() {
                        self.change(row, place, at)?;
                    }
                    return self.bind(row, place, (at, &row.said.name), grouping);
                }
            },
            (GroupVerb::Add, Some(at)) => {
                let grouping = self.grouping(row, place)?;
                self.keep(row, place, at)?;
                return self.bind_as_named(row, place, at, grouping);
            }
            (_, None) => return Err(unknown(row, place)),
            (_, Some(at)) => at,
        };
        if row.verb == GroupVerb::Update {
            let grouping = self.grouping(row, place)?;
            self.change(row, place, at)?;
            return self.bind_as_named(row, place, at, grouping);
        }
        let name = shown(&self.decided.items[at].is.name);
        if !self.terms.delete {
            return Err(Problem::new(row.line, Code::ChangeRefused, name, "delete"));
        }
        let item = &mut self.decided.items[at];
        if row.verb == GroupVerb::Delete {
            if !item.used.is_empty() {
                return Err(Problem::new(row.line, Code::GroupUsed, name, item.used));
            }
            item.removed = row.line;
        }
        item.emptied = row.line;
        Ok(())
    }

    /// What a row names, if it exists: by the key of a change, else by its idnumber, else by its name. In Moodle's form
    /// a row that adds a group names it by its name alone.
    fn find(&self, row: &GroupRow, place: &Place) -> Result<Option<usize>, Problem> {
        let of = (row.of, place.courseid);
        let one = |index: &Index, text: &str| match index.get(&(of.0, of.1, text.to_owned())).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([at]) => Ok(Some(*at)),
            Some(_) => Err(Problem::new(row.line, Code::GroupAmbiguous, shown(text), place.shown.clone())),
        };
        if !row.update.is_empty() {
            let found = match self.terms.key {
                FileGroupKey::Name => one(&self.by_name, &row.update)?,
                FileGroupKey::Idnumber => one(&self.by_idnumber, &row.update)?,
                FileGroupKey::Id => {
                    let at = row.update.parse().ok().and_then(|id: i64| self.ids.get(&(row.of, id)).copied());
                    let own = at.filter(|at| self.decided.items[*at].courseid == place.courseid);
                    return own.map(Some).ok_or_else(|| unknown(row, place));
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        let idnumber = row.said.idnumber.as_deref().unwrap_or_default();
        let by_name_alone = row.verb == GroupVerb::Add && row.by_name;
        if !idnumber.is_empty()
            && !by_name_alone
            && let Some(at) = one(&self.by_idnumber, idnumber)?
        {
            return Ok(Some(at));
        }
        one(&self.by_name, &row.said.name)
    }

    /// Makes what a row describes. Another's idnumber is left out, as in Moodle.
    fn make(&mut self, row: &GroupRow, place: &Place) -> Result<(), Problem> {
        if row.said.name.is_empty() {
            return Err(Problem::new(row.line, Code::EmptyIdentifier, "name", ""));
        }
        self.is_sound(row, &row.said.name)?;
        let grouping = self.grouping(row, place)?;
        let mut is = Values::default();
        self.describe(&mut is, row, true);
        if self.idnumber_taken(row, place, &is.idnumber, None) {
            let problem = Problem::new(row.line, Code::GroupIdnumberTaken, shown(&is.idnumber), place.shown.clone());
            self.decided.told.push(problem);
            is.idnumber.clear();
        }
        let at = self.insert(Item {
            of: row.of,
            id: 0,
            courseid: place.courseid,
            was: is.clone(),
            is,
            line: row.line,
            described: row.said.description.is_some(),
            enrolmentkey: row.said.enrolmentkey.clone(),
            emptied: 0,
            removed: 0,
            used: "",
        });
        self.bind_as_named(row, place, at, grouping)
    }

    /// The one of this name, if there is one and it stays.
    fn only(&self, row: &GroupRow, place: &Place, name: &str) -> Option<usize> {
        let found = self.by_name.get(&(row.of, place.courseid, name.to_owned()))?;
        <[usize; 1]>::try_from(found.as_slice()).ok().map(|[at]| at).filter(|at| self.decided.items[*at].removed == 0)
    }

    /// Refuses a name that Moodle could not show.
    fn is_sound(&self, row: &GroupRow, name: &str) -> Result<(), Problem> {
        match is_sound(name) {
            true => Ok(()),
            false => Err(Problem::new(row.line, Code::ValueUnusable, shown(name), "name")),
        }
    }

    fn idnumber_taken(&self, row: &GroupRow, place: &Place, idnumber: &str, own: Option<usize>) -> bool {
        let holders = self.by_idnumber.get(&(row.of, place.courseid, idnumber.to_owned()));
        !idnumber.is_empty() && holders.is_some_and(|all| all.iter().any(|at| Some(*at) != own))
    }

    /// What a row that adds makes of what exists: it gets the row's values if the profile says so, or the row names it
    /// as to be changed; else a difference is told of.
    fn keep(&mut self, row: &GroupRow, place: &Place, at: usize) -> Result<(), Problem> {
        if self.terms.update || !row.update.is_empty() {
            return self.change(row, place, at);
        }
        let before = &self.decided.items[at].is;
        let mut is = before.clone();
        self.describe(&mut is, row, false);
        if is != *before || is_fixed_otherwise(row, before) {
            self.decided.told.push(exists(row, &row.said.name, place));
        }
        Ok(())
    }

    fn change(&mut self, row: &GroupRow, place: &Place, at: usize) -> Result<(), Problem> {
        let before = self.decided.items[at].is.clone();
        let mut is = before.clone();
        self.describe(&mut is, row, false);
        if is.name != before.name {
            self.is_sound(row, &is.name)?;
            let holders = self.by_name.get(&(row.of, place.courseid, is.name.clone()));
            if holders.is_some_and(|all| all.iter().any(|other| *other != at)) {
                return Err(exists(row, &is.name, place));
            }
        }
        if is.idnumber != before.idnumber && self.idnumber_taken(row, place, &is.idnumber, Some(at)) {
            let (value, hint) = (shown(&is.idnumber), place.shown.clone());
            return Err(Problem::new(row.line, Code::GroupIdnumberTaken, value, hint));
        }
        if is_fixed_otherwise(row, &before) {
            self.decided.told.push(exists(row, &before.name, place));
        }
        if is == before {
            return Ok(());
        }
        let moved =
            [(&mut self.by_name, &before.name, &is.name), (&mut self.by_idnumber, &before.idnumber, &is.idnumber)];
        for (index, old, new) in moved.into_iter().filter(|(_, old, new)| old != new) {
            index.entry((row.of, place.courseid, old.clone())).or_default().retain(|other| *other != at);
            if !new.is_empty() {
                index.entry((row.of, place.courseid, new.clone())).or_default().push(at);
            }
        }
        let item = &mut self.decided.items[at];
        item.is = is;
        if item.id == 0 {
            item.was.clone_from(&item.is);
        } else {
            item.line = row.line;
        }
        Ok(())
    }

    /// Gives values what a row says.
    fn describe(&self, is: &mut Values, row: &GroupRow, new: bool) {
        let said = &row.said;
        if !said.name.is_empty() {
            is.name.clone_from(&said.name);
        }
        if let Some(idnumber) = &said.idnumber {
            is.idnumber.clone_from(idnumber);
        }
        if let Some(text) = said.description.as_ref().filter(|text| new || self.terms.erase || !text.is_empty()) {
            is.description.clone_from(text);
        }
        if new {
            is.visibility = said.visibility.unwrap_or_default();
            is.participation = said.participation.unwrap_or(!matches!(said.visibility, Some(2 | 3)));
        }
        match said.messaging.filter(|_| self.terms.messaging) {
            // What is off anyway needs no conversation.
            Some(false) if is.messaging.is_none() => {}
            Some(on) => is.messaging = Some(on),
            None => {}
        }
        let fields = self.fields(row, row.of);
        is.fields.extend(fields);
    }

    /// The custom fields of a type that a row fills.
    fn fields(&self, row: &GroupRow, of: GroupType) -> BTreeMap<i64, String> {
        let own = row.said.fields.iter().filter(|(at, _)| self.terms.custom[*at].0.of == of);
        own.map(|(at, value)| (self.terms.custom[*at].1, value.clone())).collect()
    }

    /// The grouping that a row names, if it exists.
    fn grouping(&self, row: &GroupRow, place: &Place) -> Result<Option<usize>, Problem> {
        let (index, text) = match &row.grouping {
            GroupingNamed::None => return Ok(None),
            GroupingNamed::Name(name) => (&self.by_name, name),
            GroupingNamed::Idnumber(idnumber) => (&self.by_idnumber, idnumber),
        };
        let found = index.get(&(GroupType::Grouping, place.courseid, text.clone())).map_or(&[][..], Vec::as_slice);
        let unknown = || Problem::new(row.line, Code::GroupingUnknown, shown(text), place.shown.clone());
        match found {
            [at] if self.decided.items[*at].removed > 0 => Err(unknown()),
            [at] => Ok(Some(*at)),
            [] if matches!(row.grouping, GroupingNamed::Name(_)) => self.is_sound(row, text).map(|()| None),
            [] => Err(unknown()),
            _ => Err(Problem::new(row.line, Code::GroupAmbiguous, shown(text), place.shown.clone())),
        }
    }

    fn bind_as_named(
        &mut self,
        row: &GroupRow,
        place: &Place,
        at: usize,
        grouping: Option<usize>,
    ) -> Result<(), Problem> {
        let name = self.decided.items[at].is.name.clone();
        self.bind(row, place, (at, &name), grouping)
    }

    /// Binds a group to the groupings of its row, which are made if they are missing; `own` is the name of the one that
    /// it has for itself.
    fn bind(
        &mut self,
        row: &GroupRow,
        place: &Place,
        (at, own): (usize, &str),
        grouping: Option<usize>,
    ) -> Result<(), Problem> {
        if let GroupingNamed::Name(name) = &row.grouping {
            let grouping = match grouping {
                Some(grouping) => grouping,
                None => self.make_grouping(row, place, name),
            };
            self.fill_grouping(row, place, grouping);
            self.pair(at, grouping, row.line);
        } else if let Some(grouping) = grouping {
            self.pair(at, grouping, row.line);
        }
        if row.own_grouping {
            let found = self.by_name.get(&(GroupType::Grouping, place.courseid, own.to_owned()));
            let grouping = match found.map_or(&[][..], Vec::as_slice) {
                [] => self.make_grouping(row, place, own),
                [grouping, ..] => *grouping,
            };
            self.pair(at, grouping, row.line);
        }
        Ok(())
    }

    fn make_grouping(&mut self, row: &GroupRow, place: &Place, name: &str) -> usize {
        let is = Values { name: name.to_owned(), ..Values::default() };
        self.insert(Item {
            of: GroupType::Grouping,
            id: 0,
            courseid: place.courseid,
            was: is.clone(),
            is,
            line: row.line,
            described: false,
            enrolmentkey: String::new(),
            emptied: 0,
            removed: 0,
            used: "",
        })
    }

    /// Gives a grouping the custom fields of a row: one that is made by this row, or any if values change.
    fn fill_grouping(&mut self, row: &GroupRow, place: &Place, at: usize) {
        let fields = self.fields(row, GroupType::Grouping);
        let item = &mut self.decided.items[at];
        let same = fields.iter().all(|(field, value)| item.is.fields.get(field) == Some(value));
        if fields.is_empty() || same {
            return;
        }
        if self.terms.update || (item.id == 0 && item.line == row.line) {
            item.is.fields.extend(fields);
            item.line = row.line.max(item.line);
            return;
        }
        let name = item.is.name.clone();
        self.decided.told.push(exists(row, &name, place));
    }

    fn pair(&mut self, group: usize, grouping: usize, line: u64) {
        if self.pairs.insert((group, grouping)) {
            self.decided.bound.push((group, grouping, line));
        }
    }
}

/// Whether a row describes otherwise what only a new group gets: Moodle does not change it once there are members.
fn is_fixed_otherwise(row: &GroupRow, values: &Values) -> bool {
    let (visibility, participation) = (row.said.visibility, row.said.participation);
    visibility.is_some_and(|other| other != values.visibility)
        || participation.is_some_and(|other| other != values.participation)
}

fn exists(row: &GroupRow, name: &str, place: &Place) -> Problem {
    Problem::new(row.line, Code::GroupExists, shown(name), place.shown.clone())
}

fn unknown(row: &GroupRow, place: &Place) -> Problem {
    let idnumber = row.said.idnumber.as_deref().unwrap_or_default();
    let named = [row.update.as_str(), row.said.name.as_str(), idnumber].into_iter().find(|text| !text.is_empty());
    let code = if row.of == GroupType::Group { Code::GroupUnknown } else { Code::GroupingUnknown };
    Problem::new(row.line, code, shown(named.unwrap_or_default()), place.shown.clone())
}
