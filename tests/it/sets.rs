//! Full sets of enrolments: the effect of a source's rows on its own instances, and what they leave alone.
//! It must not fetch anything; the rows are in the test.

use enrold::outcome::{Report, State};

use crate::campus::user;
use crate::golden_case::set_of;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    rows_are_enrolments_and_roles,
    who_is_no_longer_named_goes,
    two_roles_and_one_of_them_goes,
    other_users_have_roles_only,
    two_sources_own_parts_of_one_course,
    keys_of_nobody_protect_and_are_told,
    keys_of_several_protect,
    protected_accounts_stay,
    a_course_that_is_no_longer_named_is_emptied,
    hidden_courses_are_left_if_asked,
    windows_and_status_follow_the_set,
    groups_are_joined_made_and_left,
    groups_that_nobody_can_mean_are_told_and_let_nobody_out,
    absent_ones_are_suspended_first,
    who_is_back_in_time_is_active_again,
    linked_courses_follow,
    a_shrunken_set_is_held,
    an_empty_set_is_held_under_every_action,
    a_held_set_is_approved,
    a_held_set_is_rejected,
    a_disabled_method_is_skipped,
);

const DAY: i64 = 86_400;

impl Site {
    /// The campus with the method enabled, and a source of this name whose rows name users and courses by idnumber.
    pub async fn records(&mut self, source: &str) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        self.known(source);
    }

    fn known(&mut self, source: &str) {
        for (key, value) in
            [("files", "x*.csv"), ("user_key", "idnumber"), ("course_key", "idnumber"), ("default_role", "student")]
        {
            self.set(&format!("sources.{source}.{key}"), value);
        }
    }

    /// Applies a set of a source with proofs: a simulation changes nothing, the journal reverts the run, a second run
    /// changes nothing.
    pub async fn full_set(&mut self, source: &str, rows: &str) -> Report {
        let snapshot = self.write(rows).path;
        let order = set_of(source, &snapshot);
        let before = self.dump().await;
        let rehearsal = self.engine().apply_set(&order, true).await.unwrap();
        self.nothing_changed(&before, "a simulated set").await;
        let since = self.last_run().await;
        let report = self.engine().apply_set(&order, false).await.unwrap();
        if matches!(report.state, State::Held | State::Skipped) {
            self.nothing_changed(&before, "a set that is not applied").await;
            return report;
        }
        let after = self.proved(&before, since, &rehearsal, &report).await;
        self.engine().apply_set(&order, false).await.unwrap();
        self.nothing_changed(&after, "the same set again").await;
        report
    }
}

async fn rows_are_enrolments_and_roles(mut site: Site) {
    site.records("database").await;
    let report = site.full_set("database", "user,course,role\nu1,c1,student\nu2,c1,teacher\nu1,c2,\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u1 c2 database", "u2 c1 database"]);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u1 c2 student database", "u2 c1 teacher database"]);
    let rule = &report.rules[0];
    assert_eq!((rule.rule.as_str(), rule.added, rule.roles_added, rule.made), ("database", 3, 3, 2));
    assert_eq!((report.kind.as_str(), report.lines.records, report.errors), ("sync database", 3, 0));
}

async fn who_is_no_longer_named_goes(mut site: Site) {
    site.records("database").await;
    site.enrolled(3, 1, "manual").await;
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    let report = site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!((report.rules[0].removed, report.rules[0].roles_removed), (1, 1));
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u3 c1 manual"]);
    assert_eq!(site.roles().await, ["u1 c1 student database"]);
}

async fn two_roles_and_one_of_them_goes(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course,role\nu1,c1,student\nu1,c1,teacher\n").await;
    assert_eq!(site.roles().await, ["u1 c1 student database", "u1 c1 teacher database"]);
    site.full_set("database", "user,course,role\nu1,c1,teacher\n").await;
    assert_eq!((site.enrolments().await.len(), site.roles().await), (1, vec!["u1 c1 teacher database".to_owned()]));
}

async fn other_users_have_roles_only(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course,role,other\nu1,c1,teacher,1\nu2,c1,student,0\n").await;
    assert_eq!(site.enrolments().await, ["u2 c1 database"]);
    assert_eq!(site.roles().await, ["u1 c1 teacher database", "u2 c1 student database"]);
    // Moodle never removes the role of a user who is no longer in the set (spec database 7); enrold does.
    site.full_set("database", "user,course,role,other\nu2,c1,student,0\n").await;
    assert_eq!(site.roles().await, ["u2 c1 student database"]);
}

