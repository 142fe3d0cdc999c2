//! Why a run ends without a commit, by what the caller does next. It must not depend on how a reason is shown.

use crate::db::DbError;
use crate::problem::Problem;

/// The result of a step of a run.
pub type RunResult<T> = Result<T, RunError>;

/// Why a run ends without a commit.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database's error.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A limit of the guard is passed: the run is rolled back and kept for a decision.
    #[error("a limit of the guard is passed")]
    Held,
    /// Passwords are to be hashed first, while no transaction is open; then the run is tried again.
    #[error("passwords are to be hashed first")]
    ToBeHashed,
    /// The file as a whole is refused: its header, its encoding.
    #[error("{}", .0.code.as_str())]
    Rejected(Problem),
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file was written to while it was read.
    #[error("changed-while-read: {0} changed while it was read; nothing was applied: wait until it is complete")]
    Changed(String),
    /// The program ends, and reading was stopped in the middle of a file.
    #[error("the program ends; nothing was applied, the next start does it again")]
    Stopped,
    /// The state directory cannot be written or read.
    #[error("cannot use {path}: {error}")]
    State {
        /// The file or directory.
        path: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// Another run is under way, and the waiting time is over.
    #[error("another run is under way ({holder}, since {seconds} s): wait for it, or give --wait a longer time")]
    Busy {
        /// The holder of the run lease.
        holder: String,
        /// How many seconds it has held it.
        seconds: i64,
    },
    /// Moodle's own task for the same method runs now.
    #[error(
        "Moodle's own task {task} is running now: switch it off (Site administration > Server > Tasks > Scheduled \
         tasks), two programs must not do the same work"
    )]
    TwinRunning {
        /// The class name.
        task: String,
    },
    /// The run lease was lost during the run: its transaction was not committed.
    #[error("the run lease was lost to another process during the run; what was under way was not committed")]
    Fenced,
    /// The method is not enabled on the site.
    #[error(
        "the enrolment method '{0}' is not enabled on this site (Site administration > Plugins > Enrolments > Manage \
         enrol plugins); nothing is applied. Enable it, or set {0}.when_disabled = \"apply\""
    )]
    Disabled(&'static str),
    /// The source of a full set does not exist.
    #[error(
        "there is no source '{name}'; {}. Sources are the sections [sources.NAME] of the configuration",
        configured(.known)
    )]
    NoSuchSource {
        /// The name that was given.
        name: String,
        /// The existing names.
        known: Vec<String>,
    },
    /// A set that cannot be applied before a held one of its source is decided.
    #[error(
        "run {run} of source {source_name} is held and comes first: decide it ('enrold approve {run}' or 'enrold \
         reject {run}'); until then this set waits"
    )]
    SetWaits {
        /// The source.
        source_name: String,
        /// The held run.
        run: i64,
    },
    /// A set whose preparation is outdated, because another run has applied a set of the source meanwhile.
    #[error("another set of source {0} was applied meanwhile; give this one again")]
    SetMoved(String),
    /// The course that a run is limited to does not exist.
    #[error("no course has the {} '{name}' exactly{}", key_words(.key), alike(.like))]
    NoSuchCourse {
        /// Which of its keys was given: `shortname`, `idnumber` or `id`.
        key: &'static str,
        /// The key that was given.
        name: String,
        /// Some keys that look like it.
        like: Vec<String>,
    },
    /// An order that cannot be carried out as it was given: why, and what to do.
    #[error("{0}")]
    Refused(String),
    /// The database is not ready for enrold.
    #[error("{0}")]
    NotReady(String),
    /// A run that cannot be decided.
    #[error("{0}")]
    Undecidable(String),
}

fn key_words<'a>(key: &&'a str) -> &'a str {
    if *key == "shortname" { "short name" } else { key }
}

fn alike(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; these look like it: {}", names.join(", ")) }
}

fn configured(names: &[String]) -> String {
    if names.is_empty() { "none is configured".to_owned() } else { format!("known: {}", names.join(", ")) }
}

impl RunError {
    /// The error for a source that these settings do not have.
    pub fn no_such_source(name: &str, settings: &crate::config::Settings) -> Self {
        let known = settings.sources.keys().cloned().collect();
        Self::NoSuchSource { name: name.to_owned(), known }
    }

    /// True if the same run may succeed when it is tried again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_transient())
    }
}
