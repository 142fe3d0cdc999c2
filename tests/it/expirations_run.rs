//! Expirations as a run: settings, reported omissions, the guard, the number of statements, and concurrent writes.
//! It must not test what happens to an enrolment; `expirations.rs` does, method by method.

use enrold::outcome::{Note, Report, State};
use enrold::run::{Engine, SyncOrder};

use crate::campus::{context, course, instance, user};
use crate::expirations::{action, everything_enabled, expire, six_by_hand, suspended};
use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    overrides_come_before_moodle,
    a_missing_action_destroys_nothing,
    an_unknown_action_does_nothing_and_is_told,
    disabled_methods_are_left_out_and_told,
    administrators_and_the_guest_stay,
    the_guard_holds_expirations,
    the_task_minds_its_courses_only,
    linked_courses_follow,
    statements_do_not_grow_with_users,
    who_is_prolonged_meanwhile_stays,
);

async fn overrides_come_before_moodle(mut site: Site) {
    six_by_hand(&mut site, "0").await;
    site.instance("database", 3, 0, "student").await;
    site.enrolled_until(8, 3, "database", NOW - 1).await;
    site.set("expirations.expiredaction.manual", "suspend");
    site.set("expirations.expiredaction.database", "suspendnoroles");
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u1 c1 manual", "u2 c2 manual", "u8 c3 database"]);
    assert_eq!(site.roles().await.len(), 7);
}

/// Only flatfile and coursecompleted have a documented default that ends enrolments without loss; the others keep them.
async fn a_missing_action_destroys_nothing(mut site: Site) {
    everything_enabled(&mut site).await;
    site.sql("DELETE FROM {config_plugins} WHERE name = 'expiredaction'").await;
    for (who, method) in (1..).zip(["manual", "self", "flatfile", "database", "autoenrol", "coursecompleted"]) {
        if method != "manual" {
            site.instance(method, 1, 0, "student").await;
        }
        site.enrolled_until(who, 1, method, NOW - 1).await;
    }
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u3 c1 flatfile", "u6 c1 coursecompleted"]);
    assert_eq!(site.enrolments().await.len(), 6);
}

async fn an_unknown_action_does_nothing_and_is_told(mut site: Site) {
    six_by_hand(&mut site, "7").await;
    let before = site.dump().await;
    let report = expire(&mut site).await;
    site.nothing_changed(&before, "an unknown action").await;
    let told = Note::ExpiryUnknown { method: "manual".to_owned(), value: "7".to_owned() };
    assert_eq!(report.notes, [told]);
}

async fn disabled_methods_are_left_out_and_told(mut site: Site) {
    six_by_hand(&mut site, "3").await;
    site.sql("UPDATE {config} SET value = 'flatfile,self,autoenrol' WHERE name = 'enrol_plugins_enabled'").await;
    let before = site.dump().await;
    let report = expire(&mut site).await;
    site.nothing_changed(&before, "a disabled method").await;
    assert_eq!(report.notes, [Note::NotExpiring("manual, database, coursecompleted".to_owned())]);
}

async fn administrators_and_the_guest_stay(mut site: Site) {
    everything_enabled(&mut site).await;
    action(&mut site, "manual", "0").await;
    let enrolid = instance("manual", 1);
    for who in [1, 2] {
        site.sql(&format!(
            "INSERT INTO {{user_enrolments}} (enrolid, userid, timeend, modifierid, timecreated, timemodified)
             VALUES ({enrolid}, {who}, {NOW} - 1, 2, 1, 1)"
        ))
        .await;
    }
    expire(&mut site).await;
    assert_eq!(site.enrolments().await.len(), 2);
    site.set("guard.protect_admins", "false");
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["guest c1 manual 0..now-1"]);
}

async fn the_guard_holds_expirations(mut site: Site) {
    six_by_hand(&mut site, "0").await;
    site.set("guard.mode", "hold");
    site.set("guard.method.removals_max", "1");
    let before = site.dump().await;
    let report = expire_once(&mut site).await;
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "a held run").await;
    site.engine().approve(report.run).await.unwrap();
    assert_eq!(site.enrolments().await.len(), 4);
}

/// `tasks.expirations.courses`, alone and with `--course`.
async fn the_task_minds_its_courses_only(mut site: Site) {
    six_by_hand(&mut site, "2").await;
    site.set("tasks.expirations.courses", "c2,c3");
    let other = SyncOrder { course: Some("c1".to_owned()), ..SyncOrder::of("expirations") };
    site.sync_jobs(&other).await;
    assert_eq!(suspended(&mut site).await, [""; 0]);
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u2 c2 manual"]);
    site.set("tasks.expirations.courses", "c3,c9");
    let report = expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u2 c2 manual"]);
    assert_eq!(report.notes, [Note::CoursesUnknown { rule: "expirations".to_owned(), names: "c9".to_owned() }]);
}