async fn two_sources_own_parts_of_one_course(mut site: Site) {
    site.records("database").await;
    site.known("sports");
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    site.full_set("sports", "user,course,role\nu2,c1,teacher\nu3,c1,teacher\n").await;
    let both = ["u1 c1 database", "u2 c1 database", "u2 c1 database", "u3 c1 database"];
    assert_eq!(site.enrolments().await, both);
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    assert_eq!(site.enrolments().await, both);
    site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database"]);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 teacher database", "u3 c1 teacher database"]);
}

async fn keys_of_nobody_protect_and_are_told(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    // A value in another case is no exact match, and the users whom it may mean lose nothing.
    let report = site.full_set("database", "user,course\nu1,c1\nU2,c1\nnobody,c1\nu1,nowhere\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database"]);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 student database"]);
    assert_eq!((report.state, report.errors), (State::DoneWithErrors, 3));
    let told: Vec<String> =
        report.problems.iter().map(|problem| format!("{} {} {}", problem.line, problem.code, problem.value)).collect();
    assert_eq!(told, ["3 user-unknown U2", "4 user-unknown nobody", "5 course-unknown nowhere"]);
}

async fn keys_of_several_protect(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course\nu1,c1\nu2,c1\nu3,c1\n").await;
    site.sql(&format!("UPDATE {{user}} SET idnumber = 'u2' WHERE id = {}", user(3))).await;
    let report = site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database"]);
    assert_eq!(report.problems[0].code.as_str(), "user-ambiguous");
}

async fn protected_accounts_stay(mut site: Site) {
    site.records("database").await;
    site.sql("UPDATE {user} SET idnumber = 'boss' WHERE id = 2").await;
    site.full_set("database", "user,course\nboss,c1\nu1,c1\nu2,c1\n").await;
    site.set("sources.database.protected", "u2");
    site.full_set("database", "user,course\nu3,c1\n").await;
    assert_eq!(site.enrolments().await, ["admin c1 database", "u2 c1 database", "u3 c1 database"]);
    assert_eq!(site.roles().await.len(), 3);
}

async fn a_course_that_is_no_longer_named_is_emptied(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course\nu1,c1\nu1,c2\n").await;
    site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database"]);
    assert_eq!(site.instances("database").await.len(), 2, "instances stay, as in Moodle");
}

async fn hidden_courses_are_left_if_asked(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course\nu1,c1\nu1,c2\n").await;
    site.sql("UPDATE {course} SET visible = 0 WHERE shortname = 'c2'").await;
    site.set("sources.database.ignore_hidden_courses", "true");
    site.full_set("database", "user,course\nu1,c1\nu2,c2\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u1 c2 database"]);
}

async fn windows_and_status_follow_the_set(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course,timestart,timeend,status\nu1,c1,2026-09-01,2027-06-30,active\nu2,c1,,,1\n")
        .await;
    let sql =
        "SELECT u.username, x.status, x.timestart, x.timeend FROM {user_enrolments} x JOIN {user} u ON u.id = x.userid";
    let line = |row: &enrold::db::Row| format!("{} {} {} {}", row.text(0), row.int(1), row.int(2), row.int(3));
    assert_eq!(site.lines(sql, line).await, ["u1 0 1788220800 1814399999", "u2 1 0 0"]);
    site.full_set("database", "user,course,timestart,timeend,status\nu1,c1,,,suspended\nu2,c1,2026-09-01,,0\n").await;
    assert_eq!(site.lines(sql, line).await, ["u1 1 0 0", "u2 0 1788220800 0"]);
}

async fn groups_are_joined_made_and_left(mut site: Site) {
    site.records("database").await;
    site.group(1, 1).await;
    site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,TD 2\n").await;
    assert_eq!(site.group_members().await, ["u1 g1 database"]);
    site.set("sources.database.create_groups", "true");
    site.full_set("database", "user,course,group\nu1,c1,g1\nu1,c1,TD 2\nu2,c1,TD 2\n").await;
    assert_eq!(site.group_members().await, ["u1 TD 2 database", "u1 g1 database", "u2 TD 2 database"]);
    site.full_set("database", "user,course,group\nu1,c1,TD 2\nu2,c1,\n").await;
    assert_eq!(site.group_members().await, ["u1 TD 2 database"]);
}

