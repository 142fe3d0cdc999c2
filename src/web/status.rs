//! Holds the daemon's state: role, current work, database, drop directory; healthy or not, ready or not.
//! It must not query anything: the daemon pushes every fact, and none is personal data.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::clock::{self, StopWatch};
use crate::web::metrics::Metrics;

/// The age from which a lock of the drop directory is called old, in seconds (spec files 1.1).
pub const OLD_LOCK: i64 = 3 * 3_600;

/// The role of the daemon among the daemons of its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has not asked for the leader lease yet.
    Starting,
    /// It holds the leader lease and applies files.
    Leader,
    /// Another daemon leads: its name in the lease.
    Standby(String),
    /// It is stopping.
    Stopping,
}

/// The state of something that the daemon checks again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Unknown,
    Works,
    Broken(String),
}

/// A lock file that keeps all files of the drop directory waiting.
#[derive(Clone, Copy, Debug)]
struct Lock {
    name: &'static str,
    /// Its age in seconds when it was seen.
    age: i64,
    seen: StopWatch,
}

#[derive(Debug)]
struct Facts {
    role: Role,
    doing: String,
    last_error: Option<LastError>,
    database: Part,
    inbox: Part,
    lock: Option<Lock>,
    /// The jobs that wait for the state directory, and why they could not use it.
    state: BTreeMap<String, String>,
    waiting_files: usize,
    held_runs: usize,
}

#[derive(Clone, Debug, Serialize)]
struct LastError {
    at: String,
    message: String,
}

/// Whether the worker makes progress; if not, a text for an operator: what it is stuck in, and for how long.
pub type Progress = dyn Fn() -> Result<(), String> + Send + Sync;

/// The state of one daemon, shared by the daemon, which pushes facts, and the pages, which show them.
pub struct Status {
    started: i64,
    progress: Box<Progress>,
    metrics: Metrics,
    facts: Mutex<Facts>,
}

/// A page; `good` decides its status code.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    #[serde(skip)]
    pub good: bool,
    status: &'static str,
    reasons: Vec<String>,
    version: &'static str,
    role: &'static str,
    leader: Option<String>,
    since: String,
    up_seconds: i64,
    doing: String,
    last_error: Option<LastError>,
    database: String,
    inbox: String,
    lock: Option<String>,
    state: String,
    waiting_files: usize,
    held_runs: usize,
}

impl Status {
    /// The state of a daemon that starts now. `progress` is called for each request of a page: it must return at once.
    pub fn new(progress: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        let started = clock::real();
        let facts = Facts {
            role: Role::Starting,
            doing: "starting".to_owned(),
            last_error: None,
            database: Part::Unknown,
            inbox: Part::Unknown,
            lock: None,
            state: BTreeMap::new(),
            waiting_files: 0,
            held_runs: 0,
        };
        Self { started, progress: Box::new(progress), metrics: Metrics::new(started), facts: Mutex::new(facts) }
    }

    /// The metrics, to which this type passes on what both hold (role, database, inbox, waiting, held).
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Sets the role of the daemon.
    pub fn role(&self, role: Role) {
        self.metrics.leader(role == Role::Leader);
        self.facts().role = role;
    }

    /// Sets what the daemon does now, in a few words, as in systemd's `STATUS=`.
    pub fn doing(&self, what: impl Into<String>) {
        self.facts().doing = what.into();
    }

    /// Sets the latest error. Every client of the page can read it: no line of a file, no personal name.
    pub fn error(&self, message: impl Into<String>) {
        let last = LastError { at: utc(clock::real()), message: message.into() };
        self.facts().last_error = Some(last);
    }

    /// Sets whether the database answered, or its error.
    pub fn database(&self, answer: Result<(), String>) {
        self.metrics.database(answer.is_ok());
        self.facts().database = Part::from(answer);
    }

    /// Sets whether the drop directory can be read and written, or why not.
    pub fn inbox(&self, access: Result<(), String>) {
        self.metrics.inbox(access.is_ok());
        self.facts().inbox = Part::from(access);
    }

