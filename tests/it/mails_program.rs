//! Mails of the real program: sent by commands and by the daemon, shown, retried, tested; and a daemon that is killed.
//! It must not test what the library's tests of mails do.

use enrold::db::Dialect;

use crate::mails_queue::with_mails;
use crate::mails_send::states;
use crate::program::Program;
use crate::servers::{on_each_database, run_on};
use crate::site::Site;
use crate::smtp::{Manners, Server, Trouble};

on_each_database!(a_killed_daemon_leaves_its_mails_to_the_next);

/// The program on a campus that sends mails to new participants through the server.
async fn mailing(site: &mut Site, server: &Server) -> Program {
    with_mails(site).await;
    site.setting("mailstudents", Some("1")).await;
    Program::on(site)
        .set("guard.mode=off")
        .set("smtp.enabled=true")
        .set("smtp.security=none")
        .set("smtp.from=noreply@example.com")
        .set(&format!("smtp.port={}", server.port))
}

const TWO: &str = "operation,username,course,role\nadd,u1,c1,student\nadd,u2,c1,student\n";

#[test]
fn a_command_sends_after_its_commit() {
    run_on(Dialect::Lite, |mut site: Site| async move {
        let server = Server::start(Manners::default()).await;
        server.trouble("u2@example.com", &[Trouble::Recipient("550 5.1.1 nobody")]);
        let program = mailing(&mut site, &server).await;
        program.write("two.csv", TWO);
        program.run(&["import", "--simulate", "two.csv"]).ends(0);
        assert!(server.taken().is_empty(), "a rehearsal writes to nobody");
        let answer = program.run(&["import", "--yes", "two.csv"]).ends(0);
        answer.logs(&["1 refused for good", "1 sent"]);
        assert_eq!(server.recipients(), ["u1@example.com"]);
        program.run(&["mails"]).ends(0).says(&["refused 1, sent 1", "u2@example.com", "nobody"]);
        program.run(&["--set", "locale=fr", "mails"]).ends(0).says(&["refusé 1, envoyé 1"]);
        let (code, listed) = program.json(&["mails", "--all"]);
        assert_eq!((code, listed["counts"]["failed"].as_i64()), (0, Some(1)));
        assert_eq!(listed["mails"].as_array().map(Vec::len), Some(2));
        program.run(&["doctor"]).says(&["refused or given up: 1"]);
        program.run(&["mails", "retry", "9"]).ends(1);
        program.run(&["mails", "retry"]).ends(0).says(&["1: queued"]);
        program.run(&["mails", "send"]).ends(0).says(&["1 sent, 0 put off"]);
        assert_eq!(server.recipients(), ["u1@example.com", "u2@example.com"]);
        assert_eq!(states(&mut site).await, ["sent", "sent"]);
    });
}

#[test]
fn a_test_mail() {
    run_on(Dialect::Lite, |mut site: Site| async move {
        let server = Server::start(Manners::default()).await;
        let program = mailing(&mut site, &server).await;
        program.run(&["mails", "test", "you@example.org"]).ends(0).says(&["the server took it: <enrold."]);
        assert_eq!(server.recipients(), ["you@example.org"]);
        program.run(&["mails", "test", "nobody"]).ends(1).logs(&["not a mail address"]);
        let away = program.clone().set("smtp.port=1").set("smtp.timeout=2");
        away.run(&["mails", "test", "you@example.org"]).ends(1).logs(&["localhost:1", "no connection"]);
        let (code, document) = away.json(&["mails", "test", "you@example.org"]);
        assert_eq!((code, document["state"].as_str()), (1, Some("failed")));
    });
}

async fn a_killed_daemon_leaves_its_mails_to_the_next(mut site: Site) {
    let server = Server::start(Manners::default()).await;
    server.trouble("u2@example.com", &[Trouble::Silence]);
    let program = mailing(&mut site, &server).await;
    let mut first = program.start();
    program.drop_file("two.csv", TWO);
    first.until_there("two.csv.done");
    first.until("the second mail on its way", || server.taken().len() == 2);
    first.kill();
    assert_eq!(states(&mut site).await, ["sent", "sending"]);
    let mut second = program.start();
    second.until("the second mail again", || server.taken().len() == 3);
    second.until_logged("mails: 1 sent");
    second.stop();
    assert_eq!(states(&mut site).await, ["sent", "sent"]);
    let taken = server.taken();
    assert_eq!(server.recipients(), ["u1@example.com", "u2@example.com", "u2@example.com"]);
    assert_eq!(taken[1].header("Message-ID"), taken[2].header("Message-ID"));
}
