//! Health and metrics as a monitoring system reads them: real requests over a port and over a Unix socket.
//! It must not know the daemon: the test supplies the facts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enrold::config::Listen;
use enrold::outcome::{Lines, Report, State};
use enrold::problem::{Code, Problem};
use enrold::web::{Role, Serving, Status, WebError, serve};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::openmetrics::{Sample, parse};

/// Pages served in this process.
struct Served {
    runtime: Runtime,
    status: Arc<Status>,
    cancel: CancellationToken,
    serving: Serving,
}

impl Served {
    fn at(listen: &Listen) -> Result<Self, WebError> {
        let runtime = Runtime::new().expect("a runtime");
        let status = Arc::new(Status::new(|| Ok(())));
        let cancel = CancellationToken::new();
        let serving = runtime.block_on(serve(listen, Arc::clone(&status), cancel.clone()))?;
        Ok(Self { runtime, status, cancel, serving })
    }

    fn on_a_port() -> Self {
        Self::at(&Listen::Port(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a free port")
    }

    fn address(&self) -> SocketAddr {
        self.serving.address().expect("a port has an address")
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        converse(TcpStream::connect(self.address()).expect("a connection"), method, path)
    }

    fn make_ready(&self) {
        self.status.role(Role::Leader);
        self.status.database(Ok(()));
        self.status.inbox(Ok(()));
    }

    fn samples(&self) -> Vec<Sample> {
        parse(&self.get("/metrics").body)
    }

    fn stop(self) {
        self.cancel.cancel();
        self.runtime.block_on(self.serving.stopped());
    }
}

struct Answer {
    code: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// Sends one HTTP/1.1 request and reads until the server closes the connection.
fn converse(mut stream: impl Read + Write, method: &str, path: &str) -> Answer {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a question");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let mut lines = head.split("\r\n");
    let code = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("a status line");
    let headers = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Answer { code: code[..3].parse().expect("a code"), headers, body: body.to_owned() }
}

fn sample(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = samples.iter().find(|sample| {
        sample.name == name
            && sample.labels.len() == labels.len()
            && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
    });
    found.unwrap_or_else(|| panic!("no {name} {labels:?}")).value
}

fn report(state: State, failed: u64) -> Report {
    Report {
        run: 7,
        kind: "import".to_owned(),
        source: "students.csv".to_owned(),
        state,
        clock: 0,
        lines: Lines { physical: 12, blank: 2, records: 10, failed, waiting: 0 },
        read_as: None,
        rules: Vec::new(),
        set: None,
        people: None,
        counts: BTreeMap::from([("enrolment.add".to_owned(), 7), ("role.add".to_owned(), 6)]),
        overtaken: 0,
        would_hold: false,
        codes: BTreeMap::from([(Code::CourseUnknown.as_str().to_owned(), failed)]),
        unkept: BTreeMap::new(),
        errors: failed,
        problems: (0..failed).map(|line| Problem::new(line + 2, Code::CourseUnknown, "XY", "shortname")).collect(),
        breaches: Vec::new(),
        notes: Vec::new(),
        same_bytes_as: None,
        dropped: None,
        locale: None,
        meanwhile: None,
        commit_ms: 100,
        total_ms: 120,
        statements: 40,
    }
}

#[test]
fn the_three_pages_answer_on_a_port() {
    let served = Served::on_a_port();
    let health = served.get("/healthz");
    assert_eq!(health.code, 200);
    assert_eq!(health.json()["status"], "ok");
    assert_eq!(health.json()["role"], "starting");

    let ready = served.get("/readyz");
    assert_eq!(ready.code, 503);
    assert_eq!(ready.json()["reasons"].as_array().map(Vec::len), Some(3), "{}", ready.body);
    served.make_ready();
    let ready = served.get("/readyz");
    assert_eq!((ready.code, &ready.json()["status"]), (200, &Json::from("ready")), "{}", ready.body);

    let metrics = served.get("/metrics");
    assert_eq!(metrics.code, 200);
    assert_eq!(metrics.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(sample(&parse(&metrics.body), "enrold_leader", &[]), 1.0);
    served.stop();
}

#[test]
fn a_standby_is_healthy_but_not_ready() {
    let served = Served::on_a_port();
    served.make_ready();
    served.status.role(Role::Standby("north:812".to_owned()));
    assert_eq!(served.get("/healthz").code, 200);
    let ready = served.get("/readyz");
    assert_eq!((ready.code, &ready.json()["status"]), (503, &Json::from("standby")));
    assert!(ready.json()["reasons"][0].as_str().is_some_and(|reason| reason.contains("north:812")));
    served.stop();
}

#[test]
fn a_worker_without_progress_is_503() {
    let runtime = Runtime::new().expect("a runtime");
    let status = Arc::new(Status::new(|| Err("run 12 has not moved for 90 s".to_owned())));
    let cancel = CancellationToken::new();
    let listen = Listen::Port(SocketAddr::from(([127, 0, 0, 1], 0)));
    let serving = runtime.block_on(serve(&listen, Arc::clone(&status), cancel.clone())).expect("a free port");
    let served = Served { runtime, status, cancel, serving };
    let health = served.get("/healthz");
    assert_eq!((health.code, &health.json()["status"]), (503, &Json::from("stuck")));
    assert!(health.body.contains("run 12 has not moved"));
    served.stop();
}

#[test]
fn counters_count_the_runs_that_ended() {
    let served = Served::on_a_port();
    served.status.metrics().run_ended(&report(State::DoneWithErrors, 3));
    served.status.metrics().run_ended(&report(State::Done, 0));
    let samples = served.samples();
    assert_eq!(sample(&samples, "enrold_runs_total", &[("kind", "import"), ("state", "done")]), 1.0);
    assert_eq!(sample(&samples, "enrold_runs_total", &[("kind", "import"), ("state", "done-with-errors")]), 1.0);
    assert_eq!(sample(&samples, "enrold_runs_total", &[("kind", "import"), ("state", "held")]), 0.0);
    assert_eq!(sample(&samples, "enrold_lines_total", &[("result", "applied")]), 17.0);
    assert_eq!(sample(&samples, "enrold_lines_total", &[("result", "failed")]), 3.0);
    assert_eq!(sample(&samples, "enrold_lines_total", &[("result", "blank")]), 4.0);
    assert_eq!(sample(&samples, "enrold_changes_total", &[("kind", "role.add")]), 12.0);
    assert_eq!(sample(&samples, "enrold_errors_total", &[("code", "course-unknown")]), 3.0);
    assert_eq!(sample(&samples, "enrold_run_duration_seconds_count", &[("kind", "import")]), 2.0);
    served.stop();
}

#[test]
fn every_metric_is_named_after_the_program_and_explained_in_the_documentation() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md")).expect("the page");
    let served = Served::on_a_port();
    served.status.metrics().run_ended(&report(State::DoneWithErrors, 1));
    served.status.metrics().task_ended("flatfile", State::Done, 1_000);
    for sample in served.samples() {
        assert!(sample.family.starts_with("enrold_"), "{}", sample.family);
        assert!(page.contains(&sample.family), "docs/monitoring.md does not explain {}", sample.family);
    }
    served.stop();
}

#[test]
fn head_gives_the_head_alone() {
    let served = Served::on_a_port();
    for path in ["/healthz", "/metrics"] {
        let answer = served.ask("HEAD", path);
        assert_eq!((answer.code, answer.body.as_str()), (200, ""), "{path}");
        assert_ne!(answer.headers["content-length"], "0");
    }
    served.stop();
}

#[test]
fn other_paths_are_404_and_other_methods_405() {
    let served = Served::on_a_port();
    for path in ["/", "/healthz/", "/metrics/x", "/healthz/../etc/passwd", "/%00", "*"] {
        assert_eq!(served.get(path).code, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = served.ask(method, "/healthz");
        assert_eq!(answer.code, 405, "{method}");
        assert_eq!(answer.headers["allow"], "GET,HEAD", "{method}");
    }
    served.stop();
}

#[test]
fn what_is_no_http_harms_nobody() {
    let served = Served::on_a_port();
    for noise in [&b"\0\x01\x02\xff\r\n\r\n"[..], b"GET /healthz\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect(served.address()).expect("a connection");
        stream.write_all(noise).expect("noise");
        stream.shutdown(std::net::Shutdown::Write).expect("the end of it");
        let mut heard = Vec::new();
        drop(stream.read_to_end(&mut heard));
        assert!(!heard.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(served.get("/healthz").code, 200);
    served.stop();
}

#[test]
fn many_ask_at_once() {
    let served = Served::on_a_port();
    let mut streams: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(served.address()).expect("a connection")).collect();
    // Each of the first sixteen connections occupies a slot until it has its answer.
    for stream in &mut streams {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a question");
    }
    for mut stream in streams {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    served.stop();
}

#[test]
fn a_port_that_is_taken_is_said_with_its_key() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("its address");
    let error = Served::at(&Listen::Port(address)).err().expect("taken");
    assert!(matches!(error, WebError::PortInUse(_)));
    let text = error.to_string();
    assert!(text.starts_with("http.listen: ") && text.contains(&address.to_string()), "{text}");
}

struct Place {
    _dir: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("http.sock");
        Self { _dir: dir, path }
    }

    fn served(&self) -> Result<Served, WebError> {
        Served::at(&Listen::Socket(self.path.clone()))
    }

    fn get(&self, path: &str) -> Answer {
        converse(UnixStream::connect(&self.path).expect("a connection"), "GET", path)
    }
}

#[test]
fn a_socket_answers_its_owner_and_group_and_goes_at_the_end() {
    let place = Place::new();
    let served = place.served().expect("a socket");
    let found = fs::metadata(&place.path).expect("the socket");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    assert_eq!(place.get("/healthz").json()["status"], "ok");
    assert_eq!(place.get("/readyz").code, 503);
    assert!(!parse(&place.get("/metrics").body).is_empty());
    served.stop();
    assert!(!place.path.exists());
}

#[test]
fn the_socket_of_a_dead_process_is_replaced() {
    let place = Place::new();
    // A listener of the standard library leaves its file behind, like a killed process.
    drop(UnixListener::bind(&place.path).expect("a socket"));
    assert!(place.path.exists());
    let served = place.served().expect("replaced");
    assert_eq!(place.get("/healthz").code, 200);
    served.stop();
}

#[test]
fn the_socket_of_a_live_process_is_left_alone() {
    let place = Place::new();
    let first = place.served().expect("a socket");
    let error = place.served().err().expect("taken");
    assert!(matches!(error, WebError::SocketInUse(_)));
    assert!(error.to_string().starts_with("http.listen: "), "{error}");
    assert_eq!(place.get("/healthz").code, 200, "the first still answers");
    first.stop();
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let place = Place::new();
    fs::write(&place.path, "precious").expect("a file");
    assert!(matches!(place.served().err(), Some(WebError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&place.path).expect("still there"), "precious");

    fs::remove_file(&place.path).expect("removed");
    std::os::unix::fs::symlink("nowhere", &place.path).expect("a link");
    assert!(matches!(place.served().err(), Some(WebError::NotASocket(_))));
}

#[test]
fn a_socket_that_another_daemon_put_there_is_not_removed_at_the_end() {
    let place = Place::new();
    let served = place.served().expect("a socket");
    fs::remove_file(&place.path).expect("removed by hand");
    let _other = UnixListener::bind(&place.path).expect("another one");
    served.stop();
    assert!(place.path.exists());
}

#[test]
fn a_socket_without_a_directory_says_what_to_do() {
    let place = Place::new();
    let error = Served::at(&Listen::Socket(place.path.join("deeper/http.sock"))).err().expect("no directory");
    let text = error.to_string();
    assert!(text.starts_with("http.listen: "), "{text}");
    let missing = Served::at(&Listen::Socket(PathBuf::from("/no-such-directory/http.sock"))).err().expect("missing");
    assert!(missing.to_string().contains("RuntimeDirectory="), "{missing}");
    let long = Served::at(&Listen::Socket(PathBuf::from(format!("/{}", "x".repeat(200))))).err().expect("too long");
    assert!(long.to_string().contains("107 bytes"), "{long}");
}
