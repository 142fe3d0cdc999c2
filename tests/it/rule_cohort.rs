//! Cohort sync, the scenarios of spec cohort 8: which members are enrolled, with which role and group, and leaving
//! users. It must not write tables; the faculty does.

use enrold::outcome::{Report, Skipped};

use crate::campus::{context, course, role};
use crate::faculty::{Instance, cohort, cohort_instance};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    members_come_in_with_the_role_of_each_instance,
    a_disabled_twin_gives_nothing,
    a_cohort_that_no_instance_uses,
    not_set_it_unenrols,
    who_left_is_suspended_without_roles_and_comes_back,
    who_left_is_suspended_with_roles_and_comes_back,
    who_left_is_unenrolled_from_every_course,
    a_cohort_that_is_gone_suspends,
    a_cohort_that_is_gone_suspends_without_roles,
    a_cohort_that_is_gone_unenrols_the_suspended_too,
    groups_follow_but_are_not_taken_over,
    who_is_suspended_stays_in_the_group,
    another_group_moves_the_members,
    no_group_at_all_takes_nobody_out,
    one_course_then_all,
    a_disabled_method_is_skipped,
    a_disabled_method_drops_its_roles_if_asked,
    another_role_moves_the_roles,
    another_role_moves_only_who_is_active,
    a_role_that_is_none_enrols_without_role,
    deleted_accounts_are_left_alone,
    windows_are_left_alone,
    doubled_roles_are_pruned,
    an_emptied_cohort_is_held,
);

/// Cohorts h1 (u1, u2, u3) and h2 (u4); c1 enrols h1 as students and h2 as teachers, c2 enrols h2 as students.
async fn faculty(site: &mut Site, action: &str) {
    site.campus().await;
    site.plugin_setting("enrol_cohort", "unenrolaction", Some(action)).await;
    site.cohort(1, &[1, 2, 3]).await;
    site.cohort(2, &[4]).await;
    site.cohort_link(1, 1, "student").await;
    site.cohort_link(1, 2, "teacher").await;
    site.cohort_link(2, 2, "student").await;
}

fn counted(report: &Report) -> [i64; 6] {
    let rule = report.rules.iter().find(|rule| rule.rule == "cohort").unwrap();
    [rule.added, rule.reactivated, rule.suspended, rule.removed, rule.roles_added, rule.roles_removed]
}

async fn members_come_in_with_the_role_of_each_instance(mut site: Site) {
    faculty(&mut site, "0").await;
    site.enrolled(4, 1, "manual").await;
    site.has_role(4, 1, "teacher", "manual").await;
    let report = site.rule("cohort").await;
    assert_eq!(counted(&report), [5, 0, 0, 0, 5, 0]);
    let expected = ["u1 c1 cohort", "u2 c1 cohort", "u3 c1 cohort", "u4 c1 cohort", "u4 c1 manual", "u4 c2 cohort"];
    assert_eq!(site.enrolments().await, expected);
    let expected = [
        "u1 c1 student cohort",
        "u2 c1 student cohort",
        "u3 c1 student cohort",
        "u4 c1 teacher cohort",
        "u4 c1 teacher manual",
        "u4 c2 student cohort",
    ];
    assert_eq!(site.roles().await, expected);
    let events = site.events().await;
    assert!(
        events.contains(&"u1 user_enrolment created".to_owned()) && events.contains(&"u1 role assigned".to_owned())
    );
}

async fn a_disabled_twin_gives_nothing(mut site: Site) {
    faculty(&mut site, "0").await;
    let twin =
        Instance { customint1: Some(cohort(2)), role: role("manager"), status: 1, ..Instance::new(2900, "cohort", 2) };
    site.instance_of(twin).await;
    site.joins(1, 2).await;
    site.rule("cohort").await;
    let of_c2: Vec<String> = site.roles().await.into_iter().filter(|role| role.contains(" c2 ")).collect();
    assert_eq!(of_c2, ["u1 c2 student cohort", "u4 c2 student cohort"]);
}

async fn a_cohort_that_no_instance_uses(mut site: Site) {
    site.campus().await;
    site.cohort(3, &[1, 2]).await;
    let report = site.rule("cohort").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn not_set_it_unenrols(mut site: Site) {
    faculty(&mut site, "0").await;
    site.plugin_setting("enrol_cohort", "unenrolaction", None).await;
    site.rule("cohort").await;
    site.leaves(1, 1).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 0, 1, 0, 1]);
}

async fn who_left_is_suspended_without_roles_and_comes_back(mut site: Site) {
    faculty(&mut site, "3").await;
    site.rule("cohort").await;
    site.leaves(1, 1).await;
    site.leaves(4, 2).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 3, 0, 0, 3]);
    let expected =
        ["u1 c1 cohort suspended", "u2 c1 cohort", "u3 c1 cohort", "u4 c1 cohort suspended", "u4 c2 cohort suspended"];
    assert_eq!(site.enrolments().await, expected);
    assert_eq!(site.roles().await, ["u2 c1 student cohort", "u3 c1 student cohort"]);
    site.joins(1, 1).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 1, 0, 0, 1, 0]);
    assert_eq!(site.enrolments().await[0], "u1 c1 cohort");
}

