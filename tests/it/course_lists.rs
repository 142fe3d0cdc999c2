//! Course lists and course texts on the small campus: who is enrolled, who only joins groups, who is told of.
//! It must not test how lines are read.

use std::sync::Arc;

use enrold::config::{ByHand, FileKind, Profile, Reactivate, UserKey};
use enrold::db::Params;
use enrold::disk::Dir;
use enrold::outcome::{Report, State};
use enrold::run::{Dropped, Import};

use crate::campus::{course, instance, user};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    groups_of_columns_and_bars,
    who_takes_part_by_any_method_joins_groups_only,
    who_is_suspended_is_told_of_or_made_active,
    nobody_is_enrolled_without_a_role,
    one_group_for_everybody,
    groups_that_no_name_says,
    administrators_and_guests_are_refused,
    a_course_is_found_by_the_name_of_the_file,
    a_dropped_list_gives_what_it_may,
    sections_of_a_text,
    below_a_lost_section_nobody_leaves,
    a_text_takes_out_what_was_made_by_hand,
    a_text_enrols_by_the_method_self,
    too_many_who_leave_are_held,
    too_many_who_leave_a_group_are_held,
    names_that_hide_something_are_not_made,
    too_many_wrong_lines_are_held,
    statements_do_not_grow_with_lines,
    rules_follow_in_the_same_run,
    hostile_lists,
);

fn list() -> Profile {
    Profile { course: "c1".to_owned(), create_groups: true, ..Profile::of(FileKind::CourseList) }
}

fn text() -> Profile {
    Profile { kind: FileKind::CourseText, ..list() }
}

impl Site {
    /// The problems of a run as `LINE CODE VALUE HINT`.
    pub async fn list_problems(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT number, code, value, hint FROM {enrold_error} WHERE run = :run";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        let line = |row: &enrold::db::Row| format!("{} {} {} {}", row.int(0), row.text(1), row.text(2), row.text(3));
        let mut told: Vec<(i64, String)> = rows.iter().map(|row| (row.int(0), line(row))).collect();
        told.sort();
        told.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Imports a text with the proofs of [`Site::users`], and gives its problems.
    async fn listed(&mut self, profile: &Profile, text: &str) -> Vec<String> {
        let report = self.users(profile, text).await;
        self.list_problems(&report).await
    }

    /// Imports a text as a file of the drop directory that was dropped under this name.
    pub async fn dropped_as(&mut self, name: &str, profile: &Profile, text: &str) -> Report {
        let import = self.users_file(profile, text);
        let file = Ok(Dir::open_named(&import.path).unwrap());
        let token = import.path.display().to_string();
        let dropped = Dropped { shown: format!("/sync/{name}"), token, file, again: false };
        self.engine().import(&Import { dropped: Some(dropped), ..import }, false).await.unwrap()
    }
}

async fn groups_of_columns_and_bars(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    site.group(2, 2).await;
    let lines =
        "identifiant;groupe 1;groupe 2\nu1;g1;Équipe CEMU\n\nU2\tg1|TD 1| g1\nu3\n\"u4\",\"Groupe, d'été\"\nu1;TD 1\n";
    assert!(site.listed(&list(), lines).await.is_empty());
    assert_eq!(site.enrolments().await, ["u1 c1 manual", "u2 c1 manual", "u3 c1 manual", "u4 c1 manual"]);
    let members = site.group_members().await;
    let expected = [
        "u1 TD 1 manual",
        "u1 g1 manual",
        "u1 Équipe CEMU manual",
        "u2 TD 1 manual",
        "u2 g1 manual",
        "u4 Groupe, d'été manual",
    ];
    assert_eq!(members, expected);
    assert_eq!(site.roles().await.len(), 4);
    let by_number = Profile { user_key: UserKey::Idnumber, course: "c2".to_owned(), ..list() };
    assert_eq!(site.listed(&by_number, "u9,g2\nU9,g2\n").await, ["2 user-unknown U9 idnumber u9"]);
}

async fn who_takes_part_by_any_method_joins_groups_only(mut site: Site) {
    site.campus().await;
    site.cohort(1, &[1]).await;
    site.cohort_link(1, 1, "student").await;
    site.instance("self", 1, 1, "student").await;
    site.enrolled(2, 1, "self").await;
    site.enrolled_until(3, 1, "manual", NOW - 1).await;
    site.enrolled_until(4, 1, "manual", NOW + 60).await;
    site.rule("cohort").await;
    let before = site.enrolments().await;
    let told = site.listed(&list(), "u1,G\nu2,G\nu3,G\nu4,G\n").await;
    // An instance that is switched off gives nobody a place.
    assert_eq!(told, ["2 enrolment-inactive u2 c1", "3 enrolment-inactive u3 c1"]);
    assert_eq!(site.enrolments().await, before);
    assert_eq!(site.group_members().await, ["u1 G manual", "u2 G manual", "u3 G manual", "u4 G manual"]);
}

async fn who_is_suspended_is_told_of_or_made_active(mut site: Site) {
    site.campus().await;
    site.instance("self", 1, 0, "student").await;
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    site.enrolled_until(2, 1, "self", NOW - 1).await;
    site.enrolled_until(3, 1, "manual", NOW + 600).await;
    site.has_role(3, 1, "teacher", "manual").await;
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(3))).await;
    let lines = "u1\nu2\nu3\n";
    let told = site.listed(&list(), lines).await;
    assert_eq!(told, ["1 enrolment-inactive u1 c1", "2 enrolment-inactive u2 c1", "3 enrolment-inactive u3 c1"]);
    assert_eq!(site.roles().await, ["u3 c1 teacher manual"]);
    let manual = Profile { reactivate: Reactivate::Manual, ..list() };
    assert!(site.listed(&manual, lines).await.is_empty());
    let expected = ["u1 c1 manual", "u2 c1 manual", "u2 c1 self 0..now-1", "u3 c1 manual 0..now+600"];
    assert_eq!(site.enrolments().await, expected);
    let roles = ["u1 c1 student manual", "u2 c1 student manual", "u3 c1 student manual", "u3 c1 teacher manual"];
    assert_eq!(site.roles().await, roles);
}

