//! Delivery of mails: once each, retried after a temporary refusal, never after a permanent one, and after a crash.
//! It must not test which mails are queued, nor their text.

use std::sync::Arc;

use enrold::clock::Clock;
use enrold::db::Params;
use enrold::mail::{deliver, store};
use enrold::outcome::Round;

use crate::campus::user;
use crate::mails_queue::with_mails;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, Trouble, send_through};

on_each_database!(
    each_mail_leaves_once,
    a_refusal_for_now_is_tried_again,
    a_refusal_for_good_waits_for_a_person,
    a_server_that_is_away_refuses_nobody,
    what_the_server_may_have_taken_goes_again_under_the_same_id,
    a_sender_that_died_leaves_nothing_behind,
    two_senders_are_one,
    who_gets_no_mails,
    so_many_per_minute,
    old_mails_are_given_up_and_forgotten,
);

/// A site with three mails in the outbox, and its server.
async fn three(site: &mut Site) -> Server {
    let server = Server::start(Manners::default()).await;
    with_mails(site).await;
    send_through(site, &server);
    site.setting("mailstudents", Some("1")).await;
    site.import_once("add,student,u1,c1\nadd,student,u2,c1\nadd,student,u3,c1\n").await;
    server
}

/// One round at a given time.
pub async fn round(site: &mut Site, now: i64) -> Option<Round> {
    let engine = site.engine();
    let clock = Clock::frozen_at(Some(now));
    deliver(&engine.database, &engine.settings, clock, None).await.unwrap()
}

/// The states of all mails, in order.
pub async fn states(site: &mut Site) -> Vec<String> {
    let sql = "SELECT state, COALESCE(message, '') FROM {enrold_outbox} ORDER BY id";
    let rows = site.conn.rows(sql, &Params::new()).await.unwrap();
    rows.iter().map(|row| format!("{} {}", row.text(0), row.text(1)).trim_end().to_owned()).collect()
}

