//! The life cycle of one run: lease, attempts, transaction, guard, commit or hold, effects.
//! It must not know what a task does; it prepares the run for the task and ends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::StopWatch;
use crate::config::{Locale, Target, WhenDisabled};
use crate::db::{Conn, DbError, Params, SCHEMA_VERSION, schema_version};
use crate::lease::{self, Lease};
use crate::moodle::install::present_tables;
use crate::moodle::method;
use crate::moodle::site::Site;
use crate::outcome::{Lines, Moment, Note, PROBLEMS_SHOWN, Past, Report, RunError, RunResult, State};
use crate::problem::{self, Code, Problem};
use crate::run::attempt::Attempt;
use crate::run::effects::Effects;
use crate::run::opened::Opened;
use crate::run::order::{Order, Task};
use crate::run::{Engine, history, jobs};
use crate::sets::database::DATABASE;
use crate::verbs;
use crate::{fault, sets};

/// Refuses a database without a Moodle under the prefix, or whose enrold tables are missing, older, newer, or serve
/// another Moodle.
///
/// # Errors
/// [`RunError::NotReady`] with what to do, or the database's error.
pub async fn require_ready(conn: &mut Conn) -> RunResult<()> {
    match schema_version(conn).await? {
        None if present_tables(conn).await?.is_empty() => Err(RunError::NotReady(format!(
            "no table of Moodle with the prefix '{}' can be seen in this database: correct database.url or \
             database.prefix ('enrold doctor' names the prefixes that there are)",
            conn.prefix()
        ))),
        None => Err(RunError::NotReady(
            "enrold's own tables are missing in this database: run 'enrold db migrate'".to_owned(),
        )),
        Some((_, prefix)) if prefix != conn.prefix() => Err(RunError::NotReady(format!(
            "enrold's tables in this database serve the prefix '{prefix}', not '{}': correct database.prefix (one \
             Moodle per database)",
            conn.prefix()
        ))),
        Some((version, _)) if version != SCHEMA_VERSION => Err(RunError::NotReady(format!(
            "enrold's own tables have version {version}, this program needs {SCHEMA_VERSION}: run 'enrold db migrate' \
             or install the right program"
        ))),
        Some(_) => Ok(()),
    }
}

impl Engine {
    pub(super) async fn execute(&self, order: Order, simulate: bool) -> RunResult<Report> {
        let watch = StopWatch::start();
        let before = self.database.statements();
        let mut conn = self.connect(simulate).await?;
        require_ready(&mut conn).await?;
        let lease = self.take_lease(&mut conn).await?;
        fault::step("lease-taken");
        let heart = lease.beat(Arc::clone(&self.database), self.settings.run.lease_ttl.as_secs());
        let outcome = self.under_lease(&mut conn, &lease, &order, simulate, watch).await;
        drop(heart);
        fault::step("releasing");
        self.release(conn, &lease).await;
        self.observer.reached(Moment::Ended).await;
        let mut report = outcome?;
        // The report of an earlier run is not that of the moment in which it is read.
        report.total_ms = watch.millis().max(report.commit_ms);
        report.statements = self.database.statements() - before;
        Ok(report)
    }

    pub(super) async fn connect(&self, simulate: bool) -> Result<Conn, DbError> {
        if simulate {
            self.database.connect_with(self.settings.run.simulate_lock_timeout).await
        } else {
            self.database.connect().await
        }
    }

