//! The golden cases of the flat file's mails: to whom a real Moodle wrote, in whose name and about what; then what left
//! the site by a mail server. It must not compare words: enrold's texts are its own.

use std::path::{Path, PathBuf};

use enrold::db::{Params, Value};
use enrold::run::{Import, SyncOrder};

use crate::dump::Row;
use crate::golden_case::{load_from, read};
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::Site;
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    fm01_students,
    fm03_administrators,
    fm04_all,
    fm05_none,
    fm06_who_is_the_enroller,
    fm11_who_gets_no_mail,
    fm12_administrators_from_a_web_process,
    fm14_no_file,
    fm15_nothing_to_do,
    fm16_a_file_that_cannot_be_removed,
);

/// A message, told as both sides know it: from, to, the course's short name, and whether it is for a student.
type Told = (String, String, String, bool);

fn folder(case: &str) -> PathBuf {
    cases().join(case)
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-files")
}

fn field<'a>(row: &'a Row, column: &str) -> &'a str {
    row[column].as_deref().unwrap_or_default()
}

/// A context, a role, and a right that it has there.
type Right = (i64, i64, &'static str);

/// The rights of roles, which the recordings do not have: Moodle's defaults.
async fn rights(site: &mut Site, more: &[Right]) {
    for (context, role, capability) in [(1, 1, "moodle/role:assign"), (1, 3, "moodle/role:assign")].iter().chain(more) {
        let row: [(&'static str, Value); 4] = [
            ("contextid", (*context).into()),
            ("roleid", (*role).into()),
            ("capability", (*capability).into()),
            ("permission", 1.into()),
        ];
        site.insert("role_capabilities", &row).await;
    }
}

/// Runs what Moodle's task ran: the file, if there is one, then the buffer and the expirations.
async fn run(site: &Site, case: &str) {
    let path = folder(case).join("flatfile_input.txt");
    if path.exists() {
        site.engine().import(&Import { path, ..Import::default() }, false).await.unwrap();
    }
    site.engine().sync(&SyncOrder::of("flatfile"), false).await.unwrap();
}

/// Proves a case: the messages, what the server gets, and nothing more when all runs once more; gives the number of
/// reports to the administrator. Moodle's mails about its log and about a file that it cannot remove are left out.
async fn prove(mut site: Site, case: &str, now: i64, more: &[Right]) -> i64 {
    let server = Server::start(Manners::default()).await;
    load_from(&mut site, &cases(), case).await;
    rights(&mut site, more).await;
    send_through(&mut site, &server);
    site.set("guard.mode", "off");
    site.at(now);
    run(&site, case).await;

    let told = queued(&mut site).await;
    assert_eq!(told, recorded(&mut site, case).await, "{case}");
    let reports = reports(&mut site).await;
    round(&mut site, now).await;
    assert_eq!(left(&server), left_moodle(case), "{case}");

    run(&site, case).await;
    assert_eq!(queued(&mut site).await, told, "{case}: a second run enrols nobody anew");
    reports
}

/// The messages that enrold has queued.
async fn queued(site: &mut Site) -> Vec<Told> {
    let sql = "SELECT m.kind, m.userid, l.data FROM {enrold_outbox} m
          JOIN {enrold_letter} l ON l.run = m.run AND l.enrolid = m.enrolid AND l.kind = m.kind
         WHERE m.kind <> 'flatfile-report'";
    let mut told = Vec::new();
    for row in site.conn.rows(sql, &Params::new()).await.unwrap() {
        let letter: serde_json::Value = serde_json::from_str(&row.text(2)).unwrap();
        let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
        told.push((text("contact"), row.int(1).to_string(), text("shortname"), row.text(0) == "flatfile-student"));
    }
    told.sort();
    told
}

/// The messages that Moodle has recorded.
async fn recorded(site: &mut Site, case: &str) -> Vec<Told> {
    let names = "SELECT u.id, u.firstname || ' ' || u.lastname FROM {user} u";
    let names = site.conn.rows(names, &Params::new()).await.unwrap();
    let name = |id: &str| names.iter().find(|row| row.int(0).to_string() == id).unwrap().text(1);
    let mut told = Vec::new();
    for row in read(&folder(case).join("after/notifications.csv")) {
        let Some(course) = field(&row, "subject").strip_prefix("New enrolment in ") else { continue };
        let to_student = !field(&row, "fullmessage").contains(" has enrolled in course ");
        told.push((name(field(&row, "useridfrom")), field(&row, "useridto").to_owned(), course.to_owned(), to_student));
    }
    told.sort();
    told
}

async fn reports(site: &mut Site) -> i64 {
    let sql = "SELECT COUNT(*) FROM {enrold_outbox} WHERE kind = 'flatfile-report'";
    site.conn.number(sql, &Params::new()).await.unwrap()
}

/// The recipients of the mails about enrolments that left, by the server.
fn left(server: &Server) -> Vec<String> {
    let of_report = |text: &str| text.contains("Subject: enrold");
    let mut left: Vec<_> = server.taken().iter().filter(|mail| !of_report(&mail.text)).map(|m| m.to.clone()).collect();
    left.sort();
    left
}

/// The same by Moodle's mails.
fn left_moodle(case: &str) -> Vec<String> {
    let mails = std::fs::read_to_string(folder(case).join("mails.txt")).unwrap_or_default();
    let mut left = Vec::new();
    let mut to = "";
    for line in mails.lines() {
        if let Some(address) = line.strip_prefix("To: ") {
            to = address.split_once('<').unwrap().1.trim_end_matches('>');
        }
        if line.starts_with("Subject: New enrolment in ") {
            left.push(to.to_owned());
        }
    }
    left.sort();
    left
}

async fn fm01_students(site: Site) {
    assert_eq!(prove(site, "fm01_students", 1_795_956_467, &[]).await, 0);
}

/// From the command line Moodle's log is lost on its way to the administrator (NOT): enrold reports each run.
async fn fm03_administrators(site: Site) {
    assert_eq!(prove(site, "fm03_admins", 1_795_956_497, &[]).await, 2);
}

async fn fm04_all(site: Site) {
    assert_eq!(prove(site, "fm04_all", 1_795_956_507, &[]).await, 2);
}

async fn fm05_none(site: Site) {
    assert_eq!(prove(site, "fm05_none", 1_795_956_518, &[]).await, 0);
}

/// In gc3 the non-editing teachers have been given the right to manage the method.
async fn fm06_who_is_the_enroller(site: Site) {
    let more = [(16, 4, "enrol/flatfile:manage")];
    assert_eq!(prove(site, "fm06_enroller_choice", 1_795_956_529, &more).await, 1);
}

async fn fm11_who_gets_no_mail(site: Site) {
    assert_eq!(prove(site, "fm11_accents_encoding", 1_795_956_573, &[]).await, 1);
}

async fn fm12_administrators_from_a_web_process(site: Site) {
    assert_eq!(prove(site, "fm12_admins_web", 1_795_956_774, &[]).await, 2);
}

async fn fm14_no_file(site: Site) {
    assert_eq!(prove(site, "fm14_no_file_web", 1_795_956_810, &[]).await, 1);
}

async fn fm15_nothing_to_do(site: Site) {
    assert_eq!(prove(site, "fm15_nothing_web", 1_795_956_819, &[]).await, 0);
}

async fn fm16_a_file_that_cannot_be_removed(site: Site) {
    assert_eq!(prove(site, "fm16_locked_file", 1_795_957_172, &[]).await, 1);
}
