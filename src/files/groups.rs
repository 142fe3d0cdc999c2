//! Reads files of groups and groupings: the form of Moodle's own import and that of tool_sync, told apart by the header
//! (spec files 7.1, 7.2). It must not know which courses, groups and groupings a site has.

use std::io::{Read, Seek};

use unicode_normalization::UnicodeNormalization;

use super::kinds::comments;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::{Delimiter, Fallback, FileProblem, Title, flags};
use crate::config::{BlankCell, CourseKey, FileKind, Profile};
use crate::problem::{Code, Problem, shown};

/// `groups.name` and `groupings.name`, in characters.
const NAME_WIDTH: usize = 254;
/// `groups.idnumber`, `groupings.idnumber` and `course.idnumber`, in characters.
const IDNUMBER_WIDTH: usize = 100;
/// `groups.enrolmentkey`, in characters.
const KEY_WIDTH: usize = 50;
/// `customfield_data.charvalue`, in characters.
const FIELD_WIDTH: usize = 1_333;
/// What a column of a custom field begins with.
const CUSTOM: [&str; 2] = ["customfield_", "grouping_customfield_"];
/// The commands, for messages.
const VERBS: &str = "add, update, empty, delete";
/// The words of a column that means yes or no, for messages.
const WORDS: &str = "1, 0, yes, no, oui, non";
/// Who sees the members of a group, as `groups.visibility` numbers it.
const VISIBILITY: [&str; 4] = ["all", "members", "own", "none"];

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupVerb {
    /// It exists.
    Add,
    /// It exists already, and gets the values of the row.
    Update,
    /// A group has no members, a grouping no groups.
    Empty,
    /// It does not exist.
    Delete,
}

impl GroupVerb {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().as_str() {
            "" | "add" => Self::Add,
            "update" => Self::Update,
            "empty" => Self::Empty,
            "delete" | "del" => Self::Delete,
            _ => return None,
        })
    }

    /// Its word in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Empty => "empty",
            Self::Delete => "delete",
        }
    }
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupType {
    Group,
    Grouping,
}

/// A column of a custom field: of groups or of groupings, with its short name in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomColumn {
    pub of: GroupType,
    pub shortname: String,
    /// The name in the header.
    pub written: String,
}

/// How a row describes a group or a grouping; what is empty or `None` is not described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSaid {
    pub name: String,
    /// `Some` of an empty text erases it.
    pub idnumber: Option<String>,
    /// `Some` of an empty text is stored as such in a new group, and erases that of another.
    pub description: Option<String>,
    pub enrolmentkey: String,
    /// Whether the group has a conversation.
    pub messaging: Option<bool>,
    /// `groups.visibility`
    pub visibility: Option<i64>,
    /// `groups.participation`
    pub participation: Option<bool>,
    /// Values of custom fields, by the position in [`GroupFile::custom`].
    pub fields: Vec<(usize, String)>,
}

/// How a row names a grouping that its group belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupingNamed {
    None,
    /// By its name; it is made if it is missing.
    Name(String),
    Idnumber(String),
}

/// A row of a file of groups, parsed but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// The physical line, 1-based, on which the row begins.
    pub line: u64,
    pub verb: GroupVerb,
    pub of: GroupType,
    /// The course and its kind of key; `None`: that of the profile. The text is empty if the row names none.
    pub course: (Option<CourseKey>, String),
    /// The key of an existing group or grouping; empty without one.
    pub update: String,
    pub said: GroupSaid,
    pub grouping: GroupingNamed,
    /// Whether the group also gets a grouping of its name.
    pub own_grouping: bool,
    /// Whether a row that adds names by its name alone, as in Moodle's form.
    pub by_name: bool,
}

/// An entry of a file of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEntry {
    Row(Box<GroupRow>),
    /// A row that cannot be used.
    Bad(Problem),
    /// A comment, which is not read.
    Comment,
}

