//! Inactive users (spec autoenrol 7 and 10.11, same for self): unenrolled by last login or last access to the course.
//! It must not test end dates.

use enrold::db::Params;

use crate::campus::{course, instance, user};
use crate::expirations::{action, everything_enabled, expire};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    who_stays_away_is_unenrolled,
    who_never_logged_in_has_the_whole_time,
    as_in_moodle_who_never_logged_in_is_unenrolled_at_once,
    who_was_enrolled_after_staying_away_may_have_the_whole_time,
    inactivity_needs_no_expiredaction_and_no_enabled_instance,
    without_a_limit_nobody_is_missed,
    the_roles_by_hand_stay_with_another_enrolment,
    self_counts_in_its_own_column,
    the_last_of_manual_and_self_is_self,
);

const DAY: i64 = 86_400;

/// An instance in `c1` that unenrols after seven days; no enrolment has an end.
async fn a_week(site: &mut Site, method: &str, column: &str) {
    everything_enabled(site).await;
    action(site, method, "1").await;
    site.instance(method, 1, 0, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET {column} = {} WHERE id = {}", 7 * DAY, instance(method, 1))).await;
}

/// Enrols `uN` by the method this long ago, with a last login and a last access to the course.
async fn seen(site: &mut Site, who: i64, method: &str, enrolled: i64, login: Option<i64>, look: Option<i64>) {
    site.enrolled(who, 1, method).await;
    let (id, enrolid) = (user(who), instance(method, 1));
    site.sql(&format!(
        "UPDATE {{user_enrolments}} SET timecreated = {NOW} - {enrolled} WHERE userid = {id} AND enrolid = {enrolid}"
    ))
    .await;
    let login = login.map_or(0, |ago| NOW - ago);
    site.sql(&format!("UPDATE {{user}} SET lastaccess = {login} WHERE id = {id}")).await;
    if let Some(ago) = look {
        site.sql(&format!(
            "INSERT INTO {{user_lastaccess}} (userid, courseid, timeaccess) VALUES ({id}, {}, {NOW} - {ago})",
            course(1)
        ))
        .await;
    }
}

async fn who_stays_away_is_unenrolled(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    let long = 30 * DAY;
    seen(&mut site, 1, "autoenrol", long, Some(7 * DAY + 1), None).await;
    seen(&mut site, 2, "autoenrol", long, Some(7 * DAY), None).await;
    seen(&mut site, 3, "autoenrol", long, Some(DAY), Some(8 * DAY)).await;
    seen(&mut site, 4, "autoenrol", long, Some(DAY), Some(DAY)).await;
    // This user logs in but has never opened the course, and is not inactive there.
    seen(&mut site, 5, "autoenrol", long, Some(DAY), None).await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u2 c1 autoenrol", "u4 c1 autoenrol", "u5 c1 autoenrol"]);
    assert_eq!(site.count("user_lastaccess").await, 1);
}

/// Moodle unenrols them within minutes; here inactivity starts with the enrolment (spec autoenrol 10.11).
async fn who_never_logged_in_has_the_whole_time(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    seen(&mut site, 1, "autoenrol", 60, None, None).await;
    seen(&mut site, 2, "autoenrol", 7 * DAY + 1, None, None).await;
    seen(&mut site, 3, "autoenrol", 30 * DAY, None, None).await;
    // Enrolled long ago, with a start that was yesterday.
    site.sql(&format!("UPDATE {{user_enrolments}} SET timestart = {NOW} - {DAY} WHERE userid = {}", user(3))).await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u1 c1 autoenrol", "u3 c1 autoenrol now-86400..0"]);
}

async fn as_in_moodle_who_never_logged_in_is_unenrolled_at_once(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    site.set("expirations.inactive_since", "moodle");
    seen(&mut site, 1, "autoenrol", 60, None, None).await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, [""; 0]);
}

/// The rule enrols an inactive user today: without this setting the next run would unenrol the user, day after day.
async fn who_was_enrolled_after_staying_away_may_have_the_whole_time(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    site.set("expirations.inactive_since", "enrolment");
    seen(&mut site, 1, "autoenrol", 60, Some(20 * DAY), None).await;
    seen(&mut site, 2, "autoenrol", 60, Some(DAY), Some(20 * DAY)).await;
    seen(&mut site, 3, "autoenrol", 8 * DAY, Some(20 * DAY), None).await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u1 c1 autoenrol", "u2 c1 autoenrol"]);
    site.set("expirations.inactive_since", "login");
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, [""; 0]);
}

