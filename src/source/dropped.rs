//! Reads dropped files into a snapshot: a complete set of CSV files, or a OneRoster archive.
//! It must not know how the files arrived, nor what happens to them afterwards.

use std::io;
use std::path::Path;

use super::bundle::{Sealed, Sent};
use super::files::{FileRead, FilesForm, read_files};
use super::oneroster::{Base, BaseKept, BaseWriter, OneRosterForm, as_sent_before, kind_of, read_archive};
use super::origins::Origins;
use super::rows::{SetError, SetProblem, SetRow, SnapshotKind, Taker};
use super::snapshot::{Snapshot, SnapshotError, SnapshotWriter, canonical_columns};
use crate::config::{Source, Target};
use crate::files::{Fallback, cut};
use crate::outcome::OneRosterBase;
use crate::problem::{Code, Problem, shown};

/// A set with more problems than this is refused: its export failed as a whole.
const MOST_PROBLEMS: usize = 100_000;

/// A set that was read.
#[derive(Debug)]
pub struct Taken {
    pub snapshot: Snapshot,
    pub kind: SnapshotKind,
    /// Rows that were sent but are not in the snapshot, and warnings, in the order of the files and their lines.
    pub problems: Vec<SetProblem>,
    /// The files that hold the rows.
    pub files: Vec<FileRead>,
    /// Rows whose values all equal those of an earlier row.
    pub doubles: u64,
    /// The base for later deltas, if an archive was read and is to be applied; this holds the lock on its file.
    pub oneroster_base: Option<(OneRosterBase, BaseKept)>,
}

/// Where a set is read to.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The source.
    pub source: &'a str,
    /// The state directory.
    pub state: &'a Path,
    /// The time in Unix seconds; it becomes part of the snapshot's name.
    pub now: i64,
}

impl Taken {
    /// The origins of its rows in its files.
    pub fn origins(&self) -> Option<Origins> {
        let files = self.files.iter().map(|file| file.file.clone()).collect();
        self.snapshot.origins.clone().map(|list| Origins { list, files })
    }
}

/// Why a set is not read; nothing is changed, and no snapshot is left.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The configuration of the source does not fit the format. The text says what to do.
    #[error("source {source_name}: {why}")]
    Form { source_name: String, why: String },
    /// More than `MOST_PROBLEMS` problems; this is the first.
    #[error(
        "more than {MOST_PROBLEMS} rows cannot be used, the set is not applied; correct the export (first: {})",
        .0.problem.text(crate::config::Locale::En)
    )]
    TooManyProblems(Box<SetProblem>),
}

/// Reads a complete set of CSV files into a snapshot. The same rows, in any order and in any split over files, give the
/// same bytes.
///
/// # Errors
/// Any [`TakeError`].
pub fn take_files(
    destination: Destination,
    source: &Source,
    fallback: Fallback,
    files: &[Sealed],
) -> Result<Taken, TakeError> {
    let Destination { source: source_name, state, now } = destination;
    let form = FilesForm::of(source, fallback);
    let mut draft = Draft::begin(source_name, source.target, state, now)?;
    let read = read_files(files, &form, &scratch(state, source_name), &mut draft);
    draft.end(read, |read| (SnapshotKind::Full, read.files, read.sorted.doubles))
}

/// Whether a OneRoster archive is a delta, and not a bulk set.
///
/// # Errors
/// [`TakeError`] if its manifest cannot be read.
pub fn is_delta(destination: Destination, archive: &Sent) -> Result<bool, TakeError> {
    let scratch = super::snapshot::directory(destination.state, destination.source)?;
    Ok(kind_of(archive, &scratch)? == SnapshotKind::Delta)
}

