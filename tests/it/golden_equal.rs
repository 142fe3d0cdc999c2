//! When two databases after the same task are equal: the rows of both in a form that leaves out what may differ.
//! It must not excuse a difference; each intended one is named by the test, row by row.

use std::collections::BTreeMap;

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

/// A row that Moodle has and enrold has not, on purpose.
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Values that single the row out.
    pub row: &'static [(&'static str, &'static str)],
    /// Why.
    pub reason: &'static str,
}

/// The moments of Moodle's run, and how long a session of the site lives, in Unix seconds.
#[derive(Clone, Copy)]
pub struct Clocks {
    /// When the task began.
    pub from: i64,
    /// When it ended.
    pub to: i64,
    /// The site's `sessiontimeout`.
    pub session: i64,
}

/// Fails unless both are equal but for the differences, each of which must be there.
#[track_caller]
pub fn assert_equal(moodle: &Dump, enrold: &Dump, clocks: Clocks, differences: &[Difference]) {
    let enrold = columns_of(moodle, enrold.clone());
    let (mut moodle, enrold) = (Plain::of(moodle, clocks), Plain::of(&enrold, clocks));
    for difference in differences {
        moodle.excuse(difference, &enrold);
    }
    let mut problems = Vec::new();
    for table in COMPARED {
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
        assert_eq!(events, enrold[&enrolment], "the order of the events of (user, course, method) {enrolment:?}");
    }
}

/// A dump with the columns that the other one knows.
fn columns_of(other: &Dump, mut dump: Dump) -> Dump {
    for (table, rows) in &mut dump {
        if let Some(known) = other.get(table).and_then(|rows| rows.first()) {
            rows.iter_mut().for_each(|row| row.retain(|column, _| known.contains_key(column)));
        }
    }
    dump
}

/// One side, without what may differ.
struct Plain(BTreeMap<&'static str, Vec<Row>>);

impl Plain {
    fn of(dump: &Dump, clocks: Clocks) -> Self {
        let names = Names::of(dump);
        let rows = |table| dump.get(table).into_iter().flatten().map(|row| names.plain(table, row, clocks)).collect();
        Self(COMPARED.iter().map(|table| (*table, rows(table))).collect())
    }

    fn rows(&self, table: &str) -> Vec<Row> {
        self.0[table].clone()
    }

    /// Removes the one row of a difference, which the other side must not have.
    fn excuse(&mut self, difference: &Difference, other: &Self) {
        let fits = |row: &Row| difference.row.iter().all(|(column, value)| text(row, column) == *value);
        let what = format!("{}: {:?} ({})", difference.table, difference.row, difference.reason);
        let theirs = other.rows(difference.table);
        let rows = self.0.get_mut(difference.table).unwrap();
        let unlike = |row: &Row| fits(row) && count(rows, row) > count(&theirs, row);
        let found: Vec<usize> = (0..rows.len()).filter(|at| unlike(&rows[*at])).collect();
        assert!(!found.is_empty(), "Moodle was to have a row more: {what}");
        assert!(found.iter().all(|at| rows[*at] == rows[found[0]]), "several rows fit: {what}");
        rows.remove(found[0]);
    }

    /// The events of each enrolment in their order: those of its own method, and those of no method among them.
    fn sequences(&self) -> BTreeMap<(String, String, String), Vec<String>> {
        let log = self.rows("logstore_standard_log");
        let mut sequences: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
        for row in log.iter().filter(|row| !method(row).is_empty()) {
            sequences.entry(enrolment(row, method(row))).or_default();
        }
        for ((user, course, of), events) in &mut sequences {
            let own = |row: &&Row| {
                text(row, "relateduserid") == user
                    && text(row, "courseid") == course
                    && (method(row) == *of || method(row).is_empty())
            };
            events.extend(log.iter().filter(own).map(show));
        }
        sequences
    }
}

fn count(rows: &[Row], row: &Row) -> usize {
    rows.iter().filter(|other| *other == row).count()
}

fn enrolment(row: &Row, method: String) -> (String, String, String) {
    (text(row, "relateduserid").to_owned(), text(row, "courseid").to_owned(), method)
}

/// The enrolment method that an event belongs to; empty for roles and groups of nobody.
fn method(event: &Row) -> String {
    let other: Value = serde_json::from_str(text(event, "other")).unwrap_or_default();
    let component = other["component"].as_str().and_then(|component| component.strip_prefix("enrol_"));
    other["enrol"].as_str().or(component).unwrap_or_default().to_owned()
}

/// What ids of one dump stand for.
struct Names {
    instances: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    enrolments: BTreeMap<String, String>,
}

impl Names {
    fn of(dump: &Dump) -> Self {
        let by_id = |table: &str, name: &dyn Fn(&Row) -> String| {
            let rows = dump.get(table).into_iter().flatten();
            rows.map(|row| (text(row, "id").to_owned(), name(row))).collect::<BTreeMap<_, _>>()
        };
        let join =
            |row: &Row, columns: &[&str]| columns.iter().map(|column| text(row, column)).collect::<Vec<_>>().join("/");
        let instances = by_id("enrol", &|row| join(row, &["enrol", "courseid", "customint1", "roleid"]));
        let groups = by_id("groups", &|row| join(row, &["courseid", "name"]));
        let enrolments = by_id("user_enrolments", &|row| {
            let instance = instances.get(text(row, "enrolid")).cloned().unwrap_or_default();
            format!("{instance} of {}", text(row, "userid"))
        });
        Self { instances, groups, enrolments }
    }

    fn plain(&self, table: &str, row: &Row, clocks: Clocks) -> Row {
        let mut row = row.clone();
        row.remove("id");
        let is_owned = text(&row, "component").starts_with("enrol_");
        let is_event = table == "logstore_standard_log";
        let about = text(&row, "objecttable").to_owned();
        for (column, value) in &mut row {
            let Some(value) = value else { continue };
            match column.as_str() {
                "enrolid" => *value = name(&self.instances, value),
                "groupid" => *value = name(&self.groups, value),
                "itemid" if is_owned => *value = name(&self.instances, value),
                "objectid" if about == "user_enrolments" => *value = name(&self.enrolments, value),
                "objectid" if about == "enrol" => *value = name(&self.instances, value),
                "modifierid" | "loggeduser" if value == "0" || value == "2" => *value = "ACTOR".to_owned(),
                "userid" if is_event && (value == "0" || value == "2") => *value = "ACTOR".to_owned(),
                "other" => *value = self.plain_other(value, clocks),
                "expiry" => *value = moment(value, clocks, clocks.session, "NOW + session"),
                _ => *value = moment(value, clocks, 0, "NOW"),
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
            if is_owned {
                members.remove("itemid");
            }
            if let Some(enrolment) = members.get_mut("userenrolment").and_then(Value::as_object_mut) {
                enrolment.remove("id");
                enrolment.remove("enrolid");
                for (column, value) in enrolment {
                    match (column.as_str(), &*value) {
                        ("modifierid", Value::String(id)) if id == "0" || id == "2" => *value = "ACTOR".into(),
                        (_, Value::String(text)) => *value = moment(text, clocks, 0, "NOW").into(),
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

fn moment(value: &str, clocks: Clocks, later: i64, called: &str) -> String {
    let is_now = value.parse().is_ok_and(|time: i64| (clocks.from + later..=clocks.to + later).contains(&time));
    if is_now { called.to_owned() } else { value.to_owned() }
}
