//! `enrollments.csv`: each row to a row of the set, by way of the files that it refers to.
//! It must not know archives or manifests beyond being handed what they say.

use std::collections::HashSet;
use std::io;

use chrono::NaiveDate;

use super::archive::Archive;
use super::listing::Listing;
use super::manifest::Mode;
use super::status::{StatusRule, Wish};
use super::{RosterForm, SOURCED_ID, form};
use crate::files::{Table, TableEntry};
use crate::report::codes::{Code, Problem};
use crate::source::canonical::{Canonical, Sorted};
use crate::source::files::FileRead;
use crate::source::rows::{SetError, SetProblem, SetRow, SnapshotKind, Taker};

const FILE: &str = "enrollments.csv";

const REQUIRED: [&str; 6] = [SOURCED_ID, "status", "dateLastModified", "classSourcedId", "userSourcedId", "role"];
const OPTIONAL: [&str; 3] = ["beginDate", "endDate", "schoolSourcedId"];

const STATUS: usize = 1;
const MODIFIED: usize = 2;
const CLASS: usize = 3;
const USER: usize = 4;
const ROLE: usize = 5;
const BEGIN: usize = 6;
const END: usize = 7;
const SCHOOL: usize = 8;

/// All that rows of enrolments refer to.
pub(super) struct Enrolments<'a> {
    pub form: &'a RosterForm,
    pub kind: SnapshotKind,
    pub users: Listing,
    pub classes: Listing,
    pub courses: Option<Listing>,
    pub orgs: Listing,
}

impl Enrolments<'_> {
    /// Reads the file of the archive.
    pub fn read(
        &self,
        archive: &mut Archive,
        canonical: &mut Canonical,
        taker: &mut dyn Taker,
    ) -> Result<FileRead, SetError> {
        let refused = |problem| SetError::of_file(FILE, problem);
        let content = archive.take(FILE)?.ok_or_else(|| archive.refuse(format!("it has no {FILE}; add the file")))?;
        let mut table = Table::open(content, &form(&REQUIRED, &OPTIONAL)).map_err(refused)?;
        let mut status = StatusRule::new(match self.kind {
            SnapshotKind::Full => Mode::Bulk,
            SnapshotKind::Delta => Mode::Delta,
        });
        let mut read = FileRead { file: FILE.to_owned(), sha256: table.sha256.clone(), rows: 0, bad: 0, ragged: 0 };
        let mut schools_told = HashSet::new();
        while let Some(entry) = table.next_entry().map_err(refused)? {
            read.rows += 1;
            let row = match entry {
                TableEntry::Row(line) => self.row(&table, line, &mut status),
                TableEntry::Bad(problem) => Err(Box::new(SetProblem::new(FILE, problem))),
            };
            match row {
                Ok((row, warning)) => {
                    let school = self.school(&table, row.line, &mut schools_told);
                    for warning in [warning, school].into_iter().flatten() {
                        taker.problem(SetProblem::warning(FILE, warning))?;
                    }
                    canonical.push(row)?;
                }
                Err(problem) => {
                    read.bad += 1;
                    read.ragged += u64::from(problem.problem.code == Code::RowRagged);
                    taker.problem(*problem)?;
                }
            }
        }
        if read.rows == 0 {
            let problem = Problem::new(0, Code::FileEmpty, "", "");
            return Err(SetError::Refused { file: FILE.to_owned(), problem });
        }
        Ok(read)
    }

    /// The row, and a warning about it; or what is wrong, with whom and where as far as that is known.
    fn row<R: io::Read>(
        &self,
        table: &Table<R>,
        line: u64,
        status: &mut StatusRule,
    ) -> Result<(SetRow, Option<Problem>), Box<SetProblem>> {
        let lookup = |wish| (self.user(table, line, wish), self.course(table, line, wish));
        let (wish, warning) = status.wish(line, table.cell(STATUS), table.cell(MODIFIED)).map_err(|problem| {
            let (user, course) = lookup(Wish::NotBe);
            Box::new(SetProblem::new(FILE, problem).about(&user.unwrap_or_default(), &course.unwrap_or_default()))
        })?;
        let (user, course, rest) = match lookup(wish) {
            (Ok(user), Ok(course)) => (user, course, self.rest(table, line)),
            (Ok(user), Err(problem)) => (user, String::new(), Err(problem)),
            (Err(problem), course) => (String::new(), course.unwrap_or_default(), Err(problem)),
        };
        let [role, timestart, timeend] =
            rest.map_err(|problem| Box::new(SetProblem::new(FILE, problem).about(&user, &course)))?;
        let status = match wish {
            Wish::Be => String::new(),
            Wish::NotBe => SetRow::TO_BE_DELETED.to_owned(),
        };
        Ok((SetRow { user, course, role, timestart, timeend, status, line, ..SetRow::default() }, warning))
    }

    fn user<R: io::Read>(&self, table: &Table<R>, line: u64, wish: Wish) -> Result<String, Problem> {
        self.users.value(line, filled(table, line, USER)?, wish)
    }

    fn course<R: io::Read>(&self, table: &Table<R>, line: u64, wish: Wish) -> Result<String, Problem> {
        let found = self.classes.value(line, filled(table, line, CLASS)?, wish)?;
        match &self.courses {
            Some(courses) => courses.value(line, &found, wish),
            None => Ok(found),
        }
    }

    /// Role, start and end.
    fn rest<R: io::Read>(&self, table: &Table<R>, line: u64) -> Result<[String; 3], Problem> {
        let written = filled(table, line, ROLE)?;
        let role = self.form.roles.get(written).filter(|role| !role.is_empty()).ok_or_else(|| {
            let known: Vec<&str> = self.form.roles.keys().map(String::as_str).collect();
            Problem::new(line, Code::RoleUnknown, written, known.join(", "))
        })?;
        let [begin, end] = [BEGIN, END].map(|column| date(table.cell(column), line));
        let (begin, end) = (begin?, end?);
        if let (Some(begin), Some(end)) = (begin, end)
            && end < begin
        {
            return Err(Problem::new(line, Code::EndBeforeStart, table.cell(END), table.cell(BEGIN)));
        }
        Ok([role.clone(), table.cell(BEGIN).to_owned(), table.cell(END).to_owned()])
    }

    /// A school that is not listed is told once: nothing of the row depends on it.
    fn school<R: io::Read>(&self, table: &Table<R>, line: u64, told: &mut HashSet<String>) -> Option<Problem> {
        let school = table.cell(SCHOOL);
        let lacking = !school.is_empty() && self.orgs.lacks(school) && told.insert(school.to_owned());
        lacking.then(|| Problem::new(line, Code::ReferenceUnknown, school, "orgs.csv"))
    }
}

