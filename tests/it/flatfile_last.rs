//! What is removed with the last enrolment of a user in a course, and what any other keeps (spec enrol-core 7 and 17).
//! It must not test which enrolments end.

use serde_json::{Value as Json, json};

use crate::campus::{below, context, course, instance, user};
use crate::dump::{Dump, text};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    the_last_enrolment_takes_everything,
    another_enrolment_keeps_everything,
    two_enrolments_that_end_together_are_the_last,
    grades_go_without_history_where_the_site_keeps_none,
    the_event_holds_the_enrolment_as_it_was,
);

pub const OF_A_COURSE: [&str; 9] = [
    "role_assignments",
    "groups_members",
    "message_conversation_members",
    "grade_grades",
    "user_lastaccess",
    "forum_digests",
    "forum_subscriptions",
    "forum_track_prefs",
    "forum_read",
];

/// `u1` and `u2` are enrolled in `c1` and `c2`, with every row that a participant can have.
pub async fn participants(site: &mut Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.insert("config", &[("name", "enablecompletion".into()), ("value", "1".into())]).await;
    site.insert("modules", &[("id", 1.into()), ("name", "forum".into())]).await;
    for whither in [1, 2] {
        site.instance("flatfile", whither, 0, "student").await;
        let made: [(&str, Vec<(&'static str, i64)>); 5] = [
            ("groups", vec![("id", 10 + whither), ("courseid", course(whither)), ("timemodified", 1)]),
            ("groups", vec![("id", 20 + whither), ("courseid", course(whither)), ("timemodified", 1)]),
            ("grade_items", vec![("id", whither), ("courseid", course(whither))]),
            (
                "course_modules",
                vec![("id", whither), ("course", course(whither)), ("module", 1), ("instance", whither)],
            ),
            ("forum", vec![("id", whither), ("course", course(whither))]),
        ];
        for (table, row) in made {
            site.numbers(table, &row).await;
        }
        let conversation = [
            ("id", whither.into()),
            ("component", "core_group".into()),
            ("itemtype", "groups".into()),
            ("itemid", (20 + whither).into()),
            ("contextid", context(whither).into()),
        ];
        site.insert("message_conversations", &conversation).await;
    }
    for who in [1, 2] {
        for whither in [1, 2] {
            takes_part(site, who, whither).await;
        }
    }
}

async fn takes_part(site: &mut Site, who: i64, whither: i64) {
    site.enrolled(who, whither, "flatfile").await;
    site.has_role(who, whither, "student", "flatfile").await;
    site.has_role(who, whither, "editingteacher", "manual").await;
    site.has_role_below(who, whither, "teacher").await;
    let of_method = [
        ("groupid", (10 + whither).into()),
        ("userid", user(who).into()),
        ("component", "enrol_flatfile".into()),
        ("itemid", instance("flatfile", whither).into()),
        ("timeadded", 1.into()),
    ];
    site.insert("groups_members", &of_method).await;
    let userid = user(who);
    for (table, row) in [
        ("groups_members", vec![("groupid", 20 + whither), ("userid", userid), ("timeadded", 1)]),
        ("message_conversation_members", vec![("conversationid", whither), ("userid", userid)]),
        ("user_lastaccess", vec![("userid", userid), ("courseid", course(whither)), ("timeaccess", 5)]),
        ("forum_digests", vec![("userid", userid), ("forum", whither)]),
        ("forum_subscriptions", vec![("userid", userid), ("forum", whither)]),
        ("forum_track_prefs", vec![("userid", userid), ("forumid", whither)]),
        ("forum_read", vec![("userid", userid), ("forumid", whither), ("postid", 7)]),
    ] {
        site.numbers(table, &row).await;
    }
    let grade = [
        ("itemid", whither.into()),
        ("userid", userid.into()),
        ("rawgrade", enrold::db::Value::Sql("12.5".to_owned())),
        ("finalgrade", enrold::db::Value::Sql("15.25".to_owned())),
        ("feedback", "« Très bien », dit-elle\n\"ligne 2\" \\ fin".into()),
        ("timemodified", 3.into()),
    ];
    site.insert("grade_grades", &grade).await;
}

impl Site {
    async fn numbers(&mut self, table: &str, row: &[(&'static str, i64)]) {
        let row: Vec<_> = row.iter().map(|(column, number)| (*column, (*number).into())).collect();
        self.insert(table, &row).await;
    }
}

/// The number of rows of `uN` in `cM`, by table.
pub fn owned(dump: &Dump, who: i64, whither: i64) -> Vec<(&'static str, usize)> {
    let of_course = |table: &str, column: &str, id: i64| match table {
        "role_assignments" => column == "contextid" && [context(whither), below(whither)].contains(&id),
        "groups_members" => column == "groupid" && [10 + whither, 20 + whither].contains(&id),
        "user_lastaccess" => column == "courseid" && id == course(whither),
        _ => ["conversationid", "itemid", "forum", "forumid"].contains(&column) && id == whither,
    };
    let is_theirs = |table: &str, row: &crate::dump::Row| {
        let any = row.keys().any(|column| text(row, column).parse().is_ok_and(|id| of_course(table, column, id)));
        text(row, "userid") == user(who).to_string() && any
    };
    OF_A_COURSE.iter().map(|table| (*table, dump[*table].iter().filter(|row| is_theirs(table, row)).count())).collect()
}

async fn the_last_enrolment_takes_everything(mut site: Site) {
    participants(&mut site).await;
    let before = site.dump().await;
    let all = [3, 2, 1, 1, 1, 1, 1, 1, 1];
    let expected = |counts: [usize; 9]| OF_A_COURSE.into_iter().zip(counts).collect::<Vec<_>>();
    assert_eq!(owned(&before, 1, 1), expected(all), "the test sees the rows");
    let report = site.import("del,student,u1,c1\n").await;
    let after = site.dump().await;
    assert_eq!(owned(&after, 1, 1), expected([0; 9]));
    for (who, whither) in [(1, 2), (2, 1), (2, 2)] {
        assert_eq!(owned(&after, who, whither), expected(all), "u{who} c{whither} is not concerned");
    }
    let kinds: Vec<(&str, i64)> = report.counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(
        kinds,
        [
            ("conversation-member.remove", 1),
            ("enrolment.remove", 1),
            ("forum-digests.remove", 1),
            ("forum-read.remove", 1),
            ("forum-subscriptions.remove", 1),
            ("forum-track-prefs.remove", 1),
            ("grade-history.add", 1),
            ("grade.remove", 1),
            ("group-member.remove", 2),
            ("group.touch", 2),
            ("lastaccess.remove", 1),
            ("role.remove", 3),
        ]
    );
    let touched: Vec<&str> = after["groups"].iter().map(|group| text(group, "timemodified")).collect();
    let now = NOW.to_string();
    assert_eq!(touched, [now.as_str(), "1", now.as_str(), "1"], "groups 11, 12, 21, 22");
    history_holds_the_grade(&before, &after);
    assert_eq!(
        site.events().await,
        [
            "u1 group_member removed",
            "u1 role unassigned",
            "u1 role unassigned",
            "u1 role unassigned",
            "u1 group_member removed",
            "u1 grade deleted",
            "u1 user_enrolment deleted",
        ]
    );
}

fn history_holds_the_grade(before: &Dump, after: &Dump) {
    let grade =
        before["grade_grades"].iter().find(|row| text(row, "userid") == "11" && text(row, "itemid") == "1").unwrap();
    assert_eq!(after["grade_grades_history"].len(), 1);
    let history = &after["grade_grades_history"][0];
    for (column, value) in history {
        let expected = match column.as_str() {
            "id" => continue,
            "action" => Some("3"),
            "oldid" => Some(text(grade, "id")),
            "source" => Some("userdelete"),
            "timemodified" => Some("1795255200"),
            "loggeduser" => Some("2"),
            column => grade[column].as_deref(),
        };
        assert_eq!(value.as_deref(), expected, "{column}");
    }
}

/// A manual enrolment remains: only what the flat file itself owns is removed (enrol-core 7).
async fn another_enrolment_keeps_everything(mut site: Site) {
    participants(&mut site).await;
    site.enrolled(1, 1, "manual").await;
    site.import("del,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u1 c2 flatfile", "u2 c1 flatfile", "u2 c2 flatfile"]);
    let after = site.dump().await;
    let expected: Vec<_> = OF_A_COURSE.into_iter().zip([2, 1, 1, 1, 1, 1, 1, 1, 1]).collect();
    assert_eq!(owned(&after, 1, 1), expected);
    assert_eq!(after["grade_grades_history"].len(), 0);
}

/// One line ends both enrolments: one of them is the last, and only its event has that flag.
async fn two_enrolments_that_end_together_are_the_last(mut site: Site) {
    participants(&mut site).await;
    site.sql("DELETE FROM {role_assignments}").await;
    site.enrolled(1, 1, "manual").await;
    site.import("del,student,u1,c1\n").await;
    let after = site.dump().await;
    assert_eq!(owned(&after, 1, 1), OF_A_COURSE.into_iter().zip([0; 9]).collect::<Vec<_>>());
    assert_eq!(after["grade_grades_history"].len(), 1);
    let said: Vec<bool> =
        deleted(&after).iter().map(|other| other["userenrolment"]["lastenrol"] == json!(true)).collect();
    assert_eq!(said.iter().filter(|last| **last).count(), 1);
    assert_eq!(said.len(), 2);
}

async fn grades_go_without_history_where_the_site_keeps_none(mut site: Site) {
    participants(&mut site).await;
    site.insert("config", &[("name", "disablegradehistory".into()), ("value", "1".into())]).await;
    site.import("del,student,u1,c1\n").await;
    assert_eq!(site.count("grade_grades_history").await, 0);
    assert_eq!(site.count("grade_grades").await, 3);
}

/// `user_enrolment_deleted` comes last and carries the row as texts (enrol-core 13 and 17).
async fn the_event_holds_the_enrolment_as_it_was(mut site: Site) {
    participants(&mut site).await;
    let before = site.dump().await;
    let row = before["user_enrolments"]
        .iter()
        .find(|row| text(row, "userid") == "11" && text(row, "enrolid") == "501")
        .unwrap();
    let mut expected: serde_json::Map<String, Json> =
        row.iter().map(|(column, value)| (column.clone(), json!(value))).collect();
    expected.insert("courseid".to_owned(), json!(course(1).to_string()));
    expected.insert("enrol".to_owned(), json!("flatfile"));
    expected.insert("lastenrol".to_owned(), json!(true));
    site.import("del,student,u1,c1\n").await;
    let after = site.dump().await;
    assert_eq!(deleted(&after), [json!({"userenrolment": expected, "enrol": "flatfile"})]);
    let last = after["logstore_standard_log"].last().unwrap();
    assert_eq!(text(last, "eventname"), r"\core\event\user_enrolment_deleted");
    assert_eq!(text(last, "objectid"), text(row, "id"));
    assert_eq!(text(last, "contextid"), context(1).to_string());
    assert_eq!(text(last, "contextinstanceid"), course(1).to_string());
    assert_eq!(text(last, "origin"), "cli");
}

pub fn deleted(dump: &Dump) -> Vec<Json> {
    let events = dump["logstore_standard_log"].iter().filter(|event| text(event, "target") == "user_enrolment");
    events
        .filter(|event| text(event, "action") == "deleted")
        .map(|event| serde_json::from_str(text(event, "other")).unwrap())
        .collect()
}
