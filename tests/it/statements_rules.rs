//! How the number of statements of each rule grows with users: with chunks of effects, never with users.
//! It must not measure time or memory.

use enrold::run::SyncOrder;

use crate::campus::{context, course, role};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    of_cohort_sync,
    of_meta_links,
    of_categories,
    of_autoenrol,
    of_completed_courses,
    of_completed_courses_that_are_left
);

const FEW: i64 = 1_000;
const MANY: i64 = 20_000;

/// Accounts beside those of the campus: 10,001 to 31,000.
const FIRST: i64 = 10_001;

async fn of_cohort_sync(mut site: Site) {
    crowd(&mut site, "cohort").await;
    site.sql("INSERT INTO {cohort} (id, contextid, name, descriptionformat, component, timecreated, timemodified) VALUES (1, 1, 'all', 0, '', 1, 1)").await;
    let student = role("student");
    site.instance("cohort", 1, 0, "student").await;
    site.sql(&format!(
        "UPDATE {{enrol}} SET customint1 = 1, customint2 = 0, roleid = {student} WHERE enrol = 'cohort'"
    ))
    .await;
    let joins = "INSERT INTO {cohort_members} (cohortid, userid, timeadded) SELECT 1, u.id, 1 FROM {user} u WHERE u.id";
    hardly_more(&mut site, "cohort", joins).await;
    site.sql("INSERT INTO {config_plugins} (plugin, name, value) VALUES ('enrol_cohort', 'unenrolaction', '0')").await;
    site.sql(&format!("DELETE FROM {{cohort_members}} WHERE userid < {}", FIRST + FEW)).await;
    let few = statements(&mut site, "cohort", "enrolment.remove", FEW).await;
    site.sql("DELETE FROM {cohort_members}").await;
    let many = statements(&mut site, "cohort", "enrolment.remove", MANY).await;
    within(&site, few, many);
}

async fn of_meta_links(mut site: Site) {
    crowd(&mut site, "meta").await;
    site.instance("meta", 2, 0, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET customint1 = {}, customint2 = 0 WHERE enrol = 'meta'", course(1))).await;
    let enrols = "INSERT INTO {user_enrolments} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
        SELECT 301, u.id, 0, 0, 0, 2, 1, 1 FROM {user} u WHERE u.id";
    let assigns = assigned(context(1));
    hardly_more_by(&mut site, "meta", &[enrols, &assigns]).await;
}

async fn of_categories(mut site: Site) {
    crowd(&mut site, "category").await;
    site.sql("INSERT INTO {capabilities} (name, captype, contextlevel, component, riskbitmask) VALUES ('enrol/category:synchronised', 'write', 10, 'enrol_category', 0)").await;
    site.sql(&format!("INSERT INTO {{role_capabilities}} (contextid, roleid, capability, permission, timemodified, modifierid) VALUES (1, {}, 'enrol/category:synchronised', 1, 1, 2)", role("student"))).await;
    // One course of the category is enough.
    site.sql(&format!("DELETE FROM {{context}} WHERE id IN ({}, {})", context(2), context(3))).await;
    let assigns = assigned(3);
    hardly_more(&mut site, "category", &assigns).await;
}

async fn of_autoenrol(mut site: Site) {
    crowd(&mut site, "autoenrol").await;
    site.instance("autoenrol", 1, 0, "student").await;
    let rule = r#"{"op":"&","c":[{"type":"profile","sf":"department","op":"isequalto","v":"A"},{"type":"profile","sf":"city","op":"isempty"}],"showc":[true,true]}"#;
    site.conn
        .literal(&format!(
            "UPDATE {{enrol}} SET customint1 = 0, customint3 = 0, customint4 = 1, customint5 = 0, customint7 = 0, customint8 = 0, customchar3 = '-', customtext2 = '{rule}' WHERE enrol = 'autoenrol'"
        ))
        .await
        .unwrap();
    hardly_more(&mut site, "autoenrol", "UPDATE {user} SET department = 'A' WHERE id").await;
}

async fn of_completed_courses(mut site: Site) {
    let completes = leads_on(&mut site).await;
    hardly_more(&mut site, "coursecompleted", &completes).await;
}

/// Five changes for each user: a user who completes the first course joins a group of the next, and leaves the first.
async fn of_completed_courses_that_are_left(mut site: Site) {
    let completes = leads_on(&mut site).await;
    site.sql("UPDATE {enrol} SET customint3 = 1, customint5 = 1 WHERE enrol = 'coursecompleted'").await;
    for number in 1..=2 {
        let row = [("id", number.into()), ("courseid", course(number).into()), ("name", "same".into())];
        site.insert("groups", &row).await;
    }
    site.reset_sequences_of(&["groups"]).await;
    for insert in [
        "INSERT INTO {user_enrolments} (enrolid, userid, status, timestart, timeend, modifierid, timecreated, timemodified)
            SELECT 301, u.id, 0, 0, 0, 2, 1, 1 FROM {user} u WHERE u.id",
        "INSERT INTO {groups_members} (groupid, userid, timeadded, component, itemid) SELECT 1, u.id, 1, '', 0 FROM {user} u WHERE u.id",
    ] {
        site.sql(&format!("{insert} >= {FIRST}")).await;
    }
    let mut counted = Vec::new();
    for (from, to, changes) in [(FIRST, FIRST + FEW, FEW), (FIRST + FEW, FIRST + FEW + MANY, MANY)] {
        site.sql(&format!("{completes} >= {from} AND u.id < {to}")).await;
        counted.push(statements(&mut site, "coursecompleted", "group-member.remove", changes).await);
    }
    let effects = 5 * 4 * 8;
    assert!(counted[1] <= counted[0] + effects, "{}: {counted:?}", site.conn.dialect().name());
}

/// An instance that enrols from the first course into the second, with a first run before any completion; returns the
/// statement by which users complete.
async fn leads_on(site: &mut Site) -> String {
    crowd(site, "coursecompleted").await;
    site.instance("coursecompleted", 2, 0, "student").await;
    site.sql(&format!(
        "UPDATE {{enrol}} SET customint1 = {}, customint2 = 0, customint3 = 0, customint4 = 0, customint5 = 0 WHERE enrol = 'coursecompleted'",
        course(1)
    ))
    .await;
    // Completions from before the first run of an instance do not count.
    site.engine().sync(&SyncOrder::of("coursecompleted"), false).await.unwrap();
    format!(
        "INSERT INTO {{course_completions}} (userid, course, timeenrolled, timestarted, timecompleted, reaggregate)
         SELECT u.id, {}, 0, 0, {NOW}, 0 FROM {{user}} u WHERE u.id",
        course(1)
    )
}

/// A manual student role in a context, for the users appended to the text.
fn assigned(contextid: i64) -> String {
    format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, component, itemid, timemodified, modifierid, sortorder)
         SELECT {}, {contextid}, u.id, '', 0, 1, 2, 0 FROM {{user}} u WHERE u.id",
        role("student")
    )
}

