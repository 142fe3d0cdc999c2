//! `enrold waiting` and its commands, what `doctor` and the metrics say of waiting lines.
//! It must not test which lines wait: `waiting` does.

use std::collections::BTreeSet;

use enrold::config::Locale;
use enrold::doctor::Finding;
use enrold::front::{Front, WaitingLines, Who};
use enrold::lease::{Lease, RUN};
use enrold::outcome::{Observer, RunError};
use serde_json::json;

use crate::doctor::examine;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::service_web::Place;
use crate::site::{NOW, Site};

on_each_database!(
    lines_are_listed,
    lines_are_dropped,
    lines_wait_longer,
    lines_wait_again,
    an_old_line_does_not_come_before_a_later_one,
    a_command_waits_for_a_run,
    many_lines_take_no_more_statements,
    what_doctor_says,
    metrics_of_waiting_lines,
);

const DAY: i64 = 86_400;

impl Site {
    /// The front with the current settings and clock.
    pub fn front(&self) -> Front {
        let engine = self.engine();
        let (wait, observer) = (engine.wait, Observer::none());
        Front::new(engine.database, engine.settings, engine.clock, wait, observer, engine.stop)
    }

    /// Number, state and end of each row, the end in seconds from [`NOW`].
    async fn waiting_until(&mut self) -> Vec<String> {
        let sql = "SELECT w.id, w.state, w.expires FROM {enrold_waiting} w ORDER BY w.id";
        self.lines(sql, |row| format!("{} {} {}", row.int(0), row.text(1), row.int(2) - NOW)).await
    }
}

/// Somebody who asks.
pub fn who() -> Who {
    Who::Operator { account: "test".to_owned() }
}

async fn lines_are_listed(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    program.run(&["waiting"]).ends(0).says(&["no line waits"]);
    program.clone().set("locale=fr").run(&["waiting"]).ends(0).says(&["aucune ligne n'est en attente"]);
    assert_eq!(program.json(&["waiting"]), (0, json!([])));
    site.line("add;student;Ève;c1;;\nadd;teacher;b;new;;\nadd;student;u1;new;;\n").await;
    program.run(&["waiting"]).ends(0).says(&[
        "since (UTC)",
        "2026-11-21 10:00",
        "2026-12-05 10:00",
        "username=Ève",
        "shortname=c1",
        "teacher",
        "both",
        "enrolments-1.txt:2",
    ]);
    let french = program.clone().set("locale=fr");
    french.run(&["waiting"]).ends(0).says(&["jusqu'au (UTC)", "en attente", "les deux", "utilisateur", "cours"]);
    let (_, rows) = program.json(&["waiting"]);
    assert_eq!((rows[0]["user"].as_str(), rows[0]["lacks"].as_str()), (Some("Ève"), Some("user")));
    assert_eq!((&rows[1]["lacks"], &rows[2]["lacks"]), (&json!("both"), &json!("course")));
    assert_eq!((&rows[1]["place_key"], &rows[1]["place"]), (&json!("shortname"), &json!("new")));
    assert_eq!(
        (&rows[1]["role"], &rows[1]["kind"], &rows[1]["line"]),
        (&json!("teacher"), &json!("enrolment"), &json!(3))
    );
    assert_eq!(
        (&rows[1]["since"], &rows[1]["until"], &rows[1]["run"]),
        (&json!(NOW), &json!(NOW + 14 * DAY), &json!(1))
    );
    site.new_account(900, "ève", "manual").await;
    site.pass().await;
    assert_eq!(program.json(&["waiting"]).1.as_array().map(Vec::len), Some(2));
    let (_, all) = program.json(&["waiting", "--all"]);
    assert_eq!((&all[0]["state"], &all[0]["by_run"]), (&json!("applied"), &json!(2)));
    program.run(&["waiting", "--all"]).ends(0).says(&["applied", "username=b"]);
}

