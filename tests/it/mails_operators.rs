//! What operators are told of files: at once of one that is held or has failed, each day of failed lines, with the list
//! of problems; once each. It must not test mails about people.

use enrold::db::Params;
use enrold::outcome::State;

use crate::mails_queue::with_mails;
use crate::mails_send::round;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

on_each_database!(
    held_and_failed_files_are_told_at_once,
    failed_lines_are_told_each_day,
    only_those_who_are_asked_for_are_told,
);

const HOUR: i64 = 3_600;

async fn with_operators(site: &mut Site) -> Server {
    let server = Server::start(Manners::default()).await;
    with_mails(site).await;
    send_through(site, &server);
    site.set("mail.operators", "si@example.org\ncemu@example.org");
    site.set("site.timezone", "Europe/Paris");
    site.set("waiting.days", "0");
    server
}

async fn kinds(site: &mut Site) -> Vec<String> {
    let sql = "SELECT kind, address, state FROM {enrold_outbox} WHERE state <> 'listed' ORDER BY id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| format!("{} {} {}", row.text(0), row.text(1), row.text(2))).collect()
}

async fn held_and_failed_files_are_told_at_once(mut site: Site) {
    let server = with_operators(&mut site).await;
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "1");
    let file = site.write("add,student,u1,c1\nadd,student,=nobody,c1\nadd,student,u2,c1\n");
    site.engine().import(&file, true).await.unwrap();
    assert!(kinds(&mut site).await.is_empty(), "a rehearsal");
    let held = site.engine().import(&file, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    let failed = {
        let twice = site.write("operation,username,username,course,role\nadd,u1,u1,c1,student\n");
        site.engine().import(&twice, false).await.unwrap()
    };
    assert_eq!(failed.state, State::Failed);
    round(&mut site, NOW).await.unwrap();
    let one_each = ["si@example.org", "cemu@example.org", "si@example.org", "cemu@example.org"];
    assert_eq!(server.recipients(), one_each);
    let taken = server.taken();
    let held_mail = &taken[0];
    assert!(held_mail.header("Subject").unwrap().contains("HELD"), "{:?}", held_mail.header("Subject"));
    assert!(held_mail.text.contains(".errors.csv"), "{}", held_mail.text);
    let body = held_mail.body();
    assert!(body.contains("line,code,message") && body.contains("2,user-unknown,"), "{body}");
    assert!(body.contains(&format!("enrold approve {}", held.run)), "{body}");
    assert!(taken[2].header("Subject").unwrap().contains("FAILED"), "{:?}", taken[2].header("Subject"));
    site.engine().approve(held.run).await.unwrap();
    assert_eq!(
        kinds(&mut site).await.len(),
        6,
        "the line that failed is in the daily mail: {:?}",
        kinds(&mut site).await
    );
}

async fn failed_lines_are_told_each_day(mut site: Site) {
    let server = with_operators(&mut site).await;
    site.import_once("add,student,u1,c1\n").await;
    assert!(kinds(&mut site).await.is_empty(), "nothing failed");
    site.import_once("add,student,u1,c1\nadd,student,nobody,c1\n").await;
    site.at(NOW + HOUR);
    site.import_once("add,student,noone,c1\nadd,student,u2,nowhere\nadd,student,u3,c1\n").await;
    assert_eq!(kinds(&mut site).await.len(), 2, "one for each address");
    let seven = NOW + 20 * HOUR;
    assert!(round(&mut site, seven - 1).await.is_none());
    assert_eq!(round(&mut site, seven).await.unwrap().sent, 2);
    let mail = &server.taken()[0];
    assert_eq!(mail.header("Subject").as_deref(), Some("enrold, failed lines: 3 lines"));
    let body = mail.body();
    for told in ["nobody", "noone", "nowhere", "run,file,line,code,message", "user-unknown", "course-unknown"] {
        assert!(body.contains(told), "{told}: {body}");
    }
    site.at(seven);
    site.import_once("add,student,u4,c1\nadd,student,nobody2,c1\n").await;
    assert_eq!(round(&mut site, seven + 24 * HOUR).await.unwrap().sent, 2);
    let body = server.taken()[2].body();
    assert!(body.contains("nobody2") && !body.contains("noone"), "{body}");
}

async fn only_those_who_are_asked_for_are_told(mut site: Site) {
    with_operators(&mut site).await;
    site.set("mail.operators", "");
    site.import_once("add,student,u1,c1\nadd,student,nobody,c1\n").await;
    site.engine().import(&site.write(""), false).await.unwrap();
    assert!(kinds(&mut site).await.is_empty());
}
