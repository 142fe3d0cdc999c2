//! Removes by age: applied files and lists, mails, runs without a change, lines that waited, copies of decided runs.
//! It must not remove a held run that an operator may still decide.

use crate::db::Params;
use crate::front::{Front, Who};
use crate::inbox::{self, Removed};
use crate::mail::store;
use crate::outcome::RunResult;
use crate::run::hold::HeldStore;
use crate::run::{decision, history};

/// Waiting lines that ended before `:before`. One that has expired stays until a report has told of it.
const ENDED: &str = "DELETE FROM {enrold_waiting}
    WHERE state <> 'waiting' AND changed < :before AND (state <> 'expired' OR note <> '')";

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Applied files and the lists beside them.
    pub files: Removed,
    /// Copies of held runs that were decided.
    pub copies: u64,
    /// Runs without a change.
    pub runs: u64,
    /// Lines that waited and were applied or have ended.
    pub waiting: u64,
}

/// The moment (Unix seconds) `days` before `now`; `None` for 0 days, which means to keep for ever.
fn older(days: u32, now: i64) -> Option<i64> {
    (days > 0).then(|| now - i64::from(days) * 86_400)
}

impl Front {
    /// Removes what is older at `now` (Unix seconds) than `retention` allows; the inner error is that of the disk.
    pub async fn retain(&self, who: &Who, now: i64) -> RunResult<Result<Forgotten, String>> {
        who.asks("retention");
        let (runs, waiting) = self.forget(now).await?;
        let copies = self.old_copies(now).await?;
        let files = inbox::retain(&self.engine.settings, now).map_err(|error| error.to_string());
        Ok(files.and_then(|files| Ok(Forgotten { files, copies: copies?, runs, waiting })))
    }

    /// Removes mails and waiting lines that ended long ago, at the age of reports, then runs that changed nothing;
    /// returns how many runs and lines.
    async fn forget(&self, now: i64) -> RunResult<(u64, u64)> {
        let retention = &self.engine.settings.retention;
        let mut conn = self.engine.database.connect().await?;
        let mut waiting = 0;
        if let Some(before) = older(retention.reports_days, now) {
            store::forget(&mut conn, before).await?;
            waiting = conn.exec(ENDED, &Params::new().with("before", before)).await?;
        }
        let runs = match older(retention.quiet_runs_days, now) {
            Some(before) => history::forget_quiet(&mut conn, before).await?,
            None => 0,
        };
        conn.close().await;
        Ok((runs, waiting))
    }

    /// Removes the copies of held runs that were decided long ago; returns how many, or the error of the disk.
    async fn old_copies(&self, now: i64) -> RunResult<Result<u64, String>> {
        let settings = &self.engine.settings;
        let kept = match HeldStore::kept(&settings.state.path) {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(format!("{}: {error}", settings.state.path.display()))),
        };
        let Some(before) = older(settings.retention.reports_days, now).filter(|_| !kept.is_empty()) else {
            return Ok(Ok(0));
        };
        let mut conn = self.engine.database.connect().await?;
        let decided = decision::decided_before(&mut conn, before).await?;
        conn.close().await;
        let mut removed = 0;
        for run in kept.into_iter().filter(|run| decided.contains(run)) {
            if let Err(error) = HeldStore::of(&settings.state.path, run).remove() {
                return Ok(Err(format!("the copy of run {run}: {error}")));
            }
            removed += 1;
        }
        Ok(Ok(removed))
    }
}
