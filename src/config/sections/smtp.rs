//! Section `smtp`: the server that takes the mails, and how fast and how long they are tried.
//! It must not know what is written, or to whom.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::config::choice::choice;

choice! {
    /// How the connection to the mail server is protected.
    Security {
        /// Not at all: for a server on this machine.
        None = "none",
        /// Begun in clear and encrypted before anything is said; refused if the server cannot.
        Starttls = "starttls",
        /// Encrypted from the first byte.
        Tls = "tls",
    }
}

/// The mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Whether mails are queued and sent.
    pub enabled: bool,
    /// The server's name; its certificate must carry it.
    pub host: String,
    /// Its port; 0 for the usual one of `security`.
    port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// A file with the certificates (PEM) of the server's own authority; empty for those of the system alone.
    #[serde(deserialize_with = "optional")]
    pub ca_file: Option<PathBuf>,
    /// The account; empty for none.
    pub user: String,
    password: SecretString,
    #[serde(deserialize_with = "optional")]
    password_file: Option<PathBuf>,
    /// The sender's address; empty for Moodle's `noreplyaddress`.
    pub from: String,
    /// Who gets answers where an instance names nobody; empty for nobody.
    pub reply_to: String,
    /// How long one answer of the server may take.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
    /// Mails per minute at most; 0 = no limit.
    pub per_minute: u32,
    give_up_hours: u32,
}

impl Smtp {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        match (self.port, self.security) {
            (0, Security::None) => 25,
            (0, Security::Starttls) => 587,
            (0, Security::Tls) => 465,
            (port, _) => port,
        }
    }

    /// The password, from the file if one is named; read anew at each call, so that a changed one is found.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn password(&self) -> std::io::Result<String> {
        match &self.password_file {
            Some(path) => Ok(std::fs::read_to_string(path)?.trim_end_matches(['\r', '\n']).to_owned()),
            None => Ok(self.password.expose_secret().to_owned()),
        }
    }

    /// Seconds for which a mail is tried after it was queued.
    pub fn kept(&self) -> i64 {
        i64::from(self.give_up_hours) * 3_600
    }
}

fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}
