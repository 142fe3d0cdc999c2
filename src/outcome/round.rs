//! The outcome of a round of sending mails. It must not send anything.

/// The outcome of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Round {
    /// Mails that the server accepted.
    pub sent: u64,
    /// Mails that it refused for now; they are tried again.
    pub put_off: u64,
    /// Mails that it refused for good.
    pub failed: u64,
    /// Mails that were given up after their time limit.
    pub given_up: u64,
    /// Mails to users who get none.
    pub skipped: u64,
    /// Mails that are still queued after the round.
    pub waiting: u64,
    /// Why the round ended before all mails were tried.
    pub problem: Option<String>,
}
