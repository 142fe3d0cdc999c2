//! One attempt of a run: its transaction from BEGIN to commit, hold or rollback.
//! It must not try again: `tries` does.

use std::collections::BTreeMap;
use std::path::Path;

use crate::accounts::{self, AccountsFile};
use crate::change::context::{Position, RunContext};
use crate::change::guard::Guard;
use crate::clock::StopWatch;
use crate::config::{FileKind, GuardMode, Profile, ProfileMode};
use crate::coursefiles::{self, CourseFile, Gone};
use crate::db::{Conn, DbError, Params};
use crate::disk::RegularFile;
use crate::fault;
use crate::flatfile::job;
use crate::lease::Lease;
use crate::moodle::method;
use crate::moodle::site::{Site, zone};
use crate::outcome::{
    Breach, DefaultRoles, Lines, Meanwhile, Moment, Note, PROBLEMS_SHOWN, Report, RuleReport, RunError, RunResult,
    State,
};
use crate::problem::{self, Code, Kept, PlaceKind, kept_by_code};
use crate::run::hold::HeldStore;
use crate::run::opened::Opened;
use crate::run::order::{Import, Order, Task};
use crate::run::parts::{self, CurrentPart, Cut};
use crate::run::{Engine, decision, history, jobs, people, told};
use crate::sets::{self, SetOrder, Terms, account};
use crate::verbs;

/// What an attempt needs; a retry uses the same values.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub engine: &'a Engine,
    pub order: &'a Order,
    pub opened: Option<&'a Opened>,
    pub site: &'a Site,
    pub lease: &'a Lease,
    pub run: i64,
    pub now: i64,
    pub simulate: bool,
    /// The part to apply, if the run is cut.
    pub current: Option<CurrentPart<'a>>,
}

