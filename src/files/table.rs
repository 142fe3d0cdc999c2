//! Tables: files with a header whose columns the caller names, read record by record like a flat file.
//! It must not know what a column means: a full set, a manifest and a OneRoster file are all tables.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Deref;

use super::columns::Columns;
use super::encoding::survey;
use super::header::{self, UNTOLD, suspect};
use super::lines::Lines;
use super::names;
use super::names::{PASSWORD, bare};
use super::preface::{Preface, Title};
use super::records::{Form, Records};
use super::scan::{Line, next_line};
use super::{Delimiter, Encoding, Fallback, FileProblem, Scraps, shown};
use crate::problem::{Code, Problem, hint};

/// How many lines behind the first ones are searched for a header.
const NEAR: usize = 20;

/// A column that a table may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// The names that the header may use, the one for messages first. Without any, the column is never found.
    pub names: Vec<String>,
    /// Whether a header without it is refused.
    pub required: bool,
}

impl TableColumn {
    /// A column of this name only, without which the header is refused.
    pub fn required(name: &str) -> TableColumn {
        TableColumn { names: vec![name.to_owned()], required: true }
    }

    /// A column of this name only, which may be missing.
    pub fn optional(name: &str) -> TableColumn {
        TableColumn { names: vec![name.to_owned()], required: false }
    }
}

/// How a table is to be read.
#[derive(Clone, Debug)]
pub struct TableForm {
    /// The cells are addressed by the position in this list.
    pub columns: Vec<TableColumn>,
    /// Whether names are compared with their case and accents.
    pub exact: bool,
    /// The delimiters that are accepted; the one that gives the most known names is used.
    pub delimiters: &'static [Delimiter],
    /// The encoding of a file that is not Unicode; `None` refuses it.
    pub fallback: Option<Fallback>,
    /// What a line begins with that is a comment, and no header.
    pub comments: &'static [char],
}

/// A form with the position of each name: a header may have a hundred thousand columns.
struct Known<'a> {
    form: &'a TableForm,
    by_name: HashMap<String, usize>,
}

impl Deref for Known<'_> {
    type Target = TableForm;

    fn deref(&self) -> &TableForm {
        self.form
    }
}

impl<'a> Known<'a> {
    fn of(form: &'a TableForm) -> Self {
        let mut known = Self { form, by_name: HashMap::new() };
        for (at, column) in form.columns.iter().enumerate() {
            for name in &column.names {
                known.by_name.entry(known.key(name)).or_insert(at);
            }
        }
        known
    }

    /// A name as it is compared.
    fn key(&self, name: &str) -> String {
        if self.exact { name.to_owned() } else { names::folded(name) }
    }

    /// The position in the list of the column with this name.
    fn named(&self, name: &str) -> Option<usize> {
        if name.is_empty() { None } else { self.by_name.get(&self.key(name)).copied() }
    }

    fn same(&self, a: &str, b: &str) -> bool {
        if self.exact { a == b } else { names::same(a, b) }
    }

    /// What tells two columns apart that are not used: accents do.
    fn own_key(&self, name: &str) -> String {
        if self.exact { name.to_owned() } else { name.to_lowercase() }
    }

    /// Whether a message may show a name although the header is invalid: apart from its case and accents, it is a known
    /// one.
    fn tells(&self, name: &str) -> bool {
        self.columns.iter().flat_map(|column| &column.names).any(|known| names::same(known, name))
    }