/// `c3` is linked to `c1`: enrolments that expire in `c1` end in `c3` in the same run.
async fn linked_courses_follow(mut site: Site) {
    six_by_hand(&mut site, "0").await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.instance("meta", 3, 0, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET customint1 = {} WHERE id = {}", course(1), instance("meta", 3))).await;
    for who in [1, 3, 4] {
        site.enrolled(who, 3, "meta").await;
        site.has_role(who, 3, "student", "meta").await;
    }
    let report = expire(&mut site).await;
    let of_meta: Vec<String> = site.enrolments().await.into_iter().filter(|line| line.contains(" meta")).collect();
    assert!(!of_meta.iter().any(|line| line.starts_with("u1 ")), "{of_meta:?}");
    let rules: Vec<_> = report.rules.iter().map(|rule| (rule.rule.as_str(), rule.consequence, rule.removed)).collect();
    assert_eq!(rules, [("expirations", false, 2), ("meta", true, 1)]);
}

async fn statements_do_not_grow_with_users(mut site: Site) {
    everything_enabled(&mut site).await;
    site.set("run.lease_ttl", "3600");
    site.set("run.effect_rows", "100000");
    action(&mut site, "manual", "3").await;
    action(&mut site, "self", "0").await;
    action(&mut site, "autoenrol", "0").await;
    site.instance("self", 1, 0, "student").await;
    site.instance("autoenrol", 1, 0, "student").await;
    site.sql(&format!("UPDATE {{enrol}} SET customint3 = 60 WHERE id = {}", instance("autoenrol", 1))).await;
    crowd(&mut site, 10_000, 20).await;
    let few = expire_once(&mut site).await;
    crowd(&mut site, 20_000, 1_500).await;
    let many = expire_once(&mut site).await;
    assert_eq!((few.counts["enrolment.remove"], many.counts["enrolment.remove"]), (40, 3_000));
    assert_eq!((few.counts["enrolment.suspend"], many.counts["enrolment.suspend"]), (20, 1_500));
    // From a thousand planned rows on, PostgreSQL gets an ANALYZE of the journal.
    assert!(
        many.statements <= few.statements + 20,
        "{} statements for 4,500, {} for 60",
        many.statements,
        few.statements
    );
}

/// This many accounts from this id on, enrolled in `c1` by hand and by self until one second ago, and by autoenrol
/// without an end.
async fn crowd(site: &mut Site, from: i64, people: i64) {
    let ids: Vec<i64> = (from..from + people).collect();
    for some in ids.chunks(500) {
        let rows = |row: &dyn Fn(i64) -> String| some.iter().map(|who| row(*who)).collect::<Vec<_>>().join(", ");
        let accounts = rows(&|who| format!("({who}, 'p{who}', 1, 1, 'p{who}@example.com')"));
        site.sql(&format!("INSERT INTO {{user}} (id, username, mnethostid, confirmed, email) VALUES {accounts}")).await;
        for (method, end) in [("manual", NOW - 1), ("self", NOW - 1), ("autoenrol", 0)] {
            let enrolid = instance(method, 1);
            let rows = rows(&|who| format!("({enrolid}, {who}, {end}, 2, 1, 1)"));
            site.sql(&format!(
                "INSERT INTO {{user_enrolments}} (enrolid, userid, timeend, modifierid, timecreated, timemodified) VALUES {rows}"
            ))
            .await;
        }
        let context = context(1);
        let roles = rows(&|who| format!("(5, {context}, {who}, 1, 2, '', 0)"));
        site.sql(&format!(
            "INSERT INTO {{role_assignments}} (roleid, contextid, userid, timemodified, modifierid, component, itemid) VALUES {roles}"
        ))
        .await;
    }
}

/// Moodle extends the enrolment of `u1` between plan and apply: it stays, with its role.
async fn who_is_prolonged_meanwhile_stays(mut site: Site) {
    six_by_hand(&mut site, "0").await;
    let prolong = format!("UPDATE {{user_enrolments}} SET timeend = {NOW} + 3600 WHERE userid = {}", user(1));
    let (observer, outcome) = site.writer(When::Planned(1), &[&prolong]);
    let engine = Engine { observer, ..site.engine() };
    let report = engine.sync(&SyncOrder::of("expirations"), false).await.unwrap();
    if outcome.settled(site.conn.dialect()) {
        assert_eq!((report.overtaken, report.counts["enrolment.remove"]), (1, 1));
        let roles = site.roles().await;
        assert!(roles.contains(&"u1 c1 student manual".to_owned()), "{roles:?}");
        assert!(site.enrolments().await.contains(&"u1 c1 manual 0..now+3600".to_owned()));
    } else {
        assert_eq!((report.overtaken, report.counts["enrolment.remove"]), (0, 2));
    }
}

/// Runs the expirations without any proof.
async fn expire_once(site: &mut Site) -> Report {
    site.engine().sync(&SyncOrder::of("expirations"), false).await.unwrap()
}
