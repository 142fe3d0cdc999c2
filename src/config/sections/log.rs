//! Section `log`: how much is said, and in which form.
//! It must not know who writes the log.

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// The least important kind of line that is still written.
    LogLevel {
        /// Nothing.
        Off = "off",
        /// What failed.
        Error = "error",
        /// What an operator should look at.
        Warn = "warn",
        /// One line per job.
        Info = "info",
        /// Steps of a job.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// The form of the log's lines.
    LogFormat {
        /// The journal's own protocol where standard error is the journal, else text.
        Auto = "auto",
        /// Text on standard error.
        Text = "text",
        /// One JSON object per line on standard error.
        Json = "json",
        /// The journal's own protocol, with a field for each value.
        Journal = "journal",
    }
}

/// The log on standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least important kind of line that is still written.
    pub level: LogLevel,
    /// The form of its lines.
    pub format: LogFormat,
}
