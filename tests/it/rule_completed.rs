//! Completed courses, the scenarios of spec coursecompleted 9 on enrolling: users, times, settings and consequences.
//! It must not test the ledger between runs.

use enrold::outcome::State;
use enrold::run::SyncOrder;

use crate::campus::{instance, role};
use crate::completions::{DAY, chain};
use crate::faculty::{cohort_instance, group};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    an_old_fixed_date_enrols_once_and_keeps_the_source,
    the_window_and_the_date_decide,
    each_instance_has_its_own_times,
    a_later_date_waits_and_the_instance_decides_then,
    a_disabled_instance_does_nothing,
    what_waits_outlives_a_pause,
    a_circle_of_courses_ends,
    a_role_that_is_gone_is_told,
    without_a_role_the_setting_decides,
    groups_follow_by_name,
    groups_are_made_where_asked,
    three_instances_three_enrolments,
    the_source_is_left_where_asked,
    only_what_may_be_ended_is_left,
    a_course_that_leads_to_itself_is_not_left,
    a_source_that_is_gone_is_told,
    a_suspended_enrolment_stays_suspended,
    a_switched_off_method_is_skipped,
    deleted_users_are_left_out,
    statements_do_not_grow_with_users,
);

async fn an_old_fixed_date_enrols_once_and_keeps_the_source(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "customint4", Some(100)).await;
    site.enrolled(1, 1, "manual").await;
    site.completes(1, 1, NOW - 60).await;
    let report = site.lead_on().await;
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u1 c2 coursecompleted 100..0"]);
    assert_eq!(site.roles().await, ["u1 c2 student coursecompleted"]);
    let rule = &report.rules[0];
    assert_eq!((rule.rule.as_str(), rule.added, rule.roles_added), ("coursecompleted", 1, 1));
}

async fn the_window_and_the_date_decide(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    let start = "enrolstartdate";
    let end = "enrolenddate";
    let fixed = "customint4";
    for (column, value, enrolled) in [
        (start, None, true),
        (start, Some(0), true),
        (start, Some(NOW), true),
        (start, Some(NOW - 100), true),
        (start, Some(NOW + 100), false),
        (end, None, true),
        (end, Some(NOW - 100), false),
        (end, Some(NOW + 100), true),
        (fixed, None, true),
        (fixed, Some(NOW), true),
        (fixed, Some(NOW - 100), true),
        (fixed, Some(NOW + 100), false),
    ] {
        site.sets(chain(2, 1), column, value).await;
        site.completes(1, 1, NOW - 50).await;
        site.lead_on().await;
        assert_eq!(site.led().await.len(), usize::from(enrolled), "{column} = {value:?}");
        site.sets(chain(2, 1), column, Some(0)).await;
        site.sql("DELETE FROM {user_enrolments}").await;
        site.sql("DELETE FROM {role_assignments}").await;
        site.sql("DELETE FROM {enrold_completion} WHERE userid > 0").await;
    }
}

async fn each_instance_has_its_own_times(mut site: Site) {
    site.chained(&[(1, 3), (2, 3), (3, 3)]).await;
    site.sets(chain(2, 3), "enrolperiod", Some(2)).await;
    site.sets(chain(3, 3), "enrolperiod", Some(DAY)).await;
    site.sets(chain(3, 3), "customint4", Some(NOW + 100)).await;
    site.completes(1, 3, NOW - 10).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c1<c3", "u1 c2<c3 now+0..now+2"]);
    site.at(NOW + 200);
    site.lead_on().await;
    assert_eq!(site.led().await[2], "u1 c3<c3 now+100..now+86500");
}