/// The columns, in the order of `COLUMNS`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Verb,
    CourseName,
    Idnumber,
    CourseId,
    GroupName,
    GroupIdnumber,
    Name,
    Type,
    UpdateId,
    SelfGrouping,
    Grouping,
    Description,
    EnrolmentKey,
    GroupingName,
    GroupingIdnumber,
    Messaging,
    Visibility,
    Participation,
    Lang,
}

/// The names of the columns.
const COLUMNS: [&str; 19] = [
    "cmd",
    "coursename",
    "idnumber",
    "courseid",
    "groupname",
    "groupidnumber",
    "name",
    "type",
    "updateid",
    "selfgrouping",
    "grouping",
    "description",
    "enrolmentkey",
    "groupingname",
    "groupingidnumber",
    "enablemessaging",
    "visibility",
    "participation",
    "lang",
];

/// The columns that only one form has.
const OF_CORE: [Column; 6] = [
    Column::CourseName,
    Column::GroupName,
    Column::GroupIdnumber,
    Column::GroupingName,
    Column::GroupingIdnumber,
    Column::Lang,
];
const OF_SYNC: [Column; 6] =
    [Column::CourseId, Column::Name, Column::Type, Column::UpdateId, Column::SelfGrouping, Column::Grouping];

/// Whether a file of groups may have a column of this folded name.
pub(super) fn is_known(name: &str) -> bool {
    COLUMNS.contains(&name) || CUSTOM.iter().any(|prefix| name.starts_with(prefix))
}

/// An open file of groups or groupings.
pub struct GroupFile<R> {
    table: Table<R>,
    kind: FileKind,
    /// Whether it has the form of Moodle's own import.
    core: bool,
    erases: bool,
    /// The columns of custom fields.
    pub custom: Vec<CustomColumn>,
}

/// The form of a file of this profile with these columns of custom fields.
fn form(profile: &Profile, fallback: Fallback, custom: &[CustomColumn]) -> TableForm {
    let own = |known: &str| {
        let named = profile.columns.iter().filter(|(_, column)| *column == known);
        named.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let known = |name: &str| [name.to_owned()].into_iter().chain(own(name)).collect();
    let mut columns: Vec<TableColumn> =
        COLUMNS.iter().map(|name| TableColumn { names: known(name), required: false }).collect();
    columns.extend(custom.iter().map(|column| TableColumn::optional(&column.written)));
    TableForm {
        columns,
        exact: false,
        delimiters: &Delimiter::ALL,
        fallback: Some(fallback),
        comments: comments(profile.kind),
    }
}

/// The column of a custom field with this name.
fn custom(name: &str) -> Option<CustomColumn> {
    let folded = name.to_lowercase();
    let of = |prefix: &str, of| {
        let shortname = folded.strip_prefix(prefix)?;
        (!shortname.is_empty()).then(|| CustomColumn { of, shortname: shortname.to_owned(), written: name.to_owned() })
    };
    of(CUSTOM[1], GroupType::Grouping).or_else(|| of(CUSTOM[0], GroupType::Group))
}

impl<R: Read + Seek> GroupFile<R> {
    /// Opens a file and parses its header; `file` gives the same bytes each time.
    ///
    /// # Errors
    /// Those of [`Table::open`]; `column-missing` if no column names groups or groupings; `column-unknown` for any
    /// column that its form does not have.
    pub fn open(file: impl Fn() -> R, profile: &Profile, fallback: Fallback) -> Result<Self, FileProblem> {
        let first = Table::open(file(), &form(profile, fallback, &[]))?;
        let custom: Vec<CustomColumn> = first.ignored.iter().filter_map(|name| custom(name)).collect();
        let table = if custom.is_empty() { first } else { Table::open(file(), &form(profile, fallback, &custom))? };
        let name = if profile.kind == FileKind::Groupings { Column::GroupingName } else { Column::GroupName };
        let core = table.has(name as usize);
        let rejected =
            |code, value: &str, hint: &str| FileProblem::Rejected(Problem::new(table.header_line, code, value, hint));
        if !core && !table.has(Column::Name as usize) {
            return Err(rejected(Code::ColumnMissing, &format!("{}, name", COLUMNS[name as usize]), ""));
        }
        let mut others: Vec<Column> = if core { OF_SYNC.to_vec() } else { OF_CORE.to_vec() };
        match profile.kind {
            FileKind::Groupings if core => others.extend([Column::GroupName, Column::GroupIdnumber]),
            _ if core => others.push(Column::GroupingIdnumber),
            _ => {}
        }
        if let Some(other) = others.into_iter().find(|column| table.has(*column as usize)) {
            return Err(rejected(Code::ColumnUnknown, COLUMNS[other as usize], ""));
        }
        let skipped = |name: &&String| profile.columns.get(*name).is_none_or(|known| known != "-");
        if let Some(unknown) = table.ignored.iter().find(skipped) {
            return Err(rejected(Code::ColumnUnknown, &shown(unknown), ""));
        }
        Ok(Self { table, kind: profile.kind, core, erases: profile.blank == BlankCell::Erase, custom })
    }
}

impl<R> GroupFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }

    /// The physical line of the header.
    pub fn header_line(&self) -> u64 {
        self.table.header_line
    }
}