/// The campus with 21,000 more users, and only one enabled rule.
async fn crowd(site: &mut Site, method: &str) {
    site.campus().await;
    // The heartbeat of the lease sends statements at intervals: here it never does.
    site.set("run.lease_ttl", "3600");
    site.sql(&format!("UPDATE {{config}} SET value = 'manual,{method}' WHERE name = 'enrol_plugins_enabled'")).await;
    let all: Vec<i64> = (FIRST..FIRST + FEW + MANY).collect();
    for some in all.chunks(1_000) {
        let rows: Vec<String> =
            some.iter().map(|who| format!("({who}, 'p{who}', 'p{who}', 1, 1, 'p{who}@example.com')")).collect();
        site.sql(&format!(
            "INSERT INTO {{user}} (id, username, idnumber, mnethostid, confirmed, email) VALUES {}",
            rows.join(", ")
        ))
        .await;
    }
}

async fn hardly_more(site: &mut Site, rule: &str, change: &str) {
    hardly_more_by(site, rule, &[change]).await;
}

/// These changes add 1,000 users, then 20,000 more.
async fn hardly_more_by(site: &mut Site, rule: &str, changes: &[&str]) {
    for change in changes {
        site.sql(&format!("{change} >= {FIRST} AND {} < {}", column(change), FIRST + FEW)).await;
    }
    let few = statements(site, rule, "enrolment.add", FEW).await;
    for change in changes {
        site.sql(&format!("{change} >= {}", FIRST + FEW)).await;
    }
    let many = statements(site, rule, "enrolment.add", MANY).await;
    within(site, few, many);
}

/// The column before the appended users.
fn column(change: &str) -> &str {
    change.rsplit(' ').next().unwrap_or_default()
}

async fn statements(site: &mut Site, rule: &str, kind: &str, changes: i64) -> u64 {
    let report = site.engine().sync(&SyncOrder::of(rule), false).await.unwrap();
    assert_eq!(report.counts.get(kind), Some(&changes), "{rule}: {:?}", report.counts);
    report.statements
}

/// 40,000 more changes take effect in 8 more chunks of 5,000, each a handful of statements.
#[track_caller]
fn within(site: &Site, few: u64, many: u64) {
    let effects = 8 * 8;
    let engine = site.conn.dialect().name();
    assert!(many <= few + effects, "{engine}: {many} statements for {MANY} users, {few} for {FEW}");
}
