//! Summaries for editing teachers: one for each course and file, only of what really changed, in the teacher's language
//! and zone, as text and HTML; and the digest of a day. It must not test how a file is applied.

use enrold::config::{FileKind, Operation, Profile, TellTeachers};
use enrold::db::Params;
use enrold::outcome::State;

use crate::campus::user;
use crate::mails_queue::with_mails;
use crate::mails_send::{round, states};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, Trouble, send_through};

on_each_database!(
    each_course_gets_one_summary_of_a_file,
    nothing_is_told_by_default_or_without_a_change,
    who_takes_part_by_another_method_is_not_new,
    groups_of_a_users_file,
    lines_that_waited_have_a_switch_of_their_own,
    only_what_is_applied_is_told,
    language_zone_and_markup,
    a_digest_of_the_day,
    each_summary_once_though_the_server_refuses,
    many_lines_need_few_more_statements,
);

const HOUR: i64 = 3_600;

/// The campus with mails; u7 and u8 teach c1, u8 teaches c2.
async fn with_teachers(site: &mut Site, how: &str) -> Server {
    let server = Server::start(Manners::default()).await;
    with_mails(site).await;
    send_through(site, &server);
    site.set("flatfile.tell_teachers", how);
    site.set("site.timezone", "Europe/Paris");
    for (who, whither) in [(7, 1), (8, 1), (8, 2)] {
        site.enrolled(who, whither, "manual").await;
        site.has_role(who, whither, "editingteacher", "manual").await;
    }
    site.sql("UPDATE {user} SET lang = 'en'").await;
    server
}

/// The mails of the outbox as `kind userid course`, without the rows that they tell.
async fn mails(site: &mut Site) -> Vec<String> {
    let sql = "SELECT m.kind, u.username, k.shortname FROM {enrold_outbox} m JOIN {user} u ON u.id = m.userid
        JOIN {course} k ON k.id = m.courseid WHERE m.state <> 'listed' ORDER BY k.shortname, u.username, m.id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| format!("{} {} {}", row.text(0), row.text(1), row.text(2))).collect()
}

/// The one mail to an address, without line ends.
fn body_to(server: &Server, address: &str, subject: &str) -> String {
    let taken = server.taken();
    let found: Vec<_> = taken.iter().filter(|mail| mail.to == address && mail.text.contains(subject)).collect();
    assert_eq!(found.len(), 1, "{address} {subject}: {taken:?}");
    found[0].body().replace("\r\n", "\n")
}

async fn each_course_gets_one_summary_of_a_file(mut site: Site) {
    let server = with_teachers(&mut site, "file").await;
    site.instance("flatfile", 1, 0, "student").await;
    site.enrolled(4, 1, "flatfile").await;
    site.has_role(4, 1, "student", "flatfile").await;
    let file = "add,student,u1,c1\nadd,student,u2,c1\nadd,student,u3,c2\ndel,student,u4,c1\nadd,student,u5,c3\n";
    site.import_once(file).await;
    let told = ["teacher-summary u7 c1", "teacher-summary u8 c1", "teacher-summary u8 c2"];
    assert_eq!(mails(&mut site).await, told, "c3 has no editing teacher");
    round(&mut site, NOW).await.unwrap();
    assert_eq!(server.taken().len(), 3);
    let body = body_to(&server, "u7@example.com", "Participants of c1: 2 new, 1 left");
    assert!(
        body.contains(
            "2 new participants:\n  * Prénom1 Nom\n  * Prénom2 Nom\n\n1 participant left:\n  * Prénom4 Nom\n"
        )
    );
    assert!(!body.contains("changed groups"), "{body}");
    assert!(body.contains("https://moodle.example.com/user/index.php?id=21"), "{body}");
    let body = body_to(&server, "u8@example.com", "Participants of c2: 1 new");
    assert!(body.contains("1 new participant:\n  * Prénom3 Nom\n") && !body.contains("left"), "{body}");
}

