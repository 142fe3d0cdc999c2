//! What a round of sending mails came to.
//! It must not send anything.

/// What a round came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Round {
    /// Mails that the server took.
    pub sent: u64,
    /// Mails that it refused for now; they are tried again.
    pub put_off: u64,
    /// Mails that it refused for good.
    pub failed: u64,
    /// Mails that were given up because their time was over.
    pub given_up: u64,
    /// Mails to users who get none.
    pub skipped: u64,
    /// Mails that wait after the round.
    pub waiting: u64,
    /// Why the round ended before everything was tried.
    pub problem: Option<String>,
}
