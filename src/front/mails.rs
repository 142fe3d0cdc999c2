//! Requests about the outbox: list and retry mails, send now, send a test mail; and the log of a round of sending.
//! It must not write mails.

use std::time::Duration;

use crate::config::Settings;
use crate::db::DbError;
use crate::front::{Front, Who};
use crate::lease::{LEADER, Lease};
use crate::mail;
use crate::mail::store::{self, Mail};
use crate::mail::templates::Templates;
use crate::moodle::site::Site;
use crate::outcome::{Round, RunError, RunResult};

/// The content of the outbox.
pub struct Outbox {
    /// Whether mails are sent at all.
    pub enabled: bool,
    /// The number of mails in each state.
    pub counts: Vec<(String, i64)>,
    /// The latest mails that the request selects.
    pub mails: Vec<Mail>,
}

impl Front {
    /// The latest mails, at most `limit`: those that wait or were not delivered, or with `all` all mails.
    pub async fn mails(&self, who: &Who, all: bool, limit: i64) -> RunResult<Outbox> {
        who.asks("mails");
        let mut conn = self.connect().await?;
        let mails = store::list(&mut conn, all, limit).await?;
        let counts = store::counts(&mut conn).await?;
        conn.close().await;
        Ok(Outbox { enabled: self.engine.settings.smtp.enabled, counts, mails })
    }

    /// Queues refused and given-up mails again, those of `ids` or all; returns how many.
    pub async fn retry_mails(&self, who: &Who, ids: &[i64]) -> RunResult<u64> {
        who.asks("mails retry");
        let mut conn = self.connect().await?;
        let now = self.engine.clock.now();
        let queued = store::retry(&mut conn, ids, now, now + self.engine.settings.smtp.kept()).await?;
        conn.close().await;
        Ok(queued)
    }

    /// Sends the due mails now.
    pub async fn send_mails(&self, who: &Who) -> RunResult<Round> {
        who.asks("mails send");
        self.ready().await?;
        if !self.engine.settings.smtp.enabled {
            return Err(RunError::NotReady("mails are off: set smtp.enabled".to_owned()));
        }
        Ok(self.deliver(None).await?.unwrap_or_default())
    }

    /// Sends one mail to an address; returns its Message-ID, or why it was not accepted.
    pub async fn test_mail(&self, who: &Who, address: &str) -> RunResult<Result<String, String>> {
        who.asks("mails test");
        let mut conn = self.connect().await?;
        let site = Site::read(&mut conn).await?;
        conn.close().await;
        Ok(mail::probe(&self.engine.settings, &site, self.engine.clock.now(), address).await)
    }

    /// Refuses texts of the site that are no mails ([`RunError::NotReady`], with file and line).
    pub fn check_texts(&self) -> RunResult<()> {
        check_texts(&self.engine.settings).map_err(RunError::NotReady)
    }

    /// Runs one round of sending, of at most `patience`; `None` if mails are off, nothing is due, or another process
    /// sends.
    pub async fn deliver(&self, patience: Option<Duration>) -> Result<Option<Round>, DbError> {
        mail::deliver(&self.engine.database, &self.engine.settings, self.engine.clock, patience).await
    }

    /// Sends the mails that a command has just queued, unless a leading daemon does. A failure does not affect the
    /// command.
    pub async fn send_after(&self) {
        if !self.engine.settings.smtp.enabled {
            return;
        }
        let sending = async {
            let mut conn = self.engine.database.connect().await?;
            let led = Lease::is_held(&mut conn, LEADER, self.engine.settings.run.lease_ttl.as_secs()).await?;
            conn.close().await;
            if !led && let Some(round) = self.deliver(None).await? {
                log_round(&round, None);
            }
            Ok::<_, DbError>(())
        };
        if let Err(error) = sending.await {
            tracing::warn!("mails: {error}; they wait, see 'enrold mails'");
        }
    }
}

/// The answer of a mail server without the addresses that it may repeat.
fn without_addresses(words: &str) -> String {
    words.split(' ').map(|word| if word.contains('@') { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Logs a round: numbers only, no name, no address. A problem of the server that was logged before (`said`) is omitted.
pub fn log_round(round: &Round, said: Option<&String>) {
    let Round { sent, put_off, failed, given_up, skipped, problem, .. } = round;
    if let Some(problem) = problem.as_ref().filter(|problem| Some(*problem) != said) {
        tracing::error!("mails cannot be sent: {}; they wait, see 'enrold mails'", without_addresses(problem));
    }
    if *failed + *given_up > 0 {
        tracing::warn!(failed, given_up, "mails: {failed} refused for good, {given_up} given up; see 'enrold mails'");
    }
    if *sent + *put_off + *skipped > 0 {
        tracing::info!(
            sent,
            put_off,
            skipped,
            "mails: {sent} sent, {put_off} put off, {skipped} to users who get none"
        );
    }
}

/// Reads the site's own texts of mails.
///
/// # Errors
/// What is wrong with which file.
pub fn check_texts(settings: &Settings) -> Result<(), String> {
    let read = Templates::load(settings.mail.templates.as_deref());
    read.map(|_| ()).map_err(|bad| format!("mail.templates: {bad}"))
}

#[cfg(test)]
mod tests {
    use super::without_addresses;

    #[test]
    fn an_address_is_not_repeated() {
        assert_eq!(without_addresses("421 4.7.0 <a.b@example.org>: try later"), "421 4.7.0 … try later");
        assert_eq!(without_addresses("connection refused"), "connection refused");
    }
}