async fn who_left_is_suspended_with_roles_and_comes_back(mut site: Site) {
    faculty(&mut site, "2").await;
    site.rule("cohort").await;
    let roles = site.roles().await;
    site.leaves(1, 1).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 1, 0, 0, 0]);
    assert_eq!(site.roles().await, roles);
    site.joins(1, 1).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 1, 0, 0, 0, 0]);
    assert_eq!(site.roles().await, roles);
}

async fn who_left_is_unenrolled_from_every_course(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule("cohort").await;
    site.leaves(4, 2).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 0, 2, 0, 2]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort", "u3 c1 cohort"]);
}

/// The cohort h2 and its members are deleted by SQL.
async fn without_the_second_cohort(site: &mut Site, action: &str) {
    faculty(site, action).await;
    site.rule("cohort").await;
    site.leaves(4, 2).await;
    site.sql("DELETE FROM {cohort} WHERE idnumber = 'h2'").await;
    site.rule("cohort").await;
}

async fn a_cohort_that_is_gone_suspends(mut site: Site) {
    without_the_second_cohort(&mut site, "2").await;
    assert_eq!(site.enrolments().await[3..], ["u4 c1 cohort suspended", "u4 c2 cohort suspended"]);
    assert_eq!(site.roles().await.len(), 5);
}

async fn a_cohort_that_is_gone_suspends_without_roles(mut site: Site) {
    without_the_second_cohort(&mut site, "3").await;
    assert_eq!(site.enrolments().await[3..], ["u4 c1 cohort suspended", "u4 c2 cohort suspended"]);
    assert_eq!(site.roles().await.len(), 3);
}

async fn a_cohort_that_is_gone_unenrols_the_suspended_too(mut site: Site) {
    without_the_second_cohort(&mut site, "3").await;
    site.plugin_setting("enrol_cohort", "unenrolaction", Some("0")).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 0, 2, 0, 0]);
    assert_eq!(site.enrolments().await.len(), 3);
}

/// c1 puts h1 into its group g1; u3 was put into g1 and g2 by hand before.
async fn with_groups(site: &mut Site, action: &str) {
    faculty(site, action).await;
    site.group(1, 1).await;
    site.group(2, 1).await;
    site.enrolled(3, 1, "manual").await;
    site.in_group(3, 1, ("", 0)).await;
    site.in_group(3, 2, ("", 0)).await;
    site.uses_group(cohort_instance(1, 1), 1).await;
    site.rule("cohort").await;
}

async fn groups_follow_but_are_not_taken_over(mut site: Site) {
    with_groups(&mut site, "0").await;
    assert_eq!(site.group_members().await, ["u1 g1 cohort", "u2 g1 cohort", "u3 g1 manual", "u3 g2 manual"]);
    site.leaves(1, 1).await;
    site.leaves(3, 1).await;
    site.rule("cohort").await;
    assert_eq!(site.group_members().await, ["u2 g1 cohort", "u3 g1 manual", "u3 g2 manual"]);
}

async fn who_is_suspended_stays_in_the_group(mut site: Site) {
    with_groups(&mut site, "3").await;
    site.leaves(1, 1).await;
    site.rule("cohort").await;
    assert_eq!(site.group_members().await[0], "u1 g1 cohort");
}

async fn another_group_moves_the_members(mut site: Site) {
    with_groups(&mut site, "0").await;
    site.uses_group(cohort_instance(1, 1), 2).await;
    site.rule("cohort").await;
    assert_eq!(site.group_members().await, ["u1 g2 cohort", "u2 g2 cohort", "u3 g1 manual", "u3 g2 manual"]);
    site.uses_group(cohort_instance(1, 1), 0).await;
    site.rule("cohort").await;
    assert_eq!(site.group_members().await, ["u3 g1 manual", "u3 g2 manual"]);
}