async fn nobody_is_enrolled_without_a_role(mut site: Site) {
    site.campus().await;
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    let none = Profile { role: "aucun".to_owned(), reactivate: Reactivate::Manual, ..list() };
    let told = site.listed(&none, "u1;G\nu2;G\nu3\n").await;
    assert_eq!(told, ["2 group-not-enrolled G c1"]);
    assert_eq!(site.enrolments().await, ["u1 c1 manual 0..now-1"]);
    assert_eq!(site.group_members().await, ["u1 G manual"]);
}

async fn one_group_for_everybody(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    site.group(2, 2).await;
    let only = |name: &str| Profile { groups: name.to_owned(), ..list() };
    assert!(site.listed(&only("g1"), "u1;other\nu2\n").await.is_empty());
    assert_eq!(site.group_members().await, ["u1 g1 manual", "u2 g1 manual"]);
    assert!(site.listed(&only("none"), "u3;other\n").await.is_empty());
    assert_eq!((site.group_members().await.len(), site.enrolments().await.len()), (2, 3));
    let before = site.dump().await;
    let refused = site.users_once(&only("g2"), "u4\n").await;
    assert_eq!((refused.state, refused.problems[0].code.as_str()), (State::Failed, "group-unknown"));
    site.nothing_changed(&before, "the only group is one of another course").await;
}

async fn groups_that_no_name_says(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    site.group(2, 1).await;
    site.sql("UPDATE {groups} SET name = 'g' WHERE courseid > 0").await;
    let told = site.listed(&list(), "u1;g\nu2;#N/A\nu3;Équipe;équipe\nu4;Equipe\n").await;
    assert_eq!(told, ["1 group-ambiguous g c1", "2 group-unknown #N/A c1"]);
    assert_eq!(site.group_members().await, ["u3 Équipe manual", "u3 équipe manual", "u4 Equipe manual"]);
    let without = Profile { create_groups: false, ..list() };
    let told = site.listed(&without, "u5;neuf;Équipe\nu6;neuf\n").await;
    assert_eq!(told, ["1 group-unknown neuf c1", "2 group-unknown neuf c1"]);
    assert_eq!(site.enrolments().await.len(), 6);
}

async fn administrators_and_guests_are_refused(mut site: Site) {
    site.campus().await;
    site.sql(&format!("UPDATE {{user}} SET suspended = 1 WHERE id = {}", user(3))).await;
    let told = site.listed(&list(), "guest\nadmin\n;\nu3\n").await;
    assert_eq!(told, ["1 account-protected guest username", "2 account-protected admin username"]);
    assert_eq!(site.enrolments().await, ["u3 c1 manual"]);
    site.sql(&format!("UPDATE {{user}} SET email = 'u1@example.com' WHERE id = {}", user(2))).await;
    let told = site.listed(&Profile { user_key: UserKey::Email, ..list() }, "U1@EXAMPLE.COM\nu4@Example.com\n").await;
    assert_eq!(told, ["1 user-ambiguous U1@EXAMPLE.COM 2"]);
    assert_eq!(site.enrolments().await, ["u3 c1 manual", "u4 c1 manual"]);
}

