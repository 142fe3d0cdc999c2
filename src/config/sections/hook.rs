//! Section `hook`: the spool from which a program of the site learns what a run changed.
//! It must not know that program: it runs outside the daemon, as another user.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The spool of the hook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    spool: PathBuf,
}

impl Hook {
    /// The directory that gets one JSON file per run; `None` when nobody waits for them.
    pub fn spool(&self) -> Option<&Path> {
        (!self.spool.as_os_str().is_empty()).then_some(&self.spool)
    }
}
