//! The first pass over a file: determines its form before any record is read.
//! It must not judge records; of the lines after the header it reads only the first, to check the delimiter.

use std::io::{Read, Seek, SeekFrom};

use super::cells::{Cells, Quoting};
use super::columns::Columns;
use super::course_list::is_list_header;
use super::course_text::is_section;
use super::encoding::survey;
use super::header::{self, Header};
use super::kinds::Layout;
use super::lines::{Ahead, Lines};
use super::native::first_separator;
use super::preface::{Preface, Title};
use super::records::{Form, Records};
use super::{Delimiter, Encoding, Fallback, FileProblem, Kind, Operation, Reading, says_nothing};
use crate::problem::{Code, Problem};

/// The most sections of a text that are remembered.
const MOST_SECTIONS: usize = 10_000;

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
    /// `None` in the native form, where each line has its own, unless the file names it (`sep=;`).
    pub delimiter: Option<Delimiter>,
    pub kind: Kind,
    /// The column names as written; empty in the native form.
    pub header: Vec<String>,
    /// The physical line of the header; 0 if there is none.
    pub header_line: u64,
    /// The physical line that names the delimiter (`sep=;`); 0 if there is none.
    pub sep_line: u64,
    /// The lines before the header that are not read.
    pub titles: Vec<Title>,
    /// Physical lines, blank ones and the header included.
    pub lines: u64,
    /// Whether any line besides the header is not blank; if not, there is nothing to apply.
    pub has_data: bool,
    /// The lines of a text that begin a section; `None` if there are too many to be remembered.
    pub sections: Option<Vec<u64>>,
    pub(super) columns: Columns,
}

/// Reads the whole file and determines its encoding, its kind, its delimiter and its columns.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid`, `column-unknown`, `column-twice`,
/// `column-missing`, `delimiter-suspect`, `header-misplaced` or, for a header that must be there, `row-too-long`.
pub fn scan<R: Read + Seek>(file: &mut R, reading: &Reading) -> Result<Scan, FileProblem> {
    file.seek(SeekFrom::Start(0))?;
    let survey = survey(&mut *file, Some(reading.fallback))?;
    let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
    let (preface, header) = top(&mut lines, reading.kind)?;
    if let Some((_, header)) = &header
        && let Some(data) = next_line(&mut lines)?
    {
        data.is_cut_like(header)?;
    }
    let mut scan = Scan {
        sha256: survey.sha256,
        bytes: survey.bytes,
        encoding: survey.encoding,
        bom: survey.bom,
        damaged: survey.damaged,
        delimiter: preface.delimiter(),
        kind: reading.kind.unwrap_or(Kind::Native),
        header: Vec::new(),
        header_line: 0,
        sep_line: preface.sep.map_or(0, |(line, _)| line),
        titles: Vec::new(),
        lines: survey.lines,
        has_data: false,
        sections: Some(Vec::new()),
        columns: Columns::native(),
    };
    if let Some((line, header)) = header {
        scan.kind = Kind::Header;
        scan.header_line = line;
        scan.titles = preface.titles;
        scan.delimiter = Some(header.delimiter);
        scan.header = header.names;
        scan.columns = header.columns;
    }
    scan.has_data = has_data(&mut *file, &scan)?;
    Ok(scan)
}

