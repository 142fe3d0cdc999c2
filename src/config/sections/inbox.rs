//! Section `inbox`: the drop directory.
//! It must not know how files are watched.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// What becomes of a file that was applied.
    DoneMode {
        /// It is renamed in the drop directory, with `.done` after its name.
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
    /// Where other systems leave their files.
    pub path: PathBuf,
    /// A file is complete when its size and its time of change have stood still for this long.
    #[serde(deserialize_with = "super::seconds")]
    pub settle: Duration,
    /// How often the directory is looked through, whatever the system tells of changes.
    #[serde(deserialize_with = "super::seconds")]
    pub rescan: Duration,
    /// What becomes of a file that was applied.
    pub done_mode: DoneMode,
    /// Where applied files go under `done_mode = "archive"`; a relative path begins at
    /// `state.path`. No feeder may write there: it must not lie in the drop directory.
    pub archive: PathBuf,
}