async fn nothing_is_told_by_default_or_without_a_change(mut site: Site) {
    with_teachers(&mut site, "no").await;
    site.import_once("add,student,u1,c1\n").await;
    site.set("flatfile.tell_teachers", "file");
    site.import_once("add,student,u1,c1\nadd,teacher,u1,c1\n").await;
    assert!(mails(&mut site).await.is_empty(), "off; then only a role");
    site.import_once("add,student,u2,c1\ndel,student,u2,c1\n").await;
    assert!(mails(&mut site).await.is_empty(), "who came and went");
}

async fn who_takes_part_by_another_method_is_not_new(mut site: Site) {
    let server = with_teachers(&mut site, "file").await;
    site.set("flatfile.del_scope", "own");
    site.enrolled(1, 1, "manual").await;
    site.import_once("add,student,u1,c1\n").await;
    assert!(mails(&mut site).await.is_empty(), "u1 was there");
    site.import_once("del,student,u1,c1\n").await;
    assert!(mails(&mut site).await.is_empty(), "u1 is still there");
    site.sql(&format!("UPDATE {{user_enrolments}} SET status = 1 WHERE userid = {}", user(1))).await;
    site.import_once("add,student,u1,c1\n").await;
    round(&mut site, NOW).await.unwrap();
    assert!(body_to(&server, "u7@example.com", "Participants of c1: 1 new").contains("Prénom1 Nom"), "again");
}

async fn lines_that_waited_have_a_switch_of_their_own(mut site: Site) {
    with_teachers(&mut site, "file").await;
    site.reset_sequences().await;
    site.set("waiting.days", "14");
    for (at, how) in (0..).zip(["no", "file"]) {
        site.set("waiting.tell_teachers", how);
        site.line(&format!("add;student;late{at};c1;;\n")).await;
        site.new_account(900 + at, &format!("late{at}"), "manual").await;
        site.pass().await;
        let told = ["teacher-summary u7 c1", "teacher-summary u8 c1"];
        assert_eq!(mails(&mut site).await, told[..2 * at as usize], "{how}");
    }
}

/// A profile that tells teachers, for accounts that exist.
fn profile() -> Profile {
    Profile { operation: Operation::Update, tell_teachers: TellTeachers::File, ..Profile::of(FileKind::Users) }
}

async fn groups_of_a_users_file(mut site: Site) {
    let server = with_teachers(&mut site, "no").await;
    site.enrolled(1, 1, "manual").await;
    site.users(&profile(), "username,course1,group1\nu1,c1,TD <1>\nu2,c1,TD <1>\n").await;
    round(&mut site, NOW).await.unwrap();
    let body = body_to(&server, "u7@example.com", "Participants of c1: 1 new, 1 changed groups");
    assert!(body.contains("1 new participant:\n  * Prénom2 Nom (TD <1>)\n"), "{body}");
    assert!(body.contains("1 participant changed groups:\n  * Prénom1 Nom: now in TD <1>\n"), "{body}");
    assert!(body.contains("<li>Prénom1 Nom: now in TD &lt;1&gt;</li>"), "{body}");
}

async fn only_what_is_applied_is_told(mut site: Site) {
    with_teachers(&mut site, "file").await;
    let file = site.write("add,student,u1,c1\nadd,student,u2,c1\n");
    site.engine().import(&file, true).await.unwrap();
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "1");
    let held = site.engine().import(&file, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    assert_eq!(site.count("enrold_outbox").await, 0, "simulated, then held");
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(mails(&mut site).await, ["teacher-summary u7 c1", "teacher-summary u8 c1"]);
}

