//! The requester, which the log line of each request names.
//! It must not decide what a requester may do.

use std::fmt::{self, Display};

/// The requester.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// An operator on this host.
    Operator {
        /// The name of the account.
        account: String,
    },
    /// The daemon, for its schedule and its drop directory.
    Daemon,
}

impl Who {
    /// Logs a request.
    pub(super) fn asks(&self, what: impl Display) {
        tracing::debug!(who = %self, "{self} asks: {what}");
    }
}

impl Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { account } => write!(f, "operator {account}"),
            Self::Daemon => f.write_str("the daemon"),
        }
    }
}