impl<R: Read> GroupFile<R> {
    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<GroupEntry>, FileProblem> {
        let Some(entry) = self.table.next_entry()? else { return Ok(None) };
        if !self.core && self.table.first_cell().starts_with(comments(self.kind)) {
            return Ok(Some(GroupEntry::Comment));
        }
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem, _) => return Ok(Some(GroupEntry::Bad(problem))),
        };
        let row = self.table.is_whole(line).and_then(|()| self.row(line));
        Ok(Some(row.map_or_else(GroupEntry::Bad, |row| GroupEntry::Row(Box::new(row)))))
    }

    /// The cell of a column, with the characters that tool_sync writes as references.
    fn cell(&self, column: Column) -> String {
        let cell = self.table.cell(column as usize);
        match self.core || !cell.contains("&#") {
            true => cell.to_owned(),
            false => super::cohorts::without_references(cell),
        }
    }

    /// A cell in one Unicode form, if it is not too long.
    fn label(&self, line: u64, column: Column, width: usize) -> Result<String, Problem> {
        let text: String = self.cell(column).nfc().collect();
        if text.chars().count() > width {
            let hint = format!("{} {width}", COLUMNS[column as usize]);
            return Err(Problem::new(line, Code::ValueTooLong, shown(&text), hint));
        }
        Ok(text)
    }

    /// A column that means yes or no.
    fn flag(&self, line: u64, column: Column) -> Result<Option<bool>, Problem> {
        let word = self.cell(column);
        if word.is_empty() {
            return Ok(None);
        }
        match flags::parse(&word) {
            Some(flag) => Ok(Some(flag).filter(|flag| *flag || flags::is_no(&word))),
            None => Err(unusable(line, column, &word, WORDS)),
        }
    }

    fn row(&self, line: u64) -> Result<GroupRow, Problem> {
        let word = self.cell(Column::Verb);
        let verb = GroupVerb::parse(&word).ok_or_else(|| Problem::new(line, Code::BadVerb, shown(&word), VERBS))?;
        let of = self.type_of(line)?;
        let said = self.said(line, of)?;
        let update = self.label(line, Column::UpdateId, NAME_WIDTH)?;
        let (name, column) = match (self.core, of) {
            (false, _) => (&said.name, Column::Name),
            (true, GroupType::Group) => (&said.name, Column::GroupName),
            (true, GroupType::Grouping) => (&said.name, Column::GroupingName),
        };
        let named =
            !update.is_empty() || (verb != GroupVerb::Add && said.idnumber.as_ref().is_some_and(|t| !t.is_empty()));
        // An empty cell of a formula is 0.
        if (name.is_empty() && !named) || name == "0" {
            return Err(Problem::new(line, Code::EmptyIdentifier, COLUMNS[column as usize], ""));
        }
        let by_name = self.label(line, Column::GroupingName, NAME_WIDTH)?;
        let by_idnumber = self.label(line, Column::Grouping, IDNUMBER_WIDTH)?;
        let grouping = match of {
            GroupType::Grouping if by_idnumber.is_empty() => GroupingNamed::None,
            GroupType::Grouping => return Err(unusable(line, Column::Grouping, &by_idnumber, "\"\"")),
            _ if !by_name.is_empty() => GroupingNamed::Name(by_name),
            _ if !by_idnumber.is_empty() => GroupingNamed::Idnumber(by_idnumber),
            _ => GroupingNamed::None,
        };
        let own_grouping = self.flag(line, Column::SelfGrouping)?.unwrap_or(false) && of == GroupType::Group;
        let course = self.course(line)?;
        Ok(GroupRow { line, verb, of, course, update, said, grouping, own_grouping, by_name: self.core })
    }

    /// What a row is about: tool_sync's type, else what the kind of the file says.
    fn type_of(&self, line: u64) -> Result<GroupType, Problem> {
        let word = self.cell(Column::Type);
        Ok(match word.to_lowercase().as_str() {
            "group" => GroupType::Group,
            "grouping" => GroupType::Grouping,
            "" if self.kind == FileKind::Groupings => GroupType::Grouping,
            "" => GroupType::Group,
            _ => return Err(unusable(line, Column::Type, &word, "group, grouping")),
        })
    }

    /// The course: in Moodle's form by its idnumber, else by its short name.
    fn course(&self, line: u64) -> Result<(Option<CourseKey>, String), Problem> {
        if !self.core {
            return Ok((None, self.label(line, Column::CourseId, CELL)?));
        }
        let idnumber = self.label(line, Column::Idnumber, IDNUMBER_WIDTH)?;
        if !idnumber.is_empty() {
            return Ok((Some(CourseKey::Idnumber), idnumber));
        }
        let name = self.label(line, Column::CourseName, CELL)?;
        Ok((if name.is_empty() { None } else { Some(CourseKey::Shortname) }, name))
    }

    fn said(&self, line: u64, of: GroupType) -> Result<GroupSaid, Problem> {
        let (name, idnumber) = match (self.core, of) {
            (false, _) => (Column::Name, Column::Idnumber),
            (true, GroupType::Group) => (Column::GroupName, Column::GroupIdnumber),
            (true, GroupType::Grouping) => (Column::GroupingName, Column::GroupingIdnumber),
        };
        let number = self.label(line, idnumber, IDNUMBER_WIDTH)?;
        let described = |column: Column, text: String| {
            Some(text).filter(|text| self.table.has(column as usize) && (self.erases || !text.is_empty()))
        };
        let visibility = self.visibility(line)?;
        let mut said = GroupSaid {
            name: self.label(line, name, NAME_WIDTH)?,
            idnumber: described(idnumber, number),
            // A new group stores an empty one, and none without the column.
            description: self.table.has(Column::Description as usize).then(|| self.cell(Column::Description)),
            enrolmentkey: self.label(line, Column::EnrolmentKey, KEY_WIDTH)?,
            messaging: self.flag(line, Column::Messaging)?,
            visibility,
            participation: self.flag(line, Column::Participation)?,
            fields: Vec::new(),
        };
        // Moodle's form does not offer either for a group whose members are hidden.
        if matches!(visibility, Some(2 | 3)) {
            for (given, column) in [(said.messaging, Column::Messaging), (said.participation, Column::Participation)] {
                if given == Some(true) {
                    return Err(unusable(line, column, &self.cell(column), "0 (visibility)"));
                }
            }
        }
        if of == GroupType::Grouping {
            let of_groups = [
                Column::EnrolmentKey,
                Column::Messaging,
                Column::Visibility,
                Column::Participation,
                Column::SelfGrouping,
            ];
            if let Some(column) = of_groups.into_iter().find(|column| !self.cell(*column).is_empty()) {
                return Err(unusable(line, column, &self.cell(column), "\"\""));
            }
        }
        for at in 0..self.custom.len() {
            let value: String = self.table.cell(COLUMNS.len() + at).nfc().collect();
            if value.chars().count() > FIELD_WIDTH {
                let hint = format!("{} {FIELD_WIDTH}", self.custom[at].written);
                return Err(Problem::new(line, Code::ValueTooLong, shown(&value), hint));
            }
            if !value.is_empty() {
                said.fields.push((at, value));
            }
        }
        Ok(said)
    }

    fn visibility(&self, line: u64) -> Result<Option<i64>, Problem> {
        let word = self.cell(Column::Visibility);
        let place = VISIBILITY.iter().position(|known| word.eq_ignore_ascii_case(known));
        match place.or_else(|| word.parse().ok().filter(|number| *number < VISIBILITY.len())) {
            _ if word.is_empty() => Ok(None),
            Some(number) => Ok(Some(number as i64)),
            None => Err(unusable(line, Column::Visibility, &word, "all (0), members (1), own (2), none (3)")),
        }
    }
}

