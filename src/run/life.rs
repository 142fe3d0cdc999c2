//! The life of one run: lease, attempts, transaction, guard, commit or hold, effects.
//! It must not know what a task does; it opens the room for it and closes it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::StopWatch;
use crate::config::WhenDisabled;
use crate::db::{Conn, DbError, Params, SCHEMA_VERSION, schema_version};
use crate::flatfile::{METHOD, job};
use crate::moodle::site::Site;
use crate::report::{Code, Problem};
use crate::run::effects::Effects;
use crate::run::error::{RunError, RunResult};
use crate::run::guard::Guard;
use crate::run::hold::Shelf;
use crate::run::lease::{self, Lease};
use crate::run::order::{Opened, Order, Task};
use crate::run::outcome::{Lines, Meanwhile, Note, PROBLEMS_SHOWN, ReadAs, Report, State};
use crate::run::work::Work;
use crate::run::{Engine, Moment, history};

/// Moodle's own task for flat files.
const TWIN: &str = r"\enrol_flatfile\task\flatfile_sync_task";

/// Refuses a database whose enrold tables are missing, older, newer or another Moodle's.
pub(super) async fn require_ready(conn: &mut Conn) -> RunResult<()> {
    match schema_version(conn).await? {
        None => Err(RunError::NotReady(
            "enrold's own tables are missing in this database: run 'enrold db migrate'".to_owned(),
        )),
        Some((_, prefix)) if prefix != conn.prefix() => Err(RunError::NotReady(format!(
            "enrold's tables in this database serve the prefix '{prefix}', not '{}': one Moodle per database (database.prefix)",
            conn.prefix()
        ))),
        Some((version, _)) if version != SCHEMA_VERSION => Err(RunError::NotReady(format!(
            "enrold's own tables have version {version}, this program needs {SCHEMA_VERSION}: run 'enrold db migrate' or install the right program"
        ))),
        Some(_) => Ok(()),
    }
}

/// Everything that an attempt needs and a retry keeps.
struct Attempt<'a> {
    engine: &'a Engine,
    order: &'a Order,
    opened: Option<&'a Opened>,
    site: &'a Site,
    lease: &'a Lease,
    run: i64,
    now: i64,
    simulate: bool,
}

impl Engine {
    pub(super) async fn execute(&self, order: Order, simulate: bool) -> RunResult<Report> {
        let watch = StopWatch::start();
        let before = self.database.statements();
        let mut conn = self.connect(simulate).await?;
        require_ready(&mut conn).await?;
        let lease = self.take_lease(&mut conn).await?;
        let heart = lease.beat(Arc::clone(&self.database), self.settings.run.lease_ttl.as_secs());
        let outcome = self.under_lease(&mut conn, &lease, &order, simulate, watch).await;
        drop(heart);
        if lease.release(&mut conn).await.is_err() {
            // The connection is gone: a new one gives the lease back, or it runs out by itself.
            if let Ok(mut fresh) = self.database.connect().await {
                drop(lease.release(&mut fresh).await);
            }
        }
        conn.close().await;
        let mut report = outcome?;
        report.total_ms = watch.millis();
        report.statements = self.database.statements() - before;
        Ok(report)
    }

    async fn connect(&self, simulate: bool) -> Result<Conn, DbError> {
        if simulate {
            self.database.connect_with(self.settings.run.simulate_lock_timeout).await
        } else {
            self.database.connect().await
        }
    }

