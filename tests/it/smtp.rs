//! A strict mail server for tests: real sockets, EHLO, STARTTLS or TLS at once, AUTH, DATA, and configurable failures.
//! It must not forgive anything that RFC 5321 forbids a client.
//!
//! `tls/` holds a certificate authority for tests and a certificate for `localhost`, both valid for a hundred years.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::site::Site;

/// A failure of the server at a step.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It gives this reply to RCPT.
    Recipient(&'static str),
    /// It gives this reply to the text.
    Text(&'static str),
    /// It accepts the text and closes the connection without a reply.
    HangUp,
    /// It accepts the text and sends nothing until the client disconnects.
    Silence,
}

/// The requirements of the server.
#[derive(Clone, Default)]
pub struct Manners {
    /// Encrypted from the first byte.
    pub tls_at_once: bool,
    /// STARTTLS is offered and required.
    pub starttls: bool,
    /// This login is required.
    pub login: Option<(&'static str, &'static str)>,
}

/// A mail that the server has accepted.
#[derive(Clone, Debug)]
pub struct Taken {
    /// MAIL FROM.
    pub from: String,
    /// RCPT TO.
    pub to: String,
    /// Headers and body as received, without dot-stuffing.
    pub text: String,
    /// Whether it was sent encrypted.
    pub encrypted: bool,
}

impl Taken {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let begin = format!("{}:", name.to_ascii_lowercase());
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&begin))?;
        Some(line[begin.len()..].trim().to_owned())
    }

    /// The decoded texts of all parts, one after the other.
    pub fn body(&self) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap();
        let Some((_, boundary)) = head.split_once("boundary=\"") else {
            return decoded(head, body);
        };
        let boundary = format!("--{}", boundary.split('"').next().unwrap());
        let parts = body.split(&boundary).filter_map(|part| part.split_once("\r\n\r\n"));
        parts.map(|(head, body)| decoded(head, body)).collect::<Vec<_>>().join("\r\n")
    }
}

fn decoded(head: &str, body: &str) -> String {
    assert!(!head.contains("base64"), "read this too");
    if !head.contains("quoted-printable") {
        return body.to_owned();
    }
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'=' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Default)]
struct Book {
    taken: Vec<Taken>,
    troubles: BTreeMap<String, VecDeque<Trouble>>,
    faults: Vec<String>,
    greeted: usize,
}

/// A server under test; it runs until the process of the test ends.
#[derive(Clone)]
pub struct Server {
    /// The port on which it listens.
    pub port: u16,
    book: Arc<Mutex<Book>>,
    /// Notified when the server stays silent after a text.
    pub silent: Arc<Notify>,
}

