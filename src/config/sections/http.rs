//! Section `http`: the address of the health and metrics page.
//! It must not know what the page contains.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};

/// The address on which the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and port of this machine.
    Port(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl Listen {
    /// Reads `127.0.0.1:9273`, `[::1]:9273` or `unix:/run/enrold/http.sock`; an empty text gives `None`.
    ///
    /// # Errors
    /// A reason for the operator: another form, or an address that other machines can reach.
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
    /// The address on which the daemon listens; `None`: the page is off.
    #[serde(deserialize_with = "listen")]
    pub listen: Option<Listen>,
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Listen>, D::Error> {
    Listen::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
