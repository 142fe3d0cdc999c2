//! Cohort files: commands in their order, whole memberships, removed cohorts, values that change, and what follows.
//! It must not compare with Moodle: `golden_files.rs` does.

use std::sync::Arc;

use enrold::config::{CohortKey, FileKind, Profile, Update, UserKey};
use enrold::front::{Front, Who};
use enrold::outcome::{Observer, Report, State};
use enrold::run::Import;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    rows_of_a_user_count_in_their_order,
    a_file_names_all_members,
    unknown_users_keep_those_whom_they_may_mean,
    a_row_that_cannot_be_read_keeps_all,
    a_cohort_is_removed_with_its_methods,
    methods_are_disabled_where_enrolments_stay,
    del_without_users_removes_cohorts,
    a_wrong_person_removes_nothing,
    a_cohort_that_loses_too_many_is_held,
    values_change_as_the_profile_says,
    new_cohorts_change_only_if_told,
    other_keys,
    administrators_are_left_alone,
    many_rows_take_no_more_statements,
    cohorts_are_listed,
);

impl Site {
    pub async fn cohort_campus(&mut self) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        self.plugin_setting("enrol_cohort", "unenrolaction", Some("0")).await;
        self.insert("course_categories", &[("id", 1.into()), ("name", "Sciences".into()), ("path", "/1".into())]).await;
    }

    pub fn cohort_file(&mut self, profile: Profile, text: &str) -> Import {
        Import { profile: Some(Arc::new(profile)), ..self.write(text) }
    }

    /// Imports a cohort file: the simulation announces it, the journal leads back, once more changes nothing.
    async fn cohorts_by(&mut self, profile: Profile, text: &str) -> Report {
        let file = self.cohort_file(profile, text);
        let before = self.dump().await;
        let rehearsal = self.engine().import(&file, true).await.unwrap();
        self.nothing_changed(&before, "simulated").await;
        let since = self.last_run().await;
        let report = self.engine().import(&file, false).await.unwrap();
        let after = self.proved(&before, since, &rehearsal, &report).await;
        self.engine().import(&file, false).await.unwrap();
        self.nothing_changed(&after, "the same file again").await;
        report
    }

    async fn members_by(&mut self, text: &str) -> Report {
        self.cohorts_by(members(), text).await
    }

    /// Cohorts as `idnumber name description context visible`.
    async fn cohort_values(&mut self) -> Vec<String> {
        let sql = "SELECT c.idnumber, c.name, c.description, c.contextid, c.visible FROM {cohort} c";
        let line = |row: &enrold::db::Row| {
            let texts: Vec<String> = (0..5).map(|at| row.text(at)).collect();
            texts.join("|")
        };
        self.lines(sql, line).await
    }
}

fn members() -> Profile {
    Profile { create_cohorts: true, ..Profile::of(FileKind::CohortMembers) }
}

const NONE: [&str; 0] = [];

async fn rows_of_a_user_count_in_their_order(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    site.cohort_link(1, 1, "student").await;
    let rows = "add;h1;u3\ndel;h1;u3\ndel;h1;u1\nadd;h1;u1\ndel;h1;u2\nadd;h1;u4\nfree;h2;\nadd;h1;u5\n";
    let report = site.members_by(&format!("cmd;cid;userid\n{rows}")).await;
    assert_eq!(site.members().await, ["u1 h1", "u4 h1", "u5 h1"]);
    assert_eq!(site.enrolments().await, ["u4 c1 cohort", "u5 c1 cohort"], "whom the run has changed follows");
    assert_eq!(site.errors(&report).await, ["8 cohort-unknown"]);
    let free = "cmd;cid;userid\nadd;h1;u2\nfree;h1;\nadd;h1;u4\nadd;h1;u6\n";
    site.members_by(free).await;
    assert_eq!(site.members().await, ["u4 h1", "u6 h1"]);
    assert_eq!(site.enrolments().await, ["u4 c1 cohort", "u6 c1 cohort"]);
}

async fn a_file_names_all_members(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3]).await;
    site.cohort(2, &[1]).await;
    site.cohort(3, &[1]).await;
    let report = site.members_by("cmd;cidnumber;userid\nsync;h1;u1\nsync;h1;u4\nadd;h2;u2\nsync;h3;\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u1 h2", "u2 h2", "u4 h1"]);
    assert_eq!((report.counts["cohort-member.add"], report.counts["cohort-member.remove"]), (2, 3));
}

