//! Rows of cohort files that wait for their user, who joins when the account exists (spec undo-explain 5).
//! It must not test lines of flat files, commands, mails or lists.

use enrold::config::{CohortKey, FileKind, Operation, Profile, UserKey};
use enrold::outcome::{Report, State};
use enrold::run::SyncOrder;

use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_member_waits_for_his_account,
    later_rows_replace_and_cancel,
    a_cohort_is_emptied_or_removed,
    a_file_names_all_members,
    nobody_takes_a_place_by_registering_a_name,
    what_fails_in_another_way_is_told_with_its_file,
    a_cohort_that_is_gone,
    a_held_file_keeps_nothing,
    the_run_that_makes_the_account_adds_the_member,
    a_profile_has_its_own_days,
    ids_do_not_wait,
    one_person_by_two_keys,
    a_later_run_has_decided,
    many_members_take_no_more_statements,
);

const DAY: i64 = 86_400;

impl Site {
    /// `u1` and `u2` are members of `h1`, whose members are students of `c1`.
    async fn promotions_that_wait(&mut self) {
        self.cohort_campus().await;
        self.cohort(1, &[1, 2]).await;
        self.cohort(2, &[]).await;
        self.cohort(3, &[]).await;
        self.cohort_link(1, 1, "student").await;
        self.reset_sequences().await;
        self.set("waiting.days", "14");
    }

    /// Imports rows of a cohort file.
    async fn rows(&mut self, rows: &str) -> Report {
        self.rows_by(members(), &format!("cmd;cidnumber;userid\n{rows}")).await
    }

    async fn rows_by(&mut self, profile: Profile, text: &str) -> Report {
        let file = self.cohort_file(profile, text);
        self.engine().import(&file, false).await.unwrap()
    }

    /// Applies what waits: the simulation announces it and changes nothing, the journal leads back, and a second pass
    /// changes nothing.
    async fn proved_pass(&mut self) -> Report {
        self.sync_jobs(&SyncOrder::of("waiting")).await
    }

    async fn finds(&self) -> bool {
        self.engine().finds_waiting().await.unwrap()
    }
}

fn members() -> Profile {
    Profile::of(FileKind::CohortMembers)
}

async fn a_member_waits_for_his_account(mut site: Site) {
    site.promotions_that_wait().await;
    let rows = "add;h1;u3\nadd;h1;Ève\nsync;h2;ève\ndel;h1;nobody\nadd;h9;ghost\n";
    let report = site.rows(rows).await;
    assert_eq!((report.state, report.lines.failed, report.lines.waiting), (State::DoneWithErrors, 4, 2));
    assert_eq!(site.errors(&report).await, ["3 waiting", "4 waiting", "5 user-unknown", "6 user-unknown"]);
    let until = format!("{} user-unknown username", NOW + 14 * DAY);
    assert_eq!((&*report.problems[0].value, &*report.problems[0].hint), ("Ève", &*until));
    let waits = ["ève h1 user waiting", "ève h2 user waiting"];
    assert_eq!(site.waiting().await, waits);
    site.at(NOW + DAY);
    let before = site.dump().await;
    let again = site.rows(rows).await;
    site.nothing_changed(&before, "the same file again").await;
    assert_eq!((&again.problems[0].hint, site.waiting().await), (&until, waits.map(str::to_owned).to_vec()));
    let before = site.dump().await;
    site.pass().await;
    site.nothing_changed(&before, "nobody is new").await;
    assert!(!site.finds().await);
    site.new_account(900, "ève", "manual").await;
    assert!(site.finds().await);
    site.engine().sync(&SyncOrder::of("waiting"), true).await.unwrap();
    assert_eq!(site.waiting().await, waits, "a simulation");
    let report = site.proved_pass().await;
    assert_eq!((report.state, report.counts["cohort-member.add"]), (State::Done, 2));
    assert_eq!(site.members().await, ["u1 h1", "u2 h1", "u3 h1", "ève h1", "ève h2"]);
    assert_eq!(site.enrolments().await, ["u3 c1 cohort", "ève c1 cohort"], "cohort sync follows in the same run");
    assert_eq!(site.waiting().await, ["ève h1 user applied", "ève h2 user applied"]);
    assert!(!site.finds().await);
}

