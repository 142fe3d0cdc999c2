//! A snapshot: the set of a source at one moment, as a CSV file that is either complete or absent.
//! It must not know where its rows come from or what they are used for.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use sha2::{Digest, Sha256};

use super::origins::OriginsWriter;
use crate::clock;
use crate::config::Target;
use crate::disk::own;

/// How many snapshots of a source are kept.
const KEPT: usize = 7;
/// How the name of a snapshot that is being written ends.
const PART: &str = ".part";
/// The extension of the list beside a snapshot.
const LIST: &str = "lines";

/// The columns that a snapshot may have, in their order.
pub fn canonical_columns(target: Target) -> &'static [&'static str] {
    match target {
        Target::Enrolments => &["user", "course", "role", "group", "other", "timestart", "timeend", "status"],
        Target::Cohorts => &["user", "cohort", "name"],
    }
}

/// One set of a source: UTF-8, commas, a header line, RFC 4180.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// Rows after the header.
    pub rows: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Setup statements about encodings that the second database refused and that were skipped.
    pub skipped_setup: Vec<String>,
    /// The list of the origins of its rows ([`super::Origins`]), if they come from files.
    pub origins: Option<PathBuf>,
}

/// A snapshot cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", path.display())]
pub struct SnapshotError {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    pub error: io::Error,
}

/// A snapshot that is being written; if it is dropped unfinished, it leaves no file.
pub struct SnapshotWriter {
    csv: csv::Writer<Hashed>,
    part: Part,
    dir: PathBuf,
    now: i64,
    rows: u64,
    origins: Option<(OriginsWriter<BufWriter<File>>, Part)>,
}

impl SnapshotWriter {
    /// Begins a snapshot in `STATE/sets/DIRECTORY` (that of the source), with the header; `now` (Unix seconds) becomes
    /// part of its name.
    ///
    /// # Errors
    /// The directory or the file cannot be created.
    pub fn begin(state: &Path, directory: &str, columns: &[&str], now: i64) -> Result<Self, SnapshotError> {
        let dir = self::directory(state, directory)?;
        let (file, part) = Part::begin(&dir)?;
        let out = Hashed { out: BufWriter::with_capacity(1 << 16, file), digest: Sha256::new() };
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
        let mut writer = Self { csv, part, dir, now, rows: 0, origins: None };
        writer.write(columns)?;
        Ok(writer)
    }

    /// The same, with a list of the origins of its rows; [`SnapshotWriter::row_of`] adds the rows.
    ///
    /// # Errors
    /// As [`SnapshotWriter::begin`].
    pub fn begin_listed(state: &Path, directory: &str, columns: &[&str], now: i64) -> Result<Self, SnapshotError> {
        let mut writer = Self::begin(state, directory, columns, now)?;
        let (file, part) = Part::begin(&writer.dir)?;
        writer.origins = Some((OriginsWriter::new(BufWriter::with_capacity(1 << 16, file)), part));
        Ok(writer)
    }

    /// Adds a row that begins on `line` of `file` of the set.
    ///
    /// # Errors
    /// As [`SnapshotWriter::row`].
    pub fn row_of<T: AsRef<[u8]>>(&mut self, cells: &[T], file: u16, line: u64) -> Result<(), SnapshotError> {
        if let Some((list, part)) = &mut self.origins {
            let written = list.row(cells, file, line);
            written.map_err(|error| SnapshotError { path: part.path.clone(), error })?;
        }
        self.row(cells)
    }

    /// Adds a row, one text for each column of the header.
    ///
    /// # Errors
    /// The file cannot be written, or the row does not have as many texts as the header.
    pub fn row<T: AsRef<[u8]>>(&mut self, cells: &[T]) -> Result<(), SnapshotError> {
        self.rows += 1;
        self.write(cells)
    }

    fn write<T: AsRef<[u8]>>(&mut self, cells: &[T]) -> Result<(), SnapshotError> {
        let written = self.csv.write_record(cells);
        written.map_err(|error| self.part.cannot(error.into()))
    }

    /// Syncs the file to disk, renames it to its final name, and removes the oldest snapshots of the source.
    ///
    /// # Errors
    /// The file cannot be written or renamed; then it is removed.
    pub fn finish(self) -> Result<Snapshot, SnapshotError> {
        let Self { csv, part, dir, now, rows, origins } = self;
        let Hashed { out, digest } = csv.into_inner().map_err(|error| part.cannot(error.into_error()))?;
        let file = out.into_inner().map_err(|error| part.cannot(error.into_error()))?;
        file.sync_all().map_err(|error| part.cannot(error))?;
        let sha256 = format!("{:x}", digest.finalize());
        let path = dir.join(format!("{}-{}.csv", moment(now), &sha256[..8]));
        // The list is renamed first, so that every snapshot that exists has its list.
        let origins = origins.map(|(list, part)| keep_list(list, &part, &path.with_extension(LIST))).transpose()?;
        part.rename(&path)?;
        forget_oldest(&dir, &path).map_err(|error| SnapshotError { path: dir, error })?;
        Ok(Snapshot { path, rows, sha256, skipped_setup: Vec::new(), origins })
    }
}

/// Syncs the list to disk and renames it to its final name.
fn keep_list(list: OriginsWriter<BufWriter<File>>, part: &Part, path: &Path) -> Result<PathBuf, SnapshotError> {
    let file = list.into_inner().into_inner().map_err(|error| part.cannot(error.into_error()))?;
    file.sync_all().map_err(|error| part.cannot(error))?;
    part.rename(path)?;
    Ok(path.to_owned())
}

/// The hidden file; dropping this removes it, unless it was renamed.
pub(super) struct Part {
    path: PathBuf,
}

