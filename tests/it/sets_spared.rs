//! Users whom a full set must not remove: those of unusable rows, those in a course that a wrong key may mean; and what
//! a waiting enrolment keeps. It must not fetch anything; SQLite only, because the properties run on each database.

use enrold::db::Dialect;

use crate::servers::run_on;
use crate::site::{NOW, Site};

const DAY: i64 = 86_400;

#[test]
fn a_row_that_is_refused_protects_whom_it_names() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        site.set("sources.database.default_role", "");
        let good = "u1,c1,student,\nu2,c1,student,\nu3,c1,student,\nu4,c1,student,\n";
        site.full_set("database", &format!("user,course,role,timeend\n{good}")).await;
        let rows = "u1,c1,student,\nu2,c1,studnet,\nU3,,student,\nu4,c1,student,soon\n";
        let report = site.full_set("database", &format!("user,course,role,timeend\n{rows}")).await;
        assert_eq!((site.enrolments().await.len(), site.roles().await.len(), report.errors), (4, 4, 3));
        // A key that no column can hold is no key: it may be several rows that a quote has joined, so nobody leaves.
        let long = "x".repeat(300);
        let rows = format!("u1,c1,student,\n{long},c1,studnet,\n");
        site.full_set("database", &format!("user,course,role,timeend\n{rows}")).await;
        assert_eq!(site.enrolments().await.len(), 4);
    });
}

#[test]
fn a_key_that_may_mean_a_course_lets_others_in() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
        site.full_set("database", "user,course\nu1,c1\nu3,c1\nu4,C1\n").await;
        assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database"]);
        assert_eq!(site.roles().await.len(), 3);
    });
}

#[test]
fn who_waits_keeps_the_groups() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        site.group(1, 1).await;
        site.set("sources.database.removal_grace", "3d");
        site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,g1\n").await;
        site.full_set("database", "user,course,group\nu1,c1,\n").await;
        assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database suspended"]);
        assert_eq!(site.group_members().await, ["u2 g1 database"], "who is named without the group leaves it");
        site.at(NOW + 3 * DAY);
        site.full_set("database", "user,course,group\nu1,c1,\n").await;
        assert_eq!((site.enrolments().await.len(), site.group_members().await.len()), (1, 0));
    });
}

/// A user with a role alone loses it at once; a user who from now on has no more than that is suspended and keeps it.
#[test]
fn another_user_has_no_time_of_grace() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        site.set("sources.database.removal_grace", "3d");
        site.full_set("database", "user,course,role,other\nu1,c1,teacher,1\nu2,c1,teacher,\nu3,c1,student,\n").await;
        let now = "user,course,role,other\nu2,c1,teacher,1\nu3,c1,student,\n";
        site.full_set("database", now).await;
        assert_eq!(site.enrolments().await, ["u2 c1 database suspended", "u3 c1 database"]);
        assert_eq!(site.roles().await, ["u2 c1 teacher database", "u3 c1 student database"]);
        site.at(NOW + 3 * DAY);
        site.full_set("database", now).await;
        assert_eq!(site.enrolments().await, ["u3 c1 database"]);
        assert_eq!(site.roles().await, ["u2 c1 teacher database", "u3 c1 student database"]);
    });
}

#[test]
fn a_role_without_enrolment_has_no_window() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        let rows = "u1,c1,student,,2026-09-01,2027-06-30\nu1,c1,teacher,1,,\n";
        site.full_set("database", &format!("user,course,role,other,timestart,timeend\n{rows}")).await;
        assert_eq!(site.enrolments().await, ["u1 c1 database 1788220800..1814399999"]);
    });
}

#[test]
fn a_group_name_of_several_lets_nobody_out() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.records("database").await;
        site.group(1, 1).await;
        site.full_set("database", "user,course,group\nu1,c1,g1\n").await;
        site.group(2, 1).await;
        site.sql("UPDATE {groups} SET name = 'g1'").await;
        site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,g1\n").await;
        assert_eq!(site.group_members().await, ["u1 g1 database"]);
    });
}

#[test]
fn who_is_spared_stays_a_member_of_the_source() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.promotions("promo").await;
        site.cohort(1, &[]).await;
        site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
        site.full_set("promo", "user,cohort\nu1,h1\nU2,h1\n").await;
        site.full_set("promo", "user,cohort\nu1,h1\n").await;
        assert_eq!(site.members().await, ["u1 h1"]);
    });
}

#[test]
fn a_key_that_may_mean_a_cohort_keeps_its_members() {
    run_on(Dialect::Lite, async |mut site: Site| {
        site.promotions("promo").await;
        site.cohort(1, &[]).await;
        site.full_set("promo", "user,cohort\nu1,h1\nu2,h1\n").await;
        site.full_set("promo", "user,cohort\nu1,h1\nu2,H1\nu3,h1\n").await;
        assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h1"]);
        site.full_set("promo", "user,cohort\nu1,h1\n").await;
        assert_eq!(site.members().await, ["u1 h1"]);
    });
}
