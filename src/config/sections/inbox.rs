//! Section `inbox`: the drop directory.
//! It must not know how files are watched.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The drop directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// Where other systems leave their files.
    pub path: PathBuf,
    /// A file is complete when its size and its time of change have stood still for this long.
    #[serde(deserialize_with = "super::seconds")]
    pub settle: Duration,
}
