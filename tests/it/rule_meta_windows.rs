//! Meta links, scenarios 11 to 18 of spec meta 9 and related ones: windows, evidence, groups, deleted accounts.
//! It must not write tables; the faculty does.

use enrold::outcome::State;

use crate::campus::{context, instance};
use crate::faculty::link;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    windows_are_those_of_the_source,
    windows_follow_the_source,
    a_disabled_source_instance_suspends_and_gives_back,
    evidence_merges_to_the_widest_window,
    suspended_evidence_lends_no_dates,
    methods_that_are_off_are_no_evidence,
    a_method_switched_off_is_held,
    roles_of_other_components_are_not_copied,
    a_disabled_link_adds_nobody_but_follows,
    deleted_accounts_are_left_alone,
    groups_by_link,
    membership_by_hand_is_left,
    members_move_with_the_setting,
    a_group_that_is_not_there_is_no_obstacle,
    who_is_suspended_stays_in_the_group,
    without_syncall_the_suspended_have_no_dates,
    without_syncall_kept_ones_follow_the_source,
);

const PAST: i64 = NOW - 1000;
const FUTURE: i64 = NOW + 1000;

/// `c2` linked to `c1`, at first without enrolments.
async fn one_link(site: &mut Site, action: &str) {
    site.campus().await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some(action)).await;
    site.link(2, 1).await;
}

async fn student(site: &mut Site, who: i64, status: i64, window: (i64, i64)) {
    site.enrolled_by(who, instance("manual", 1), status, window).await;
    site.has_role(who, 1, "student", "manual").await;
}

async fn windows_are_those_of_the_source(mut site: Site) {
    one_link(&mut site, "3").await;
    let windows = [(0, 0), (PAST, 0), (0, FUTURE), (PAST, FUTURE)];
    for (who, window) in (1..).zip(windows) {
        student(&mut site, who, 0, window).await;
    }
    student(&mut site, 5, 1, (0, 0)).await;
    site.rule("meta").await;
    let expected = [
        "u1 c2<c1",
        "u2 c2<c1 now-1000..0",
        "u3 c2<c1 0..now+1000",
        "u4 c2<c1 now-1000..now+1000",
        "u5 c2<c1 suspended",
    ];
    assert_eq!(site.linked().await, expected.map(str::to_owned));
}

