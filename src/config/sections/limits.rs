//! Section `limits`: what one file may take, of room and of patience.
//! It must not know who measures.

use std::time::Duration;

use serde::Deserialize;

/// Bounds of one file and of what is kept of its run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLimits {
    /// The largest file that is read, in MiB.
    pub file_mib: u32,
    /// Problems of one run that are kept; those beyond are counted by code.
    pub problems: u32,
    /// How often a file that the database refuses is tried, while the database answers otherwise.
    pub tries: u32,
    /// Over how long these tries go at least.
    #[serde(deserialize_with = "super::seconds")]
    pub tries_over: Duration,
}

impl FileLimits {
    /// The largest file that is read, in bytes.
    pub fn file_bytes(&self) -> u64 {
        u64::from(self.file_mib) << 20
    }
}
