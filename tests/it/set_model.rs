//! The effect of a full set on a source's own instances, computed by loops over a dump and the rows of the set.
//! It must not know how enrold applies a set.

use std::collections::{BTreeMap, BTreeSet};

use crate::dump::{Dump, Row as Record, show, text};
use crate::random_set::{DAY, Row, Source, TIMES};

/// A course and a user.
type Pair = (i64, i64);

/// The actual or expected rows of a source: instances, windows and states, roles, memberships by group key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub instances: BTreeSet<i64>,
    pub enrolments: BTreeMap<Pair, (i64, i64, i64)>,
    pub roles: BTreeSet<(Pair, i64)>,
    pub groups: BTreeSet<(Pair, String)>,
}

/// Since when users are absent, for a source with `removal_grace`.
pub type Absent = BTreeMap<Pair, i64>;

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn int(row: &Record, column: &str) -> i64 {
    text(row, column).parse().unwrap_or(0)
}

/// The source's instance in each course: the one with the lowest id.
fn instances(dump: &Dump, source: &str) -> BTreeMap<i64, i64> {
    let mut all = BTreeMap::new();
    for row in dump["enrol"].iter().filter(|row| text(row, "enrol") == "database") {
        let mark = text(row, "customchar1");
        let own = match source {
            "database" => !mark.starts_with("enrold:"),
            name => mark == format!("enrold:{name}"),
        };
        if own {
            all.entry(int(row, "courseid")).or_insert_with(|| int(row, "id"));
        }
    }
    all
}

impl Standing {
    /// Reads the rows from a dump.
    pub fn of(dump: &Dump, source: &Source) -> Self {
        let instances = instances(dump, source.name);
        let course_of: BTreeMap<i64, i64> = instances.iter().map(|(course, id)| (*id, *course)).collect();
        let groups: BTreeMap<i64, &Record> = dump["groups"].iter().map(|row| (int(row, "id"), row)).collect();
        let mut standing = Self { instances: instances.keys().copied().collect(), ..Self::default() };
        for row in &dump["user_enrolments"] {
            if let Some(course) = course_of.get(&int(row, "enrolid")) {
                let state = (int(row, "status"), int(row, "timestart"), int(row, "timeend"));
                standing.enrolments.insert((*course, int(row, "userid")), state);
            }
        }
        let own = |row: &Record| match text(row, "component") {
            "enrol_database" => course_of.get(&int(row, "itemid")).copied(),
            _ => None,
        };
        for row in &dump["role_assignments"] {
            if let Some(course) = own(row) {
                let new = standing.roles.insert(((course, int(row, "userid")), int(row, "roleid")));
                assert!(new, "a role is there twice: {}", show(row));
            }
        }
        for row in &dump["groups_members"] {
            if let Some(course) = own(row) {
                let key = text(groups[&int(row, "groupid")], source.group_key).to_owned();
                standing.groups.insert(((course, int(row, "userid")), key));
            }
        }
        standing
    }
}

/// A row with known keys.
#[derive(Clone, Copy)]
struct Known<'a> {
    pair: Pair,
    role: i64,
    row: &'a Row,
    enrols: bool,
    status: i64,
    window: (i64, i64),
}

/// The expected result of a set.
pub struct Model<'a> {
    dump: &'a Dump,
    source: &'a Source,
    known: Vec<Known<'a>>,
    /// Users who lose nothing, and courses in which no user does.
    spared: BTreeSet<i64>,
    spared_courses: BTreeSet<i64>,
    has_dates: bool,
    has_status: bool,
}

impl<'a> Model<'a> {
    /// Resolves the rows against the state before the run.
    pub fn new(dump: &'a Dump, source: &'a Source, rows: &'a [Row]) -> Self {
        let mut model = Self {
            dump,
            source,
            known: Vec::new(),
            spared: protected(dump, source),
            spared_courses: BTreeSet::new(),
            has_dates: false,
            has_status: false,
        };
        rows.iter().for_each(|row| model.read(row));
        model
    }

