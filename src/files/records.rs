//! Joins physical lines into records: blank lines, the header, and records whose quotes span lines.
//! It must not know what a cell holds; a record's number is that of its first physical line.

use std::io::{Read, Seek};
use std::ops::Range;

use super::cells::{Cells, Quoting};
use super::columns::Columns;
use super::encoding::{DAMAGE, Survey};
use super::header::UNTOLD;
use super::lines::{Ahead, LINE_LIMIT, Lines, Span};
use super::native::{first_separator, separator};
use super::scan::is_empty_row;
use super::{Delimiter, FileProblem, Kind, Scan, Scraps, says_nothing, shown};
use crate::problem::{Code, Problem, hint};

/// The form of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing, or delimiters only.
    Blank,
    /// The header, or a line before it that is not read.
    Header,
    /// Longer than [`LINE_LIMIT`], not read.
    TooLong,
    /// Its quotes do not pair; only its first physical line belongs to it.
    Unquotable,
    /// The number of cells does not fit the columns.
    Ragged,
    /// Some of its bytes are not of the encoding of the file, so [`DAMAGE`] stands in its cells.
    Damaged,
    /// Its cells are in `cells`.
    Whole,
}

/// A record and its place in the file.
pub(super) struct Record {
    /// The first physical line, 1-based.
    pub line: u64,
    /// How many physical lines it covers.
    pub physical: u64,
    pub form: Form,
    text: Range<usize>,
    next: usize,
}

/// The records of a file, each physical line in exactly one of them.
pub(super) struct Records<R> {
    lines: Lines<R>,
    /// Whether the file has bytes that are not of its encoding.
    damaged: bool,
    kind: Kind,
    delimiter: Option<char>,
    header_line: u64,
    sep_line: u64,
    pub columns: Columns,
    /// The cells of the latest record that has any.
    pub cells: Cells,
    /// The latest record, which stays in `lines` until the next call so that its text is available.
    pending: Option<(usize, u64)>,
}

impl<R: Read + Seek> Records<R> {
    /// Begins at the first line of the file that `scan` describes.
    pub fn open(file: R, scan: &Scan) -> Result<Self, FileProblem> {
        Ok(Records {
            lines: Lines::open(file, scan.encoding, scan.bom, scan.damaged)?,
            damaged: scan.damaged,
            kind: scan.kind,
            delimiter: scan.delimiter.map(Delimiter::as_char),
            header_line: scan.header_line,
            sep_line: scan.sep_line,
            columns: scan.columns.clone(),
            cells: match scan.kind {
                Kind::Native if !scan.columns.of_list => Cells::native(),
                _ => Cells::rfc4180(),
            },
            pending: None,
        })
    }

    /// Begins at the first line of a table.
    pub fn of_table(
        file: R,
        survey: &Survey,
        delimiter: char,
        header_line: u64,
        columns: Columns,
    ) -> Result<Self, FileProblem> {
        Ok(Records {
            lines: Lines::open(file, survey.encoding, survey.bom, survey.damaged)?,
            damaged: survey.damaged,
            kind: Kind::Header,
            delimiter: Some(delimiter),
            header_line,
            sep_line: 0,
            columns,
            cells: Cells::rfc4180(),
            pending: None,
        })
    }
}

