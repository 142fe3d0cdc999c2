//! The leader lease: one daemon of a database works, the others stand by. The heartbeat also brings decisions on held runs.
//! It must not run anything: a leader that was lost is stopped by the fence of the run, not here.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::StopWatch;
use crate::daemon::DaemonError;
use crate::daemon::shared::Shared;
use crate::db::{Conn, DbError};
use crate::fault;
use crate::lease::{Heart, LEADER, Lease, RUN};
use crate::mail::MAIL;
use crate::outcome::RunError;
use crate::run::{decision, history, require_ready};
use crate::web::Role;

/// How often a daemon that stands by asks for the lease, at least.
const ASK: Duration = Duration::from_secs(2);

/// Takes, keeps and gives back the leader lease until the daemon stops.
pub async fn keep(shared: Arc<Shared>) {
    let mut leader = Leader { conn: None, lease: None, renewed: StopWatch::start(), said: String::new(), away: None };
    loop {
        let ttl = shared.settings().run.lease_ttl;
        let beat = tokio::time::timeout(ttl, leader.beat(&shared, ttl)).await;
        let silent = |_| Err(DbError::Lost(format!("no answer within {} s", ttl.as_secs())));
        let pause = match beat.unwrap_or_else(silent) {
            Ok(()) => {
                leader.reached(&shared);
                if leader.lease.is_some() { ttl / 4 } else { ASK }
            }
            Err(error) => {
                leader.unreachable(&shared, ttl, &error);
                ASK.min(ttl / 4)
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    shared.role(Role::Stopping);
}

/// Takes the lease for one pass, waiting for it as a command does; the heartbeat ends with what is given back.
///
/// # Errors
/// [`DaemonError::Led`] when a daemon keeps it, or the engine's.
pub async fn take_once(shared: &Shared) -> Result<Heart, DaemonError> {
    let ttl = shared.settings().run.lease_ttl.as_secs();
    let mut conn = shared.database.connect().await.map_err(RunError::from)?;
    require_ready(&mut conn).await?;
    let waiting = StopWatch::start();
    loop {
        Lease::bury(&mut conn, LEADER).await.map_err(RunError::from)?;
        if let Some(lease) = Lease::take(&mut conn, LEADER, ttl).await.map_err(RunError::from)? {
            conn.close().await;
            shared.set_leads(true);
            return Ok(lease.beat(Arc::clone(&shared.database), ttl));
        }
        if u128::from(waiting.millis()) >= shared.wait.as_millis() {
            let holder = Lease::holder(&mut conn, LEADER).await.map_err(RunError::from)?;
            return Err(DaemonError::Led(holder.map(|(holder, _)| holder).unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Gives back the lease, and that of a run that was dropped, on a connection of its own; another daemon takes over at
/// once.
pub async fn give_back(shared: &Shared) {
    fault::step("leaving");
    if let Ok(mut conn) = shared.database.connect_with(Duration::from_secs(1)).await {
        // A lease that cannot be given back runs out by itself.
        drop(Lease::release_own(&mut conn, RUN).await);
        drop(Lease::release_own(&mut conn, MAIL).await);
        drop(Lease::release_own(&mut conn, LEADER).await);
        conn.close().await;
    }
}

struct Leader {
    conn: Option<Conn>,
    lease: Option<Lease>,
    renewed: StopWatch,
    said: String,
    /// What the database last said, while it does not answer.
    away: Option<String>,
}

impl Leader {
    async fn beat(&mut self, shared: &Shared, ttl: Duration) -> Result<(), DbError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => shared.database.connect_uncounted(Duration::from_secs(2)).await?,
        };
        let outcome = self.lead(shared, ttl, &mut conn).await;
        if outcome.as_ref().map_or_else(|error| matches!(error, DbError::Transient { .. }), |()| true) {
            self.conn = Some(conn);
        }
        outcome
    }

    async fn lead(&mut self, shared: &Shared, ttl: Duration, conn: &mut Conn) -> Result<(), DbError> {
        if let Some(lease) = &self.lease {
            if lease.renew(conn).await? {
                self.renewed = StopWatch::start();
            } else {
                self.lease = None;
                shared.set_leads(false);
                tracing::warn!("another daemon has taken the lead; standing by");
            }
        }
        if self.lease.is_none() {
            Lease::bury(conn, LEADER).await?;
            self.lease = Lease::take(conn, LEADER, ttl.as_secs()).await?;
            self.renewed = StopWatch::start();
            if self.lease.is_none() {
                let holder = Lease::holder(conn, LEADER).await?.map(|(holder, _)| holder).unwrap_or_default();
                let standing = format!("standing by: {holder} leads");
                self.say(&standing);
                shared.set_awaits(standing);
                shared.role(Role::Standby(holder));
                return Ok(());
            }
            fault::step("leading");
            self.say("this daemon leads");
        }
        shared.role(Role::Leader);
        shared.set_leads(true);
        let (held, effects) = history::pending(conn).await?;
        shared.status.held(held.max(0) as usize);
        shared.status.metrics().effects_pending(effects.max(0) as usize);
        if held > 0 && !decision::recorded(conn).await?.is_empty() {
            shared.decisions_wait();
        }
        Ok(())
    }

    /// Says something once, until something else is to be said.
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
        // Somebody else may lead by now.
        if u128::from(self.renewed.millis()) > ttl.as_millis() {
            shared.set_leads(false);
            shared.status.metrics().leader(false);
        }
    }
}