async fn later_rows_replace_and_cancel(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;a\nadd;h1;b\nadd;h2;b\nadd;h1;d\n").await;
    let report = site.rows("sync;h1;a\ndel;h1;b\nadd;h1;d\ndel;h1;d\nadd;h1;d\nadd;h1;u1\nadd;h1;u2\n").await;
    let codes = ["2 waiting", "3 user-unknown", "4 user-unknown", "5 user-unknown", "6 waiting"];
    assert_eq!(site.errors(&report).await, codes);
    let waiting = site.waiting().await;
    assert_eq!(waiting, ["a h1 user waiting", "b h1 user cancelled", "b h2 user waiting", "d h1 user waiting"]);
    site.rows("add;h1;e\n").await;
    site.new_account(904, "e", "manual").await;
    site.rows("add;h1;e\n").await;
    assert_eq!(site.waiting().await[4], "e h1 user superseded", "the row was applied at once");
    for (id, name) in [(900, "a"), (901, "b"), (902, "d")] {
        site.new_account(id, name, "manual").await;
    }
    site.proved_pass().await;
    assert_eq!(site.members().await, ["a h1", "b h2", "d h1", "e h1", "u1 h1", "u2 h1"]);
}

async fn a_cohort_is_emptied_or_removed(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;a\nadd;h2;b\nadd;h2;d\nadd;h3;e\n").await;
    let report = site.rows("free;h1;\nadd;h2;x\nfree;h2;\nadd;h2;d\ndelcohort;h3;\n").await;
    assert_eq!(site.errors(&report).await, ["3 user-unknown", "5 waiting"], "what stands before free is void");
    let waiting = site.waiting().await;
    assert_eq!(waiting, ["a h1 user cancelled", "b h2 user cancelled", "d h2 user waiting", "e h3 user cancelled"]);
    let by_name = Profile { cohort_key: CohortKey::Name, user_key: UserKey::Idnumber, ..members() };
    site.rows_by(by_name, "cmd;cname;userid\nfree;h2;\n").await;
    assert_eq!(site.waiting().await[2], "d h2 user cancelled");
    site.new_account(900, "d", "manual").await;
    site.proved_pass().await;
    assert_eq!(site.members().await, [""; 0]);
}

async fn a_file_names_all_members(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;a\nadd;h1;b\nadd;h2;a\nadd;h1;0033\n").await;
    let unread = site.rows("sync;h1;u1\nsync;h1\n").await;
    assert_eq!(unread.codes.get("cohort-kept"), Some(&1));
    assert!(site.waiting().await.iter().all(|row| row.ends_with("waiting")), "a row may mean anybody");
    site.rows("sync;h1;u1\nsync;h1;b\nsync;h1;33\nadd;h9;e\n").await;
    let waiting = site.waiting().await;
    let expected = [
        "a h1 user cancelled",
        "b h1 user waiting",
        "a h2 user waiting",
        // Perhaps 33.
        "0033 h1 user waiting",
        "33 h1 user waiting",
    ];
    assert_eq!(waiting, expected);
    assert_eq!(site.members().await, ["u1 h1"]);
    // A row that waits keeps the members whom it may mean.
    site.new_account(900, "0044", "manual").await;
    site.rows("add;h2;0044\nadd;h2;u1\n").await;
    let report = site.rows("sync;h2;44\n").await;
    assert_eq!(report.codes.get("waiting"), Some(&1));
    assert_eq!(site.members().await, ["0044 h2", "u1 h1"]);
}

async fn nobody_takes_a_place_by_registering_a_name(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;prof\n").await;
    site.new_account(900, "prof", "email").await;
    assert!(!site.finds().await);
    site.proved_pass().await;
    assert_eq!((site.members().await.len(), site.waiting().await), (2, vec!["prof h1 user waiting".to_owned()]));
    site.sql("UPDATE {user} SET auth = 'manual' WHERE id = 900").await;
    site.proved_pass().await;
    assert_eq!(site.members().await, ["prof h1", "u1 h1", "u2 h1"]);
}

