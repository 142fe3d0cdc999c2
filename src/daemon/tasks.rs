//! Runs the scheduled tasks that are due, and records their results.
//! It must not know calendars; `schedule` decides what is due.

#![allow(clippy::disallowed_methods, reason = "it asks only whether the drop directory can be listed")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono_tz::Tz;

use crate::clock::StopWatch;
use crate::config::Locale;
use crate::daemon::log_run;
use crate::daemon::shared::Shared;
use crate::db::DbError;
use crate::fault;
use crate::front::tasks::planned;
use crate::front::{Forgotten, WaitingReport, Who};
use crate::inbox::Removed;
use crate::moodle::site::zone;
use crate::outcome::{Note, Report, RunError, State};
use crate::report::words;
use crate::schedule::{self, Planned, RESCAN, RETENTION, WAITING_REPORT, store};

/// How long the site's time zone is used before it is read again, in milliseconds.
const ZONE_KEPT: u64 = 3_600_000;
/// The longest time between two checks for due tasks: the resolution of a calendar.
const MINUTE: Duration = Duration::from_secs(60);

/// The tasks of this daemon.
pub struct Tasks {
    shared: Arc<Shared>,
    planned: Vec<Planned>,
    last: HashMap<String, i64>,
    /// When a task was deferred, because Moodle's own was running.
    deferred: HashMap<String, i64>,
    /// How often a task has lost its connection since it last ended.
    lost: HashMap<String, u32>,
    /// The last run of category enrolments has said that no role is synchronised: it is logged once.
    no_role_told: AtomicBool,
    zone: Tz,
    zone_read: StopWatch,
    since: i64,
}

/// The result of a task.
struct Outcome {
    /// How it ended; `None` if it was deferred.
    state: Option<State>,
    run: Option<i64>,
    message: String,
}

impl Outcome {
    fn of(state: State, message: String) -> Self {
        Self { state: Some(state), run: None, message }
    }

    fn failed(message: String) -> Self {
        Self::of(State::Failed, message)
    }
}

/// The begin of the name under which a task's job waits for the state directory; no token of a file has a blank.
const JOB: &str = "task ";

/// True until the next full minute after `since`, when a task was deferred; a clock that was set back puts nothing off.
fn is_put_off(since: i64, now: i64) -> bool {
    let minute = since - since.rem_euclid(60) + 60;
    (since..minute).contains(&now)
}

impl Tasks {
    /// The tasks of the settings; their earlier runs are not read yet.
    pub fn new(shared: Arc<Shared>) -> Self {
        let settings = shared.settings();
        Self {
            planned: planned(&settings),
            last: HashMap::new(),
            deferred: HashMap::new(),
            lost: HashMap::new(),
            no_role_told: AtomicBool::new(false),
            zone: zone(&settings, None),
            zone_read: StopWatch::start(),
            since: shared.clock.now(),
            shared,
        }
    }

    /// Called when this daemon takes the lead: reads when each task last ran. A task that was deferred, or running when
    /// its daemon died, counts as not run.
    ///
    /// # Errors
    /// The database's error.
    pub async fn begin(&mut self) -> Result<(), RunError> {
        self.since = self.shared.clock.now();
        self.read_zone().await?;
        self.last.clear();
        self.deferred.clear();
        for last in self.shared.front().last_of_tasks().await? {
            let success = (last.succeeded > 0).then_some(last.succeeded);
            self.shared.status.metrics().task_known(&last.name, success);
            if ![store::RUNNING, store::DEFERRED].contains(&last.result.as_str()) {
                self.last.insert(last.name, last.started);
            }
        }
        Ok(())
    }

    /// The site's time zone, as it was last read.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Adopts the settings in force.
    pub fn adopt(&mut self) {
        self.planned = planned(&self.shared.settings());
        self.zone_read = StopWatch::start();
        self.zone = zone(&self.shared.settings(), None);
    }

    /// How long until a task may be due. Each full minute wakes the worker anyway; this covers the times in between.
    pub fn wait(&self) -> Duration {
        let rescan = self.shared.settings().inbox.rescan.min(MINUTE);
        let (now, passed) = self.shared.clock.now_and_passed();
        match schedule::sooner(&self.planned, self.zone, now) {
            Some(seconds) => rescan.min(Duration::from_secs(seconds).saturating_sub(passed)),
            None => rescan,
        }
    }

