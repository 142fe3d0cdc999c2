//! Reads files of enrolment methods: one method and one course in a row, in the form of two programs (spec files 6.1
//! and 6.2). It must not know which courses, cohorts and methods a site has.

use std::io::{Read, Seek};

use chrono_tz::Tz;

use super::course_list::group_name;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::times::{self, Bound};
use super::{Delimiter, Fallback, FileProblem, flags};
use crate::config::{Profile, SmallTimes};
use crate::problem::{Code, Problem, shown};

/// `enrol.name`, in characters.
const NAME_WIDTH: usize = 255;
/// The operations, for messages.
const VERBS: &str = "add, update, delete, disable, enable";
/// Those of the other form.
const COMMANDS: &str = "add, del, restore, fulldel";
/// The words of a column that means yes or no, for messages.
const WORDS: &str = "1, 0, yes, no, oui, non";
/// Stands for a group that is made and named after the source.
const NEW_GROUP: &str = "*new";
/// Stands for no group, no name, no date.
const NOTHING: &str = "-";
/// Stands for any role.
pub const ANY_ROLE: &str = "*";

/// What a row does with a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodVerb {
    /// The method is added; one that exists must be equal.
    Add,
    /// The method exists, and gets the values of the row.
    Update,
    /// The method is added, or gets the values of the row.
    Set,
    /// The method is removed with its enrolments.
    Delete,
    /// The method is disabled; its enrolments stay.
    Disable,
    /// The method is enabled.
    Enable,
}

impl MethodVerb {
    /// Its word in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Disable => "disable",
            Self::Enable => "enable",
        }
    }

    fn of_operation(text: &str) -> Option<Self> {
        Some(match super::names::folded(text).as_str() {
            "add" | "ajouter" => Self::Add,
            "upd" | "update" | "mod" | "modify" | "modifier" => Self::Update,
            "del" | "delete" | "supprimer" => Self::Delete,
            "disable" | "desactiver" => Self::Disable,
            "enable" | "activer" => Self::Enable,
            _ => return None,
        })
    }

    /// tool_sync's `del` only disables.
    fn of_command(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().as_str() {
            "" | "add" => Self::Set,
            "del" => Self::Disable,
            "restore" => Self::Enable,
            "fulldel" => Self::Delete,
            _ => return None,
        })
    }
}

/// The group whose members those of a method become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MethodGroup {
    /// The row does not say it.
    #[default]
    Unsaid,
    /// None.
    Nobody,
    /// The group of this name.
    Named(String),
    /// One that is named after the source; a method that has a group keeps it.
    New,
}

/// What a row says of one method, parsed but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodRow {
    pub verb: MethodVerb,
    /// `enrol.enrol`, in small letters.
    pub method: String,
    /// What names the course, or several.
    pub course: String,
    /// What names the cohort, or the source course of a meta link; empty without one.
    pub source: String,
    /// The role of the method; empty if the row names none, `*` for any.
    pub role: String,
    /// The role that it gets.
    pub new_role: String,
    pub disabled: Option<bool>,
    pub group: MethodGroup,
    /// `None`: unsaid.
    pub name: Option<String>,
    /// Unix seconds, 0 for none; `None`: unsaid.
    pub start: Option<i64>,
    pub end: Option<i64>,
    /// Seconds, 0 for none; `None`: unsaid.
    pub period: Option<i64>,
}

impl MethodRow {
    /// A row that says nothing else.
    pub(super) fn of(verb: MethodVerb, method: &str, course: &str) -> Self {
        Self {
            verb,
            method: method.to_lowercase(),
            course: course.to_owned(),
            source: String::new(),
            role: String::new(),
            new_role: String::new(),
            disabled: None,
            group: MethodGroup::Unsaid,
            name: None,
            start: None,
            end: None,
            period: None,
        }
    }
}

