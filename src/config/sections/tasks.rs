//! Section `tasks`: scheduled work, one table per task name.
//! It must not know what a task does or when it last ran.

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
    /// When: five cron fields (minute, hour, day of month, month, day of week), in the site's zone.
    pub schedule: String,
    /// What happens to times that passed while no daemon was there.
    pub catch_up: CatchUp,
}