    /// Runs every task that is due, in turn.
    ///
    /// # Errors
    /// An error that would stop every other job as well; the task stays due.
    pub async fn run_due(&mut self) -> Result<(), String> {
        let now = self.shared.clock.now();
        let due: Vec<String> = self
            .planned
            .iter()
            .filter(|task| task.due(self.zone, self.last.get(&task.name).copied(), self.since, now).is_some())
            .filter(|task| !self.deferred.get(&task.name).is_some_and(|since| is_put_off(*since, now)))
            .map(|task| task.name.clone())
            .collect();
        for name in due {
            if self.shared.stop.is_cancelled() || !self.shared.leads() {
                break;
            }
            self.run(&name, now).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn run(&mut self, name: &str, now: i64) -> Result<(), RunError> {
        self.shared.working(format!("running the task {name}"));
        if self.zone_read.millis() > ZONE_KEPT {
            self.read_zone().await?;
        }
        self.shared.front().task_begins(name, now).await?;
        fault::step("task-begun");
        let outcome = match self.work(name, now).await {
            Err(error @ RunError::Db(DbError::Lost(_))) if self.is_its_own(name).await => {
                Outcome::failed(error.to_string())
            }
            outcome => outcome?,
        };
        self.lost.remove(name);
        let result = outcome.state.map_or(store::DEFERRED, State::as_str);
        self.shared.front().task_ends(name, result, outcome.run, &outcome.message).await?;
        fault::step("task-ended");
        let Some(state) = outcome.state else {
            tracing::info!(task.name = name, "the task {name} is deferred to the next minute: {}", outcome.message);
            self.deferred.insert(name.to_owned(), now);
            return Ok(());
        };
        self.deferred.remove(name);
        self.shared.status.metrics().task_ended(name, state, now);
        // The scan reports a directory that cannot be read.
        if state == State::Failed && name != RESCAN {
            tracing::error!(task.name = name, "the task {name} failed: {}", outcome.message);
        }
        self.last.insert(name.to_owned(), now);
        Ok(())
    }

    /// True if a task loses its connection each time while the database answers: it fails, so as not to block all else.
    async fn is_its_own(&mut self, name: &str) -> bool {
        let tries = self.lost.entry(name.to_owned()).or_default();
        *tries += 1;
        *tries >= self.shared.settings().limits.tries && self.shared.front().answers().await
    }

    async fn work(&self, name: &str, now: i64) -> Result<Outcome, RunError> {
        match name {
            RETENTION => self.retention(now).await,
            WAITING_REPORT => self.waiting_report().await,
            RESCAN => Ok(self.rescan()),
            _ => self.job(name).await,
        }
    }

    /// Reports whether the drop directory can be listed; the scan itself follows every round of tasks.
    fn rescan(&self) -> Outcome {
        let dir = &self.shared.settings().inbox.path;
        match std::fs::read_dir(dir) {
            Ok(_) => Outcome::of(State::Done, String::new()),
            Err(error) => Outcome::failed(format!("cannot read {}: {error}", dir.display())),
        }
    }

    /// True for the name under which [`Tasks::job`] reports that the state directory cannot be used.
    pub fn is_job(name: &str) -> bool {
        name.starts_with(JOB)
    }

    /// Executes the run of a job or a source.
    async fn job(&self, name: &str) -> Result<Outcome, RunError> {
        let outcome = self.shared.front().sync_task(&Who::Daemon, name).await;
        let job = format!("{JOB}{name}");
        match &outcome {
            Err(error @ RunError::State { .. }) => self.shared.status.state(&job, Err(error.to_string())),
            Ok(Some(_)) => self.shared.status.state(&job, Ok(())),
            _ => {}
        }
        match outcome {
            Ok(None) => Ok(Outcome::failed(format!("there is no task {name}"))),
            Ok(Some(report)) => {
                // A pass over waiting lines that finds nobody new is no run.
                if report.run > 0 || report.state != State::Done {
                    self.log(&report);
                }
                let run = (report.run > 0).then_some(report.run);
                Ok(Outcome { run, ..Outcome::of(report.state, String::new()) })
            }
            Err(RunError::TwinRunning { task }) => {
                let message = format!("Moodle's own task {task} is running");
                Ok(Outcome { state: None, run: None, message })
            }
            Err(error) if crate::daemon::is_of_all(&error) => Err(error),
            Err(error) => Ok(Outcome::failed(error.to_string())),
        }
    }

    async fn waiting_report(&self) -> Result<Outcome, RunError> {
        Ok(match self.shared.front().report_waiting(&Who::Daemon).await? {
            Ok(WaitingReport { expired, files, mails }) => {
                if mails > 0 {
                    self.shared.mail.notify_one();
                }
                let files = if files.is_empty() { String::new() } else { format!(", in {}", files.join(", ")) };
                Outcome::of(State::Done, format!("expired: {expired} lines{files}; mails: {mails}"))
            }
            Err(message) => Outcome::failed(message),
        })
    }

    async fn retention(&self, now: i64) -> Result<Outcome, RunError> {
        Ok(match self.shared.front().retain(&Who::Daemon, now).await? {
            Ok(Forgotten { files: Removed { archives, reports }, copies, runs, waiting }) => {
                let files = format!("{archives} applied files, {reports} reports, {copies} held copies");
                let rows = format!("{runs} runs without a change, {waiting} lines that wait no more");
                Outcome::of(State::Done, format!("removed: {files}, {rows}"))
            }
            Err(message) => Outcome::failed(message),
        })
    }

    fn log(&self, report: &Report) {
        self.shared.status.metrics().run_ended(report);
        log_run(report);
        if report.kind == "sync category" {
            let note = Note::NoRoleSynchronised;
            let found = report.notes.contains(&note);
            if !self.no_role_told.swap(found, Ordering::Relaxed) && found {
                tracing::warn!(run.id = report.run, "{}", words::note(&note, Locale::En));
            }
        }
        if let Some(reporter) = &self.shared.reporter {
            reporter(report);
        }
    }

    async fn read_zone(&mut self) -> Result<(), RunError> {
        self.zone = self.shared.front().zone().await?;
        self.zone_read = StopWatch::start();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_put_off;

    #[test]
    fn a_deferred_task_is_tried_again_at_the_next_minute() {
        for (since, now, expected) in [
            (600, 600, true),
            (600, 659, true),
            (600, 660, false),
            (659, 660, false),
            (630, 629, false),
            (630, 90, false),
        ] {
            assert_eq!(is_put_off(since, now), expected, "{since} {now}");
        }
    }
}