/// Reads a whole file whose columns a reader of its own knows, and determines its encoding, its header and its
/// delimiter: the header is the first line that is no title, and does not begin with one of
/// `comments`.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid` or `delimiter-suspect`.
pub fn scan_table<R: Read + Seek>(
    file: &mut R,
    fallback: Fallback,
    comments: &'static [char],
) -> Result<Scan, FileProblem> {
    file.seek(SeekFrom::Start(0))?;
    let survey = survey(&mut *file, Some(fallback))?;
    let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
    let mut preface = Preface::default();
    let mut header: Option<(u64, Delimiter, Vec<String>)> = None;
    while preface.admits_header()
        && let Some(line) = next_line(&mut lines)?
    {
        if preface.takes_sep(&line, &Delimiter::ALL).map_err(FileProblem::Rejected)? {
            continue;
        }
        if line.begins_with(comments) {
            continue;
        }
        let cut = |delimiter| (line.number, delimiter, header::names(&line.text, delimiter));
        let delimiters = preface.delimiter().map_or(Delimiter::ALL.to_vec(), |named| vec![named]);
        let widest = delimiters.into_iter().rev().map(cut).max_by_key(|(.., names)| names.len());
        let is_title = widest.as_ref().is_none_or(|(.., names)| names.len() < 2);
        header = header.filter(|_| is_title).or(widest);
        if !is_title {
            break;
        }
        preface.add(&line);
    }
    let (header_line, delimiter, header) = header.unwrap_or((0, Delimiter::Comma, Vec::new()));
    let mut scan = Scan {
        sha256: survey.sha256,
        bytes: survey.bytes,
        encoding: survey.encoding,
        bom: survey.bom,
        damaged: survey.damaged,
        delimiter: Some(delimiter),
        kind: Kind::Header,
        columns: Columns::of_table(header.len(), Vec::new()),
        header,
        header_line,
        sep_line: preface.sep.map_or(0, |(line, _)| line),
        titles: Vec::new(),
        lines: survey.lines,
        has_data: false,
        sections: Some(Vec::new()),
    };
    scan.has_data = has_data(&mut *file, &scan)?;
    Ok(scan)
}

/// Reads a whole file whose rows need no header, and determines its encoding. A list may name its delimiter (`sep=;`),
/// and have a header all the same.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid` or `delimiter-suspect`.
pub fn scan_list<R: Read + Seek>(file: &mut R, fallback: Fallback, layout: Layout) -> Result<Scan, FileProblem> {
    file.seek(SeekFrom::Start(0))?;
    let survey = survey(&mut *file, Some(fallback))?;
    let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
    let mut preface = Preface::default();
    let mut header: Option<(u64, Vec<String>)> = None;
    while layout == Layout::List
        && let Some(line) = next_line(&mut lines)?
    {
        if preface.takes_sep(&line, &Delimiter::ALL).map_err(FileProblem::Rejected)? {
            continue;
        }
        let delimiter = preface.delimiter().or_else(|| first_separator(&line.text)).unwrap_or(Delimiter::Comma);
        let names = header::names(&line.text, delimiter);
        header = (!line.too_long && is_list_header(&names)).then_some((line.number, names));
        break;
    }
    let (header_line, header) = header.unwrap_or_default();
    let mut scan = Scan {
        sha256: survey.sha256,
        bytes: survey.bytes,
        encoding: survey.encoding,
        bom: survey.bom,
        damaged: survey.damaged,
        delimiter: preface.delimiter(),
        kind: Kind::Native,
        header,
        header_line,
        sep_line: preface.sep.map_or(0, |(line, _)| line),
        titles: Vec::new(),
        lines: survey.lines,
        has_data: false,
        sections: Some(Vec::new()),
        columns: Columns::of_list(),
    };
    scan.has_data = has_data(&mut *file, &scan)?;
    if layout == Layout::Text {
        scan.sections = sections(&mut *file, &scan)?;
    }
    Ok(scan)
}

/// The lines of a text that begin a section.
fn sections<R: Read + Seek>(file: &mut R, scan: &Scan) -> Result<Option<Vec<u64>>, FileProblem> {
    let mut lines = Lines::open(file, scan.encoding, scan.bom, scan.damaged)?;
    let mut sections = Vec::new();
    while let Some(line) = next_line(&mut lines)? {
        if is_section(&line.text) {
            if sections.len() == MOST_SECTIONS {
                return Ok(None);
            }
            sections.push(line.number);
        }
    }
    Ok(Some(sections))
}

impl Scan {
    /// The lines that another file needs too to be read like this one: `sep=`, the header, the sections; `None` if they
    /// are not known.
    pub fn head(&self) -> Option<Vec<u64>> {
        let top = [self.sep_line, self.header_line].into_iter().filter(|line| *line > 0);
        Some(top.chain(self.sections.clone()?).collect())
    }
}