    fn read(&mut self, row: &'a Row) {
        let (who, place) = (row.user.trim(), row.course.trim());
        if matches!(who, "" | "0") {
            return;
        }
        let users = self.users(who);
        let known_user = if let [only] = users[..] { Some(only) } else { None };
        if known_user.is_none() {
            self.spared.extend(self.alike("user", self.source.user_key, who));
        }
        let read = self.read_cells(row);
        if read.is_none() {
            // The row names a user nevertheless.
            self.spared.extend(self.alike("user", self.source.user_key, who));
        }
        let is_no_id = self.source.user_key == "id" && !is_number(who);
        let (Some((role, status, window)), false) = (read, is_no_id) else {
            // And a course that it may mean.
            let is_named = self.found("course", self.source.course_key, place).len() == 1;
            if !is_named && !matches!(place, "" | "0") {
                self.spared_courses.extend(self.alike("course", self.source.course_key, place));
            }
            return;
        };
        self.has_dates |= window != (0, 0);
        self.has_status |= !row.status.is_empty();
        let courses = self.found("course", self.source.course_key, place);
        let ([course], Some(user)) = (&courses[..], known_user) else {
            if courses.len() != 1 {
                self.spared_courses.extend(self.alike("course", self.source.course_key, place));
            }
            return;
        };
        if user != 1 && self.is_minded(*course) {
            let enrols = matches!(row.other.as_str(), "" | "0");
            self.known.push(Known { pair: (*course, user), role, row, enrols, status, window });
        }
    }

    /// Role, state and window of a readable row.
    fn read_cells(&self, row: &Row) -> Option<(i64, i64, (i64, i64))> {
        let place = row.course.trim();
        if matches!(place, "" | "0") || (self.source.course_key == "id" && !is_number(place)) {
            return None;
        }
        let role = self.role(row.role.trim())?;
        let time = |word: &str| TIMES.iter().find(|(text, _)| *text == word)?.1;
        let (start, end) = (time(&row.timestart)?.0, time(&row.timeend)?.1);
        let status = match row.status.to_lowercase().as_str() {
            "" | "0" | "active" | "actif" => 0,
            "1" | "suspended" => 1,
            _ => return None,
        };
        (end == 0 || end >= start).then_some((role, status, (start, end)))
    }

    fn users(&self, key: &str) -> Vec<i64> {
        let key = match self.source.user_key {
            "username" | "email" => key.to_lowercase(),
            _ => key.to_owned(),
        };
        let mut users = self.found("user", self.source.user_key, &key);
        users.retain(|id| self.dump["user"].iter().any(|row| int(row, "id") == *id && int(row, "deleted") == 0));
        users
    }

    fn found(&self, table: &str, column: &str, key: &str) -> Vec<i64> {
        let rows = self.dump[table].iter().filter(|row| text(row, column) == key);
        rows.map(|row| int(row, "id")).collect()
    }

    /// All ids that a key may mean: equal except for case and blanks.
    fn alike(&self, table: &str, column: &str, key: &str) -> Vec<i64> {
        let same = |row: &&Record| text(row, column).trim().to_lowercase() == key.to_lowercase();
        let there = |row: &&Record| text(row, "deleted") != "1";
        self.dump[table].iter().filter(same).filter(there).map(|row| int(row, "id")).collect()
    }

    fn role(&self, name: &str) -> Option<i64> {
        let named = |column: &str, key: &str| {
            self.dump["role"].iter().find(|row| text(row, column) == key).map(|row| int(row, "id"))
        };
        let own = if matches!(name, "" | "0") { None } else { named(self.source.role_key, name) };
        own.or_else(|| named("shortname", self.source.default_role))
    }

    fn is_minded(&self, course: i64) -> bool {
        let visible = self.dump["course"].iter().any(|row| int(row, "id") == course && int(row, "visible") == 1);
        visible || !self.source.ignore_hidden
    }

