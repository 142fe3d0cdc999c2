//! The base of a source: the merged content of all its archives, kept as a zip file beside the snapshots, on which the
//! next delta builds. It must not know which base is current; the run that applied it records that.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::manifest::{MANIFEST, Mode};
use super::tables::{ALL, OneRosterFile};
use crate::disk::{digest_of, own};
use crate::outcome::OneRosterBase;
use crate::source::snapshot::{Part, SnapshotError, directory, names};

/// How the name of a base begins and ends, with its digest in between.
const BEGIN: &str = "roster-";
const END: &str = ".zip";

impl OneRosterBase {
    /// The path of the base with this digest.
    pub fn path(state: &Path, source: &str, sha256: &str) -> PathBuf {
        state.join("sets").join(source).join(format!("{BEGIN}{sha256}{END}"))
    }
}

/// A base on disk. While this lives, its lock keeps the file from being removed.
#[derive(Debug)]
pub struct BaseKept {
    pub sha256: String,
    _lock: File,
}

/// A base that is being written; if it is dropped unfinished, it leaves no file.
pub struct BaseWriter {
    zip: ZipWriter<BufWriter<File>>,
    part: Part,
    state: PathBuf,
    source: String,
    modes: Vec<(&'static str, Mode)>,
}

impl BaseWriter {
    /// Begins the base of a source below the state directory.
    ///
    /// # Errors
    /// The state directory's error.
    pub fn begin(state: &Path, source: &str) -> Result<BaseWriter, SnapshotError> {
        let (file, part) = Part::begin(&directory(state, source)?)?;
        let zip = ZipWriter::new(BufWriter::with_capacity(1 << 16, file));
        Ok(BaseWriter { zip, part, state: state.to_owned(), source: source.to_owned(), modes: Vec::new() })
    }

    /// Begins a file; it is `complete` if all its rows are known.
    pub(super) fn table(&mut self, file: &'static OneRosterFile, complete: bool) -> io::Result<BaseTable<'_>> {
        self.modes.push((file.name, if complete { Mode::Bulk } else { Mode::Delta }));
        self.zip.start_file(file.csv, options()).map_err(told)?;
        let mut table = BaseTable { csv: csv::Writer::from_writer(&mut self.zip), columns: file.columns.len() };
        table.row(|place| file.columns[place])?;
        Ok(table)
    }

    /// Syncs the base to disk and renames it to its final name.
    ///
    /// # Errors
    /// The base cannot be written or renamed; then it is removed.
    pub fn finish(mut self) -> Result<BaseKept, SnapshotError> {
        self.manifest().map_err(|error| self.part.cannot(error))?;
        let Self { zip, part, state, source, .. } = self;
        let written =
            zip.finish().map_err(told).and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error));
        let mut file = written.map_err(|error| part.cannot(error))?;
        let synced = file.sync_all().and_then(|()| file.seek(SeekFrom::Start(0)));
        let sha256 =
            synced.and_then(|_| digest_of(&mut file)).map(|(sha256, _)| sha256).map_err(|error| part.cannot(error))?;
        part.rename(&OneRosterBase::path(&state, &source, &sha256))?;
        Ok(BaseKept { sha256, _lock: file })
    }

    fn manifest(&mut self) -> io::Result<()> {
        self.zip.start_file(MANIFEST, options()).map_err(told)?;
        let mut csv = csv::Writer::from_writer(&mut self.zip);
        csv.write_record(["propertyName", "value"])?;
        csv.write_record(["manifest.version", "1.0"])?;
        csv.write_record(["oneroster.version", "1.2"])?;
        for file in ALL {
            let mode = self.modes.iter().find(|(name, _)| *name == file.name).map_or(Mode::Absent, |(_, mode)| *mode);
            csv.write_record([format!("file.{}", file.name).as_str(), mode.word()])?;
        }
        csv.flush()
    }
}

/// A file of a base that is being written.
pub(super) struct BaseTable<'a> {
    csv: csv::Writer<&'a mut ZipWriter<BufWriter<File>>>,
    columns: usize,
}

impl BaseTable<'_> {
    /// Adds a row; `cell` gives the value of each column by its position.
    pub fn row<'t>(&mut self, cell: impl Fn(usize) -> &'t str) -> io::Result<()> {
        for place in 0..self.columns {
            self.csv.write_field(cell(place))?;
        }
        Ok(self.csv.write_record(None::<&[u8]>)?)
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.csv.flush()
    }
}

/// Without timestamps, so that the same rows give the same bytes.
fn options() -> SimpleFileOptions {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    options.compression_level(Some(1)).last_modified_time(DateTime::default())
}

fn told(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Removes the bases of a source, except those in `needed` and those that a writer has locked.
///
/// # Errors
/// The state directory's error.
pub fn forget_bases(state: &Path, source: &str, needed: &[String]) -> io::Result<()> {
    let dir = state.join("sets").join(source);
    let is_base = |name: &str| name.starts_with(BEGIN) && name.ends_with(END);
    for name in names(&dir, is_base)? {
        let path = dir.join(&name);
        let sha256 = &name[BEGIN.len()..name.len() - END.len()];
        if !needed.iter().any(|needed| needed == sha256) && own::open(&path)?.try_lock().is_ok() {
            own::remove(&path)?;
        }
    }
    Ok(())
}
