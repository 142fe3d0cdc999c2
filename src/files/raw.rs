//! Records as they are written in the file, for retry files and lists of errors.
//! It must not know why a record is requested.

use std::io::{Read, Seek};
use std::iter::Peekable;

use super::records::{Form, Records};
use super::{FileProblem, Masking, Scan};

/// A record as written, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// The physical line on which the record begins.
    pub line: u64,
    /// All its physical lines, line ends inside it as written, without the end of the last one.
    pub text: String,
    /// Whether `text` is only the beginning, because the line is longer than [`super::LINE_LIMIT`].
    pub cut: bool,
}

/// The requested records, in the order of the file; after an error there are no more.
pub struct RawLines<R, L: Iterator<Item = u64>> {
    records: Records<R>,
    masking: Option<Masking>,
    wanted: Peekable<L>,
}

/// The records that begin on these physical lines, read in one pass. `lines` must be ascending; a number given twice
/// counts once, and numbers on which no record begins are skipped. The header is a record too (`scan.header_line`).
///
/// # Errors
/// The file cannot be positioned. The iterator returns later errors.
pub fn raw_lines<R, L>(file: R, scan: &Scan, lines: L) -> Result<RawLines<R, L::IntoIter>, FileProblem>
where
    R: Read + Seek,
    L: IntoIterator<Item = u64>,
{
    Ok(RawLines::of(Records::open(file, scan)?, None, lines))
}

impl<R, L: Iterator<Item = u64>> RawLines<R, L> {
    /// The records of these lines, with masked passwords if the file has some.
    pub(super) fn of(records: Records<R>, masking: Option<Masking>, lines: impl IntoIterator<IntoIter = L>) -> Self {
        RawLines { records, masking, wanted: lines.into_iter().peekable() }
    }
}

impl<R: Read, L: Iterator<Item = u64>> RawLines<R, L> {
    /// Reads to the end of the file: only there it is certain that its bytes are those that were scanned.
    ///
    /// # Errors
    /// The file's error.
    pub fn finish(&mut self) -> Result<(), FileProblem> {
        while self.records.next()?.is_some() {}
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<RawLine>, FileProblem> {
        while self.wanted.peek().is_some()
            && let Some(record) = self.records.next()?
        {
            while self.wanted.next_if(|&line| line < record.line).is_some() {}
            if self.wanted.next_if_eq(&record.line).is_some() {
                let text = self.records.text(&record);
                let text = match &self.masking {
                    Some(masking) => masking.shown(&record, text).into_owned(),
                    None => text.to_owned(),
                };
                return Ok(Some(RawLine { line: record.line, text, cut: record.form == Form::TooLong }));
            }
        }
        Ok(None)
    }
}

impl<R: Read, L: Iterator<Item = u64>> Iterator for RawLines<R, L> {
    type Item = Result<RawLine, FileProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
