//! Section `tasks`: scheduled work, one table per task name.
//! It must not know what a task does or when it last ran.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// What happens to times that passed while no daemon was there.
    CatchUp {
        /// However many there were, the task runs once.
        Once = "once",
        /// They are left out.
        Skip = "skip",
    }
}

/// One scheduled task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Whether the daemon runs it; commands run it anyway.
    pub enabled: bool,
    /// When, in the site's zone.
    pub schedule: Schedule,
    /// What happens to times that passed while no daemon was there.
    pub catch_up: CatchUp,
}

/// A cron text of five fields (minute, hour, day of month, month, day of week) that comes true some day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    text: String,
    cron: Box<Cron>,
}

/// Why a text is no schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error(
        "expected five cron fields (minute, hour, day of month, month, day of week), for example \"15 * * * *\", and not {0}"
    )]
    Fields(usize),
    /// A field is not understood.
    #[error("not a cron text of minute, hour, day of month, month, day of week: {0}")]
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
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(ScheduleError::Fields(fields));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
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