    async fn take_lease(&self, conn: &mut Conn) -> RunResult<Lease> {
        let ttl = self.settings.run.lease_ttl.as_secs();
        let waiting = StopWatch::start();
        loop {
            let busy = match Lease::take(conn, lease::RUN, ttl).await {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => None,
                Err(error) if error.is_transient() => Some(error),
                Err(error) => return Err(error.into()),
            };
            if u128::from(waiting.millis()) >= self.wait.as_millis() {
                if let Some(error) = busy {
                    return Err(error.into());
                }
                let (holder, seconds) = Lease::holder(conn, lease::RUN).await?.unwrap_or_default();
                return Err(RunError::Busy { holder, seconds });
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn under_lease(
        &self,
        conn: &mut Conn,
        lease: &Lease,
        order: &Order,
        simulate: bool,
        watch: StopWatch,
    ) -> RunResult<Report> {
        let site = Site::read(conn).await?;
        if !simulate {
            self.effects(conn, &site).finish_all().await?;
        }
        let notes = self.check_twin(conn).await?;
        let mut report = blank(order, self.clock.now());
        report.notes = notes;
        if !site.is_enabled(METHOD) && self.settings.flatfile.when_disabled == WhenDisabled::Wait {
            report.state = State::Skipped;
            report.notes.push(Note::MethodDisabled);
            return Ok(report);
        }
        let opened = match &order.task {
            Task::File { import, .. } => match Opened::open(import, &self.settings, &site) {
                Ok(opened) => Some(opened),
                Err(error) => return self.refused(conn, order, report, simulate, error).await,
            },
            Task::SyncFlatfile => None,
        };
        let run = if simulate {
            0
        } else {
            let claim = opened.as_ref().map(|opened| &opened.claim);
            history::open(conn, order.kind(), &order.source(), report.clock, order.held, claim).await?
        };
        report.run = run;
        if let Some(opened) = &opened {
            report.read_as = Some(read_as(opened));
            let before = if run == 0 { i64::MAX } else { run };
            report.same_bytes_as = history::same_bytes(conn, &opened.scan.sha256, before).await?;
        }
        let now = report.clock;
        let attempt = Attempt { engine: self, order, opened: opened.as_ref(), site: &site, lease, run, now, simulate };
        self.attempts(conn, &attempt, &mut report, watch).await?;
        if report.state == State::Done || report.state == State::DoneWithErrors {
            self.observer.reached(Moment::Committed).await;
            // The run is committed whatever becomes of its effects: the next run goes on with them.
            if let Err(error) = self.effects(conn, &site).finish(run).await {
                report.notes.push(Note::EffectsPending(error.to_string()));
            }
        }
        Ok(report)
    }

    fn effects<'a>(&self, conn: &'a mut Conn, site: &'a Site) -> Effects<'a> {
        Effects {
            conn,
            site,
            clock: self.clock.frozen().unwrap_or_else(crate::clock::real),
            rows: i64::from(self.settings.run.effect_rows),
            observer: self.observer.clone(),
        }
    }

    /// A file that cannot be read at all is a failed run of the history, with its reason.
    async fn refused(
        &self,
        conn: &mut Conn,
        order: &Order,
        mut report: Report,
        simulate: bool,
        error: RunError,
    ) -> RunResult<Report> {
        let problem = match error {
            RunError::Rejected(problem) => problem,
            RunError::Unreadable { path, error } => Problem::new(0, Code::FileUnreadable, path, error.to_string()),
            other => return Err(other),
        };
        report.state = State::Failed;
        report.errors = 1;
        let message = problem.text(crate::config::Locale::En);
        report.problems.push(problem);
        if !simulate {
            report.run = history::open(conn, order.kind(), &order.source(), report.clock, order.held, None).await?;
            history::close(conn, report.run, State::Failed, &report, &message, false).await?;
        }
        Ok(report)
    }

    /// Tries the run until it commits, is held, or fails for good; each transient error begins it anew.
    async fn attempts(
        &self,
        conn: &mut Conn,
        attempt: &Attempt<'_>,
        report: &mut Report,
        watch: StopWatch,
    ) -> RunResult<()> {
        let mut tried = 0;
        loop {
            let outcome = attempt.once(conn, report, watch).await;
            match outcome {
                Ok(()) => {
                    if tried > 0 {
                        report.notes.push(Note::Retried(tried));
                    }
                    return Ok(());
                }
                Err(error) if error.is_transient() && tried < self.settings.run.retries => {
                    tried += 1;
                    tracing::warn!(run.id = attempt.run, attempt = tried, "run {}: {error}; trying again", attempt.run);
                    tokio::time::sleep(Duration::from_millis(200 << tried.min(6))).await;
                    if self.reconnected(conn, attempt, report).await? {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.failed(conn, attempt, report, &error).await;
                    return Err(error);
                }
            }
        }
    }

    /// Opens a new connection; true if the lost one had committed the run after all.
    async fn reconnected(&self, conn: &mut Conn, attempt: &Attempt<'_>, report: &mut Report) -> RunResult<bool> {
        let fresh = self.connect(attempt.simulate).await.map_err(|error| DbError::Lost(error.to_string()))?;
        std::mem::replace(conn, fresh).close().await;
        if attempt.run == 0 {
            return Ok(false);
        }
        let state = history::find(conn, attempt.run).await?.map(|past| past.state).unwrap_or_default();
        report.state = match state.as_str() {
            "done" => State::Done,
            "done-with-errors" => State::DoneWithErrors,
            _ => return Ok(false),
        };
        Ok(true)
    }

    async fn failed(&self, conn: &mut Conn, attempt: &Attempt<'_>, report: &Report, error: &RunError) {
        if attempt.run == 0 {
            return;
        }
        let message = error.to_string();
        if history::close(conn, attempt.run, State::Failed, report, &message, false).await.is_err()
            && let Ok(mut fresh) = self.database.connect().await
        {
            // If this fails as well, the row stays "running" and the next run calls it interrupted.
            drop(history::close(&mut fresh, attempt.run, State::Failed, report, &message, false).await);
        }
    }

    /// Moodle's own task for the same files: enabled is told, running is waited for.
    async fn check_twin(&self, conn: &mut Conn) -> RunResult<Vec<Note>> {
        let waiting = StopWatch::start();
        let params = Params::new().with("twin", TWIN);
        loop {
            let sql = "SELECT disabled, COALESCE(timestarted, 0) FROM {task_scheduled} WHERE classname = :twin";
            // Before Moodle 3.11 there is no `timestarted`; then nothing can be said.
            let Ok(Some(row)) = conn.row(sql, &params).await else {
                return Ok(Vec::new());
            };
            if row.int(0) != 0 {
                return Ok(Vec::new());
            }
            if row.int(1) == 0 {
                return Ok(vec![Note::TwinTask(TWIN.to_owned())]);
            }
            if u128::from(waiting.millis()) >= self.wait.as_millis() {
                return Err(RunError::TwinRunning { task: TWIN.to_owned() });
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

impl Attempt<'_> {
    async fn once(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
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
            limits.mode = crate::config::GuardMode::Off;
        } else if self.simulate && limits.mode == crate::config::GuardMode::Hold {
            // A rehearsal shows the whole plan and says that it would be held.
            limits.mode = crate::config::GuardMode::Warn;
        }
        let mut work = Work {
            conn,
            site: self.site,
            run: self.run,
            now: self.now,
            guard: Guard::new(limits),
            observer: self.engine.observer.clone(),
            counts: BTreeMap::new(),
            overtaken: 0,
        };
        let outcome = self.task(&mut work).await;
        let lines = match outcome {
            Ok(lines) => work.guard_check().await.map(|()| lines),
            Err(error) => Err(error),
        };
        if let Err(RunError::Held) | Ok(_) = &lines {
            work.guard.name_courses_of(work.conn).await?;
            report.breaches.clone_from(&work.guard.breaches);
            report.counts.clone_from(&work.counts);
        }
        report.lines = lines?;
        work.tell_overtaken().await?;
        report.overtaken = work.overtaken;
        self.conclude(conn, report, watch).await
    }

    async fn task(&self, work: &mut Work<'_>) -> RunResult<Lines> {
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
                job::apply_file(work, settings, &drop).await
            }
            _ => job::apply_sync(work, settings).await.map(|()| Lines::default()),
        }
    }

    /// The end of a run that may commit: its problems, its row, the fence, the commit (or the rollback of a rehearsal).
    async fn conclude(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        read_problems(conn, self.run, report).await?;
        report.meanwhile = self.meanwhile(report)?;
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
            if !history::decide(conn, held, State::Approved, &message).await? {
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

    fn meanwhile(&self, report: &Report) -> RunResult<Option<Meanwhile>> {
        let Some(held) = self.order.held else {
            return Ok(None);
        };
        let planned = Shelf::of(&self.engine.settings.state.path, held).planned()?;
        let overtaken = report.problems.iter().filter(|problem| problem.code == Code::Overtaken).count() as u64;
        Ok(Some(Meanwhile { held, planned, overtaken }))
    }

    /// Keeps plan and bytes, then rolls back and writes the held run into the history.
    async fn hold(&self, conn: &mut Conn, report: &mut Report) -> RunResult<()> {
        read_problems(conn, self.run, report).await?;
        let shelf = Shelf::of(Path::new(&self.engine.settings.state.path), self.run);
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
        report.state = State::Held;
        history::close(conn, self.run, State::Held, report, "", false).await?;
        Ok(())
    }
}

fn blank(order: &Order, clock: i64) -> Report {
    Report {
        run: 0,
        kind: order.kind().to_owned(),
        source: order.source(),
        state: State::Running,
        clock,
        lines: Lines::default(),
        read_as: None,
        counts: BTreeMap::new(),
        overtaken: 0,
        errors: 0,
        problems: Vec::new(),
        breaches: Vec::new(),
        notes: Vec::new(),
        same_bytes_as: None,
        meanwhile: None,
        commit_ms: 0,
        total_ms: 0,
        statements: 0,
    }
}

fn read_as(opened: &Opened) -> ReadAs {
    ReadAs {
        kind: opened.scan.kind.to_string(),
        encoding: opened.scan.encoding.to_string(),
        delimiter: opened.scan.delimiter.map(|delimiter| delimiter.to_string()).unwrap_or_default(),
        sha256: opened.scan.sha256.clone(),
        bytes: opened.scan.bytes,
    }
}

async fn read_problems(conn: &mut Conn, run: i64, report: &mut Report) -> RunResult<()> {
    let params = Params::new().with("run", run).with("shown", PROBLEMS_SHOWN as i64);
    report.errors = conn.number("SELECT COUNT(*) FROM {enrold_error} WHERE run = :run", &params).await? as u64;
    report.problems = problems(conn, run, PROBLEMS_SHOWN as i64).await?;
    Ok(())
}

/// The first problems of a run, by line.
///
/// # Errors
/// The engine's.
pub async fn problems(conn: &mut Conn, run: i64, limit: i64) -> RunResult<Vec<Problem>> {
    let params = Params::new().with("run", run).with("limit", limit);
    let sql = "SELECT line, code, COALESCE(value, ''), COALESCE(hint, '') FROM {enrold_error} WHERE run = :run ORDER BY line LIMIT :limit";
    let rows = conn.rows(sql, &params).await?;
    let problem = |row: &crate::db::Row| {
        // A code that this version does not know was written by a newer one; its words are lost, the line is not.
        let code = Code::parse(&row.text(1)).unwrap_or(Code::FileUnreadable);
        Problem::new(row.int(0) as u64, code, row.text(2), row.text(3))
    };
    Ok(rows.iter().map(problem).collect())
}
