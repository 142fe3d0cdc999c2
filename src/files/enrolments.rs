//! Reads tool_sync's enrolment files: orders about one person in one course each, by a header (spec files 2.3).
//! It must not know which accounts, courses, roles and groups a site has.

use std::io::{Read, Seek};

use chrono_tz::Tz;

use super::course_list::group_name;
use super::kinds::comments;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::times::{self, Bound};
use super::{Delimiter, Fallback, FileProblem, Title};
use crate::config::{ByHand, FileKind, SmallTimes};
use crate::problem::{Code, Problem, shown};

/// The commands, for messages.
const VERBS: &str = "add, del, delete, shift";
/// The commands for groups, for messages.
const GROUP_VERBS: &str = "gadd, gaddcreate, gdel, greplace, greplacecreate";

/// The columns, each with its names; those of the groups follow.
const COLUMNS: [&[&str]; 8] =
    [&["rolename"], &["uid"], &["cid"], &["cmd"], &["enrol"], &["starttime", "start"], &["endtime", "end"], &["gcmd"]];
/// The columns without which a header is refused.
const REQUIRED: [&str; 3] = ["rolename", "uid", "cid"];
/// How many columns `g1`, `g2`, … there are.
const GROUPS: usize = 9;

#[derive(Clone, Copy)]
enum Column {
    Role,
    User,
    Course,
    Verb,
    Method,
    Start,
    End,
    GroupOrder,
}

/// Whether a header is one of an enrolment file.
pub(super) fn is_header(names: &[String]) -> bool {
    REQUIRED.iter().all(|known| names.iter().any(|name| name == known))
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentVerb {
    /// The person is enrolled with the role, or has it.
    Add = 1,
    /// The enrolment ends, or the role goes.
    Del = 2,
    /// The role takes the place of the others.
    Shift = 3,
}

impl EnrolmentVerb {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "add" => Self::Add,
            "del" | "delete" => Self::Del,
            "shift" => Self::Shift,
            _ => return None,
        })
    }

    /// Its word in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Del => "del",
            Self::Shift => "shift",
        }
    }
}

/// What an order does to groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupOrder {
    /// The person joins the groups.
    Add = 1,
    /// The same; missing groups are made.
    AddCreate = 2,
    /// The person leaves the groups.
    Del = 3,
    /// The person is in these groups and in no other one of the course.
    Replace = 4,
    /// The same; missing groups are made.
    ReplaceCreate = 5,
}

impl GroupOrder {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "gadd" => Self::Add,
            "gaddcreate" => Self::AddCreate,
            "gdel" => Self::Del,
            "greplace" => Self::Replace,
            "greplacecreate" => Self::ReplaceCreate,
            _ => return None,
        })
    }
}

impl GroupOrder {
    /// Whether the person may leave a group by it.
    pub fn takes_out(self) -> bool {
        matches!(self, Self::Del | Self::Replace | Self::ReplaceCreate)
    }
}

/// An order, parsed but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// The physical line, 1-based, on which the row begins.
    pub line: u64,
    pub verb: EnrolmentVerb,
    /// Trimmed, in small letters; empty only where the role does not matter.
    pub role: String,
    /// Trimmed, case as written, not empty.
    pub user: String,
    /// Trimmed, case as written, not empty.
    pub course: String,
    /// The enrolment method; `None`: the order is about the role alone.
    pub method: Option<ByHand>,
    /// Unix seconds; `None`: not given.
    pub start: Option<i64>,
    /// Unix seconds; `None`: not given.
    pub end: Option<i64>,
    /// What becomes of groups, and which, each once; at least one group if there is a command.
    pub groups: Option<(GroupOrder, Vec<String>)>,
}

/// An entry of an enrolment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolmentEntry {
    Row(Box<EnrolmentRow>),
    /// A row that cannot be used.
    Bad(Problem),
    /// A comment, which is not read.
    Comment,
}

/// How the values of a file are read.
#[derive(Clone, Copy, Debug)]
pub struct EnrolmentReading {
    /// The encoding of a file that is not Unicode.
    pub fallback: Fallback,
    /// The zone of its times.
    pub zone: Tz,
    /// Which small numbers are times.
    pub small_times: SmallTimes,
}

/// An open enrolment file.
pub struct EnrolmentFile<R> {
    table: Table<R>,
    reading: EnrolmentReading,
}

impl<R: Read + Seek> EnrolmentFile<R> {
    /// Opens a file and parses its header.
    ///
    /// # Errors
    /// Those of [`Table::open`].
    pub fn open(file: R, reading: EnrolmentReading) -> Result<Self, FileProblem> {
        let column = |names: &[&str]| TableColumn {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            required: REQUIRED.contains(&names[0]),
        };
        let groups = (1..=GROUPS).map(|n| TableColumn::optional(&format!("g{n}")));
        let form = TableForm {
            columns: COLUMNS.iter().map(|names| column(names)).chain(groups).collect(),
            exact: false,
            delimiters: &Delimiter::ALL,
            fallback: Some(reading.fallback),
            comments: comments(FileKind::Enrolments),
        };
        Ok(Self { table: Table::open(file, &form)?, reading })
    }
}