/// Status, account and instance are irrelevant (spec autoenrol 7).
async fn inactivity_needs_no_expiredaction_and_no_enabled_instance(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    seen(&mut site, 1, "autoenrol", 30 * DAY, Some(20 * DAY), None).await;
    site.sql(&format!("UPDATE {{enrol}} SET status = 1 WHERE id = {}", instance("autoenrol", 1))).await;
    site.sql("UPDATE {user_enrolments} SET status = 1").await;
    site.sql(&format!("UPDATE {{user}} SET suspended = 1 WHERE id = {}", user(1))).await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, [""; 0]);
}

async fn without_a_limit_nobody_is_missed(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    seen(&mut site, 1, "autoenrol", 900 * DAY, Some(800 * DAY), Some(800 * DAY)).await;
    for limit in ["0", "NULL", "-1"] {
        site.sql(&format!("UPDATE {{enrol}} SET customint3 = {limit} WHERE id = {}", instance("autoenrol", 1))).await;
        expire(&mut site).await;
        assert_eq!(site.enrolments().await, ["u1 c1 autoenrol"], "{limit}");
    }
}

/// A plain unenrolment: roles by hand are removed with the last enrolment only.
async fn the_roles_by_hand_stay_with_another_enrolment(mut site: Site) {
    a_week(&mut site, "autoenrol", "customint3").await;
    for who in [1, 2] {
        seen(&mut site, who, "autoenrol", 30 * DAY, Some(20 * DAY), None).await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.enrolled(2, 1, "manual").await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u2 c1 manual"]);
    assert_eq!(site.roles().await, ["u2 c1 student manual"]);
}

async fn self_counts_in_its_own_column(mut site: Site) {
    a_week(&mut site, "self", "customint2").await;
    seen(&mut site, 1, "self", 30 * DAY, Some(8 * DAY), None).await;
    seen(&mut site, 2, "self", 30 * DAY, Some(DAY), Some(8 * DAY)).await;
    seen(&mut site, 3, "self", 30 * DAY, Some(DAY), Some(DAY)).await;
    // The column of autoenrol has no meaning for self.
    site.instance("self", 2, 0, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET customint3 = 60 WHERE id = {}", instance("self", 2))).await;
    site.enrolled(1, 2, "self").await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u1 c2 self", "u3 c1 self"]);
}

/// Moodle's task of the manual method ends its enrolments before that of self: the last one is logged with self,
/// whether it ends by its date or by inactivity, and whichever instance is older.
async fn the_last_of_manual_and_self_is_self(mut site: Site) {
    a_week(&mut site, "self", "customint2").await;
    action(&mut site, "manual", "0").await;
    action(&mut site, "self", "0").await;
    site.sql("UPDATE {enrol} SET id = 4000 WHERE enrol = 'manual' AND courseid = 21").await;
    for who in 1..=3 {
        let end = NOW - who;
        site.enrolled_by(who, 4000, 0, (0, end)).await;
    }
    // u1 has gone by date, u2 by inactivity, u3 by both.
    seen(&mut site, 1, "self", DAY, Some(0), None).await;
    seen(&mut site, 2, "self", 30 * DAY, Some(8 * DAY), None).await;
    seen(&mut site, 3, "self", 30 * DAY, Some(8 * DAY), None).await;
    for who in [1, 3] {
        site.changes(who, instance("self", 1), 0, (0, NOW - 1)).await;
        site.has_role(who, 1, "teacher", "manual").await;
    }
    let report = expire(&mut site).await;
    assert_eq!((report.rules[0].checked, report.counts["enrolment.remove"]), (6, 6));
    assert_eq!((site.enrolments().await, site.roles().await), (vec![], vec![]));
    let removed = "SELECT u.username, c.component, c.lastenrol, c.seq FROM {enrold_change} c
        JOIN {user} u ON u.id = c.userid WHERE c.kind = 'enrolment.remove' ORDER BY c.seq";
    let rows = site.conn.rows(removed, &Params::new()).await.unwrap();
    let told: Vec<String> = rows.iter().map(|row| format!("{} {} {}", row.text(0), row.text(1), row.int(2))).collect();
    let expected: Vec<String> =
        (1..=3).flat_map(|who| [format!("u{who} enrol_manual 0"), format!("u{who} enrol_self 1")]).collect();
    assert_eq!(told, expected);
}