    /// Sets the lock file that keeps all files waiting, with its age in seconds.
    pub fn lock(&self, lock: Option<(&'static str, i64)>) {
        self.facts().lock = lock.map(|(name, age)| Lock { name, age, seen: StopWatch::start() });
    }

    /// Sets whether a job could use the state directory, or why not: it waits then, and is tried again.
    pub fn state(&self, job: &str, access: Result<(), String>) {
        let mut facts = self.facts();
        match access {
            Ok(()) => drop(facts.state.remove(job)),
            Err(why) => drop(facts.state.insert(job.to_owned(), why)),
        }
        self.metrics.state(facts.state.is_empty());
    }

    /// Forgets the jobs that `waits` denies: nothing waits for the state directory there any more.
    pub fn state_of(&self, waits: impl Fn(&str) -> bool) {
        let mut facts = self.facts();
        facts.state.retain(|job, _| waits(job));
        self.metrics.state(facts.state.is_empty());
    }

    /// Why a job waits for the state directory, if one does.
    pub fn state_problem(&self) -> Option<String> {
        self.facts().state.values().next().cloned()
    }

    /// As [`Metrics::waiting`].
    pub fn waiting(&self, files: usize, oldest: Option<i64>) {
        self.metrics.waiting(files, oldest);
        self.facts().waiting_files = files;
    }

    /// As [`Metrics::held`].
    pub fn held(&self, runs: usize) {
        self.metrics.held(runs);
        self.facts().held_runs = runs;
    }

    /// `/healthz`: good while the worker makes progress, whatever the state of the database or the directory.
    pub(super) fn health(&self) -> Page {
        let reasons = self.stuck();
        let status = if reasons.is_empty() { "ok" } else { "stuck" };
        self.facts().page(self.started, status, reasons)
    }

    /// `/readyz`: good while a file dropped now would be applied by this daemon, perhaps after a lock of a feeder that
    /// is not old.
    pub(super) fn readiness(&self) -> Page {
        let mut reasons = self.stuck();
        let facts = self.facts();
        let standby = matches!(facts.role, Role::Standby(_));
        reasons.extend(facts.database.reason("the database", standby));
        reasons.extend(facts.inbox.reason("the drop directory", standby));
        reasons.extend(facts.lock.and_then(|lock| lock.reason()));
        reasons.extend(facts.state.values().next().map(|why| format!("the state directory cannot be used: {why}")));
        let status = match (reasons.is_empty(), &facts.role) {
            (true, Role::Leader) => "ready",
            (true, Role::Standby(_)) => "standby",
            _ => "not-ready",
        };
        reasons.extend(facts.role.reason());
        facts.page(self.started, status, reasons)
    }

    fn stuck(&self) -> Vec<String> {
        (self.progress)().err().map(|what| format!("the worker makes no progress: {what}")).into_iter().collect()
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        // Facts are replaced whole, so that a thread that panicked leaves them valid.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn page(&self, started: i64, status: &'static str, reasons: Vec<String>) -> Page {
        let leader = match &self.role {
            Role::Standby(holder) => Some(holder.clone()),
            _ => None,
        };
        Page {
            good: reasons.is_empty(),
            status,
            reasons,
            version: env!("CARGO_PKG_VERSION"),
            role: self.role.word(),
            leader,
            since: utc(started),
            up_seconds: clock::real().saturating_sub(started).max(0),
            doing: self.doing.clone(),
            last_error: self.last_error.clone(),
            database: self.database.word().to_owned(),
            inbox: self.inbox.word().to_owned(),
            lock: self.lock.map(|lock| format!("{} keeps all files waiting, for {} s", lock.name, lock.age())),
            state: self.state.values().next().map_or("ok", String::as_str).to_owned(),
            waiting_files: self.waiting_files,
            held_runs: self.held_runs,
        }
    }
}

impl Lock {
    /// Its age in seconds now.
    fn age(&self) -> i64 {
        self.age.saturating_add((self.seen.millis() / 1000) as i64)
    }

    /// Why no file is applied, if the lock is old.
    fn reason(&self) -> Option<String> {
        let age = self.age();
        (age > OLD_LOCK)
            .then(|| format!("{} keeps all files waiting, for {age} s: is its writer gone? Remove it then", self.name))
    }
}

impl Role {
    fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Leader => "leader",
            Self::Standby(_) => "standby",
            Self::Stopping => "stopping",
        }
    }

    /// Why this daemon applies no files.
    fn reason(&self) -> Option<String> {
        match self {
            Self::Starting => Some("the daemon is starting: it has not asked for the leader lease yet".to_owned()),
            Self::Leader => None,
            Self::Standby(holder) => Some(format!("this daemon stands by: {holder} is the leader and applies files")),
            Self::Stopping => Some("the daemon was told to stop".to_owned()),
        }
    }
}

impl Part {
    fn word(&self) -> &str {
        match self {
            Self::Unknown => "unknown",
            Self::Works => "ok",
            Self::Broken(why) => why,
        }
    }

    /// Why the daemon cannot work with this; a standby need not have checked it.
    fn reason(&self, name: &str, standby: bool) -> Option<String> {
        match self {
            Self::Works => None,
            Self::Unknown if standby => None,
            Self::Unknown => Some(format!("{name} has not been looked at yet")),
            Self::Broken(why) => Some(format!("{name} cannot be used: {why}")),
        }
    }
}

impl From<Result<(), String>> for Part {
    fn from(found: Result<(), String>) -> Self {
        match found {
            Ok(()) => Self::Works,
            Err(why) => Self::Broken(why),
        }
    }
}

fn utc(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
