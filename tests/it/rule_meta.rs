//! Meta links, scenarios 1 to 10 of spec meta 9: enrolled users, their roles, and changes in the source.
//! It must not write tables; the faculty does.

use enrold::outcome::Report;

use crate::campus::{context, instance};
use crate::faculty::{group, link};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    disabled_method_is_skipped,
    no_link_nothing_to_do,
    one_course_then_all,
    syncall_lets_in_who_has_no_role,
    suspended_who_left_keep_their_roles,
    suspended_who_left_lose_their_roles,
    unenrolled_who_left,
    kept_who_left,
    without_syncall_a_role_decides,
    who_comes_back_is_active_again,
    who_comes_back_has_the_roles_again,
    a_suspended_source_suspends,
    gone_source_is_told_and_nobody_is_removed,
    gone_source_of_a_disabled_link_is_not_told,
    links_are_no_evidence,
    a_link_to_itself_is_ignored,
    a_membership_passes_to_another_link,
);

/// Four courses, `c3` linked to `c1` and `c2`, `c4` to `c2`; managers are not copied.
async fn linked_courses(site: &mut Site, syncall: &str, action: &str) {
    site.campus().await;
    site.courses_up_to(4).await;
    site.plugin_setting("enrol_meta", "syncall", Some(syncall)).await;
    site.plugin_setting("enrol_meta", "nosyncroleids", Some("1")).await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some(action)).await;
    for (who, whither, role) in [
        (1, 1, "student"),
        (2, 1, "student"),
        (3, 1, ""),
        (4, 1, "teacher"),
        (5, 1, "manager"),
        (1, 2, "student"),
        (2, 2, "teacher"),
    ] {
        site.enrolled(who, whither, "manual").await;
        if !role.is_empty() {
            site.has_role(who, whither, role, "manual").await;
        }
    }
    site.link(3, 1).await;
    site.link(3, 2).await;
    site.link(4, 2).await;
}

/// The roles that links assigned.
async fn copies(site: &mut Site) -> Vec<String> {
    let mut roles = site.roles().await;
    roles.retain(|role| role.ends_with(" meta"));
    roles
}

/// Removes the enrolment and the manual roles of `uN` in a course.
async fn leaves(site: &mut Site, who: i64, whither: i64) {
    site.unenrolled(who, instance("manual", whither)).await;
    for role in ["student", "teacher"] {
        site.unassigned(who, context(whither), role).await;
    }
}

fn counted(report: &Report) -> [i64; 6] {
    let rule = report.rules.iter().find(|rule| rule.rule == "meta").unwrap();
    [rule.added, rule.changed + rule.reactivated, rule.suspended, rule.removed, rule.roles_added, rule.roles_removed]
}

async fn disabled_method_is_skipped(mut site: Site) {
    linked_courses(&mut site, "1", "3").await;
    site.methods("manual,cohort").await;
    site.rule("meta").await;
    assert_eq!(site.linked().await, [""; 0]);
}

