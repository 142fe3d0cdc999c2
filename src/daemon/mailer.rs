//! Sends mails in parallel to the worker: after each run and every minute, while this daemon leads.
//! It must not know the content of a mail, or delay a file when a mail server is slow.

use std::sync::Arc;
use std::time::Duration;

use crate::daemon::shared::Shared;
use crate::front::log_round;

/// The longest time between two rounds.
const MINUTE: Duration = Duration::from_secs(60);
/// The longest time of a round; then the stop, the lead and the settings are checked again.
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

/// Sends the due mails, for one pass of the daemon.
pub async fn once(shared: &Shared) {
    match shared.front().deliver(None).await {
        Ok(Some(round)) => log_round(&round, None),
        Ok(None) => {}
        Err(error) => tracing::warn!("mails: {error}; they wait for the next pass"),
    }
}

/// Runs one round; returns the present problem of the server, so that it is logged once.
async fn round(shared: &Shared, said: Option<String>) -> Option<String> {
    match shared.front().deliver(Some(PATIENCE)).await {
        Ok(Some(round)) => {
            shared.status.metrics().mails(&round);
            log_round(&round, said.as_ref());
            if round.problem.is_none() && round.sent > 0 {
                // More mails may be due.
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
