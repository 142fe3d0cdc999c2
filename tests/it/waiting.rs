//! Lines of flat files that wait for an account or a course, and are applied when it exists (spec undo-explain 5).
//! It must not test commands, mails or lists.

use enrold::config::{FileKind, Operation, Profile};
use enrold::db::Params;
use enrold::outcome::{Report, State};
use enrold::run::SyncOrder;

use crate::campus::since_now;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    a_line_waits_for_its_account,
    a_line_waits_for_its_course,
    a_later_line_replaces_or_cancels,
    the_last_line_of_a_file_counts,
    nobody_takes_a_place_by_registering_a_name,
    a_wrong_key_holds_the_file,
    expected_lines_do_not_hold_a_file,
    the_run_that_makes_the_account_applies_the_line,
    ids_do_not_wait,
    too_many_do_not_wait,
    what_has_ended_does_not_wait,
    future_lines_go_to_the_buffer,
    a_role_that_is_not_allowed_any_more,
    what_fails_in_another_way_is_told_with_its_file,
    a_pass_that_finds_nobody_is_no_run,
    a_held_pass_is_not_repeated,
    the_window_of_the_last_line_counts,
);

const DAY: i64 = 86_400;
const HEAD: &str = "operation;role;username;course;timestart;timeend\n";

impl Site {
    /// The campus, where lines wait for a fortnight.
    pub async fn waiting_campus(&mut self) {
        self.campus().await;
        self.reset_sequences().await;
        self.set("waiting.days", "14");
    }

    /// Imports lines of a file with the usual header.
    pub async fn line(&mut self, lines: &str) -> Report {
        let file = self.write(format!("{HEAD}{lines}"));
        self.engine().import(&file, false).await.unwrap()
    }

    /// The rows that wait or waited: keys, what they lack, state.
    pub async fn waiting(&mut self) -> Vec<String> {
        let sql =
            "SELECT w.ukey, w.pkey, w.lacks, w.state, w.timestart, w.timeend FROM {enrold_waiting} w ORDER BY w.id";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        rows.iter().map(|row| (0..4).map(|at| row.text(at)).collect::<Vec<_>>().join(" ")).collect()
    }

    /// Applies the lines that wait and whose account and course exist.
    pub async fn pass(&mut self) -> Report {
        self.engine().sync(&SyncOrder::of("waiting"), false).await.unwrap()
    }

    /// A confirmed account; its idnumber and its address come from the name.
    pub async fn new_account(&mut self, id: i64, name: &str, auth: &str) {
        let row = [
            ("id", id.into()),
            ("username", name.into()),
            ("idnumber", format!("n-{name}").into()),
            ("email", format!("{name}@example.org").into()),
            ("auth", auth.into()),
            ("confirmed", 1.into()),
            ("mnethostid", 1.into()),
        ];
        self.insert("user", &row).await;
    }
}

async fn a_line_waits_for_its_account(mut site: Site) {
    site.waiting_campus().await;
    let report = site.line("add;student;u1;c1;;\nadd;student;Ève;c1;;\ndel;student;nobody;c1;;\n").await;
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!((report.lines.failed, report.lines.waiting), (2, 1));
    assert_eq!(site.errors(&report).await, ["3 waiting", "4 user-unknown"]);
    let problem = &report.problems[0];
    let until = NOW + 14 * DAY;
    assert_eq!((&*problem.value, &*problem.hint), ("Ève", &*format!("{until} user-unknown username")));
    assert_eq!(site.waiting().await, ["ève c1 user waiting"]);
    // The same file again changes nothing, and says the same.
    site.at(NOW + DAY);
    let again = site.line("add;student;u1;c1;;\nadd;student;Ève;c1;;\ndel;student;nobody;c1;;\n").await;
    assert!(again.counts.is_empty(), "{:?}", again.counts);
    assert_eq!(again.problems[0].hint, problem.hint);
    assert_eq!(site.waiting().await, ["ève c1 user waiting"]);
    let before = site.dump().await;
    site.pass().await;
    site.nothing_changed(&before, "nobody is new").await;
    site.new_account(900, "ève", "manual").await;
    let before = site.dump().await;
    let rehearsal = site.engine().sync(&SyncOrder::of("waiting"), true).await.unwrap();
    site.nothing_changed(&before, "a simulation").await;
    assert_eq!(site.waiting().await, ["ève c1 user waiting"]);
    let report = site.pass().await;
    assert_eq!((report.state, &report.counts), (State::Done, &rehearsal.counts));
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile", "ève c1 flatfile"]);
    assert_eq!(site.roles().await, ["u1 c1 student flatfile", "ève c1 student flatfile"]);
    assert_eq!(site.waiting().await, ["ève c1 user applied"]);
    let before = site.dump().await;
    let report = site.pass().await;
    assert!(report.counts.is_empty());
    site.nothing_changed(&before, "a second pass").await;
}

