//! Turns records into flat-file lines: the checks of one line, in Moodle's order (spec flatfile 3.7), and the tally of
//! all lines. It must not know whether a user, a course or a role exists.

use std::io::{Read, Seek};

use super::columns::Column;
use super::header::ends_with_operation;
use super::records::{Form, Record, Records};
use super::times::{self, Bound};
use super::{Entry, FileProblem, FlatLine, Operation, Reading, Scan, shown};
use crate::problem::{Code, Problem, hint};

/// Every physical line of the file, in exactly one of these counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Physical lines read so far; the sum of the other counts.
    pub physical: u64,
    pub blank: u64,
    /// The header, and the lines before it that are not read.
    pub header: u64,
    /// Lines that begin a record given as [`Entry::Line`].
    pub read: u64,
    /// Lines that begin a record given as [`Entry::Bad`].
    pub bad: u64,
    /// Further lines of records whose quotes span lines.
    pub continued: u64,
    /// How many of `bad` are ragged: too many of them mean a wrong delimiter (spec files 1.2).
    pub ragged: u64,
}

/// The entries of a file, in its order; after an error there are no more.
pub struct Reader<R> {
    records: Records<R>,
    reading: Reading,
    names: ColumnNames,
    tally: Tally,
    ended: bool,
}

/// The names of the identifying columns in messages.
struct ColumnNames {
    role: String,
    user: String,
    course: String,
}

/// Reads the file that `scan` describes, from its beginning.
///
/// # Errors
/// The file cannot be positioned. The iterator returns later errors, also for a file that changed since it was scanned.
pub fn read<R: Read + Seek>(file: R, scan: &Scan, reading: &Reading) -> Result<Reader<R>, FileProblem> {
    let name = |column: Column, native: &str| {
        let place = scan.columns.place(column);
        let written = place.and_then(|place| scan.header.get(place));
        written.map_or_else(|| native.to_owned(), |name| shown(name))
    };
    Ok(Reader {
        records: Records::open(file, scan)?,
        reading: reading.clone(),
        names: ColumnNames {
            role: name(Column::Role, "role"),
            user: name(Column::User, "user"),
            course: name(Column::Course, "course"),
        },
        tally: Tally::default(),
        ended: false,
    })
}

impl<R: Read> Reader<R> {
    /// The counts up to the latest entry; complete when the iterator has ended.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn advance(&mut self) -> Result<Option<Entry>, FileProblem> {
        while let Some(record) = self.records.next()? {
            self.tally.physical += record.physical;
            self.tally.continued += record.physical - 1;
            match record.form {
                Form::Blank => self.tally.blank += 1,
                Form::Header => self.tally.header += 1,
                _ => {
                    let entry = self.flat_line(&record).map_or_else(Entry::Bad, Entry::Line);
                    match &entry {
                        Entry::Line(_) => self.tally.read += 1,
                        Entry::Bad(problem) => {
                            self.tally.bad += 1;
                            self.tally.ragged += u64::from(problem.code == Code::RowRagged);
                        }
                    }
                    return Ok(Some(entry));
                }
            }
        }
        Ok(None)
    }

    /// Checks up to the first problem: shape, operation, role, user, course, times, their order.
    fn flat_line(&self, record: &Record) -> Result<FlatLine, Problem> {
        let line = record.line;
        let bad = |code, value: &str, hint: &str| Problem::new(line, code, shown(value), hint);
        self.shape(record)?;
        let cell = |column| self.records.columns.of(column, &self.records.cells);
        let operation = Operation::parse(cell(Column::Operation))
            .ok_or_else(|| bad(Code::BadVerb, cell(Column::Operation), "add, del"))?;
        let filled = |column, name: &str| match cell(column) {
            "" => Err(bad(Code::EmptyIdentifier, name, "")),
            text => Ok(text),
        };
        let role = filled(Column::Role, &self.names.role)?.to_lowercase();
        let user = filled(Column::User, &self.names.user)?.to_owned();
        let course = filled(Column::Course, &self.names.course)?.to_owned();
        let time = |column, bound| {
            let text = cell(column);
            times::parse(text, bound, self.reading.zone, self.reading.small_times)
                .map_err(|hint| bad(Code::BadTime, text, &hint))
        };
        let timestart = time(Column::TimeStart, Bound::Start)?;
        let timeend = time(Column::TimeEnd, Bound::End)?;
        if timeend != 0 && timestart > timeend {
            return Err(bad(Code::EndBeforeStart, cell(Column::TimeEnd), &shown(cell(Column::TimeStart))));
        }
        Ok(FlatLine { line, operation, role, user, course, timestart, timeend })
    }

    /// Checks that the record has the cells that its columns need.
    fn shape(&self, record: &Record) -> Result<(), Problem> {
        let begins_again = |cell| ends_with_operation(cell) || Operation::parse(cell).is_some();
        self.records.shape(record).map_err(|mut problem| {
            if record.form == Form::Ragged && self.records.cells.iter().skip(1).any(begins_again) {
                problem.hint = hint::SEVERAL_RECORDS.to_owned();
            }
            problem
        })
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, FileProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.advance().transpose();
        self.ended = !matches!(entry, Some(Ok(_)));
        entry
    }
}
