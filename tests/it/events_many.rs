//! Events of a run with more than a thousand changes name the rows that it created, whatever statistics the database
//! has: they are found by another query than those of small runs.

use std::collections::BTreeSet;

use enrold::db::{Dialect, Params};
use enrold::run::SyncOrder;

use crate::campus::course;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(they_name_what_was_made);

const SOME: i64 = 1_500;

async fn they_name_what_was_made(mut site: Site) {
    site.crowd_for_cohort(2 * SOME, &[1, 2]).await;
    // First without statistics of these tables, then with those of the first users.
    for part in [0, 1] {
        site.join_cohort(part * SOME, SOME).await;
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
