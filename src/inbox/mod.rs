//! The drop directory: what lies there, which file is complete, how it is claimed, renamed and reported on.
//! It must not know what a file asks for, nor tasks, signals or leases: the run applies, the daemon decides when.

mod claim;
mod draft;
mod ending;
mod lists;
mod look;
mod names;
mod reader_lock;
mod retention;
mod verdict;
mod watch;

pub use claim::Claimed;
pub use ending::{Ending, EndingError, finish};
pub use look::{Found, Inbox, Look};
pub use reader_lock::ReaderLock;
pub use retention::{Removed, retain};
pub use verdict::{settle_all, settle_decided};
pub use watch::{Marks, Watch};

use std::path::Path;

/// What the drop directory's file system refused.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {error}")]
pub struct InboxError {
    /// What was tried, for a sentence: "cannot rename".
    pub what: &'static str,
    /// The file or directory.
    pub path: String,
    /// The system's word.
    pub error: std::io::Error,
}

impl InboxError {
    fn new(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self { what, path: path.display().to_string(), error }
    }
}

/// Makes what happened to the names of a directory survive a power cut.
fn sync_directory(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
