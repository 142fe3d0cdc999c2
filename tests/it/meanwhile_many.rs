//! Moodle is faster than a step of more than a thousand rows, which is tried as a whole first: nothing of either is lost.
//! What becomes of a few rows is `races.rs` and its kin.

use enrold::db::{Dialect, Params};
use enrold::run::{Engine, Report, State, SyncOrder};

use crate::crowd::FIRST;
use crate::meanwhile::When;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(somebody_is_enrolled_meanwhile, somebody_is_suspended_meanwhile, a_role_changes_meanwhile);

const SOME: i64 = 1_500;
/// Whom Moodle meets.
const MET: i64 = FIRST + 700;

/// Cohort sync, while Moodle sends a statement when the first, second… step is planned; false where it could not (SQLite).
async fn sync_while(site: &mut Site, step: u32, statement: &str) -> (Report, bool) {
    let (observer, outcome) = site.writer(When::Planned(step), &[statement]);
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

/// The changes of a kind that another writer overtook.
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
    let (report, came) = sync_while(&mut site, 1, &enrols).await;
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

/// Everybody is enrolled and leaves the cohort.
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
    let (report, came) = sync_while(&mut site, 1, &suspends).await;
    let left = i64::from(came);
    assert_eq!((count(&report, "enrolment.remove"), report.overtaken), (SOME - left, left));
    assert_eq!(overtaken(&mut site, &report, "enrolment.remove").await, left);
    let standing = format!("SELECT COUNT(*) FROM {{user_enrolments}} WHERE userid >= {FIRST}");
    assert_eq!(number(&mut site, &standing).await, left, "who is not as planned is not removed");
    let next = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!(count(&next, "enrolment.remove"), left);
    assert_eq!((number(&mut site, &standing).await, number(&mut site, ROLES).await), (0, 0));
    rests(&mut site).await;
}

async fn a_role_changes_meanwhile(mut site: Site) {
    all_leave(&mut site).await;
    // The roles are the second step; on MariaDB the first one's rows are held, not these.
    let takes_over = format!("UPDATE {{role_assignments}} SET component = '', itemid = 0 WHERE userid = {MET}");
    let (report, came) = sync_while(&mut site, 2, &takes_over).await;
    let left = i64::from(came);
    assert_eq!((count(&report, "enrolment.remove"), report.overtaken), (SOME, left));
    assert_eq!(overtaken(&mut site, &report, "role.remove").await, left);
    // It was the last enrolment: the role by hand goes too, as itself.
    assert_eq!(count(&report, "role.remove"), SOME);
    let by_hand = format!(
        "SELECT COUNT(*) FROM {{enrold_change}} WHERE run = {} AND kind = 'role.remove' AND component = '' AND state = 0",
        report.run
    );
    assert_eq!(number(&mut site, &by_hand).await, left);
    let roles = format!("SELECT COUNT(*) FROM {{role_assignments}} WHERE userid >= {FIRST}");
    assert_eq!(number(&mut site, &roles).await, 0);
    assert_eq!(came, site.conn.dialect() != Dialect::Lite);
    rests(&mut site).await;
}
