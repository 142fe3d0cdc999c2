//! Health and metrics of the real daemon, after real drops and real trouble.
//! It must not test the pages by themselves; their own tests do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::openmetrics::parse;
use crate::outside::{enrols, on_both_servers};
use crate::program::on_the_sample;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(metrics_tell_of_real_drops);
on_both_servers!(a_database_that_is_away_is_not_ready);

/// The address of a daemon's pages.
pub enum Place {
    Port(u16),
    Socket(PathBuf),
}

impl Place {
    /// A port that was free a moment before.
    fn port() -> Self {
        Self::Port(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
    }

    /// A socket in a directory.
    pub fn socket(dir: &Path) -> Self {
        Self::Socket(dir.join("http.sock"))
    }

    /// The value in the configuration.
    pub fn setting(&self) -> String {
        match self {
            Self::Port(port) => format!("http.listen=127.0.0.1:{port}"),
            Self::Socket(path) => format!("http.listen=unix:{}", path.display()),
        }
    }

    /// The code and the body of a page; `None` without an answer.
    pub fn get(&self, page: &str) -> Option<(u16, String)> {
        let mut text = String::new();
        let question = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        match self {
            Self::Port(port) => converse(TcpStream::connect(("127.0.0.1", *port)).ok()?, &question, &mut text),
            Self::Socket(path) => converse(UnixStream::connect(path).ok()?, &question, &mut text),
        }
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?, body.to_owned()))
    }

    /// The code of `/readyz`, its status, and its reasons as one text.
    pub fn ready(&self) -> Option<(u16, String, String)> {
        let (code, body) = self.get("/readyz")?;
        let page: Json = serde_json::from_str(&body).unwrap();
        Some((code, page["status"].as_str().unwrap().to_owned(), page["reasons"].to_string()))
    }

    /// True if `/readyz` has this code and status.
    pub fn is(&self, code: u16, status: &str) -> bool {
        self.ready().is_some_and(|page| (page.0, page.1.as_str()) == (code, status))
    }

    /// The value of a metric, for this value of a label if one is given.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let samples = parse(&self.get("/metrics").unwrap().1);
        let found = samples.iter().find(|sample| {
            sample.name == name && (label.is_empty() || sample.labels.values().any(|value| value == label))
        });
        found.unwrap_or_else(|| panic!("no {name} {label}")).value
    }
}

fn converse(mut stream: impl Read + Write, question: &str, answer: &mut String) {
    stream.write_all(question.as_bytes()).unwrap();
    stream.read_to_string(answer).unwrap();
}

async fn metrics_tell_of_real_drops(mut site: Site) {
    let program = site.sampled().await.set("run.lease_ttl=10").set("waiting.days=14");
    let place = Place::port();
    let mut daemon = program.clone().set(&place.setting()).start();
    daemon.until("readiness", || place.is(200, "ready"));
    assert_eq!(place.get("/healthz").unwrap().0, 200);
    program.drop_file("one.csv", enrols(0) + "add,nobody99,L1-MATH-101,student\n");
    daemon.until_there("one.csv.done");
    program.drop_file("empty.csv", "");
    daemon.until_there("empty.csv.held");
    std::fs::write(daemon.inbox.join("alock.txt"), "").unwrap();
    program.drop_file("waits.csv", enrols(1));
    daemon.until("a held run", || place.metric("enrold_held_runs", "") == 1.0);
    daemon.until("a waiting file", || place.metric("enrold_inbox_waiting_files", "") == 1.0);
    assert!(place.metric("enrold_inbox_oldest_waiting_seconds", "") >= 0.0);
    for (name, label, value) in [
        ("enrold_leader", "", 1.0),
        ("enrold_database_up", "", 1.0),
        ("enrold_inbox_up", "", 1.0),
        ("enrold_errors_total", "waiting", 1.0),
        ("enrold_lines_total", "applied", 1.0),
        ("enrold_lines_total", "waiting", 1.0),
        ("enrold_changes_total", "enrolment.add", 1.0),
        ("enrold_runs_total", "done-with-errors", 1.0),
        ("enrold_runs_total", "held", 1.0),
        ("enrold_task_last_success_timestamp_seconds", "flatfile", NOW as f64),
    ] {
        let samples = parse(&place.get("/metrics").unwrap().1);
        let found = samples.iter().any(|sample| {
            let labelled = label.is_empty() || sample.labels.values().any(|found| found == label);
            sample.name == name && labelled && sample.value == value
        });
        assert!(found, "{name} {label} is not {value}:\n{}", place.get("/metrics").unwrap().1);
    }
    std::fs::remove_file(daemon.inbox.join("alock.txt")).unwrap();
    daemon.until_there("waits.csv.done");
    daemon.until("no waiting file", || place.metric("enrold_inbox_waiting_files", "") == 0.0);
    let second = Place::port();
    let mut other = program.clone().set(&second.setting()).start();
    other.until("standby", || second.is(503, "standby"));
    assert_eq!((second.get("/healthz").unwrap().0, second.metric("enrold_leader", "")), (200, 0.0));
    daemon.stop();
    other.until("readiness of the other", || second.is(200, "ready"));
    other.stop();
}

/// The pages of a daemon on a socket, whose drop directory disappears and returns.
#[test]
fn a_directory_that_vanishes_is_not_ready() {
    on_the_sample(async |_, program| {
        let place = Place::socket(&program.dir);
        let mut daemon = program.clone().set(&place.setting()).set("inbox.rescan=1").start();
        daemon.until("readiness", || place.is(200, "ready"));
        std::fs::remove_dir(&daemon.inbox).unwrap();
        daemon.until("the end of readiness", || place.is(503, "not-ready"));
        assert!(place.ready().unwrap().2.contains("the drop directory cannot be used"));
        assert_eq!(place.get("/healthz").unwrap().0, 200);
        daemon.until_logged("is not there: make it, or set inbox.path");
        std::fs::create_dir(&daemon.inbox).unwrap();
        daemon.until("readiness again", || place.is(200, "ready"));
        program.drop_file("one.csv", enrols(0));
        daemon.until_there("one.csv.done");
        daemon.stop();
        assert!(place.get("/healthz").is_none() && !program.dir.join("http.sock").exists());
    });
}

async fn a_database_that_is_away_is_not_ready(mut site: Site) {
    let program = site.sampled().await;
    let (wire, program) = site.wire(&program);
    let place = Place::socket(&program.dir);
    let mut daemon = program.set("run.lease_ttl=10").set(&place.setting()).start();
    daemon.until("readiness", || place.is(200, "ready"));
    wire.cut();
    daemon.until("the end of readiness", || place.is(503, "not-ready"));
    assert!(place.ready().unwrap().2.contains("the database cannot be used"));
    assert_eq!((place.get("/healthz").unwrap().0, place.metric("enrold_database_up", "")), (200, 0.0));
    // It gives the lead up by itself, because another daemon may have taken it.
    daemon.until("the end of the lead", || place.metric("enrold_leader", "") == 0.0);
    wire.mend();
    daemon.until("readiness again", || place.is(200, "ready"));
    daemon.stop();
}
