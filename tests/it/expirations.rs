//! Expirations of all methods (spec enrol-core 14, 15 and 17, autoenrol 7 and 10): the effect on each enrolment.
//! It must not repeat what is special to the flat file (`flatfile_expiry.rs`).

use enrold::db::Params;
use enrold::outcome::{Report, RuleReport, State};
use enrold::run::SyncOrder;

use crate::campus::user;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    manual_keep_changes_nothing,
    manual_suspendnoroles_takes_all_roles_by_hand,
    manual_unenrol_takes_all_roles_by_hand,
    manual_suspend_keeps_the_roles,
    manual_in_one_course_only,
    manual_leaves_roles_of_other_methods,
    autoenrol_unenrols_the_expired,
    autoenrol_suspends_and_guesses_the_role,
    owned_roles_go_and_roles_by_hand_stay,
    each_method_by_its_own_action_in_one_run,
    an_end_at_this_second_has_not_passed,
    the_last_of_two_methods_purges_the_course,
);

/// Runs the expirations of every method; a simulation and a second run change nothing.
pub async fn expire(site: &mut Site) -> Report {
    site.sync_jobs(&SyncOrder::of("expirations")).await
}

/// The campus with every method enabled.
pub async fn everything_enabled(site: &mut Site) {
    site.campus().await;
    site.sql(
        "UPDATE {config} SET value = 'manual,guest,self,cohort,meta,category,database,flatfile,autoenrol,coursecompleted'
          WHERE name = 'enrol_plugins_enabled'",
    )
    .await;
}

/// Sets the `expiredaction` of a method in Moodle.
pub async fn action(site: &mut Site, method: &str, value: &str) {
    site.sql(&format!("DELETE FROM {{config_plugins}} WHERE plugin = 'enrol_{method}' AND name = 'expiredaction'"))
        .await;
    site.sql(&format!(
        "INSERT INTO {{config_plugins}} (plugin, name, value) VALUES ('enrol_{method}', 'expiredaction', '{value}')"
    ))
    .await;
}

/// Six manual enrolments and seven roles; those of `u1` in `c1` and `u2` in `c2` have expired (spec enrol-core 17).
pub async fn six_by_hand(site: &mut Site, manual: &str) {
    everything_enabled(site).await;
    action(site, "manual", manual).await;
    for (who, whither, end) in
        [(1, 1, NOW - 60), (2, 2, NOW - 1), (3, 1, NOW + 60), (4, 1, 0), (5, 2, NOW + 3600), (6, 3, 0)]
    {
        site.enrolled_until(who, whither, "manual", end).await;
    }
    for (who, whither) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2), (6, 3)] {
        site.has_role(who, whither, "student", "manual").await;
    }
    // A role of a user who is not enrolled.
    site.has_role(7, 1, "manager", "manual").await;
}

async fn manual_keep_changes_nothing(mut site: Site) {
    six_by_hand(&mut site, "1").await;
    let before = site.dump().await;
    let report = expire(&mut site).await;
    assert_eq!(report.state, State::Done);
    site.nothing_changed(&before, "KEEP").await;
}

async fn manual_suspendnoroles_takes_all_roles_by_hand(mut site: Site) {
    six_by_hand(&mut site, "3").await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await.len(), 6);
    assert_eq!(suspended(&mut site).await, ["u1 c1 manual", "u2 c2 manual"]);
    assert_eq!(
        site.roles().await,
        [
            "u3 c1 student manual",
            "u4 c1 student manual",
            "u5 c2 student manual",
            "u6 c3 student manual",
            "u7 c1 manager manual"
        ]
    );
    assert_eq!(
        site.events().await,
        ["u1 role unassigned", "u2 role unassigned", "u1 user_enrolment updated", "u2 user_enrolment updated"]
    );
}

async fn manual_unenrol_takes_all_roles_by_hand(mut site: Site) {
    six_by_hand(&mut site, "0").await;
    // A suspended enrolment expires too; roles below the course are removed even if another enrolment remains.
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(2))).await;
    site.instance("self", 1, 0, "student").await;
    site.enrolled(1, 1, "self").await;
    site.has_role(1, 1, "teacher", "manual").await;
    site.has_role_below(1, 1, "teacher").await;
    expire(&mut site).await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 self", "u3 c1 manual 0..now+60", "u4 c1 manual", "u5 c2 manual 0..now+3600", "u6 c3 manual"]
    );
    assert_eq!(site.roles().await.len(), 5);
    assert!(!site.roles().await.iter().any(|role| role.starts_with("u1 ") || role.starts_with("u2 ")));
}

