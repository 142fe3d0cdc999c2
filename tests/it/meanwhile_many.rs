//! Moodle writes to rows of a step with more than a thousand rows, which is tried as a whole first: nothing is lost.
//! It must not test small steps; `traps.rs` does.

use std::sync::Arc;
use std::time::Duration;

use enrold::db::{Dialect, Params};
use enrold::outcome::{Report, State};
use enrold::run::{Engine, SyncOrder};

use crate::crowd::FIRST;
use crate::meanwhile::When;
use crate::outside::somebody_waits;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    somebody_is_enrolled_meanwhile,
    somebody_is_suspended_meanwhile,
    a_role_changes_meanwhile,
    a_role_changes_while_the_run_waits,
    a_crowd_that_leaves_is_held
);

const SOME: i64 = 1_500;
/// The user whose rows Moodle changes.
const MET: i64 = FIRST + 700;

/// Cohort sync, while Moodle sends a statement at a moment; false if Moodle could not write (SQLite).
async fn sync_while(site: &mut Site, when: When, statement: &str) -> (Report, bool) {
    let (observer, outcome) = site.writer(when, &[statement]);
    let engine = Engine { observer, ..site.engine() };
    let report = engine.sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!((report.state, report.notes.as_slice()), (State::Done, [].as_slice()), "no second attempt");
    (report, outcome.settled(site.conn.dialect()))
}

fn count(report: &Report, kind: &str) -> i64 {
    report.counts.get(kind).copied().unwrap_or(0)
}

async fn number(site: &mut Site, sql: &str) -> i64 {
    site.conn.number(sql, &Params::new()).await.unwrap()
}

/// The number of changes of a kind that another writer overtook.
async fn overtaken(site: &mut Site, report: &Report, kind: &str) -> i64 {
    let sql =
        format!("SELECT COUNT(*) FROM {{enrold_change}} WHERE run = {} AND kind = '{kind}' AND state = 1", report.run);
    number(site, &sql).await
}