async fn unknown_users_keep_those_whom_they_may_mean(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3]).await;
    let profile = Profile { user_key: UserKey::Idnumber, ..members() };
    site.sql("UPDATE {user} SET idnumber = '0022' WHERE username = 'u2'").await;
    let report = site.cohorts_by(profile, "cmd;cidnumber;userid\nsync;h1;u1\nsync;h1;22\n").await;
    let told = site.errors(&report).await;
    assert!(
        told.contains(&"3 user-unknown".to_owned()) && told.contains(&"cohort 1 cohort-kept".to_owned()),
        "{told:?}"
    );
    let members = site.members().await;
    assert!(members.contains(&"u2 h1".to_owned()) && !members.contains(&"u3 h1".to_owned()), "{members:?}");
}

async fn a_row_that_cannot_be_read_keeps_all(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3]).await;
    let report = site.members_by("cmd;cidnumber;userid\nsync;h1;u1\nsync;h1\n").await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h1"]);
    assert_eq!(site.errors(&report).await, ["cohort 1 cohort-kept", "3 row-ragged"]);
}

async fn a_cohort_is_removed_with_its_methods(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    site.cohort(2, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort"]);
    let report = site.members_by("cmd;cidnumber;userid\nadd;h1;u3\ndelcohort;h1;\nadd;h1;u4\n").await;
    assert_eq!(site.members().await, ["u1 h2"]);
    assert_eq!(site.enrolments().await, NONE);
    assert_eq!(site.cohort_values().await.len(), 1);
    assert_eq!((report.counts["cohort.remove"], report.counts["instance.remove"]), (1, 1));
    assert_eq!(site.errors(&report).await, ["4 cohort-unknown"]);
    let events = site.events().await;
    assert!(events.iter().any(|event| event.ends_with("cohort deleted")), "{events:?}");
}

async fn methods_are_disabled_where_enrolments_stay(mut site: Site) {
    site.cohort_campus().await;
    site.plugin_setting("enrol_cohort", "unenrolaction", Some("3")).await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    let report = site.members_by("cmd;cidnumber;userid\ndelcohort;h1;\n").await;
    assert_eq!(site.enrolments().await, ["u1 c1 cohort suspended"]);
    assert_eq!(site.roles().await, NONE);
    assert_eq!(report.counts["instance.suspend"], 1);
}

async fn del_without_users_removes_cohorts(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.members_by("cmd;cidnumber\ndel;h1\n").await;
    assert_eq!(site.cohort_values().await, NONE);
}

async fn a_wrong_person_removes_nothing(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    let report = site.members_by("cmd;cidnumber;userid\ndel;h1;nobody\ndel;h1;\ndelcohort;h1;u1\ndel;h9;u1\n").await;
    assert_eq!(site.members().await, ["u1 h1"]);
    let codes = ["2 user-unknown", "3 empty-identifier", "4 value-unusable", "5 cohort-unknown"];
    assert_eq!(site.errors(&report).await, codes);
}

async fn a_cohort_that_loses_too_many_is_held(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2, 3, 4]).await;
    site.set("guard.mode", "hold");
    site.set("guard.course.removals_percent", "50");
    site.set("guard.course.min_members", "2");
    for rows in ["free;h1;\n", "delcohort;h1;\n", "sync;h1;u1\n"] {
        let file = site.cohort_file(members(), &format!("cmd;cidnumber;userid\n{rows}"));
        let report = site.engine().import(&file, false).await.unwrap();
        assert_eq!(report.state, State::Held, "{rows}");
        assert_eq!(report.breaches[0].scope, "cohort");
        assert!(report.people.is_some());
    }
    site.set("guard.course.removals_percent", "0");
    site.set("guard.run.removals_max", "1");
    site.cohort(2, &[]).await;
    site.cohort(3, &[]).await;
    let file = site.cohort_file(members(), "cmd;cidnumber;userid\ndelcohort;h2;\ndelcohort;h3;\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!((report.state, report.breaches[0].scope.as_str()), (State::Held, "cohorts"));
    assert_eq!(site.members().await.len(), 4);
}

async fn values_change_as_the_profile_says(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[]).await;
    site.cohort(2, &[]).await;
    let head = "cmd;cidnumber;cname;cdescription;ccatcontext;visible;userid\n";
    let report = site.members_by(&format!("{head}add;h1;Other;Text;1;non;\nadd;h2;;;99;;u1\n")).await;
    let context = crate::faculty::category_context(1);
    assert_eq!(site.cohort_values().await, [format!("h1|h1|Text|{context}|0"), "h2|h2||1|1".to_owned()]);
    assert_eq!(site.errors(&report).await, ["3 context-unknown"]);
    assert_eq!(report.counts["cohort.update"], 1);
    let whole = Profile { update: Update::File, ..members() };
    let report = site.cohorts_by(whole, &format!("{head}add;h1;Other;;;;\nadd;h2;Other;;;;\n")).await;
    assert_eq!(site.errors(&report).await, ["3 cohort-exists"]);
    assert_eq!(site.cohort_values().await[0], format!("h1|Other|Text|{context}|0"), "an empty cell keeps the value");
}