async fn a_line_waits_for_its_course(mut site: Site) {
    site.waiting_campus().await;
    let report = site.line("add;student;u1;new;;\nadd;student;ghost;new;;\n").await;
    assert_eq!(site.errors(&report).await, ["2 waiting", "3 waiting"]);
    assert!(report.problems[0].hint.ends_with(" course-unknown shortname"), "{:?}", report.problems);
    assert_eq!(site.waiting().await, ["u1 new course waiting", "ghost new both waiting"]);
    site.course(77, 1, "new", "").await;
    site.context(777, 50, 77, "/1/3/777").await;
    site.pass().await;
    assert_eq!(site.enrolments().await, ["u1 new flatfile"]);
    assert_eq!(site.waiting().await, ["u1 new course applied", "ghost new both waiting"]);
    site.new_account(900, "ghost", "manual").await;
    site.pass().await;
    assert_eq!(site.enrolments().await, ["ghost new flatfile", "u1 new flatfile"]);
}

async fn a_later_line_replaces_or_cancels(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\nadd;teacher;b;c1;;\nadd;student;d;c1;;\n").await;
    let end = NOW + 100 * DAY;
    let report = site.line(&format!("add;student;a;c1;;{end}\ndel;student;b;c1;;\nadd;nonsense;d;c1;;\n")).await;
    assert_eq!(site.errors(&report).await, ["2 waiting", "3 user-unknown", "4 role-unknown"]);
    assert_eq!(
        site.waiting().await,
        ["a c1 user superseded", "b c1 user cancelled", "b c1 user waiting", "d c1 user waiting", "a c1 user waiting"]
    );
    for (id, name) in [(900, "a"), (901, "b"), (902, "d")] {
        site.new_account(id, name, "manual").await;
    }
    site.pass().await;
    assert_eq!(
        site.enrolments().await,
        [&*format!("a c1 flatfile 0..{}", since_now(end)), "b c1 flatfile", "d c1 flatfile"]
    );
    assert_eq!(site.roles().await, ["a c1 student flatfile", "b c1 teacher flatfile", "d c1 student flatfile"]);
}

async fn the_last_line_of_a_file_counts(mut site: Site) {
    site.waiting_campus().await;
    let lines = "add;student;a;c1;;\nadd;student;a;c1;;\nadd;student;b;c1;;\ndel;student;b;c1;;\ndel;student;d;c1;;\n\
                 add;student;d;c1;;\n";
    let report = site.line(lines).await;
    let codes = ["2 waiting", "3 waiting", "4 user-unknown", "5 user-unknown", "6 user-unknown", "7 waiting"];
    assert_eq!(site.errors(&report).await, codes);
    assert_eq!(site.waiting().await, ["a c1 user waiting", "d c1 user waiting"]);
    let before = site.waiting().await;
    site.line(lines).await;
    assert_eq!(site.waiting().await, before);
}

async fn nobody_takes_a_place_by_registering_a_name(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;teacher;prof;c1;;\n").await;
    site.new_account(900, "prof", "email").await;
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    assert_eq!((site.enrolments().await.len(), site.waiting().await), (0, vec!["prof c1 user waiting".to_owned()]));
    for column in ["suspended = 1", "confirmed = 0"] {
        site.sql("UPDATE {user} SET auth = 'manual', suspended = 0, confirmed = 1 WHERE id = 900").await;
        site.sql(&format!("UPDATE {{user}} SET {column} WHERE id = 900")).await;
        site.pass().await;
        assert_eq!(site.enrolments().await.len(), 0, "{column}");
    }
    // Moodle gives idnumbers: nobody gives himself one.
    site.set("flatfile.header.user_key", "idnumber");
    site.sql("UPDATE {user} SET auth = 'email', confirmed = 1, suspended = 0, idnumber = 'x' WHERE id = 900").await;
    let file = site.write("operation;role;user;course\nadd;student;P-7;c1\n");
    site.engine().import(&file, false).await.unwrap();
    site.sql("UPDATE {user} SET idnumber = 'P-7' WHERE id = 900").await;
    site.pass().await;
    assert_eq!(site.roles().await, ["prof c1 student flatfile"]);
}