impl Server {
    /// Starts a server on its own thread, so that it answers while a test waits for a program.
    pub async fn start(manners: Manners) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, book: Arc::default(), silent: Arc::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serving.listen(listener, manners));
        });
        server
    }

    async fn listen(self, listener: std::net::TcpListener, manners: Manners) {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().serve(stream, manners.clone()));
        }
    }

    /// The accepted mails, in order; a protocol error of the client fails the test here.
    pub fn taken(&self) -> Vec<Taken> {
        let book = self.book.lock().unwrap();
        assert_eq!(book.faults, Vec::<String>::new(), "what the client did wrong");
        book.taken.clone()
    }

    /// The recipients, in order.
    pub fn recipients(&self) -> Vec<String> {
        self.taken().into_iter().map(|taken| taken.to).collect()
    }

    /// The number of connections so far.
    pub fn greeted(&self) -> usize {
        self.book.lock().unwrap().greeted
    }

    /// Sets the failures of the next mails to an address.
    pub fn trouble(&self, address: &str, troubles: &[Trouble]) {
        self.book.lock().unwrap().troubles.entry(address.to_owned()).or_default().extend(troubles.iter().cloned());
    }

    async fn serve(self, stream: TcpStream, manners: Manners) {
        let outcome = if manners.tls_at_once {
            match acceptor().accept(stream).await {
                Ok(stream) => self.converse(stream, &manners, true, true).await.map(|_| ()),
                // A client that does not trust the certificate disconnects.
                Err(_) => Ok(()),
            }
        } else {
            match self.converse(stream, &manners, false, true).await {
                Ok(Some(stream)) => match acceptor().accept(stream).await {
                    Ok(stream) => self.converse(stream, &manners, true, false).await.map(|_| ()),
                    Err(_) => Ok(()),
                },
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            }
        };
        if let Err(fault) = outcome {
            self.book.lock().unwrap().faults.push(fault);
        }
    }

    /// One dialogue; returns the stream if it is to be encrypted.
    async fn converse<S>(&self, stream: S, manners: &Manners, encrypted: bool, greet: bool) -> Result<Option<S>, String>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut line = Wire { stream, buffer: Vec::new() };
        if greet {
            self.book.lock().unwrap().greeted += 1;
            line.say("220 test ESMTP").await;
        }
        let (mut hello, mut known, mut from, mut to) = (false, manners.login.is_none(), None, None);
        while let Some(command) = line.hear().await? {
            let word = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let open = hello && known && (encrypted || !manners.starttls);
            match word.as_str() {
                "EHLO" => {
                    hello = true;
                    (from, to) = (None, None);
                    line.say(&greeting(manners, encrypted)).await;
                }
                "STARTTLS" if manners.starttls && !encrypted && hello => {
                    line.say("220 go ahead").await;
                    if !line.buffer.is_empty() {
                        return Err("said something in clear after STARTTLS".to_owned());
                    }
                    return Ok(Some(line.stream));
                }
                "AUTH" if hello && !known && (encrypted || !manners.starttls) => {
                    known = command
                        .strip_prefix("AUTH PLAIN ")
                        .is_some_and(|given| Some(given) == plain(manners).as_deref());
                    line.say(if known { "235 welcome" } else { "535 5.7.8 who are you" }).await;
                }
                "MAIL" if !open => line.say("530 5.7.0 not yet").await,
                "MAIL" if from.is_none() => {
                    from = Some(inside(&command, "MAIL FROM:")?);
                    line.say("250 sender").await;
                }
                "RCPT" if from.is_some() && to.is_none() => {
                    let address = inside(&command, "RCPT TO:")?;
                    match self.next_trouble(&address, true) {
                        Some(Trouble::Recipient(answer)) => line.say(answer).await,
                        _ => {
                            to = Some(address);
                            line.say("250 recipient").await;
                        }
                    }
                }
                "DATA" if to.is_some() => {
                    line.say("354 go on").await;
                    let taken = Taken {
                        from: from.take().unwrap(),
                        to: to.take().unwrap(),
                        text: line.text().await?,
                        encrypted,
                    };
                    match self.next_trouble(&taken.to, false) {
                        Some(Trouble::Text(answer)) => line.say(answer).await,
                        Some(Trouble::HangUp) => {
                            self.book.lock().unwrap().taken.push(taken);
                            return Ok(None);
                        }
                        Some(Trouble::Silence) => {
                            self.book.lock().unwrap().taken.push(taken);
                            self.silent.notify_one();
                            return line.hear().await.map(|_| None);
                        }
                        _ => {
                            self.book.lock().unwrap().taken.push(taken);
                            line.say("250 taken").await;
                        }
                    }
                }
                "RSET" => {
                    (from, to) = (None, None);
                    line.say("250 forgotten").await;
                }
                "QUIT" => {
                    line.say("221 bye").await;
                    return Ok(None);
                }
                _ => return Err(format!("out of turn: {command}")),
            }
        }
        Ok(None)
    }

    /// The next failure of an address, if it concerns this step.
    fn next_trouble(&self, address: &str, at_recipient: bool) -> Option<Trouble> {
        let mut book = self.book.lock().unwrap();
        let waiting = book.troubles.get_mut(address)?;
        let of_step = matches!(waiting.front()?, Trouble::Recipient(_)) == at_recipient;
        if of_step { waiting.pop_front() } else { None }
    }
}

fn greeting(manners: &Manners, encrypted: bool) -> String {
    let mut offers = vec!["250-test"];
    if manners.starttls && !encrypted {
        offers.push("250-STARTTLS");
    }
    if manners.login.is_some() {
        offers.push("250-AUTH PLAIN");
    }
    offers.push("250 SIZE 1000000");
    offers.join("\r\n")
}

fn plain(manners: &Manners) -> Option<String> {
    let (user, password) = manners.login?;
    Some(base64(format!("\0{user}\0{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize] as char;
            text.push(if at <= three.len() { digit } else { '=' });
        }
    }
    text
}

fn inside(command: &str, begin: &str) -> Result<String, String> {
    let path = command.strip_prefix(begin).and_then(|rest| rest.strip_prefix('<'));
    let address = path.and_then(|rest| rest.strip_suffix('>'));
    address.filter(|address| address.contains('@')).map(str::to_owned).ok_or_else(|| format!("no path: {command}"))
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The server's end of a connection, line by line.
struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn say(&mut self, text: &str) {
        // A client that has disconnected receives nothing.
        drop(self.stream.write_all(format!("{text}\r\n").as_bytes()).await);
        drop(self.stream.flush().await);
    }

    /// The next line without its end; `None` if the client has disconnected.
    async fn hear(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let line = String::from_utf8(line).map_err(|_| "bytes that are no UTF-8".to_owned())?;
                let line = line.trim_end_matches("\r\n").to_owned();
                if line.contains(['\r', '\n']) || !line.is_ascii() || line.len() > 998 {
                    return Err(format!("no line of SMTP: {line:?}"));
                }
                return Ok(Some(line));
            }
            let mut more = [0; 4096];
            match self.stream.read(&mut more).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(read) => self.buffer.extend_from_slice(&more[..read]),
            }
        }
    }

    /// The lines up to the single dot.
    async fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.hear().await? {
                None => return Err("gone in the middle of a text".to_owned()),
                Some(line) if line == "." => return Ok(text),
                Some(line) => {
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push_str("\r\n");
                }
            }
        }
    }
}

/// Configures a site to send through a server.
pub fn send_through(site: &mut Site, server: &Server) {
    let port = server.port.to_string();
    for (key, value) in [
        ("smtp.enabled", "true"),
        ("smtp.host", "localhost"),
        ("smtp.port", &port),
        ("smtp.security", "none"),
        ("smtp.from", "noreply@example.com"),
        ("site.wwwroot", "https://moodle.example.com/"),
    ] {
        site.set(key, value);
    }
}
