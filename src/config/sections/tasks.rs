//! Section `tasks`: scheduled work, one table per task name.
//! It must not know what a task does or when it last ran.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use serde::Deserialize;

use crate::config::choice::choice;
use crate::config::sections::OwnLimits;
use crate::config::sections::site::zone;

choice! {
    /// What happens to scheduled times that passed while no daemon ran.
    CatchUp {
        /// The task runs once, however many times were missed.
        Once = "once",
        /// They are skipped.
        Skip = "skip",
    }
}

choice! {
    /// What a rule does while its method is disabled in Moodle.
    WhenOff {
        /// Nothing, and the report contains it.
        Skip = "skip",
        /// As Moodle's own task: the roles that the method assigned are removed on the whole site.
        DropRoles = "drop_roles",
    }
}

impl Default for WhenOff {
    /// The variant that removes nothing.
    fn default() -> Self {
        Self::Skip
    }
}

/// One scheduled task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Whether the daemon runs it; commands run it anyway.
    pub enabled: bool,
    /// When it runs, in the local time of its zone.
    pub schedule: Schedule,
    /// The zone of the schedule; `None`: the site's zone.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// What happens to scheduled times that passed while no daemon ran.
    pub catch_up: CatchUp,
    /// What a rule does while its method is disabled; rules only.
    #[serde(default)]
    pub when_disabled: WhenOff,
    /// Short names of the courses that the task works on; empty for all.
    #[serde(default)]
    pub courses: Vec<String>,
    /// Limits of the task, in place of `guard.method`.
    #[serde(default)]
    pub guard: OwnLimits,
}

/// A cron expression with at least one date: five fields (minute, hour, day of month, month, day of week), or six with
/// the second first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    text: String,
    cron: Box<Cron>,
}

/// Why a text is not a schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Neither five fields nor six.
    #[error(
        "expected five cron fields (minute, hour, day of month, month, day of week), for example \"15 * * * *\", or \
         six with the second first, and not {0}"
    )]
    Fields(usize),
    /// A field cannot be parsed.
    #[error("not a cron text of (second,) minute, hour, day of month, month, day of week: {0}")]
    Field(CronError),
    /// The date never occurs, for example 30 February.
    #[error("there is no such day in any year")]
    Never,
}

impl Schedule {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed cron expression.
    pub(crate) fn cron(&self) -> &Cron {
        &self.cron
    }

    /// True if the text has a field for seconds: its times may lie between two minutes.
    pub fn names_seconds(&self) -> bool {
        self.text.split_whitespace().count() == 6
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields = text.split_whitespace().count();
        let seconds = match fields {
            5 => Seconds::Disallowed,
            6 => Seconds::Required,
            _ => return Err(ScheduleError::Fields(fields)),
        };
        let parser = CronParser::builder().seconds(seconds).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(ScheduleError::Field)?;
        match cron.find_next_occurrence(&chrono::DateTime::UNIX_EPOCH, false) {
            Ok(_) => Ok(Self { text: text.to_owned(), cron: Box::new(cron) }),
            Err(_) => Err(ScheduleError::Never),
        }
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
