//! Reads the enrolment columns of Moodle's course upload: `shortname`, and several methods in a row as `enrolment_1`,
//! `enrolment_1_role` and so on (spec files 6.3). It must not know which courses and methods a site has.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use chrono_tz::Tz;

use super::methods::{MethodEntry, MethodFile, MethodGroup, MethodRow, MethodVerb, date, flag, group, in_order, name};
use super::scan::scan_table;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::times::Bound;
use super::{Delimiter, Fallback, FileProblem, Title};
use crate::config::{FileKind, Profile, SmallTimes};
use crate::problem::{Code, Problem, shown};

/// What the columns of methods begin with.
const BEFORE: &str = "enrolment_";
/// The most methods of a row.
const MOST: usize = 100;
/// What may follow the number of a method, after `_`; the first is the method itself.
const PARTS: [&str; 12] = [
    "",
    "delete",
    "disable",
    "startdate",
    "enddate",
    "enrolperiod",
    "role",
    "name",
    "cohortidnumber",
    "metacoursename",
    "groupname",
    "addtogroup",
];
/// A period, for messages.
const PERIODS: &str = "86400, 30 days, 3 months";
/// The column with the course.
const COURSE: &str = "shortname";

#[derive(Clone, Copy)]
enum Part {
    Method,
    Delete,
    Disable,
    Start,
    End,
    Period,
    Role,
    Name,
    Cohort,
    Source,
    Group,
    AddToGroup,
}

/// The number and the part of a column of methods.
fn column(name: &str) -> Option<(u32, usize)> {
    let name = super::names::folded(name);
    let rest = name.strip_prefix(BEFORE)?;
    let (number, part) = rest.split_once('_').unwrap_or((rest, ""));
    let at = PARTS.iter().position(|known| *known == part)?;
    Some((number.parse().ok()?, at))
}

/// Whether these names of columns are those of a course upload with methods.
pub(super) fn is_header(names: &[String]) -> bool {
    let names = |wanted: &dyn Fn(&str) -> bool| names.iter().any(|name| wanted(name));
    names(&|name| name == COURSE) && names(&|name| column(name).is_some_and(|(_, at)| at == 0))
}

/// An open file.
pub struct CourseMethodFile<R> {
    table: Table<R>,
    /// The numbers of the methods, in their order; each has [`PARTS`] columns of the form, after the course's.
    methods: usize,
    zone: Tz,
    small: SmallTimes,
}

impl<R: Read + Seek> CourseMethodFile<R> {
    /// Opens a file, whose header says how many methods a row has.
    ///
    /// # Errors
    /// Those of [`Table::open`]; `column-missing` too without a method.
    pub fn open(
        mut file: R,
        profile: &Profile,
        fallback: Fallback,
        (zone, small): (Tz, SmallTimes),
    ) -> Result<Self, FileProblem> {
        let scan = scan_table(&mut file, fallback, &[])?;
        let known = |name: &String| {
            let own = profile.columns.iter().find(|(header, _)| super::names::same(header, name));
            column(own.map_or(name, |(_, known)| known)).map(|key| (key, name.clone()))
        };
        let mut written: BTreeMap<(u32, usize), Vec<String>> = BTreeMap::new();
        for (key, name) in scan.header.iter().filter_map(known) {
            written.entry(key).or_default().push(name);
        }
        let mut numbers: Vec<u32> = written.keys().filter(|(_, at)| *at == 0).map(|(number, _)| *number).collect();
        numbers.dedup();
        if numbers.is_empty() || numbers.len() > MOST {
            let missing = if numbers.is_empty() { format!("{BEFORE}1") } else { format!("{BEFORE}1-{MOST}") };
            let problem = Problem::new(scan.header_line, Code::ColumnMissing, missing, "");
            return Err(FileProblem::Rejected(problem));
        }
        let own = profile.columns.iter().filter(|(_, known)| *known == COURSE).map(|(name, _)| name.clone());
        let course = std::iter::once(COURSE.to_owned()).chain(own).collect();
        let parts = numbers.iter().flat_map(|number| (0..PARTS.len()).map(move |at| (*number, at)));
        let parts = parts.map(|key| TableColumn { names: written.remove(&key).unwrap_or_default(), required: false });
        let course = std::iter::once(TableColumn { names: course, required: true });
        let form = TableForm {
            columns: course.chain(parts).collect(),
            exact: false,
            delimiters: &Delimiter::ALL,
            fallback: Some(fallback),
            comments: &[],
        };
        Ok(Self { table: Table::open(file, &form)?, methods: numbers.len(), zone, small })
    }
}

