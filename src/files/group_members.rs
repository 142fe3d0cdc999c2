//! Reads files of members of groups: tool_sync's groupmembers.csv (spec files 7.3).
//! It must not know which accounts, courses and groups a site has.

use std::io::{Read, Seek};

use unicode_normalization::UnicodeNormalization;

use super::kinds::comments;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::{CELL_LIMIT, Delimiter, Fallback, FileProblem, Title};
use crate::config::{FileGroupKey, Profile};
use crate::problem::{Code, Problem, shown};

/// The commands, for messages.
const VERBS: &str = "add, del, shift";
/// The names of the columns, in the order of `Column`.
const COLUMNS: [&str; 4] = ["cmd", "courseid", "groupid", "userid"];

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupMemberVerb {
    /// The user is in the group.
    Add = 1,
    /// The user is not in the group.
    Del = 2,
    /// The user is in the group, and in no other of its course.
    Shift = 3,
}

impl GroupMemberVerb {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().as_str() {
            "" | "add" => Self::Add,
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

/// A row of a file of members, parsed but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMemberRow {
    /// The physical line, 1-based, on which the row begins.
    pub line: u64,
    pub verb: GroupMemberVerb,
    /// Trimmed, case as written, not empty.
    pub user: String,
    /// Empty if the row names none.
    pub course: String,
    /// In one Unicode form, not empty.
    pub group: String,
}

/// An entry of a file of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupMemberEntry {
    Row(GroupMemberRow),
    /// A row that cannot be used.
    Bad(Problem),
    /// A comment, which is not read.
    Comment,
}

#[derive(Clone, Copy)]
enum Column {
    Verb,
    Course,
    Group,
    User,
}

/// Whether a file of members may have a column of this folded name.
pub(super) fn is_known(name: &str) -> bool {
    COLUMNS.contains(&name)
}

/// An open file of members of groups.
pub struct GroupMemberFile<R> {
    table: Table<R>,
    comments: &'static [char],
}

impl<R: Read + Seek> GroupMemberFile<R> {
    /// Opens a file and parses its header.
    ///
    /// # Errors
    /// Those of [`Table::open`]; `column-missing` too if nothing says the course and groups are not named by their ids;
    /// `column-unknown` for any other column.
    pub fn open(file: R, profile: &Profile, fallback: Fallback) -> Result<Self, FileProblem> {
        let names = |known: &str| {
            let own = profile.columns.iter().filter(|(_, column)| *column == known).map(|(name, _)| name.clone());
            [known.to_owned()].into_iter().chain(own).collect()
        };
        let course = profile.group_key != FileGroupKey::Id && profile.course.trim().is_empty();
        let required = [false, course, true, true];
        let columns = COLUMNS.iter().zip(required).map(|(name, required)| TableColumn { names: names(name), required });
        let comments = comments(profile.kind);
        let form = TableForm {
            columns: columns.collect(),
            exact: false,
            delimiters: &Delimiter::ALL,
            fallback: Some(fallback),
            comments,
        };
        let table = Table::open(file, &form)?;
        let skipped = |name: &&String| profile.columns.get(*name).is_none_or(|known| known != "-");
        match table.ignored.iter().find(skipped) {
            Some(unknown) => {
                Err(FileProblem::Rejected(Problem::new(table.header_line, Code::ColumnUnknown, shown(unknown), "")))
            }
            None => Ok(Self { table, comments }),
        }
    }
}

impl<R> GroupMemberFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }
}

impl<R: Read> GroupMemberFile<R> {
    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<GroupMemberEntry>, FileProblem> {
        let Some(entry) = self.table.next_entry()? else { return Ok(None) };
        if self.table.first_cell().starts_with(self.comments) {
            return Ok(Some(GroupMemberEntry::Comment));
        }
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem, _) => return Ok(Some(GroupMemberEntry::Bad(problem))),
        };
        let row = self.table.is_whole(line).and_then(|()| self.row(line));
        Ok(Some(row.map_or_else(GroupMemberEntry::Bad, GroupMemberEntry::Row)))
    }

    fn row(&self, line: u64) -> Result<GroupMemberRow, Problem> {
        let cell = |column: Column| {
            let cell = self.table.cell(column as usize);
            let text = if cell.contains("&#") { super::cohorts::without_references(cell) } else { cell.to_owned() };
            match text.chars().count() > CELL_LIMIT {
                true => {
                    let hint = format!("{} {CELL_LIMIT}", COLUMNS[column as usize]);
                    Err(Problem::new(line, Code::ValueTooLong, shown(&text), hint))
                }
                false => Ok(text),
            }
        };
        let word = cell(Column::Verb)?;
        let verb = GroupMemberVerb::parse(&word);
        let verb = verb.ok_or_else(|| Problem::new(line, Code::BadVerb, shown(&word), VERBS))?;
        let row = GroupMemberRow {
            line,
            verb,
            user: cell(Column::User)?,
            course: cell(Column::Course)?,
            group: cell(Column::Group)?.nfc().collect(),
        };
        for (text, column) in [(&row.user, Column::User), (&row.group, Column::Group)] {
            if text.is_empty() {
                return Err(Problem::new(line, Code::EmptyIdentifier, COLUMNS[column as usize], ""));
            }
        }
        Ok(row)
    }
}