async fn what_fails_in_another_way_is_told_with_its_file(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;boss\nadd;h2;late\nadd;h1;late\n").await;
    site.new_account(900, "boss", "manual").await;
    site.new_account(901, "late", "manual").await;
    site.sql("UPDATE {config} SET value = '900' WHERE name = 'siteadmins'").await;
    site.sql("UPDATE {cohort} SET component = 'tool_x' WHERE idnumber = 'h2'").await;
    let before = site.dump().await;
    let report = site.pass().await;
    assert_eq!(report.state, State::DoneWithErrors);
    let told = report.problems.iter().map(|problem| (problem.line, problem.code.as_str(), &*problem.hint));
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    assert_eq!(told, [(2, "account-protected", "username"), (3, "cohort-owned", "tool_x")]);
    assert!(report.problems.iter().all(|problem| problem.file.ends_with(".txt")), "{:?}", report.problems);
    assert_eq!(site.waiting().await, ["boss h1 user cancelled", "late h2 user cancelled", "late h1 user applied"]);
    assert_eq!(site.members().await, ["late h1", "u1 h1", "u2 h1"]);
    assert!(!site.finds().await);
    let after = site.dump().await;
    assert_ne!(before, after);
    site.pass().await;
    site.nothing_changed(&after, "a second pass").await;
}

async fn a_cohort_that_is_gone(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h3;a\n").await;
    site.new_account(900, "a", "manual").await;
    site.sql("UPDATE {cohort} SET idnumber = 'old' WHERE idnumber = 'h3'").await;
    assert!(!site.finds().await);
    site.proved_pass().await;
    assert_eq!(site.waiting().await, ["a h3 user waiting"]);
    site.sql("UPDATE {cohort} SET idnumber = 'h3' WHERE idnumber = 'old'").await;
    assert!(site.finds().await);
    site.proved_pass().await;
    assert_eq!(site.waiting().await, ["a h3 user applied"]);
}

async fn a_held_file_keeps_nothing(mut site: Site) {
    site.promotions_that_wait().await;
    site.set("guard.mode", "hold");
    let rows: String = (0..50).map(|n| format!("add;h1;N-{n}\n")).collect();
    let held = site.rows(&rows).await;
    assert_eq!((held.state, held.lines.waiting, held.codes.get("waiting")), (State::Held, 50, Some(&50)));
    assert_eq!(site.waiting().await.len(), 0, "before an approval nothing waits");
    let expected = Profile { waiting_expected: Some(true), ..members() };
    let text = format!("cmd;cidnumber;userid\n{rows}");
    let unresolved = site.rows_by(expected.clone(), &text).await;
    assert_eq!(unresolved.state, State::Held, "no row resolves");
    site.engine().reject(unresolved.run).await.unwrap();
    assert_eq!(site.waiting().await.len(), 0);
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(site.waiting().await.len(), 50);
    let report = site.rows_by(expected, &format!("{text}add;h1;u1\n")).await;
    assert_eq!((report.state, report.lines.waiting), (State::DoneWithErrors, 50));
    assert_eq!(site.waiting().await.len(), 50);
}

async fn the_run_that_makes_the_account_adds_the_member(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;new1\nadd;h2;new1\nadd;h1;late\n").await;
    let profile = Profile { operation: Operation::AddUpdate, ..Profile::of(FileKind::Users) };
    let text = "username,firstname,lastname,email\nnew1,A,B,new1@example.org\n";
    let report = site.users(&profile, text).await;
    let counts = ["user.add", "cohort-member.add", "enrolment.add"].map(|kind| report.counts[kind]);
    assert_eq!(counts, [1, 2, 1], "{:?}", report.counts);
    assert_eq!(site.enrolments().await, ["new1 c1 cohort"]);
    assert_eq!(site.waiting().await, ["new1 h1 user applied", "new1 h2 user applied", "late h1 user waiting"]);
    let sql = "SELECT DISTINCT c.cause FROM {enrold_change} c WHERE c.kind = 'cohort-member.add'";
    assert_eq!(site.lines(sql, |row| row.text(0)).await, ["waiting"]);
}

