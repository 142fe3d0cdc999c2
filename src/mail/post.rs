//! One session with the mail server: connects, encrypts, logs in, hands over mails one after the other.
//! It must not know the outbox; its errors show whether one mail is refused or all are.

#![allow(clippy::disallowed_methods, reason = "certificates that the operator names")]

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::message::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use crate::config::{Security, Smtp};

/// Why a mail was not accepted.
#[derive(Debug)]
pub enum Refused {
    /// The server, the account or the configuration: every other mail would fail too.
    All(String),
    /// This mail for now (4xx of the server): it is tried again.
    Later(String),
    /// This mail for good (5xx of the server, or an address that cannot be written).
    ForGood(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::All(text) | Self::Later(text) | Self::ForGood(text)) = self;
        f.write_str(text)
    }
}

/// An open session.
pub struct Post {
    connection: AsyncSmtpConnection,
    timeout: Duration,
    /// The state of the session is unknown: it gets no further mail.
    broken: bool,
}

impl Post {
    /// Opens a session with the configured server.
    ///
    /// # Errors
    /// [`Refused::All`]: the server cannot be reached, encrypted with, or logged in to.
    pub async fn open(smtp: &Smtp) -> Result<Self, Refused> {
        let at = format!("{}:{}", smtp.host, smtp.port());
        let failed = |what: &str, error: String| Refused::All(format!("{at}: {what}: {error}"));
        let hello = hello();
        let tls = tls(smtp).map_err(|error| failed("its certificate cannot be checked", error))?;
        let at_once = tls.clone().filter(|_| smtp.security == Security::Tls);
        let server = (smtp.host.as_str(), smtp.port());
        let opening = AsyncSmtpConnection::connect_tokio1(server, Some(smtp.timeout), &hello, at_once, None);
        let mut connection =
            bounded(smtp.timeout, opening).await.map_err(|error| failed("no connection", error.text()))?;
        if let (Security::Starttls, Some(tls)) = (smtp.security, tls) {
            let encrypting = connection.starttls(tls, &hello);
            bounded(smtp.timeout, encrypting).await.map_err(|error| failed("STARTTLS failed", error.text()))?;
        }
        if !smtp.user.is_empty() {
            let password =
                smtp.password().map_err(|error| Refused::All(format!("smtp.password_file cannot be read: {error}")))?;
            let credentials = Credentials::new(smtp.user.clone(), password);
            let login = connection.auth(DEFAULT_MECHANISMS, &credentials);
            let refused = |error: Failure| failed(&format!("it does not let {} in", smtp.user), error.text());
            bounded(smtp.timeout, login).await.map_err(refused)?;
        }
        Ok(Self { connection, timeout: smtp.timeout, broken: false })
    }

    /// Hands one mail over; on success the server has accepted it.
    ///
    /// # Errors
    /// [`Refused`]; after [`Refused::All`] the session is over.
    pub async fn hand_over(&mut self, message: &Message) -> Result<(), Refused> {
        if self.broken {
            return Err(Refused::All("the conversation with the server is over".to_owned()));
        }
        let outcome = self.steps(message).await;
        match &outcome {
            Ok(()) => {}
            Err(Refused::All(_)) => self.broken = true,
            // The mail that was begun is reset, or the next one would become part of it.
            Err(_) => self.broken = bounded(self.timeout, self.connection.command(Rset)).await.is_err(),
        }
        outcome
    }

    /// True if another mail needs a new session.
    pub fn is_over(&self) -> bool {
        self.broken
    }

    async fn steps(&mut self, message: &Message) -> Result<(), Refused> {
        let envelope = message.envelope();
        let mut options = Vec::new();
        let foreign = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
        if envelope.to().iter().chain(envelope.from()).any(foreign) {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Refused::ForGood("the server takes no address with such letters (SMTPUTF8)".to_owned()));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let connection = &mut self.connection;
        let from = connection.command(Mail::new(envelope.from().cloned(), options));
        // A sender that is refused is refused for every mail.
        bounded(self.timeout, from).await.map_err(|error| Refused::All(format!("MAIL FROM: {}", error.text())))?;
        for recipient in envelope.to() {
            let to = connection.command(Rcpt::new(recipient.clone(), Vec::new()));
            bounded(self.timeout, to).await.map_err(Failure::of_this_mail)?;
        }
        bounded(self.timeout, connection.command(Data)).await.map_err(Failure::of_this_mail)?;
        let text = message.formatted();
        bounded(self.timeout, connection.message(&text)).await.map_err(Failure::of_this_mail).map(|_| ())
    }

    /// Ends the session; whatever the server answers, mails that it accepted stay accepted.
    pub async fn close(mut self) {
        drop(tokio::time::timeout(Duration::from_secs(2), self.connection.abort()).await);
    }
}

/// Why a step of the session failed.
enum Failure {
    Smtp(SmtpError),
    Silent(Duration),
}

impl Failure {
    fn text(&self) -> String {
        match self {
            Self::Smtp(error) => with_causes(error),
            Self::Silent(timeout) => format!("no answer within {} s (smtp.timeout)", timeout.as_secs()),
        }
    }

    /// 421 ends the session, 530 and 535 ask for a login: each concerns every mail.
    fn of_this_mail(self) -> Refused {
        let text = self.text();
        match self {
            Self::Smtp(error) => match error.status().map(u16::from) {
                Some(421 | 530 | 535) | None => Refused::All(text),
                Some(_) if error.is_permanent() => Refused::ForGood(text),
                Some(_) => Refused::Later(text),
            },
            Self::Silent(_) => Refused::All(text),
        }
    }
}

async fn bounded<T>(timeout: Duration, step: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, step).await {
        Ok(outcome) => outcome.map_err(Failure::Smtp),
        Err(_) => Err(Failure::Silent(timeout)),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let more = deeper.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = deeper.source();
    }
    text
}

fn tls(smtp: &Smtp) -> Result<Option<TlsParameters>, String> {
    if smtp.security == Security::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = &smtp.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| format!("{}: {error}", path.display()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map(Some).map_err(|error| with_causes(&error))
}

/// The name of this machine, if it is valid in a greeting.
fn hello() -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !name.is_empty() && name.chars().all(fit) { ClientId::Domain(name) } else { ClientId::default() }
}
