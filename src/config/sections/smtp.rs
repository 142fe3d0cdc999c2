//! Section `smtp`: the mail server, the rate, and how long a mail is retried.
//! It must not know the content or the recipients of mails.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::config::choice::choice;

choice! {
    /// How the connection to the mail server is protected.
    Security {
        /// Unprotected: for a server on this machine.
        None = "none",
        /// Starts in clear text and is encrypted before any mail data; refused if the server does not support it.
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
    /// The host name of the server; its certificate must contain it.
    pub host: String,
    /// Its port; 0 for the standard port of `security`.
    port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// A file with the certificates (PEM) of the server's own authority; empty: only the system's certificates.
    #[serde(deserialize_with = "optional")]
    pub ca_file: Option<PathBuf>,
    /// The account; empty for none.
    pub user: String,
    password: SecretString,
    #[serde(deserialize_with = "optional")]
    password_file: Option<PathBuf>,
    /// The sender's address; empty: Moodle's `noreplyaddress`.
    pub from: String,
    /// The Reply-To address where an instance names no contact; empty for none.
    pub reply_to: String,
    /// How long one response of the server may take.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
    /// Maximum of mails per minute; 0 = no limit.
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

    /// The password, from the file if one is named; the file is read at each call, so that a changed password is used.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn password(&self) -> std::io::Result<String> {
        match &self.password_file {
            Some(path) => Ok(std::fs::read_to_string(path)?.trim_end_matches(['\r', '\n']).to_owned()),
            None => Ok(self.password.expose_secret().to_owned()),
        }
    }

    /// For how many seconds after it was queued a mail is retried.
    pub fn kept(&self) -> i64 {
        i64::from(self.give_up_hours) * 3_600
    }
}

pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}
