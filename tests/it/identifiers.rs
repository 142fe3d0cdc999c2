//! Columns that a site has added to Moodle's tables, with names that are special in SQL, JSON and templates.
//! It must not test what runs do, except that such columns are preserved and can be restored.

use enrold::db::Params;
use enrold::outcome::State;
use enrold::run::SyncOrder;
use enrold::sets::SetOrder;
use serde_json::Value;

use crate::doctor_rights::assert_applied;
use crate::rights_rules::{completions, conditions, links, undo_links};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::traces::site_with_traces;

on_each_database!(any_name_of_a_column_is_kept_in_the_journal, any_name_of_a_column_in_every_rule);

/// Quotes of all kinds, and the beginnings of a parameter, a table, a comment, an escape and a path; no emoji, because
/// MariaDB's identifiers cannot hold one.
const NAMES: [&str; 5] = ["we'ird:col{x}--y", "q\"u`o\"te", "back\\slash/*", "$.a[0] é", ":id"];

/// Every table that a run reads completely, copies, or writes to.
const TABLES: [&str; 20] = [
    "user",
    "course",
    "enrol",
    "user_enrolments",
    "role_assignments",
    "groups",
    "groups_members",
    "cohort",
    "cohort_members",
    "grade_grades",
    "grade_grades_history",
    "user_lastaccess",
    "message_conversation_members",
    "forum_subscriptions",
    "forum_digests",
    "forum_track_prefs",
    "forum_read",
    "enrol_flatfile",
    "context",
    "course_format_options",
];

impl Site {
    async fn with_odd_columns(&mut self) {
        let dialect = self.conn.dialect();
        for table in TABLES {
            for name in NAMES {
                let sql =
                    format!("ALTER TABLE {{{table}}} ADD COLUMN {} VARCHAR(20) DEFAULT 'v:{{1}}'", dialect.quote(name));
                self.conn.command(&sql).await.unwrap_or_else(|error| panic!("{table}: {error}"));
            }
        }
    }
}

async fn any_name_of_a_column_is_kept_in_the_journal(mut site: Site) {
    site_with_traces(&mut site).await;
    site.with_odd_columns().await;
    let file = site.write(format!(
        "operation,username,course,role,timestart,timeend\ndel,petitl25,L1-MATH-101,student,,\nadd,simona26,L1-MATH-101,student,,\n\
         add,moreaul26,L1-INFO-110,student,{},\n",
        NOW + 1000
    ));
    let report = site.engine().import(&file, false).await.unwrap();
    assert_applied(&report, State::Done);
    assert!(report.counts.contains_key("grade.remove") && report.counts.contains_key("grade-history.add"));
    let sql = "SELECT kind, oldrow FROM {enrold_change} WHERE run = :run AND state = 0 AND oldrow IS NOT NULL AND kind LIKE '%.remove'";
    let rows = site.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
    assert!(rows.len() >= 8, "{}", rows.len());
    for row in rows {
        let old: Value = serde_json::from_str(&row.text(1)).unwrap_or_else(|error| panic!("{error}: {}", row.text(1)));
        for name in NAMES {
            assert_eq!(old[name], "v:{1}", "{} {name}", row.text(0));
        }
    }
    let kept = site.conn.dialect().quote(NAMES[0]);
    let copied = format!("SELECT COUNT(*) FROM {{grade_grades_history}} WHERE {kept} = 'v:{{1}}'");
    assert_eq!(site.conn.number(&copied, &Params::new()).await.unwrap(), 1);
    site.at(NOW + 2_000);
    let report = site.engine().sync_flatfile(false).await.unwrap();
    assert!(report.counts.contains_key("buffer.remove"), "{:?}", report.counts);
}

async fn any_name_of_a_column_in_every_rule(mut site: Site) {
    site_with_traces(&mut site).await;
    let methods = "manual,self,flatfile,database,cohort,category,coursecompleted,autoenrol,meta";
    site.sql(&format!("UPDATE {{config}} SET value = '{methods}' WHERE name = 'enrol_plugins_enabled'")).await;
    site.sql("UPDATE {config_plugins} SET value = '0' WHERE plugin LIKE 'enrol%' AND name = 'unenrolaction'").await;
    links(&mut site).await;
    conditions(&mut site).await;
    completions(&mut site).await;
    site.with_odd_columns().await;
    for (key, value) in [
        ("files", "r*.csv"),
        ("user_key", "username"),
        ("course_key", "shortname"),
        ("default_role", "student"),
        ("courses.template", "L1-MATH-101"),
        ("create_groups", "true"),
    ] {
        site.set(&format!("sources.records.{key}"), value);
    }
    let courses = site.write("fullname,shortname\nNew,NEW-1\n").path;
    let snapshot = site.write("user,course,group\nmoreaul26,L1-MATH-101,A\n").path;
    let order = SetOrder { snapshot, courses: Some(courses), ..SetOrder::of("records") };
    let report = site.engine().apply_set(&order, false).await.unwrap();
    assert_applied(&report, State::Done);
    assert_eq!(report.counts["course.add"], 1);
    let since = site.last_run().await;
    for turn in 0..2 {
        for job in enrold::run::jobs::all() {
            let report = site.engine().sync(&SyncOrder::of(job), false).await;
            let report = report.unwrap_or_else(|error| panic!("{job}: {error}"));
            assert_applied(&report, State::Done);
        }
        if turn == 0 {
            undo_links(&mut site).await;
        }
    }
    let sql = "SELECT oldrow FROM {enrold_change} WHERE run > :since AND kind IN ('enrolment.remove', 'role.remove', 'group-member.remove')";
    let rows = site.conn.rows(sql, &Params::new().with("since", since)).await.unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let old: Value = serde_json::from_str(&row.text(0)).unwrap_or_else(|error| panic!("{error}: {}", row.text(0)));
        assert!(NAMES.iter().all(|name| old.get(*name).is_some()), "{old}");
    }
}
