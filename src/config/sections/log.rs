//! Section `log`: how much is said on standard error.
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

/// The log on standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least important kind of line that is still written.
    pub level: LogLevel,
}