async fn lines_are_dropped(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\nadd;student;d;c1;;\n").await;
    site.line("add;student;e;c1;;\n").await;
    let before = site.dump().await;
    program
        .run(&["waiting", "drop", "2", "99", "98"])
        .ends(1)
        .logs(&["there is no line 98, 99", "nothing was dropped"]);
    program.run(&["waiting", "drop", "--run", "77"]).ends(1).logs(&["run 77 has no line that can be dropped"]);
    program.run(&["waiting", "drop"]).ends(2);
    program.run(&["waiting", "drop", "1", "--run", "1"]).ends(2);
    site.nothing_changed(&before, "refused").await;
    assert_eq!(site.waiting().await.iter().filter(|row| row.ends_with("waiting")).count(), 4);
    program.run(&["waiting", "drop", "2", "2"]).ends(0).says(&["dropped: 1"]);
    program.run(&["waiting", "drop", "1", "2"]).ends(1).logs(&["line 2 is cancelled"]);
    assert_eq!(program.json(&["waiting", "drop", "--run", "1"]), (0, json!({ "dropped": 2 })));
    let states = ["a c1 user cancelled", "b c1 user cancelled", "d c1 user cancelled", "e c1 user waiting"];
    assert_eq!(site.waiting().await, states);
    for (id, name) in [(900, "a"), (901, "e")] {
        site.new_account(id, name, "manual").await;
    }
    site.pass().await;
    assert_eq!(site.enrolments().await, ["e c1 flatfile"]);
    let rows = site.front().waiting(&who(), true).await.unwrap();
    assert_eq!((rows[0].note.as_str(), rows[0].by_run, rows[3].by_run), ("dropped", 0, 3));
}

async fn lines_wait_longer(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    site.line(&format!("add;student;a;c1;;\nadd;student;b;c1;;{}\n", NOW + 20 * DAY)).await;
    let (code, told) = program.json(&["waiting", "extend", "1", "2", "--days", "30"]);
    assert_eq!((code, told), (0, json!({ "extended": 2, "until": NOW + 30 * DAY })));
    // A line does not wait beyond its own end.
    assert_eq!(site.waiting_until().await, [format!("1 waiting {}", 30 * DAY), format!("2 waiting {}", 20 * DAY)]);
    let later = program.at(NOW + DAY);
    later.run(&["waiting", "extend", "--run", "1"]).ends(0).says(&["extended: 2", "2026-12-06 10:00"]);
    assert_eq!(site.waiting_until().await, [format!("1 waiting {}", 15 * DAY), format!("2 waiting {}", 15 * DAY)]);
    let never = program.clone().set("waiting.days=0");
    never.run(&["waiting", "extend", "1"]).ends(2).logs(&["give --days"]);
    program.run(&["waiting", "extend", "1", "--days", "0"]).ends(2);
    program.at(NOW + 21 * DAY).run(&["waiting", "extend", "2"]).ends(1).logs(&["line 2 has ended"]);
    program.run(&["waiting", "drop", "1"]).ends(0);
    program.run(&["waiting", "extend", "1"]).ends(1).logs(&["line 1 is cancelled", "nothing was extended"]);
}

async fn lines_wait_again(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\n").await;
    program.run(&["waiting", "retry", "1"]).ends(1).logs(&["line 1 is waiting", "nothing was retried"]);
    program.run(&["waiting", "drop", "1"]).ends(0);
    site.at(NOW + 15 * DAY);
    site.sql("UPDATE {enrold_waiting} SET state = 'expired', note = 'told' WHERE id = 2").await;
    let full = program.at(NOW + 15 * DAY).set("waiting.max=1");
    full.run(&["waiting", "retry", "1", "2"]).ends(1).logs(&["at most 1 may (waiting.max)"]);
    let again = program.at(NOW + 15 * DAY).run(&["waiting", "retry", "--run", "1"]).ends(0);
    again.says(&["waiting again: 2", "2026-12-20 10:00", "enrold sync waiting"]);
    assert_eq!(site.waiting_until().await, [format!("1 waiting {}", 29 * DAY), format!("2 waiting {}", 29 * DAY)]);
    site.new_account(900, "a", "manual").await;
    program.at(NOW + 15 * DAY).run(&["sync", "waiting"]).ends(0);
    assert_eq!(site.enrolments().await, ["a c1 flatfile"]);
    program.run(&["waiting", "retry", "1"]).ends(1).logs(&["line 1 is applied"]);
    let rows = site.front().waiting(&who(), false).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.id, row.note.as_str())).collect::<Vec<_>>(), [(2, "")]);
}

async fn an_old_line_does_not_come_before_a_later_one(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    for _ in 0..2 {
        site.line("add;student;a;c1;;\nadd;teacher;a;c1;;\n").await;
        program.run(&["waiting", "drop", "1"]).ends(if site.last_run().await == 1 { 0 } else { 1 });
    }
    // 1 was dropped, 3 is the same line once more; 2 is another role.
    let states = ["a c1 user cancelled", "a c1 user waiting", "a c1 user waiting"];
    assert_eq!(site.waiting().await, states);
    program.run(&["waiting", "retry", "1"]).ends(1).logs(&["line 1 has ended, or a later line"]);
    program.run(&["waiting", "drop", "3"]).ends(0);
    program.run(&["waiting", "retry", "1", "3"]).ends(1).logs(&["line 1 has ended, or a later line"]);
    program.run(&["waiting", "retry", "3"]).ends(0);
    site.new_account(900, "a", "manual").await;
    site.pass().await;
    program.run(&["waiting", "retry", "1"]).ends(1).logs(&["a later line"]);
    program.run(&["waiting", "retry", "--run", "1"]).ends(1).logs(&["run 1 has no line that can be retried"]);
}

