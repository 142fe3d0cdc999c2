//! Consequences: a run changes enrolments, and the rules that depend on them run in the same transaction.
//! It must not test a rule by itself; it tests that the right rules run, on the touched rows only, and in order.

use crate::campus::context;
use crate::faculty::{cohort_instance, link};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_file_reaches_the_linked_course,
    a_removal_reaches_the_linked_course,
    only_who_was_touched_is_looked_at,
    a_cohort_reaches_the_linked_course,
    a_rule_that_is_left_to_moodle_does_not_follow,
    a_rule_minds_its_courses,
    what_a_rule_owns_is_made_good,
);

/// c2 is linked to c1, c3 to c2.
async fn chain(site: &mut Site) {
    site.campus().await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.plugin_setting("enrol_flatfile", "unenrolaction", Some("0")).await;
    site.link(2, 1).await;
    site.link(3, 2).await;
}

async fn a_file_reaches_the_linked_course(mut site: Site) {
    chain(&mut site).await;
    let report = site.import("add,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u1 c2 meta"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "u1 c2 student meta"]);
    let follower = &report.rules[0];
    assert_eq!(
        (follower.rule.as_str(), follower.consequence, follower.added, follower.roles_added),
        ("meta", true, 1, 1)
    );
    let causes =
        site.lines("SELECT kind, cause FROM {enrold_change} WHERE kind = 'enrolment.add'", |row| row.text(1)).await;
    assert_eq!(causes, ["import", "meta"]);
}

async fn a_removal_reaches_the_linked_course(mut site: Site) {
    chain(&mut site).await;
    site.import("add,student,u1,c1\n").await;
    site.import("del,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
}

async fn only_who_was_touched_is_looked_at(mut site: Site) {
    chain(&mut site).await;
    site.enrolled(5, 1, "manual").await;
    site.import("add,student,u1,c1\n").await;
    // No run has touched u5, so u5 waits for the schedule.
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u1 c2 meta", "u5 c1 manual"]);
    site.rule("meta").await;
    assert!(site.enrolments().await.contains(&"u5 c2 meta".to_owned()));
}

async fn a_cohort_reaches_the_linked_course(mut site: Site) {
    chain(&mut site).await;
    site.cohort(1, &[1, 2]).await;
    site.cohort_link(1, 1, "student").await;
    let report = site.rule("cohort").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 meta", "u2 c1 cohort", "u2 c2 meta"]);
    let rules: Vec<(&str, bool)> = report.rules.iter().map(|rule| (rule.rule.as_str(), rule.consequence)).collect();
    assert_eq!(rules, [("cohort", false), ("meta", true)]);
}

async fn a_rule_that_is_left_to_moodle_does_not_follow(mut site: Site) {
    chain(&mut site).await;
    site.set("tasks.meta.enabled", "false");
    site.import("add,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
}

async fn a_rule_minds_its_courses(mut site: Site) {
    chain(&mut site).await;
    site.set("tasks.meta.courses", "c3");
    site.import("add,student,u1,c1\nadd,student,u1,c2\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "u1 c2 flatfile", "u1 c3 meta"]);
}

async fn what_a_rule_owns_is_made_good(mut site: Site) {
    chain(&mut site).await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.enrolled_by(1, cohort_instance(1, 1), 1, (0, 0)).await;
    site.assigned(1, context(1), "student", ("enrol_cohort", cohort_instance(1, 1)), 1).await;
    site.enrolled_by(1, link(2, 1), 1, (0, 0)).await;
    // The line ends the suspended cohort enrolment; u1 is still a member, so cohort sync enrols u1 again.
    site.import_churning("del,student,u1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u1 c2 meta"]);
}
