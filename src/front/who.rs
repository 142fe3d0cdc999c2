//! Who asks: it stands in the log line of each question.
//! It must not decide what somebody may ask.

use std::fmt::{self, Display};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person on this host.
    Operator {
        /// The name of the account.
        account: String,
    },
    /// The daemon, for its schedule and its drop directory.
    Daemon,
}

impl Who {
    /// Logs what is asked.
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