async fn a_command_waits_for_a_run(mut site: Site) {
    site.waiting_campus().await;
    let program = Program::on(&site).set("waiting.days=14");
    site.line("add;student;a;c1;;\n").await;
    let lease = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    for words in [["drop", "1"], ["extend", "1"], ["retry", "1"]] {
        let answer = program.clone().with("--wait", "0").run(&["waiting", words[0], words[1]]).ends(1);
        answer.logs(&["another run is under way"]);
    }
    program.run(&["waiting"]).ends(0).says(&["username=a"]);
    lease.release(&mut site.conn).await.unwrap();
    assert_eq!(site.waiting_until().await, [format!("1 waiting {}", 14 * DAY)]);
    program.run(&["waiting", "drop", "1"]).ends(0);
    assert!(Lease::take(&mut site.conn, RUN, 60).await.unwrap().is_some(), "the command gives the lease back");
}

async fn many_lines_take_no_more_statements(mut site: Site) {
    site.waiting_campus().await;
    let lines: String = (0..300).map(|n| format!("add;student;n{n};c1;;\n")).collect();
    site.line(&lines).await;
    let ids = |from: i64, to: i64| WaitingLines::Ids((from..=to).collect::<BTreeSet<i64>>());
    let mut taken = Vec::new();
    for lines in [ids(1, 2), ids(3, 290)] {
        let engine = site.engine();
        let before = engine.database.statements();
        let front = site.front();
        front.extend_waiting(&who(), &lines, 20).await.unwrap();
        front.drop_waiting(&who(), &lines).await.unwrap();
        front.retry_waiting(&who(), &lines, 14).await.unwrap();
        taken.push(engine.database.statements() - before);
    }
    assert_eq!(taken[0], taken[1]);
    assert_eq!(site.front().retry_waiting(&who(), &WaitingLines::OfRun(1), 14).await.ok(), None);
    let refused = site.front().drop_waiting(&who(), &ids(1, 400)).await;
    let Err(RunError::Undecidable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("301, 302") && why.contains("and 80 more"), "{why}");
}

async fn what_doctor_says(mut site: Site) {
    let text = |findings: &[Finding], code: &str| {
        findings.iter().find(|finding| finding.code == code).map(|finding| finding.text(Locale::En))
    };
    site.sampled().await;
    let file =
        site.write("operation;role;username;course\nadd;student;ghost;L1-MATH-101\nadd;student;g2;L1-MATH-101\n");
    site.set("waiting.days", "14");
    site.set("waiting.max", "2");
    site.set("tasks.waiting.enabled", "false");
    let none = examine(&site).await;
    assert_eq!((text(&none, "waiting-many"), text(&none, "waiting-idle")), (None, None), "nothing waits");
    site.set("guard.mode", "off");
    let report = site.engine().import(&file, false).await.unwrap();
    assert_eq!(report.lines.waiting, 2);
    let findings = examine(&site).await;
    assert!(text(&findings, "waiting-many").unwrap().contains("2 lines wait for an account or a course, of at most 2"));
    assert!(text(&findings, "waiting-idle").unwrap().contains("tasks.waiting.enabled = false"));
    site.set("waiting.max", "3");
    site.set("tasks.waiting.enabled", "true");
    let findings = examine(&site).await;
    assert_eq!((text(&findings, "waiting-many"), text(&findings, "waiting-idle")), (None, None));
    site.sql("UPDATE {config} SET value = 'manual' WHERE name = 'enrol_plugins_enabled'").await;
    let findings = examine(&site).await;
    assert!(text(&findings, "waiting-idle").unwrap().contains("`flatfile` is not enabled in Moodle"));
    site.set("flatfile.when_disabled", "apply");
    assert_eq!(text(&examine(&site).await, "waiting-idle"), None);
}

async fn metrics_of_waiting_lines(mut site: Site) {
    site.waiting_campus().await;
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\n").await;
    let place = Place::socket(site.engine().settings.state.path.parent().unwrap());
    let mut daemon = Program::on(&site).set(&place.setting()).start();
    daemon.until("readiness", || place.is(200, "ready"));
    daemon.until("the waiting lines", || place.metric("enrold_waiting_lines", "") == 2.0);
    assert!(place.metric("enrold_waiting_oldest_seconds", "") >= 0.0);
    daemon.stop();
}
