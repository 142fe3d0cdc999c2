//! Autoenrol without groups: the scenarios of spec autoenrol 10, and defects of Moodle that enrold does not repeat.
//! It must not write tables; the campus and the faculty do.

use enrold::db::Value;
use enrold::outcome::{Report, State};
use enrold::problem::Code;

use crate::campus::{course, instance, role, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    who_fits_is_enrolled_as_if_by_hand,
    on_opening_at_login_and_by_button,
    who_is_enrolled_otherwise,
    who_no_longer_fits_is_unenrolled,
    who_no_longer_fits_is_kept,
    who_no_longer_fits_is_suspended,
    suspended_without_roles_loses_the_role,
    who_fits_again,
    an_enrolment_that_is_over_stays_suspended,
    administrators_guest_and_deleted_accounts_are_left_alone,
    a_disabled_instance_is_left_alone,
    a_rule_that_cannot_be_used_stops_its_instance_alone,
    rules_of_which_moodle_drops_a_part,
    everybody_without_a_rule,
    one_course_alone,
    a_role_that_does_not_exist,
    rules_about_the_course_differ_by_course,
    what_another_rule_did_counts,
    who_is_enrolled_is_welcomed_once,
);

/// `customint4`: the instance accepts new users.
const OPEN: (&str, Value) = ("customint4", Value::Int(1));
pub const ALWAYS: (&str, Value) = ("customint8", Value::Int(1));

