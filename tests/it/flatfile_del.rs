//! `del` lines (spec flatfile 6 and 11.5 to 11.7): which enrolments they end, depending on the role in the line.
//! It must not test what is removed with the last enrolment in a course.

use enrold::outcome::State;

use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    keep_does_nothing_but_the_buffer,
    suspend_takes_the_roles,
    unenrol_takes_the_enrolments,
    the_role_is_a_guard,
    only_the_first_instance_acts_while_other_roles_remain,
    without_a_role_all_instances_act,
    protected_methods_stand,
    own_scope_ends_only_flat_file_enrolments,
    suspend_without_taking_roles_is_no_choice,
    a_missing_setting_means_the_documented_default,
    the_configuration_overrides_the_site,
    a_suspended_enrolment_is_left_alone_by_suspend,
    leftover_roles_below_go,
    nobody_knows_the_user,
);

const DEL: &str = "del,student,u1,c1\ndel,wizard,u1,c1\ndel,student,u9,c1\ndel,student,u6,c2\ndel,ucitel,u5,c3\n";

/// Eight enrolments with eight roles, most of them by the flat file (flatfile 11.6).
async fn eight(site: &mut Site) {
    site.campus().await;
    site.setting("map_4", Some("ucitel")).await;
    for number in 1..=3 {
        site.instance("flatfile", number, 0, "student").await;
    }
    for (who, whither, role, method) in [
        (1, 1, "student", "flatfile"),
        (1, 1, "teacher", "manual"),
        (2, 2, "teacher", "flatfile"),
        (3, 1, "student", "flatfile"),
        (4, 2, "student", "flatfile"),
        (5, 3, "teacher", "manual"),
        (6, 2, "student", "flatfile"),
        (6, 3, "student", "flatfile"),
    ] {
        site.enrolled(who, whither, method).await;
        site.has_role(who, whither, role, method).await;
    }
}

/// KEEP: only the buffer loses the named triple; an unknown alias is an error (flatfile 11.5).
async fn keep_does_nothing_but_the_buffer(mut site: Site) {
    eight(&mut site).await;
    site.setting("unenrolaction", Some("1")).await;
    site.import(&format!("add,student,u7,c3,{}\n", NOW + 100)).await;
    let (enrolments, roles) = (site.enrolments().await, site.roles().await);
    let report = site.import("del,student,u1,c1\ndel,teacher,u7,c3\n").await;
    assert_eq!(site.errors(&report).await, ["2 role-unknown"]);
    assert_eq!(site.buffer().await.len(), 1);
    site.import("del,student,u7,c3\n").await;
    assert_eq!(site.buffer().await, [""; 0]);
    assert_eq!((site.enrolments().await, site.roles().await), (enrolments, roles));
}

/// SUSPENDNOROLES reaches manual enrolments too; a role of another method stays (flatfile 11.6).
async fn suspend_takes_the_roles(mut site: Site) {
    eight(&mut site).await;
    let report = site.import(DEL).await;
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!(site.errors(&report).await, ["2 role-unknown"]);
    assert_eq!(
        site.enrolments().await,
        [
            "u1 c1 flatfile suspended",
            "u1 c1 manual",
            "u2 c2 flatfile",
            "u3 c1 flatfile",
            "u4 c2 flatfile",
            "u5 c3 manual suspended",
            "u6 c2 flatfile suspended",
            "u6 c3 flatfile",
        ]
    );
    assert_eq!(
        site.roles().await,
        [
            "u1 c1 teacher manual",
            "u2 c2 teacher flatfile",
            "u3 c1 student flatfile",
            "u4 c2 student flatfile",
            "u6 c3 student flatfile",
        ]
    );
}

/// After a new `add`, UNENROL with the same lines: five enrolments and five roles are left (flatfile 11.7).
async fn unenrol_takes_the_enrolments(mut site: Site) {
    eight(&mut site).await;
    site.import(DEL).await;
    site.import("add,student,u1,c1\nadd,student,u6,c2\n").await;
    site.has_role(5, 3, "teacher", "manual").await;
    assert_eq!(site.roles().await.len(), 8);
    site.setting("unenrolaction", Some("0")).await;
    site.import(DEL).await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 manual", "u2 c2 flatfile", "u3 c1 flatfile", "u4 c2 flatfile", "u6 c3 flatfile"]
    );
    assert_eq!(
        site.roles().await,
        [
            "u1 c1 teacher manual",
            "u2 c2 teacher flatfile",
            "u3 c1 student flatfile",
            "u4 c2 student flatfile",
            "u6 c3 student flatfile",
        ]
    );
}

/// A line with a role that the user does not have changes nothing (flatfile 6.3).
async fn the_role_is_a_guard(mut site: Site) {
    eight(&mut site).await;
    site.setting("unenrolaction", Some("0")).await;
    let before = site.dump().await;
    site.import("del,student,u2,c2\ndel,ucitel,u3,c1\ndel,student,u5,c3\n").await;
    site.nothing_changed(&before, "other roles are named").await;
}

/// Manual and self with two roles: the first instance removes the named role, the second finds only another role.
async fn only_the_first_instance_acts_while_other_roles_remain(mut site: Site) {
    site.campus().await;
    site.instance("self", 1, 0, "student").await;
    for who in [1, 2] {
        site.enrolled(who, 1, "manual").await;
        site.enrolled(who, 1, "self").await;
        site.has_role(who, 1, "student", "manual").await;
        site.has_role(who, 1, "teacher", "manual").await;
        site.has_role_below(who, 1, "student").await;
    }
    site.import("del,student,u1,c1\n").await;
    site.setting("unenrolaction", Some("0")).await;
    site.import("del,student,u2,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 manual suspended", "u1 c1 self", "u2 c1 self"]);
    assert_eq!(site.roles().await, ["u1 c1 teacher manual", "u2 c1 teacher manual"]);
}

