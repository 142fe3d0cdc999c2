//! The daily report of waiting lines: what has expired is told once, by a file and a mail; rows that ended are removed.
//! It must not test commands.

use std::path::PathBuf;

use enrold::db::Params;
use enrold::front::WaitingReport;
use enrold::run::Import;
use serde_json::Value as Json;

use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::waiting_commands::who;

on_each_database!(
    what_has_expired_is_told_once,
    one_file_for_each_kind_of_key,
    members_of_cohorts_get_a_file_of_their_form,
    a_mail_each_day_while_lines_wait,
    a_mail_in_french,
    no_mail_without_addresses,
    a_directory_that_is_away,
    what_ended_long_ago_is_removed,
    a_line_that_is_over_is_not_the_same,
    a_crash_tells_nothing_twice,
    the_task_of_the_daemon,
);

const DAY: i64 = 86_400;

impl Site {
    /// A campus where lines wait, with a drop directory and mails.
    async fn reporting(&mut self) -> PathBuf {
        self.waiting_campus().await;
        let inbox = self.inbox();
        std::fs::create_dir_all(&inbox).unwrap();
        self.set("inbox.path", &inbox.display().to_string());
        self.set("site.timezone", "Europe/Paris");
        self.set("smtp.enabled", "true");
        self.set("waiting.mail_to", "desk@example.org\nit@example.org");
        inbox
    }

    fn inbox(&self) -> PathBuf {
        self.engine().settings.state.path.parent().unwrap().join("sync")
    }

    async fn report(&mut self) -> WaitingReport {
        self.front().report_waiting(&who()).await.unwrap().unwrap()
    }

    /// The state and the note of each row.
    async fn notes(&mut self) -> Vec<String> {
        let sql = "SELECT w.state, w.note FROM {enrold_waiting} w ORDER BY w.id";
        self.lines(sql, |row| format!("{} {}", row.text(0), row.text(1)).trim_end().to_owned()).await
    }

    /// The subject and the text of each queued mail, one for each address.
    async fn reports_by_mail(&mut self) -> Vec<(String, String, String)> {
        let sql = "SELECT o.address, l.data FROM {enrold_outbox} o
              JOIN {enrold_letter} l ON l.run = o.run AND l.enrolid = o.enrolid
             WHERE o.kind = 'waiting-report' ORDER BY o.id";
        let rows = self.conn.rows(sql, &Params::new()).await.unwrap();
        let told = |row: &enrold::db::Row| {
            let letter: Json = serde_json::from_str(&row.text(1)).unwrap();
            let part = |name: &str| letter[name].as_str().unwrap().to_owned();
            (row.text(0), part("subject"), part("body"))
        };
        rows.iter().map(told).collect()
    }
}

async fn what_has_expired_is_told_once(mut site: Site) {
    let inbox = site.reporting().await;
    let (start, end) = (NOW - DAY, NOW + 90 * DAY);
    site.line(&format!("add;student;Ève;c1;;\nadd;teacher;\"=b,c\";new;{start};{end}\n")).await;
    site.at(NOW + 13 * DAY);
    site.line("add;student;late;c1;;\n").await;
    site.at(NOW + 14 * DAY);
    let report = site.report().await;
    // 5 December 2026, 10:00 UTC: in Paris 11:00.
    let name = "waiting-expired-20261205-110000.retry.csv";
    assert_eq!(report, WaitingReport { expired: 2, files: vec![name.to_owned()], mails: 2 });
    assert_eq!(site.notes().await, ["expired told", "expired told", "waiting"]);
    let head = "operation,role,username,course,timestart,timeend";
    let expected = format!("{head}\nadd,student,Ève,c1,,\nadd,teacher,\"=b,c\",new,{start},{end}\n");
    assert_eq!(std::fs::read_to_string(inbox.join(name)).unwrap(), expected);
    assert_eq!(names(&inbox), [name]);
    let mails = site.reports_by_mail().await;
    assert_eq!(mails.iter().map(|mail| mail.0.as_str()).collect::<Vec<_>>(), ["desk@example.org", "it@example.org"]);
    let (_, subject, body) = &mails[0];
    assert_eq!(subject, "enrold, waiting lines: 1 waiting, 2 expired");
    for part in [name, &*inbox.display().to_string(), "username=late shortname=c1 student", "until 2026-12-18:"] {
        assert!(body.contains(part), "{part:?} is not in {body}");
    }
    site.at(NOW + 14 * DAY + 60);
    assert_eq!(site.report().await, WaitingReport::default());
    assert_eq!((names(&inbox).len(), site.reports_by_mail().await.len()), (1, 2));
    // The file can be given again.
    site.new_account(900, "ève", "manual").await;
    let again = Import { path: inbox.join(name), ..Import::default() };
    let report = site.engine().import(&again, false).await.unwrap();
    assert_eq!(report.lines.waiting, 1);
    assert_eq!(site.enrolments().await, ["ève c1 flatfile"]);
    assert_eq!(site.waiting().await[3], "=b,c new both waiting");
}

