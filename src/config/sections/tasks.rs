//! Section `tasks`: scheduled work, one table per task name.
//! It must not know what a task does or when it last ran.

use serde::Deserialize;

/// One scheduled task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Whether the daemon runs it; commands run it anyway.
    pub enabled: bool,
    /// When: five cron fields (minute, hour, day of month, month, day of week), in the site's zone.
    pub schedule: String,
}