async fn a_wrong_key_holds_the_file(mut site: Site) {
    site.waiting_campus().await;
    site.set("guard.mode", "hold");
    let lines: String = (0..50).map(|n| format!("add;student;N-{n};c1;;\n")).collect();
    let held = site.line(&lines).await;
    assert_eq!((held.state, held.lines.waiting, held.codes.get("waiting")), (State::Held, 50, Some(&50)));
    assert_eq!(site.waiting().await.len(), 0, "before an approval nothing waits");
    site.engine().reject(held.run).await.unwrap();
    assert_eq!(site.waiting().await.len(), 0);
    let held = site.line(&lines).await;
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(site.waiting().await.len(), 50);
}

async fn expected_lines_do_not_hold_a_file(mut site: Site) {
    site.waiting_campus().await;
    site.set("guard.mode", "hold");
    site.set("waiting.expected", "true");
    let lines: String = (0..50).map(|n| format!("add;student;N-{n};c1;;\n")).collect();
    assert_eq!(site.line(&lines).await.state, State::Held, "no line resolves");
    let report = site.line(&format!("{lines}add;student;u1;c1;;\n")).await;
    assert_eq!((report.state, report.lines.waiting), (State::DoneWithErrors, 50));
}

async fn the_run_that_makes_the_account_applies_the_line(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;student;new1;c1;;\nadd;student;new1;c2;;\nadd;student;late;c1;;\n").await;
    let profile = Profile { operation: Operation::AddUpdate, ..Profile::of(FileKind::Users) };
    let text = "username,firstname,lastname,email\nnew1,A,B,new1@example.org\n";
    let file = site.users_file(&profile, text);
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!((report.counts["user.add"], report.counts["enrolment.add"]), (1, 2), "{:?}", report.counts);
    assert_eq!(site.enrolments().await, ["new1 c1 flatfile", "new1 c2 flatfile"]);
    let waiting = site.waiting().await;
    assert_eq!(waiting, ["new1 c1 user applied", "new1 c2 user applied", "late c1 user waiting"]);
    let causes = site.lines("SELECT DISTINCT c.cause FROM {enrold_change} c", |row| row.text(0)).await;
    assert_eq!(causes, ["import", "waiting"]);
}

async fn ids_do_not_wait(mut site: Site) {
    site.waiting_campus().await;
    site.set("flatfile.header.user_key", "id");
    let file = site.write("operation;role;user;course\nadd;student;90000;c1\n");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(site.errors(&report).await, ["2 user-unknown"]);
    assert_eq!(site.waiting().await.len(), 0);
}

async fn too_many_do_not_wait(mut site: Site) {
    site.waiting_campus().await;
    site.set("waiting.max", "2");
    let lines = "add;student;a;c1;;\nadd;student;b;c1;;\nadd;student;d;c1;;\n";
    let report = site.line(lines).await;
    assert_eq!(site.errors(&report).await, ["2 waiting", "3 waiting", "4 waiting-full"]);
    assert_eq!(report.problems[2].hint, "user-unknown username");
    let again = site.line(lines).await;
    assert_eq!(site.errors(&again).await, ["2 waiting", "3 waiting", "4 waiting-full"]);
    assert_eq!(site.waiting().await, ["a c1 user waiting", "b c1 user waiting"]);
}

async fn what_has_ended_does_not_wait(mut site: Site) {
    site.waiting_campus().await;
    let (gone, soon) = (NOW - 5, NOW + DAY);
    let report = site
        .line(&format!("add;student;a;c1;{};{gone}\nadd;student;b;c1;;{soon}\nadd;student;d;c1;;\n", gone - 9))
        .await;
    assert_eq!(site.errors(&report).await, ["2 user-unknown", "3 waiting", "4 waiting"]);
    assert!(report.problems[1].hint.starts_with(&soon.to_string()));
    site.new_account(900, "b", "manual").await;
    site.new_account(901, "d", "manual").await;
    site.at(NOW + 2 * DAY);
    site.pass().await;
    assert_eq!(site.enrolments().await, ["d c1 flatfile"]);
    site.line("add;student;e;c1;;\n").await;
    site.new_account(902, "e", "manual").await;
    site.at(NOW + 17 * DAY);
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.pass().await;
    assert_eq!(site.enrolments().await, ["d c1 flatfile"]);
}