impl Part {
    /// Creates a hidden file in a directory, open for reading and writing, and locks it: if another process can lock
    /// it, its writer has ended.
    pub fn begin(dir: &Path) -> Result<(File, Self), SnapshotError> {
        let part = Self { path: dir.join(format!(".{}-{}{PART}", std::process::id(), clock::nanos())) };
        let file = own::create_new(&part.path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        Ok((locked.map_err(|error| part.cannot(error))?, part))
    }

    /// The error, with the path of this file.
    pub fn cannot(&self, error: io::Error) -> SnapshotError {
        SnapshotError { path: self.path.clone(), error }
    }

    /// Renames the file, replacing an existing one of that name, and syncs the directory.
    pub fn rename(&self, to: &Path) -> Result<(), SnapshotError> {
        let dir = to.parent().unwrap_or(to);
        let renamed = own::rename(&self.path, to).and_then(|()| own::sync_directory(dir));
        renamed.map_err(|error| self.cannot(error))
    }
}

/// The directory of a source below the state directory: created if missing, leftovers of killed processes removed.
pub(super) fn directory(state: &Path, source: &str) -> Result<PathBuf, SnapshotError> {
    let dir = state.join("sets").join(source);
    let made = own::make_directories(&dir);
    made.and_then(|()| sweep(&dir)).map_err(|error| SnapshotError { path: dir.clone(), error })?;
    Ok(dir)
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the rename there is nothing to remove; if the removal fails, the next snapshot removes the file.
        drop(own::remove(&self.path));
    }
}

/// Passes the bytes on and adds them to the digest.
struct Hashed {
    out: BufWriter<File>,
    digest: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `20261122T023000Z`: sorting by name sorts by time.
fn moment(now: i64) -> String {
    let moment = DateTime::from_timestamp(now, 0).unwrap_or_default();
    moment.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Removes the hidden files that killed processes left: those that no process has locked.
fn sweep(dir: &Path) -> io::Result<()> {
    for name in names(dir, |name| name.starts_with('.') && name.ends_with(PART))? {
        let path = dir.join(name);
        match own::open(&path) {
            Ok(file) if file.try_lock().is_ok() => own::remove(&path)?,
            _ => {}
        }
    }
    Ok(())
}

fn forget_oldest(dir: &Path, newest: &Path) -> io::Result<()> {
    let mut all = names(dir, |name| !name.starts_with('.') && name.ends_with(".csv"))?;
    all.sort();
    let extra = all.len().saturating_sub(KEPT);
    let paths = all.into_iter().map(|name| dir.join(name)).take(extra);
    paths.filter(|path| path != newest).try_for_each(|path| {
        own::remove(&path.with_extension(LIST))?;
        own::remove(&path)
    })
}

pub(super) fn names(dir: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let names = own::names(dir)?.into_iter().map(|name| name.to_string_lossy().into_owned());
    Ok(names.filter(|name| wanted(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const NOW: i64 = 1_795_255_200;

    fn listed(state: &Path) -> Vec<String> {
        let mut all = names(&state.join("sets/x"), |_| true).unwrap();
        all.sort();
        all
    }

    #[test]
    fn a_snapshot_is_csv_with_the_digest_of_its_bytes() {
        let state = tempfile::tempdir().unwrap();
        let mut writer = SnapshotWriter::begin(state.path(), "x", &["user", "cohort"], NOW).unwrap();
        writer.row(&["é, \"1\"", ""]).unwrap();
        writer.row(&["a\nb", "2"]).unwrap();
        let snapshot = writer.finish().unwrap();
        let bytes = fs::read(&snapshot.path).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), "user,cohort\n\"é, \"\"1\"\"\",\n\"a\nb\",2\n");
        assert_eq!((snapshot.rows, snapshot.sha256.as_str()), (2, format!("{:x}", Sha256::digest(&bytes)).as_str()));
        assert_eq!(
            snapshot.path.file_name().unwrap().to_string_lossy(),
            format!("20261121T100000Z-{}.csv", &snapshot.sha256[..8])
        );
        assert_eq!(fs::metadata(&snapshot.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(listed(state.path()).len(), 1);
    }

    #[test]
    fn what_does_not_end_leaves_nothing_and_what_was_killed_is_swept() {
        let state = tempfile::tempdir().unwrap();
        let mut writer = SnapshotWriter::begin(state.path(), "x", &["user"], NOW).unwrap();
        writer.row(&["1"]).unwrap();
        fs::write(state.path().join("sets/x/.1-1.part"), "left").unwrap();
        let second = SnapshotWriter::begin(state.path(), "x", &["user"], NOW).unwrap();
        assert_eq!(listed(state.path()).len(), 2, "the two that are being written");
        drop((writer, second));
        assert_eq!(listed(state.path()), Vec::<String>::new());
        let mut ragged = SnapshotWriter::begin(state.path(), "x", &["user", "cohort"], NOW).unwrap();
        assert!(ragged.row(&["1"]).is_err());
    }

    #[test]
    fn the_last_seven_are_kept() {
        let state = tempfile::tempdir().unwrap();
        for hour in 0..9 {
            SnapshotWriter::begin(state.path(), "x", &["user"], NOW + hour * 3_600).unwrap().finish().unwrap();
        }
        let all = listed(state.path());
        assert_eq!(all.len(), KEPT);
        assert!(all[0].starts_with("20261121T120000Z-"), "{all:?}");
        // The newest snapshot is kept even if the clock went back.
        let late = SnapshotWriter::begin(state.path(), "x", &["user"], NOW - 9_999).unwrap().finish().unwrap();
        assert!(late.path.exists());
    }
}
