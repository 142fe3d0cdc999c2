//! Reads full sets of CSV files: finds columns by name, sorts rows into canonical order, reports bad lines.
//! It must not know whether the files are complete (`bundle` does), nor what a value stands for.

use std::io;
use std::path::Path;

use super::bundle::Sealed;
use super::canonical::{Canonical, Sorted};
use super::rows::{SetError, SetProblem, SetRow, Taker};
use crate::config::{SetColumns, Source, Target};
use crate::files::{Delimiter, Fallback, Scraps, Table, TableColumn, TableEntry, TableForm, cut, names};
use crate::problem::{Code, Problem};

/// How the files of a set are to be read.
#[derive(Clone, Debug)]
pub struct FilesForm {
    pub target: Target,
    /// The column names that the source configures. Empty: the canonical name or an alias.
    pub names: SetColumns,
    /// Whether each row must name its role, as there is no default role.
    pub role_required: bool,
    /// The encoding of a file that is not Unicode.
    pub fallback: Fallback,
}

/// A column of a set: its value in a row, its name in the configuration, its canonical name, its aliases.
struct Column {
    value: fn(&mut SetRow) -> &mut String,
    named: fn(&SetColumns) -> &String,
    name: &'static str,
    aliases: &'static [&'static str],
}

macro_rules! column {
    ($field:ident, $aliases:expr) => {
        Column {
            value: |row| &mut row.$field,
            named: |names| &names.$field,
            name: stringify!($field),
            aliases: $aliases,
        }
    };
}

/// Positions of the first columns; the place is the course or the cohort.
const USER: usize = 0;
const PLACE: usize = 1;
const ROLE: usize = 2;

const ENROLMENTS: &[Column] = &[
    column!(user, names::USER),
    column!(course, names::COURSE),
    column!(role, names::ROLE),
    column!(group, &["groupe"]),
    column!(other, &["otheruser", "autre"]),
    column!(timestart, names::TIME_START),
    column!(timeend, names::TIME_END),
    column!(status, &["statut"]),
];

const COHORTS: &[Column] = &[
    column!(user, names::USER),
    column!(cohort, &["cohorte", "cidnumber"]),
    column!(name, &["cname", "cohortname", "nom"]),
];

impl FilesForm {
    /// The form of a source's files. `fallback` is the encoding of those that are not Unicode.
    pub fn of(source: &Source, fallback: Fallback) -> FilesForm {
        FilesForm {
            target: source.target,
            names: source.columns.clone(),
            role_required: source.default_role.trim().is_empty(),
            fallback,
        }
    }

    fn columns(&self) -> &'static [Column] {
        match self.target {
            Target::Enrolments => ENROLMENTS,
            Target::Cohorts => COHORTS,
        }
    }

    fn required(&self, place: usize) -> bool {
        place <= PLACE || (place == ROLE && self.target == Target::Enrolments && self.role_required)
    }

    /// The table form that each file of the set must have.
    pub fn table(&self) -> TableForm {
        let column = |(place, column): (usize, &Column)| TableColumn {
            names: match (column.named)(&self.names).trim() {
                "" => std::iter::once(&column.name).chain(column.aliases).map(|&name| name.to_owned()).collect(),
                own => vec![own.to_owned()],
            },
            required: self.required(place),
        };
        TableForm {
            columns: self.columns().iter().enumerate().map(column).collect(),
            exact: false,
            delimiters: &Delimiter::ALL,
            fallback: Some(self.fallback),
            comments: &[],
        }
    }
}

/// What was read of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    pub file: String,
    pub sha256: String,
    /// Records, bad ones included; the header and blank lines do not count.
    pub rows: u64,
    /// Records that cannot be used.
    pub bad: u64,
    /// How many of these have a wrong number of cells; many of them mean a wrong delimiter (spec files 1.2).
    pub ragged: u64,
}

/// What was read of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesRead {
    pub files: Vec<FileRead>,
    pub sorted: Sorted,
}