async fn one_file_for_each_kind_of_key(mut site: Site) {
    let inbox = site.reporting().await;
    site.line("add;student;a;c1;;\n").await;
    site.set("flatfile.header.user_key", "idnumber");
    site.line("add;student;P-7;c1;;\n").await;
    site.set("flatfile.header.user_key", "username");
    site.at(NOW + 20 * DAY);
    let report = site.report().await;
    let by_number = "waiting-expired-20261211-110000-idnumber-shortname.retry.csv";
    assert_eq!(report.files, [by_number, "waiting-expired-20261211-110000.retry.csv"]);
    assert_eq!(
        std::fs::read_to_string(inbox.join(by_number)).unwrap(),
        "operation,role,user,course,timestart,timeend\nadd,student,P-7,c1,,\n"
    );
}

async fn members_of_cohorts_get_a_file_of_their_form(mut site: Site) {
    let inbox = site.reporting().await;
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\n").await;
    for (id, key) in [(1, "idnumber"), (2, "name")] {
        let row = format!("kind = 'member', roleid = 0, placekey = '{key}', pkey = 'L1'");
        site.sql(&format!("UPDATE {{enrold_waiting}} SET {row} WHERE id = {id}")).await;
    }
    Program::on(&site).run(&["waiting"]).ends(0).says(&["(cohort)", "idnumber=L1", "name=L1"]);
    site.at(NOW + 20 * DAY);
    let report = site.report().await;
    let texts: Vec<String> =
        report.files.iter().map(|name| std::fs::read_to_string(inbox.join(name)).unwrap()).collect();
    assert_eq!(texts, ["cmd,cidnumber,userid\nadd,L1,a\n", "cmd,cname,userid\nadd,L1,b\n"]);
    assert!(report.files[0].ends_with("-members-username-idnumber.retry.csv"), "{:?}", report.files);
}

async fn a_mail_each_day_while_lines_wait(mut site: Site) {
    site.reporting().await;
    assert_eq!(site.report().await, WaitingReport::default());
    let lines: String = (0..25).map(|n| format!("add;student;n{n};c1;;\n")).collect();
    site.line(&lines).await;
    // At 23:30 and at 00:30 in Paris.
    let night = NOW + 12 * 3600 + 1800;
    for (at, mails) in [(NOW + 60, 2), (NOW + 120, 0), (night, 0), (night + 3600, 2), (night + 3660, 0)] {
        site.at(at);
        assert_eq!(site.report().await.mails, mails, "{}", at - NOW);
    }
    let body = &site.reports_by_mail().await[0].2;
    assert!(body.contains("      25  waiting for an account or a course\n"), "{body}");
    assert!(body.contains("username=n19 ") && !body.contains("username=n20 ") && body.contains("and 5 more"), "{body}");
    site.new_account(900, "n3", "manual").await;
    site.at(night + 3700);
    site.pass().await;
    site.at(night + 3800);
    assert_eq!(site.report().await.mails, 2, "a line was applied since the last mail");
    assert!(site.reports_by_mail().await[4].2.contains("       1  applied since the last mail\n"));
    site.sql("UPDATE {enrold_waiting} SET state = 'cancelled'").await;
    site.at(night + 5 * DAY);
    assert_eq!(site.report().await.mails, 0, "nothing waits");
}

async fn a_mail_in_french(mut site: Site) {
    site.reporting().await;
    site.set("locale", "fr");
    site.line("add;student;a;c1;;\n").await;
    site.at(NOW + 13 * DAY);
    site.line("add;student;b;c1;;\n").await;
    site.at(NOW + 15 * DAY);
    site.report().await;
    let (_, subject, body) = &site.reports_by_mail().await[0];
    assert_eq!(subject, "enrold, lignes en attente : 1 en attente, 1 expirées");
    assert!(
        body.contains("Les lignes expirées sont dans ") && body.contains("jusqu'au 2026-12-18: username=b"),
        "{body}"
    );
}

async fn no_mail_without_addresses(mut site: Site) {
    site.reporting().await;
    site.line("add;student;a;c1;;\n").await;
    site.set("smtp.enabled", "false");
    assert_eq!(site.report().await.mails, 0);
    site.set("smtp.enabled", "true");
    site.set("waiting.mail_to", "");
    assert_eq!(site.report().await.mails, 0);
    site.at(NOW + 15 * DAY);
    assert_eq!(site.report().await.files.len(), 1, "the file is written all the same");
    assert_eq!(site.count("enrold_outbox").await, 0);
}

