//! The proof of the journal: from what stands after some runs, and from nothing but `enrold_change`, what stood before.
//! It must not read anything else from the database.

use std::collections::BTreeMap;

use enrold::db::{Conn, Params};
use serde_json::Value;

use crate::dump::{Dump, Row, plain, text};

const COLUMNS: [&str; 17] = [
    "kind",
    "userid",
    "courseid",
    "enrolid",
    "contextid",
    "roleid",
    "component",
    "itemid",
    "groupid",
    "targetid",
    "status",
    "timestart",
    "timeend",
    "oldstatus",
    "oldrow",
    "run",
    "seq",
];

/// Takes the changes of all runs after `since` back, the last one first.
pub async fn rebuild(conn: &mut Conn, since: i64, after: &Dump) -> Dump {
    let sql = format!(
        "SELECT {} FROM {{enrold_change}} WHERE state = 0 AND run > :since ORDER BY run DESC, seq DESC",
        COLUMNS.join(", ")
    );
    let mut dump = after.clone();
    for record in conn.rows(&sql, &Params::new().with("since", since)).await.unwrap() {
        let change = COLUMNS.iter().enumerate().map(|(at, name)| (*name, record.text(at))).collect();
        take_back(&Change(change), &mut dump);
    }
    for rows in dump.values_mut() {
        rows.sort_by_key(|row| text(row, "id").parse::<i64>().unwrap());
    }
    dump
}