/// The lines before the records: what stands before the header, and the header with its line, if there is one. Without
/// a header the whole file is searched for one: a file that has it further down is refused, as its lines would be read
/// by the wrong form. That costs a pass that splits only lines without an operation.
fn top<R: Read>(lines: &mut Lines<R>, kind: Option<Kind>) -> Result<(Preface, Option<(u64, Header)>), FileProblem> {
    let refused = FileProblem::Rejected;
    let mut preface = Preface::default();
    let mut first: Option<Line> = None;
    while preface.admits_header()
        && let Some(line) = next_line(lines)?
    {
        if preface.takes_sep(&line, &Delimiter::ALL).map_err(refused)? {
            continue;
        }
        if kind == Some(Kind::Native) {
            return Ok((preface, None));
        }
        let cut = if line.too_long { None } else { header::recognise(&line.text, preface.delimiter()) };
        if let Some(cut) = cut {
            let header = header::understand(line.number, cut, preface.delimiter()).map_err(refused)?;
            return Ok((preface, Some((line.number, header))));
        }
        preface.add(&line);
        first.get_or_insert(line);
    }
    let Some(first) = first else { return Ok((preface, None)) };
    if kind == Some(Kind::Header) {
        if first.too_long {
            return Err(refused(Problem::new(first.number, Code::RowTooLong, header::UNTOLD, "1 MiB")));
        }
        let header = header::forced(first.number, &first.text, preface.delimiter()).map_err(refused)?;
        return Ok((preface.of_no_header(), Some((first.number, header))));
    }
    let is_header = |text: &str| header::recognise(text, preface.delimiter()).is_some();
    while let Some(line) = next_line_that(lines, &is_header)? {
        if !line.too_long {
            return Err(refused(preface.misplaced(line.number)));
        }
    }
    if !first.too_long {
        header::is_not_delimited_otherwise(first.number, &first.text).map_err(refused)?;
    }
    Ok((preface, None))
}

/// Whether the file has a record; reads up to the first one.
fn has_data<R: Read + Seek>(file: &mut R, scan: &Scan) -> Result<bool, FileProblem> {
    let mut records = Records::open(file, scan)?;
    while let Some(record) = records.next()? {
        if !matches!(record.form, Form::Blank | Form::Header) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A line that is not blank; of one that is too long, its beginning.
pub(super) struct Line {
    pub number: u64,
    pub text: String,
    pub too_long: bool,
}

/// The next line that is not blank.
pub(super) fn next_line<R: Read>(lines: &mut Lines<R>) -> Result<Option<Line>, FileProblem> {
    next_line_that(lines, &|text| !is_empty_row(text))
}

/// The next line that is `wanted`, or too long.
fn next_line_that<R: Read>(lines: &mut Lines<R>, wanted: &dyn Fn(&str) -> bool) -> Result<Option<Line>, FileProblem> {
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
                let text = wanted(text).then(|| text.to_owned());
                lines.take(span.next, 1);
                if let Some(text) = text {
                    return Ok(Some(Line { number, text, too_long: false }));
                }
            }
        }
    }
}

/// Whether a line holds nothing, or empty cells only.
pub(super) fn is_empty_row(text: &str) -> bool {
    let empty = |delimiter: Delimiter| {
        let mut cells = Cells::rfc4180();
        cells.add_line(text, delimiter.as_char()) == Quoting::Complete && cells.say_nothing()
    };
    says_nothing(text) || (text.contains("\"\"") && Delimiter::ALL.into_iter().any(empty))
}

impl Line {
    /// Whether the line begins with one of these characters, in quotes or not.
    pub fn begins_with(&self, one: &[char]) -> bool {
        self.text.trim_start_matches('"').starts_with(one)
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
            Some(other) => Err(FileProblem::Rejected(header::suspect(self.number, other, &Delimiter::ALL))),
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
