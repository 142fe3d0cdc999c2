//! Section `mail`: what enrold writes besides the mails that Moodle's settings ask for, and with which texts.
//! It must not know the mail server.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// Whether the editing teachers of a course are told what a file has changed among its participants.
    TellTeachers {
        /// They are not.
        No = "no",
        /// By a mail for each course and file.
        File = "file",
        /// By a mail for each course and day.
        Day = "day",
    }
}

impl Default for TellTeachers {
    /// What a run that was held by a version without this setting has.
    fn default() -> Self {
        Self::No
    }
}

/// What enrold writes, and with which texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The directory of the site's own texts; `None` for enrold's.
    #[serde(deserialize_with = "super::smtp::optional")]
    pub templates: Option<PathBuf>,
    /// The hour of the day, by the site's clock, at which digests are sent.
    pub digest_hour: u32,
    /// Addresses that are told of files that are held or have failed.
    pub operators: Vec<String>,
}
