//! Which matching users are enrolled: limits, windows, periods, and several instances of one course (spec autoenrol 4).
//! It must not write tables; the campus of `autoenrol.rs` does.

use enrold::db::Value;

use crate::autoenrol::{ALWAYS, changes, department, suspend};
use crate::campus::{instance, role};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    the_first_instance_of_a_course_takes_whom_it_may,
    the_limit_is_kept_by_user_id,
    who_leaves_makes_room,
    closed_and_outside_the_window,
    a_period_ends_after_the_run,
);

async fn the_first_instance_of_a_course_takes_whom_it_may(mut site: Site) {
    site.autoenrol_campus().await;
    let everybody = ("customtext2", Value::from(""));
    site.autoenrols_as(901, 1, &[("customint5", 2.into())]).await;
    site.autoenrols_as(902, 1, &[("roleid", role("teacher").into())]).await;
    site.autoenrols_as(
        903,
        1,
        &[everybody.clone(), ALWAYS, ("customint5", 1.into()), ("roleid", role("manager").into())],
    )
    .await;
    site.autoenrols_as(904, 1, &[everybody, ("roleid", role("guest").into())]).await;
    site.rule("autoenrol").await;
    let mut roles = site.roles().await;
    roles.sort();
    let expected = [
        "u1 c1 manager manual",
        "u1 c1 student manual",
        "u2 c1 student manual",
        "u3 c1 teacher manual",
        "u4 c1 teacher manual",
        "u5 c1 guest manual",
        "u6 c1 guest manual",
        "u7 c1 guest manual",
        "u8 c1 guest manual",
        "u9 c1 guest manual",
    ];
    assert_eq!(roles, expected);
}

/// Scenario 4: suspended enrolments and those that no longer match count towards the limit too.
async fn the_limit_is_kept_by_user_id(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("customint5", 3.into())]).await;
    site.enrolled(3, 1, "autoenrol").await;
    suspend(&mut site, 3, instance("autoenrol", 1)).await;
    site.insert("user_enrolments", &[("enrolid", instance("autoenrol", 1).into()), ("userid", 2.into())]).await;
    site.rule("autoenrol").await;
    let found = site.enrolments().await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("u1 c1 autoenrol now")), "{found:?}");
}

async fn who_leaves_makes_room(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("customint5", 2.into())]).await;
    site.autoenrols_as(1201, 1, &[("customtext2", department("Blue").into())]).await;
    site.enrolled(8, 1, "autoenrol").await;
    site.enrolled(9, 1, "autoenrol").await;
    site.profile(9, "department", "Blue").await;
    site.rule("autoenrol").await;
    let found: Vec<String> = site.enrolments().await.iter().map(|line| line[..2].to_owned()).collect();
    assert_eq!(found, ["u1", "u2", "u9"], "two by the first instance, and who left it came to the other");
}

/// Scenario 4: existing enrolments are checked anyway.
async fn closed_and_outside_the_window(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("customint4", 0.into())]).await;
    site.autoenrols(2, &[("enrolstartdate", (NOW + 1).into())]).await;
    site.autoenrols(3, &[("enrolenddate", (NOW - 1).into())]).await;
    for number in 1..=3 {
        site.enrolled(1, number, "autoenrol").await;
        site.enrolled(9, number, "autoenrol").await;
    }
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await, ["u1 c1 autoenrol", "u1 c2 autoenrol", "u1 c3 autoenrol"]);
    site.sql(
        "UPDATE {enrol} SET enrolstartdate = :now, enrolenddate = :now WHERE enrol = 'autoenrol' AND id > 1101"
            .replace(":now", &NOW.to_string())
            .as_str(),
    )
    .await;
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await.len(), 3 + 3 + 3, "the edges of the window belong to it");
}

async fn a_period_ends_after_the_run(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("enrolperiod", 3600.into()), ("customint5", 1.into())]).await;
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await, ["u1 c1 autoenrol now+0..now+3600"]);
    site.at(NOW + 50);
    assert_eq!(changes(&site.rule("autoenrol").await), 0, "dates are given once");
}