async fn a_course_is_found_by_the_name_of_the_file(mut site: Site) {
    site.campus().await;
    site.sql(&format!("UPDATE {{course}} SET shortname = 'c1.2026' WHERE id = {}", course(2))).await;
    let by_name = Profile { course: String::new(), ..list() };
    for (name, line, enrolled) in [
        ("course-c1.csv", "u1", "u1 c1 manual"),
        ("course-c1.20261201-0800.csv", "u2", "u2 c1 manual"),
        ("Course-c1.2026.csv", "u3", "u3 c1.2026 manual"),
        ("course-c1.2026.20261201.CSV", "u4", "u4 c1.2026 manual"),
    ] {
        let report = site.dropped_as(name, &by_name, line).await;
        assert_eq!(report.errors, 0, "{name}: {:?}", report.problems);
        assert!(site.enrolments().await.contains(&enrolled.to_owned()), "{name}: {:?}", site.enrolments().await);
    }
    for (name, code) in [("liste.csv", "course-not-named"), ("course-x.1.csv", "course-unknown")] {
        let report = site.dropped_as(name, &by_name, "u5").await;
        assert_eq!((report.state, report.problems[0].code.as_str()), (State::Failed, code));
    }
    assert_eq!(site.enrolments().await.len(), 4);
}

async fn a_dropped_list_gives_what_it_may(mut site: Site) {
    site.campus().await;
    site.enrolled_until(1, 1, "manual", NOW - 1).await;
    site.has_role(1, 1, "manager", "manual").await;
    site.enrolled(2, 1, "manual").await;
    site.has_role(2, 1, "manager", "manual").await;
    let manager = Profile { role: "Manager".to_owned(), ..list() };
    let before = site.dump().await;
    let refused = site.dropped_as("a.csv", &manager, "u3\n").await;
    assert_eq!((refused.state, refused.problems[0].code.as_str()), (State::Failed, "role-not-allowed"));
    site.nothing_changed(&before, "a role that drops may not give").await;
    let unknown = site.users_once(&Profile { role: "élève".to_owned(), ..list() }, "u3\n").await;
    assert_eq!((unknown.state, unknown.problems[0].code.as_str()), (State::Failed, "role-unknown"));
    let manual = Profile { reactivate: Reactivate::Manual, ..list() };
    let report = site.dropped_as("a.csv", &manual, "u1;G\nu2;G\nu3;G\n").await;
    assert_eq!(site.list_problems(&report).await, ["1 role-not-allowed manager flatfile.roles"]);
    assert_eq!(site.enrolments().await, ["u1 c1 manual 0..now-1", "u2 c1 manual", "u3 c1 manual"]);
    assert_eq!(site.group_members().await, ["u1 G manual", "u2 G manual", "u3 G manual"]);
    let take_out = "!u2@example.com\n!u3@example.com\n";
    let report = site.dropped_as("a.txt", &text(), take_out).await;
    let refused = ["1 change-refused u2@example.com unenrol", "2 change-refused u3@example.com unenrol"];
    assert_eq!(site.list_problems(&report).await, refused);
    let allowed = Profile { unenrol: Some(true), ..text() };
    let report = site.dropped_as("b.txt", &allowed, take_out).await;
    assert_eq!(site.list_problems(&report).await, ["1 role-not-allowed manager flatfile.roles"]);
    assert_eq!(site.enrolments().await, ["u1 c1 manual 0..now-1", "u2 c1 manual"]);
    let by_hand = site.users(&manager, "u4\n").await;
    assert_eq!((by_hand.errors, site.roles().await.contains(&"u4 c1 manager manual".to_owned())), (0, true));
}

async fn sections_of_a_text(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    site.enrolled(1, 1, "manual").await;
    site.in_group(1, 1, ("", 0)).await;
    site.enrolled(2, 1, "manual").await;
    site.in_group(2, 1, ("enrol_cohort", instance("cohort", 1))).await;
    let lines = "u3@example.com, u4@example.com\n# g1\n!u1@example.com !u2@example.com\nZoé <U5@example.com>\n\
                 # TD é\nu5@example.com;u6@example.com\n#\nu7@example.com\npas une adresse\n# g1\n!u3@example.com\n# Rien\n\
                 !u6@example.com\n";
    let told = site.listed(&text(), lines).await;
    let expected = ["7 empty-identifier # ", "9 user-unknown pas une adresse email", "13 group-unknown Rien c1"];
    assert_eq!(told, expected);
    assert_eq!(site.enrolments().await.len(), 7);
    assert_eq!(site.group_members().await, ["u2 g1 cohort", "u5 TD é manual", "u5 g1 manual", "u6 TD é manual"]);
}

