//! Gives the metrics of the daemon as OpenMetrics text: counters of ended runs, gauges of the present state.
//! It must not know where a fact comes from; a label is a word of the program, never the name of a file or a user.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock;
use crate::outcome::{Report, Round, State};
use crate::problem::Code;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label of errors with a code that this version does not have.
pub const UNLISTED: &str = "unlisted";

/// Kinds of runs whose series start at 0, so that the first run counts as an increase.
fn kinds() -> impl Iterator<Item = String> {
    ["import", "approve"].into_iter().map(str::to_owned).chain(crate::front::jobs().map(|job| format!("sync {job}")))
}

/// The end states of a run of the daemon.
const ENDS: [State; 5] = [State::Done, State::DoneWithErrors, State::Held, State::Failed, State::Skipped];

/// The results of a mail in a round.
const MAIL_RESULTS: [&str; 5] = ["sent", "put-off", "failed", "given-up", "skipped"];

/// Upper bounds of the buckets of a run's duration, in seconds.
const DURATIONS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RunLabels {
    kind: String,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LineLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MailLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TaskLabel {
    task: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TaskResultLabels {
    task: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// The metrics of one daemon; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Series>);

#[derive(Debug)]
struct Series {
    registry: Registry,
    runs: Family<RunLabels, Counter>,
    lines: Family<LineLabel, Counter>,
    changes: Family<KindLabel, Counter>,
    errors: Family<CodeLabel, Counter>,
    durations: Family<KindLabel, Histogram, fn() -> Histogram>,
    held: Gauge,
    waiting: Gauge,
    /// Unix time since which the oldest waiting file waits.
    oldest: Mutex<Option<i64>>,
    lag: Gauge,
    waiting_lines: Gauge,
    /// Unix time since which the oldest waiting line waits.
    oldest_line: Mutex<Option<i64>>,
    line_age: Gauge,
    task_success: Family<TaskLabel, Gauge>,
    task_result: Family<TaskResultLabels, Gauge>,
    source_stale: Family<SourceLabel, Gauge>,
    source_success: Family<SourceLabel, Gauge>,
    leader: Gauge,
    database: Gauge,
    inbox: Gauge,
    state: Gauge,
    effects: Gauge,
    mails: Family<MailLabel, Counter>,
    mails_waiting: Gauge,
    mail_server: Gauge,
}

impl Metrics {
    /// The metrics of a daemon that started at `started` (Unix seconds).
    pub fn new(started: i64) -> Self {
        let mut series = Series {
            registry: Registry::with_prefix("enrold"),
            runs: Family::default(),
            lines: Family::default(),
            changes: Family::default(),
            errors: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            held: Gauge::default(),
            waiting: Gauge::default(),
            oldest: Mutex::new(None),
            lag: Gauge::default(),
            waiting_lines: Gauge::default(),
            oldest_line: Mutex::new(None),
            line_age: Gauge::default(),
            task_success: Family::default(),
            task_result: Family::default(),
            source_stale: Family::default(),
            source_success: Family::default(),
            leader: Gauge::default(),
            database: Gauge::default(),
            inbox: Gauge::default(),
            state: Gauge::default(),
            effects: Gauge::default(),
            mails: Family::default(),
            mails_waiting: Gauge::default(),
            mail_server: Gauge::default(),
        };
        series.begin_at_zero();
        series.register_counters();
        series.register_gauges();
        series.register_process(started);
        Self(Arc::new(series))
    }

    /// Counts a run that ended, by its report.
    ///
    /// Changes and applied lines are those of committed runs. A held run counts as a run only: its lines and errors are
    /// counted when it is approved. Errors are counted by code, including those that the report does not list.
    pub fn run_ended(&self, report: &Report) {
        let series = &self.0;
        series.run(&report.kind, report.state).inc();
        let committed = matches!(report.state, State::Done | State::DoneWithErrors);
        if committed || matches!(report.state, State::Held | State::Failed) {
            let kind = KindLabel { kind: report.kind.clone() };
            series.durations.get_or_create(&kind).observe(report.total_ms as f64 / 1000.0);
        }
        if committed {
            series.line("applied").inc_by(report.lines.records.saturating_sub(report.lines.failed));
            series.line("blank").inc_by(report.lines.blank);
            series.count_changes(&report.counts);
        }
        if committed || report.state == State::Failed {
            series.line("failed").inc_by(report.lines.failed - report.lines.waiting);
            series.line("waiting").inc_by(report.lines.waiting);
            series.count_errors(&report.codes, report.errors);
        }
    }

    /// Counts a run that ended with an error of the engine instead of a report; `kind` as in a report.
    pub fn run_broke(&self, kind: &str) {
        self.0.run(kind, State::Failed).inc();
    }

    /// Creates the series of a configured task, so that one that never ran is visible; `last_success` is in Unix
    /// seconds from the history, `None` is shown as 0.
    pub fn task_known(&self, task: &str, last_success: Option<i64>) {
        let label = TaskLabel { task: task.to_owned() };
        self.0.task_success.get_or_create(&label).set(last_success.unwrap_or(0));
    }

    /// Records that a task ended at `at` (Unix seconds). Done, with failed lines too, and skipped because the method is
    /// disabled in Moodle are successes; held and failed are not.
    pub fn task_ended(&self, task: &str, result: State, at: i64) {
        let series = &self.0;
        for state in ENDS {
            let labels = TaskResultLabels { task: task.to_owned(), result: state.as_str() };
            series.task_result.get_or_create(&labels).set(i64::from(state == result));
        }
        if matches!(result, State::Done | State::DoneWithErrors | State::Skipped) {
            series.task_success.get_or_create(&TaskLabel { task: task.to_owned() }).set(at);
        }
    }

    /// Sets how fresh a source is: when its last good set was applied (Unix seconds), and whether that is too long ago
    /// or the same bytes have come for too long.
    pub fn source(&self, source: &str, last: Option<i64>, stale: bool) {
        let label = SourceLabel { source: source.to_owned() };
        self.0.source_stale.get_or_create(&label).set(i64::from(stale));
        self.0.source_success.get_or_create(&label).set(last.unwrap_or(0));
    }

    /// How many complete files wait to be applied, and since when (Unix seconds) the oldest of them waits.
    pub fn waiting(&self, files: usize, oldest: Option<i64>) {
        self.0.waiting.set(files as i64);
        *self.0.oldest.lock().unwrap_or_else(PoisonError::into_inner) = oldest;
    }

    /// How many lines wait for an account or a course, and since when (Unix seconds) the oldest of them waits.
    pub fn waiting_lines(&self, lines: usize, oldest: Option<i64>) {
        self.0.waiting_lines.set(lines as i64);
        *self.0.oldest_line.lock().unwrap_or_else(PoisonError::into_inner) = oldest;
    }

    /// How many runs are held and wait for a decision.
    pub fn held(&self, runs: usize) {
        self.0.held.set(runs as i64);
    }

    /// Whether this daemon holds the leader lease.
    pub fn leader(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// Whether the database answered when it was last queried.
    pub fn database(&self, up: bool) {
        self.0.database.set(i64::from(up));
    }

    /// Whether the drop directory could be read and written when it was last checked.
    pub fn inbox(&self, up: bool) {
        self.0.inbox.set(i64::from(up));
    }

    /// Whether no job waits for the state directory.
    pub fn state(&self, up: bool) {
        self.0.state.set(i64::from(up));
    }

    /// How many committed runs have effects (events, flags) that are not written yet.
    pub fn effects_pending(&self, runs: usize) {
        self.0.effects.set(runs as i64);
    }

    /// Counts the results of a round of sending.
    pub fn mails(&self, round: &Round) {
        let series = &self.0;
        let Round { sent, put_off, failed, given_up, skipped, .. } = *round;
        for (result, count) in MAIL_RESULTS.into_iter().zip([sent, put_off, failed, given_up, skipped]) {
            series.mails.get_or_create_owned(&MailLabel { result }).inc_by(count);
        }
        series.mails_waiting.set(i64::try_from(round.waiting).unwrap_or(i64::MAX));
        series.mail_server.set(i64::from(round.problem.is_none()));
    }

    /// The OpenMetrics text of this moment.
    ///
    /// # Errors
    /// An error of the encoder; writing to a text in memory cannot fail.
    pub fn text(&self) -> Result<String, fmt::Error> {
        self.text_at(clock::real())
    }

    /// The OpenMetrics text as of `now` (Unix seconds), from which the ages of the oldest waiting file and line follow.
    /// A clock that was set back makes them 0, not negative.
    ///
    /// # Errors
    /// As [`Metrics::text`].
    pub fn text_at(&self, now: i64) -> Result<String, fmt::Error> {
        for (oldest, age) in [(&self.0.oldest, &self.0.lag), (&self.0.oldest_line, &self.0.line_age)] {
            let oldest = *oldest.lock().unwrap_or_else(PoisonError::into_inner);
            age.set(oldest.map_or(0, |since| now.saturating_sub(since).max(0)));
        }
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Series {
    fn run(&self, kind: &str, state: State) -> Counter {
        self.runs.get_or_create_owned(&RunLabels { kind: kind.to_owned(), state: state.as_str() })
    }

    fn line(&self, result: &'static str) -> Counter {
        self.lines.get_or_create_owned(&LineLabel { result })
    }

    fn error(&self, code: &'static str) -> Counter {
        self.errors.get_or_create_owned(&CodeLabel { code })
    }

    fn count_changes(&self, counts: &BTreeMap<String, i64>) {
        for (kind, count) in counts {
            let kind = KindLabel { kind: kind.clone() };
            self.changes.get_or_create(&kind).inc_by(u64::try_from(*count).unwrap_or(0));
        }
    }

    fn count_errors(&self, codes: &BTreeMap<String, u64>, errors: u64) {
        let known = codes.iter().filter_map(|(code, count)| Some((Code::parse(code)?, *count)));
        let mut listed = 0;
        for (code, count) in known {
            self.error(code.as_str()).inc_by(count);
            listed += count;
        }
        self.error(UNLISTED).inc_by(errors.saturating_sub(listed));
    }

    /// Creates every series at 0: `increase()` misses the first event of a series that appears with it.
    fn begin_at_zero(&self) {
        for kind in kinds() {
            for state in ENDS {
                self.run(&kind, state);
            }
            self.durations.get_or_create_owned(&KindLabel { kind });
        }
        for result in ["applied", "failed", "blank"] {
            self.line(result);
        }
        for code in Code::ALL {
            self.error(code.as_str());
        }
        self.error(UNLISTED);
        for result in MAIL_RESULTS {
            self.mails.get_or_create_owned(&MailLabel { result });
        }
        self.mail_server.set(1);
    }

    // The registry appends a full stop to each help text, and `_total` to each counter.
    fn register_counters(&mut self) {
        let registry = &mut self.registry;
        registry.register("runs", "Runs that ended, by kind and state", self.runs.clone());
        registry.register("lines", "Lines of committed and failed runs, by what became of them", self.lines.clone());
        registry.register("changes", "Applied changes, by kind of the journal", self.changes.clone());
        registry.register("errors", "Errors of committed and failed runs, by code", self.errors.clone());
        registry.register("mails", "Mails, by what became of them", self.mails.clone());
        let help = "From the start of a run until its effects were written, waiting for the run lease included";
        registry.register_with_unit("run_duration", help, Unit::Seconds, self.durations.clone());
    }

    fn register_gauges(&mut self) {
        let registry = &mut self.registry;
        registry.register("held_runs", "Runs that the guard holds until somebody decides", self.held.clone());
        registry.register("inbox_waiting_files", "Complete files that wait to be applied", self.waiting.clone());
        let help = "How long the oldest complete file has been waiting, 0 without one";
        registry.register_with_unit("inbox_oldest_waiting", help, Unit::Seconds, self.lag.clone());
        registry.register("waiting_lines", "Lines that wait for an account or a course", self.waiting_lines.clone());
        let help = "How long the oldest of these lines has been waiting, 0 without one";
        registry.register_with_unit("waiting_oldest", help, Unit::Seconds, self.line_age.clone());
        registry.register("inbox_up", "1 if the drop directory can be read and written", self.inbox.clone());
        self.state.set(1);
        registry.register("state_up", "1 unless a job waits because the state directory is full", self.state.clone());
        let help = "When a task last succeeded, in Unix time, 0 for never";
        registry.register_with_unit("task_last_success_timestamp", help, Unit::Seconds, self.task_success.clone());
        let help = "1 for the result with which a task last ended, 0 for the others";
        registry.register("task_last_result", help, self.task_result.clone());
        let help = "1 if a source has brought no new good set for too long, or the same one";
        registry.register("source_stale", help, self.source_stale.clone());
        let help = "When the last good set of a source was applied, in Unix time, 0 for never";
        registry.register_with_unit("source_last_success_timestamp", help, Unit::Seconds, self.source_success.clone());
        registry.register("leader", "1 if this daemon holds the leader lease", self.leader.clone());
        registry.register("database_up", "1 if the database answered when it was last asked", self.database.clone());
        let help = "Committed runs whose effects are not all written yet";
        registry.register("effects_pending", help, self.effects.clone());
        registry.register("mails_waiting", "Mails that wait to be sent", self.mails_waiting.clone());
        let help = "1 unless the mail server could not be worked with when it was last tried";
        registry.register("mail_server_up", help, self.mail_server.clone());
    }

    fn register_process(&mut self, started: i64) {
        let build = Info::new(VersionLabel { version: env!("CARGO_PKG_VERSION") });
        self.registry.register("build", "The program that answers", build);
        let start: Gauge = Gauge::default();
        start.set(started);
        self.registry.register_with_unit("start_time", "When the daemon started, in Unix time", Unit::Seconds, start);
    }
}

#[cfg(test)]
mod tests;