fn filled<R: io::Read>(table: &Table<R>, line: u64, column: usize) -> Result<&str, Problem> {
    match table.cell(column) {
        "" => Err(Problem::new(line, Code::EmptyIdentifier, REQUIRED[column], "")),
        text => Ok(text),
    }
}

/// A date of the specification, `YYYY-MM-DD`.
fn date(text: &str, line: u64) -> Result<Option<NaiveDate>, Problem> {
    const LENGTH: usize = 10;
    if text.is_empty() {
        return Ok(None);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == LENGTH);
    date.map(Some).ok_or_else(|| Problem::new(line, Code::BadTime, text, "2026-01-31"))
}

/// Gives the rows on. Where a delta both wishes a user's role in a course and takes it away, it is
/// wished: several classes may mean one course, and who changes classes stays.
pub(super) fn give(canonical: Canonical, taker: &mut dyn Taker) -> io::Result<(Sorted, u64)> {
    let mut group: Vec<SetRow> = Vec::new();
    let mut contradicted = 0;
    let mut sorted = canonical.finish(&mut |row| {
        if group.first().is_some_and(|first| !same_place(first, row)) {
            contradicted += give_group(&mut group, taker)?;
        }
        group.push(row.clone());
        Ok(())
    })?;
    contradicted += give_group(&mut group, taker)?;
    sorted.rows -= contradicted;
    Ok((sorted, contradicted))
}

fn same_place(a: &SetRow, b: &SetRow) -> bool {
    (&a.course, &a.user, &a.role) == (&b.course, &b.user, &b.role)
}

fn give_group(group: &mut Vec<SetRow>, taker: &mut dyn Taker) -> io::Result<u64> {
    let wished = group.iter().any(|row| row.status.is_empty());
    let mut contradicted = 0;
    for row in group.drain(..) {
        if wished && !row.status.is_empty() {
            contradicted += 1;
        } else {
            taker.row(&row)?;
        }
    }
    Ok(contradicted)
}
