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
    /// What happens to times that passed while no daemon was there.
    CatchUp {
        /// However many there were, the task runs once.
        Once = "once",
        /// They are left out.
        Skip = "skip",
    }
}

choice! {
    /// What a rule does while its method is not among Moodle's enabled ones.
    WhenOff {
        /// Nothing, and that is said.
        Skip = "skip",
        /// As Moodle's own task: the roles that the method gave are taken away on the whole site.
        DropRoles = "drop_roles",
    }
}

impl Default for WhenOff {
    /// The one that takes nothing away.
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
    /// When, by the wall clock of its zone.
    pub schedule: Schedule,
    /// The zone of the schedule; `None` for the site's.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// What happens to times that passed while no daemon was there.
    pub catch_up: CatchUp,
    /// What a rule does while its method is off; rules only.
    #[serde(default)]
    pub when_disabled: WhenOff,
    /// Short names of the courses that the task minds; empty for all.
    #[serde(default)]
    pub courses: Vec<String>,
    /// Limits of its own, in place of `guard.method`.
    #[serde(default)]
    pub guard: OwnLimits,
}

/// A cron text that comes true some day: five fields (minute, hour, day of month, month, day of week), or six with the
/// second before them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    text: String,
    cron: Box<Cron>,
}

/// Why a text is no schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Neither five fields nor six.
    #[error(
        "expected five cron fields (minute, hour, day of month, month, day of week), for example \"15 * * * *\", or \
         six with the second first, and not {0}"
    )]
    Fields(usize),
    /// A field is not understood.
    #[error("not a cron text of (second,) minute, hour, day of month, month, day of week: {0}")]
    Field(CronError),
    /// There is no such day, as the 30th of February.
    #[error("there is no such day in any year")]
    Never,
}

impl Schedule {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The calendar of the text.
    pub(crate) fn cron(&self) -> &Cron {
        &self.cron
    }

    /// True if the text names seconds: its times may lie between two minutes.
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