async fn a_profile_has_its_own_days(mut site: Site) {
    site.promotions_that_wait().await;
    let text = "cmd;cidnumber;userid\nadd;h1;a\n";
    let report = site.rows_by(Profile { waiting_days: Some(0), ..members() }, text).await;
    assert_eq!(site.errors(&report).await, ["2 user-unknown"]);
    site.set("waiting.days", "0");
    let report = site.rows_by(Profile { waiting_days: Some(3), ..members() }, text).await;
    assert_eq!(report.problems[0].hint, format!("{} user-unknown username", NOW + 3 * DAY));
    site.new_account(900, "a", "manual").await;
    site.at(NOW + 4 * DAY);
    assert!(!site.finds().await);
    site.proved_pass().await;
    assert_eq!(site.members().await, ["u1 h1", "u2 h1"], "its days are over");
}

async fn ids_do_not_wait(mut site: Site) {
    site.promotions_that_wait().await;
    let by_user = Profile { user_key: UserKey::Id, ..members() };
    let report = site.rows_by(by_user, "cmd;cidnumber;userid\nadd;h1;90000\n").await;
    assert_eq!(site.errors(&report).await, ["2 user-unknown"]);
    let by_cohort = Profile { cohort_key: CohortKey::Id, ..members() };
    let text = format!("cmd;cid;userid\nadd;{};ghost\n", crate::faculty::cohort(1));
    let report = site.rows_by(by_cohort, &text).await;
    assert_eq!(site.errors(&report).await, ["2 user-unknown"]);
    assert_eq!(site.waiting().await.len(), 0);
}

async fn one_person_by_two_keys(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;a\n").await;
    let other = |user_key| Profile { user_key, cohort_key: CohortKey::Name, ..members() };
    site.rows_by(other(UserKey::Idnumber), "cmd;cname;userid\nadd;h1;n-a\n").await;
    site.rows_by(other(UserKey::Email), "cmd;cname;userid\nadd;h2;A@Example.org\nadd;h1;A@Example.org\n").await;
    site.new_account(900, "a", "manual").await;
    assert!(site.finds().await);
    let report = site.proved_pass().await;
    assert_eq!(report.counts["cohort-member.add"], 2);
    assert_eq!(site.members().await, ["a h1", "a h2", "u1 h1", "u2 h1"]);
    assert!(site.waiting().await.iter().all(|row| row.ends_with("applied")));
}

async fn a_later_run_has_decided(mut site: Site) {
    site.promotions_that_wait().await;
    site.rows("add;h1;a\nadd;h2;a\n").await;
    site.new_account(900, "a", "manual").await;
    let by_number = Profile { user_key: UserKey::Idnumber, ..members() };
    for verb in ["add", "del"] {
        site.rows_by(by_number.clone(), &format!("cmd;cidnumber;userid\n{verb};h1;n-a\n")).await;
    }
    site.proved_pass().await;
    assert_eq!(site.members().await, ["a h2", "u1 h1", "u2 h1"]);
    assert_eq!(site.waiting().await, ["a h1 user superseded", "a h2 user applied"]);
}

async fn many_members_take_no_more_statements(mut site: Site) {
    site.promotions_that_wait().await;
    let mut taken = Vec::new();
    for (of, count) in [(2, 20), (3, 200)] {
        let rows: String = (0..count).map(|n| format!("add;h{of};w{of}-{n}\n")).collect();
        site.rows(&rows).await;
        site.gather();
        for n in 0..count {
            site.new_account(1_000 * of + n, &format!("w{of}-{n}"), "manual").await;
        }
        site.send().await;
        taken.push(site.pass().await.statements);
    }
    assert!(taken[1] <= taken[0], "{taken:?}");
    assert_eq!(site.members().await.len(), 222);
}