/// A rule: the department equals this text.
pub fn department(is: &str) -> String {
    format!(r#"{{"op":"&","c":[{{"type":"profile","sf":"department","op":"isequalto","v":"{is}"}}],"showc":[true]}}"#)
}

impl Site {
    /// The campus with autoenrol enabled; `u1` to `u4` have the department Red, the others none.
    pub async fn autoenrol_campus(&mut self) {
        self.campus().await;
        self.methods("manual,cohort,meta,autoenrol").await;
        for who in 1..=4 {
            self.profile(who, "department", "Red").await;
        }
    }

    /// An open instance in `cN` for the department Red, with further columns.
    pub async fn autoenrols(&mut self, number: i64, set: &[(&'static str, Value)]) {
        self.autoenrols_as(instance("autoenrol", number), number, set).await;
    }

    pub async fn autoenrols_as(&mut self, id: i64, number: i64, set: &[(&'static str, Value)]) {
        let mut row = vec![
            ("id", id.into()),
            ("enrol", "autoenrol".into()),
            ("courseid", course(number).into()),
            ("roleid", role("student").into()),
            ("customtext2", department("Red").into()),
            OPEN,
        ];
        row.retain(|(name, _)| set.iter().all(|(other, _)| other != name));
        row.extend(set.iter().cloned());
        self.insert("enrol", &row).await;
        self.reset_sequences_of(&["enrol"]).await;
    }

    pub async fn autoenrol_setting(&mut self, name: &'static str, value: &str) {
        self.plugin_setting("enrol_autoenrol", name, Some(value)).await;
    }
}

pub fn changes(report: &Report) -> i64 {
    report.counts.values().sum()
}

pub async fn suspend(site: &mut Site, who: i64, enrolid: i64) {
    site.sql(&format!(
        "UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {} AND enrolid = {enrolid}",
        user(who)
    ))
    .await;
}

async fn who_fits_is_enrolled_as_if_by_hand(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[]).await;
    site.sql(&format!("UPDATE {{user}} SET suspended = 1 WHERE id = {}", user(3))).await;
    site.sql(&format!("UPDATE {{user}} SET confirmed = 0 WHERE id = {}", user(4))).await;
    let report = site.rule("autoenrol").await;
    assert_eq!(report.state, State::Done);
    let enrolled = ["u1", "u2", "u3", "u4"].map(|who| format!("{who} c1 autoenrol now+0..now-0"));
    let found = site.enrolments().await;
    assert_eq!(found.len(), enrolled.len(), "{found:?}");
    assert!(found[0].starts_with("u1 c1 autoenrol now+0.."), "{found:?}");
    assert_eq!(
        site.roles().await,
        ["u1 c1 student manual", "u2 c1 student manual", "u3 c1 student manual", "u4 c1 student manual"]
    );
    assert_eq!(report.rules[0].added, 4);
}

/// Scenarios 1 and 2: the task enrols for 0 and 1, never for 2; existing enrolments are checked for all three.
async fn on_opening_at_login_and_by_button(mut site: Site) {
    site.autoenrol_campus().await;
    for when in 0..=2 {
        site.autoenrols(when + 1, &[("customint1", when.into()), ("customint5", 1.into())]).await;
    }
    site.enrolled(9, 3, "autoenrol").await;
    site.rule("autoenrol").await;
    let found = site.enrolments().await;
    assert!(found[0].starts_with("u1 c1") && found[1].starts_with("u1 c2") && found.len() == 2, "{found:?}");
}

/// Scenario 3: any other enrolment in the course prevents an autoenrolment, unless `customint8` is set.
async fn who_is_enrolled_otherwise(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[]).await;
    site.autoenrols(2, &[ALWAYS]).await;
    for number in [1, 2] {
        site.enrolled(1, number, "manual").await;
        site.enrolled(2, number, "manual").await;
        suspend(&mut site, 2, instance("manual", number)).await;
    }
    site.rule("autoenrol").await;
    let by_autoenrol = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.contains("autoenrol")).map(|line| line[..5].to_owned()).collect()
    };
    assert_eq!(by_autoenrol(site.enrolments().await), ["u1 c2", "u2 c2", "u3 c1", "u3 c2", "u4 c1", "u4 c2"]);
}

/// `u1`, `u8` and `u9` are autoenrolled as students; `u8` and `u9` no longer match, and `u8` is also enrolled by hand.
async fn some_fit_no_longer(site: &mut Site, action: &str) {
    site.autoenrol_campus().await;
    site.autoenrol_setting("autounenrolaction", action).await;
    site.autoenrols(1, &[("customint4", 0.into())]).await;
    for who in [1, 8, 9] {
        site.enrolled(who, 1, "autoenrol").await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.enrolled(8, 1, "manual").await;
    site.has_role(9, 1, "teacher", "manual").await;
}

/// Scenario 5, unenrol: the end of the last enrolment removes all roles; otherwise the role stays.
async fn who_no_longer_fits_is_unenrolled(mut site: Site) {
    some_fit_no_longer(&mut site, "0").await;
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await, ["u1 c1 autoenrol", "u8 c1 manual"]);
    assert_eq!(site.roles().await, ["u1 c1 student manual", "u8 c1 student manual"]);
}

async fn who_no_longer_fits_is_kept(mut site: Site) {
    some_fit_no_longer(&mut site, "1").await;
    assert_eq!(changes(&site.rule("autoenrol").await), 0);
}

async fn who_no_longer_fits_is_suspended(mut site: Site) {
    some_fit_no_longer(&mut site, "2").await;
    site.rule("autoenrol").await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 autoenrol", "u8 c1 autoenrol suspended", "u8 c1 manual", "u9 c1 autoenrol suspended"]
    );
    assert_eq!(site.roles().await.len(), 4);
}

/// Scenario 5, suspend without roles: Moodle removes roles of a kind that autoenrol never assigns, that is, none.
async fn suspended_without_roles_loses_the_role(mut site: Site) {
    some_fit_no_longer(&mut site, "3").await;
    site.rule("autoenrol").await;
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 autoenrol", "u8 c1 autoenrol suspended", "u8 c1 manual", "u9 c1 autoenrol suspended"]
    );
    let left = ["u1 c1 student manual", "u8 c1 student manual", "u9 c1 teacher manual"];
    assert_eq!(site.roles().await, left, "u8 has another active enrolment, and a teacher's role is not the instance's");
}

/// Scenario 6.
async fn who_fits_again(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[]).await;
    site.enrolled(1, 1, "autoenrol").await;
    suspend(&mut site, 1, instance("autoenrol", 1)).await;
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await[0], "u1 c1 autoenrol suspended");
    site.autoenrol_setting("allowunsuspend", "1").await;
    let report = site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await[0], "u1 c1 autoenrol");
    assert_eq!(report.rules[0].reactivated, 1);
    assert!(site.roles().await.contains(&"u1 c1 student manual".to_owned()), "with the role that it may have lost");
}