/// A section whose line is damaged, too long, hidden, or not marked as one.
async fn below_a_lost_section_nobody_leaves(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    site.enrolled(1, 1, "manual").await;
    site.in_group(1, 1, ("", 0)).await;
    let long = format!("# {}", "x".repeat(300));
    let lost = ["# TD \u{fffd}t\u{fffd}", &long, "g1", "\u{202e}- # g1 @", "#", "u9@example.com\u{2028}# g1"];
    let before = (site.enrolments().await, site.group_members().await);
    for (above, line) in lost.iter().flat_map(|line| [("", *line), ("# g1\n", *line)]) {
        let told = site.listed(&text(), &format!("{above}{line}\n!u1@example.com\n")).await;
        assert!(told.iter().any(|told| told.contains("value-unusable !u1@example.com section")), "{line}: {told:?}");
        site.sql(&format!("DELETE FROM {{user_enrolments}} WHERE userid = {}", user(9))).await;
        site.sql(&format!("DELETE FROM {{groups_members}} WHERE userid = {}", user(9))).await;
        site.sql(&format!("DELETE FROM {{role_assignments}} WHERE userid = {}", user(9))).await;
        assert_eq!((site.enrolments().await, site.group_members().await), before, "{line}");
    }
    // A full-width sign begins one.
    assert!(site.listed(&text(), "\u{ff03} g1\n!u1@example.com\n").await.is_empty());
    assert_eq!((site.enrolments().await.len(), site.group_members().await.len()), (1, 0));
}

async fn a_text_takes_out_what_was_made_by_hand(mut site: Site) {
    site.campus().await;
    site.cohort(1, &[1, 2]).await;
    site.cohort_link(1, 1, "student").await;
    site.rule("cohort").await;
    site.instance("self", 1, 0, "student").await;
    for who in [2, 3, 5] {
        site.enrolled(who, 1, "manual").await;
        site.has_role(who, 1, "student", "manual").await;
    }
    site.enrolled(3, 1, "self").await;
    site.group(1, 1).await;
    site.in_group(3, 1, ("", 0)).await;
    let lines = "!u1@example.com\n!u2@example.com\n!u3@example.com\n!u4@example.com\nu5@example.com\n!u5@example.com\n\
                 !u6@example.com\nu6@example.com\n";
    let report = site.users_once(&text(), lines).await;
    assert_eq!(site.list_problems(&report).await, ["1 enrolment-kept u1 c1", "2 enrolment-kept u2 c1"]);
    assert_eq!(site.enrolments().await, ["u1 c1 cohort", "u2 c1 cohort", "u6 c1 manual"]);
    assert!(site.group_members().await.is_empty());
    let before = site.dump().await;
    site.users_once(&text(), lines).await;
    site.nothing_changed(&before, "the same text again").await;
}

async fn a_text_enrols_by_the_method_self(mut site: Site) {
    site.campus().await;
    site.instance("self", 1, 1, "student").await;
    let by_self = Profile { method: ByHand::SelfEnrolment, ..text() };
    let refused = site.users_once(&by_self, "u1@example.com\n").await;
    assert_eq!((refused.state, refused.problems[0].code.as_str()), (State::Failed, "no-method"));
    assert_eq!(refused.problems[0].hint, "c1");
    site.status(instance("self", 1), 0).await;
    assert!(site.listed(&by_self, "u1@example.com\n").await.is_empty());
    assert_eq!((site.enrolments().await, site.roles().await.len()), (vec!["u1 c1 self".to_owned()], 1));
}

async fn too_many_who_leave_are_held(mut site: Site) {
    site.campus().await;
    for who in 1..=8 {
        site.enrolled(who, 1, "manual").await;
    }
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let lines: String = (1..=8).map(|who| format!("!u{who}@example.com\n")).collect();
    let report = site.users_once(&text(), &lines).await;
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "held").await;
}

async fn too_many_who_leave_a_group_are_held(mut site: Site) {
    site.campus().await;
    site.group(1, 1).await;
    for who in 1..=8 {
        site.enrolled(who, 1, "manual").await;
        site.in_group(who, 1, ("", 0)).await;
    }
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let lines: String = (1..=8).map(|who| format!("!u{who}@example.com\n")).collect();
    let report = site.users_once(&text(), &format!("# g1\n{lines}")).await;
    assert_eq!((report.state, report.breaches[0].scope.as_str()), (State::Held, "group-members"));
    site.nothing_changed(&before, "held").await;
}

