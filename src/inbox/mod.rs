//! The drop directory: its files, which of them are complete, and how they are claimed, renamed and reported on.
//! It must not know what a file contains, nor tasks, signals or leases: the run applies, the daemon schedules.

mod claim;
mod draft;
mod expired;
mod file_outcome;
mod kinds;
mod lists;
mod masked;
mod names;
mod patterns;
mod reader_lock;
mod retention;
mod scan;
mod set_files;
mod sets;
mod settle;
mod watch;

pub use claim::Claimed;
pub use expired::write_expired;
pub use file_outcome::{FileOutcome, FileOutcomeError, finish, read_sha256};
pub use kinds::{Told, of_dropped, of_given, patterns};
pub use names::shown;
pub use patterns::{is_of_input, overlap};
pub use reader_lock::ReaderLock;
pub use retention::{Removed, retain};
pub use scan::{Found, Inbox, Scanned};
pub use sets::{Job, Sets};
pub use settle::{settle_all, settle_decided};
pub use watch::{Marks, Watch};

use std::io::ErrorKind;
use std::path::Path;

use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::disk::Dir;

/// An error of the drop directory's file system.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path}: {error}")]
pub struct InboxError {
    /// What failed, for a sentence: "cannot rename".
    pub what: &'static str,
    /// The file or directory.
    pub path: String,
    /// The system's error.
    pub error: std::io::Error,
}

impl InboxError {
    fn new(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self { what, path: shown(path.as_os_str()), error }
    }

    /// True for an error of one file, and not of the directory.
    pub fn is_of_one(&self) -> bool {
        let own = [Errno::PERM, Errno::BUSY].map(Errno::raw_os_error);
        self.error.raw_os_error().is_some_and(|number| own.contains(&number))
    }

    /// The message for operators when the drop directory itself cannot be used.
    pub fn of_directory(&self, dir: &Path) -> String {
        let dir = dir.display();
        match self.error.kind() {
            ErrorKind::NotFound => format!("the drop directory {dir} is not there: make it, or set inbox.path"),
            ErrorKind::NotADirectory => format!("{dir} is no directory: set inbox.path to the drop directory"),
            ErrorKind::PermissionDenied => {
                format!("{self}: the user that enrold runs as needs to read, write and enter it")
            }
            _ => self.to_string(),
        }
    }
}

/// Opens the drop directory; a file in it that is larger than `limits.file_mib` is refused, and reading ends when
/// `stop` is cancelled.
///
/// # Errors
/// The directory's error.
pub fn open(settings: &Settings, stop: &CancellationToken) -> Result<Dir, InboxError> {
    open_at(&settings.inbox.path, settings.limits.file_bytes(), stop)
}

fn open_at(path: &Path, limit: u64, stop: &CancellationToken) -> Result<Dir, InboxError> {
    let opened = Dir::open(path).map_err(|error| InboxError::new("cannot read the drop directory", path, error))?;
    Ok(opened.bounded(limit, stop))
}
