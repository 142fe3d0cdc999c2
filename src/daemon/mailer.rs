//! Sends mails beside the worker: after each run and each minute, while this daemon leads.
//! It must not know what is in a mail; a slow mail server must not keep a file waiting.

use std::sync::Arc;
use std::time::Duration;

use crate::daemon::shared::Shared;
use crate::front::log_round;

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
    match shared.front().deliver(None).await {
        Ok(Some(round)) => log_round(&round, None),
        Ok(None) => {}
        Err(error) => tracing::warn!("mails: {error}; they wait for the next pass"),
    }
}

/// One round; gives what is wrong with the server now, so that it is said once.
async fn round(shared: &Shared, said: Option<String>) -> Option<String> {
    match shared.front().deliver(Some(PATIENCE)).await {
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
