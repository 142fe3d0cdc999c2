//! What a run over a full set is asked to do.
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
    /// Where the rows of the snapshot stand in the files that they come from.
    pub origins: Option<Origins>,
    /// Why there is no snapshot: the run fails with this.
    pub refused: Option<Problem>,
    /// Statements about encodings that the second database refused.
    pub skipped_setup: Vec<String>,
    /// Rows of the files that are not in the snapshot, because they could not be read.
    pub unread: Vec<SetProblem>,
    /// What is told of where it comes from: the file that was dropped, or nothing for a view.
    pub shown: String,
    /// Which drop this is, when it came through the drop directory.
    pub token: String,
    /// What it leaves for the next delta, if it was a OneRoster archive.
    pub oneroster_base: Option<OneRosterBase>,
    /// The file by which such a drop is known again, its manifest or itself: as it stood, with the digest of its own
    /// bytes.
    pub dropped: Option<Claim>,
}

impl SetOrder {
    /// Who made its rows; `dropped` says whether it came through the drop directory.
    pub fn feed(&self, dropped: bool) -> Feed {
        match self.origins {
            _ if dropped => Feed::Dropped,
            Some(_) => Feed::Shell,
            None => Feed::Database,
        }
    }

    /// The order of a source without anything else.
    pub fn of(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }
}