/// An entry of a file of methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodEntry {
    /// The physical line on which a record begins, and what it says: all of it is done, or nothing.
    Rows(u64, Vec<MethodRow>),
    /// A record that cannot be used.
    Bad(Problem),
}

/// The columns of both forms, in the order of `OF_OPERATIONS` and `OF_COMMANDS`.
#[derive(Clone, Copy)]
enum Column {
    Verb,
    Method,
    Course,
    Source,
    Disabled,
    Group,
    Role,
    NewRole,
    Name,
    Start,
    End,
    MakeGroup,
}

/// The names of each column; none if the form does not have it.
const OF_OPERATIONS: [&[&str]; 12] = [
    &["operation"],
    &["method"],
    &["shortname"],
    &["metacohort"],
    &["disabled"],
    &["group"],
    &["role"],
    &["newrole"],
    &["name"],
    &["startdate", "enrolstartdate"],
    &["enddate", "enrolenddate"],
    &[],
];
/// Those of tool_sync's form.
const OF_COMMANDS: [&[&str]; 12] = [
    &["cmd"],
    &["enrol"],
    &["course"],
    &["cohort"],
    &["disabled"],
    &["group"],
    &["role"],
    &["newrole"],
    &["name"],
    &["enrolstart"],
    &["enrolend"],
    &["makegroup"],
];
/// The columns without which a header is refused.
const REQUIRED: [&str; 6] = ["operation", "method", "shortname", "metacohort", "cohort", "course"];

/// Whether the header of a file is one of methods: with these folded names.
pub(super) fn is_header(has: impl Fn(&[&str]) -> bool) -> bool {
    let all = |names: &[&str]| names.iter().all(|name| has(&[name]));
    all(&REQUIRED[..4]) || (all(&REQUIRED[4..]) && !has(&["username", "userid", "uid", "groupname"]))
}

/// Whether a file of methods may have a column of this folded name.
pub(super) fn is_known(name: &str) -> bool {
    OF_OPERATIONS.iter().chain(&OF_COMMANDS).any(|names| names.contains(&name))
}

fn form(profile: &Profile, fallback: Fallback, names: &[&'static [&'static str]]) -> TableForm {
    let own = |known: &[&str]| {
        let named = profile.columns.iter().filter(|(_, column)| known.first() == Some(&column.as_str()));
        named.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let column = |known: &&'static [&'static str]| TableColumn {
        names: known.iter().map(|&name| name.to_owned()).chain(own(known)).collect(),
        required: known.first().is_some_and(|name| REQUIRED.contains(name)),
    };
    TableForm {
        columns: names.iter().map(column).collect(),
        exact: false,
        delimiters: &Delimiter::ALL,
        fallback: Some(fallback),
        comments: &[],
    }
}

/// An open file of methods.
pub struct MethodFile<R> {
    pub(super) table: Table<R>,
    /// Whether it has tool_sync's form.
    commands: bool,
    zone: Tz,
    small: SmallTimes,
}

impl<R: Read + Seek> MethodFile<R> {
    /// Opens a file, whose header tells its form.
    ///
    /// # Errors
    /// Those of [`Table::open`].
    pub fn open(
        open: impl Fn() -> R,
        profile: &Profile,
        fallback: Fallback,
        (zone, small): (Tz, SmallTimes),
    ) -> Result<Self, FileProblem> {
        let table = Table::open(open(), &form(profile, fallback, &OF_OPERATIONS));
        let other = match &table {
            Err(FileProblem::Rejected(_)) => Table::open(open(), &form(profile, fallback, &OF_COMMANDS)).ok(),
            _ => None,
        };
        let commands = other.is_some();
        Ok(Self { table: other.map_or(table, Ok)?, commands, zone, small })
    }
}