/// Reads a OneRoster archive into a snapshot, likewise. A delta is first merged into `base`, which the last applied
/// archive left. With `keep`, the base for the next delta is written, too.
///
/// # Errors
/// Any [`TakeError`].
pub fn take_archive(
    destination: Destination,
    source: &Source,
    archive: &Sent,
    base: Option<&OneRosterBase>,
    keep: bool,
) -> Result<Taken, TakeError> {
    let Destination { source: name, state, now } = destination;
    let unfit = |why: String| TakeError::Form { source_name: name.to_owned(), why };
    let form = OneRosterForm::of(source).map_err(unfit)?;
    let mut draft = Draft::begin(name, source.target, state, now)?;
    let (sha256, _) = archive.file.digest().map_err(SetError::from)?;
    let mut writer = if keep { Some(BaseWriter::begin(state, name)?) } else { None };
    let path = base.map(|base| OneRosterBase::path(state, name, &base.sha256)).unwrap_or_default();
    let on = base.map(|base| Base { path: &path, oneroster_base: base });
    let read = read_archive(archive, &form, &scratch(state, name), on, writer.as_mut(), &mut draft);
    let newest = read.as_ref().map_or(0, |read| read.newest.min(now));
    // The entries are not read in one pass, so the result counts only if the digest is unchanged at the end.
    let verified = archive.file.verify(&sha256).map_err(|error| SetError::of_file(&archive.name, error.into()));
    let read = verified.and(read);
    let mut taken = draft.end(read, |read| {
        let earlier = FileRead { file: as_sent_before(&read.enrolments.file), ..read.enrolments.clone() };
        (read.kind, vec![read.enrolments, earlier], read.sorted.doubles)
    })?;
    if let Some(kept) = writer.map(BaseWriter::finish).transpose()? {
        let delta = taken.kind == SnapshotKind::Delta;
        let on = base.filter(|_| delta).map(|base| base.sha256.clone()).unwrap_or_default();
        let newest = newest.max(base.map_or(0, |base| base.newest));
        taken.oneroster_base = Some((OneRosterBase { sha256: kept.sha256.clone(), delta, on, newest }, kept));
    }
    Ok(taken)
}

/// The directory for scratch files: that of the snapshots, so on the same file system.
fn scratch(state: &Path, source_name: &str) -> std::path::PathBuf {
    state.join("sets").join(source_name)
}

impl TakeError {
    /// The problem that the failed run reports.
    pub fn problem(&self, source: &str) -> Problem {
        let code = match self {
            TakeError::Set(error @ (SetError::NoBase { .. } | SetError::Outdated { .. })) => error.code(),
            _ => None,
        };
        Problem::new(0, code.unwrap_or(Code::SourceUnreadable), source, self.to_string())
    }
}

/// A snapshot that is being written, and the problems reported so far.
struct Draft {
    writer: SnapshotWriter,
    columns: &'static [&'static str],
    problems: Vec<SetProblem>,
    /// Why this taker stopped the reading.
    stopped: Option<TakeError>,
}

impl Draft {
    fn begin(source_name: &str, target: Target, state: &Path, now: i64) -> Result<Draft, SnapshotError> {
        let columns = canonical_columns(target);
        let writer = SnapshotWriter::begin_listed(state, source_name, columns, now)?;
        Ok(Draft { writer, columns, problems: Vec::new(), stopped: None })
    }

    fn end<R>(
        self,
        read: Result<R, SetError>,
        parts: impl FnOnce(R) -> (SnapshotKind, Vec<FileRead>, u64),
    ) -> Result<Taken, TakeError> {
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        let (kind, files, doubles) = parts(read?);
        let snapshot = self.writer.finish()?;
        Ok(Taken { snapshot, kind, problems: self.problems, files, doubles, oneroster_base: None })
    }

    /// Stops the reading for this reason.
    fn stop(&mut self, why: TakeError) -> io::Result<()> {
        self.stopped = Some(why);
        Err(io::ErrorKind::Interrupted.into())
    }
}

impl Taker for Draft {
    fn row(&mut self, row: &SetRow) -> io::Result<()> {
        let cells: Vec<&str> = self.columns.iter().map(|column| row.of(column)).collect();
        match self.writer.row_of(&cells, row.file, row.line) {
            Ok(()) => Ok(()),
            Err(error) => self.stop(error.into()),
        }
    }

    fn problem(&mut self, problem: SetProblem) -> io::Result<()> {
        let SetProblem { file, problem, taken, user, place, broken, scraps } = problem;
        let problem = Problem { value: shown(&problem.value), ..problem };
        let (user, place) = (cut(&user).to_owned(), cut(&place).to_owned());
        self.problems.push(SetProblem { file, problem, taken, user, place, broken, scraps });
        if self.problems.len() > MOST_PROBLEMS {
            let first = self.problems.swap_remove(0);
            return self.stop(TakeError::TooManyProblems(Box::new(first)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