impl<R: Read> Records<R> {
    /// The next record; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<Record>, FileProblem> {
        self.take_pending()?;
        let line = self.lines.taken() + 1;
        let span = match self.lines.ahead(0)? {
            Ahead::End => return Ok(None),
            Ahead::TooLong => {
                self.pending = Some((TOO_LONG, 1));
                let text = 0..self.lines.beginning();
                return Ok(Some(Record { line, physical: 1, form: Form::TooLong, text, next: TOO_LONG }));
            }
            Ahead::Line(span) => span,
        };
        let text = self.lines.text(span.from, span.to);
        let mut record = Record { line, physical: 1, form: Form::Header, text: 0..span.to, next: span.next };
        if says_nothing(text) || (line < self.header_line && is_empty_row(text)) {
            record.form = Form::Blank;
        } else if line > self.header_line && line != self.sep_line {
            self.cut(&mut record, span)?;
            // Some programs quote empty cells too.
            if matches!(record.form, Form::Whole | Form::Ragged) && self.cells.say_nothing() {
                record.form = Form::Blank;
            }
            if self.damaged && record.form == Form::Whole && self.text(&record).contains(DAMAGE) {
                record.form = Form::Damaged;
            }
        }
        self.pending = Some((record.next, record.physical));
        Ok(Some(record))
    }

    /// The text of the latest record as written, without the end of its last line; of a record
    /// that is too long, its beginning.
    pub fn text(&self, record: &Record) -> &str {
        self.lines.text(record.text.start, record.text.end)
    }

    /// Checks that the record has the cells that its columns need.
    pub fn shape(&self, record: &Record) -> Result<(), Problem> {
        let problem = |code, value: &str, hint: &str| Err(Problem::new(record.line, code, value, hint));
        let text = || if self.columns.quiet { UNTOLD.to_owned() } else { shown(self.text(record)) };
        match record.form {
            Form::TooLong => problem(Code::RowTooLong, &text(), "1 MiB"),
            Form::Unquotable => problem(Code::RowRagged, &text(), hint::QUOTE),
            Form::Ragged => problem(Code::RowRagged, &self.cells.len().to_string(), &self.columns.expected()),
            Form::Damaged => problem(Code::EncodingInvalid, &text(), hint::LINE),
            Form::Whole | Form::Blank | Form::Header => Ok(()),
        }
    }

    /// Replaces the cells of the latest record, which has the wrong number of them or quotes that do not pair, by what
    /// stands between its delimiters, and gives all values that can be read.
    pub fn tear(&mut self, record: &Record) -> Option<Scraps> {
        let several = match record.form {
            Form::TooLong => true,
            Form::Unquotable | Form::Ragged => false,
            _ => return None,
        };
        let text = self.lines.text(record.text.start, record.text.end);
        self.cells.clear();
        self.cells.add_parts(text, self.delimiter.unwrap_or(','));
        Some(Scraps::of(text, several || self.columns.exceeded_by(&self.cells)))
    }

    fn take_pending(&mut self) -> Result<(), FileProblem> {
        match self.pending.take() {
            Some((TOO_LONG, _)) => self.lines.skip_long(),
            Some((next, physical)) => {
                self.lines.take(next, physical);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn cut(&mut self, record: &mut Record, first: Span) -> Result<(), FileProblem> {
        self.cells.clear();
        record.form = match (self.kind, self.delimiter) {
            (Kind::Header, Some(delimiter)) => return self.cut_spanning(record, first, delimiter),
            _ => {
                let line = self.lines.text(first.from, first.to);
                let own = || if self.columns.of_list { first_separator(line) } else { separator(line) };
                let separator = self.delimiter.or_else(|| own().map(Delimiter::as_char)).unwrap_or(',');
                match self.cells.add_line(line, separator) {
                    Quoting::Complete if self.columns.fit(&self.cells) => Form::Whole,
                    Quoting::Complete => Form::Ragged,
                    Quoting::Open | Quoting::Broken => Form::Unquotable,
                }
            }
        };
        Ok(())
    }

    /// Splits a record that may span several lines. If it turns out to be invalid, only its first line is: the lines
    /// after it are read again as records of their own. It is invalid too if a quote is left open and a later one
    /// closes it: then the records between them are in one cell.
    fn cut_spanning(&mut self, record: &mut Record, first: Span, delimiter: char) -> Result<(), FileProblem> {
        let mut quoting = self.cells.add_line(self.lines.text(first.from, first.to), delimiter);
        let mut last = first;
        let mut physical = 1;
        while quoting == Quoting::Open && last.next <= LINE_LIMIT && self.columns.has_room(&self.cells) {
            match self.lines.ahead(last.next)? {
                Ahead::Line(span) => {
                    let text = self.lines.text(span.from, span.to);
                    quoting = self.cells.add_line(text, delimiter);
                    (last, physical) = (span, physical + 1);
                    if quoting == Quoting::Open && self.columns.are_in(text, delimiter) {
                        break;
                    }
                }
                Ahead::TooLong | Ahead::End => break,
            }
        }
        let fits = self.columns.fit(&self.cells) && self.columns.pair(&self.cells, delimiter);
        record.form = match quoting {
            Quoting::Complete if fits && last.to <= LINE_LIMIT => {
                (record.text.end, record.next, record.physical) = (last.to, last.next, physical);
                Form::Whole
            }
            Quoting::Complete if physical == 1 => Form::Ragged,
            _ => Form::Unquotable,
        };
        Ok(())
    }
}

/// Stands for the end of a record that is not known yet.
const TOO_LONG: usize = usize::MAX;