impl<R: Read> MethodFile<R> {
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
        let row = self.table.is_whole(line).and_then(|()| self.row(line));
        Ok(Some(row.map_or_else(MethodEntry::Bad, |row| MethodEntry::Rows(line, vec![row]))))
    }

    fn cell(&self, column: Column) -> &str {
        self.table.cell(column as usize)
    }

    fn row(&self, line: u64) -> Result<MethodRow, Problem> {
        let names = if self.commands { &OF_COMMANDS } else { &OF_OPERATIONS };
        let name_of = |column: Column| names[column as usize].first().copied().unwrap_or_default();
        let word = self.cell(Column::Verb);
        let (verb, known) = match self.commands {
            true => (MethodVerb::of_command(word), COMMANDS),
            false => (MethodVerb::of_operation(word), VERBS),
        };
        let verb = verb.ok_or_else(|| Problem::new(line, Code::BadVerb, shown(word), known))?;
        let method = match self.cell(Column::Method) {
            "" if self.commands => "cohort",
            method => method,
        };
        for (column, text) in [(Column::Method, method), (Column::Course, self.cell(Column::Course))] {
            if text.is_empty() {
                return Err(Problem::new(line, Code::EmptyIdentifier, name_of(column), ""));
            }
        }
        if !["cohort", "meta"].contains(&method.to_lowercase().as_str()) {
            let hint = format!("{} cohort, meta", name_of(Column::Method));
            return Err(Problem::new(line, Code::ValueInvalid, shown(method), hint));
        }
        if self.cell(Column::Source).is_empty() {
            return Err(Problem::new(line, Code::EmptyIdentifier, name_of(Column::Source), ""));
        }
        let yes = |column: Column| flag(line, name_of(column), self.cell(column));
        let group = match yes(Column::MakeGroup)? {
            Some(true) => MethodGroup::New,
            _ => group(line, self.cell(Column::Group))?,
        };
        let moment = |column, bound| date(line, self.cell(column), bound, (self.zone, self.small));
        let row = MethodRow {
            source: self.cell(Column::Source).to_owned(),
            role: self.cell(Column::Role).to_owned(),
            new_role: self.cell(Column::NewRole).to_owned(),
            disabled: yes(Column::Disabled)?,
            group,
            name: name(line, self.cell(Column::Name))?,
            start: moment(Column::Start, Bound::Start)?,
            end: moment(Column::End, Bound::End)?,
            ..MethodRow::of(verb, method, self.cell(Column::Course))
        };
        in_order(line, &row, [self.cell(Column::Start), self.cell(Column::End)])?;
        Ok(row)
    }
}

/// A cell that says yes or no; `None` if it is empty.
pub(super) fn flag(line: u64, column: &str, text: &str) -> Result<Option<bool>, Problem> {
    let unusable = || Problem::new(line, Code::ValueInvalid, shown(text), format!("{column} {WORDS}"));
    if text.is_empty() { Ok(None) } else { flags::parse(text).map(Some).ok_or_else(unusable) }
}

/// A cell that names a group.
pub(super) fn group(line: u64, text: &str) -> Result<MethodGroup, Problem> {
    Ok(match text {
        "" => MethodGroup::Unsaid,
        NOTHING => MethodGroup::Nobody,
        NEW_GROUP => MethodGroup::New,
        text => MethodGroup::Named(group_name(line, text)?),
    })
}