    fn rows_of(&self, pair: Pair) -> impl Iterator<Item = &Known<'a>> {
        self.known.iter().filter(move |known| known.pair == pair)
    }

    /// Whether the enrolment of a user without an enrolling row may end.
    fn may_go(&self, (course, user): Pair) -> bool {
        let named = self.rows_of((course, user)).any(|known| known.enrols);
        self.is_minded(course) && !named && !self.spared.contains(&user) && !self.spared_courses.contains(&course)
    }

    /// The expected state after the run.
    pub fn outcome(&self, now: i64, absent: &mut Absent) -> Standing {
        let before = Standing::of(self.dump, self.source);
        let mut after = before.clone();
        after.instances.extend(self.known.iter().map(|known| known.pair.0));
        self.name(&before, &mut after);
        self.end(&before, &mut after, now, absent);
        self.give_roles(&mut after);
        self.join(&mut after);
        after
    }

    fn name(&self, before: &Standing, after: &mut Standing) {
        let pairs: BTreeSet<Pair> = self.known.iter().filter(|known| known.enrols).map(|known| known.pair).collect();
        for pair in pairs {
            let rows: Vec<&Known> = self.rows_of(pair).filter(|known| known.enrols).collect();
            let status = rows.iter().map(|known| known.status).min().unwrap();
            let start = rows.iter().map(|known| known.window.0).min().unwrap();
            let open = rows.iter().any(|known| known.window.1 == 0);
            let end = if open { 0 } else { rows.iter().map(|known| known.window.1).max().unwrap() };
            let state = match before.enrolments.get(&pair) {
                None => (status, start, end),
                Some((stood, old_start, old_end)) => {
                    let status = if self.has_status || status == 0 { status } else { *stood };
                    let window = if self.has_dates { (start, end) } else { (*old_start, *old_end) };
                    (status, window.0, window.1)
                }
            };
            after.enrolments.insert(pair, state);
        }
    }

    fn end(&self, before: &Standing, after: &mut Standing, now: i64, absent: &mut Absent) {
        absent.retain(|pair, _| before.enrolments.contains_key(pair) && !self.rows_of(*pair).any(|known| known.enrols));
        for (pair, (_, start, end)) in before.enrolments.iter().filter(|(pair, _)| self.may_go(**pair)) {
            let since = *absent.entry(*pair).or_insert(now);
            let waits = self.source.grace > 0 && since > now - self.source.grace * DAY;
            match self.source.action {
                "keep" => {}
                "unenrol" if !waits => {
                    after.enrolments.remove(pair);
                    after.roles.retain(|(of, _)| of != pair);
                    after.groups.retain(|(of, _)| of != pair);
                    absent.remove(pair);
                }
                _ => drop(after.enrolments.insert(*pair, (1, *start, *end))),
            }
        }
    }

    /// A named user has exactly the named roles. Others keep theirs, unless their enrolment ends or they have never had
    /// one.
    fn give_roles(&self, after: &mut Standing) {
        let keeps = matches!(self.source.action, "keep" | "suspend");
        let waits = self.source.grace > 0;
        let (enrolled, roles) = (&after.enrolments, std::mem::take(&mut after.roles));
        let stays = |((course, user), role): &(Pair, i64)| {
            let pair = (*course, *user);
            let free = !self.is_minded(*course)
                || self.spared.contains(user)
                || self.spared_courses.contains(course)
                || self.rows_of(pair).any(|known| known.role == *role);
            let named = self.rows_of(pair).next().is_some();
            free || (!named && (keeps || (waits && enrolled.contains_key(&pair))))
        };
        let mut roles: BTreeSet<(Pair, i64)> = roles.into_iter().filter(stays).collect();
        roles.extend(self.known.iter().map(|known| (known.pair, known.role)));
        after.roles = roles;
    }

    /// Rows that enrol and name a group.
    fn in_groups(&self) -> impl Iterator<Item = &Known<'a>> {
        self.known.iter().filter(|known| known.enrols && !known.row.group.is_empty())
    }

    /// The groups that a row may mean.
    fn groups_of(&self, known: &Known) -> Vec<i64> {
        let same =
            |row: &&Record| int(row, "courseid") == known.pair.0 && text(row, self.source.group_key) == known.row.group;
        self.dump["groups"].iter().filter(same).map(|row| int(row, "id")).collect()
    }

    /// The group of the row cannot be resolved.
    fn lacks_group(&self, known: &Known) -> bool {
        match self.groups_of(known)[..] {
            [] => !self.source.create_groups,
            [_] => false,
            _ => true,
        }
    }

    /// An enrolled user is exactly in the groups that rows name, unless one of them cannot be resolved; an existing
    /// membership of another owner is not taken over.
    fn join(&self, after: &mut Standing) {
        let enrolled: BTreeSet<Pair> = self.known.iter().filter(|known| known.enrols).map(|known| known.pair).collect();
        let named = |pair: Pair, key: &str| self.rows_of(pair).any(|known| known.enrols && known.row.group == key);
        let ungrouped: BTreeSet<Pair> =
            self.in_groups().filter(|known| self.lacks_group(known)).map(|known| known.pair).collect();
        after.groups.retain(|(pair, key)| {
            !enrolled.contains(pair)
                || ungrouped.contains(pair)
                || self.spared.contains(&pair.1)
                || self.spared_courses.contains(&pair.0)
                || named(*pair, key)
        });
        for known in self.in_groups() {
            let (_, user) = known.pair;
            let joins = match self.groups_of(known)[..] {
                [] => self.source.create_groups,
                [only] => !self.dump["groups_members"]
                    .iter()
                    .any(|row| int(row, "groupid") == only && int(row, "userid") == user),
                _ => false,
            };
            if joins {
                after.groups.insert((known.pair, known.row.group.clone()));
            }
        }
    }
}