/// With one role or none, every instance that allows it is processed (flatfile 6.3).
async fn without_a_role_all_instances_act(mut site: Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.instance("self", 1, 0, "student").await;
    site.instance("flatfile", 1, 0, "student").await;
    for who in [1, 2] {
        for method in ["manual", "self", "flatfile"] {
            site.enrolled(who, 1, method).await;
        }
    }
    site.has_role(1, 1, "student", "manual").await;
    site.import("del,student,u1,c1\ndel,student,u2,c1\n").await;
    assert_eq!(site.enrolments().await, [""; 0]);
    assert_eq!(site.roles().await, [""; 0]);
}

/// Cohort and meta allow removal of suspended enrolments only, a disabled plugin of none (enrol-core 2).
async fn protected_methods_stand(mut site: Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    site.sql("UPDATE {config} SET value = 'manual,cohort,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    for method in ["self", "cohort", "meta"] {
        site.instance(method, 1, 0, "student").await;
    }
    for (who, method) in [(1, "cohort"), (2, "cohort"), (3, "meta"), (4, "self")] {
        site.enrolled(who, 1, method).await;
    }
    site.has_role(1, 1, "student", "cohort").await;
    site.sql("UPDATE {user_enrolments} SET status = 1 WHERE userid IN (12, 13)").await;
    site.import("del,student,u1,c1\ndel,student,u2,c1\ndel,student,u3,c1\ndel,student,u4,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u3 c1 meta suspended", "u4 c1 self"]);
    assert_eq!(site.roles().await, ["u1 c1 student cohort"]);
}

/// `flatfile.del_scope = own`: enrolments of other methods stay, with their roles.
async fn own_scope_ends_only_flat_file_enrolments(mut site: Site) {
    eight(&mut site).await;
    site.set("flatfile.del_scope", "own");
    site.setting("unenrolaction", Some("0")).await;
    site.has_role(1, 1, "student", "manual").await;
    site.has_role_below(9, 1, "student").await;
    site.import(DEL).await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 manual", "u2 c2 flatfile", "u3 c1 flatfile", "u4 c2 flatfile", "u5 c3 manual", "u6 c3 flatfile"]
    );
    assert_eq!(
        site.roles().await,
        [
            "u1 c1 student manual",
            "u1 c1 teacher manual",
            "u2 c2 teacher flatfile",
            "u3 c1 student flatfile",
            "u4 c2 student flatfile",
            "u5 c3 teacher manual",
            "u6 c3 student flatfile",
            "u9 c1/below student manual",
        ]
    );
}

/// 2 is not one of the flat file's choices; a value that Moodle's form cannot store does nothing (flatfile 2).
async fn suspend_without_taking_roles_is_no_choice(mut site: Site) {
    eight(&mut site).await;
    site.setting("unenrolaction", Some("2")).await;
    let before = site.dump().await;
    site.import("del,student,u3,c1\n").await;
    site.nothing_changed(&before, "unenrolaction 2").await;
}

/// Moodle unenrols by mistake where the setting has no row; the documented default is to suspend.
async fn a_missing_setting_means_the_documented_default(mut site: Site) {
    eight(&mut site).await;
    site.setting("unenrolaction", None).await;
    site.import("del,student,u3,c1\n").await;
    assert!(site.enrolments().await.contains(&"u3 c1 flatfile suspended".to_owned()));
    assert_eq!(site.roles().await.len(), 7);
}

async fn the_configuration_overrides_the_site(mut site: Site) {
    eight(&mut site).await;
    site.set("flatfile.unenrolaction", "unenrol");
    site.import("del,student,u3,c1\n").await;
    assert_eq!(site.enrolments().await.len(), 7);
    site.set("flatfile.unenrolaction", "keep");
    site.import("del,student,u4,c2\n").await;
    assert_eq!(site.enrolments().await.len(), 7);
}

/// Already suspended: unchanged, the roles stay (flatfile 6.3).
async fn a_suspended_enrolment_is_left_alone_by_suspend(mut site: Site) {
    eight(&mut site).await;
    site.sql("UPDATE {user_enrolments} SET status = 1").await;
    let before = site.dump().await;
    site.import("del,student,u3,c1\n").await;
    site.nothing_changed(&before, "suspended already").await;
}

/// No enrolment was changed and no role in the course is left: manual roles below it are removed (flatfile 6.4).
async fn leftover_roles_below_go(mut site: Site) {
    eight(&mut site).await;
    site.has_role_below(9, 1, "teacher").await;
    site.has_role_below(2, 2, "student").await;
    site.import("del,student,u9,c1\ndel,student,u2,c2\n").await;
    let roles = site.roles().await;
    assert!(!roles.contains(&"u9 c1/below teacher manual".to_owned()), "no role in the course");
    assert!(roles.contains(&"u2 c2/below student manual".to_owned()), "a role in the course protects");
}

async fn nobody_knows_the_user(mut site: Site) {
    eight(&mut site).await;
    site.sql("UPDATE {user} SET deleted = 1 WHERE username = 'u3'").await;
    site.sql("UPDATE {user} SET idnumber = 'u4' WHERE username = 'u5'").await;
    let before = site.dump().await;
    let report = site.import("del,student,u3,c1\ndel,student,u4,c2\ndel,student,u1,c9\ndel,student,u1,\n").await;
    assert_eq!(
        site.errors(&report).await,
        ["1 user-unknown", "2 user-ambiguous", "3 course-unknown", "4 empty-identifier"]
    );
    site.nothing_changed(&before, "nobody is guessed").await;
}
