//! Checks a flat file without a database: its form, and every line that cannot be read.
//! It must not report a line as right: only the site has its accounts, courses and roles.

#![allow(clippy::disallowed_methods, reason = "a file that the caller names")]

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::config::Settings;
use crate::files::{self, Entry, FileProblem, Kind, Reading, Scan};
use crate::front::{Who, failed};
use crate::problem::{Code, Problem};

/// A file whose form is known.
pub struct Check {
    /// Its form.
    pub scan: Scan,
    file: File,
    reading: Reading,
    shown: String,
}

/// The numbers of records and blank lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Records, readable or not.
    pub records: u64,
    /// Blank lines.
    pub blank: u64,
    /// Records that cannot be read.
    pub failed: u64,
}

impl Check {
    /// Opens a regular file (a pipe could block for ever) and determines its form: `kind`, or that of its first line.
    /// The inner error is the problem of a file that is refused as a whole.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn of(who: &Who, settings: &Settings, path: &Path, kind: Option<Kind>) -> io::Result<Result<Self, Problem>> {
        let shown = path.display().to_string();
        who.asks(format_args!("check {shown}"));
        let cannot = format!("cannot open {shown}");
        if !fs::metadata(path).map_err(failed(&cannot))?.is_file() {
            return Err(io::Error::other(format!("{cannot}: not a regular file")));
        }
        let mut file = File::open(path).map_err(failed(&cannot))?;
        let zone = settings.site.timezone.unwrap_or(chrono_tz::UTC);
        let flatfile = &settings.flatfile;
        let reading = Reading { kind, fallback: flatfile.encoding_fallback, zone, small_times: flatfile.small_times };
        match files::scan(&mut file, &reading) {
            Ok(scan) => Ok(Ok(Self { scan, file, reading, shown })),
            Err(FileProblem::Rejected(problem)) => Ok(Err(problem)),
            Err(FileProblem::Io(error)) => Err(failed(shown)(error)),
        }
    }

    /// Reads the file to its end and passes each problem to `tell`; a file without a record has one as well, and so has
    /// each line before the header that is not read, which does not count as failed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn problems(mut self, mut tell: impl FnMut(Problem)) -> Result<Counts, FileProblem> {
        self.scan.titles.iter().for_each(|title| tell(title.problem()));
        let mut reader = files::read(&mut self.file, &self.scan, &self.reading)?;
        for entry in reader.by_ref() {
            if let Entry::Bad(problem) = entry? {
                tell(problem);
            }
        }
        let tally = reader.tally();
        let records = tally.read + tally.bad;
        if records == 0 {
            tell(Problem::new(0, Code::FileEmpty, self.shown, ""));
        }
        Ok(Counts { records, blank: tally.blank, failed: tally.bad })
    }
}
