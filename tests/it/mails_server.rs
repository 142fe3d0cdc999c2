//! The dialogue with the mail server: encryption, login, and a server that is not trusted or refuses the client.
//! It must not test the outbox.

use enrold::db::Dialect;

use crate::mails_queue::with_mails;
use crate::mails_send::{round, states};
use crate::servers::run_on;
use crate::site::{NOW, Site};
use crate::smtp::{Manners, Server, send_through};

/// A site with one mail in the outbox.
async fn one(site: &mut Site, server: &Server) {
    with_mails(site).await;
    send_through(site, server);
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/authority.pem");
    site.set("smtp.ca_file", authority);
    site.setting("mailstudents", Some("1")).await;
    site.import_once("add,student,u1,c1\n").await;
}

fn on_sqlite<T: Future<Output = ()> + Send + 'static>(body: impl FnOnce(Site) -> T) {
    run_on(Dialect::Lite, body);
}

/// The mail stays queued, and the reason is reported.
async fn waits(site: &mut Site, server: &Server, why: &str) {
    let round = round(site, NOW).await.unwrap();
    let problem = round.problem.unwrap_or_default();
    assert!(problem.contains(why), "{problem}");
    assert_eq!((round.sent, round.failed, round.waiting), (0, 0, 1));
    assert!(server.taken().is_empty());
    assert!(states(site).await[0].starts_with("queued"), "{:?}", states(site).await);
}

#[test]
fn starttls_and_a_login() {
    on_sqlite(|mut site| async move {
        let manners = Manners { starttls: true, login: Some(("moodle", "geheim")), ..Manners::default() };
        let server = Server::start(manners).await;
        one(&mut site, &server).await;
        site.set("smtp.security", "starttls");
        site.set("smtp.user", "moodle");
        site.set("smtp.password", "geheim");
        assert_eq!(round(&mut site, NOW).await.unwrap().sent, 1);
        assert!(server.taken()[0].encrypted);
    });
}

#[test]
fn tls_at_once_with_a_password_from_a_file() {
    on_sqlite(|mut site| async move {
        let manners = Manners { tls_at_once: true, login: Some(("moodle", "ge heim")), ..Manners::default() };
        let server = Server::start(manners).await;
        one(&mut site, &server).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "ge heim\n").unwrap();
        site.set("smtp.security", "tls");
        site.set("smtp.user", "moodle");
        site.set("smtp.password_file", &file.path().display().to_string());
        assert_eq!(round(&mut site, NOW).await.unwrap().sent, 1);
        assert!(server.taken()[0].encrypted);
        drop(file);
        site.import_once("add,student,u2,c1\n").await;
        let problem = round(&mut site, NOW).await.unwrap().problem.unwrap();
        assert!(problem.contains("smtp.password_file"), "{problem}");
    });
}

#[test]
fn a_wrong_password() {
    on_sqlite(|mut site| async move {
        let server = Server::start(Manners { login: Some(("moodle", "geheim")), ..Manners::default() }).await;
        one(&mut site, &server).await;
        site.set("smtp.user", "moodle");
        site.set("smtp.password", "falsch");
        waits(&mut site, &server, "does not let moodle in").await;
    });
}

#[test]
fn a_server_that_wants_a_login_refuses_nobody_for_good() {
    on_sqlite(|mut site| async move {
        let server = Server::start(Manners { login: Some(("moodle", "geheim")), ..Manners::default() }).await;
        one(&mut site, &server).await;
        waits(&mut site, &server, "530").await;
    });
}

#[test]
fn a_certificate_of_an_unknown_authority() {
    on_sqlite(|mut site| async move {
        let server = Server::start(Manners { tls_at_once: true, ..Manners::default() }).await;
        one(&mut site, &server).await;
        site.set("smtp.ca_file", "");
        site.set("smtp.security", "tls");
        waits(&mut site, &server, "certificate").await;
    });
}

#[test]
fn a_server_without_starttls_hears_nothing() {
    on_sqlite(|mut site| async move {
        let server = Server::start(Manners::default()).await;
        one(&mut site, &server).await;
        site.set("smtp.security", "starttls");
        waits(&mut site, &server, "STARTTLS").await;
    });
}

#[test]
fn without_a_sender_the_mails_wait() {
    on_sqlite(|mut site| async move {
        let server = Server::start(Manners::default()).await;
        one(&mut site, &server).await;
        site.set("smtp.from", "");
        waits(&mut site, &server, "noreplyaddress").await;
        let row = [("name", "noreplyaddress".into()), ("value", "noreply@uni.example".into())];
        site.insert("config", &row).await;
        assert_eq!(round(&mut site, NOW).await.unwrap().sent, 1);
        assert_eq!(server.taken()[0].from, "noreply@uni.example");
    });
}
