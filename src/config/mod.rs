//! Merges five layers of settings into one typed value, with the origin of each key and all problems at once. It must
//! not know databases, enrolment files or Moodle; keys that fall back to Moodle's own settings have no default here.

#![allow(clippy::disallowed_methods, reason = "files of the operator")]

mod choice;
mod credentials;
mod each_table;
mod forms;
mod keys;
mod layers;
mod load;
mod options;
mod problem;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

pub use load::load;
pub use problem::{ConfigProblem, ConfigProblems, Place};
pub use sections::{
    AbsentAction, AccountLimits, Accounts, BlankCell, ByHand, CatchUp, CategoryKey, CohortKey, CourseCompleted,
    CourseDelay, CourseKey, CourseTable, Database, DelScope, DisabledUsers, DoneMode, EncodingFallback, ExpectedBy,
    Expirations, ExpiredAction, FileGroupKey, FileKind, FileLimits, FlatFile, FlatFileKeys, ForceChange, GroupKey,
    Guard, GuardMode, Hook, Http, InactiveSince, Inbox, Limits, Listen, Locale, Log, LogFormat, LogLevel, Mail,
    MailSwitch, MailWhen, MatchBy, Operation, OwnLimits, PasswordFrom, PasswordMail, Profile, ProfileMode, Reactivate,
    RemovalAction, Retention, RoleEntry, RoleKey, RoleList, RoleOf, Run, Schedule, ScheduleError, Season, SeasonLimits,
    Security, SetColumns, SetFormat, SetLimits, Site, SmallTimes, Smtp, Source, SourceRoles, State, Target, Task,
    TellTeachers, UnknownProtects, Update, UserKey, Waiting, WhenDisabled, WhenOff,
};

/// The commented reference `config/enrold.toml`; it is the embedded layer of defaults, so the two cannot drift apart.
pub const REFERENCE: &str = include_str!("../../config/enrold.toml");

/// Where settings come from, lowest layer first; the embedded defaults lie below all of them.
///
/// No `Debug`: environment and `--set` may carry passwords.
#[derive(Clone, Default)]
pub struct Sources {
    /// The system's file, read if it exists (`/etc/enrold/enrold.toml`).
    pub system_file: Option<PathBuf>,
    /// Files named on the command line, in order; a missing one is a problem.
    pub files: Vec<PathBuf>,
    /// The process environment; only names that begin with `ENROLD__` are used.
    pub env: Vec<(String, String)>,
    /// `--set key.path=value`, in order, split at the first `=`.
    pub sets: Vec<(String, String)>,
    /// The directory in which systemd puts the secrets of the service (`CREDENTIALS_DIRECTORY`, systemd.exec(5)).
    pub credentials: Option<PathBuf>,
}

/// The result of [`load`]: the typed settings, and each key with its value and origin.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The typed settings.
    pub settings: Settings,
    /// Every key that has a value, or that Moodle decides, in the order of the reference.
    pub origins: Vec<Effective>,
}

/// One key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Dotted path, for example `guard.mode`.
    pub key: String,
    /// The value as text; `********` for a secret; empty where Moodle decides.
    pub value: String,
    /// The layer that gave the value.
    pub origin: Origin,
}

impl Effective {
    /// True if this is a secret, whose value is not shown.
    pub fn is_secret(&self) -> bool {
        self.value == load::MASK
    }
}

/// The layer that a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The embedded reference.
    Default,
    /// No layer sets it: the site's own setting in Moodle applies.
    Moodle,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by its full name.
    Environment(String),
    /// `--set` on the command line.
    Set,
    /// systemd's credential `database_url`, used because no layer names a database.
    Credential,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Moodle => f.write_str("Moodle's own setting"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Set => f.write_str("--set"),
            Self::Credential => f.write_str("systemd's credential database_url"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All settings, checked; the sections have the names of `config/enrold.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Language of reports.
    pub locale: Locale,
    /// Moodle's database.
    pub database: Database,
    /// enrold's own directory.
    pub state: State,
    /// The drop directory.
    pub inbox: Inbox,
    /// Bounds of one file.
    pub limits: FileLimits,
    /// How long applied files and reports are kept.
    pub retention: Retention,
    /// Limits above which a run is held.
    pub guard: Guard,
    /// Facts about the site that override Moodle's own settings.
    #[serde(default)]
    pub site: Site,
    /// How flat files are read and applied.
    pub flatfile: FlatFile,
    /// How enrolments of all methods expire.
    pub expirations: Expirations,
    /// Delays and groups of the completed-course method.
    pub coursecompleted: CourseCompleted,
    /// Timeouts, retries and chunk sizes of a run.
    pub run: Run,
    /// What concerns every users file.
    pub accounts: Accounts,
    /// Lines that wait for an account or a course.
    pub waiting: Waiting,
    /// Kinds of file that may be dropped, and their options, by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
    /// Scheduled tasks by name.
    pub tasks: BTreeMap<String, Task>,
    /// Sources of full sets by name.
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
    /// The spool for the site's own program.
    pub hook: Hook,
    /// What enrold writes, and with which texts.
    pub mail: Mail,
    /// The mail server.
    pub smtp: Smtp,
    /// The health and metrics page.
    pub http: Http,
    /// The log on standard error.
    pub log: Log,
}

impl Default for Settings {
    /// The embedded defaults without any other layer.
    fn default() -> Self {
        load(&Sources::default()).expect("the embedded defaults are constant, and a test loads them").settings
    }
}
