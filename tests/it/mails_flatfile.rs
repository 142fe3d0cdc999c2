//! The flat file's own mails: what enrold's switches override, what is not announced, and how a run that is simulated,
//! held or approved tells of itself. It must not compare recordings: `golden_told` does.

use enrold::db::Params;
use enrold::outcome::State;

use crate::campus::user;
use crate::mails_queue::{queued, with_mails};
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    the_switches_override_moodle,
    what_is_no_new_enrolment_is_not_announced,
    only_what_is_applied_is_announced,
    the_administrator_gets_each_report,
    each_language_and_who_answers,
    many_lines_need_few_more_statements,
);

const SWITCHES: [&str; 3] = ["mailstudents", "mailteachers", "mailadmins"];

/// The campus with mails and a teacher in c1, the three switches as given.
async fn with_switches(site: &mut Site, on: &str) {
    with_mails(site).await;
    for name in SWITCHES {
        site.setting(name, Some(on)).await;
    }
    site.enrolled(7, 1, "manual").await;
    site.has_role(7, 1, "editingteacher", "manual").await;
    let may = [
        ("contextid", 1.into()),
        ("roleid", crate::campus::role("editingteacher").into()),
        ("capability", "moodle/role:assign".into()),
        ("permission", 1.into()),
    ];
    site.insert("role_capabilities", &may).await;
}

/// The kinds of the outbox with their number.
async fn kinds(site: &mut Site) -> Vec<(String, i64)> {
    let sql = "SELECT kind, COUNT(*) FROM {enrold_outbox} GROUP BY kind ORDER BY kind";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| (row.text(0), row.int(1))).collect()
}