/// The widest key of a course, in characters.
const CELL: usize = super::CELL_LIMIT;

fn unusable(line: u64, column: Column, text: &str, words: &str) -> Problem {
    Problem::new(line, Code::ValueUnusable, shown(text), format!("{}: {words}", COLUMNS[column as usize]))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(kind: FileKind, text: &str) -> Result<Vec<String>, String> {
        let open = || Cursor::new(text.as_bytes().to_vec());
        let file = GroupFile::open(open, &Profile::of(kind), Fallback::Windows1252);
        let mut file = file.map_err(|problem| match problem {
            FileProblem::Rejected(problem) => format!("{} {}", problem.code, problem.value),
            FileProblem::Io(error) => error.to_string(),
        })?;
        let mut told = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            told.push(match entry {
                GroupEntry::Comment => "comment".to_owned(),
                GroupEntry::Bad(problem) => format!("{} {} {}", problem.line, problem.code, problem.value),
                GroupEntry::Row(row) => format!(
                    "{} {:?} {}/{} {}",
                    row.verb.as_str(),
                    row.of,
                    row.course.0.map_or("", CourseKey::as_str),
                    row.course.1,
                    row.said.name
                ),
            });
        }
        Ok(told)
    }

    #[test]
    fn the_header_tells_the_form() {
        let core = "GroupName;CourseName;idnumber;customfield_x\nA;c1;;\nB;c1;I1;v\n;;;\n0;c1;;\n";
        let told = ["add Group shortname/c1 A", "add Group idnumber/I1 B", "5 empty-identifier groupname"];
        assert_eq!(read(FileKind::Groups, core).unwrap(), told);
        let sync = "# remark\ncourseid,name,type,cmd\nc1,A,,\n#x,y\nc1,B,Grouping,delete\nc1,C,team,\nc1,D,,drop\n";
        let told = ["add Group /c1 A", "comment", "delete Grouping /c1 B", "6 value-unusable team", "7 bad-verb drop"];
        assert_eq!(read(FileKind::Groups, sync).unwrap(), told);
        assert_eq!(
            read(FileKind::Groupings, "groupingname,coursename\nS1,c1\n").unwrap(),
            ["add Grouping shortname/c1 S1"]
        );
        assert_eq!(read(FileKind::Groupings, "courseid,name\nc1,S1\n").unwrap(), ["add Grouping /c1 S1"]);
    }

    #[test]
    fn a_column_that_would_be_lost_refuses_the_file() {
        for (header, told) in [
            ("groupname,member", "column-unknown member"),
            ("groupname,grouping", "column-unknown grouping"),
            ("name,courseid,groupingname", "column-unknown groupingname"),
            ("groupingname", "column-missing groupname, name"),
            ("groupname,groupname", "column-twice groupname"),
        ] {
            assert_eq!(read(FileKind::Groups, &format!("{header}\nx,y\n")).unwrap_err(), told, "{header}");
        }
    }
}
