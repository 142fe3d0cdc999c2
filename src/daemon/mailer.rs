//! Sends mails beside the worker: after each run and each minute, while this daemon leads.
//! It must not know what is in a mail; a slow mail server must not keep a file waiting.

use std::sync::Arc;
use std::time::Duration;

use crate::daemon::shared::Shared;
use crate::mail::{Round, deliver};

/// The daemon looks for mails at least this often.
const MINUTE: Duration = Duration::from_secs(60);
/// A round ends after so long, to see what has changed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends until the daemon stops.
pub async fn keep(shared: Arc<Shared>) {
    let mut said = None;
    while !shared.stop.is_cancelled() {
        if shared.leads() {
            said = round(&shared, said).await;
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = shared.mail.notified() => {}
            () = tokio::time::sleep(MINUTE) => {}
        }
    }
}

/// Sends what is due now, for one pass of the daemon.
pub async fn once(shared: &Shared) {
    match deliver(&shared.database, &shared.settings(), shared.clock, None).await {
        Ok(Some(round)) => log_round(&round, None),
        Ok(None) => {}
        Err(error) => tracing::warn!("mails: {error}; they wait for the next pass"),
    }
}

/// One round; gives what is wrong with the server now, so that it is said once.
async fn round(shared: &Shared, said: Option<String>) -> Option<String> {
    match deliver(&shared.database, &shared.settings(), shared.clock, Some(PATIENCE)).await {
        Ok(Some(round)) => {
            shared.status.metrics().mails(&round);
            log_round(&round, said.as_ref());
            if round.problem.is_none() && round.sent > 0 {
                // There may be more.
                shared.mail.notify_one();
            }
            round.problem
        }
        Ok(None) => said,
        Err(error) => {
            tracing::warn!("mails: {error}; trying again in a minute");
            said
        }
    }
}

/// A mail server's words without the addresses that they may repeat.
fn without_addresses(words: &str) -> String {
    words.split(' ').map(|word| if word.contains('@') { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Numbers only: no name, no address.
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

#[cfg(test)]
mod tests {
    use super::without_addresses;

    #[test]
    fn an_address_is_not_repeated() {
        assert_eq!(without_addresses("421 4.7.0 <a.b@example.org>: try later"), "421 4.7.0 … try later");
        assert_eq!(without_addresses("connection refused"), "connection refused");
    }
}
