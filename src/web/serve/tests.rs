//! Tests clients that are slow, silent or too many, with limits of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{Serving, serve_within};
use crate::config::Listen;
use crate::web::status::Status;
use crate::web::visitor::{Bounds, Door};

const LONG: Bounds = Bounds { visitors: 16, time: Duration::from_secs(86_400), bytes: 16 * 1024 };

struct Served {
    runtime: Runtime,
    serving: Serving,
    cancel: CancellationToken,
}

impl Served {
    fn within(bounds: Bounds) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cancel = CancellationToken::new();
        let listen = Listen::Port(SocketAddr::from(([127, 0, 0, 1], 0)));
        let status = Arc::new(Status::new(|| Ok(())));
        let serving = runtime.block_on(serve_within(bounds, &listen, status, cancel.clone())).expect("a free port");
        Self { runtime, serving, cancel }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.serving.address().expect("an address")).expect("a connection")
    }

    fn stop(self) {
        self.cancel.cancel();
        self.runtime.block_on(self.serving.stopped());
    }
}

/// All that the server sends until it closes the connection, in whatever way.
fn heard(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    drop(stream.read_to_end(&mut text));
    String::from_utf8(text).expect("text")
}

fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a question");
}

#[test]
fn a_client_that_never_finishes_its_question_is_cut_off() {
    let served = Served::within(Bounds { time: Duration::from_millis(50), ..LONG });
    let mut slow = served.connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").expect("half a question");
    assert_eq!(heard(slow), "");
    assert_eq!(heard(served.connect()), "", "silent from the beginning");
    served.stop();
}

#[test]
fn a_question_that_never_ends_is_cut_off() {
    let served = Served::within(Bounds { bytes: 1024, ..LONG });
    let mut endless = served.connect();
    // The server may close the connection before all is written.
    drop(endless.write_all(format!("GET /healthz HTTP/1.1\r\nX-Endless: {}", "x".repeat(4096)).as_bytes()));
    assert!(!heard(endless).contains("200 OK"));
    served.stop();
}

#[test]
fn who_waits_for_a_place_is_answered_when_one_is_free() {
    let served = Served::within(Bounds { visitors: 1, ..LONG });
    let silent = served.connect();
    let mut next = served.connect();
    ask(&mut next);
    drop(silent);
    assert!(heard(next).starts_with("HTTP/1.1 200 OK\r\n"));
    served.stop();
}

#[test]
fn the_stop_does_not_wait_for_clients_that_keep_silent() {
    let served = Served::within(LONG);
    let silent = served.connect();
    let mut half = served.connect();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").expect("half a question");
    served.stop();
    assert_eq!(heard(silent) + &heard(half), "");
}

#[test]
fn a_conversation_under_way_ends_when_the_door_is_shut() {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let shut = CancellationToken::new();
        let (mut visitor, _) = Door::new(listener, LONG, shut.clone()).accept().await;
        shut.cancel();
        let mut read = [0; 1];
        assert_eq!(visitor.read(&mut read).await.expect_err("shut").kind(), ErrorKind::TimedOut);
        assert_eq!(visitor.write(b"answer").await.expect_err("shut").kind(), ErrorKind::TimedOut);
        drop(client);
    });
}

#[test]
fn after_the_stop_nobody_is_let_in() {
    let served = Served::within(LONG);
    let address = served.serving.address().expect("an address");
    served.stop();
    assert!(TcpStream::connect(address).is_err());
}
