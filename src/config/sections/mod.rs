//! One small file per section of the configuration: serde structs that hold checked values.
//! They must not know layers, files or where a value comes from.

mod coursecompleted;
mod database;
mod expected_by;
mod expirations;
mod flatfile;
mod guard;
mod hook;
mod http;
mod inbox;
mod limits;
mod locale;
mod log;
mod mail;
mod profile;
mod retention;
mod role_list;
mod run;
mod site;
mod smtp;
mod source;
mod source_limits;
mod state;
mod tasks;
mod waiting;

use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub use coursecompleted::{CourseCompleted, CourseDelay};
pub use database::Database;
pub use expected_by::ExpectedBy;
pub use expirations::{Expirations, ExpiredAction, InactiveSince};
pub use flatfile::{
    CourseKey, DelScope, EncodingFallback, FlatFile, FlatFileKeys, MailSwitch, RemovalAction, SmallTimes, UserKey,
    WhenDisabled,
};
pub use guard::{AccountLimits, Guard, GuardMode, Limits, OwnLimits};
pub use hook::Hook;
pub use http::{Http, Listen};
pub use inbox::{DoneMode, Inbox};
pub use limits::FileLimits;
pub use locale::Locale;
pub use log::{Log, LogFormat, LogLevel};
pub use mail::{Mail, TellTeachers};
pub use profile::{
    Accounts, BlankCell, ByHand, FileGroupKey, FileKind, ForceChange, MatchBy, Operation, PasswordFrom, PasswordMail,
    Profile, ProfileMode, Reactivate, Update,
};
pub use retention::Retention;
pub use role_list::{RoleEntry, RoleList, RoleOf, SourceRoles};
pub use run::Run;
pub use site::Site;
pub use smtp::{Security, Smtp};
pub use source::{
    AbsentAction, CategoryKey, CohortKey, CourseTable, DisabledUsers, GroupKey, MailWhen, RoleKey, SetColumns,
    SetFormat, Source, Target, UnknownProtects,
};
pub use source_limits::{Season, SeasonLimits, SetLimits};
pub use state::State;
pub use tasks::{CatchUp, Schedule, ScheduleError, Task, WhenOff};
pub use waiting::Waiting;

/// Whole seconds in the file, a `Duration` in the program.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}
