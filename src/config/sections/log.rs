//! Section `log`: the level and the form of the log.
//! It must not know how the log is written.

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// The lowest level of lines that are written.
    LogLevel {
        /// Nothing.
        Off = "off",
        /// Failures.
        Error = "error",
        /// Conditions that an operator should check.
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
    /// The form of log lines.
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
    /// The lowest level of lines that are written.
    pub level: LogLevel,
    /// The form of log lines.
    pub format: LogFormat,
}