impl<R> EnrolmentFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }

    /// A problem for each column that is not read, `hidden` among them.
    pub fn unread(&self) -> Vec<Problem> {
        let known = COLUMNS.map(|names| names[0]).join(", ") + ", g1-g9";
        let problem =
            |column: &String| Problem::new(self.table.header_line, Code::ColumnIgnored, shown(column), known.as_str());
        self.table.ignored.iter().map(problem).collect()
    }
}

impl<R: Read> EnrolmentFile<R> {
    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<EnrolmentEntry>, FileProblem> {
        let Some(entry) = self.table.next_entry()? else { return Ok(None) };
        if self.table.first_cell().starts_with(comments(FileKind::Enrolments)) {
            return Ok(Some(EnrolmentEntry::Comment));
        }
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem, _) => return Ok(Some(EnrolmentEntry::Bad(problem))),
        };
        let row = self.table.is_whole(line).and_then(|()| self.row(line));
        Ok(Some(row.map_or_else(EnrolmentEntry::Bad, |row| EnrolmentEntry::Row(Box::new(row)))))
    }

    fn cell(&self, column: Column) -> &str {
        self.table.cell(column as usize)
    }

    fn row(&self, line: u64) -> Result<EnrolmentRow, Problem> {
        let filled = |column: Column| match self.cell(column) {
            "" => Err(Problem::new(line, Code::EmptyIdentifier, COLUMNS[column as usize][0], "")),
            text => Ok(text.to_owned()),
        };
        let verb = match (self.table.has(Column::Verb as usize), self.cell(Column::Verb).to_lowercase()) {
            (false, _) => EnrolmentVerb::Add,
            (true, word) => EnrolmentVerb::parse(&word)
                .ok_or_else(|| Problem::new(line, Code::BadVerb, shown(self.cell(Column::Verb)), VERBS))?,
        };
        let method = self.method(line)?;
        let role = match (verb, method) {
            (EnrolmentVerb::Del, Some(_)) => String::new(),
            _ => filled(Column::Role)?.to_lowercase(),
        };
        let (start, end) = (self.time(line, Column::Start, Bound::Start)?, self.time(line, Column::End, Bound::End)?);
        if let (Some(from), Some(to)) = (start, end)
            && to < from
        {
            let [end, start] = [Column::End, Column::Start].map(|column| shown(self.cell(column)));
            return Err(Problem::new(line, Code::EndBeforeStart, end, start));
        }
        let (user, course, groups) = (filled(Column::User)?, filled(Column::Course)?, self.groups(line)?);
        // Nobody joins a group of a course by leaving it.
        if let (EnrolmentVerb::Del, Some(_), Some((order, _))) = (verb, method, &groups)
            && *order != GroupOrder::Del
        {
            return Err(Problem::new(line, Code::BadVerb, shown(self.cell(Column::GroupOrder)), "gdel"));
        }
        Ok(EnrolmentRow { line, verb, role, user, course, method, start, end, groups })
    }

    /// The method: blank is `manual`; one that enrols people by itself would end what a file adds.
    fn method(&self, line: u64) -> Result<Option<ByHand>, Problem> {
        if !self.table.has(Column::Method as usize) {
            return Ok(None);
        }
        match self.cell(Column::Method).to_lowercase().as_str() {
            "" => Ok(Some(ByHand::Manual)),
            word => match ByHand::from_word(word) {
                Some(method) => Ok(Some(method)),
                None => Err(Problem::new(line, Code::NoMethod, shown(word), shown(self.cell(Column::Course)))),
            },
        }
    }

    fn time(&self, line: u64, column: Column, bound: Bound) -> Result<Option<i64>, Problem> {
        let text = self.cell(column);
        if text.is_empty() {
            return Ok(None);
        }
        let time = times::parse(text, bound, self.reading.zone, self.reading.small_times);
        time.map(Some).map_err(|hint| Problem::new(line, Code::BadTime, shown(text), hint))
    }

    fn groups(&self, line: u64) -> Result<Option<(GroupOrder, Vec<String>)>, Problem> {
        let word = self.cell(Column::GroupOrder);
        if word.is_empty() {
            return Ok(None);
        }
        let verb = GroupOrder::parse(&word.to_lowercase());
        let verb = verb.ok_or_else(|| Problem::new(line, Code::BadVerb, shown(word), GROUP_VERBS))?;
        let mut names = Vec::new();
        for column in COLUMNS.len()..COLUMNS.len() + GROUPS {
            let name = group_name(line, self.table.cell(column))?;
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        // A person would leave all groups because cells are missing.
        if names.is_empty() {
            return Err(Problem::new(line, Code::EmptyIdentifier, "g1", ""));
        }
        Ok(Some((verb, names)))
    }
}
