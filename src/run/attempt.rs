//! One attempt of a run: its transaction from BEGIN to commit, hold or rollback.
//! It must not try again; the life of the run decides that.

use std::collections::BTreeMap;
use std::path::Path;

use crate::clock::StopWatch;
use crate::config::GuardMode;
use crate::db::{Conn, Params};
use crate::fault;
use crate::flatfile::job;
use crate::moodle::site::Site;
use crate::report::Code;
use crate::run::error::{RunError, RunResult};
use crate::run::guard::Guard;
use crate::run::hold::Shelf;
use crate::run::lease::Lease;
use crate::run::order::{Opened, Order, Task};
use crate::run::outcome::{Lines, Meanwhile, PROBLEMS_SHOWN, Report, State};
use crate::run::problems::problems;
use crate::run::work::Work;
use crate::run::{Engine, Moment, decision, history, jobs};

/// Everything that an attempt needs and a retry keeps.
pub(super) struct Attempt<'a> {
    pub engine: &'a Engine,
    pub order: &'a Order,
    pub opened: Option<&'a Opened>,
    pub site: &'a Site,
    pub lease: &'a Lease,
    pub run: i64,
    pub now: i64,
    pub simulate: bool,
}

impl Attempt<'_> {
    pub async fn once(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        conn.begin().await?;
        let outcome = self.inside(conn, report, watch).await;
        match outcome {
            Ok(()) => Ok(()),
            Err(RunError::Held) => self.hold(conn, report).await,
            Err(error) => {
                // The first error says more than one of the rollback.
                drop(conn.rollback().await);
                Err(error)
            }
        }
    }

    async fn inside(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        let settings = &self.engine.settings;
        let mut limits = settings.guard.clone();
        if self.order.held.is_some() {
            // Somebody has decided.
            limits.mode = GuardMode::Off;
        } else if self.simulate && limits.mode == GuardMode::Hold {
            // A rehearsal shows the whole plan and says that it would be held.
            limits.mode = GuardMode::Warn;
            report.would_hold = true;
        }
        let mut work = Work {
            conn,
            site: self.site,
            run: self.run,
            now: self.now,
            guard: Guard::new(limits, &settings.tasks, self.order.only_job()),
            observer: self.engine.observer.clone(),
            counts: BTreeMap::new(),
            overtaken: 0,
            lines: Lines::default(),
            notes: Vec::new(),
            cause: "",
            planned: 0,
            waves: 0,
            backfill: false,
            rules: Vec::new(),
        };
        let outcome = match self.task(&mut work).await {
            Ok(()) => work.guard_check().await,
            Err(error) => Err(error),
        };
        report.lines = work.lines;
        if let Err(RunError::Held) | Ok(()) = &outcome {
            work.guard.name_courses_of(work.conn).await?;
            report.breaches.clone_from(&work.guard.breaches);
            report.would_hold &= !report.breaches.is_empty();
            report.counts.clone_from(&work.counts);
            report.rules.append(&mut work.rules);
            report.notes.append(&mut work.notes);
        }
        outcome?;
        work.tell_overtaken().await?;
        report.overtaken = work.overtaken;
        self.conclude(conn, report, watch).await
    }

    async fn task(&self, work: &mut Work<'_>) -> RunResult<()> {
        let settings = &self.engine.settings;
        match (&self.order.task, self.opened) {
            (Task::File { shown, .. }, Some(opened)) => {
                let drop = job::Drop {
                    file: &opened.file,
                    path: shown,
                    scan: &opened.scan,
                    reading: &opened.reading,
                    keys: opened.keys,
                    held: self.order.held,
                };
                work.cause = "import";
                job::apply_file(work, settings, &drop).await?;
                jobs::follow(work, self.engine.rules, settings, &[]).await
            }
            (Task::Sync(order), _) => jobs::run(work, self.engine.rules, settings, order).await,
            // A file that cannot be opened never gets here.
            (Task::File { .. }, None) => Ok(()),
        }
    }

    /// The end of a run that may commit: its problems, its row, the fence, the commit (or the rollback of a rehearsal).
    async fn conclude(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        self.file_unchanged()?;
        read_problems(conn, self.run, report).await?;
        report.meanwhile =
            self.order.held.map(|held| meanwhile(&self.engine.settings.state.path, held, report)).transpose()?;
        report.state = if report.errors > 0 { State::DoneWithErrors } else { State::Done };
        self.engine.observer.reached(Moment::Committing).await;
        if self.simulate {
            conn.rollback().await?;
            report.state = State::Simulated;
            report.commit_ms = watch.millis();
            return Ok(());
        }
        report.commit_ms = watch.millis();
        if let Some(held) = self.order.held {
            let message = format!("approved as run {}", self.run);
            if !decision::decide(conn, held, State::Approved, &message).await? {
                return Err(RunError::Undecidable(format!("run {held} was decided by somebody else just now")));
            }
        }
        history::close(conn, self.run, report.state, report, "", true).await?;
        if !self.lease.renew(conn).await? {
            return Err(RunError::Fenced);
        }
        conn.commit().await?;
        report.commit_ms = watch.millis();
        Ok(())
    }

    fn file_unchanged(&self) -> RunResult<()> {
        self.opened.map_or(Ok(()), |opened| opened.unchanged(&self.order.source()))
    }

    /// Keeps plan and bytes, then rolls back and writes the held run into the history.
    async fn hold(&self, conn: &mut Conn, report: &mut Report) -> RunResult<()> {
        if let Err(error) = self.file_unchanged() {
            // The change says more than a rollback that fails.
            drop(conn.rollback().await);
            return Err(error);
        }
        read_problems(conn, self.run, report).await?;
        // Nothing is applied: what counts is the plan, as far as it got before the limit.
        report.counts = planned(conn, self.run).await?;
        let shelf = Shelf::of(&self.engine.settings.state.path, self.run);
        let held = self.order.to_hold(self.opened);
        let mut copy = match self.opened {
            Some(opened) => Some(
                opened.file.try_clone().map_err(|error| RunError::Unreadable { path: self.order.source(), error })?,
            ),
            None => None,
        };
        let kept = shelf.keep(&held, copy.as_mut(), conn, self.run).await;
        conn.rollback().await?;
        kept?;
        fault::step("held-kept");
        report.state = State::Held;
        history::close(conn, self.run, State::Held, report, "", false).await?;
        Ok(())
    }
}

/// What became of the plan of a held run in the run that applied it.
pub(super) fn meanwhile(state: &Path, held: i64, report: &Report) -> RunResult<Meanwhile> {
    let planned = Shelf::of(state, held).planned()?;
    let overtaken = report.problems.iter().filter(|problem| problem.code == Code::Overtaken).count() as u64;
    Ok(Meanwhile { held, planned, overtaken })
}

/// The changes in a run's journal by kind.
async fn planned(conn: &mut Conn, run: i64) -> RunResult<BTreeMap<String, i64>> {
    let sql = "SELECT c.kind, COUNT(*) FROM {enrold_change} c WHERE c.run = :run GROUP BY c.kind";
    let rows = conn.rows(sql, &Params::new().with("run", run)).await?;
    Ok(rows.iter().map(|row| (row.text(0), row.int(1))).collect())
}

async fn read_problems(conn: &mut Conn, run: i64, report: &mut Report) -> RunResult<()> {
    let params = Params::new().with("run", run).with("shown", PROBLEMS_SHOWN as i64);
    report.errors = conn.number("SELECT COUNT(*) FROM {enrold_error} WHERE run = :run", &params).await? as u64;
    report.problems = problems(conn, run, PROBLEMS_SHOWN as i64).await?;
    Ok(())
}