/// A cell with the name of a method.
pub(super) fn name(line: u64, text: &str) -> Result<Option<String>, Problem> {
    if text.chars().count() > NAME_WIDTH {
        return Err(Problem::new(line, Code::ValueTooLong, shown(text), format!("name {NAME_WIDTH}")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::new(line, Code::ValueCharset, shown(text), "enrol.name"));
    }
    Ok(match text {
        "" => None,
        NOTHING => Some(String::new()),
        text => Some(text.to_owned()),
    })
}

/// A cell with a time.
pub(super) fn date(
    line: u64,
    text: &str,
    bound: Bound,
    (zone, small): (Tz, SmallTimes),
) -> Result<Option<i64>, Problem> {
    match text {
        "" => Ok(None),
        NOTHING => Ok(Some(0)),
        text => match times::parse(text, bound, zone, small) {
            Ok(time) => Ok(Some(time)),
            Err(hint) => Err(Problem::new(line, Code::BadTime, shown(text), hint)),
        },
    }
}

/// Checks that the end of a row does not come before its start; `written` are both as the row has them.
pub(super) fn in_order(line: u64, row: &MethodRow, written: [&str; 2]) -> Result<(), Problem> {
    match (row.start, row.end) {
        (Some(start), Some(end)) if end != 0 && end < start => {
            Err(Problem::new(line, Code::EndBeforeStart, shown(written[1]), shown(written[0])))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::config::FileKind;

    fn told(text: &str) -> Vec<String> {
        let profile = Profile::of(FileKind::Methods);
        let open = || Cursor::new(text.as_bytes().to_vec());
        let zone = (chrono_tz::Europe::Paris, SmallTimes::Refuse);
        let mut file = match MethodFile::open(open, &profile, Fallback::Windows1252, zone) {
            Ok(file) => file,
            Err(FileProblem::Rejected(problem)) => return vec![problem.code.to_string()],
            Err(FileProblem::Io(error)) => panic!("{error}"),
        };
        let mut told = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            told.push(match entry {
                MethodEntry::Bad(problem) => format!("{} {} {}", problem.line, problem.code, problem.value),
                MethodEntry::Rows(line, rows) => {
                    let row = &rows[0];
                    let parts = [row.verb.as_str(), &row.method, &row.course, &row.source, &row.role];
                    format!("{line} {} {:?} {:?} {:?}", parts.join(" "), row.disabled, row.group, row.end)
                }
            });
        }
        told
    }

    #[test]
    fn operations_and_values() {
        let text = "operation;method;shortname;metacohort;disabled;group;role;enddate;startdate\n\
                    Add; Cohort ;L1-*;h1;;;;;\nupd;meta;c1;c2;oui;*new;5;-;\nsupprimer;cohort;c1;h1;0;;*;;\n\
                    désactiver;cohort;c1;h1;;A;;;\nfoo;cohort;c1;h1;;;;;\nadd;self;c1;h1;;;;;\nadd;cohort;c1;;;;;;\n\
                    add;cohort;c1;h1;x;;;;\nadd;cohort;c1;h1;;A\u{7};;;\nadd;cohort;c1;h1;;;;01/01/2026;02/01/2026\n";
        let expected = [
            "2 add cohort L1-* h1  None Unsaid None",
            "3 update meta c1 c2 5 Some(true) New Some(0)",
            "4 delete cohort c1 h1 * Some(false) Unsaid None",
            "5 disable cohort c1 h1  None Named(\"A\") None",
            "6 bad-verb foo",
            "7 value-invalid self",
            "8 empty-identifier metacohort",
            "9 value-invalid x",
            "10 value-charset A\u{fffd}",
            "11 end-before-start 01/01/2026",
        ];
        assert_eq!(told(text), expected);
        assert_eq!(told("operation\nadd\n"), ["column-missing"]);
        assert_eq!(told(""), ["file-empty"]);
    }

    #[test]
    fn commands_of_the_other_form() {
        let text = "cmd;cohort;course;enrol;role;makegroup\nadd;h1;c1;;;1\ndel;h1;c1;cohort;*;\n\
                    fulldel;h1;c1;;student;\nrestore;h1;c1;;;\nshift;h1;c1;;;\n";
        let expected = [
            "2 set cohort c1 h1  None New None",
            "3 disable cohort c1 h1 * None Unsaid None",
            "4 delete cohort c1 h1 student None Unsaid None",
            "5 enable cohort c1 h1  None Unsaid None",
            "6 bad-verb shift",
        ];
        assert_eq!(told(text), expected);
        assert_eq!(told("course,cohort\nc1,h1\n"), ["2 set cohort c1 h1  None Unsaid None"]);
    }
}
