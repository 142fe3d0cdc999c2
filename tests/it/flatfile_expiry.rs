//! Flat-file enrolments whose end has passed (spec flatfile 11.9, enrol-core 14), under each `expiredaction`.
//! It must not test other methods' expirations.

use crate::campus::{instance, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    keep_changes_nothing,
    suspend_keeps_the_roles,
    suspend_without_roles_takes_them,
    unenrol_takes_everything,
    roles_by_hand_follow_the_rules,
    an_end_in_the_past_is_enrolled_and_expires,
);

/// Nine enrolments and ten roles; `u1`, `u2` and `u3` have expired, `u3` in a disabled instance (flatfile 11.9).
async fn nine(site: &mut Site, action: &str) {
    site.campus().await;
    site.setting("expiredaction", Some(action)).await;
    site.instance("flatfile", 1, 0, "student").await;
    site.instance("flatfile", 2, 0, "teacher").await;
    site.instance("flatfile", 3, 1, "student").await;
    for (who, whither, role, method, end) in [
        (1, 1, "student", "flatfile", NOW - 1),
        (2, 2, "teacher", "flatfile", NOW - 60),
        (3, 3, "student", "flatfile", NOW - 60),
        (4, 1, "student", "flatfile", NOW),
        (5, 1, "student", "flatfile", 0),
        (6, 1, "student", "flatfile", NOW + 60),
        (6, 2, "student", "flatfile", 0),
        (7, 2, "teacher", "flatfile", 0),
        (8, 3, "student", "manual", NOW - 60),
    ] {
        site.enrolled_until(who, whither, method, end).await;
        site.has_role(who, whither, role, method).await;
    }
    site.has_role(1, 2, "manager", "manual").await;
}

async fn keep_changes_nothing(mut site: Site) {
    nine(&mut site, "1").await;
    let before = site.dump().await;
    site.sync().await;
    site.nothing_changed(&before, "KEEP").await;
}

async fn suspend_keeps_the_roles(mut site: Site) {
    nine(&mut site, "2").await;
    let roles = site.roles().await;
    site.sync().await;
    assert_eq!(site.roles().await, roles);
    assert_eq!(suspended(&mut site).await, ["u1 c1 flatfile", "u2 c2 flatfile", "u3 c3 flatfile"]);
}

async fn suspend_without_roles_takes_them(mut site: Site) {
    nine(&mut site, "3").await;
    site.sync().await;
    assert_eq!(suspended(&mut site).await, ["u1 c1 flatfile", "u2 c2 flatfile", "u3 c3 flatfile"]);
    assert_eq!(site.enrolments().await.len(), 9);
    assert_eq!(
        site.roles().await,
        [
            "u1 c2 manager manual",
            "u4 c1 student flatfile",
            "u5 c1 student flatfile",
            "u6 c1 student flatfile",
            "u6 c2 student flatfile",
            "u7 c2 teacher flatfile",
            "u8 c3 student manual",
        ]
    );
}

/// A suspended enrolment expires too, and a role by hand in the course ends with the last enrolment (flatfile 11.9).
async fn unenrol_takes_everything(mut site: Site) {
    nine(&mut site, "0").await;
    site.has_role(1, 1, "manager", "manual").await;
    site.sql("UPDATE {user_enrolments} SET status = 1 WHERE userid = 12").await;
    site.sync().await;
    assert_eq!(site.enrolments().await.len(), 6);
    assert_eq!(
        site.roles().await,
        [
            "u1 c2 manager manual",
            "u4 c1 student flatfile",
            "u5 c1 student flatfile",
            "u6 c1 student flatfile",
            "u6 c2 student flatfile",
            "u7 c2 teacher flatfile",
            "u8 c3 student manual",
        ]
    );
}

/// A single manual role is removed, of several the one that the instance names; below, if none is left (enrol-core 14).
async fn roles_by_hand_follow_the_rules(mut site: Site) {
    site.campus().await;
    site.instance("flatfile", 1, 0, "student").await;
    for who in 1..=4 {
        site.enrolled_until(who, 1, "flatfile", NOW - 1).await;
        site.has_role_below(who, 1, "teacher").await;
    }
    site.has_role(1, 1, "manager", "manual").await;
    site.has_role(2, 1, "student", "manual").await;
    site.has_role(2, 1, "manager", "manual").await;
    site.has_role(3, 1, "student", "flatfile").await;
    site.has_role(3, 1, "manager", "manual").await;
    site.sync().await;
    assert_eq!(suspended(&mut site).await.len(), 4);
    assert_eq!(
        site.roles().await,
        ["u2 c1 manager manual", "u2 c1/below teacher manual", "u3 c1 manager manual", "u3 c1/below teacher manual"]
    );
}

/// The import enrols, the next sync suspends, and further syncs change nothing (flatfile 9).
async fn an_end_in_the_past_is_enrolled_and_expires(mut site: Site) {
    site.campus().await;
    site.import(&format!("add,student,u1,c1,0,{}\n", NOW - 5)).await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 0..now-5"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile"]);
    site.at(NOW + 1);
    site.sync().await;
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile suspended 0..now-5"]);
    assert_eq!(site.roles().await, [""; 0]);
    let dump = site.dump().await;
    let row = &dump["user_enrolments"][0];
    assert_eq!(row["timemodified"], Some((NOW + 1).to_string()));
    assert_eq!(row["timecreated"], Some(NOW.to_string()));
    assert_eq!(row["userid"], Some(user(1).to_string()));
    assert_ne!(row["enrolid"], Some(instance("manual", 1).to_string()));
}

async fn suspended(site: &mut Site) -> Vec<String> {
    let all = site.enrolments().await;
    let suspended = all.iter().filter(|line| line.contains(" suspended"));
    suspended.map(|line| line.split(" suspended").next().unwrap_or_default().to_owned()).collect()
}