/// Administrators (of the random site: user 2), the guest, and users protected by name.
fn protected(dump: &Dump, source: &Source) -> BTreeSet<i64> {
    let named = dump["user"].iter().filter(|row| text(row, "username") == source.protected);
    named.map(|row| int(row, "id")).chain([1, 2]).collect()
}

/// Rows that belong neither to the source nor to a rule, as lines: enrolments, roles and memberships of other methods
/// and sources, and cohort members. Pairs in `left` are excluded: with the last enrolment Moodle removes all.
pub fn of_others(dump: &Dump, source: &Source, left: &BTreeSet<Pair>) -> BTreeSet<String> {
    let own: BTreeSet<i64> = instances(dump, source.name).into_values().collect();
    let mut theirs = BTreeMap::new();
    for row in &dump["enrol"] {
        let id = int(row, "id");
        if matches!(text(row, "enrol"), "manual" | "self" | "flatfile" | "database") && !own.contains(&id) {
            theirs.insert(id, int(row, "courseid"));
        }
    }
    let mut lines: BTreeSet<String> = dump["cohort_members"].iter().map(show).collect();
    lines.extend(dump["user_enrolments"].iter().filter(|row| theirs.contains_key(&int(row, "enrolid"))).map(show));
    let courses: BTreeMap<i64, i64> = dump["groups"].iter().map(|row| (int(row, "id"), int(row, "courseid"))).collect();
    let places = dump["context"].iter().filter(|row| int(row, "contextlevel") == 50);
    let places: BTreeMap<i64, i64> = places.map(|row| (int(row, "id"), int(row, "instanceid"))).collect();
    for (table, column, place_of) in
        [("role_assignments", "contextid", &places), ("groups_members", "groupid", &courses)]
    {
        for row in &dump[table] {
            let place = place_of.get(&int(row, column)).copied().unwrap_or(0);
            let free = text(row, "component").is_empty() || theirs.contains_key(&int(row, "itemid"));
            if free && !left.contains(&(place, int(row, "userid"))) {
                lines.insert(format!("{table} {}", show(row)));
            }
        }
    }
    lines
}

/// Pairs with an enrolment by any method before, and none after.
pub fn left(before: &Dump, after: &Dump) -> BTreeSet<Pair> {
    let pairs = |dump: &Dump| -> BTreeSet<Pair> {
        let courses: BTreeMap<i64, i64> =
            dump["enrol"].iter().map(|row| (int(row, "id"), int(row, "courseid"))).collect();
        dump["user_enrolments"].iter().map(|row| (courses[&int(row, "enrolid")], int(row, "userid"))).collect()
    };
    pairs(before).difference(&pairs(after)).copied().collect()
}

/// Enrolments by manual methods, as lines.
pub fn of_people(dump: &Dump) -> BTreeSet<String> {
    let theirs = dump["enrol"].iter().filter(|row| matches!(text(row, "enrol"), "manual" | "self" | "database"));
    let theirs: BTreeSet<i64> = theirs.map(|row| int(row, "id")).collect();
    dump["user_enrolments"].iter().filter(|row| theirs.contains(&int(row, "enrolid"))).map(show).collect()
}