/// Reads the files of a complete set. Passes the problems to `taker`, then the distinct rows of all files in canonical
/// order. `scratch` is a directory for rows that do not fit in memory.
///
/// # Errors
/// [`SetError`]; what `taker` received before it must not be used.
pub fn read_files(
    files: &[Sealed],
    form: &FilesForm,
    scratch: &Path,
    taker: &mut dyn Taker,
) -> Result<FilesRead, SetError> {
    let mut canonical = Canonical::new(scratch);
    let mut read = FilesRead::default();
    for (number, sealed) in (0u16..).zip(files) {
        read.files.push(read_file(sealed, number, form, &mut canonical, taker)?);
    }
    read.sorted = canonical.finish(&mut |row| taker.row(row))?;
    Ok(read)
}

fn read_file(
    sealed: &Sealed,
    number: u16,
    form: &FilesForm,
    canonical: &mut Canonical,
    taker: &mut dyn Taker,
) -> Result<FileRead, SetError> {
    let name = sealed.name.clone();
    let refused = |problem| SetError::of_file(&name, problem);
    let layout = form.table();
    // Each pass over the table reads the whole file, and fails at its end if the digest is not the sealed one.
    let mut table = Table::open(sealed.file.pass(&sealed.sha256), &layout).map_err(refused)?;
    report_unread(&name, &table, &layout, taker)?;
    let mut broken: Option<SetProblem> = None;
    let mut read = FileRead { file: name.clone(), sha256: table.sha256.clone(), rows: 0, bad: 0, ragged: 0 };
    while let Some(entry) = table.next_entry().map_err(refused)? {
        read.rows += 1;
        if let Some(mut before) = broken.take() {
            let rest = (cut(table.cell(USER)).to_owned(), cut(table.cell(PLACE)).to_owned());
            before.scraps.iter_mut().for_each(|scraps| scraps.rest = Some(rest.clone()));
            taker.problem(before)?;
        }
        let row = match entry {
            TableEntry::Row(line) => form.row(&name, &table, &layout, line),
            // What can be read still says whom the row is about.
            TableEntry::Bad(problem, scraps) => {
                let about = SetProblem::new(&name, problem).about(cut(table.cell(USER)), cut(table.cell(PLACE)));
                Err(Box::new(SetProblem { scraps, ..about }))
            }
        };
        match row {
            Ok(row) => canonical.push(SetRow { file: number, ..row })?,
            Err(problem) => {
                read.bad += 1;
                read.ragged += u64::from(problem.problem.code == Code::RowRagged);
                let is_one_value = |scraps: &Scraps| scraps.values.len() == 1;
                if problem.place.is_empty() && problem.scraps.as_ref().is_some_and(is_one_value) {
                    broken = Some(*problem);
                } else {
                    taker.problem(*problem)?;
                }
            }
        }
    }
    broken.map_or(Ok(()), |problem| taker.problem(problem))?;
    if read.rows == sealed.rows { Ok(read) } else { Err(SetError::Changed { file: name }) }
}

/// Reports the lines before the header, and each column that is not used, once.
fn report_unread<R>(file: &str, table: &Table<R>, layout: &TableForm, taker: &mut dyn Taker) -> io::Result<()> {
    let known: Vec<&str> =
        layout.columns.iter().filter_map(|column| column.names.first().map(String::as_str)).collect();
    for title in &table.titles {
        taker.problem(SetProblem::warning(file, title.problem()))?;
    }
    for column in &table.ignored {
        let problem = Problem::new(table.header_line, Code::ColumnIgnored, column, known.join(", "));
        taker.problem(SetProblem::warning(file, problem))?;
    }
    Ok(())
}

impl FilesForm {
    /// The current row of the table, or its problem.
    fn row<R: io::Read>(
        &self,
        file: &str,
        table: &Table<R>,
        layout: &TableForm,
        line: u64,
    ) -> Result<SetRow, Box<SetProblem>> {
        let mut row = SetRow { line, ..SetRow::default() };
        for (place, column) in self.columns().iter().enumerate() {
            *(column.value)(&mut row) = cut(table.cell(place)).to_owned();
        }
        let empty = (USER..=ROLE).find(|&place| self.required(place) && table.cell(place).is_empty());
        match empty.and_then(|place| layout.columns[place].names.first()) {
            Some(column) => {
                let problem = Problem::new(line, Code::EmptyIdentifier, column, "");
                Err(Box::new(SetProblem::new(file, problem).about(&row.user, row.place())))
            }
            None => Ok(row),
        }
    }
}

#[cfg(test)]
mod tests;
