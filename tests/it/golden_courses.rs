//! The golden case of new courses: the result of a real Moodle for the same table of courses, compared on each
//! database. It lists, cell by cell, where enrold differs on purpose.

use std::collections::BTreeMap;

use enrold::change::courses::NewCourses;

use crate::course_maker::terms;
use crate::dump::{Dump, Row, assert_same, text};
use crate::golden_case::{folder, load, moodle_left};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(d07_new_courses);

const NOW: i64 = 1_795_299_398;

/// The tables that describe a new course.
const TABLES: [&str; 6] =
    ["course", "course_categories", "context", "course_sections", "enrol", "logstore_standard_log"];

/// Moodle renumbers the whole site, enrold only the categories with new courses. The golden site was created by hand,
/// so Moodle has much to renumber: table, id, Moodle's value, enrold's value.
const SORTED: [(&str, &str, &str, &str); 14] = [
    ("course", "1", "1", "0"),
    ("course", "3", "50001", "30002"),
    ("course", "4", "30002", "40002"),
    ("course", "5", "40001", "50004"),
    ("course", "6", "60001", "60005"),
    ("course", "7", "20002", "20006"),
    ("course", "8", "50002", "30007"),
    ("course", "9", "30003", "40003"),
    ("course", "10", "40002", "50009"),
    ("course", "11", "60002", "60010"),
    ("course", "12", "30001", "40001"),
    ("course_categories", "3", "50000", "30000"),
    ("course_categories", "4", "30000", "40000"),
    ("course_categories", "5", "40000", "50000"),
];

async fn d07_new_courses(mut site: Site) {
    load(&mut site, "d07").await;
    site.at(NOW);
    let rows = std::fs::read_to_string(folder("d07").join("courses.csv")).unwrap();
    let before = site.dump().await;
    let by_idnumber = NewCourses { category_by_idnumber: true, ..terms() };
    let made = site.courses(&rows, &by_idnumber, NOW).await;
    assert_eq!(
        made.errors,
        [
            "4 category-unknown n3 zzz",
            "6 course-idnumber-taken n4 xc2",
            "7 course-twice n5 8",
            "9 course-name-missing n6, n6 fullname",
        ]
    );
    let mut moodle = moodle_left("d07");
    for (table, id, theirs, ours) in SORTED {
        change(&mut moodle, table, id, "sortorder", theirs, ours);
    }
    // Each step of Moodle increments the revision of the course's cache; one increment is enough to rebuild it.
    for id in ["12", "13", "14"] {
        change(&mut moodle, "course", id, "cacherev", "1795299404", "1795299398");
    }
    // The announcements forum, which Moodle creates on first use.
    for (id, forum) in [("11", "1"), ("16", "2"), ("21", "3")] {
        change(&mut moodle, "course_sections", id, "sequence", forum, "");
    }
    let after = site.dump().await;
    assert_same(&compared(&moodle, &moodle, &before), &compared(&after, &moodle, &before), "Moodle and enrold");
}

#[track_caller]
fn change(dump: &mut Dump, table: &str, id: &str, column: &str, from: &str, to: &str) {
    let row = dump.get_mut(table).unwrap().iter_mut().find(|row| text(row, "id") == id).unwrap();
    assert_eq!(text(row, column), from, "{table} {id}");
    row.insert(column.to_owned(), Some(to.to_owned()));
}

/// The rows of the six tables in Moodle's columns; of log-like tables only new rows. New rows lose their ids, and new
/// courses and contexts are named by short name, because a simulation uses up ids on the servers.
fn compared(dump: &Dump, moodle: &Dump, before: &Dump) -> Dump {
    let names = Names::of(dump, before);
    let mut compared = Dump::new();
    for table in TABLES {
        let known = &moodle[table][0];
        let is_new = |row: &&Row| {
            ["course", "course_categories"].contains(&table) || !before[table].iter().any(|old| old["id"] == row["id"])
        };
        let rows = dump[table].iter().filter(is_new).map(|row| names.plain(row, known));
        compared.insert(table.to_owned(), rows.collect());
    }
    compared
}

/// The names that replace the ids of new courses and their contexts.
struct Names {
    courses: BTreeMap<String, String>,
    contexts: BTreeMap<String, String>,
}

impl Names {
    fn of(dump: &Dump, before: &Dump) -> Self {
        let is_new = |table: &str, row: &Row| !before[table].iter().any(|old| old["id"] == row["id"]);
        let new = |table: &str| dump[table].iter().filter(|row| is_new(table, row)).cloned().collect::<Vec<_>>();
        let id = |row: &Row| text(row, "id").to_owned();
        let courses: BTreeMap<_, _> =
            new("course").iter().map(|row| (id(row), text(row, "shortname").to_owned())).collect();
        let contexts = new("context").into_iter();
        let contexts = contexts.map(|row| (id(&row), courses[text(&row, "instanceid")].clone())).collect();
        Self { courses, contexts }
    }

    fn plain(&self, row: &Row, known: &Row) -> Row {
        let mut row = row.clone();
        row.retain(|column, _| known.contains_key(column) && column != "id");
        if ["enrol", "course_sections"].contains(&text(&row, "objecttable")) {
            row.remove("objectid");
        }
        for (column, value) in &mut row {
            let Some(value) = value else { continue };
            let names = match column.as_str() {
                "course" | "courseid" | "instanceid" | "contextinstanceid" | "objectid" => &self.courses,
                "contextid" => &self.contexts,
                "path" => {
                    let Some((above, last)) = value.rsplit_once('/') else { continue };
                    *value = format!("{above}/{}", self.contexts.get(last).map_or(last, String::as_str));
                    continue;
                }
                _ => continue,
            };
            if let Some(name) = names.get(value) {
                value.clone_from(name);
            }
        }
        row
    }
}
