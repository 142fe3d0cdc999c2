//! Finishes what is left when a daemon takes the lead or a run was interrupted: leases, effects, file names, decisions.
//! It must not scan for new files.

use super::{Worker, text};
use crate::daemon::is_of_all;
use crate::front::{Decided, Who};
use crate::inbox::{self, ReaderLock};

impl Worker {
    /// Finishes what a crashed or another daemon may have left: effects, names of decided files, decisions.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        self.shared.working("looking for what is unfinished".to_owned());
        let front = self.shared.front();
        front.ready().await.map_err(text)?;
        self.tasks.begin().await.map_err(text)?;
        // The scan reports a directory that is missing.
        if let Ok(dir) = inbox::open(&self.settings, &self.shared.cut_off) {
            ReaderLock::remove_left(&dir);
        }
        front.settle().await.map_err(text)?;
        self.pick_up().await?;
        self.decisions().await
    }

    /// Finishes what an interrupted run may have left: its effects, and its lease, which nothing else here holds.
    pub(super) async fn pick_up(&mut self) -> Result<(), String> {
        if let Some(reason) = self.shared.front().pick_up().await.map_err(text)? {
            tracing::warn!("what follows earlier runs cannot be written yet: {reason}");
        }
        self.cut_off = false;
        Ok(())
    }

    /// Carries out the decisions that commands have recorded.
    pub(super) async fn decisions(&mut self) -> Result<(), String> {
        for (run, decision) in self.shared.front().recorded().await.map_err(text)? {
            self.shared.working(format!("deciding run {run}: {}", decision.as_str()));
            let front = self.shared.front();
            match front.carry_out(&Who::Daemon, run, decision).await {
                Ok(Decided::Applied(report)) => {
                    self.log(&report);
                    self.later.wake();
                }
                Ok(Decided::Rejected(past)) => {
                    tracing::info!(run.id = past.run, "run {} is rejected", past.run);
                    self.later.wake();
                }
                Err(error) if is_of_all(&error) => return Err(error.to_string()),
                Err(error) => {
                    tracing::error!(run.id = run, "run {run} cannot be decided: {error}");
                    front.take_back(run, &error.to_string()).await.map_err(text)?;
                }
            }
        }
        Ok(())
    }
}
