//! Runs one file or one task: from its order to its commit and its effects.
//! It must not know terminals, directories or HTTP: commands and the daemon give orders through [`Engine`].

mod attempt;
pub mod decision;
pub mod effects;
mod give_up;
pub mod history;
pub mod hold;
pub mod jobs;
mod life;
mod nightly;
mod opened;
mod order;
mod parts;
pub mod people;
pub mod spool;
mod told;
mod tries;

pub use life::require_ready;
pub use nightly::DroppedSet;
pub use order::{Dropped, Import, SyncOrder};

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Settings;
use crate::db::Database;
use crate::outcome::{Observer, Past, Report, RunError, RunResult, State};
use crate::reconcile::Rule;
use crate::sets::SetOrder;
use crate::staging::waiting;
use crate::verbs::VerbOrder;

/// The entry point: executes orders on the site's database, one run at a time.
#[derive(Clone)]
pub struct Engine {
    /// The site's database.
    pub database: Arc<Database>,
    /// enrold's settings.
    pub settings: Arc<Settings>,
    /// The clock of every run.
    pub clock: Clock,
    /// How long to wait for the run lease.
    pub wait: Duration,
    /// Receives the moments that a run reaches.
    pub observer: Observer,
    /// The rules in the order in which they run: [`crate::rules::RULES`], or those of a test.
    pub rules: &'static [Rule],
    /// Cancelled when the program ends; then no file is read further.
    pub stop: CancellationToken,
}

impl Engine {
    /// Applies one file now and leaves the file unchanged. A simulation does the same and rolls back.
    ///
    /// # Errors
    /// See [`RunError`]; a held run is not an error but [`State::Held`].
    pub async fn import(&self, import: &Import, simulate: bool) -> RunResult<Report> {
        self.execute(order::Order::import(import.clone()), simulate).await
    }

    /// Runs jobs (rules, due lines of the flat file's buffer, expirations), then the rules that follow their changes.
    ///
    /// # Errors
    /// As [`Engine::import`].
    pub async fn sync(&self, order: &SyncOrder, simulate: bool) -> RunResult<Report> {
        self.execute(order::Order::sync(order.clone()), simulate).await
    }

    /// Carries out a verb on the participants of courses, then the rules that follow its changes.
    ///
    /// # Errors
    /// As [`Engine::import`]; an order that names what does not exist is refused without a run.
    pub async fn carry_out_verb(&self, order: &VerbOrder, simulate: bool) -> RunResult<Report> {
        self.execute(order::Order::verb(order.clone()), simulate).await
    }

    /// Applies a full set: the snapshot of one source.
    ///
    /// # Errors
    /// As [`Engine::import`].
    pub async fn apply_set(&self, order: &SetOrder, simulate: bool) -> RunResult<Report> {
        self.execute(order::Order::set(order.clone()), simulate).await
    }

    /// Replays the due rows of Moodle's buffer of future lines and ends expired flat-file enrolments.
    ///
    /// # Errors
    /// As [`Engine::import`].
    pub async fn sync_flatfile(&self, simulate: bool) -> RunResult<Report> {
        self.sync(&SyncOrder::of(jobs::FLATFILE), simulate).await
    }

    /// Whether any line that waits has its account and its place now, and no run that applies such lines is held: two
    /// statements, and no run.
    ///
    /// # Errors
    /// The database's error.
    pub async fn finds_waiting(&self) -> RunResult<bool> {
        let mut conn = self.connect(false).await?;
        let order = SyncOrder::of(jobs::WAITING).kind();
        let found = waiting::any_found(&mut conn, &self.settings, &order, self.clock.now()).await;
        conn.close().await;
        Ok(found?)
    }

    /// The report of a pass over the lines that wait which has found nobody new.
    pub fn nothing_found(&self) -> Report {
        let order = SyncOrder::of(jobs::WAITING);
        Report { state: State::Done, ..life::blank(&order.kind(), &order.source(), self.clock.now()) }
    }

    /// Applies a held run: plans again from the copy of its bytes, without the guard, and reports what changed since.
    ///
    /// # Errors
    /// [`RunError::Undecidable`] when the run is not held, else as [`Engine::import`].
    pub async fn approve(&self, run: i64) -> RunResult<Report> {
        let order = order::Order::approve(&self.held(run).await?, &self.settings.state.path, run)?;
        let report = self.execute(order, false).await?;
        if matches!(report.state, State::Done | State::DoneWithErrors) {
            self.forget(run, "its sealed copy", hold::HeldStore::forget_sealed);
        }
        Ok(report)
    }

    /// Removes what a decided run needs no more. The decision stands if that fails; retention removes all copies.
    fn forget(&self, run: i64, what: &str, forget: impl FnOnce(&hold::HeldStore) -> std::io::Result<()>) {
        if let Err(error) = forget(&hold::HeldStore::of(&self.settings.state.path, run)) {
            tracing::warn!(run.id = run, "run {run} is decided, {what} cannot be removed now: {error}");
        }
    }

    /// Simulates the approval of a held run: does the same and rolls back.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub async fn rehearse_approval(&self, run: i64) -> RunResult<Report> {
        let order = order::Order::approve(&self.held(run).await?, &self.settings.state.path, run)?;
        self.execute(order, true).await
    }

    /// Rejects a held run: nothing of it is applied. The copy of its bytes and its plan stay until retention.
    ///
    /// # Errors
    /// [`RunError::Undecidable`] when the run is not held.
    pub async fn reject(&self, run: i64) -> RunResult<Past> {
        let past = self.held(run).await?;
        let mut conn = self.database.connect().await?;
        if !decision::decide(&mut conn, run, State::Rejected, "").await? {
            return Err(RunError::Undecidable(format!("run {run} was decided by somebody else just now")));
        }
        conn.close().await;
        self.forget(run, "its table of courses", hold::HeldStore::forget_courses);
        self.forget(run, "its sealed copy", hold::HeldStore::forget_sealed);
        Ok(Past { state: State::Rejected.as_str().to_owned(), ..past })
    }

    /// The report of a run in the history; `None` if there is no such run.
    ///
    /// # Errors
    /// The database's error.
    pub async fn recall(&self, run: i64) -> RunResult<Option<Report>> {
        let mut conn = self.database.connect().await?;
        let report = match history::find(&mut conn, run).await? {
            Some(past) => {
                let mut report = life::recall(&mut conn, &past).await?;
                if past.parent > 0 {
                    // Another system account may not read the held store; the rest of the report is still given.
                    report.meanwhile = attempt::meanwhile(&self.settings.state.path, past.parent, &report).ok();
                }
                Some(report)
            }
            None => None,
        };
        conn.close().await;
        Ok(report)
    }

    /// A held run, from the history.
    ///
    /// # Errors
    /// [`RunError::Undecidable`] when there is no such run or it is not held.
    pub async fn held(&self, run: i64) -> RunResult<Past> {
        let mut conn = self.database.connect().await?;
        require_ready(&mut conn).await?;
        let past = history::find(&mut conn, run).await?;
        conn.close().await;
        let past = past.ok_or_else(|| RunError::Undecidable(format!("there is no run {run}: see 'enrold runs'")))?;
        if past.state != State::Held.as_str() {
            return Err(RunError::Undecidable(format!(
                "run {run} is not held, it is {}: there is nothing to decide",
                past.state
            )));
        }
        Ok(past)
    }
}