async fn names_that_hide_something_are_not_made(mut site: Site) {
    site.campus().await;
    for (at, name) in ["TD\u{200b} 1", "TD\u{202e}1", "<i>TD</i>", "T\u{ad}D"].iter().enumerate() {
        let told = site.listed(&list(), &format!("u1;{name}\n")).await;
        assert_eq!(told.len(), 1, "{at} {told:?}");
        assert!(told[0].starts_with("1 group-unknown"), "{at} {told:?}");
    }
    assert_eq!((site.enrolments().await.len(), site.count("groups").await), (1, 0));
}

async fn too_many_wrong_lines_are_held(mut site: Site) {
    site.campus().await;
    site.set("guard.mode", "hold");
    let before = site.dump().await;
    let lines: String = (1..=40).map(|who| format!("nobody{who};G\n")).chain(["u1;G\n".to_owned()]).collect();
    let report = site.users_once(&list(), &lines).await;
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "held").await;
}

async fn statements_do_not_grow_with_lines(mut site: Site) {
    site.crowd(550).await;
    let lines =
        |from: i64, to: i64| -> String { (from..=to).map(|n| format!("p{n};G{};H{}\n", n % 7, n % 3)).collect() };
    let mut few = 0;
    for (from, to) in [(1, 50), (51, 550)] {
        let import = Import { profile: Some(Arc::new(list())), ..site.write(lines(from, to)) };
        let report = site.engine().import(&import, false).await.unwrap();
        assert_eq!((report.errors, report.counts["enrolment.add"]), (0, to - from + 1), "{:?}", report.counts);
        match few {
            0 => few = report.statements,
            // 1,000 groups of lines are two chunks of the load.
            _ => assert!(report.statements <= few + 2, "{} statements for 500 lines, {few} for 50", report.statements),
        }
    }
    let wrong: String = (1..=500).map(|n| format!("nobody{n};X{n}\n")).collect();
    let report = site.users_once(&list(), &wrong).await;
    assert_eq!(report.errors, 500);
    assert!(report.statements <= few, "{} statements for 500 wrong lines, {few} for 50", report.statements);
}

async fn rules_follow_in_the_same_run(mut site: Site) {
    site.campus().await;
    site.link(2, 1).await;
    let report = site.users(&list(), "u1;G\n").await;
    assert_eq!(
        (report.errors, site.enrolments().await),
        (0, ["u1 c1 manual", "u1 c2 meta"].map(str::to_owned).to_vec())
    );
    // The course of the link takes no participants by a list.
    let linked = Profile { course: "c2".to_owned(), ..list() };
    assert_eq!(site.listed(&linked, "u1;G\nu2;G\nu3\n").await, ["2 course-linked u2 c2", "3 course-linked u3 c2"]);
    assert_eq!(site.group_members().await, ["u1 G manual", "u1 G manual"]);
}

/// Whoever writes into the drop directory may write anything: a line costs itself, a file nothing but itself.
async fn hostile_lists(mut site: Site) {
    site.campus().await;
    let long = "x".repeat(1_100_000);
    let many: String = (0..150).map(|n| format!(";G{n}")).collect();
    let lines = format!(
        "u1;<script>alert(1)</script>\nu2;A\u{7}B\n'; DROP TABLE mdl_user; --;:now\n=cmd|' /C calc'!A0;G\nu3{many}\n{long}\n\
         \"u4;open\nu5;{}\nu6;:courseid;{{user}};[list_name];%s\nu\u{fffd}7;G\nu8;\u{200b}\n",
        "é".repeat(300)
    );
    let told = site.listed(&list(), &lines).await;
    let codes: Vec<String> = told.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "1 group-unknown",
        "2 value-charset",
        "3 user-unknown",
        "4 user-unknown",
        "5 row-ragged",
        "6 row-too-long",
        "7 row-ragged",
        "8 value-too-long",
        "10 user-unknown",
    ];
    assert_eq!(codes, expected, "{told:?}");
    assert_eq!(site.enrolments().await.len(), 5);
    assert_eq!(
        site.group_members().await,
        ["u6 %s manual", "u6 :courseid manual", "u6 [list_name] manual", "u6 {user} manual"]
    );
    let before = site.dump().await;
    for (bytes, code) in
        [(&b"u1;G\0\n"[..], "encoding-invalid"), (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", "spreadsheet")]
    {
        let import = Import { profile: Some(Arc::new(list())), ..site.write(bytes) };
        let report = site.engine().import(&import, false).await.unwrap();
        let told: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert!(report.state != State::Done && (told.is_empty() || told == [code]), "{code}: {report:?}");
    }
    site.nothing_changed(&before, "files that are no lists").await;
}
