//! The first pass over a file: determines its form before any record is read.
//! It must not judge records; of the lines after the header it reads only the first, to check the delimiter.

use std::io::{Read, Seek, SeekFrom};

use super::cells::{Cells, Quoting};
use super::columns::Columns;
use super::encoding::survey;
use super::header::{self, Header};
use super::lines::{Ahead, Lines};
use super::{Delimiter, Encoding, FileProblem, Kind, Operation, Reading, trimmed};
use crate::problem::{Code, Problem};

/// The form of a file.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The digest of all bytes, 64 hexadecimal digits.
    pub sha256: String,
    pub bytes: u64,
    pub encoding: Encoding,
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
    /// Whether some bytes are not of the encoding: each costs its line.
    pub damaged: bool,
    /// `None` in the native form, where each line has its own.
    pub delimiter: Option<Delimiter>,
    pub kind: Kind,
    /// The column names as written; empty in the native form.
    pub header: Vec<String>,
    /// The physical line of the header; 0 if there is none.
    pub header_line: u64,
    /// Physical lines, blank ones and the header included.
    pub lines: u64,
    /// Whether any line besides the header is not blank; if not, there is nothing to apply.
    pub has_data: bool,
    pub(super) columns: Columns,
}

/// Reads the whole file and determines its encoding, its kind, its delimiter and its columns.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid`, `column-unknown`, `column-twice`,
/// `column-missing`, `delimiter-suspect` or, for a header that must be there, `row-too-long`.
pub fn scan<R: Read + Seek>(file: &mut R, reading: &Reading) -> Result<Scan, FileProblem> {
    file.seek(SeekFrom::Start(0))?;
    let survey = survey(&mut *file, Some(reading.fallback))?;
    let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
    let first = next_line(&mut lines)?;
    let header = match &first {
        Some(first) => first.header(reading.kind)?,
        None => None,
    };
    let has_data = match &header {
        Some(header) => match next_line(&mut lines)? {
            Some(data) => data.is_cut_like(header).map(|()| true)?,
            None => false,
        },
        None => first.is_some(),
    };
    let mut scan = Scan {
        sha256: survey.sha256,
        bytes: survey.bytes,
        encoding: survey.encoding,
        bom: survey.bom,
        damaged: survey.damaged,
        delimiter: None,
        kind: reading.kind.unwrap_or(Kind::Native),
        header: Vec::new(),
        header_line: 0,
        lines: survey.lines,
        has_data,
        columns: Columns::native(),
    };
    if let (Some(first), Some(header)) = (first, header) {
        scan.kind = Kind::Header;
        scan.header_line = first.number;
        scan.delimiter = Some(header.delimiter);
        scan.header = header.names;
        scan.columns = header.columns;
    }
    Ok(scan)
}

/// A line that is not blank; of one that is too long, its beginning.
pub(super) struct Line {
    pub number: u64,
    pub text: String,
    pub too_long: bool,
}

/// The next line that is not blank.
pub(super) fn next_line<R: Read>(lines: &mut Lines<R>) -> Result<Option<Line>, FileProblem> {
    loop {
        let number = lines.taken() + 1;
        match lines.ahead(0)? {
            Ahead::End => return Ok(None),
            Ahead::TooLong => {
                let text = lines.text(0, lines.beginning()).to_owned();
                lines.skip_long()?;
                return Ok(Some(Line { number, text, too_long: true }));
            }
            Ahead::Line(span) => {
                let text = lines.text(span.from, span.to);
                let text = (!trimmed(text).is_empty()).then(|| text.to_owned());
                lines.take(span.next, 1);
                if let Some(text) = text {
                    return Ok(Some(Line { number, text, too_long: false }));
                }
            }
        }
    }
}

impl Line {
    /// This first line as a header, if it is one.
    fn header(&self, kind: Option<Kind>) -> Result<Option<Header>, FileProblem> {
        let forced = kind == Some(Kind::Header);
        if self.too_long && forced {
            let problem = Problem::new(self.number, Code::RowTooLong, header::UNTOLD, "1 MiB");
            return Err(FileProblem::Rejected(problem));
        }
        if self.too_long || kind == Some(Kind::Native) {
            return Ok(None);
        }
        header::recognise(self.number, &self.text, forced).map_err(FileProblem::Rejected)
    }

    /// Refuses the file if its first record has one cell under the header's delimiter, but under
    /// another one is a whole record that begins with an operation or is as wide as the header.
    fn is_cut_like(&self, header: &Header) -> Result<(), FileProblem> {
        let whole = |cells: &Cells| {
            let begins = Operation::parse(cells.get(0)).is_some();
            header.columns.fit(cells) && (begins || cells.len() == header.names.len())
        };
        let used = self.cells(header.delimiter.as_char());
        if self.too_long || used.is_none_or(|cells| cells.len() > 1) {
            return Ok(());
        }
        let other =
            [',', ';', '\t', '|', ':'].into_iter().find(|&other| self.cells(other).is_some_and(|cells| whole(&cells)));
        match other {
            Some(other) => Err(FileProblem::Rejected(header::suspect(self.number, other))),
            None => Ok(()),
        }
    }

    /// The line split at a delimiter; `None` if its quotes do not pair.
    fn cells(&self, delimiter: char) -> Option<Cells> {
        let mut cells = Cells::rfc4180();
        let quoting = cells.add_line(&self.text, delimiter);
        (quoting == Quoting::Complete).then_some(cells)
    }
}