fn told(kinds: &[(&str, i64)]) -> Vec<(String, i64)> {
    kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

async fn the_switches_override_moodle(mut site: Site) {
    with_switches(&mut site, "0").await;
    site.import_once("add,student,u1,c1\n").await;
    assert!(kinds(&mut site).await.is_empty(), "all are off in Moodle");
    site.set("flatfile.mail_teachers", "yes");
    site.import_once("add,student,u2,c1\nadd,student,u3,c1\n").await;
    assert_eq!(kinds(&mut site).await, told(&[("flatfile-teacher", 2)]), "one for each");
    site.sql("UPDATE {config_plugins} SET value = '1' WHERE name LIKE 'mail%'").await;
    site.set("flatfile.mail_teachers", "no");
    site.set("flatfile.mail_students", "no");
    site.import_once("add,student,u4,c1\n").await;
    assert_eq!(kinds(&mut site).await, told(&[("flatfile-report", 1), ("flatfile-teacher", 2)]));
    site.set("flatfile.mail_admins", "no");
    site.set("flatfile.mail_students", "moodle");
    site.import_once("add,student,u5,c1\n").await;
    let all = [("flatfile-report", 1), ("flatfile-student", 1), ("flatfile-teacher", 2)];
    assert_eq!(kinds(&mut site).await, told(&all));
}

async fn what_is_no_new_enrolment_is_not_announced(mut site: Site) {
    with_switches(&mut site, "1").await;
    site.set("flatfile.mail_admins", "no");
    // Moodle's own task has enrolled u1, and told of it.
    site.instance("flatfile", 1, 0, "student").await;
    site.enrolled(1, 1, "flatfile").await;
    let later = NOW + 86_400;
    site.import_once(&format!("add,student,u1,c1\nadd,teacher,u1,c1\nadd,student,u2,c1,{later}\n")).await;
    site.import_once("add,student,u3,c1\ndel,student,u3,c1\n").await;
    assert!(queued(&mut site).await.is_empty(), "{:?}", queued(&mut site).await);
    site.at(later + 60);
    site.sync().await;
    let told: Vec<_> = [
        format!("flatfile-student queued {} u2@example.com", user(2)),
        format!("flatfile-teacher queued {} u7@example.com", user(7)),
    ]
    .into();
    assert_eq!(queued(&mut site).await, told, "when the day has come");
}

async fn only_what_is_applied_is_announced(mut site: Site) {
    with_switches(&mut site, "1").await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\n");
    site.engine().import(&file, true).await.unwrap();
    assert!(queued(&mut site).await.is_empty(), "a rehearsal");
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "1");
    let held = site.engine().import(&file, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    assert_eq!(kinds(&mut site).await, told(&[("flatfile-report", 1)]), "the administrator must decide");
    site.engine().approve(held.run).await.unwrap();
    let all = [("flatfile-report", 2), ("flatfile-student", 2), ("flatfile-teacher", 2)];
    assert_eq!(kinds(&mut site).await, told(&all), "what was approved is told");
}

async fn the_administrator_gets_each_report(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    with_switches(&mut site, "1").await;
    send_through(&mut site, &server);
    site.set("flatfile.mail_students", "no");
    site.set("flatfile.mail_teachers", "no");
    site.set("waiting.days", "0");
    let admin = site.conn.number("SELECT MIN(id) FROM {user} WHERE username = 'admin'", &Params::new()).await.unwrap();
    site.sql(&format!("UPDATE {{user}} SET lang = 'fr_ca', email = 'chef@example.com' WHERE id = {admin}")).await;
    site.import_once("add,student,u1,c1\nadd,student,nobody,c1\n").await;
    site.sync().await;
    round(&mut site, NOW).await.unwrap();
    let taken = server.taken();
    assert_eq!(server.recipients(), ["chef@example.com"], "the second run had nothing to do");
    let body = taken[0].body();
    assert!(body.contains("Ce qui ne va pas") && body.contains("nobody"), "{body}");
    site.sql(&format!("UPDATE {{user}} SET emailstop = 1 WHERE id = {admin}")).await;
    site.import_once("add,student,u2,c1\n").await;
    assert_eq!(round(&mut site, NOW).await.unwrap().skipped, 1);
}

async fn each_language_and_who_answers(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    with_switches(&mut site, "1").await;
    send_through(&mut site, &server);
    site.set("flatfile.mail_admins", "no");
    site.sql(&format!("UPDATE {{user}} SET lang = 'fr' WHERE id = {}", user(1))).await;
    site.sql(&format!("UPDATE {{user}} SET maildisplay = 1, lang = 'de' WHERE id = {}", user(7))).await;
    site.import_once("add,student,u1,c1\n").await;
    round(&mut site, NOW).await.unwrap();
    let taken = server.taken();
    let [to_student, to_teacher] = taken.as_slice() else { panic!("{taken:?}") };
    let body = to_student.body();
    assert!(body.contains("Vous êtes maintenant inscrit au cours c1."), "{body}");
    assert!(body.contains(&format!("https://moodle.example.com/user/view.php?id={}&course=21", user(1))), "{body}");
    let answers = to_student.header("Reply-To");
    assert_eq!(answers.as_deref(), Some("=?utf-8?b?UHLDqW5vbTcgTm9t?= <u7@example.com>"));
    assert!(to_teacher.body().contains("Prénom1 Nom is now enrolled in the course c1."), "{}", to_teacher.body());
    assert_eq!(to_teacher.header("Subject").as_deref(), Some("A new participant in c1"));
}

async fn many_lines_need_few_more_statements(mut site: Site) {
    with_switches(&mut site, "1").await;
    site.set("run.lease_ttl", "3600");
    site.import_once("add,student,u1,c1\n").await;
    let mut lines = String::new();
    for who in 0..400 {
        let row = format!("({}, 'p{who}', 'p{who}', 1, 1, 'p{who}@example.com')", 1000 + who);
        site.sql(&format!("INSERT INTO {{user}} (id, username, idnumber, mnethostid, confirmed, email) VALUES {row}"))
            .await;
        lines += &format!("add,student,p{who},c1\n");
    }
    let few = site.import_once("add,student,u2,c1\n").await.statements;
    let many = site.import_once(&lines).await.statements;
    assert!(many <= few + 6, "{many} statements for 400 lines, {few} for one");
    assert_eq!(kinds(&mut site).await[1], ("flatfile-student".to_owned(), 402));
}
