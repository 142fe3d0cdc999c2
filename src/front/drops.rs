//! Processes a file of the drop directory, from its claim to its outcome.
//! It must not choose the file or decide when it is tried again.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::config::{Profile, ProfileMode};
use crate::disk::{Dir, blocking};
use crate::front::{Front, Who};
use crate::inbox::{self, Claimed};
use crate::lease::{Lease, RUN};
use crate::outcome::{Report, RunError, RunResult};
use crate::run::history;

impl Front {
    /// Applies a claimed file: a full set of `source`, or any other file, which its profile may only have simulated. A
    /// file that already has a run is not applied again.
    pub async fn apply(&self, who: &Who, claimed: &Claimed, source: Option<&str>) -> RunResult<Report> {
        who.asks(format_args!("apply {}", inbox::shown(&claimed.name)));
        match source {
            Some(source) => self.engine.drop_set(source, &claimed.set()).await,
            None => {
                let told = blocking(|| claimed.told(&self.engine.settings)).map_err(|_| RunError::Stopped)?;
                let import = claimed.import(told);
                let simulates = |profile: &Arc<Profile>| profile.mode == ProfileMode::Simulate;
                self.engine.import(&import, import.profile.as_ref().is_some_and(simulates)).await
            }
        }
    }

    /// Why a dropped set must wait in the drop directory: a held set of its source must be decided first.
    pub async fn waits(&self, source: &str, dir: &Dir, name: &OsStr) -> RunResult<Option<RunError>> {
        self.engine.waits(source, dir, name).await
    }

    /// Records that a claimed file is not tried again after `tries` tries; `reason` is the last error of the database.
    pub async fn give_up(
        &self,
        who: &Who,
        claimed: &Claimed,
        source: Option<&str>,
        tries: u32,
        reason: &str,
    ) -> RunResult<Report> {
        who.asks(format_args!("give {} up", inbox::shown(&claimed.name)));
        self.engine.give_up(&claimed.dropped(), source, tries, reason).await
    }

    /// Renames the files of decided runs that could not be renamed so far; logs one that still cannot be renamed.
    pub async fn settle(&self) -> RunResult<()> {
        let mut conn = self.engine.database.connect().await?;
        if let Err(error) = inbox::settle_all(&mut conn, &self.engine).await {
            tracing::warn!("a decided file keeps its name for now: {error}");
        }
        conn.close().await;
        Ok(())
    }

    /// Continues an interrupted run of this process: releases its lease, finishes its parts and effects. Returns why
    /// effects still cannot be written.
    pub async fn pick_up(&self) -> RunResult<Option<String>> {
        let mut conn = self.engine.database.connect().await?;
        Lease::release_own(&mut conn, RUN).await?;
        let (_, effects) = history::pending(&mut conn).await?;
        conn.close().await;
        if effects > 0 { self.engine.finish_effects().await } else { Ok(None) }
    }
}
