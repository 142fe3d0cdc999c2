//! What becomes of each method: the rows of a file one after the other, each as a whole or not at all.
//! It must not use the database: it knows the site by its facts.

mod allowed;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{FileKind, Profile};
use crate::coursefiles::methods::MOST_COURSES;
use crate::coursefiles::methods::cycles::{Closing, Cycles, Links};
use crate::coursefiles::methods::facts::{Facts, Instance};
use crate::files::{ANY_ROLE, MethodRow, MethodVerb};
use crate::outcome::Note;
use crate::problem::{Code, Problem, shown};

/// The most courses that a note names.
const NAMED: usize = 100;
/// The most rows whose courses are named.
const ROWS_NAMED: usize = 50;
/// How many later rows that give one method another role are followed.
const MOST_MOVES: usize = 100;
/// `groups.name`, in characters.
const NAME_WIDTH: usize = 254;

/// What tells one method of a course from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub course: i64,
    pub method: String,
    /// The cohort, or the source course; 0 of other methods, of which the first in the course is meant.
    pub source: i64,
    /// Of cohorts only: a cohort may be in a course once for each role. A link has no role of its own.
    pub role: i64,
}

/// The group of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// As it is.
    Same,
    Id(i64),
    /// One that is made.
    Made(String),
}

/// How a method is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub role: i64,
    pub status: i64,
    pub name: String,
    pub group: Group,
    pub start: i64,
    pub end: i64,
    pub period: i64,
}

/// A method: the instances of it before the file (several, if people have added it twice), and how it is to be after.
#[derive(Clone, Debug)]
pub struct Slot {
    pub was: Vec<Instance>,
    pub is: Option<Desired>,
    /// The row that said so last.
    pub line: u64,
}

/// What is to be done.
pub struct Plan {
    pub slots: BTreeMap<Key, Slot>,
    /// The courses that patterns meant.
    pub meant: Vec<Note>,
    /// Rows that changed nothing.
    pub unchanged: u64,
}

/// The state of all methods after some rows.
pub struct Decision<'a> {
    facts: &'a Facts,
    profile: &'a Profile,
    slots: BTreeMap<Key, Slot>,
    /// The slots before the current row, those that it changed.
    before: Vec<(Key, Option<Slot>)>,
    /// Links of this file beside those of the site.
    links: Links,
    cycles: Cycles,
    /// Roles that cohorts' methods get by later rows: the line, and the new role.
    moves: BTreeMap<Key, Vec<(u64, i64)>>,
    /// Names of groups that are to be made as new ones.
    reserved: BTreeSet<(i64, String)>,
    courses: usize,
    meant: Vec<Note>,
    unchanged: u64,
}

impl<'a> Decision<'a> {
    /// Before the first of these rows.
    pub fn of(facts: &'a Facts, profile: &'a Profile, rows: &[(u64, Vec<MethodRow>)]) -> Self {
        let mut slots: BTreeMap<Key, Slot> = BTreeMap::new();
        for instance in &facts.instances {
            let key = match instance.method.as_str() {
                "cohort" => Key::of(instance, instance.source, instance.role),
                "meta" => Key::of(instance, instance.source, 0),
                _ => Key::of(instance, 0, 0),
            };
            let linked = ["cohort", "meta"].contains(&instance.method.as_str());
            let slot = slots.entry(key).or_insert_with(|| Slot {
                was: Vec::new(),
                is: Some(Desired::from(instance)),
                line: 0,
            });
            // Of other methods only the first is meant.
            if linked || slot.was.is_empty() {
                slot.was.push(instance.clone());
            }
        }
        let mut decision = Self {
            facts,
            profile,
            slots,
            before: Vec::new(),
            links: facts.links.clone(),
            cycles: Cycles::among(&Links::new()),
            moves: BTreeMap::new(),
            reserved: BTreeSet::new(),
            courses: 0,
            meant: Vec::new(),
            unchanged: 0,
        };
        decision.look_ahead(rows);
        decision
    }