    fn known<'b>(&self, names: impl Iterator<Item = &'b str>) -> usize {
        let mut found: Vec<usize> = names.filter_map(|name| self.named(name)).collect();
        found.sort_unstable();
        found.dedup();
        found.len()
    }

    /// Whether a line is a header: it names the required columns, or two of them.
    fn is_header(&self, line: &Line) -> bool {
        let required = self.columns.iter().filter(|column| column.required).count();
        let named = |delimiter: &Delimiter| {
            self.known(header::names(&line.text, *delimiter).iter().map(String::as_str)) >= required.clamp(1, 2)
        };
        !line.too_long && self.delimiters.iter().any(named)
    }

    /// The header, and what stands before it. A file whose names are exact has no titles. If no header is found, the
    /// first line is judged as one.
    fn top<R: Read>(&self, lines: &mut Lines<R>) -> Result<(Line, Preface), FileProblem> {
        let mut preface = Preface::default();
        let mut first: Option<Line> = None;
        while preface.admits_header()
            && let Some(line) = next_line(lines)?
        {
            if preface.takes_sep(&line, self.delimiters).map_err(FileProblem::Rejected)? {
                continue;
            }
            if line.begins_with(self.comments) {
                continue;
            }
            if self.exact || self.is_header(&line) {
                return Ok((line, preface));
            }
            preface.add(&line);
            first.get_or_insert(line);
        }
        // The file is refused in any case; a header that is near says why.
        for _ in 0..NEAR {
            match next_line(lines)? {
                Some(line) if self.is_header(&line) => {
                    return Err(FileProblem::Rejected(preface.misplaced(line.number)));
                }
                Some(_) => {}
                None => break,
            }
        }
        match first {
            Some(first) => Ok((first, preface.of_no_header())),
            None => Err(FileProblem::Rejected(Problem::new(0, Code::FileEmpty, "", ""))),
        }
    }

    /// The delimiter that gives the most known names, and the names of the header. `sep` is the one that the file
    /// names.
    fn cut(&self, line: &Line, sep: Option<Delimiter>) -> Result<(Delimiter, Vec<String>), Problem> {
        let mut best: Option<(usize, Delimiter, Vec<String>)> = None;
        for &delimiter in self.delimiters {
            let names = header::names(&line.text, delimiter);
            let known = self.known(names.iter().map(String::as_str));
            if best.as_ref().is_none_or(|(most, _, other)| (known, names.len()) > (*most, other.len())) {
                best = Some((known, delimiter, names));
            }
        }
        let (known, delimiter, names) = best.unwrap_or((0, Delimiter::Comma, Vec::new()));
        if let Some(sep) = sep.filter(|sep| *sep != delimiter) {
            let own = header::names(&line.text, sep);
            return match self.known(own.iter().map(String::as_str)) {
                count if count < known => Err(suspect(line.number, delimiter.as_char(), &[sep])),
                _ => Ok((sep, own)),
            };
        }
        if names.is_empty() {
            return Err(Problem::new(line.number, Code::RowRagged, UNTOLD, hint::QUOTE));
        }
        let accepted = |other: &char| self.delimiters.iter().any(|delimiter| delimiter.as_char() == *other);
        let split = |other: char| line.text.split(other).map(|name| name.trim_matches('"'));
        let other = [',', ';', '\t', '|', ':', '^', ' ']
            .into_iter()
            .filter(|other| !accepted(other))
            .find(|&other| self.known(split(other)) > known.max(1));
        match other {
            Some(other) => Err(suspect(line.number, other, self.delimiters)),
            None => Ok((delimiter, names)),
        }
    }

    /// The position of each column, and the names that are not used.
    fn places(&self, line: u64, names: &[String]) -> Result<(Vec<Option<usize>>, Vec<String>), Problem> {
        let mut places: Vec<Option<usize>> = vec![None; self.columns.len()];
        let mut ignored: Vec<usize> = Vec::new();
        let mut firsts: HashMap<String, usize> = HashMap::new();
        let is_named =
            |column: &TableColumn| names.iter().any(|name| column.names.iter().any(|known| self.same(known, name)));
        let is_ours = self.columns.iter().filter(|column| column.required).all(is_named);
        let told = |at: usize| if is_ours || self.tells(&names[at]) { shown(&names[at]) } else { header::place(at) };
        let twice = |second, first| Problem::new(line, Code::ColumnTwice, told(second), told(first));
        for (place, name) in names.iter().enumerate() {
            match self.named(name) {
                Some(column) => match places[column] {
                    Some(first) => return Err(twice(place, first)),
                    None => places[column] = Some(place),
                },
                None if name.is_empty() => {}
                None => match firsts.insert(self.own_key(name), place) {
                    Some(first) => return Err(twice(place, first)),
                    None => ignored.push(place),
                },
            }
        }
        let missing: Vec<&str> = (self.columns.iter().zip(&places))
            .filter(|(column, place)| column.required && place.is_none())
            .filter_map(|(column, _)| column.names.first().map(String::as_str))
            .collect();
        if missing.is_empty() {
            return Ok((places, ignored.into_iter().map(|place| names[place].clone()).collect()));
        }
        Err(Problem::new(line, Code::ColumnMissing, missing.join(", "), header::told(names, |name| self.tells(name))))
    }
}

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableEntry {
    /// A record that begins on this physical line; its cells are available.
    Row(u64),
    /// A record that cannot be used. Its cells are available; if they cannot be told apart, they are what stands
    /// between the delimiters, and there are scraps.
    Bad(Problem, Option<Scraps>),
}

