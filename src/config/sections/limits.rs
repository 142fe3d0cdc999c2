//! Section `limits`: bounds on the size, the problems and the retries of one file.
//! It must not know where they are applied.

use std::time::Duration;

use serde::Deserialize;

/// Bounds of one file and of the problems stored for its run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLimits {
    /// The largest file that is read, in MiB.
    pub file_mib: u32,
    /// Problems of one run that are stored; further ones are only counted by code.
    pub problems: u32,
    /// How often a file is tried that the database refuses while it accepts other statements.
    pub tries: u32,
    /// The minimum time over which these tries are spread.
    #[serde(deserialize_with = "super::seconds")]
    pub tries_over: Duration,
}

impl FileLimits {
    /// The largest file that is read, in bytes.
    pub fn file_bytes(&self) -> u64 {
        u64::from(self.file_mib) << 20
    }
}