async fn windows_follow_the_source(mut site: Site) {
    one_link(&mut site, "3").await;
    site.link(3, 1).await;
    student(&mut site, 1, 0, (0, 0)).await;
    site.rule("meta").await;
    site.changes(1, instance("manual", 1), 0, (PAST, FUTURE)).await;
    site.rule_in("meta", "c2").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1000..now+1000", "u1 c3<c1"], "only one target is synchronised");
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1000..now+1000", "u1 c3<c1 now-1000..now+1000"]);
    // Changes in the target are reverted too.
    site.changes(1, link(2, 1), 1, (5, 7)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1000..now+1000", "u1 c3<c1 now-1000..now+1000"]);
}

async fn a_disabled_source_instance_suspends_and_gives_back(mut site: Site) {
    one_link(&mut site, "3").await;
    student(&mut site, 1, 0, (PAST, FUTURE)).await;
    student(&mut site, 2, 1, (PAST, 0)).await;
    site.rule("meta").await;
    let (before, roles) = (site.linked().await, site.roles().await);
    assert_eq!(before, ["u1 c2<c1 now-1000..now+1000", "u2 c2<c1 suspended"]);
    site.status(instance("manual", 1), 1).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 suspended", "u2 c2<c1 suspended"], "no evidence that counts, no dates");
    site.status(instance("manual", 1), 0).await;
    site.rule("meta").await;
    assert_eq!((site.linked().await, site.roles().await), (before, roles));
}

async fn evidence_merges_to_the_widest_window(mut site: Site) {
    one_link(&mut site, "3").await;
    site.instance("self", 1, 0, "student").await;
    for (who, by_hand, by_self) in
        [(1, (PAST, FUTURE), (PAST - 5, FUTURE + 5)), (2, (PAST, FUTURE), (FUTURE, 0)), (3, (0, PAST), (PAST, FUTURE))]
    {
        student(&mut site, who, 0, by_hand).await;
        site.enrolled_by(who, instance("self", 1), 0, by_self).await;
    }
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1005..now+1005", "u2 c2<c1 now-1000..0", "u3 c2<c1 0..now+1000"]);
}

async fn suspended_evidence_lends_no_dates(mut site: Site) {
    one_link(&mut site, "3").await;
    site.instance("self", 1, 0, "student").await;
    student(&mut site, 1, 1, (0, 0)).await;
    site.enrolled_by(1, instance("self", 1), 0, (PAST, FUTURE)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1000..now+1000"]);
    site.changes(1, instance("self", 1), 1, (PAST, FUTURE)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 suspended"]);
}

async fn methods_that_are_off_are_no_evidence(mut site: Site) {
    one_link(&mut site, "3").await;
    site.instance("paypal", 1, 0, "student").await;
    site.enrolled_by(1, instance("paypal", 1), 0, (0, 0)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, [""; 0]);
}

async fn a_method_switched_off_is_held(mut site: Site) {
    one_link(&mut site, "0").await;
    site.instance("self", 1, 0, "student").await;
    for who in 1..=8 {
        site.enrolled_by(who, instance("self", 1), 0, (0, 0)).await;
    }
    site.rule("meta").await;
    site.methods("manual,meta").await;
    site.set("guard.mode", "hold");
    site.set("guard.run.removals_max", "7");
    let before = site.dump().await;
    let report = site.rule_once("meta").await;
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "a held run").await;
}

async fn roles_of_other_components_are_not_copied(mut site: Site) {
    one_link(&mut site, "3").await;
    site.enrolled(1, 1, "manual").await;
    site.assigned(1, context(1), "student", ("mod_lti", 5), 1).await;
    site.enrolled(2, 1, "manual").await;
    site.assigned(2, context(1), "teacher", ("enrol_self", instance("self", 1)), 1).await;
    site.assigned(2, context(1), "student", ("enrol_paypal", 9), 1).await;
    site.rule("meta").await;
    assert_eq!(
        site.roles().await.iter().filter(|line| line.ends_with(" meta")).collect::<Vec<_>>(),
        ["u2 c2 teacher meta"]
    );

    // A copy that Moodle's observer made of such a role stays, and so does its user where a role is required.
    site.assigned(1, context(2), "student", ("enrol_meta", link(2, 1)), 1).await;
    site.plugin_setting("enrol_meta", "syncall", Some("0")).await;
    let report = site.rule("meta").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
    site.unassigned(1, context(1), "student").await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 suspended", "u2 c2<c1"]);
}

async fn a_disabled_link_adds_nobody_but_follows(mut site: Site) {
    one_link(&mut site, "3").await;
    student(&mut site, 1, 0, (0, 0)).await;
    student(&mut site, 2, 0, (0, 0)).await;
    site.rule("meta").await;
    site.status(link(2, 1), 1).await;
    student(&mut site, 3, 0, (0, 0)).await;
    site.changes(1, instance("manual", 1), 0, (PAST, FUTURE)).await;
    site.unenrolled(2, instance("manual", 1)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 now-1000..now+1000", "u2 c2<c1 suspended"]);
    assert!(site.roles().await.iter().all(|line| !line.ends_with(" meta")), "a disabled link gives no roles");
}

async fn deleted_accounts_are_left_alone(mut site: Site) {
    one_link(&mut site, "3").await;
    student(&mut site, 1, 0, (PAST, FUTURE)).await;
    student(&mut site, 2, 0, (0, 0)).await;
    site.enrolled_by(2, link(2, 1), 0, (5, 7)).await;
    site.deleted(1).await;
    site.deleted(2).await;
    let report = site.rule("meta").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn groups_by_link(mut site: Site) {
    one_link(&mut site, "0").await;
    site.link(2, 3).await;
    site.group(1, 2).await;
    site.group(2, 2).await;
    site.uses_group(link(2, 1), 1).await;
    site.uses_group(link(2, 3), 2).await;
    student(&mut site, 1, 0, (0, 0)).await;
    site.enrolled(1, 3, "manual").await;
    site.enrolled(2, 3, "manual").await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g1 meta", "u1 g2 meta", "u2 g2 meta"]);

    site.unenrolled(1, instance("manual", 1)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c3", "u2 c2<c3"]);
    assert_eq!(site.group_members().await, ["u1 g2 meta", "u2 g2 meta"]);
    site.unenrolled(1, instance("manual", 3)).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u2 g2 meta"]);

    // A member that a teacher removed is added again.
    site.out_of_group(2, 2).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u2 g2 meta"]);
}

async fn membership_by_hand_is_left(mut site: Site) {
    one_link(&mut site, "0").await;
    site.group(1, 2).await;
    site.uses_group(link(2, 1), 1).await;
    site.enrolled(4, 2, "manual").await;
    site.in_group(4, 1, ("", 0)).await;
    student(&mut site, 1, 0, (0, 0)).await;
    student(&mut site, 4, 0, (0, 0)).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g1 meta", "u4 g1 manual"]);
    for who in [1, 4] {
        site.unenrolled(who, instance("manual", 1)).await;
    }
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u4 g1 manual"]);
}

async fn members_move_with_the_setting(mut site: Site) {
    one_link(&mut site, "3").await;
    site.group(1, 2).await;
    site.group(2, 2).await;
    site.uses_group(link(2, 1), 1).await;
    student(&mut site, 1, 0, (0, 0)).await;
    site.rule("meta").await;
    site.uses_group(link(2, 1), 2).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g2 meta"]);
    site.sql("UPDATE {enrol} SET customint2 = NULL WHERE enrol = 'meta'").await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g2 meta"], "no group at all was ever chosen: nobody leaves");
    site.uses_group(link(2, 1), 0).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, [""; 0]);
}

async fn a_group_that_is_not_there_is_no_obstacle(mut site: Site) {
    one_link(&mut site, "3").await;
    site.link(3, 1).await;
    site.group(1, 2).await;
    site.uses_group(link(2, 1), 9).await;
    // A group of another course.
    site.uses_group(link(3, 1), 1).await;
    student(&mut site, 1, 0, (0, 0)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1", "u1 c3<c1"]);
    assert_eq!(site.group_members().await, [""; 0]);
}

async fn who_is_suspended_stays_in_the_group(mut site: Site) {
    one_link(&mut site, "3").await;
    site.group(1, 2).await;
    site.uses_group(link(2, 1), 1).await;
    student(&mut site, 1, 0, (0, 0)).await;
    site.rule("meta").await;
    site.unenrolled(1, instance("manual", 1)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1 suspended"]);
    assert_eq!(site.group_members().await, ["u1 g1 meta"]);
    site.out_of_group(1, 1).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g1 meta"]);
}

async fn without_syncall_the_suspended_have_no_dates(mut site: Site) {
    let ended = ["u1 c2<c1 suspended", "u2 c2<c1 suspended now-1000..now+1000", "u3 c2<c1 suspended now-1000..now-5"];
    loses_the_role(&mut site, "3", ended).await;
}

async fn without_syncall_kept_ones_follow_the_source(mut site: Site) {
    let kept = ["u1 c2<c1 suspended", "u2 c2<c1 now-1000..now+1000", "u3 c2<c1 now-1000..now+1000"];
    loses_the_role(&mut site, "1", kept).await;
}

/// `syncall` 0: three users lose their role in the source. The dates of the first, who is suspended there, and of the
/// last, whose enrolment there is over, are those of the source, as with a role; the other's stay, as in Moodle.
async fn loses_the_role(site: &mut Site, action: &str, expected: [&str; 3]) {
    one_link(site, action).await;
    site.plugin_setting("enrol_meta", "syncall", Some("0")).await;
    for who in 1..=3 {
        student(site, who, 0, (PAST, FUTURE)).await;
    }
    site.rule("meta").await;
    assert_eq!(site.linked().await, [1, 2, 3].map(|who| format!("u{who} c2<c1 now-1000..now+1000")));
    for who in 1..=3 {
        site.unassigned(who, context(1), "student").await;
    }
    site.changes(1, instance("manual", 1), 1, (PAST, FUTURE)).await;
    site.changes(2, instance("manual", 1), 0, (5, FUTURE)).await;
    site.changes(3, instance("manual", 1), 0, (PAST, NOW - 5)).await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, expected);
}