async fn a_directory_that_is_away(mut site: Site) {
    let inbox = site.reporting().await;
    site.line("add;student;a;c1;;\n").await;
    std::fs::remove_dir(&inbox).unwrap();
    site.at(NOW + 15 * DAY);
    let told = site.front().report_waiting(&who()).await.unwrap();
    assert!(told.unwrap_err().contains("sync"));
    assert_eq!(site.notes().await, ["expired"]);
    assert_eq!(site.count("enrold_outbox").await, 0);
    std::fs::create_dir(&inbox).unwrap();
    site.at(NOW + 16 * DAY);
    // The moment in the name is that at which the lines ended.
    assert_eq!(site.report().await.files, ["waiting-expired-20261206-110000.retry.csv"]);
    assert_eq!(site.notes().await, ["expired told"]);
}

async fn what_ended_long_ago_is_removed(mut site: Site) {
    site.reporting().await;
    site.line("add;student;a;c1;;\nadd;student;b;c1;;\nadd;student;d;c1;;\nadd;student;e;c1;;\n").await;
    site.new_account(900, "a", "manual").await;
    site.pass().await;
    site.sql("UPDATE {enrold_waiting} SET state = 'expired' WHERE id IN (2, 3)").await;
    site.sql("UPDATE {enrold_waiting} SET note = 'told' WHERE id = 2").await;
    for (days, rows) in [(89, 4), (91, 2)] {
        let removed = site.front().retain(&who(), NOW + days * DAY).await.unwrap().unwrap();
        assert_eq!(removed.waiting, 4 - rows);
        assert_eq!(site.count("enrold_waiting").await, i64::try_from(rows).unwrap());
    }
    assert_eq!(site.waiting().await, ["d c1 user expired", "e c1 user waiting"]);
}

/// A line whose time is over is no reason to refuse the same line once more, also before a report has said so.
async fn a_line_that_is_over_is_not_the_same(mut site: Site) {
    site.reporting().await;
    site.line("add;student;a;c1;;\n").await;
    site.at(NOW + 15 * DAY);
    let report = site.line("add;student;a;c1;;\n").await;
    assert!(report.problems[0].hint.starts_with(&(NOW + 29 * DAY).to_string()), "{:?}", report.problems);
    assert_eq!(site.waiting().await, ["a c1 user superseded", "a c1 user waiting"]);
    assert_eq!(site.report().await.expired, 0);
}

async fn a_crash_tells_nothing_twice(mut site: Site) {
    let inbox = site.reporting().await;
    let mut day = 15;
    for (told, step) in ["waiting-expired", "draft-written", "waiting-written", "waiting-told"].iter().enumerate() {
        site.at(NOW + (day - 15) * DAY);
        site.line(&format!("add;student;{step};c1;;\n")).await;
        let program = Program::on(&site)
            .at(NOW + day * DAY)
            .set("site.timezone=Europe/Paris")
            .set("smtp.enabled=true")
            .set("smtp.port=1")
            .set("waiting.mail_to=desk@example.org");
        let mut daemon = program.clone().env("ENROLD_KILL_AT", step).start();
        assert_eq!(daemon.ended().code(), None, "killed at {step}");
        let mut daemon = program.at(NOW + day * DAY + 3600).start();
        daemon.until("the end of the task", || {
            let (_, tasks) = program.json(&["tasks"]);
            let task = tasks.as_array().unwrap().iter().find(|task| task["name"] == "waiting_report").unwrap().clone();
            task["result"] == "done" && task["started"].as_i64() == Some(NOW + day * DAY + 3600)
        });
        daemon.stop();
        let lists = names(&inbox);
        assert_eq!(lists.len(), told + 1, "{step}: {lists:?}");
        let text = std::fs::read_to_string(inbox.join(lists.last().unwrap())).unwrap();
        assert_eq!(text, format!("operation,role,username,course,timestart,timeend\nadd,student,{step},c1,,\n"));
        assert_eq!(site.notes().await, vec!["expired told"; told + 1], "{step}");
        assert_eq!(site.reports_by_mail().await.len(), told + 1, "{step}");
        day += 20;
    }
}

async fn the_task_of_the_daemon(mut site: Site) {
    let inbox = site.reporting().await;
    site.line("add;student;a;c1;;\n").await;
    let program = Program::on(&site).at(NOW + 15 * DAY).set(&format!("inbox.path={}", inbox.display()));
    program.run(&["run", "--once"]).ends(0);
    let (_, tasks) = program.json(&["tasks"]);
    let task = tasks.as_array().unwrap().iter().find(|task| task["name"] == "waiting_report").unwrap();
    let message = task["message"].as_str().unwrap();
    assert!(message.starts_with("expired: 1 lines, in waiting-expired-2026"), "{message}");
    assert_eq!((task["schedule"].as_str(), task["result"].as_str()), (Some("0 7 * * *"), Some("done")));
    let off = program.at(NOW + 40 * DAY).set("tasks.waiting_report.enabled=false");
    off.run(&["run", "--once"]).ends(0);
    assert_eq!(names(&inbox).len(), 1);
}