    /// Finds what later rows will do: the links that they name, and the roles that methods get.
    fn look_ahead(&mut self, rows: &[(u64, Vec<MethodRow>)]) {
        let mut named = self.facts.links.clone();
        let mut seen = 0;
        for (line, row) in rows.iter().flat_map(|(line, rows)| rows.iter().map(move |row| (*line, row))) {
            let Some(Ok(courses)) = self.facts.targets.get(&row.course) else { continue };
            seen += courses.len();
            if seen > MOST_COURSES {
                // This row is refused, and so are those after it.
                break;
            }
            if let (true, Some(Ok(source))) = (row.method == "meta", self.facts.sources.get(&row.source)) {
                for course in courses {
                    named.entry(*course).or_default().insert(*source);
                }
            }
            if row.method == "cohort"
                && !row.new_role.is_empty()
                && let (Ok(source), Ok(Roles { named: Some(from), new: Some(to), .. })) =
                    (self.source(line, row), self.roles(line, row))
            {
                for course in courses {
                    let key = Key {
                        course: *course,
                        method: row.method.clone(),
                        source: source.id.unwrap_or_default(),
                        role: from,
                    };
                    self.moves.entry(key).or_default().push((line, to));
                }
            }
        }
        self.cycles = Cycles::among(&named);
    }

    /// Applies what a record says, or nothing of it.
    ///
    /// # Errors
    /// Why nothing was applied.
    pub fn row(&mut self, line: u64, rows: &[MethodRow]) -> Result<(), Problem> {
        self.before.clear();
        let meant = self.meant.len();
        let outcome = rows.iter().try_for_each(|row| self.method(line, row));
        if outcome.is_err() {
            // Nothing of the record is applied, in none of its courses.
            self.meant.truncate(meant);
            while let Some((key, slot)) = self.before.pop() {
                match slot {
                    Some(slot) => drop(self.slots.insert(key, slot)),
                    None => drop(self.slots.remove(&key)),
                }
            }
        } else if self.before.is_empty() {
            self.unchanged += 1;
        }
        outcome
    }

    /// What is to be done after all rows.
    pub fn plan(self) -> Plan {
        Plan { slots: self.slots, meant: self.meant, unchanged: self.unchanged }
    }

    /// What a record says of one method, in one course or in several.
    fn method(&mut self, line: u64, row: &MethodRow) -> Result<(), Problem> {
        let facts = self.facts;
        let problem = |code, value: &str, hint: &str| Problem::new(line, code, shown(value), hint);
        let courses = match facts.targets.get(&row.course) {
            Some(Ok(courses)) => courses,
            Some(Err((code, hint))) => return Err(problem(*code, &row.course, hint)),
            None => return Err(problem(Code::CourseUnknown, &row.course, self.profile.course_key.as_str())),
        };
        self.courses += courses.len();
        if self.courses > MOST_COURSES {
            return Err(problem(Code::TooManyCourses, &row.course, &MOST_COURSES.to_string()));
        }
        let several = facts.patterns.contains(&row.course);
        let source = self.source(line, row)?;
        let roles = self.roles(line, row)?;
        let mut met = false;
        for course in courses {
            let at = At { line, course: *course, source: &source, roles: &roles };
            met |= self.in_course(&at, row, several)?;
        }
        if !met {
            return Err(problem(Code::MethodMissing, &said(row), &row.course));
        }
        if several && self.meant.len() < ROWS_NAMED {
            let names = courses.iter().take(NAMED).filter_map(|id| Some(facts.courses.get(id)?.shortname.as_str()));
            let mut list = names.map(shown).collect::<Vec<_>>().join(", ");
            if courses.len() > NAMED {
                list.push_str(", …");
            }
            let (written, courses) = (shown(&row.course), courses.len() as u64);
            self.meant.push(Note::CoursesMeant { line, written, courses, list });
        }
        Ok(())
    }

    /// The cohort or the source course, with its name.
    fn source(&self, line: u64, row: &MethodRow) -> Result<Source, Problem> {
        let problem = |(code, hint): &(Code, String)| Problem::new(line, *code, shown(&row.source), hint.as_str());
        let none = || (Code::EmptyIdentifier, String::new());
        Ok(match row.method.as_str() {
            // A course upload may leave the cohort of its only method unsaid.
            "cohort" | "meta" if row.source.is_empty() => Source { id: None, name: String::new() },
            "cohort" => match self.facts.cohorts.get(&row.source) {
                Some(Ok((id, name))) => Source { id: Some(*id), name: name.clone() },
                Some(Err(unknown)) => return Err(problem(unknown)),
                None => return Err(problem(&none())),
            },
            "meta" => match self.facts.sources.get(&row.source) {
                Some(Ok(id)) => {
                    let name = self.facts.courses.get(id).map(|course| course.fullname.clone());
                    Source { id: Some(*id), name: name.unwrap_or_default() }
                }
                Some(Err(unknown)) => return Err(problem(unknown)),
                None => return Err(problem(&none())),
            },
            _ => Source { id: Some(0), name: String::new() },
        })
    }

