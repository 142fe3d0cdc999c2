//! Section `hook`: the spool from which a program of the site reads the changes of each run.
//! It must not know that program, which runs outside the daemon under another account.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The spool of the hook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    spool: PathBuf,
}

impl Hook {
    /// The directory that receives one JSON file per run; `None` if the hook is off.
    pub fn spool(&self) -> Option<&Path> {
        (!self.spool.as_os_str().is_empty()).then_some(&self.spool)
    }
}