struct Change(BTreeMap<&'static str, String>);

impl Change {
    fn get(&self, column: &str) -> &str {
        &self.0[column]
    }

    /// What the journal says about a row: its columns there, and the names of its own.
    fn key<'a>(&'a self, names: &[(&'a str, &str)]) -> Vec<(&'a str, &'a str)> {
        names.iter().map(|(own, journal)| (*own, self.get(journal))).collect()
    }

    /// The complete row as it was.
    fn old_row(&self, table: &str) -> Row {
        let Ok(Value::Object(members)) = serde_json::from_str(self.get("oldrow")) else {
            panic!("{} has no old row: {:?}", self.get("kind"), self.0);
        };
        let value = |column: &str, value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(plain(table, column, text)),
            other => Some(plain(table, column, other.to_string())),
        };
        members.into_iter().map(|(column, old)| (column.clone(), value(&column, old))).collect()
    }
}

fn take_back(change: &Change, dump: &mut Dump) {
    let same = |names: &[(&'static str, &'static str)]| names.to_vec();
    match change.get("kind") {
        "instance.add" => take_out(dump, change, "enrol", &same(&[("courseid", "courseid"), ("enrol", "component")])),
        "enrolment.add" => {
            take_out(dump, change, "user_enrolments", &same(&[("enrolid", "enrolid"), ("userid", "userid")]));
        }
        "role.add" => {
            let columns = ["roleid", "contextid", "userid", "component", "itemid"];
            take_out(dump, change, "role_assignments", &columns.map(|column| (column, column)));
        }
        "buffer.add" => {
            let mut key =
                ["roleid", "userid", "courseid", "timestart", "timeend"].map(|column| (column, column)).to_vec();
            key.push(("action", "component"));
            take_out(dump, change, "enrol_flatfile", &key);
        }
        "grade-history.add" => {
            take_out(
                dump,
                change,
                "grade_grades_history",
                &same(&[("oldid", "targetid"), ("userid", "userid"), ("itemid", "itemid")]),
            );
        }
        "forum-subscription.add" => {
            take_out(dump, change, "forum_subscriptions", &same(&[("userid", "userid"), ("forum", "targetid")]));
        }
        "course.add" => take_out(dump, change, "course", &[("id", "targetid")]),
        "context.add" => {
            take_out(dump, change, "context", &[("id", "contextid"), ("instanceid", "courseid")]);
        }
        "format-option.add" => {
            let name = text(&change.old_row("course_format_options"), "name").to_owned();
            let rows = dump.get_mut("course_format_options").unwrap();
            let stood = rows.len();
            rows.retain(|row| text(row, "courseid") != change.get("courseid") || text(row, "name") != name);
            assert_eq!(rows.len() + 1, stood, "one option for {:?}", change.0);
        }
        "section.add" => take_out(dump, change, "course_sections", &[("course", "courseid"), ("section", "itemid")]),
        "course.sort" => number_again(dump, change, "course", "sortorder"),
        "category.count" => number_again(dump, change, "course_categories", "coursecount"),
        "group.add" => take_out(dump, change, "groups", &[("id", "groupid"), ("courseid", "courseid")]),
        "group-member.add" => {
            let columns = ["groupid", "userid", "component", "itemid"];
            take_out(dump, change, "groups_members", &columns.map(|column| (column, column)));
        }
        "cohort.add" => take_out(dump, change, "cohort", &[("id", "itemid")]),
        "cohort-member.add" => {
            take_out(dump, change, "cohort_members", &[("cohortid", "itemid"), ("userid", "userid")]);
        }
        "cohort-member.remove" => bring_back(dump, change, "cohort_members"),
        "conversation-member.add" => {
            let key = [("conversationid", "targetid"), ("userid", "userid")];
            take_out(dump, change, "message_conversation_members", &key);
        }
        "instance.remove" => {
            bring_back(dump, change, "enrol");
            // The journal never holds an enrolment key.
            dump.get_mut("enrol").unwrap().last_mut().unwrap().insert("password".to_owned(), None);
        }
        "enrolment.update" | "enrolment.suspend" => put_back(dump, change, "user_enrolments"),
        "group.touch" => put_back(dump, change, "groups"),
        "role.remove" | "role.prune" => bring_back(dump, change, "role_assignments"),
        "enrolment.remove" => bring_back(dump, change, "user_enrolments"),
        "group-member.remove" => bring_back(dump, change, "groups_members"),
        "conversation-member.remove" => bring_back(dump, change, "message_conversation_members"),
        "grade.remove" => bring_back(dump, change, "grade_grades"),
        "lastaccess.remove" => bring_back(dump, change, "user_lastaccess"),
        "buffer.remove" => bring_back(dump, change, "enrol_flatfile"),
        "forum-digests.remove" => bring_back(dump, change, "forum_digests"),
        "forum-subscriptions.remove" => bring_back(dump, change, "forum_subscriptions"),
        "forum-track-prefs.remove" => bring_back(dump, change, "forum_track_prefs"),
        "forum-read.remove" => bring_back(dump, change, "forum_read"),
        other => panic!("the journal holds a kind that nothing here can take back: {other}"),
    }
}

/// An added row goes: the newest one with its natural key.
fn take_out(dump: &mut Dump, change: &Change, table: &str, names: &[(&str, &str)]) {
    let key = change.key(names);
    let rows = dump.get_mut(table).unwrap();
    let at = rows.iter().rposition(|row| key.iter().all(|(column, value)| text(row, column) == *value));
    let at = at.unwrap_or_else(|| panic!("{table} has no row for {:?}", change.0));
    rows.remove(at);
}

/// A changed row gets its old values.
fn put_back(dump: &mut Dump, change: &Change, table: &str) {
    let old = change.old_row(table);
    let rows = dump.get_mut(table).unwrap();
    let row = rows.iter_mut().find(|row| text(row, "id") == change.get("targetid"));
    *row.unwrap_or_else(|| panic!("{table} has no row for {:?}", change.0)) = old;
}

/// A number of a row gets its old value.
fn number_again(dump: &mut Dump, change: &Change, table: &str, column: &str) {
    let rows = dump.get_mut(table).unwrap();
    let row = rows.iter_mut().find(|row| text(row, "id") == change.get("targetid"));
    let row = row.unwrap_or_else(|| panic!("{table} has no row for {:?}", change.0));
    assert_eq!(text(row, column), change.get("status"), "{table}.{column}");
    row.insert(column.to_owned(), Some(change.get("oldstatus").to_owned()));
}

/// A removed row stands again.
fn bring_back(dump: &mut Dump, change: &Change, table: &str) {
    let old = change.old_row(table);
    assert_eq!(text(&old, "id"), change.get("targetid"), "the old row is the one that went: {:?}", change.0);
    dump.get_mut(table).unwrap().push(old);
}