async fn manual_suspend_keeps_the_roles(mut site: Site) {
    six_by_hand(&mut site, "2").await;
    let roles = site.roles().await;
    expire(&mut site).await;
    assert_eq!(site.roles().await, roles);
    assert_eq!(suspended(&mut site).await, ["u1 c1 manual", "u2 c2 manual"]);
}

/// Nothing changes in any other course (spec enrol-core 17).
async fn manual_in_one_course_only(mut site: Site) {
    six_by_hand(&mut site, "3").await;
    expire_in(&mut site, "c3").await;
    assert_eq!(suspended(&mut site).await, [""; 0]);
    expire_in(&mut site, "c2").await;
    assert_eq!(suspended(&mut site).await, ["u2 c2 manual"]);
}

async fn manual_leaves_roles_of_other_methods(mut site: Site) {
    six_by_hand(&mut site, "3").await;
    site.instance("database", 1, 0, "student").await;
    site.enrolled(1, 1, "database").await;
    site.has_role(1, 1, "student", "database").await;
    expire(&mut site).await;
    let roles = site.roles().await;
    assert!(roles.contains(&"u1 c1 student database".to_owned()), "{roles:?}");
    assert!(!roles.contains(&"u1 c1 student manual".to_owned()), "{roles:?}");
}

/// `u1…u4` by autoenrol in `c1`, whose instance is disabled and assigns the student role: `u1` and `u2` have expired,
/// `u2` has two roles (spec autoenrol 10.10).
async fn four_by_rule(site: &mut Site, autoenrol: &str) {
    everything_enabled(site).await;
    action(site, "autoenrol", autoenrol).await;
    site.instance("autoenrol", 1, 1, "student").await;
    for (who, end) in [(1, NOW - 3600), (2, NOW - 1), (3, NOW + 3600), (4, 0)] {
        site.enrolled_until(who, 1, "autoenrol", end).await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.has_role(2, 1, "teacher", "manual").await;
}

async fn autoenrol_unenrols_the_expired(mut site: Site) {
    four_by_rule(&mut site, "0").await;
    // A user who is also enrolled by hand loses the role that the instance names, and no other.
    site.enrolled(2, 1, "manual").await;
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u2 c1 manual", "u3 c1 autoenrol 0..now+3600", "u4 c1 autoenrol"]);
    assert_eq!(site.roles().await, ["u2 c1 teacher manual", "u3 c1 student manual", "u4 c1 student manual"]);
}

/// A single role is removed; of two, the one that the instance names.
async fn autoenrol_suspends_and_guesses_the_role(mut site: Site) {
    four_by_rule(&mut site, "3").await;
    site.sql(&format!("UPDATE {{role_assignments}} SET roleid = 4 WHERE userid = {}", user(1))).await;
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u1 c1 autoenrol", "u2 c1 autoenrol"]);
    assert_eq!(site.roles().await, ["u2 c1 teacher manual", "u3 c1 student manual", "u4 c1 student manual"]);
}

/// `coursecompleted` and `database` own their roles: those are removed, roles by hand stay.
async fn owned_roles_go_and_roles_by_hand_stay(mut site: Site) {
    everything_enabled(&mut site).await;
    action(&mut site, "coursecompleted", "3").await;
    action(&mut site, "database", "0").await;
    for method in ["coursecompleted", "database"] {
        site.instance(method, 1, 0, "student").await;
    }
    for (who, method) in [(1, "coursecompleted"), (2, "database")] {
        site.enrolled_until(who, 1, method, NOW - 1).await;
        site.enrolled(who, 1, "manual").await;
        site.has_role(who, 1, "student", method).await;
        site.has_role(who, 1, "student", "manual").await;
    }
    expire(&mut site).await;
    assert_eq!(site.enrolments().await, ["u1 c1 coursecompleted suspended 0..now-1", "u1 c1 manual", "u2 c1 manual"]);
    assert_eq!(site.roles().await, ["u1 c1 student manual", "u2 c1 student manual"]);
}

/// One run for all methods: the actions do not mix, and the enrolment of a deleted user expires as well.
async fn each_method_by_its_own_action_in_one_run(mut site: Site) {
    everything_enabled(&mut site).await;
    let actions = [
        ("manual", "3"),
        ("self", "2"),
        ("flatfile", "0"),
        ("database", "1"),
        ("autoenrol", "0"),
        ("coursecompleted", "3"),
    ];
    for (who, (method, value)) in (1..).zip(actions) {
        action(&mut site, method, value).await;
        if method != "manual" {
            site.instance(method, 2, 0, "student").await;
        }
        site.enrolled_until(who, 2, method, NOW - 1).await;
        let owner = if ["manual", "self", "autoenrol"].contains(&method) { "manual" } else { method };
        site.has_role(who, 2, "student", owner).await;
    }
    site.sql(&format!("UPDATE {{user}} SET deleted = 1 WHERE id = {}", user(6))).await;
    let report = expire(&mut site).await;
    assert_eq!(
        site.enrolments().await,
        [
            "u1 c2 manual suspended 0..now-1",
            "u2 c2 self suspended 0..now-1",
            "u4 c2 database 0..now-1",
            "u6 c2 coursecompleted suspended 0..now-1"
        ]
    );
    assert_eq!(site.roles().await, ["u2 c2 student manual", "u4 c2 student database"]);
    assert_eq!(
        (report.counts["enrolment.remove"], report.counts["enrolment.suspend"], report.counts["role.remove"]),
        (2, 3, 4)
    );
    assert_eq!(report.notes, []);
    let found = RuleReport { millis: 0, ..report.rules[0].clone() };
    let expected = RuleReport { checked: 5, removed: 2, suspended: 3, roles_removed: 4, ..RuleReport::default() };
    assert_eq!(found, RuleReport { rule: "expirations".to_owned(), ..expected });
    let causes = "SELECT COUNT(*) FROM {enrold_change} c WHERE c.cause <> 'expirations'";
    assert_eq!(site.conn.number(causes, &Params::new()).await.unwrap(), 0);
}

/// An enrolment has ended when the clock is past its end (spec enrol-core 14).
async fn an_end_at_this_second_has_not_passed(mut site: Site) {
    everything_enabled(&mut site).await;
    action(&mut site, "manual", "2").await;
    site.enrolled_until(1, 1, "manual", NOW).await;
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, [""; 0]);
    site.at(NOW + 1);
    expire(&mut site).await;
    assert_eq!(suspended(&mut site).await, ["u1 c1 manual"]);
}