async fn no_group_at_all_takes_nobody_out(mut site: Site) {
    with_groups(&mut site, "0").await;
    site.sql("UPDATE {enrol} SET customint2 = NULL WHERE enrol = 'cohort'").await;
    let report = site.rule("cohort").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn one_course_then_all(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule_in("cohort", "c2").await;
    assert_eq!(site.enrolments().await, ["u4 c2 cohort"]);
    site.rule_in("cohort", "c3").await;
    assert_eq!(site.enrolments().await, ["u4 c2 cohort"]);
    site.rule("cohort").await;
    assert_eq!(site.enrolments().await.len(), 5);
}

async fn a_disabled_method_is_skipped(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule("cohort").await;
    site.methods("manual,meta").await;
    site.leaves(1, 1).await;
    let report = site.rule("cohort").await;
    assert_eq!(report.rules[0].skipped, Some(Skipped::MethodDisabled));
    assert_eq!((site.enrolments().await.len(), site.roles().await.len()), (5, 5));
}

async fn a_disabled_method_drops_its_roles_if_asked(mut site: Site) {
    faculty(&mut site, "0").await;
    site.has_role(4, 1, "teacher", "manual").await;
    site.rule("cohort").await;
    site.methods("manual,meta").await;
    site.set("tasks.cohort.when_disabled", "drop_roles");
    let report = site.rule("cohort").await;
    assert_eq!((report.rules[0].skipped, report.rules[0].roles_removed), (Some(Skipped::MethodDisabled), 5));
    assert_eq!((site.enrolments().await.len(), site.roles().await), (5, vec!["u4 c1 teacher manual".to_owned()]));
}

/// The instance of h1 in c1 assigns another role now.
async fn becomes_teacher(site: &mut Site) {
    site.sql(&format!("UPDATE {{enrol}} SET roleid = {} WHERE id = {}", role("teacher"), cohort_instance(1, 1))).await;
}

async fn another_role_moves_the_roles(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule("cohort").await;
    becomes_teacher(&mut site).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 0, 0, 3, 3]);
    assert_eq!(site.roles().await[0], "u1 c1 teacher cohort");
}

async fn another_role_moves_only_who_is_active(mut site: Site) {
    faculty(&mut site, "2").await;
    site.rule("cohort").await;
    site.leaves(1, 1).await;
    becomes_teacher(&mut site).await;
    assert_eq!(counted(&site.rule("cohort").await), [0, 0, 1, 0, 2, 2]);
    assert_eq!(site.roles().await[..2], ["u1 c1 student cohort", "u2 c1 teacher cohort"]);
}

async fn a_role_that_is_none_enrols_without_role(mut site: Site) {
    faculty(&mut site, "0").await;
    site.sql(&format!("UPDATE {{enrol}} SET roleid = 99 WHERE courseid = {} AND enrol = 'cohort'", course(1))).await;
    site.rule("cohort").await;
    assert_eq!((site.enrolments().await.len(), site.roles().await), (5, vec!["u4 c2 student cohort".to_owned()]));
}

async fn deleted_accounts_are_left_alone(mut site: Site) {
    faculty(&mut site, "0").await;
    site.deleted(1).await;
    site.deleted(2).await;
    site.enrolled_by(2, cohort_instance(1, 1), 0, (0, 0)).await;
    site.rule("cohort").await;
    assert_eq!(site.enrolments().await[..2], ["u2 c1 cohort", "u3 c1 cohort"]);
    assert!(site.roles().await.iter().all(|role| !role.starts_with("u2 ")));

    // What such an account has from before stays, as in Moodle.
    let of = ("enrol_cohort", cohort_instance(1, 1));
    site.assigned(2, context(1), "student", of, 1).await;
    site.group(1, 1).await;
    site.in_group(2, 1, of).await;
    site.uses_group(cohort_instance(1, 1), 1).await;
    site.rule("cohort").await;
    assert!(site.roles().await.contains(&"u2 c1 student cohort".to_owned()));
    assert!(site.group_members().await.contains(&"u2 g1 cohort".to_owned()));
}

async fn windows_are_left_alone(mut site: Site) {
    faculty(&mut site, "0").await;
    site.enrolled_by(1, cohort_instance(1, 1), 1, (100, 200)).await;
    assert_eq!(counted(&site.rule("cohort").await), [4, 1, 0, 0, 5, 0]);
    assert_eq!(site.enrolments().await[0], "u1 c1 cohort 100..200");
}

async fn doubled_roles_are_pruned(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule("cohort").await;
    let twice = ("enrol_cohort", cohort_instance(1, 1));
    site.assigned(1, context(1), "student", twice, 5).await;
    let report = site.rule("cohort").await;
    assert_eq!(report.counts.get("role.prune"), Some(&1));
    assert_eq!(site.roles().await.iter().filter(|role| role.starts_with("u1 ")).count(), 1);
}

async fn an_emptied_cohort_is_held(mut site: Site) {
    faculty(&mut site, "0").await;
    site.rule("cohort").await;
    site.sql("DELETE FROM {cohort_members} WHERE id > 0").await;
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let report = site.rule_once("cohort").await;
    assert_eq!(report.state, enrold::outcome::State::Held);
    assert!(
        report.breaches.iter().any(|breach| breach.scope == "method" && breach.name == "cohort" && breach.count == 5)
    );
    site.nothing_changed(&before, "held").await;
    let approved = site.engine().approve(report.run).await.unwrap();
    assert_eq!(counted(&approved)[3], 5);
    assert_eq!(site.enrolments().await, [""; 0]);
}