async fn language_zone_and_markup(mut site: Site) {
    let server = with_teachers(&mut site, "file").await;
    let of = user(7);
    site.sql(&format!("UPDATE {{user}} SET lang = 'fr', timezone = 'America/Martinique' WHERE id = {of}")).await;
    site.sql(&format!("UPDATE {{user}} SET timezone = '99' WHERE id = {}", user(8))).await;
    let of = user(1);
    site.sql(&format!("UPDATE {{user}} SET firstname = '<b>&', lastname = 'x' || '\n' || 'Bcc: y' WHERE id = {of}"))
        .await;
    site.sql("UPDATE {course} SET fullname = 'R & D' WHERE shortname = 'c1'").await;
    site.import_once("add,student,u1,c1\n").await;
    round(&mut site, NOW).await.unwrap();
    let french = body_to(&server, "u7@example.com", "u7@example.com");
    assert!(
        french.contains("Les participants de votre cours R & D ont changé le 21 novembre 2026 à 06:00"),
        "{french}"
    );
    assert!(french.contains("1 nouveau participant :\n  * <b>& x\u{fffd}Bcc: y\n"), "{french}");
    assert!(french.contains("<strong>R &amp; D</strong>"), "{french}");
    assert!(french.contains("<li>&lt;b&gt;&amp; x\u{fffd}Bcc: y</li>"), "{french}");
    let english = body_to(&server, "u8@example.com", "u8@example.com");
    assert!(english.contains("changed on 21 November 2026, 11:00"), "{english}");
}

async fn a_digest_of_the_day(mut site: Site) {
    let server = with_teachers(&mut site, "day").await;
    site.import_once("add,student,u1,c1\nadd,student,u2,c1\nadd,student,u3,c2\n").await;
    site.at(NOW + HOUR);
    site.import_once("add,student,u4,c1\ndel,student,u2,c1\ndel,student,u3,c2\n").await;
    assert_eq!(mails(&mut site).await.len(), 3, "one for each teacher and course");
    let seven = NOW + 20 * HOUR;
    assert!(round(&mut site, seven - 1).await.is_none(), "not before seven in Paris");
    let sent = round(&mut site, seven).await.unwrap();
    assert_eq!((sent.sent, sent.skipped), (2, 1));
    let body = body_to(&server, "u7@example.com", "Participants of c1: 2 new");
    assert!(body.contains("changed on 21 November 2026, by") && body.contains("* Prénom4 Nom"), "{body}");
    assert!(!body.contains("Prénom2"), "{body}");
    assert!(states(&mut site).await.contains(&"skipped nothing-to-tell".to_owned()), "in c2 nothing has changed");
    site.at(seven);
    site.import_once("add,student,u5,c1\n").await;
    round(&mut site, seven + 24 * HOUR).await.unwrap();
    let body = body_to(&server, "u7@example.com", "Participants of c1: 1 new");
    assert!(body.contains("Prénom5") && !body.contains("Prénom1"), "the next day has a digest of its own: {body}");
}

/// An hour away, a refusal for now, a refusal for good of one of them: each gets it once.
async fn each_summary_once_though_the_server_refuses(mut site: Site) {
    let server = with_teachers(&mut site, "file").await;
    site.import_once("add,student,u1,c1\nadd,student,u2,c2\n").await;
    site.set("smtp.port", "1");
    for minutes in [0, 1, 5, 20, 50] {
        let away = round(&mut site, NOW + minutes * 60).await.unwrap();
        assert_eq!((away.sent, away.failed), (0, 0));
    }
    send_through(&mut site, &server);
    server.trouble("u7@example.com", &[Trouble::Recipient("451 4.7.1 later"), Trouble::Text("452 4.3.1 full")]);
    let mut sent = 0;
    for hours in 1..12 {
        sent += round(&mut site, NOW + hours * HOUR).await.map_or(0, |round| round.sent);
    }
    let mut to = server.recipients();
    to.sort();
    assert_eq!(
        (sent, to.as_slice()),
        (3, ["u7@example.com", "u8@example.com", "u8@example.com"].map(String::from).as_slice())
    );
}

async fn many_lines_need_few_more_statements(mut site: Site) {
    with_teachers(&mut site, "file").await;
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
    let listed = "SELECT COUNT(*) FROM {enrold_outbox} WHERE state = 'listed'";
    assert_eq!(site.conn.number(listed, &Params::new()).await.unwrap(), 402);
}
