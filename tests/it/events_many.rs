//! Events of a run of more than a thousand changes name the enrolments and roles that it made, whatever statistics the
//! engine has: they are looked up in another way than those of a few.

use std::collections::BTreeSet;

use enrold::db::{Dialect, Params};
use enrold::run::SyncOrder;

use crate::campus::{course, role};
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(they_name_what_was_made);

const FIRST: i64 = 10_001;
const SOME: i64 = 1_500;

async fn they_name_what_was_made(mut site: Site) {
    site.campus().await;
    site.sql("UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'").await;
    let people: Vec<String> =
        (FIRST..FIRST + 2 * SOME).map(|who| format!("({who}, 'p{who}', 1, 1, 'p{who}@example.com')")).collect();
    for some in people.chunks(500) {
        let rows = some.join(", ");
        site.sql(&format!("INSERT INTO {{user}} (id, username, mnethostid, confirmed, email) VALUES {rows}")).await;
    }
    site.sql("INSERT INTO {cohort} (id, contextid, name, descriptionformat, component, timecreated, timemodified) VALUES (1, 1, 'all', 0, '', 1, 1)").await;
    for number in [1, 2] {
        site.instance("cohort", number, 0, "student").await;
    }
    let student = role("student");
    site.sql(&format!(
        "UPDATE {{enrol}} SET customint1 = 1, customint2 = 0, roleid = {student} WHERE enrol = 'cohort'"
    ))
    .await;
    // Without statistics of these tables, then with those of the first people.
    for part in [0, 1] {
        let from = FIRST + part * SOME;
        site.sql(&format!(
            "INSERT INTO {{cohort_members}} (cohortid, userid, timeadded) SELECT 1, u.id, 1 FROM {{user}} u WHERE u.id >= {from} AND u.id < {}",
            from + SOME
        ))
        .await;
        let report = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
        assert_eq!(report.counts.get("enrolment.add"), Some(&(2 * SOME)), "{:?}", report.counts);
        assert_eq!(enrolments_told(&mut site).await, rows(&mut site, ENROLMENTS).await);
        assert_eq!(assignments_told(&mut site).await, rows(&mut site, ASSIGNMENTS).await);
        if site.conn.dialect() != Dialect::Maria {
            site.conn.command("ANALYZE").await.unwrap();
        }
    }
    assert_eq!(rows(&mut site, ENROLMENTS).await.len(), 4 * SOME as usize);
    assert!(rows(&mut site, ENROLMENTS).await.iter().all(|(_, _, at)| [course(1), course(2)].contains(at)));
}

const ENROLMENTS: &str = "SELECT x.id, x.userid, e.courseid FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid
    WHERE e.enrol = 'cohort'";
const ASSIGNMENTS: &str =
    "SELECT r.id, r.userid, k.instanceid FROM {role_assignments} r JOIN {context} k ON k.id = r.contextid
    WHERE r.component = 'enrol_cohort'";

/// (id, user, course)
type Made = BTreeSet<(i64, i64, i64)>;

async fn rows(site: &mut Site, sql: &str) -> Made {
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| (row.int(0), row.int(1), row.int(2))).collect()
}

async fn enrolments_told(site: &mut Site) -> Made {
    let created = "SELECT objectid, relateduserid, courseid FROM {logstore_standard_log} WHERE action = 'created' AND target = 'user_enrolment'";
    rows(site, created).await
}

async fn assignments_told(site: &mut Site) -> Made {
    let assigned = "SELECT other, relateduserid, courseid FROM {logstore_standard_log} WHERE action = 'assigned'";
    let rows = site.conn.rows(assigned, &Params::new()).await.unwrap();
    let id = |other: &str| -> i64 {
        let other: serde_json::Value = serde_json::from_str(other).unwrap();
        other["id"].as_i64().unwrap()
    };
    rows.iter().map(|row| (id(&row.text(0)), row.int(1), row.int(2))).collect()
}
