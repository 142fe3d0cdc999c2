//! Section `http`: where health and metrics are told.
//! It must not know what is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};

/// Where the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A port of this machine.
    Port(SocketAddr),
    /// A unix socket.
    Socket(PathBuf),
}

impl Listen {
    /// Reads `127.0.0.1:9273`, `[::1]:9273` or `unix:/run/enrold/http.sock`; nothing gives `None`.
    ///
    /// # Errors
    /// What is wrong, for a person: anything else, and any address that other machines could reach.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Some(Self::Socket(PathBuf::from(path))))
            } else {
                Err("a socket needs an absolute path, for example unix:/run/enrold/http.sock".to_owned())
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Some(Self::Port(address))),
            Ok(_) => Err("only this machine may ask: write 127.0.0.1:PORT, [::1]:PORT or unix:/PATH".to_owned()),
            Err(_) => Err("expected 127.0.0.1:PORT, [::1]:PORT or unix:/PATH".to_owned()),
        }
    }
}

/// The health and metrics page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where the daemon answers; `None` for nowhere.
    #[serde(deserialize_with = "listen")]
    pub listen: Option<Listen>,
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Listen>, D::Error> {
    Listen::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
