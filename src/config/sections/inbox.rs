//! Section `inbox`: the drop directory.
//! It must not know how files are watched.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// What happens to a file after it was applied.
    DoneMode {
        /// It is renamed in the drop directory, with the suffix `.done`.
        Rename = "rename",
        /// It is moved into `inbox.archive`.
        Archive = "archive",
        /// It is deleted.
        Delete = "delete",
    }
}

/// The drop directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// The directory into which other systems write their files.
    pub path: PathBuf,
    /// A file is complete when its size and modification time have not changed for this long.
    #[serde(deserialize_with = "super::seconds")]
    pub settle: Duration,
    /// How often the directory is scanned, independently of file-system events.
    #[serde(deserialize_with = "super::seconds")]
    pub rescan: Duration,
    /// What happens to a file after it was applied.
    pub done_mode: DoneMode,
    /// The directory of applied files under `done_mode = "archive"`; a relative path is below `state.path`. It must not
    /// lie in the drop directory, where feeders can write.
    pub archive: PathBuf,
}