/// In Moodle the rule activates such an enrolment, and the expiration suspends it ten minutes later.
async fn an_enrolment_that_is_over_stays_suspended(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrol_setting("allowunsuspend", "1").await;
    site.autoenrols(1, &[("customint4", 0.into())]).await;
    for (who, end) in [(1, NOW - 1), (2, NOW + 1), (3, 0)] {
        site.enrolled_until(who, 1, "autoenrol", end).await;
        suspend(&mut site, who, instance("autoenrol", 1)).await;
    }
    site.rule("autoenrol").await;
    let found = site.enrolments().await;
    assert!(found[0].starts_with("u1 c1 autoenrol suspended"), "{found:?}");
    assert!(found[1..].iter().all(|line| !line.contains("suspended")), "{found:?}");
}

/// Scenario 12.
async fn administrators_guest_and_deleted_accounts_are_left_alone(mut site: Site) {
    site.autoenrol_campus().await;
    site.sql("UPDATE {user} SET department = 'Red' WHERE id IN (1, 2)").await;
    site.deleted(4).await;
    site.autoenrols(1, &[]).await;
    site.autoenrols(2, &[("customtext2", department("Blue").into())]).await;
    site.enrolled(4, 2, "autoenrol").await;
    for id in [1, 2] {
        site.insert("user_enrolments", &[("enrolid", instance("autoenrol", 2).into()), ("userid", id.into())]).await;
    }
    site.rule("autoenrol").await;
    let found: Vec<String> =
        site.enrolments().await.iter().map(|line| line.split(" auto").next().unwrap().to_owned()).collect();
    assert_eq!(found, ["admin c2", "guest c2", "u1 c1", "u2 c1", "u3 c1", "u4 c2"]);
}

async fn a_disabled_instance_is_left_alone(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("status", 1.into())]).await;
    site.enrolled(9, 1, "autoenrol").await;
    assert_eq!(changes(&site.rule("autoenrol").await), 0);
}