    pub(crate) async fn take_lease(&self, conn: &mut Conn) -> RunResult<Lease> {
        let ttl = self.settings.run.lease_ttl.as_secs();
        let waiting = StopWatch::start();
        loop {
            let busy = match Lease::take(conn, lease::RUN, ttl).await {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) if Lease::bury(conn, lease::RUN).await? => continue,
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

    /// Releases the lease and closes the connection. What was done stays done, so an error here is only logged: a lease
    /// that cannot be released expires.
    pub(crate) async fn release(&self, mut conn: Conn, lease: &Lease) {
        let mut released = lease.release(&mut conn).await;
        conn.close().await;
        if released.is_err() {
            // The connection may be lost.
            released = self.release_anew(lease).await;
        }
        if let Err(error) = released {
            let ttl = self.settings.run.lease_ttl.as_secs();
            tracing::warn!("the lease of the run cannot be released, others wait up to {ttl} s for it: {error}");
        }
    }

    async fn release_anew(&self, lease: &Lease) -> Result<(), DbError> {
        let mut conn = self.database.connect().await?;
        let released = lease.release(&mut conn).await;
        conn.close().await;
        released
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
        let mut pending = Vec::new();
        if !simulate {
            self.resume(conn, lease, &site).await?;
            // Effects of an earlier run that cannot be written must not block this one.
            if let Err(error) = self.effects(conn, &site).finish_all().await {
                pending.push(Note::EffectsPending(error.to_string()));
            }
        }
        let mut report = blank(&order.kind(), &order.source(), self.clock.now());
        report.notes = pending;
        report.locale = order.profile().and_then(|profile| profile.locale);
        report.notes.append(&mut self.check_twins(conn, order, &site).await?);
        if let Some(claim) = order.claimed_before()?
            && let Some(past) = history::of_drop(conn, &claim).await?
        {
            return recall(conn, &past).await;
        }
        if order.needs_flatfile()
            && !site.is_enabled(method::FLATFILE)
            && self.settings.flatfile.when_disabled == WhenDisabled::Wait
        {
            report.state = State::Skipped;
            report.notes.push(Note::MethodDisabled);
            return Ok(report);
        }
        if let Some(set) = order.set_order()
            && self.settings.sources.get(&set.source).is_some_and(|source| source.target == Target::Enrolments)
            && !site.is_enabled(DATABASE.method)
        {
            report.state = State::Skipped;
            report.notes.push(Note::SetsDisabled);
            return Ok(report);
        }
        if let Some(order) = order.sync_order() {
            if let Some(skipped) = jobs::all_skipped(self.rules, &site, &self.settings, order) {
                report.state = State::Skipped;
                report.rules = skipped;
                return Ok(report);
            }
            if let Some(name) = &order.course {
                jobs::course(conn, name).await?;
            }
        }
        if let Some(verb) = order.verb_order() {
            verbs::check(conn, &site, &self.settings, verb, report.clock).await?;
        }
        if let Some(set) = order.set_order().filter(|set| set.refused.is_none() && !simulate) {
            sets::oneroster_base::require(conn, &self.settings, set, order.held).await?;
        }
        let opened = match &order.task {
            Task::File { import, .. } => match Opened::open(import, order.held, &self.settings, &site) {
                Ok(opened) => Some(opened),
                Err(error) => return self.refused(conn, order, report, simulate, error).await,
            },
            Task::Set(set) => match Opened::snapshot(set) {
                Ok(opened) => Some(opened),
                Err(error) => return self.refused(conn, order, report, simulate, error).await,
            },
            Task::Sync(_) | Task::Verb(_) => None,
        };
        // Checked under the lease, because before it another process could commit the same drop in between.
        if let Some(claim) = opened.as_ref().and_then(|opened| order.drop_claim(opened))
            && let Some(past) = history::of_drop(conn, claim).await?
        {
            return recall(conn, &past).await;
        }
        let run = if simulate {
            0
        } else {
            let claim = opened.as_ref().map(|opened| &opened.claim);
            history::open(conn, &order.kind(), &order.source(), report.clock, order.held, claim).await?
        };
        fault::step("run-opened");
        report.run = run;
        report.dropped = order.set_order().and_then(|set| Some(set.dropped.as_ref()?.sha256.clone()));
        if let Some(opened) = &opened {
            report.read_as = opened.read_as();
            let before = if run == 0 { i64::MAX } else { run };
            report.same_bytes_as = history::same_bytes(conn, &opened.claim.sha256, before).await?;
        }
        let now = report.clock;
        let opened = opened.as_ref();
        let attempt = Attempt { engine: self, order, opened, site: &site, lease, run, now, simulate, current: None };
        self.attempts(conn, &attempt, &mut report, watch).await?;
        self.carry_out(conn, &attempt, &mut report, watch).await?;
        let committed = matches!(report.state, State::Done | State::DoneWithErrors);
        if committed {
            self.observer.reached(Moment::Committed).await;
        }
        // Earlier parts of a held run may be committed.
        if committed || report.state == State::Held {
            // The run stays committed even if its effects fail: the next run continues with them.
            if let Err(error) = self.effects(conn, &site).finish(run).await {
                report.notes.push(Note::EffectsPending(error.to_string()));
            }
        }
        Ok(report)
    }

    fn effects<'a>(&'a self, conn: &'a mut Conn, site: &'a Site) -> Effects<'a> {
        Effects {
            conn,
            site,
            clock: self.clock.frozen().unwrap_or_else(crate::clock::real),
            rows: i64::from(self.settings.run.effect_rows),
            spool: self.settings.hook.spool(),
            observer: self.observer.clone(),
        }
    }

    /// Applies the parts and writes the effects that a crash or a full disk left, under the run lease; returns why
    /// effects still cannot be written.
    ///
    /// # Errors
    /// As [`Engine::import`].
    pub async fn finish_effects(&self) -> RunResult<Option<String>> {
        let mut conn = self.connect(false).await?;
        let lease = self.take_lease(&mut conn).await?;
        let heart = lease.beat(Arc::clone(&self.database), self.settings.run.lease_ttl.as_secs());
        let outcome = self.finish_under_lease(&mut conn, &lease).await;
        drop(heart);
        self.release(conn, &lease).await;
        outcome
    }

