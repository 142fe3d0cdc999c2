//! Sources of full sets: each format is read into a snapshot, a CSV file of canonical columns in the state directory.
//! It must not know runs or Moodle's tables; of Moodle it reads only the settings that name a second database.

pub mod bundle;
pub mod canonical;
mod dropped;
pub mod files;
mod moodle;
pub mod oneroster;
mod origins;
pub mod rows;
mod snapshot;
mod sql;

pub use dropped::{Destination, TakeError, Taken, is_delta, take_archive, take_files};
pub use moodle::{MoodleSourceError, with_moodles_settings};
pub use origins::Origins;
pub use rows::{SetError, SetProblem, SetRow, SnapshotKind, Taker};
pub use snapshot::{Snapshot, SnapshotError, SnapshotWriter, canonical_columns};
pub use sql::{SourceError, fetch, fetch_courses, probe};