/// Moodle unenrols all users of such an instance (golden a04).
async fn a_rule_that_cannot_be_used_stops_its_instance_alone(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("customtext2", r#"{"op":"&","c":["#.into())]).await;
    site.autoenrols(2, &[]).await;
    site.autoenrols(3, &[("customtext2", r#"{"op":"&","c":[{"type":"role","id":5}],"showc":[true]}"#.into())]).await;
    for number in 1..=3 {
        site.enrolled(9, number, "autoenrol").await;
    }
    let report = site.rule("autoenrol").await;
    assert_eq!(report.state, State::DoneWithErrors);
    let found: Vec<String> = site.enrolments().await.iter().map(|line| line[..5].to_owned()).collect();
    assert_eq!(found, ["u1 c2", "u2 c2", "u3 c2", "u4 c2", "u9 c1", "u9 c3"]);
    assert_eq!(site.errors(&report).await, ["-1103 rule-unusable", "-1101 rule-unusable"]);
    let problem = &report.problems[0];
    assert_eq!((problem.code, problem.value.as_str()), (Code::RuleUnusable, "c3"));
    assert_eq!(problem.hint, "condition 1: the condition \"role\" is not one that enrold knows");
}

/// Scenario 9: a deleted field, and a condition that is switched off.
async fn rules_of_which_moodle_drops_a_part(mut site: Site) {
    site.autoenrol_campus().await;
    let rule =
        |op: &str, condition: &str, shown: &str| Value::from(format!(r#"{{"op":"{op}","c":[{condition}],{shown}}}"#));
    let gone = r#"{"type":"profile","cf":"gone","op":"isempty"}"#;
    site.autoenrols(1, &[("customtext2", rule("&", gone, r#""showc":[true]"#))]).await;
    site.autoenrols(2, &[("customtext2", rule("!&", gone, r#""show":true"#))]).await;
    site.autoenrols(3, &[("customtext2", rule("&", r#"{"type":"cohort","id":7}"#, r#""showc":[true]"#))]).await;
    site.plugin_setting("availability_cohort", "disabled", Some("1")).await;
    for number in 1..=3 {
        site.enrolled(9, number, "autoenrol").await;
    }
    let report = site.rule("autoenrol").await;
    assert_eq!((changes(&report), report.errors), (0, 3));
    let hints: Vec<&str> = report.problems.iter().map(|problem| problem.hint.as_str()).collect();
    assert_eq!(
        hints,
        [
            "the condition \"cohort\" is disabled on this site",
            "the custom profile field \"gone\" does not exist",
            "the custom profile field \"gone\" does not exist"
        ]
    );
}

async fn everybody_without_a_rule(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("customtext2", "".into())]).await;
    site.autoenrols(2, &[("customtext2", "0".into())]).await;
    site.autoenrols(3, &[("customtext2", Value::Sql("NULL".to_owned()))]).await;
    assert_eq!(site.rule("autoenrol").await.rules[0].added, 27);
}

async fn one_course_alone(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[]).await;
    site.autoenrols(2, &[]).await;
    site.rule_in("autoenrol", "c2").await;
    let found = site.enrolments().await;
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|line| line.contains("c2")), "{found:?}");
}

async fn a_role_that_does_not_exist(mut site: Site) {
    site.autoenrol_campus().await;
    site.autoenrols(1, &[("roleid", 0.into())]).await;
    site.autoenrols(2, &[("roleid", 99.into())]).await;
    assert_eq!(site.rule("autoenrol").await.rules[0].added, 8);
    assert_eq!(site.roles().await, Vec::<String>::new());
}

/// The same rule in several courses: users who completed the course of the instance.
async fn rules_about_the_course_differ_by_course(mut site: Site) {
    site.autoenrol_campus().await;
    let completed = r#"{"op":"&","c":[{"type":"coursecompleted","id":"1"}],"showc":[true]}"#;
    for number in 1..=3 {
        site.autoenrols(number, &[("customtext2", completed.into())]).await;
    }
    for (who, number) in [(1, 1), (2, 2), (3, 2)] {
        let row = [("userid", user(who).into()), ("course", course(number).into()), ("timecompleted", 5.into())];
        site.insert("course_completions", &row).await;
    }
    site.rule("autoenrol").await;
    let found: Vec<String> = site.enrolments().await.iter().map(|line| line[..5].to_owned()).collect();
    assert_eq!(found, ["u1 c1", "u2 c2", "u3 c2"]);
}

/// A user leaves a cohort: the blocking cohort enrolment ends, and autoenrol follows in the same run.
async fn what_another_rule_did_counts(mut site: Site) {
    site.autoenrol_campus().await;
    site.set("tasks.autoenrol.enabled", "true");
    site.autoenrols(1, &[("customint5", 1.into())]).await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    site.rule("autoenrol").await;
    assert_eq!(site.enrolments().await.iter().filter(|line| line.starts_with("u1 c1 cohort")).count(), 1);
    site.sql("DELETE FROM {user_enrolments} WHERE enrolid = 1101").await;
    site.leaves(1, 1).await;
    site.rule("cohort").await;
    let found = site.enrolments().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("u1 c1 autoenrol"), "{found:?}");
}

/// An instance with a welcome message queues it with the enrolment; a simulation and a second run queue none.
async fn who_is_enrolled_is_welcomed_once(mut site: Site) {
    site.autoenrol_campus().await;
    site.set("smtp.enabled", "true");
    site.autoenrols(1, &[("customint7", 1.into())]).await;
    site.autoenrols(2, &[("customint7", 0.into())]).await;
    site.enrolled(1, 1, "autoenrol").await;
    site.rule("autoenrol").await;
    let queued = site
        .lines("SELECT u.username, o.courseid FROM {enrold_outbox} o JOIN {user} u ON u.id = o.userid", |row| {
            format!("{} {}", row.text(0), row.int(1) - course(0))
        });
    assert_eq!(queued.await, ["u2 1", "u3 1", "u4 1"]);
}