/// The settings are read when the date comes, not kept from the completion: Moodle's task uses a snapshot.
async fn a_later_date_waits_and_the_instance_decides_then(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "customint4", Some(NOW + 100)).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.ledger().await, ["u1 c2<c1 waiting"]);
    site.sets(chain(2, 1), "customint4", Some(NOW + 500)).await;
    site.at(NOW + 200);
    site.lead_on().await;
    assert_eq!(site.led().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
    site.sets(chain(2, 1), "roleid", Some(role("teacher"))).await;
    site.at(NOW + 500);
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1 now+500..0"]);
    assert_eq!(site.roles().await, ["u1 c2 teacher coursecompleted"]);
    assert_eq!(site.ledger().await, ["u1 c2<c1 enrolled"]);
}

async fn a_disabled_instance_does_nothing(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.status(chain(2, 1), 1).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.ledger().await, ["u1 c2<c1 disabled"]);
    site.status(chain(2, 1), 0).await;
    site.completes(2, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u2 c2<c1"]);
}

/// Moodle discards waiting enrolments when an instance is disabled, and never restores them.
async fn what_waits_outlives_a_pause(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "customint4", Some(NOW + 100)).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    site.status(chain(2, 1), 1).await;
    site.at(NOW + 200);
    site.lead_on().await;
    assert_eq!(site.led().await, [""; 0]);
    site.status(chain(2, 1), 0).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1 now+100..0"]);
}

/// Moodle records completions: a chain continues with each of them, and a cycle runs once.
async fn a_circle_of_courses_ends(mut site: Site) {
    site.chained(&[(2, 1), (3, 2), (1, 3)]).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1"]);
    site.completes(1, 2, NOW).await;
    site.completes(1, 3, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c1<c3", "u1 c2<c1", "u1 c3<c2"]);
}

async fn a_role_that_is_gone_is_told(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "roleid", Some(9999)).await;
    site.completes(1, 1, NOW).await;
    let report = site.engine().sync(&SyncOrder::of("coursecompleted"), false).await.unwrap();
    assert_eq!(site.errors(&report).await, [format!("-{} instance-role-gone", chain(2, 1))]);
    assert_eq!(site.led().await, [""; 0]);
    site.sets(chain(2, 1), "roleid", Some(role("student"))).await;
    let report = site.lead_on().await;
    assert_eq!(report.state, State::Done);
    assert_eq!(site.led().await, ["u1 c2<c1"]);
}

async fn without_a_role_the_setting_decides(mut site: Site) {
    site.chained(&[(2, 1), (3, 1)]).await;
    site.sets(chain(2, 1), "roleid", None).await;
    site.sets(chain(3, 1), "roleid", Some(role("teacher"))).await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.roles().await, ["u1 c2 student coursecompleted", "u1 c3 teacher coursecompleted"]);
    site.plugin_setting("enrol_coursecompleted", "roleid", Some("3")).await;
    site.completes(2, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.roles().await[2], "u2 c2 editingteacher coursecompleted");
}

/// `A` and `B` in the source, `A` and `C` in the target; `a` is not `A`.
async fn groups(site: &mut Site) {
    for (number, whither, name) in [(1, 1, "A"), (2, 1, "B"), (3, 1, "a"), (4, 2, "A"), (5, 2, "C")] {
        site.group(number, whither).await;
        site.sql(&format!("UPDATE {{groups}} SET name = '{name}' WHERE id = {}", group(number))).await;
    }
    for (who, number) in [(1, 1), (1, 2), (2, 3)] {
        site.enrolled(who, 1, "manual").await;
        site.in_group(who, number, ("", 0)).await;
        if number == 1 {
            site.sql("DELETE FROM {user_enrolments}").await;
        }
    }
}

/// Group members as `u1 c2/A`.
async fn members(site: &mut Site) -> Vec<String> {
    let sql = "SELECT u.username, s.shortname, g.name, m.component FROM {groups_members} m JOIN {groups} g ON g.id = m.groupid
        JOIN {course} s ON s.id = g.courseid JOIN {user} u ON u.id = m.userid";
    site.lines(sql, |row| format!("{} {}/{}{}", row.text(0), row.text(1), row.text(2), row.text(3))).await
}