impl<R: Read> CourseMethodFile<R> {
    /// The next record that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<MethodEntry>, FileProblem> {
        let line = match self.table.next_entry()? {
            None => return Ok(None),
            Some(TableEntry::Bad(problem, _)) => return Ok(Some(MethodEntry::Bad(problem))),
            Some(TableEntry::Row(line)) => line,
        };
        let rows = self.table.is_whole(line).and_then(|()| self.rows(line));
        Ok(Some(rows.map_or_else(MethodEntry::Bad, |rows| MethodEntry::Rows(line, rows))))
    }

    /// What a record says of each of its methods; of two numbers with one method and one source the later counts. A
    /// cohort may be in a course once for each role.
    fn rows(&self, line: u64) -> Result<Vec<MethodRow>, Problem> {
        if self.table.cell(0).is_empty() {
            return Err(Problem::new(line, Code::EmptyIdentifier, COURSE, ""));
        }
        let mut rows: Vec<MethodRow> = Vec::new();
        for at in 0..self.methods {
            let cell = |part: Part| self.table.cell(1 + at * PARTS.len() + part as usize);
            if cell(Part::Method).is_empty() {
                continue;
            }
            let row = self.row(line, cell)?;
            let role = |row: &MethodRow| if row.method == "cohort" { row.role.to_lowercase() } else { String::new() };
            let key = |row: &MethodRow| (row.method.clone(), row.source.clone(), role(row));
            rows.retain(|other| key(other) != key(&row));
            rows.push(row);
        }
        Ok(rows)
    }

    fn row<'a>(&self, line: u64, cell: impl Fn(Part) -> &'a str) -> Result<MethodRow, Problem> {
        let yes = |part: Part| flag(line, PARTS[part as usize], cell(part));
        let verb = if yes(Part::Delete)? == Some(true) { MethodVerb::Delete } else { MethodVerb::Set };
        let method = cell(Part::Method).to_lowercase();
        let source = match method.as_str() {
            "cohort" => cell(Part::Cohort),
            "meta" => cell(Part::Source),
            _ => "",
        };
        let group = match group(line, cell(Part::Group))? {
            MethodGroup::Unsaid if yes(Part::AddToGroup)? == Some(true) => MethodGroup::New,
            said => said,
        };
        let moment = |part, bound| date(line, cell(part), bound, (self.zone, self.small));
        let row = MethodRow {
            source: source.to_owned(),
            role: cell(Part::Role).to_owned(),
            disabled: yes(Part::Disable)?,
            group,
            name: name(line, cell(Part::Name))?,
            start: moment(Part::Start, Bound::Start)?,
            end: moment(Part::End, Bound::Start)?,
            period: period(line, cell(Part::Period))?,
            ..MethodRow::of(verb, &method, self.table.cell(0))
        };
        in_order(line, &row, [cell(Part::Start), cell(Part::End)])?;
        Ok(row)
    }
}

/// An open file of methods of either kind.
pub enum MethodsFile<R> {
    /// One method in a row.
    Methods(MethodFile<R>),
    /// Several, in the columns of a course upload.
    Courses(CourseMethodFile<R>),
}

impl<R: Read + Seek> MethodsFile<R> {
    /// Opens a file of the profile's kind.
    ///
    /// # Errors
    /// Those of [`Table::open`].
    pub fn open(
        open: impl Fn() -> R,
        profile: &Profile,
        fallback: Fallback,
        times: (Tz, SmallTimes),
    ) -> Result<Self, FileProblem> {
        match profile.kind {
            FileKind::CourseMethods => CourseMethodFile::open(open(), profile, fallback, times).map(Self::Courses),
            _ => MethodFile::open(open, profile, fallback, times).map(Self::Methods),
        }
    }
}

impl<R> MethodsFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        match self {
            Self::Methods(file) => &file.table.titles,
            Self::Courses(file) => &file.table.titles,
        }
    }

    /// The columns that are not read.
    pub fn unread(&self) -> Vec<String> {
        let ignored = match self {
            Self::Methods(file) => &file.table.ignored,
            Self::Courses(file) => &file.table.ignored,
        };
        ignored.iter().map(|column| shown(column)).collect()
    }
}

impl<R: Read> MethodsFile<R> {
    /// The next record that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<MethodEntry>, FileProblem> {
        match self {
            Self::Methods(file) => file.next_entry(),
            Self::Courses(file) => file.next_entry(),
        }
    }
}

/// A period in seconds: a number of seconds, or a number and a unit.
fn period(line: u64, text: &str) -> Result<Option<i64>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let unusable = || Problem::new(line, Code::ValueInvalid, shown(text), format!("enrolperiod {PERIODS}"));
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..digits].parse().map_err(|_| unusable())?;
    let unit = match super::names::folded(text[digits..].trim()).trim_end_matches('s') {
        "" | "sec" | "second" | "seconde" => 1,
        "min" | "minute" => 60,
        "h" | "hour" | "heure" => 3_600,
        "d" | "day" | "j" | "jour" => 86_400,
        "week" | "semaine" => 604_800,
        // As Moodle's form counts months and years.
        "month" | "moi" => 2_592_000,
        "year" | "an" | "annee" => 31_536_000,
        _ => return Err(unusable()),
    };
    number.checked_mul(unit).filter(|seconds| *seconds <= 100 * 31_536_000).map(Some).ok_or_else(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_a_number_and_a_part() {
        assert_eq!(column("Enrolment_1"), Some((1, 0)));
        assert_eq!(column("enrolment_12_role"), Some((12, 6)));
        for other in ["enrolment_", "enrolment_x", "enrolment_1_password", "role"] {
            assert_eq!(column(other), None, "{other}");
        }
    }

    #[test]
    fn periods() {
        for (text, seconds) in
            [("0", 0), ("86400", 86_400), ("3 months", 7_776_000), ("30 jours", 2_592_000), ("1an", 31_536_000)]
        {
            assert_eq!(period(1, text), Ok(Some(seconds)), "{text}");
        }
        for other in ["x", "-1", "3 moons", "99999999999999999999", "9999 years"] {
            assert_eq!(period(1, other).unwrap_err().code, Code::ValueInvalid, "{other}");
        }
        assert_eq!(period(1, ""), Ok(None));
    }
}