async fn no_link_nothing_to_do(mut site: Site) {
    site.campus().await;
    site.enrolled(1, 1, "manual").await;
    let report = site.rule("meta").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn one_course_then_all(mut site: Site) {
    linked_courses(&mut site, "0", "3").await;
    site.rule_in("meta", "c4").await;
    assert_eq!(site.linked().await, ["u1 c4<c2", "u2 c4<c2"]);
    assert_eq!(copies(&mut site).await, ["u1 c4 student meta", "u2 c4 teacher meta"]);

    let report = site.rule("meta").await;
    // u3 has no role, u5 one that is not copied.
    let expected = ["u1 c3<c1", "u1 c3<c2", "u1 c4<c2", "u2 c3<c1", "u2 c3<c2", "u2 c4<c2", "u4 c3<c1"];
    assert_eq!(site.linked().await, expected);
    let expected = [
        "u1 c3 student meta",
        "u1 c3 student meta",
        "u1 c4 student meta",
        "u2 c3 student meta",
        "u2 c3 teacher meta",
        "u2 c4 teacher meta",
        "u4 c3 teacher meta",
    ];
    assert_eq!(copies(&mut site).await, expected);
    assert_eq!(counted(&report), [5, 0, 0, 0, 5, 0]);
}

async fn syncall_lets_in_who_has_no_role(mut site: Site) {
    linked_courses(&mut site, "0", "3").await;
    site.rule("meta").await;
    let roles = copies(&mut site).await;
    site.plugin_setting("enrol_meta", "syncall", None).await;
    let report = site.rule("meta").await;
    assert_eq!(counted(&report), [2, 0, 0, 0, 0, 0]);
    assert!(site.linked().await.contains(&"u3 c3<c1".to_owned()));
    assert!(site.linked().await.contains(&"u5 c3<c1".to_owned()));
    assert_eq!(copies(&mut site).await, roles);
}

async fn suspended_who_left_keep_their_roles(mut site: Site) {
    linked_courses(&mut site, "0", "2").await;
    site.rule("meta").await;
    let roles = copies(&mut site).await;
    leaves(&mut site, 1, 1).await;
    leaves(&mut site, 1, 2).await;

    site.rule_in("meta", "c4").await;
    let mine = |lines: Vec<String>| lines.into_iter().filter(|line| line.starts_with("u1")).collect::<Vec<_>>();
    assert_eq!(mine(site.linked().await), ["u1 c3<c1", "u1 c3<c2", "u1 c4<c2 suspended"]);
    site.rule("meta").await;
    let expected = ["u1 c3<c1 suspended", "u1 c3<c2 suspended", "u1 c4<c2 suspended"];
    assert_eq!(mine(site.linked().await), expected);
    assert_eq!(copies(&mut site).await, roles);

    // The setting changes: in one target at a time, users who are already suspended lose their roles.
    site.plugin_setting("enrol_meta", "unenrolaction", Some("3")).await;
    site.rule_in("meta", "c4").await;
    assert_eq!(mine(copies(&mut site).await), ["u1 c3 student meta", "u1 c3 student meta"]);
    site.rule("meta").await;
    assert_eq!(mine(copies(&mut site).await), [""; 0]);
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.rule("meta").await;
    assert_eq!(mine(site.linked().await), [""; 0]);
}

async fn suspended_who_left_lose_their_roles(mut site: Site) {
    linked_courses(&mut site, "1", "3").await;
    site.rule("meta").await;
    leaves(&mut site, 4, 1).await;
    let report = site.rule("meta").await;
    assert_eq!(counted(&report), [0, 0, 1, 0, 0, 1]);
    assert!(site.linked().await.contains(&"u4 c3<c1 suspended".to_owned()));
}

async fn unenrolled_who_left(mut site: Site) {
    linked_courses(&mut site, "1", "0").await;
    site.rule("meta").await;
    leaves(&mut site, 1, 1).await;
    site.rule("meta").await;
    let mine: Vec<_> = site.linked().await.into_iter().filter(|line| line.starts_with("u1")).collect();
    assert_eq!(mine, ["u1 c3<c2", "u1 c4<c2"], "the other link still holds");
    assert!(copies(&mut site).await.contains(&"u1 c3 student meta".to_owned()));
}

async fn kept_who_left(mut site: Site) {
    linked_courses(&mut site, "1", "1").await;
    site.rule("meta").await;
    leaves(&mut site, 4, 1).await;
    let report = site.rule("meta").await;
    // The enrolment stays; the role is removed, because no user in the source has it any more.
    assert_eq!(counted(&report), [0, 0, 0, 0, 0, 1]);
    assert!(site.linked().await.contains(&"u4 c3<c1".to_owned()));
}

async fn without_syncall_a_role_decides(mut site: Site) {
    linked_courses(&mut site, "1", "0").await;
    site.rule("meta").await;
    assert!(site.linked().await.contains(&"u3 c3<c1".to_owned()));
    site.plugin_setting("enrol_meta", "syncall", Some("0")).await;
    site.rule("meta").await;
    let lacks = |lines: Vec<String>, who: &str| lines.iter().all(|line| !line.starts_with(who));
    assert!(lacks(site.linked().await, "u3") && lacks(site.linked().await, "u5"));

    site.has_role(3, 1, "teacher", "manual").await;
    site.rule("meta").await;
    assert!(site.linked().await.contains(&"u3 c3<c1".to_owned()));
    assert!(copies(&mut site).await.contains(&"u3 c3 teacher meta".to_owned()));
    site.unassigned(3, context(1), "teacher").await;
    site.rule("meta").await;
    assert!(lacks(site.linked().await, "u3") && lacks(copies(&mut site).await, "u3"));
}

async fn who_comes_back_is_active_again(mut site: Site) {
    comes_back(&mut site, "2", [0, 1, 0, 0, 0, 0]).await;
}

async fn who_comes_back_has_the_roles_again(mut site: Site) {
    comes_back(&mut site, "3", [0, 1, 0, 0, 1, 0]).await;
}

/// u4 leaves the source, whose link suspends as `action` says, and returns: the state is as before, by these changes.
async fn comes_back(site: &mut Site, action: &str, changes: [i64; 6]) {
    linked_courses(site, "1", action).await;
    site.rule("meta").await;
    let (enrolments, roles) = (site.linked().await, copies(site).await);
    leaves(site, 4, 1).await;
    site.rule("meta").await;
    site.enrolled(4, 1, "manual").await;
    site.has_role(4, 1, "teacher", "manual").await;
    let report = site.rule("meta").await;
    assert_eq!(counted(&report), changes);
    assert_eq!((site.linked().await, copies(site).await), (enrolments, roles));
}

async fn a_suspended_source_suspends(mut site: Site) {
    linked_courses(&mut site, "1", "2").await;
    site.rule("meta").await;
    let roles = copies(&mut site).await;
    site.changes(4, instance("manual", 1), 1, (0, 0)).await;
    site.rule("meta").await;
    assert!(site.linked().await.contains(&"u4 c3<c1 suspended".to_owned()));
    assert_eq!(copies(&mut site).await, roles);

    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    let report = site.rule("meta").await;
    // A user who is suspended in the source has not left it, whatever the action for users who leave.
    assert_eq!(counted(&report), [0, 0, 0, 0, 0, 1]);
    assert!(site.linked().await.contains(&"u4 c3<c1 suspended".to_owned()));
}

async fn gone_source_is_told_and_nobody_is_removed(mut site: Site) {
    linked_courses(&mut site, "1", "0").await;
    site.rule("meta").await;
    let enrolments = site.linked().await.iter().filter(|line| line.ends_with("c3<c1")).count();
    site.course_deleted(1).await;
    let report = site.rule("meta").await;
    assert_eq!(site.errors(&report).await, [format!("{} source-gone", -link(3, 1))]);
    assert!(report.counts.is_empty(), "{:?}", report.counts);
    assert_eq!(site.linked().await.iter().filter(|line| line.contains("c3<-")).count(), enrolments);
}

async fn gone_source_of_a_disabled_link_is_not_told(mut site: Site) {
    linked_courses(&mut site, "1", "3").await;
    site.rule("meta").await;
    site.course_deleted(1).await;
    site.status(link(3, 1), 1).await;
    let report = site.rule("meta").await;
    assert_eq!(site.errors(&report).await, [""; 0]);
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

async fn links_are_no_evidence(mut site: Site) {
    site.campus().await;
    for (target, source) in [(2, 1), (3, 2), (1, 3), (2, 3)] {
        site.link(target, source).await;
    }
    for who in 1..=3 {
        site.enrolled(who, who, "manual").await;
        site.has_role(who, who, "student", "manual").await;
    }
    site.rule("meta").await;
    assert_eq!(site.linked().await, ["u1 c2<c1", "u2 c3<c2", "u3 c1<c3", "u3 c2<c3"]);
}

async fn a_link_to_itself_is_ignored(mut site: Site) {
    site.campus().await;
    site.enrolled(1, 1, "manual").await;
    site.link(1, 1).await;
    site.enrolled_by(2, link(1, 1), 0, (0, 0)).await;
    let report = site.rule("meta").await;
    assert!(report.counts.is_empty(), "{:?}", report.counts);
}

/// The membership of a group passes from one link to another in one run, and with it that of the conversation.
async fn a_membership_passes_to_another_link(mut site: Site) {
    linked_courses(&mut site, "1", "3").await;
    site.group(1, 3).await;
    let talk = [
        ("id", 9001.into()),
        ("component", "core_group".into()),
        ("itemtype", "groups".into()),
        ("itemid", group(1).into()),
        ("contextid", context(3).into()),
    ];
    site.insert("message_conversations", &talk).await;
    site.uses_group(link(3, 1), 1).await;
    site.uses_group(link(3, 2), 1).await;
    site.rule("meta").await;
    let all = ["u1", "u2", "u3", "u4", "u5"];
    assert_eq!(talkers(&mut site).await, all);
    assert_eq!(site.group_members().await, all.map(|who| format!("{who} g1 meta")));

    site.uses_group(link(3, 1), 0).await;
    site.rule("meta").await;
    assert_eq!(site.group_members().await, ["u1 g1 meta", "u2 g1 meta"]);
    assert_eq!(talkers(&mut site).await, ["u1", "u2"]);
}

/// The members of conversations.
async fn talkers(site: &mut Site) -> Vec<String> {
    let sql = "SELECT u.username FROM {message_conversation_members} m JOIN {user} u ON u.id = m.userid";
    site.lines(sql, |row| row.text(0)).await
}