/// Two methods unenrol the same user from the same course in one run: only the last removal purges the course.
async fn the_last_of_two_methods_purges_the_course(mut site: Site) {
    everything_enabled(&mut site).await;
    for method in ["self", "coursecompleted"] {
        action(&mut site, method, "0").await;
        site.instance(method, 1, 0, "student").await;
        site.enrolled_until(1, 1, method, NOW - 1).await;
    }
    site.has_role(1, 1, "manager", "manual").await;
    site.has_role_below(1, 1, "teacher").await;
    let report = expire(&mut site).await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
    assert_eq!(report.counts["enrolment.remove"], 2);
    let last = "SELECT COUNT(*) FROM {enrold_change} c WHERE c.kind = 'enrolment.remove' AND c.lastenrol = 1";
    assert_eq!(site.conn.number(last, &Params::new()).await.unwrap(), 1);
}

/// Suspended enrolments as `u1 c1 manual`.
pub async fn suspended(site: &mut Site) -> Vec<String> {
    let all = site.enrolments().await;
    let suspended = all.iter().filter(|line| line.contains(" suspended"));
    suspended.map(|line| line.split(" suspended").next().unwrap_or_default().to_owned()).collect()
}

/// Runs the expirations of one course.
async fn expire_in(site: &mut Site, shortname: &str) -> Report {
    let order = SyncOrder { course: Some(shortname.to_owned()), ..SyncOrder::of("expirations") };
    site.sync_jobs(&order).await
}
