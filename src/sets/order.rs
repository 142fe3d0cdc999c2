//! The input of a run over a full set.
//! It must not open the database, nor the snapshot.

use std::path::PathBuf;

use crate::outcome::{Claim, OneRosterBase};
use crate::problem::Problem;
use crate::sets::terms::Feed;
use crate::source::{Origins, SetProblem};

/// A full set to make true: the snapshot of a source.
#[derive(Clone, Debug, Default)]
pub struct SetOrder {
    /// The source: its section in the configuration.
    pub source: String,
    /// The snapshot: a CSV file in UTF-8 with a header of canonical names (docs/full-sets-files.md).
    pub snapshot: PathBuf,
    /// The snapshot of the source's table of courses, if it has one.
    pub courses: Option<PathBuf>,
    /// The places of the snapshot's rows in the files that they come from.
    pub origins: Option<Origins>,
    /// Why there is no snapshot: the run fails with this.
    pub refused: Option<Problem>,
    /// Statements about encodings that the second database refused.
    pub skipped_setup: Vec<String>,
    /// Problems of rows of the files: the row is not in the snapshot, unless it is `taken`.
    pub unread: Vec<SetProblem>,
    /// The origin for messages: the file that was dropped, or empty for a view of the second database.
    pub shown: String,
    /// The token of the drop, if it came through the drop directory.
    pub token: String,
    /// The base for the next delta, if it is a OneRoster archive.
    pub oneroster_base: Option<OneRosterBase>,
    /// The file that identifies such a drop, its manifest or the file itself: its inode, size and time, and the digest
    /// of its own bytes.
    pub dropped: Option<Claim>,
}

impl SetOrder {
    /// Where its rows come from; `dropped` if it came through the drop directory.
    pub fn feed(&self, dropped: bool) -> Feed {
        match self.origins {
            _ if dropped => Feed::Dropped,
            Some(_) => Feed::Shell,
            None => Feed::Database,
        }
    }

    /// An order with a source only.
    pub fn of(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }
}
