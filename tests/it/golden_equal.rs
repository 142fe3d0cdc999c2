//! Compares two databases after the same task: the rows of both, without the values that may differ.
//! It must not excuse a difference; the test names each intended one, row by row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::dump::{Dump, Row, show, text};

/// The tables that a case compares.
const COMPARED: [&str; 12] = [
    "user_enrolments",
    "role_assignments",
    "groups_members",
    "groups",
    "enrol",
    "enrol_flatfile",
    "grade_grades",
    "grade_grades_history",
    "user_lastaccess",
    "forum_subscriptions",
    "cache_flags",
    "logstore_standard_log",
];

/// The side that has a row which the other lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Moodle,
    Enrold,
    Order,
}

/// An intended difference: a row that only one side has; a changed row is one of each.
pub struct Difference {
    side: Side,
    table: &'static str,
    row: &'static [(&'static str, &'static str)],
    reason: &'static str,
}

impl Difference {
    /// A row that only Moodle leaves: values that identify it, and the reason.
    pub fn only_moodle(
        table: &'static str,
        row: &'static [(&'static str, &'static str)],
        reason: &'static str,
    ) -> Self {
        Self { side: Side::Moodle, table, row, reason }
    }

    /// A row that only enrold leaves.
    pub fn only_enrold(
        table: &'static str,
        row: &'static [(&'static str, &'static str)],
        reason: &'static str,
    ) -> Self {
        Self { side: Side::Enrold, table, row, reason }
    }

    /// The same events of one enrolment in another order: its `user`, `course` and `method`, and the reason.
    pub fn other_order(row: &'static [(&'static str, &'static str)], reason: &'static str) -> Self {
        Self { side: Side::Order, table: "logstore_standard_log", row, reason }
    }

    fn reorders(&self, (user, course, method): &(String, String, String)) -> bool {
        self.side == Side::Order && self.row == [("user", user.as_str()), ("course", course), ("method", method)]
    }
}

/// The times of Moodle's run, the lifetime of the site's sessions, and the periods counted from NOW; in Unix seconds
/// and seconds.
#[derive(Clone, Copy)]
pub struct Clocks {
    /// The start of the task.
    pub from: i64,
    /// The end of the task.
    pub to: i64,
    /// The site's `sessiontimeout`.
    pub session: i64,
    /// Periods of enrolment: the distances of ends from NOW.
    pub periods: &'static [i64],
}

impl Clocks {
    /// A run of the golden site.
    pub fn between(from: i64, to: i64) -> Self {
        Self { from, to, session: 28_800, periods: &[] }
    }

    fn moment(&self, value: &str) -> String {
        let periods = self.periods.iter().map(|period| (*period, format!("NOW + {period}")));
        let called = std::iter::once((0, "NOW".to_owned())).chain(periods);
        called
            .filter(|(later, _)| self.is_now(value, *later))
            .map(|(_, called)| called)
            .next()
            .unwrap_or_else(|| value.to_owned())
    }

    fn is_now(&self, value: &str, later: i64) -> bool {
        value.parse().is_ok_and(|time: i64| (self.from + later..=self.to + later).contains(&time))
    }
}

/// Fails unless both are equal except for the differences, each of which must exist. Rows that existed before keep
/// their ids; new ids are replaced by what they refer to.
#[track_caller]
pub fn assert_equal(before: &Dump, moodle: &Dump, enrold: &Dump, clocks: Clocks, differences: &[Difference]) {
    assert_tables(&COMPARED, [before, moodle, enrold], clocks, differences);
}