impl Attempt<'_> {
    pub async fn once(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        conn.begin().await?;
        let outcome = self.inside(conn, report, watch).await;
        match outcome {
            Ok(()) => Ok(()),
            Err(RunError::Held) => self.hold(conn, report).await,
            Err(error) => {
                // The first error is more useful than one of the rollback.
                drop(conn.rollback().await);
                Err(error)
            }
        }
    }

    /// Hashes the passwords of a users file for the next attempt.
    pub async fn hash_passwords(&self) -> RunResult<()> {
        let Some(opened) = self.opened else { return Ok(()) };
        opened.hashed.catch_up().await.map_err(|error| DbError::other(error.to_string()).into())
    }

    async fn inside(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        let settings = &self.engine.settings;
        let mut limits = settings.guard.clone();
        if self.order.held.is_some() {
            // The run was approved: the guard must not hold it again.
            limits.mode = GuardMode::Off;
        } else if self.simulate && limits.mode == GuardMode::Hold {
            // A simulation shows the whole plan and reports that it would be held.
            limits.mode = GuardMode::Warn;
            report.would_hold = true;
        }
        let committed = if self.current.is_some() { parts::last_seq(conn, self.run).await? } else { 0 };
        // The problems of earlier parts are in the history and count towards the limit.
        let (kept, last) = match self.current {
            Some(_) => kept_by_code(conn, self.run).await?,
            None => Default::default(),
        };
        let room = u64::from(settings.limits.problems).saturating_sub(kept.values().sum());
        let mut ctx = RunContext {
            conn,
            site: self.site,
            run: self.run,
            now: self.now,
            guard: Guard::new(limits, &settings.tasks, self.order.only_job()),
            approves: self.order.held.unwrap_or(0),
            observer: self.engine.observer.clone(),
            counts: BTreeMap::new(),
            overtaken: 0,
            lines: Lines::default(),
            notes: Vec::new(),
            cause: "",
            planned: 0,
            committed,
            passes: Position::pass_of(committed),
            backfill: false,
            rules: Vec::new(),
            set: None,
            default_roles: DefaultRoles::default(),
            problems: Kept::new(self.run, last, room),
        };
        let outcome = match self.task(&mut ctx).await {
            Ok(()) => self.await_approval(&mut ctx).await,
            Err(error) => Err(error),
        };
        let outcome = match outcome {
            Ok(()) if !self.simulate => told::teachers(&mut ctx, settings, self.order).await,
            other => other,
        };
        report.lines = ctx.lines;
        if let Err(RunError::Held) | Ok(()) = &outcome {
            ctx.guard.name_courses_of(ctx.conn).await?;
            if outcome.is_ok() {
                let file = matches!(self.order.task, Task::File { .. } | Task::Verb(_));
                ctx.report_overtaken(if file { PlaceKind::Line } else { PlaceKind::Buffer }, jobs::WAITING).await?;
            }
            add_to_report(&mut ctx, report);
        }
        outcome?;
        match self.cut(&mut ctx).await? {
            Some(cut) => self.divide(conn, report, &cut).await,
            None => self.conclude(conn, report, watch).await,
        }
    }

    /// Checks the guard once more, and holds a dropped file whose profile has every file approved.
    async fn await_approval(&self, ctx: &mut RunContext<'_>) -> RunResult<()> {
        ctx.guard_check().await?;
        let undecided = self.order.dropped && self.order.held.is_none();
        match self.order.profile().filter(|profile| undecided && profile.mode == ProfileMode::Approve) {
            Some(profile) => {
                ctx.guard.await_approval(profile.kind.as_str());
                Err(RunError::Held)
            }
            None => Ok(()),
        }
    }

    /// Cuts a run without a file into parts if its plan is too large for one transaction.
    async fn cut(&self, ctx: &mut RunContext<'_>) -> RunResult<Option<Cut>> {
        let settings = &self.engine.settings;
        let limit = i64::from(settings.run.part_rows);
        let fits = limit == 0 || ctx.planned <= limit || self.current.is_some() || self.simulate;
        let Some(order) = self.order.sync_order().filter(|_| !fits) else { return Ok(None) };
        let steps = jobs::steps(self.engine.rules, self.site, settings, order);
        Cut::of(ctx.conn, self.run, steps, self.order.to_hold(None), limit).await.map_err(RunError::from)
    }

    /// Rolls the whole plan back and stores its parts: from then on the run is resumed after a crash. The same
    /// transaction approves the held run, if there is one.
    async fn divide(&self, conn: &mut Conn, report: &mut Report, cut: &Cut) -> RunResult<()> {
        conn.rollback().await?;
        conn.begin().await?;
        self.decide(conn).await?;
        let nothing = Report { counts: BTreeMap::new(), rules: Vec::new(), overtaken: 0, ..report.clone() };
        cut.keep(conn, self.run, &nothing).await?;
        self.commit(conn).await?;
        report.state = State::Running;
        fault::step("parts-written");
        Ok(())
    }

    /// Marks the held run that this run applies as approved.
    async fn decide(&self, conn: &mut Conn) -> RunResult<()> {
        let Some(held) = self.order.held else { return Ok(()) };
        let message = format!("approved as run {}", self.run);
        if decision::decide(conn, held, State::Approved, &message).await? {
            return Ok(());
        }
        Err(RunError::Undecidable(format!("run {held} was decided by somebody else just now")))
    }

    /// Commits if this process still holds the lease.
    async fn commit(&self, conn: &mut Conn) -> RunResult<()> {
        if !self.lease.renew(conn).await? {
            return Err(RunError::Fenced);
        }
        Ok(conn.commit().await?)
    }

    async fn task(&self, ctx: &mut RunContext<'_>) -> RunResult<()> {
        let settings = &self.engine.settings;
        let rules = self.engine.rules;
        match (&self.order.task, self.opened, self.current) {
            (Task::File { shown, import: Import { profile: Some(profile), .. } }, Some(opened), _) => {
                ctx.cause = "import";
                let gone = self.profiled(ctx, profile, shown, opened).await?;
                jobs::follow_waiting(ctx, settings).await?;
                jobs::follow_cohorts(ctx, rules, settings).await?;
                if let Some(gone) = gone {
                    jobs::follow_methods(ctx, rules, settings).await?;
                    gone.apply(ctx).await?;
                }
                jobs::follow(ctx, rules, settings, &[]).await
            }
            (Task::File { shown, .. }, Some(opened), _) => {
                let Some(flat) = &opened.flat else { return Ok(()) };
                let file = job::ScannedFile {
                    file: &opened.file,
                    path: shown,
                    scan: &flat.scan,
                    reading: &flat.reading,
                    keys: flat.keys,
                    held: self.order.held,
                    dropped: self.order.dropped,
                };
                ctx.cause = "import";
                job::apply_file(ctx, settings, &file).await?;
                jobs::follow(ctx, rules, settings, &[]).await
            }
            (Task::Sync(order), _, Some(current)) => jobs::run_part(ctx, rules, settings, order, current.part).await,
            (Task::Sync(order), _, None) => jobs::run(ctx, rules, settings, order).await,
            (Task::Set(order), Some(opened), _) => {
                let feed = order.feed(self.order.dropped);
                let terms = Terms::of(ctx.conn, self.site, settings, &order.source, feed, (self.run, self.now)).await?;
                ctx.guard.for_source(&terms.limits.own);
                let outcome = self.set(ctx, &terms, order, &opened.file).await;
                if let Err(RunError::Held) | Ok(()) = &outcome {
                    account::take(ctx, &terms).await?;
                    if let Some(set) = &mut ctx.set {
                        set.oneroster_base.clone_from(&order.oneroster_base);
                    }
                }
                outcome
            }
            (Task::Verb(order), ..) => {
                verbs::apply(ctx, settings, order).await?;
                jobs::follow(ctx, rules, settings, &[]).await
            }
            // Not reached: the run ends earlier if its file cannot be opened.
            (Task::File { .. } | Task::Set(_), None, _) => Ok(()),
        }
    }

    /// Applies a file of a kind that has options; gives the methods that it ends, once the rules have run.
    async fn profiled(
        &self,
        ctx: &mut RunContext<'_>,
        profile: &Profile,
        shown: &str,
        opened: &Opened,
    ) -> RunResult<Option<Gone>> {
        let settings = &self.engine.settings;
        let (file, path, sha256, dropped) = (&opened.file, shown, opened.claim.sha256.as_str(), self.order.dropped);
        let zone = zone(settings, Some(self.site));
        let of_accounts = || AccountsFile { file, path, sha256, zone, dropped, hashed: &opened.hashed };
        match profile.kind {
            FileKind::Users => accounts::apply_users(ctx, settings, profile, &of_accounts()).await?,
            FileKind::Cohorts | FileKind::CohortMembers => {
                accounts::apply_cohorts(ctx, settings, profile, &of_accounts()).await?;
            }
            FileKind::Convert | FileKind::Renew => {
                let file = CourseFile { file, path, sha256, zone, dropped };
                let automatic: Vec<&str> =
                    self.engine.rules.iter().map(|rule| rule.method).chain([method::DATABASE]).collect();
                verbs::apply_file(ctx, settings, profile, &file, &automatic).await?;
            }
            _ => {
                let file = CourseFile { file, path, sha256, zone, dropped };
                return coursefiles::apply(ctx, settings, profile, &file).await;
            }
        }
        Ok(None)
    }

    /// Applies a full set, then the rules that follow its changes.
    async fn set(
        &self,
        ctx: &mut RunContext<'_>,
        terms: &Terms,
        order: &SetOrder,
        snapshot: &RegularFile,
    ) -> RunResult<()> {
        let (settings, rules) = (&self.engine.settings, self.engine.rules);
        sets::apply(ctx, settings, terms, order, snapshot).await?;
        jobs::follow_waiting(ctx, settings).await?;
        jobs::follow_cohorts(ctx, rules, settings).await?;
        jobs::follow(ctx, rules, settings, &[]).await
    }

    /// Ends a run, or a part of it, that may commit: its problems, its row, the fence, the commit. A simulation is
    /// rolled back.
    async fn conclude(&self, conn: &mut Conn, report: &mut Report, watch: StopWatch) -> RunResult<()> {
        self.file_unchanged()?;
        self.read_problems(conn, report).await?;
        let ends = self.current.is_none_or(|current| current.is_last());
        if ends {
            report.meanwhile =
                self.order.held.map(|held| meanwhile(&self.engine.settings.state.path, held, report)).transpose()?;
            report.state = if report.errors > 0 { State::DoneWithErrors } else { State::Done };
        }
        self.engine.observer.reached(Moment::Committing).await;
        report.commit_ms = watch.millis();
        if self.simulate {
            report.people = Some(people::read(conn, self.run, is_foreseen(report)).await?);
            conn.rollback().await?;
            report.state = State::Simulated;
            return Ok(());
        }
        match self.current {
            Some(current) => parts::advance(conn, self.run, current.done + 1, report).await?,
            None => self.decide(conn).await?,
        }
        if ends {
            history::close(conn, self.run, report.state, report, "", !report.counts.is_empty()).await?;
            if let Some(set) = self.order.set_order() {
                decision::supersede(conn, &set.source, self.order.held.unwrap_or(self.run), self.run).await?;
            }
            self.engine.mail(conn, self.order, report, "").await?;
        }
        self.commit(conn).await?;
        report.commit_ms = watch.millis();
        Ok(())
    }

    async fn read_problems(&self, conn: &mut Conn, report: &mut Report) -> RunResult<()> {
        if let Some(origins) = self.order.set_order().and_then(|set| set.origins.as_ref()) {
            sets::origins::name(conn, self.run, origins).await?;
        }
        (report.codes, _) = kept_by_code(conn, self.run).await?;
        let kept = report.codes.values().sum();
        report.problems = match kept {
            0 => Vec::new(),
            _ => problem::first(conn, self.run, PROBLEMS_SHOWN as i64).await?,
        };
        for (code, more) in &report.unkept {
            *report.codes.entry(code.clone()).or_default() += more;
        }
        report.errors = report.codes.values().sum();
        report.notes.retain(|note| !matches!(note, Note::ProblemsUnkept { .. }));
        if kept < report.errors {
            report.notes.push(Note::ProblemsUnkept { kept, of: report.errors });
        }
        Ok(())
    }

    fn file_unchanged(&self) -> RunResult<()> {
        self.opened.map_or(Ok(()), |opened| opened.unchanged(&self.order.source()))
    }

    /// Stores the plan and the bytes, rolls back, and writes the held run into the history.
    async fn hold(&self, conn: &mut Conn, report: &mut Report) -> RunResult<()> {
        if let Err(error) = self.file_unchanged() {
            // The change of the file is more useful than an error of the rollback.
            drop(conn.rollback().await);
            return Err(error);
        }
        self.read_problems(conn, report).await?;
        // Nothing is applied: the counts are those of the plan, up to the limit that stopped it.
        report.counts = planned(conn, self.run).await?;
        let store = HeldStore::of(&self.engine.settings.state.path, self.run);
        let mut held = self.order.to_hold(self.opened);
        let file = self.opened.map(|opened| &opened.file);
        let set = self.order.set_order();
        let kept = store.keep(&mut held, file, set, conn, self.run, is_foreseen(report)).await;
        conn.rollback().await?;
        report.people = Some(kept?);
        fault::step("held-kept");
        report.state = State::Held;
        let applied =
            self.current.filter(|current| current.done > 0).map(|current| current.applied()).unwrap_or_default();
        Ok(self.engine.close(conn, self.order, report, &applied).await?)
    }
}