async fn each_mail_leaves_once(mut site: Site) {
    let server = three(&mut site).await;
    let sent = round(&mut site, NOW).await.unwrap();
    assert_eq!((sent.sent, sent.problem, sent.waiting), (3, None, 0));
    assert_eq!(round(&mut site, NOW + 60).await, None, "nothing is left");
    assert_eq!(server.recipients(), ["u1@example.com", "u2@example.com", "u3@example.com"]);
    assert_eq!(server.greeted(), 1, "one conversation");
    assert_eq!(states(&mut site).await, ["sent", "sent", "sent"]);
    let mail = &server.taken()[0];
    assert_eq!(mail.from, "noreply@example.com");
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Date").as_deref(), Some("Sat, 21 Nov 2026 10:00:00 +0000"));
    assert!(mail.header("From").unwrap().ends_with("<noreply@example.com>"));
    assert!(mail.body().contains("https://moodle.example.com/course/view.php?id=21"), "{}", mail.body());
    let ids: Vec<_> = server.taken().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert!(ids.iter().all(|id| id.starts_with("<enrold.") && id.ends_with("@example.com>")), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

async fn a_refusal_for_now_is_tried_again(mut site: Site) {
    let server = three(&mut site).await;
    server.trouble("u1@example.com", &[Trouble::Recipient("451 4.7.1 come back later")]);
    server.trouble("u2@example.com", &[Trouble::Text("452 4.3.1 full"), Trouble::Text("452 4.3.1 full")]);
    let first = round(&mut site, NOW).await.unwrap();
    assert_eq!((first.sent, first.put_off, first.waiting), (1, 2, 2));
    assert_eq!(server.recipients(), ["u3@example.com"]);
    assert_eq!(round(&mut site, NOW + 59).await, None, "a minute first");
    let second = round(&mut site, NOW + 60).await.unwrap();
    assert_eq!((second.sent, second.put_off), (1, 1));
    assert_eq!(round(&mut site, NOW + 60 + 119).await, None, "then two minutes");
    assert_eq!(round(&mut site, NOW + 60 + 120).await.unwrap().sent, 1);
    assert_eq!(server.recipients(), ["u3@example.com", "u1@example.com", "u2@example.com"]);
}

async fn a_refusal_for_good_waits_for_a_person(mut site: Site) {
    let server = three(&mut site).await;
    server.trouble("u2@example.com", &[Trouble::Recipient("550 5.1.1 nobody of that name")]);
    server.trouble("u3@example.com", &[Trouble::Text("554 5.7.1 not such a text")]);
    let first = round(&mut site, NOW).await.unwrap();
    assert_eq!((first.sent, first.failed, first.problem), (1, 2, None));
    assert_eq!(round(&mut site, NOW + 86_400).await, None, "not again by itself");
    let states = states(&mut site).await;
    assert!(states[1].starts_with("failed") && states[1].contains("nobody of that name"), "{states:?}");
    assert_eq!(store::retry(&mut site.conn, &[], NOW + 86_400, NOW + 90_000).await.unwrap(), 2);
    assert_eq!(round(&mut site, NOW + 86_400).await.unwrap().sent, 2);
    assert_eq!(server.taken().len(), 3);
}

async fn a_server_that_is_away_refuses_nobody(mut site: Site) {
    let server = three(&mut site).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port().to_string();
    drop(nobody);
    site.set("smtp.port", &port);
    let away = round(&mut site, NOW).await.unwrap();
    assert_eq!((away.sent, away.failed, away.waiting), (0, 0, 3));
    assert!(away.problem.unwrap().contains("no connection"));
    send_through(&mut site, &server);
    assert_eq!(round(&mut site, NOW + 60).await.unwrap().sent, 3);
    assert_eq!(server.taken().len(), 3);
}

async fn what_the_server_may_have_taken_goes_again_under_the_same_id(mut site: Site) {
    let server = three(&mut site).await;
    server.trouble("u1@example.com", &[Trouble::HangUp]);
    assert!(round(&mut site, NOW).await.unwrap().problem.is_some());
    assert_eq!(round(&mut site, NOW + 60).await.unwrap().sent, 3);
    let taken = server.taken();
    let ids = |of: &str| -> Vec<_> {
        taken.iter().filter(|mail| mail.to == of).map(|mail| mail.header("Message-ID").unwrap()).collect()
    };
    assert_eq!(ids("u1@example.com").len(), 2);
    assert_eq!(ids("u1@example.com")[0], ids("u1@example.com")[1], "its readers can drop the second");
    assert_eq!((ids("u2@example.com").len(), ids("u3@example.com").len()), (1, 1));
}

async fn a_sender_that_died_leaves_nothing_behind(mut site: Site) {
    let server = three(&mut site).await;
    server.trouble("u2@example.com", &[Trouble::Silence]);
    let engine = site.engine();
    let dying =
        tokio::spawn(
            async move { deliver(&engine.database, &engine.settings, Clock::frozen_at(Some(NOW)), None).await },
        );
    server.silent.notified().await;
    dying.abort();
    assert!(dying.await.is_err());
    assert_eq!(states(&mut site).await, ["sent", "sending", "queued"]);
    assert_eq!(round(&mut site, NOW).await, None, "a lease that lives is not taken");
    site.sql("UPDATE {enrold_lease} SET holder = '' WHERE name = 'mail'").await;
    assert_eq!(round(&mut site, NOW).await.unwrap().sent, 2);
    let ids: Vec<_> = server.taken().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_eq!(server.recipients()[..3], ["u1@example.com", "u2@example.com", "u2@example.com"]);
    assert_eq!((ids.len(), &ids[1]), (4, &ids[2]), "at most one twice, under the same id");
}

async fn two_senders_are_one(mut site: Site) {
    let server = three(&mut site).await;
    let engine = site.engine();
    let clock = Clock::frozen_at(Some(NOW));
    let rounds = (0..4).map(|_| {
        let (database, settings) = (Arc::clone(&engine.database), Arc::clone(&engine.settings));
        tokio::spawn(async move { deliver(&database, &settings, clock, None).await.unwrap() })
    });
    let rounds: Vec<_> = rounds.collect();
    let mut sent = 0;
    for round in rounds {
        sent += round.await.unwrap().map_or(0, |round| round.sent);
    }
    assert_eq!((sent, server.taken().len()), (3, 3));
}

async fn who_gets_no_mails(mut site: Site) {
    let server = three(&mut site).await;
    site.import_once("add,student,u4,c1\nadd,student,u5,c1\nadd,student,u6,c1\nadd,student,u7,c1\n").await;
    for (who, what) in [(1, "emailstop = 1"), (2, "suspended = 1"), (3, "deleted = 1"), (4, "auth = 'nologin'")] {
        site.sql(&format!("UPDATE {{user}} SET {what} WHERE id = {}", user(who))).await;
    }
    for (who, address) in [(5, "u5@example.invalid"), (6, "no address")] {
        let sql = format!("UPDATE {{enrold_outbox}} SET address = '{address}' WHERE userid = {}", user(who));
        site.sql(&sql).await;
    }
    let round = round(&mut site, NOW).await.unwrap();
    assert_eq!((round.sent, round.skipped, round.failed), (1, 5, 1));
    assert_eq!(server.recipients(), ["u7@example.com"]);
    assert_eq!(
        states(&mut site).await,
        [
            "skipped emailstop",
            "skipped suspended",
            "skipped deleted",
            "skipped nologin",
            "skipped no-address",
            "failed not a mail address",
            "sent"
        ]
    );
}

async fn so_many_per_minute(mut site: Site) {
    let server = three(&mut site).await;
    site.set("smtp.per_minute", "2");
    assert_eq!(round(&mut site, NOW).await.unwrap().sent, 2);
    assert_eq!(round(&mut site, NOW + 30).await.unwrap().sent, 0);
    assert_eq!(round(&mut site, NOW + 61).await.unwrap().sent, 1);
    assert_eq!(server.taken().len(), 3);
}

async fn old_mails_are_given_up_and_forgotten(mut site: Site) {
    let server = three(&mut site).await;
    let late = NOW + 72 * 3_600 + 1;
    let round = round(&mut site, late).await.unwrap();
    assert_eq!((round.sent, round.given_up), (0, 3));
    assert_eq!(server.greeted(), 0);
    assert_eq!(states(&mut site).await[0], "given-up not sent in time");
    assert_eq!(store::forget(&mut site.conn, NOW).await.unwrap(), 0);
    assert_eq!(store::forget(&mut site.conn, late).await.unwrap(), 3);
    let letters = site.conn.number("SELECT COUNT(*) FROM {enrold_letter}", &Params::new()).await.unwrap();
    assert_eq!(letters, 0);
}