    /// The role that a row names, and the one that it gives.
    fn roles(&self, line: u64, row: &MethodRow) -> Result<Roles, Problem> {
        let removes = matches!(row.verb, MethodVerb::Delete | MethodVerb::Disable | MethodVerb::Enable);
        let cohort = row.method == "cohort";
        let any = row.role == ANY_ROLE && removes;
        let own = match row.role.as_str() {
            _ if any => None,
            "" if cohort || (row.method == "meta" && self.profile.kind == FileKind::Methods) => {
                Some(self.role(line, &self.profile.role)?)
            }
            "" => None,
            name => Some(self.role(line, name)?),
        };
        let new = match row.new_role.as_str() {
            "" => None,
            name => Some(self.role(line, name)?),
        };
        // A link has the roles of its source; its own only tells links of another program apart.
        let named = if cohort { own } else { None };
        let given = own.filter(|_| row.method != "meta").into_iter().chain(new);
        if let Some(allowed) = &self.facts.allowed
            && let Some(role) = given.into_iter().find(|role| !allowed.allows(*role))
        {
            return Err(Problem::new(line, Code::RoleNotAllowed, shown(&self.role_name(role)), allowed.key()));
        }
        Ok(Roles { named, own, new })
    }

    fn role(&self, line: u64, text: &str) -> Result<i64, Problem> {
        let all = &self.facts.roles;
        let wanted = text.trim().to_lowercase();
        let by_name = all.iter().find(|role| role.shortname.to_lowercase() == wanted);
        let found = by_name.or_else(|| all.iter().find(|role| role.id.to_string() == wanted));
        found.map(|role| role.id).ok_or_else(|| {
            let known = all.iter().map(|role| role.shortname.as_str()).collect::<Vec<_>>().join(", ");
            Problem::new(line, Code::RoleUnknown, shown(text), known)
        })
    }

    /// Applies a row in one course; false if there is no such method, in one of several courses.
    fn in_course(&mut self, at: &At<'_>, row: &MethodRow, several: bool) -> Result<bool, Problem> {
        let keys = self.found(at, row);
        let course = self.facts.courses.get(&at.course).map_or("", |course| course.shortname.as_str());
        let problem = |code, value: &str| Problem::new(at.line, code, shown(value), shown(course));
        let enables = !matches!(row.verb, MethodVerb::Delete | MethodVerb::Disable);
        if enables && !self.facts.enabled.contains(&row.method) {
            return Err(problem(Code::NoMethod, &row.method));
        }
        if at.source.id.is_none() && keys.len() != 1 {
            return Err(Problem::new(at.line, Code::EmptyIdentifier, unsaid(&row.method), ""));
        }
        let moved = if keys.is_empty() { self.moved(at, row) } else { None };
        match (row.verb, moved) {
            // What the file adds and then gives another role is there already.
            (MethodVerb::Add, Some(_)) => return Ok(true),
            (MethodVerb::Set | MethodVerb::Update, Some(key)) => return self.change(at, row, key).map(|()| true),
            _ => {}
        }
        match row.verb {
            MethodVerb::Add | MethodVerb::Set if keys.is_empty() => self.add(at, row).map(|()| true),
            _ if keys.is_empty() && several => Ok(false),
            _ if keys.is_empty() => Err(problem(Code::MethodMissing, &said(row))),
            MethodVerb::Add => {
                let is = self.slots.get(&keys[0]).and_then(|slot| slot.is.clone());
                match is {
                    Some(is) if self.changed(at, row, is.clone(), &keys[0], true)? == is => Ok(true),
                    _ => Err(problem(Code::MethodExists, &said(row))),
                }
            }
            _ => {
                for key in keys {
                    self.change(at, row, key)?;
                }
                Ok(true)
            }
        }
    }