async fn groups_follow_by_name(mut site: Site) {
    site.chained(&[(2, 1), (3, 1)]).await;
    groups(&mut site).await;
    site.sets(chain(2, 1), "customint3", Some(1)).await;
    for who in 1..=2 {
        site.completes(who, 1, NOW).await;
    }
    site.lead_on().await;
    assert_eq!(members(&mut site).await, ["u1 c1/A", "u1 c1/B", "u1 c2/A", "u2 c1/a"]);
    assert_eq!(site.count("groups").await, 5);
}

async fn groups_are_made_where_asked(mut site: Site) {
    site.set("coursecompleted.create_groups", "true");
    site.chained(&[(2, 1), (3, 1)]).await;
    groups(&mut site).await;
    site.sets(chain(2, 1), "customint3", Some(1)).await;
    for who in 1..=2 {
        site.completes(who, 1, NOW).await;
    }
    site.lead_on().await;
    assert_eq!(
        members(&mut site).await,
        ["u1 c1/A", "u1 c1/B", "u1 c2/A", "u1 c2/B", "u2 c1/a", "u2 c2/a"],
        "a and A are two groups"
    );
    assert_eq!(site.count("groups").await, 7);
}

async fn three_instances_three_enrolments(mut site: Site) {
    site.chained(&[(2, 1), (3, 1), (4, 1), (4, 5)]).await;
    site.completes(1, 1, NOW).await;
    site.completes(2, 5, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1", "u1 c3<c1", "u1 c4<c1", "u2 c4<c5"]);
    assert_eq!(site.roles().await.len(), 4);
}

async fn the_source_is_left_where_asked(mut site: Site) {
    site.chained(&[(2, 1), (3, 1)]).await;
    site.sets(chain(2, 1), "customint5", Some(1)).await;
    site.sets(chain(2, 1), "customint3", Some(1)).await;
    groups(&mut site).await;
    for who in 1..=2 {
        site.has_role(who, 1, "student", "manual").await;
    }
    site.completes(1, 1, NOW).await;
    let report = site.lead_on().await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c2 coursecompleted now+0..0", "u1 c3 coursecompleted now+0..0", "u2 c1 manual"]
    );
    assert_eq!(
        site.roles().await,
        ["u1 c2 student coursecompleted", "u1 c3 student coursecompleted", "u2 c1 student manual"]
    );
    assert_eq!(members(&mut site).await, ["u1 c2/A", "u2 c1/a"], "the groups are read before the source is left");
    assert_eq!(report.rules[0].removed, 1);
}

/// Cohort enrolments only if suspended; the method's own, as in Moodle's cron; never an administrator's.
async fn only_what_may_be_ended_is_left(mut site: Site) {
    site.chained(&[(2, 1), (1, 3)]).await;
    site.sets(chain(2, 1), "customint5", Some(1)).await;
    site.plugin_setting("enrol_cohort", "unenrolaction", Some("3")).await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.instance("self", 1, 0, "student").await;
    site.enrolled_by(1, cohort_instance(1, 1), 0, (0, 0)).await;
    site.enrolled(1, 1, "self").await;
    site.enrolled_by(2, cohort_instance(1, 1), 1, (0, 0)).await;
    site.enrolled_by(3, chain(1, 3), 0, (0, 0)).await;
    site.enrolled_by(4, instance("manual", 1), 0, (0, 0)).await;
    site.sql("UPDATE {config} SET value = '14,2' WHERE name = 'siteadmins'").await;
    for who in 1..=4 {
        site.completes(who, 1, NOW).await;
    }
    site.lead_on().await;
    let left = site.enrolments().await;
    let left: Vec<_> = left.iter().filter(|line| line.contains(" c1 ")).collect();
    assert_eq!(left, ["u1 c1 cohort", "u4 c1 manual"]);
    assert_eq!(site.led().await, ["u1 c2<c1", "u2 c2<c1", "u3 c2<c1", "u4 c2<c1"]);
}