async fn future_lines_go_to_the_buffer(mut site: Site) {
    site.waiting_campus().await;
    site.line(&format!("add;student;a;c1;{};\n", NOW + 30 * DAY)).await;
    site.new_account(900, "a", "manual").await;
    site.pass().await;
    assert_eq!(site.buffer().await, [format!("add a c1 student {}..0", since_now(NOW + 30 * DAY))]);
    assert_eq!(site.waiting().await, ["a c1 user applied"]);
}

async fn a_role_that_is_not_allowed_any_more(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;teacher;a;c1;;\nadd;student;a;c1;;\n").await;
    site.sql("UPDATE {enrold_waiting} SET dropped = 1").await;
    site.set("flatfile.roles", "@student");
    site.new_account(900, "a", "manual").await;
    let report = site.pass().await;
    assert_eq!(report.codes.get("role-not-allowed"), Some(&1));
    assert_eq!(site.roles().await, ["a c1 student flatfile"]);
    assert_eq!(site.waiting().await, ["a c1 user cancelled", "a c1 user applied"]);
}

async fn what_fails_in_another_way_is_told_with_its_file(mut site: Site) {
    site.waiting_campus().await;
    let lines = site.line("add;student;u1;c1;;\nadd;student;boss;c1;;\n").await;
    assert_eq!(lines.lines.waiting, 1);
    site.new_account(900, "boss", "manual").await;
    site.sql("UPDATE {config} SET value = '900' WHERE name = 'siteadmins'").await;
    let report = site.pass().await;
    assert_eq!((report.state, report.codes.get("account-protected")), (State::DoneWithErrors, Some(&1)));
    let problem = &report.problems[0];
    assert!(problem.file.ends_with(".txt") && problem.line == 3, "{problem:?}");
    assert_eq!(site.waiting().await, ["boss c1 user cancelled"]);
    assert!(!site.engine().finds_waiting().await.unwrap());
}

async fn a_pass_that_finds_nobody_is_no_run(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;student;a;c1;;\nadd;student;b;new;;\n").await;
    assert!(!site.engine().finds_waiting().await.unwrap());
    site.new_account(900, "b", "manual").await;
    assert!(!site.engine().finds_waiting().await.unwrap(), "its course is missing");
    site.new_account(901, "A", "manual").await;
    assert!(site.engine().finds_waiting().await.unwrap(), "a name that was stored with a capital");
    site.pass().await;
    assert_eq!(site.waiting().await, ["a c1 user applied", "b new both waiting"]);
    assert!(!site.engine().finds_waiting().await.unwrap());
}

async fn a_held_pass_is_not_repeated(mut site: Site) {
    site.waiting_campus().await;
    let lines: String = (0..5).map(|n| format!("add;student;h{n};c1;;\n")).collect();
    site.line(&lines).await;
    for n in 0..5 {
        site.new_account(900 + n, &format!("h{n}"), "manual").await;
    }
    for (key, value) in [("guard.mode", "hold"), ("guard.run.creations_max", "3"), ("guard.run.at_least", "0")] {
        site.set(key, value);
    }
    let held = site.pass().await;
    assert_eq!(held.state, State::Held);
    assert!(!site.engine().finds_waiting().await.unwrap(), "it is held already");
    assert!(site.waiting().await.iter().all(|line| line.ends_with(" waiting")));
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(site.enrolments().await.len(), 5);
    assert!(site.waiting().await.iter().all(|line| line.ends_with(" applied")));
}

async fn the_window_of_the_last_line_counts(mut site: Site) {
    site.waiting_campus().await;
    // The same person by two keys: the line that came last decides.
    let (first, last) = (NOW + 50 * DAY, NOW + 90 * DAY);
    site.line(&format!("add;student;a;c1;;{first}\n")).await;
    site.set("flatfile.header.user_key", "idnumber");
    let file = site.write(format!("operation;role;user;course;timeend\nadd;student;n-a;c1;{last}\n"));
    site.engine().import(&file, false).await.unwrap();
    site.new_account(900, "a", "manual").await;
    site.pass().await;
    assert_eq!(site.enrolments().await, [format!("a c1 flatfile 0..{}", since_now(last))]);
    assert_eq!(site.waiting().await, ["a c1 user applied", "n-a c1 user applied"]);
}