    async fn finish_under_lease(&self, conn: &mut Conn, lease: &Lease) -> RunResult<Option<String>> {
        let site = Site::read(conn).await?;
        self.resume(conn, lease, &site).await?;
        Ok(self.effects(conn, &site).finish_all().await.err().map(|error| error.to_string()))
    }

    /// Records a file that cannot be read at all as a failed run, with the reason.
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
            // The name under which it was dropped, because the working name of a claimed file does not last.
            RunError::Unreadable { error, .. } => {
                Problem::new(0, Code::FileUnreadable, order.source(), error.to_string())
            }
            other => return Err(other),
        };
        let message = problem.text(crate::config::Locale::En);
        report.fail(problem);
        if !simulate {
            report.run = history::open(conn, &order.kind(), &order.source(), report.clock, order.held, None).await?;
            self.close(conn, order, &report, &message).await?;
        }
        Ok(report)
    }

    /// Checks Moodle's own tasks for the same work: reports an enabled one, waits for a running one. A run that cannot
    /// read them fails, because it could write beside one that runs.
    async fn check_twins(&self, conn: &mut Conn, order: &Order, site: &Site) -> RunResult<Vec<Note>> {
        let twins = order.twins(self.rules, site);
        let patience = if order.sync_order().is_some_and(|order| order.defers) { Duration::ZERO } else { self.wait };
        let waiting = StopWatch::start();
        // Some hundred rows; `component` is not among the least rights.
        let sql = "SELECT classname, COALESCE(timestarted, 0) FROM {task_scheduled} WHERE disabled = 0";
        loop {
            let enabled = conn.rows(sql, &Params::new()).await?;
            let enabled: Vec<(String, i64)> = enabled
                .iter()
                .map(|row| (row.text(0), row.int(1)))
                .filter(|(task, _)| twins.contains(&task.as_str()))
                .collect();
            let Some((running, _)) = enabled.iter().find(|(_, started)| *started != 0) else {
                return Ok(enabled.into_iter().map(|(task, _)| Note::TwinTask(task)).collect());
            };
            if u128::from(waiting.millis()) >= patience.as_millis() {
                return Err(RunError::TwinRunning { task: running.clone() });
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

pub(super) fn blank(kind: &str, source: &str, clock: i64) -> Report {
    Report {
        run: 0,
        kind: kind.to_owned(),
        source: source.to_owned(),
        state: State::Running,
        clock,
        lines: Lines::default(),
        read_as: None,
        counts: BTreeMap::new(),
        rules: Vec::new(),
        set: None,
        people: None,
        overtaken: 0,
        would_hold: false,
        errors: 0,
        codes: BTreeMap::new(),
        unkept: BTreeMap::new(),
        problems: Vec::new(),
        breaches: Vec::new(),
        notes: Vec::new(),
        same_bytes_as: None,
        dropped: None,
        locale: None,
        meanwhile: None,
        commit_ms: 0,
        total_ms: 0,
        statements: 0,
    }
}

/// The report of an earlier run, from the history: nothing is done again.
pub(super) async fn recall(conn: &mut Conn, past: &Past) -> RunResult<Report> {
    let part = |name: &str| past.counts[name].clone();
    let commit_ms = part("commit_ms").as_u64().unwrap_or_default();
    // What followed the commit is not in the history; a run without one has only the seconds of its row.
    let total_ms = if commit_ms > 0 { commit_ms } else { (past.ended - past.started).max(0) as u64 * 1000 };
    let read =
        |error: serde_json::Error| DbError::other(format!("the counts of run {} cannot be read: {error}", past.run));
    // Earlier versions did not store all of them.
    let object = |name: &str| if part(name).is_null() { serde_json::json!({}) } else { part(name) };
    let list = |name: &str| if part(name).is_null() { serde_json::json!([]) } else { part(name) };
    Ok(Report {
        run: past.run,
        state: State::parse(&past.state).unwrap_or(State::Failed),
        lines: serde_json::from_value(part("lines")).map_err(read)?,
        counts: serde_json::from_value(part("counts")).map_err(read)?,
        rules: serde_json::from_value(list("rules")).map_err(read)?,
        set: serde_json::from_value(part("set")).map_err(read)?,
        overtaken: part("overtaken").as_i64().unwrap_or_default(),
        errors: part("errors").as_u64().unwrap_or_default(),
        codes: serde_json::from_value(object("codes")).map_err(read)?,
        unkept: serde_json::from_value(object("unkept")).map_err(read)?,
        breaches: serde_json::from_value(part("breaches")).map_err(read)?,
        read_as: serde_json::from_value(part("read_as")).map_err(read)?,
        same_bytes_as: part("same_bytes_as").as_i64(),
        dropped: part("dropped").as_str().map(ToOwned::to_owned),
        locale: part("locale").as_str().and_then(Locale::from_word),
        problems: problem::first(conn, past.run, PROBLEMS_SHOWN as i64).await?,
        commit_ms,
        total_ms,
        ..blank(&past.kind, &past.source, past.clock)
    })
}