    /// The methods that a row means in one course.
    fn found(&self, at: &At<'_>, row: &MethodRow) -> Vec<Key> {
        let from = |source, role| Key { course: at.course, method: row.method.clone(), source, role };
        let all = self.slots.range(from(0, 0)..=from(i64::MAX, i64::MAX)).filter(|(_, slot)| slot.is.is_some());
        let meant = all.filter(|(key, _)| {
            at.source.id.is_none_or(|source| source == key.source)
                && (row.method != "cohort" || at.roles.named.is_none_or(|role| role == key.role || at.is_unsaid(row)))
        });
        meant.map(|(key, _)| key.clone()).collect()
    }

    /// The method of a cohort that a row means, if it has got another role already: by this row, or by those after it.
    fn moved(&self, at: &At<'_>, row: &MethodRow) -> Option<Key> {
        let (source, role) = (at.source.id?, at.roles.named?);
        let mut key = Key { course: at.course, method: row.method.clone(), source, role };
        let mut line = at.line;
        key.role = at.roles.new.unwrap_or(role);
        for _ in 0..MOST_MOVES {
            let Some(moves) = self.moves.get(&key) else { break };
            let Some((later, role)) = moves.get(moves.partition_point(|(at, _)| *at <= line)) else { break };
            (line, key.role) = (*later, *role);
        }
        let is_there = |key: &Key| self.slots.get(key).is_some_and(|slot| slot.is.is_some());
        (row.method == "cohort" && key.role != role && is_there(&key)).then_some(key)
    }

    fn add(&mut self, at: &At<'_>, row: &MethodRow) -> Result<(), Problem> {
        let linked = ["cohort", "meta"].contains(&row.method.as_str());
        let course = self.facts.courses.get(&at.course).map_or("", |course| course.shortname.as_str());
        let defaults = self.facts.defaults.get(&row.method);
        if !linked && defaults.is_none() {
            return Err(Problem::new(at.line, Code::NoMethod, shown(&row.method), shown(course)));
        }
        let source = at.source.id.unwrap_or_default();
        let role = if row.method == "cohort" { at.roles.named.unwrap_or_default() } else { 0 };
        let key = Key { course: at.course, method: row.method.clone(), source, role };
        if row.method == "meta" {
            self.link(at, source)?;
        }
        let of = |name| defaults.and_then(|columns| columns.get(name)).copied().unwrap_or_default();
        let new = Desired {
            role: at.roles.own.unwrap_or_else(|| of("roleid")),
            status: of("status"),
            name: String::new(),
            group: Group::Same,
            start: 0,
            end: 0,
            period: of("enrolperiod"),
        };
        let new = self.changed(at, row, new, &key, false)?;
        let role = if row.method == "cohort" { new.role } else { role };
        let key = Key { role, ..key };
        let was = self.slots.get(&key).map(|slot| slot.was.clone()).unwrap_or_default();
        self.may_give(at, &key, &new)?;
        if new.status == 0 {
            self.may_open(at, row)?;
        }
        self.put(key, Some(Slot { was, is: Some(new), line: at.line }));
        Ok(())
    }

    /// Refuses a link that would close a cycle, or copy a role that the file may not give.
    fn link(&mut self, at: &At<'_>, source: i64) -> Result<(), Problem> {
        self.may_copy(at, source)?;
        let lives = |target: i64, source: i64| {
            let key = Key { course: target, method: "meta".to_owned(), source, role: 0 };
            match self.slots.get(&key) {
                Some(slot) => slot.is.is_some(),
                None => self.facts.links.get(&target).is_some_and(|sources| sources.contains(&source)),
            }
        };
        let name = |id: &i64| self.facts.courses.get(id).map_or_else(|| id.to_string(), |c| c.shortname.clone());
        match self.cycles.closed_by(&self.links, at.course, source, lives) {
            Closing::Nothing => {}
            Closing::Cycle(cycle) => {
                let names = cycle.iter().map(name).collect::<Vec<_>>().join(" -> ");
                return Err(Problem::new(at.line, Code::MethodCycle, shown(&names), ""));
            }
            Closing::Unknown => {
                let link = format!("{} -> {}", name(&source), name(&at.course));
                return Err(Problem::new(at.line, Code::TooManyLinks, shown(&link), ""));
            }
        }
        self.links.entry(at.course).or_default().insert(source);
        Ok(())
    }

