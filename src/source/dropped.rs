//! The way in for files that were dropped: a complete set of CSV files, or a OneRoster archive, into a snapshot.
//! It must not know how files come to be there, nor what becomes of them afterwards.

use std::io;
use std::path::Path;

use super::bundle::Sealed;
use super::files::{FileRead, FilesForm, read_files};
use super::oneroster::{RosterForm, read_archive};
use super::rows::{SetError, SetProblem, SetRow, SnapshotKind, Taker};
use super::snapshot::{Snapshot, SnapshotError, SnapshotWriter, canonical_columns};
use crate::config::{Source, Target};
use crate::files::Fallback;

/// A set with more bad rows than this is no set: its export went wrong as a whole.
const MOST_PROBLEMS: usize = 100_000;

/// A set that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub snapshot: Snapshot,
    pub kind: SnapshotKind,
    /// What the snapshot does not hold although it was sent, and what else should be told, in the
    /// order of the files and their lines.
    pub problems: Vec<SetProblem>,
    /// The files that hold the rows.
    pub files: Vec<FileRead>,
    /// Rows that were there before, value by value.
    pub doubles: u64,
    /// Rows of a delta that it both takes away and wishes: they are wished.
    pub contradicted: u64,
}

/// A set is not read; nothing is changed by it, and no snapshot is left.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The configuration of the source does not fit what it is to read. The text says what to do.
    #[error("source {source_name}: {why}")]
    Form { source_name: String, why: String },
    /// The first of them.
    #[error("more than {MOST_PROBLEMS} rows cannot be used, the set is not applied; correct the export (first: {})", .0.problem.text(crate::report::codes::Locale::En))]
    TooManyProblems(Box<SetProblem>),
}

/// Reads a complete set of CSV files into a snapshot under `state`; `now` (Unix seconds) becomes
/// part of its name. The same rows, in any order and in any files, give the same bytes.
///
/// # Errors
/// Any [`TakeError`].
pub fn take_files(
    source_name: &str,
    source: &Source,
    fallback: Fallback,
    files: &[Sealed],
    state: &Path,
    now: i64,
) -> Result<Taken, TakeError> {
    let form = FilesForm::of(source, fallback);
    let mut draft = Draft::begin(source_name, source.target, state, now)?;
    let read = read_files(files, &form, &scratch(state, source_name), &mut draft);
    draft.end(read, |read| (SnapshotKind::Full, read.files, read.sorted.doubles, 0))
}

/// Reads a OneRoster archive into a snapshot, likewise.
///
/// # Errors
/// Any [`TakeError`].
pub fn take_archive(
    source_name: &str,
    source: &Source,
    archive: &Path,
    state: &Path,
    now: i64,
) -> Result<Taken, TakeError> {
    let unfit = |why: String| TakeError::Form { source_name: source_name.to_owned(), why };
    if source.target != Target::Enrolments {
        return Err(unfit("a OneRoster export has no cohorts; set target = \"enrolments\"".to_owned()));
    }
    let form = RosterForm::of(source).map_err(unfit)?;
    let mut draft = Draft::begin(source_name, source.target, state, now)?;
    let read = read_archive(archive, &form, &scratch(state, source_name), &mut draft);
    draft.end(read, |read| (read.kind, vec![read.enrolments], read.sorted.doubles, read.contradicted))
}

/// Beside the snapshots, on their file system.
fn scratch(state: &Path, source_name: &str) -> std::path::PathBuf {
    state.join("sets").join(source_name)
}

/// A snapshot that is being written, and what is told meanwhile.
struct Draft {
    writer: SnapshotWriter,
    columns: &'static [&'static str],
    problems: Vec<SetProblem>,
    /// Why reading was ended from here.
    stopped: Option<TakeError>,
}

impl Draft {
    fn begin(source_name: &str, target: Target, state: &Path, now: i64) -> Result<Draft, SnapshotError> {
        let columns = canonical_columns(target);
        let writer = SnapshotWriter::begin(state, source_name, columns, now)?;
        Ok(Draft { writer, columns, problems: Vec::new(), stopped: None })
    }

    fn end<R>(
        self,
        read: Result<R, SetError>,
        parts: impl FnOnce(R) -> (SnapshotKind, Vec<FileRead>, u64, u64),
    ) -> Result<Taken, TakeError> {
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        let (kind, files, doubles, contradicted) = parts(read?);
        let snapshot = self.writer.finish()?;
        Ok(Taken { snapshot, kind, problems: self.problems, files, doubles, contradicted })
    }

    /// Ends reading for this reason.
    fn stop(&mut self, why: TakeError) -> io::Result<()> {
        self.stopped = Some(why);
        Err(io::ErrorKind::Interrupted.into())
    }
}

impl Taker for Draft {
    fn row(&mut self, row: &SetRow) -> io::Result<()> {
        let cells: Vec<&str> = self.columns.iter().map(|column| row.of(column)).collect();
        match self.writer.row(&cells) {
            Ok(()) => Ok(()),
            Err(error) => self.stop(error.into()),
        }
    }

    fn problem(&mut self, problem: SetProblem) -> io::Result<()> {
        self.problems.push(problem);
        if self.problems.len() > MOST_PROBLEMS {
            let first = self.problems.swap_remove(0);
            return self.stop(TakeError::TooManyProblems(Box::new(first)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