async fn a_course_that_leads_to_itself_is_not_left(mut site: Site) {
    site.chained(&[(1, 1), (2, 3), (3, 2)]).await;
    for enrolid in [chain(1, 1), chain(2, 3), chain(3, 2)] {
        site.sets(enrolid, "customint5", Some(1)).await;
    }
    site.enrolled(1, 1, "manual").await;
    for number in 1..=3 {
        site.completes(1, number, NOW).await;
    }
    site.lead_on().await;
    assert_eq!(
        site.enrolments().await,
        [
            "u1 c1 coursecompleted now+0..0",
            "u1 c1 manual",
            "u1 c2 coursecompleted now+0..0",
            "u1 c3 coursecompleted now+0..0"
        ]
    );
}

async fn a_source_that_is_gone_is_told(mut site: Site) {
    site.chained(&[(2, 1), (3, 4)]).await;
    site.completes(1, 1, NOW).await;
    site.completes(1, 4, NOW).await;
    site.lead_on().await;
    site.course_deleted(1).await;
    site.sets(chain(3, 4), "customint1", None).await;
    let before = site.dump().await;
    let report = site.engine().sync(&SyncOrder::of("coursecompleted"), false).await.unwrap();
    assert_eq!(
        site.errors(&report).await,
        [format!("-{} source-gone", chain(3, 4)), format!("-{} source-gone", chain(2, 1))]
    );
    site.nothing_changed(&before, "the source is gone").await;
}

/// A second completion renews the window and the role; a suspended enrolment stays suspended (golden cc01).
async fn a_suspended_enrolment_stays_suspended(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "enrolperiod", Some(DAY)).await;
    site.enrolled_by(1, chain(2, 1), 1, (5, 7)).await;
    site.completes(1, 1, NOW - 10).await;
    let report = site.lead_on().await;
    assert_eq!(site.led().await, ["u1 c2<c1 suspended now+0..now+86400"]);
    assert_eq!(site.roles().await, ["u1 c2 student coursecompleted"]);
    assert_eq!((report.rules[0].changed, report.rules[0].reactivated), (1, 0));
}

async fn a_switched_off_method_is_skipped(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.methods("manual").await;
    site.completes(1, 1, NOW).await;
    site.lead_on().await;
    assert_eq!(site.led().await, [""; 0]);
    assert_eq!(site.ledger().await, [""; 0], "nothing is booked while nobody looks");
}

async fn deleted_users_are_left_out(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.completes(1, 1, NOW).await;
    site.deleted(1).await;
    site.completes(2, 1, NOW).await;
    site.sql("UPDATE {user} SET suspended = 1 WHERE id = 12").await;
    site.lead_on().await;
    assert_eq!(site.led().await, ["u2 c2<c1"], "a suspended account is enrolled, as in Moodle");
}

async fn statements_do_not_grow_with_users(mut site: Site) {
    site.chained(&[(2, 1)]).await;
    site.sets(chain(2, 1), "customint5", Some(1)).await;
    let mut first = 1_000;
    let mut counts = Vec::new();
    for many in [3, 300] {
        for id in first..first + many {
            site.insert("user", &[("id", id.into()), ("username", format!("x{id}").into()), ("mnethostid", 1.into())])
                .await;
            let ue = [("enrolid", instance("manual", 1).into()), ("userid", id.into())];
            site.insert("user_enrolments", &ue).await;
            let row = [("userid", id.into()), ("course", 21.into()), ("timecompleted", NOW.into())];
            site.insert("course_completions", &row).await;
        }
        first += many;
        let report = site.engine().sync(&SyncOrder::of("coursecompleted"), false).await.unwrap();
        assert_eq!((report.rules[0].added, report.rules[0].removed), (many, many));
        counts.push(report.statements);
    }
    assert_eq!(counts[0], counts[1]);
}