/// The same for these tables only.
#[track_caller]
pub fn assert_tables(
    compared: &[&'static str],
    [before, moodle, enrold]: [&Dump; 3],
    clocks: Clocks,
    differences: &[Difference],
) {
    let enrold = columns_of(moodle, enrold.clone());
    let plain = |dump| Plain::of(compared, before, dump, clocks);
    let (mut moodle, mut enrold) = (plain(moodle), plain(&enrold));
    for difference in differences {
        match difference.side {
            Side::Moodle => moodle.excuse(difference, &enrold),
            Side::Enrold => enrold.excuse(difference, &moodle),
            Side::Order => {}
        }
    }
    let mut problems = Vec::new();
    for table in compared {
        let (mut left, mut right) = (moodle.rows(table), enrold.rows(table));
        left.sort();
        right.sort();
        for row in &left {
            match right.iter().position(|other| other == row) {
                Some(at) => drop(right.remove(at)),
                None => problems.push(format!("only Moodle: {table}: {}", show(row))),
            }
        }
        problems.extend(right.iter().map(|row| format!("only enrold: {table}: {}", show(row))));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let (moodle, enrold) = (moodle.sequences(), enrold.sequences());
    assert!(moodle.keys().eq(enrold.keys()), "the same enrolments have events");
    for (enrolment, events) in moodle {
        match differences.iter().find(|difference| difference.reorders(&enrolment)) {
            Some(known) => assert_ne!(events, enrold[&enrolment], "was to have another order: {}", known.reason),
            None => {
                assert_eq!(
                    events, enrold[&enrolment],
                    "the order of the events of (user, course, method) {enrolment:?}"
                );
            }
        }
    }
}

/// A dump restricted to the columns of the other one.
fn columns_of(other: &Dump, mut dump: Dump) -> Dump {
    for (table, rows) in &mut dump {
        if let Some(known) = other.get(table).and_then(|rows| rows.first()) {
            rows.iter_mut().for_each(|row| row.retain(|column, _| known.contains_key(column)));
        }
    }
    dump
}

/// One side, without the values that may differ.
struct Plain {
    tables: BTreeMap<&'static str, Vec<Row>>,
    /// The pairs of course and method with several instances.
    many: BTreeSet<(String, String)>,
}

impl Plain {
    fn of(compared: &[&'static str], before: &Dump, dump: &Dump, clocks: Clocks) -> Self {
        let names = Names::of(before, dump);
        let rows = |table| dump.get(table).into_iter().flatten().map(|row| names.plain(table, row, clocks)).collect();
        let tables = compared.iter().map(|table| (*table, rows(table))).collect();
        let (mut seen, mut many) = (BTreeSet::new(), BTreeSet::new());
        let instances = dump.get("enrol").into_iter().flatten();
        for method in instances.map(|row| (text(row, "courseid").to_owned(), text(row, "enrol").to_owned())) {
            if !seen.insert(method.clone()) {
                many.insert(method);
            }
        }
        Self { tables, many }
    }

    fn rows(&self, table: &str) -> Vec<Row> {
        self.tables.get(table).cloned().unwrap_or_default()
    }

    /// Removes the one row of a difference, which the other side must lack.
    fn excuse(&mut self, difference: &Difference, other: &Self) {
        let fits = |row: &Row| difference.row.iter().all(|(column, value)| text(row, column) == *value);
        let what = format!("{}: {:?} ({})", difference.table, difference.row, difference.reason);
        let theirs = other.rows(difference.table);
        let rows = self.tables.get_mut(difference.table).unwrap();
        let unlike = |row: &Row| fits(row) && count(rows, row) > count(&theirs, row);
        let found: Vec<usize> = (0..rows.len()).filter(|at| unlike(&rows[*at])).collect();
        assert!(!found.is_empty(), "{:?} was to have a row more: {what}", difference.side);
        assert!(found.iter().all(|at| rows[*at] == rows[found[0]]), "several rows fit: {what}");
        rows.remove(found[0]);
    }

    /// The ordered events of each enrolment: those of its method, mixed with those of no method. Where a method has
    /// several instances in the course, only those of its own instance.
    fn sequences(&self) -> BTreeMap<(String, String, String), Vec<String>> {
        let log = self.rows("logstore_standard_log");
        let mut sequences: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
        for row in log.iter().filter(|row| !method(row).is_empty()) {
            let (user, course, of) = (text(row, "relateduserid"), text(row, "courseid"), self.owner(row));
            sequences.entry((user.to_owned(), course.to_owned(), of)).or_default();
        }
        for ((user, course, of), events) in &mut sequences {
            let is_alone = !of.contains(' ');
            let own = |row: &&Row| {
                text(row, "relateduserid") == user
                    && text(row, "courseid") == course
                    && (self.owner(row) == *of || (is_alone && method(row).is_empty()))
            };
            events.extend(log.iter().filter(own).map(show));
        }
        sequences
    }

    /// The method of an event, with its instance where the course has several.
    fn owner(&self, event: &Row) -> String {
        let method = method(event);
        if !self.many.contains(&(text(event, "courseid").to_owned(), method.clone())) {
            return method;
        }
        let other: Value = serde_json::from_str(text(event, "other")).unwrap_or_default();
        let enrolment = text(event, "objectid").split_once(" of ").map(|(instance, _)| instance);
        let itemid = other["itemid"].as_str();
        format!("{method} {}", enrolment.or(itemid).unwrap_or_default())
    }
}

fn count(rows: &[Row], row: &Row) -> usize {
    rows.iter().filter(|other| *other == row).count()
}

/// The enrolment method of an event; empty for roles and groups without an owner.
fn method(event: &Row) -> String {
    let other: Value = serde_json::from_str(text(event, "other")).unwrap_or_default();
    let component = other["component"].as_str().and_then(|component| component.strip_prefix("enrol_"));
    other["enrol"].as_str().or(component).unwrap_or_default().to_owned()
}

/// The names that replace the ids of one dump.
struct Names {
    cohorts: BTreeMap<String, String>,
    instances: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    groupings: BTreeMap<String, String>,
    /// The custom fields of groupings.
    grouping_fields: BTreeSet<String>,
    enrolments: BTreeMap<String, String>,
}

impl Names {
    fn of(before: &Dump, dump: &Dump) -> Self {
        let by_id = |table: &str, name: &dyn Fn(&Row) -> String| {
            let rows = |dump: &Dump| dump.get(table).cloned().unwrap_or_default();
            let id = |row: &Row| text(row, "id").to_owned();
            let mut names: BTreeMap<_, _> = rows(dump).iter().map(|row| (id(row), name(row))).collect();
            names.extend(rows(before).iter().map(|row| (id(row), id(row))));
            names
        };
        let join =
            |row: &Row, columns: &[&str]| columns.iter().map(|column| text(row, column)).collect::<Vec<_>>().join("/");
        let instances = by_id("enrol", &|row| join(row, &["enrol", "courseid", "customint1", "roleid"]));
        let cohorts = by_id("cohort", &|row| join(row, &["idnumber", "name"]));
        let groups = by_id("groups", &|row| join(row, &["courseid", "name"]));
        let groupings = by_id("groupings", &|row| join(row, &["courseid", "name"]));
        let all = |table: &str| before.get(table).cloned().unwrap_or_default();
        let of_groupings = |row: &Row| text(row, "area") == "grouping";
        let of_groupings: Vec<Row> = all("customfield_category").into_iter().filter(of_groupings).collect();
        let is_of = |row: &Row| of_groupings.iter().any(|area| text(area, "id") == text(row, "categoryid"));
        let fields = all("customfield_field").into_iter().filter(is_of);
        let grouping_fields = fields.map(|row| text(&row, "id").to_owned()).collect();
        let enrolments = [dump, before].into_iter().flat_map(|dump| dump.get("user_enrolments")).flatten();
        let enrolments = enrolments.map(|row| {
            let called = format!("{} of {}", name(&instances, text(row, "enrolid")), text(row, "userid"));
            (text(row, "id").to_owned(), called)
        });
        let enrolments = enrolments.collect();
        Self { cohorts, instances, groups, groupings, grouping_fields, enrolments }
    }

    fn plain(&self, table: &str, row: &Row, clocks: Clocks) -> Row {
        let mut row = row.clone();
        row.remove("id");
        let is_owned = text(&row, "component").starts_with("enrol_");
        let is_event = table == "logstore_standard_log";
        let about = text(&row, "objecttable").to_owned();
        let of_grouping = self.grouping_fields.contains(text(&row, "fieldid"));
        for (column, value) in &mut row {
            let Some(value) = value else { continue };
            match column.as_str() {
                "enrolid" => *value = name(&self.instances, value),
                "cohortid" => *value = name(&self.cohorts, value),
                "objectid" if about == "cohort" => *value = name(&self.cohorts, value),
                "groupid" => *value = name(&self.groups, value),
                "groupingid" => *value = name(&self.groupings, value),
                "instanceid" if of_grouping => *value = name(&self.groupings, value),
                "instanceid" if table == "customfield_data" => *value = name(&self.groups, value),
                "objectid" if about == "groupings" => *value = name(&self.groupings, value),
                "itemid" if is_owned => *value = name(&self.instances, value),
                "objectid" if about == "user_enrolments" => *value = name(&self.enrolments, value),
                "objectid" if about == "enrol" => *value = name(&self.instances, value),
                "objectid" if about == "groups" => *value = name(&self.groups, value),
                "modifierid" | "loggeduser" if value == "0" || value == "2" => *value = "ACTOR".to_owned(),
                "userid" if is_event && (value == "0" || value == "2") => *value = "ACTOR".to_owned(),
                "other" => *value = self.plain_other(value, clocks),
                "expiry" if clocks.is_now(value, clocks.session) => *value = "NOW + session".to_owned(),
                _ => *value = clocks.moment(value),
            }
        }
        row
    }

    /// The `other` of an event as JSON, without the ids inside.
    fn plain_other(&self, other: &str, clocks: Clocks) -> String {
        let mut other: Value = serde_json::from_str(other).unwrap_or_else(|_| panic!("not JSON: {other}"));
        let is_owned = other["component"].as_str().is_some_and(|component| component.starts_with("enrol_"));
        if let Some(members) = other.as_object_mut() {
            members.remove("id");
            if let Some(Value::String(group)) = members.get_mut("groupid") {
                *group = name(&self.groups, group);
            }
            if let Some(item) = members.get_mut("itemid").filter(|_| is_owned) {
                let id = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                *item = name(&self.instances, &id).into();
            }
            if let Some(enrolment) = members.get_mut("userenrolment").and_then(Value::as_object_mut) {
                enrolment.remove("id");
                for (column, value) in enrolment {
                    match (column.as_str(), &*value) {
                        ("modifierid", Value::String(id)) if id == "0" || id == "2" => *value = "ACTOR".into(),
                        ("enrolid", Value::String(id)) => *value = name(&self.instances, id).into(),
                        (_, Value::String(text)) => *value = clocks.moment(text).into(),
                        _ => {}
                    }
                }
            }
        }
        other.to_string()
    }
}

fn name(names: &BTreeMap<String, String>, id: &str) -> String {
    names.get(id).cloned().unwrap_or_else(|| "GONE".to_owned())
}
