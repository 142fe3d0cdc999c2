//! What is unfinished when a daemon begins to lead or a run was cut off: leases, effects, names of files, decisions.
//! It must not look for new files.

use super::{Worker, text};
use crate::daemon::decide::{self, Decided};
use crate::daemon::is_of_all;
use crate::inbox::{self, ReaderLock};
use crate::lease::{Lease, RUN};
use crate::run::{decision, history};

impl Worker {
    /// What a daemon that died, or another one, may have left: effects, names of decided files, decisions.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        self.shared.working("looking for what is unfinished".to_owned());
        let mut conn = self.shared.database.connect().await.map_err(text)?;
        crate::run::require_ready(&mut conn).await.map_err(text)?;
        self.tasks.begin(&mut conn).await.map_err(text)?;
        // A directory that is away is told when it is looked through.
        if let Ok(dir) = inbox::open(&self.settings, &self.shared.cut_off) {
            ReaderLock::remove_left(&dir);
        }
        if let Err(error) = inbox::settle_all(&mut conn, &self.shared.engine()).await {
            tracing::warn!("a decided file keeps its name for now: {error}");
        }
        conn.close().await;
        self.pick_up().await?;
        self.decisions().await
    }

    /// What a run that was cut off may have left: its lease, which nobody else of this process holds, and its effects.
    pub(super) async fn pick_up(&mut self) -> Result<(), String> {
        let mut conn = self.shared.database.connect().await.map_err(text)?;
        Lease::release_own(&mut conn, RUN).await.map_err(text)?;
        let (_, effects) = history::pending(&mut conn).await.map_err(text)?;
        conn.close().await;
        if effects > 0
            && let Some(reason) = self.shared.engine().finish_effects().await.map_err(text)?
        {
            tracing::warn!("what follows earlier runs cannot be written yet: {reason}");
        }
        self.cut_off = false;
        Ok(())
    }

    /// Carries out what commands have recorded.
    pub(super) async fn decisions(&mut self) -> Result<(), String> {
        let mut conn = self.shared.database.connect().await.map_err(text)?;
        for (run, decision) in decision::recorded(&mut conn).await.map_err(text)? {
            self.shared.working(format!("deciding run {run}: {}", decision.as_str()));
            match decide::carry_out(&self.shared.engine(), run, decision).await {
                Ok(Decided::Applied(report)) => {
                    self.told(&report);
                    self.later.wake();
                }
                Ok(Decided::Rejected(past)) => {
                    tracing::info!(run.id = past.run, "run {} is rejected", past.run);
                    self.later.wake();
                }
                Err(error) if is_of_all(&error) => return Err(error.to_string()),
                Err(error) => {
                    tracing::error!(run.id = run, "run {run} cannot be decided: {error}");
                    decision::unrecord(&mut conn, run, &error.to_string()).await.map_err(text)?;
                }
            }
        }
        conn.close().await;
        Ok(())
    }
}