    /// Changes a method that exists.
    fn change(&mut self, at: &At<'_>, row: &MethodRow, key: Key) -> Result<(), Problem> {
        let Some(slot) = self.slots.get(&key).cloned() else { return Ok(()) };
        let Some(is) = slot.is.clone() else { return Ok(()) };
        let new = match row.verb {
            MethodVerb::Delete => None,
            _ => Some(self.changed(at, row, is.clone(), &key, false)?),
        };
        let alike = || slot.line > 0 || slot.was.iter().all(|was| was.status == is.status);
        if new.as_ref() == Some(&is) && alike() {
            return Ok(());
        }
        self.may_touch(at, &slot)?;
        match &new {
            Some(new) => self.may_give(at, &key, new)?,
            None if !self.profile.delete.unwrap_or(!self.facts.dropped) => {
                return Err(Problem::new(at.line, Code::ChangeRefused, shown(&said(row)), "delete"));
            }
            None => {}
        }
        // Dates that lie in the past close a method too, and whoever comes in gets its role.
        let opens = |new: &Desired| {
            let terms = |of: &Desired| (of.status, of.role, of.start, of.end);
            new.status == 0 && terms(new) != terms(&is)
        };
        if new.as_ref().is_some_and(opens) {
            self.may_open(at, row)?;
        }
        if key.method == "meta" && is.status != 0 && new.as_ref().is_some_and(|new| new.status == 0) {
            self.may_copy(at, key.source)?;
        }
        let moved = Key { role: new.as_ref().map_or(key.role, |new| new.role), ..key.clone() };
        if key.method == "cohort" && moved != key {
            if self.slots.get(&moved).is_some_and(|slot| slot.is.is_some() || !slot.was.is_empty()) {
                let course = self.facts.courses.get(&at.course).map_or("", |course| course.shortname.as_str());
                return Err(Problem::new(at.line, Code::MethodExists, shown(&said(row)), shown(course)));
            }
            self.put(key, None);
            self.put(moved, Some(Slot { is: new, line: at.line, ..slot }));
        } else {
            self.put(key, Some(Slot { is: new, line: at.line, ..slot }));
        }
        Ok(())
    }

    fn put(&mut self, key: Key, slot: Option<Slot>) {
        let before = match slot {
            Some(slot) => self.slots.insert(key.clone(), slot),
            None => self.slots.remove(&key),
        };
        self.before.push((key, before));
    }
}

impl Key {
    fn of(instance: &Instance, source: i64, role: i64) -> Self {
        Self { course: instance.course, method: instance.method.clone(), source, role }
    }
}

impl From<&Instance> for Desired {
    fn from(instance: &Instance) -> Self {
        Self {
            role: instance.role,
            status: instance.status,
            name: instance.name.clone(),
            group: Group::Id(instance.group),
            start: instance.start,
            end: instance.end,
            period: instance.period,
        }
    }
}

/// Where a row is applied.
struct At<'a> {
    line: u64,
    course: i64,
    source: &'a Source,
    roles: &'a Roles,
}

impl At<'_> {
    /// Whether the row leaves the role unsaid, and the cohort too: then the only method is meant.
    fn is_unsaid(&self, row: &MethodRow) -> bool {
        self.source.id.is_none() && row.role.is_empty()
    }
}

struct Source {
    /// `None`: the row does not say it.
    id: Option<i64>,
    name: String,
}

struct Roles {
    /// The role by which a cohort's method is found; `None`: any.
    named: Option<i64>,
    /// The role of a new method.
    own: Option<i64>,
    /// The role that a method gets.
    new: Option<i64>,
}

/// The column that says the source of a method in a course upload.
fn unsaid(method: &str) -> &'static str {
    if method == "meta" { "metacoursename" } else { "cohortidnumber" }
}

/// A method as a problem names it: `cohort L1`.
fn said(row: &MethodRow) -> String {
    let role = if row.role.is_empty() { String::new() } else { format!(" ({})", row.role) };
    let source = if row.source.is_empty() { String::new() } else { format!(" {}", row.source) };
    format!("{}{source}{role}", row.method)
}