async fn new_cohorts_change_only_if_told(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[]).await;
    let file = "name,idnumber,visible\nNew,h1,no\nFresh,i7,NULL\nBad,i8,maybe\n";
    let report = site.cohorts_by(Profile::of(FileKind::Cohorts), file).await;
    assert_eq!(site.errors(&report).await, ["2 cohort-exists", "4 value-unusable"]);
    assert_eq!(site.cohort_values().await, ["h1|h1||1|1", "i7|Fresh||1|1"]);
    let told = Profile { update: Update::File, ..Profile::of(FileKind::Cohorts) };
    site.cohorts_by(told, file).await;
    assert_eq!(site.cohort_values().await, ["h1|New||1|0", "i7|Fresh||1|1"]);
    let wrong = Profile { context_id: 999, ..Profile::of(FileKind::Cohorts) };
    let file = site.cohort_file(wrong, file);
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!((report.state, report.problems[0].code.as_str()), (State::Failed, "context-unknown"));
}

async fn other_keys(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[]).await;
    let by = |cohort_key, user_key| Profile { cohort_key, user_key, ..members() };
    let by_name = by(CohortKey::Name, UserKey::Email);
    let file = "cname,cidnumber,userid\nh1,,u1@example.com\nNew,n1,U2@EXAMPLE.COM\nNew too,h1,\n";
    let report = site.cohorts_by(by_name, file).await;
    assert_eq!(site.errors(&report).await, ["4 cohort-exists"]);
    assert_eq!(site.members().await, ["u1 h1", "u2 New"]);
    let id = site.conn.number("SELECT id FROM {cohort} WHERE name = 'h1'", &enrold::db::Params::new()).await.unwrap();
    let file = format!("cmd,cid,userid\ndel,{id},u1\nadd,{},u1\n", id + 77);
    let report = site.cohorts_by(by(CohortKey::Id, UserKey::Username), &file).await;
    assert_eq!(site.errors(&report).await, ["3 cohort-unknown"]);
    assert_eq!(site.members().await, ["u2 New"]);
}

async fn administrators_are_left_alone(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1]).await;
    site.sql(&format!("UPDATE {{config}} SET value = '{}' WHERE name = 'siteadmins'", crate::campus::user(1))).await;
    let report = site.members_by("cmd;cidnumber;userid\ndel;h1;u1\nadd;h1;u2\nsync;h1;u3\n").await;
    assert_eq!(site.errors(&report).await, ["2 account-protected"]);
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h1"]);
}

async fn many_rows_take_no_more_statements(mut site: Site) {
    site.cohort_campus().await;
    let mut taken = Vec::new();
    for cohorts in [20, 400] {
        let rows: String =
            (0..cohorts).map(|n| format!("sync;k{cohorts}-{n};Cohort {cohorts} {n};u{}\n", n % 5 + 1)).collect();
        let file = site.cohort_file(members(), &format!("cmd;cidnumber;cname;userid\n{rows}"));
        let engine = site.engine();
        let before = engine.database.statements();
        engine.import(&file, false).await.unwrap();
        taken.push(engine.database.statements() - before);
    }
    assert!(taken[1] <= taken[0] + 2, "{taken:?}");
}

async fn cohorts_are_listed(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[2, 1]).await;
    site.cohort(2, &[]).await;
    let engine = site.engine();
    let (wait, observer) = (engine.wait, Observer::none());
    let front = Front::new(engine.database, engine.settings, engine.clock, wait, observer, engine.stop);
    let who = Who::Operator { account: "test".to_owned() };
    let all = front.cohorts(&who).await.unwrap();
    let told: Vec<_> = all.iter().map(|cohort| (cohort.name.as_str(), cohort.members)).collect();
    assert_eq!(told, [("h1", 2), ("h2", 0)]);
    for key in ["h1"] {
        let found = front.cohort(&who, key).await.unwrap();
        let names: Vec<&str> = found[0].1.iter().map(|member| member.username.as_str()).collect();
        assert_eq!(names, ["u1", "u2"]);
    }
    assert!(front.cohort(&who, "nothing").await.unwrap().is_empty());
}
