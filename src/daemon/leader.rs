//! Keeps the leader lease (one daemon per database works, the others stand by) and finds decisions on held runs between
//! the heartbeats. It must not run anything: a daemon that lost the lease is stopped by the fence of its run, not here.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::StopWatch;
use crate::daemon::DaemonError;
use crate::daemon::shared::Shared;
use crate::db::DbError;
use crate::fault;
use crate::front::lead::{self, Beat, Lead};
use crate::lease::Heart;
use crate::web::Role;

/// The longest interval at which a standby daemon tries to take the lease.
const ASK: Duration = Duration::from_secs(2);
/// The interval at which the leader looks for recorded decisions: an operator waits for the answer.
const GLANCE: Duration = Duration::from_millis(500);

/// Takes and renews the leader lease until the daemon stops.
pub async fn keep(shared: Arc<Shared>) {
    let lead = Lead::new(Arc::clone(&shared.database));
    let mut leader = Leader { lead, said: String::new(), away: None };
    loop {
        let ttl = shared.settings().run.lease_ttl;
        let beat = tokio::time::timeout(ttl, leader.beat(&shared, ttl)).await;
        let silent = |_| Err(DbError::Lost(format!("no answer within {} s", ttl.as_secs())));
        let (pause, leads) = match beat.unwrap_or_else(silent) {
            Ok(()) => {
                leader.reached(&shared);
                let leads = leader.lead.is_held();
                (if leads { ttl / 4 } else { ASK }, leads)
            }
            Err(error) => {
                leader.unreachable(&shared, ttl, &error);
                (ASK.min(ttl / 4), false)
            }
        };
        let rest = async {
            if leads { leader.look_for_decisions(&shared, pause).await } else { tokio::time::sleep(pause).await }
        };
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = rest => {}
        }
    }
    shared.role(Role::Stopping);
}

/// Takes the lease for one pass, waiting for it as a command does; dropping the result ends the heartbeat.
///
/// # Errors
/// [`DaemonError::Led`] if another daemon holds it, or the database's error.
pub async fn take_once(shared: &Shared) -> Result<Heart, DaemonError> {
    let ttl = shared.settings().run.lease_ttl.as_secs();
    let heart = lead::take_once(&shared.database, ttl, shared.wait).await?.map_err(DaemonError::Led)?;
    shared.set_leads(true);
    Ok(heart)
}

/// Releases the lease, and that of a dropped run, on a separate connection, so that another daemon takes over at once.
pub async fn give_back(shared: &Shared) {
    fault::step("leaving");
    lead::give_back(&shared.database).await;
}

struct Leader {
    lead: Lead,
    said: String,
    /// The last error of the database, while it does not answer.
    away: Option<String>,
}

impl Leader {
    async fn beat(&mut self, shared: &Shared, ttl: Duration) -> Result<(), DbError> {
        let lost = || {
            shared.set_leads(false);
            tracing::warn!("another daemon has taken the lead; standing by");
        };
        match self.lead.beat(ttl, lost).await? {
            Beat::Follows(holder) => {
                shared.set_awaits(format!("standing by: {holder} leads"));
                self.say(&shared.awaits());
                shared.role(Role::Standby(holder));
                return Ok(());
            }
            Beat::Leads { anew: true } => {
                fault::step("leading");
                self.say("this daemon leads");
            }
            Beat::Leads { anew: false } => {}
        }
        shared.role(Role::Leader);
        shared.set_leads(true);
        let waiting = self.lead.waiting().await?;
        shared.status.held(waiting.held);
        shared.status.metrics().effects_pending(waiting.effects);
        shared.status.metrics().waiting_lines(waiting.lines, waiting.oldest_line);
        if waiting.decisions {
            shared.decisions_wait();
        }
        Ok(())
    }

    /// Looks for decisions until the next heartbeat, with one small statement each time. If that fails, the heartbeat
    /// comes at once: it fails for the same reason, and reports it.
    async fn look_for_decisions(&mut self, shared: &Shared, pause: Duration) {
        let begun = StopWatch::start();
        let left = || pause.saturating_sub(Duration::from_millis(begun.millis()));
        while left() > GLANCE {
            tokio::time::sleep(GLANCE).await;
            match tokio::time::timeout(left(), self.lead.is_decided()).await {
                Ok(Ok(true)) => shared.decisions_wait(),
                Ok(Ok(false)) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
        tokio::time::sleep(left()).await;
    }

    /// Logs a text once, until the text changes.
    fn say(&mut self, text: &str) {
        if self.said != text {
            tracing::info!("{text}");
            text.clone_into(&mut self.said);
        }
    }

    fn reached(&mut self, shared: &Shared) {
        shared.status.database(Ok(()));
        if self.away.take().is_some() {
            tracing::info!("the database answers again");
        }
    }

    fn unreachable(&mut self, shared: &Shared, ttl: Duration, error: &DbError) {
        let text = error.to_string();
        shared.status.database(Err(text.clone()));
        shared.set_awaits(format!("waiting for the database: {text}"));
        if self.away.as_ref() != Some(&text) {
            tracing::error!("the database does not answer: {text}; trying again until it does");
            self.away = Some(text);
        }
        // Another daemon may lead by now.
        if self.lead.has_run_out(ttl) {
            shared.set_leads(false);
            shared.status.metrics().leader(false);
        }
    }
}