/// True if the figures of a set come from a comparison, because nothing was planned.
fn is_foreseen(report: &Report) -> bool {
    report.set.as_ref().is_some_and(|set| set.foreseen)
}

/// Adds the results of this transaction to the report of the run.
fn add_to_report(ctx: &mut RunContext<'_>, report: &mut Report) {
    report.overtaken += ctx.overtaken;
    for (code, more) in ctx.problems.take_beyond() {
        *report.unkept.entry(code).or_default() += more;
    }
    for (kind, count) in &ctx.counts {
        *report.counts.entry(kind.name.to_owned()).or_default() += count;
    }
    for breach in std::mem::take(&mut ctx.guard.breaches) {
        let same = |old: &Breach| (&old.scope, &old.name, &old.what) == (&breach.scope, &breach.name, &breach.what);
        report.breaches.retain(|old| !same(old));
        report.breaches.push(breach);
    }
    if let Some(set) = ctx.set.take() {
        report.set = Some(set);
    }
    report.would_hold &= !report.breaches.is_empty();
    for rule in std::mem::take(&mut ctx.rules) {
        let same = |old: &&mut RuleReport| old.rule == rule.rule && old.consequence == rule.consequence;
        match report.rules.iter_mut().find(same) {
            Some(old) => old.add(&rule),
            None => report.rules.push(rule),
        }
    }
    for note in std::mem::take(&mut ctx.notes) {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
}

/// Compares the plan of a held run with the run that applied it.
pub(super) fn meanwhile(state: &Path, held: i64, report: &Report) -> RunResult<Meanwhile> {
    let planned = HeldStore::of(state, held).planned()?;
    let overtaken = report.codes.get(Code::Overtaken.as_str()).copied().unwrap_or_default();
    Ok(Meanwhile { held, planned, overtaken })
}

/// The number of changes in a run's journal, by kind.
async fn planned(conn: &mut Conn, run: i64) -> RunResult<BTreeMap<String, i64>> {
    let sql = "SELECT c.kind, COUNT(*) FROM {enrold_change} c WHERE c.run = :run GROUP BY c.kind";
    let rows = conn.rows(sql, &Params::new().with("run", run)).await?;
    Ok(rows.iter().map(|row| (row.text(0), row.int(1))).collect())
}