/// Another run changes nothing.
async fn rests(site: &mut Site) {
    let report = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn somebody_is_enrolled_meanwhile(mut site: Site) {
    site.crowd_for_cohort(SOME, &[1]).await;
    site.join_cohort(0, SOME).await;
    let enrols = format!(
        "INSERT INTO {{user_enrolments}} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT e.id, {MET}, 0, 7, 0, 3, 7, 7 FROM {{enrol}} e WHERE e.enrol = 'cohort'"
    );
    let (report, came) = sync_while(&mut site, When::Planned(1), &enrols).await;
    let lost = i64::from(came);
    assert_eq!((count(&report, "enrolment.add"), report.overtaken), (SOME - lost, lost));
    assert_eq!(overtaken(&mut site, &report, "enrolment.add").await, lost);
    let all = "SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid WHERE e.enrol = 'cohort'";
    assert_eq!(number(&mut site, all).await, SOME);
    let theirs = format!("{all} AND x.userid = {MET} AND x.timestart = 7 AND x.modifierid = 3 AND x.timemodified = 7");
    assert_eq!(number(&mut site, &theirs).await, lost, "Moodle's row is as Moodle wrote it");
    assert_eq!(number(&mut site, ROLES).await, SOME);
    rests(&mut site).await;
}

const ROLES: &str = "SELECT COUNT(*) FROM {role_assignments} WHERE component = 'enrol_cohort'";

/// All users are enrolled, then leave the cohort.
async fn all_leave(site: &mut Site) {
    site.crowd_for_cohort(SOME, &[1]).await;
    site.join_cohort(0, SOME).await;
    site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    site.sql("INSERT INTO {config_plugins} (plugin, name, value) VALUES ('enrol_cohort', 'unenrolaction', '0')").await;
    site.sql("DELETE FROM {cohort_members}").await;
}

async fn somebody_is_suspended_meanwhile(mut site: Site) {
    all_leave(&mut site).await;
    let suspends = format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {MET}");
    let (report, came) = sync_while(&mut site, When::Planned(1), &suspends).await;
    // PostgreSQL selects, journals and removes so many rows at once: it uses the row as Moodle has changed it.
    let at_once = site.conn.dialect() == Dialect::Postgres;
    let left = i64::from(came && !at_once);
    assert_eq!((count(&report, "enrolment.remove"), report.overtaken), (SOME - left, left));
    assert_eq!(overtaken(&mut site, &report, "enrolment.remove").await, left);
    let suspended = format!(
        "SELECT COUNT(*) FROM {{enrold_change}} WHERE run = {} AND kind = 'enrolment.remove' AND state = 0 AND userid = {MET} AND oldstatus = 1",
        report.run
    );
    assert_eq!(number(&mut site, &suspended).await, i64::from(at_once));
    let standing = format!("SELECT COUNT(*) FROM {{user_enrolments}} WHERE userid >= {FIRST}");
    assert_eq!(number(&mut site, &standing).await, left, "who is not as planned is not removed");
    let next = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!(count(&next, "enrolment.remove"), left);
    assert_eq!((number(&mut site, &standing).await, number(&mut site, ROLES).await), (0, 0));
    rests(&mut site).await;
}

/// Moodle turns a role into a manual one.
fn takes_over() -> String {
    format!("UPDATE {{role_assignments}} SET component = '', itemid = 0 WHERE userid = {MET}")
}

async fn a_role_changes_meanwhile(mut site: Site) {
    all_leave(&mut site).await;
    // The roles are the second step; on MariaDB the rows of the first step are locked, not these.
    let at_once = site.conn.dialect() == Dialect::Postgres;
    let when = if at_once { When::Applied(1) } else { When::Planned(2) };
    let (report, came) = sync_while(&mut site, when, &takes_over()).await;
    let left = i64::from(came && !at_once);
    assert_eq!((count(&report, "enrolment.remove"), report.overtaken), (SOME, left));
    assert_eq!(overtaken(&mut site, &report, "role.remove").await, left);
    assert_eq!(came, site.conn.dialect() != Dialect::Lite);
    the_role_by_hand_went(&mut site, &report, i64::from(came)).await;
}

/// Moodle locks the row when the run reaches it, and commits a changed row.
async fn a_role_changes_while_the_run_waits(mut site: Site) {
    all_leave(&mut site).await;
    if site.conn.dialect() == Dialect::Lite {
        return;
    }
    let database = site.database(Duration::from_secs(20));
    let when = if site.conn.dialect() == Dialect::Postgres { When::Applied(1) } else { When::Planned(2) };
    let observer = when.watch(move || {
        let database = Arc::clone(&database);
        async move {
            let mut moodle = database.connect().await.unwrap();
            moodle.begin().await.unwrap();
            moodle.exec(&takes_over(), &Params::new()).await.unwrap();
            tokio::spawn(async move {
                assert!(somebody_waits(&mut database.connect().await.unwrap()).await, "the run comes to the row");
                moodle.commit().await.unwrap();
            });
        }
    });
    let report = Engine { observer, ..site.engine() }.sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!((report.state, report.notes.as_slice()), (State::Done, [].as_slice()), "no second attempt");
    assert_eq!(count(&report, "enrolment.remove"), SOME);
    the_role_by_hand_went(&mut site, &report, 1).await;
}

/// It was the last enrolment: the manual role is removed too, and journaled as manual.
async fn the_role_by_hand_went(site: &mut Site, report: &Report, expected: i64) {
    assert_eq!(count(report, "role.remove"), SOME);
    let by_hand = format!(
        "SELECT COUNT(*) FROM {{enrold_change}} WHERE run = {} AND kind = 'role.remove' AND component = '' AND state = 0",
        report.run
    );
    assert_eq!(number(site, &by_hand).await, expected);
    let roles = format!("SELECT COUNT(*) FROM {{role_assignments}} WHERE userid >= {FIRST}");
    assert_eq!(number(site, &roles).await, 0);
    rests(site).await;
}

/// PostgreSQL plans and removes so many rows at once: the guard still compares with the state before the run, and a
/// held run leaves no trace.
async fn a_crowd_that_leaves_is_held(mut site: Site) {
    all_leave(&mut site).await;
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let held = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!((held.state, count(&held, "enrolment.remove")), (State::Held, SOME));
    let run = held.breaches.iter().find(|breach| breach.scope == "run").unwrap();
    assert_eq!((run.count, run.of), (SOME, SOME));
    site.nothing_changed(&before, "a held run").await;
    site.set("guard.mode", "off");
    let done = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!((done.state, count(&done, "enrolment.remove"), count(&done, "role.remove")), (State::Done, SOME, SOME));
    assert_eq!(number(&mut site, ROLES).await, 0);
    rests(&mut site).await;
}