/// An open table: its header is parsed, its records are not read yet.
pub struct Table<R> {
    records: Records<R>,
    places: Vec<Option<usize>>,
    /// How many columns the header has.
    width: usize,
    /// The columns without a name.
    nameless: Vec<usize>,
    /// The digest of all bytes, 64 hexadecimal digits.
    pub sha256: String,
    pub bytes: u64,
    pub encoding: Encoding,
    pub delimiter: Delimiter,
    /// The physical line of the header.
    pub header_line: u64,
    /// The lines before the header that are not read.
    pub titles: Vec<Title>,
    /// The columns that are not used, as written.
    pub ignored: Vec<String>,
}

impl<R: Read + Seek> Table<R> {
    /// Reads the whole file once, for its digest and encoding, and parses its header.
    ///
    /// # Errors
    /// [`FileProblem::Rejected`] with `file-empty` (not even a header), `spreadsheet`, `encoding-invalid`,
    /// `row-too-long` (the header), `delimiter-suspect`, `header-misplaced`, `column-twice` or `column-missing`.
    pub fn open(mut file: R, form: &TableForm) -> Result<Table<R>, FileProblem> {
        file.seek(SeekFrom::Start(0))?;
        let survey = survey(&mut file, form.fallback)?;
        let mut lines = Lines::open(&mut file, survey.encoding, survey.bom, survey.damaged)?;
        let form = &Known::of(form);
        let (line, preface) = form.top(&mut lines)?;
        if line.too_long {
            let problem = Problem::new(line.number, Code::RowTooLong, UNTOLD, "1 MiB");
            return Err(FileProblem::Rejected(problem));
        }
        let (delimiter, names) = form.cut(&line, preface.delimiter()).map_err(FileProblem::Rejected)?;
        let (places, ignored) = form.places(line.number, &names).map_err(FileProblem::Rejected)?;
        let required = form.columns.iter().zip(&places).filter(|(column, _)| column.required);
        let mut columns = Columns::of_table(names.len(), required.filter_map(|(_, place)| *place).collect());
        let is_password = |name: &str| PASSWORD.iter().any(|known| bare(known) == bare(name));
        let with_password = form
            .columns
            .iter()
            .zip(&places)
            .any(|(column, place)| place.is_some() && column.names.first().is_some_and(|name| is_password(name)));
        columns.quiet = with_password || names.iter().any(|name| is_password(name));
        Ok(Table {
            records: Records::of_table(file, &survey, delimiter.as_char(), line.number, columns)?,
            places,
            width: names.len(),
            nameless: (0..names.len()).filter(|place| names[*place].is_empty()).collect(),
            sha256: survey.sha256,
            bytes: survey.bytes,
            encoding: survey.encoding,
            delimiter,
            header_line: line.number,
            titles: preface.titles,
            ignored,
        })
    }
}

impl<R: Read> Table<R> {
    /// The next record that is not blank; `None` at the end. It replaces the cells of the one before.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<TableEntry>, FileProblem> {
        while let Some(record) = self.records.next()? {
            match record.form {
                Form::Blank | Form::Header => {}
                _ => {
                    return Ok(Some(match self.records.shape(&record) {
                        Ok(()) => TableEntry::Row(record.line),
                        Err(problem) => TableEntry::Bad(problem, self.records.tear(&record)),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Whether the header has a column of the form.
    pub fn has(&self, column: usize) -> bool {
        self.places.get(column).is_some_and(Option::is_some)
    }

    /// The latest row's cell of a column of the form, without blanks around it; empty if the
    /// header has no such column or the row ends before it.
    pub fn cell(&self, column: usize) -> &str {
        self.places.get(column).copied().flatten().map_or("", |place| self.records.cells.get(place))
    }

    /// [`Table::cell`] with the blanks around it.
    pub fn cell_as_written(&self, column: usize) -> &str {
        self.places.get(column).copied().flatten().map_or("", |place| self.records.cells.as_written(place))
    }

    /// The first cell of the latest record, whatever its column, also of one that cannot be used.
    pub fn first_cell(&self) -> &str {
        self.records.cells.get(0)
    }

    /// Whether the latest row has a value in a column without a name.
    pub fn has_nameless(&self) -> bool {
        self.nameless.iter().any(|place| !self.records.cells.get(*place).is_empty())
    }

    /// Checks that the latest row, which begins on this line, has a cell for each column of the header.
    ///
    /// # Errors
    /// `row-ragged`.
    pub fn is_whole(&self, line: u64) -> Result<(), Problem> {
        let found = self.records.cells.len();
        if found >= self.width {
            return Ok(());
        }
        Err(Problem::new(line, Code::RowRagged, found.to_string(), self.width.to_string()))
    }
}