async fn groups_that_nobody_can_mean_are_told_and_let_nobody_out(mut site: Site) {
    site.records("database").await;
    site.group(1, 1).await;
    site.group(2, 1).await;
    site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,g1\nu3,c1,g2\n").await;
    site.sql("UPDATE {groups} SET name = 'TD' WHERE name = 'g1'").await;
    let report = site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,g1\nu3,c1,\n").await;
    assert_eq!(site.group_members().await, ["u1 TD database", "u2 TD database"]);
    let told = |report: &Report| {
        report
            .problems
            .iter()
            .map(|told| format!("{} {} {}", told.code.as_str(), told.value, told.hint))
            .collect::<Vec<_>>()
    };
    assert_eq!((told(&report), report.lines.failed), (vec!["group-unknown g1 c1".to_owned()], 0), "once for both rows");
    site.sql("UPDATE {groups} SET name = 'g1'").await;
    let report = site.full_set("database", "user,course,group\nu1,c1,g1\nu2,c1,\n").await;
    assert_eq!(site.group_members().await, ["u1 g1 database"]);
    assert_eq!(told(&report), ["group-ambiguous g1 c1"]);
    site.set("sources.database.create_groups", "true");
    let report = site.full_set("database", "user,course,group\nu2,c1,TD 2\n").await;
    assert!(report.problems.is_empty(), "it is made");
}

async fn absent_ones_are_suspended_first(mut site: Site) {
    site.records("database").await;
    site.set("sources.database.removal_grace", "3d");
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    let report = site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!((report.rules[0].suspended, report.rules[0].removed), (1, 0));
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database suspended"]);
    assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 student database"]);
    site.at(NOW + 3 * DAY - 1);
    site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await.len(), 2);
    site.at(NOW + 3 * DAY);
    let report = site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!((report.rules[0].suspended, report.rules[0].removed), (0, 1));
    assert_eq!(site.enrolments().await, ["u1 c1 database"]);
    assert_eq!(site.roles().await, ["u1 c1 student database"]);
}

async fn who_is_back_in_time_is_active_again(mut site: Site) {
    site.records("database").await;
    site.set("sources.database.removal_grace", "3d");
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    site.full_set("database", "user,course\nu1,c1\n").await;
    site.at(NOW + 2 * DAY);
    site.full_set("database", "user,course\nu1,c1\nu2,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database"]);
    site.at(NOW + 4 * DAY);
    // A new absence gets the whole time again.
    site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database suspended"]);
}

async fn linked_courses_follow(mut site: Site) {
    site.records("database").await;
    site.plugin_setting("enrol_meta", "unenrolaction", Some("0")).await;
    site.link(2, 1).await;
    let report = site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u1 c2 meta"]);
    assert!(report.rules[1].consequence && report.rules[1].rule == "meta");
    site.full_set("database", "user,course\nu2,c1\n").await;
    assert_eq!(site.enrolments().await, ["u2 c1 database", "u2 c2 meta"]);
}

fn many(rows: i64) -> String {
    (1..=rows).fold("user,course\n".to_owned(), |text, number| {
        format!("{text}u{},c{}\n", (number - 1) % 9 + 1, (number - 1) / 9 + 1)
    })
}

async fn a_shrunken_set_is_held(mut site: Site) {
    site.records("database").await;
    site.set("guard.mode", "hold");
    site.full_set("database", &many(20)).await;
    let report = site.full_set("database", &many(13)).await;
    assert_eq!(report.state, State::Held);
    let breach = report.breaches.iter().find(|breach| breach.what == "fewer-rows").unwrap();
    assert_eq!((breach.count, breach.of, breach.limit.as_str()), (13, 20, "-30 %"));
    let report = site.full_set("database", &many(27)).await;
    assert_eq!(report.state, State::Done, "27 are not twice as many as 20");
}

async fn an_empty_set_is_held_under_every_action(mut site: Site) {
    site.records("database").await;
    site.set("guard.mode", "hold");
    site.full_set("database", &many(5)).await;
    for action in ["unenrol", "suspend", "suspendnoroles", "keep"] {
        site.set("sources.database.unenrolaction", action);
        let report = site.full_set("database", "user,course\n").await;
        assert_eq!((report.state, report.breaches[0].what.as_str()), (State::Held, "empty"), "{action}");
    }
}

async fn a_held_set_is_approved(mut site: Site) {
    site.records("database").await;
    site.set("guard.mode", "hold");
    site.full_set("database", &many(20)).await;
    let held = site.full_set("database", &many(2)).await;
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!((report.state, report.rules[0].removed), (State::Done, 18));
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database"]);
}

async fn a_held_set_is_rejected(mut site: Site) {
    site.records("database").await;
    site.set("guard.mode", "hold");
    site.full_set("database", &many(20)).await;
    let before = site.dump().await;
    let held = site.full_set("database", &many(2)).await;
    site.engine().reject(held.run).await.unwrap();
    site.nothing_changed(&before, "a rejected set").await;
}

async fn a_disabled_method_is_skipped(mut site: Site) {
    site.records("database").await;
    site.methods("manual").await;
    let report = site.full_set("database", "user,course\nu1,c1\n").await;
    assert_eq!(report.state, State::Skipped);
    assert_eq!(site.instances("database").await.len(), 0);
}
