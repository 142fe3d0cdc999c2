//! Reads cohort files: new cohorts (spec files 3.2), and cohorts with their members by commands (spec files 3.1).
//! It must not know which cohorts, categories and accounts a site has.

use std::io::{Read, Seek};

use unicode_normalization::UnicodeNormalization;

use super::kinds::comments;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::{CELL_LIMIT, Delimiter, Fallback, FileProblem, Title, cut, flags};
use crate::config::{CohortKey, FileKind, Profile};
use crate::problem::{Code, Problem, shown};

/// `cohort.name`, in characters; Moodle cuts longer names.
const NAME_WIDTH: usize = 254;
/// `cohort.idnumber`, in characters.
const IDNUMBER_WIDTH: usize = 100;
/// `cohort.component`, in characters.
const COMPONENT_WIDTH: usize = 100;
/// `cohort.theme`, in characters; Moodle cuts longer names.
const THEME_WIDTH: usize = 50;
/// The commands, for messages.
const VERBS: &str = "add, del, free, sync, delcohort";
/// What a column must be, for messages.
const EMPTY: &str = "\"\"";
/// The words of a column that means yes or no, for messages.
const WORDS: &str = "1, 0, yes, no, oui, non";

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CohortVerb {
    /// The cohort exists, and the user is a member.
    Add,
    /// The user is no member.
    Del,
    /// The cohort has no members.
    Free,
    /// The user is a member, and the file names all members of the cohort.
    Sync,
    /// The cohort does not exist.
    DelCohort,
}

impl CohortVerb {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().as_str() {
            "" | "add" => Self::Add,
            "del" => Self::Del,
            "free" => Self::Free,
            "sync" => Self::Sync,
            "delcohort" => Self::DelCohort,
            _ => return None,
        })
    }

    /// Its word in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Del => "del",
            Self::Free => "free",
            Self::Sync => "sync",
            Self::DelCohort => "delcohort",
        }
    }

    /// Its number in tables of a run.
    pub fn number(self) -> i64 {
        match self {
            Self::Add => 1,
            Self::Del => 2,
            Self::Free => 3,
            Self::Sync => 4,
            Self::DelCohort => 5,
        }
    }

    /// Whether the row says how the cohort is to be.
    pub fn describes(self) -> bool {
        matches!(self, Self::Add | Self::Sync)
    }
}

/// The context as a row writes it; each text is empty if the row does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CohortPlace {
    /// `context.id`
    pub contextid: String,
    /// The system, or a category by any key.
    pub context: String,
    /// A category by any key.
    pub category: String,
    /// `course_categories.id`
    pub category_id: String,
    /// `course_categories.idnumber`
    pub category_idnumber: String,
    /// The names from the top, with ` / ` between them.
    pub category_path: String,
}

/// How a row describes a cohort; what is empty is not described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CohortSaid {
    pub name: String,
    pub idnumber: String,
    pub description: String,
    /// `cohort.descriptionformat`
    pub format: Option<i64>,
    pub visible: Option<bool>,
    pub theme: String,
    pub component: String,
    pub place: CohortPlace,
}

/// A row of a cohort file, parsed but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CohortRow {
    /// The physical line, 1-based, on which the row begins.
    pub line: u64,
    pub verb: CohortVerb,
    /// What names the cohort: in a file of new cohorts its idnumber, else the column of the profile's key.
    pub key: String,
    /// What names the user; empty without one.
    pub user: String,
    pub said: CohortSaid,
    /// A value that is not used as it is written.
    pub warning: Option<Problem>,
}

/// An entry of a cohort file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CohortEntry {
    Row(Box<CohortRow>),
    /// A row that cannot be used.
    Bad(Problem),
    /// A comment, which is not read.
    Comment(String),
}

/// The columns, in the order of `COLUMNS`.
#[derive(Clone, Copy)]
enum Column {
    Verb,
    User,
    Id,
    Name,
    Idnumber,
    Description,
    Format,
    Visible,
    Theme,
    Component,
    ContextId,
    Context,
    Category,
    CategoryId,
    CategoryIdnumber,
    CategoryPath,
}

/// The names of each column in a file of new cohorts, where blanks inside a name do not count; none if it has none.
const OF_COHORTS: [&[&str]; 16] = [
    &[],
    &[],
    &[],
    &["name"],
    &["idnumber", "id number"],
    &["description"],
    &["descriptionformat", "description format"],
    &["visible"],
    &["theme"],
    &[],
    &["contextid", "context id"],
    &["context"],
    &["category"],
    &["category_id"],
    &["category_idnumber"],
    &["category_path"],
];

/// The names of each column in a file of members.
const OF_MEMBERS: [&[&str]; 16] = [
    &["cmd"],
    &["userid"],
    &["cid"],
    &["cname"],
    &["cidnumber"],
    &["cdescription"],
    &[],
    &["visible"],
    &["theme"],
    &["component"],
    &[],
    &[],
    &[],
    &["ccatcontext"],
    &["ccatcontextidnumber"],
    &[],
];

/// A cell of tool_sync without the references that stand for delimiters.
pub(super) fn without_references(cell: &str) -> String {
    let references = [("&#44;", ","), ("&#59;", ";"), ("&#44", ","), ("&#59", ";")];
    references.iter().fold(cell.to_owned(), |text, (reference, c)| text.replace(reference, c))
}

/// Whether a cohort file may have a column of this folded name.
pub(super) fn is_known(name: &str) -> bool {
    OF_COHORTS.iter().chain(&OF_MEMBERS).any(|names| names.contains(&name))
}

/// An open cohort file.
pub struct CohortFile<R> {
    table: Table<R>,
    kind: FileKind,
    /// The column that names the cohort.
    key: Column,
}

/// The form of a cohort file of this profile; `fallback` is the encoding of a file that is not Unicode.
pub fn cohort_form(profile: &Profile, fallback: Fallback) -> TableForm {
    let of_kind = if profile.kind == FileKind::Cohorts { OF_COHORTS } else { OF_MEMBERS };
    let own = |known: &[&str]| {
        let named = profile.columns.iter().filter(|(_, column)| known.first() == Some(&column.as_str()));
        named.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let column = |known: &[&str]| TableColumn {
        names: known.iter().map(|&name| name.to_owned()).chain(own(known)).collect(),
        required: known.first() == Some(&"name"),
    };
    TableForm {
        columns: of_kind.iter().map(|known| column(known)).collect(),
        exact: false,
        delimiters: &Delimiter::ALL,
        fallback: Some(fallback),
        comments: comments(profile.kind),
    }
}

impl<R: Read + Seek> CohortFile<R> {
    /// Opens a file and parses its header.
    ///
    /// # Errors
    /// Those of [`Table::open`]; `column-missing` too if no column names the cohorts.
    pub fn open(file: R, profile: &Profile, fallback: Fallback) -> Result<Self, FileProblem> {
        let table = Table::open(file, &cohort_form(profile, fallback))?;
        let own = match profile.cohort_key {
            CohortKey::Idnumber => Column::Idnumber,
            CohortKey::Name => Column::Name,
            CohortKey::Id => Column::Id,
        };
        let key = match profile.kind {
            FileKind::Cohorts => Column::Idnumber,
            _ if table.has(own as usize) => own,
            _ => Column::Id,
        };
        if profile.kind != FileKind::Cohorts && !table.has(key as usize) {
            let known = [own, Column::Id].map(|column| OF_MEMBERS[column as usize][0]);
            let missing = if known[0] == known[1] { known[0].to_owned() } else { known.join(", ") };
            let problem = Problem::new(table.header_line, Code::ColumnMissing, missing, "");
            return Err(FileProblem::Rejected(problem));
        }
        Ok(Self { table, kind: profile.kind, key })
    }
}

impl<R> CohortFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }

    /// A problem for each column that is not read.
    pub fn unread(&self) -> Vec<Problem> {
        let of_kind = if self.kind == FileKind::Cohorts { OF_COHORTS } else { OF_MEMBERS };
        let known = of_kind.iter().filter_map(|names| names.first().copied()).collect::<Vec<_>>().join(", ");
        let problem =
            |column: &String| Problem::new(self.table.header_line, Code::ColumnIgnored, shown(column), known.as_str());
        self.table.ignored.iter().map(problem).collect()
    }
}

impl<R: Read> CohortFile<R> {
    /// Whether a column gives idnumbers: Moodle stores none, rather than an empty one, without that column.
    pub fn has_idnumbers(&self) -> bool {
        self.table.has(Column::Idnumber as usize)
    }

    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<CohortEntry>, FileProblem> {
        let Some(entry) = self.table.next_entry()? else { return Ok(None) };
        if self.table.first_cell().starts_with(comments(self.kind)) {
            return Ok(Some(CohortEntry::Comment(self.table.first_cell().to_owned())));
        }
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem, _) => return Ok(Some(CohortEntry::Bad(problem))),
        };
        let row = self.table.is_whole(line).and_then(|()| self.row(line));
        Ok(Some(row.map_or_else(CohortEntry::Bad, |row| CohortEntry::Row(Box::new(row)))))
    }

    /// The cell of a column, with the characters that tool_sync writes as references.
    fn cell(&self, column: Column) -> String {
        let cell = self.table.cell(column as usize);
        if self.kind == FileKind::Cohorts || !cell.contains("&#") {
            return cell.to_owned();
        }
        without_references(cell)
    }

    /// A name or an idnumber: Moodle keeps the blanks around those of a new cohort.
    fn label(&self, column: Column) -> String {
        match self.kind {
            _ if self.table.cell(column as usize).is_empty() => String::new(),
            FileKind::Cohorts => self.table.cell_as_written(column as usize).to_owned(),
            _ => self.cell(column),
        }
    }

    fn row(&self, line: u64) -> Result<CohortRow, Problem> {
        let name_of = |column: Column| {
            let of_kind = if self.kind == FileKind::Cohorts { OF_COHORTS } else { OF_MEMBERS };
            of_kind[column as usize].first().copied().unwrap_or_default()
        };
        let empty = |column| Problem::new(line, Code::EmptyIdentifier, name_of(column), "");
        let word = self.cell(Column::Verb);
        let verb = CohortVerb::parse(&word);
        let verb = verb.ok_or_else(|| Problem::new(line, Code::BadVerb, shown(&word), VERBS))?;
        let user = self.cell(Column::User);
        let verb = match verb {
            // Without a column for users the row can only mean the cohort.
            CohortVerb::Del if !self.table.has(Column::User as usize) => CohortVerb::DelCohort,
            CohortVerb::Del if user.is_empty() => return Err(empty(Column::User)),
            CohortVerb::DelCohort if !user.is_empty() => {
                return Err(Problem::new(
                    line,
                    Code::ValueUnusable,
                    shown(&user),
                    format!("{}: {}", name_of(Column::User), EMPTY),
                ));
            }
            verb => verb,
        };
        let fits = |column: Column, text: &str, width: usize| match text.chars().count() > width {
            true => Err(Problem::new(line, Code::ValueTooLong, shown(text), format!("{} {width}", name_of(column)))),
            false => Ok(()),
        };
        let mut name: String = self.label(Column::Name).nfc().collect();
        let mut warning = None;
        if let Some((end, _)) = name.char_indices().nth(NAME_WIDTH) {
            let hint = format!("{} {NAME_WIDTH}", name_of(Column::Name));
            warning = Some(Problem::new(line, Code::ValueCut, shown(&name), hint));
            name.truncate(end);
        }
        let idnumber = self.label(Column::Idnumber);
        fits(Column::Idnumber, &idnumber, IDNUMBER_WIDTH)?;
        let key = match self.key {
            Column::Name => name.clone(),
            Column::Idnumber => idnumber.clone(),
            column => self.cell(column),
        };
        if self.kind == FileKind::Cohorts {
            if name.is_empty() {
                return Err(empty(Column::Name));
            }
        } else if key.is_empty() {
            return Err(empty(self.key));
        }
        fits(self.key, &key, CELL_LIMIT)?;
        let component = self.cell(Column::Component);
        fits(Column::Component, &component, COMPONENT_WIDTH)?;
        let unusable = |column: Column, text: &str, words: &str| {
            Problem::new(line, Code::ValueUnusable, shown(text), format!("{}: {words}", name_of(column)))
        };
        let visible = self.cell(Column::Visible);
        let visible = match visible.to_lowercase().as_str() {
            "" => None,
            "on" => Some(true),
            "off" => Some(false),
            // A word for nothing says nothing.
            word => match flags::parse(word) {
                Some(flag) => Some(flag).filter(|flag| *flag || flags::is_no(word)),
                None => return Err(unusable(Column::Visible, &visible, WORDS)),
            },
        };
        let format = self.cell(Column::Format);
        let format = match format.as_str() {
            "" => None,
            "0" | "1" | "2" | "4" => format.parse().ok(),
            _ => return Err(unusable(Column::Format, &format, "0, 1, 2, 4")),
        };
        let described = match self.kind {
            FileKind::Cohorts => self.table.cell_as_written(Column::Description as usize).to_owned(),
            _ => self.cell(Column::Description),
        };
        let said = CohortSaid {
            name,
            idnumber,
            description: described,
            format,
            visible,
            theme: self.cell(Column::Theme).chars().take(THEME_WIDTH).collect(),
            component,
            place: CohortPlace {
                contextid: self.cell(Column::ContextId),
                context: self.cell(Column::Context),
                category: self.cell(Column::Category),
                category_id: self.cell(Column::CategoryId),
                category_idnumber: self.cell(Column::CategoryIdnumber),
                category_path: self.cell(Column::CategoryPath),
            },
        };
        Ok(CohortRow { line, verb, key, user: cut(&user).to_owned(), said, warning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn entries(profile: &Profile, text: &str) -> Vec<CohortEntry> {
        let fallback = Fallback::Windows1252;
        let mut file = CohortFile::open(Cursor::new(text.to_owned()), profile, fallback).unwrap();
        let mut entries = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            entries.push(entry);
        }
        entries
    }

    fn rows(kind: FileKind, text: &str) -> Vec<CohortRow> {
        let rows = entries(&Profile::of(kind), text).into_iter();
        rows.filter_map(|entry| if let CohortEntry::Row(row) = entry { Some(*row) } else { None }).collect()
    }

    fn codes(kind: FileKind, text: &str) -> Vec<String> {
        let rows = entries(&Profile::of(kind), text).into_iter();
        let bad = |entry| if let CohortEntry::Bad(problem) = entry { Some(problem) } else { None };
        rows.filter_map(bad).map(|problem| format!("{} {}", problem.line, problem.code)).collect()
    }

    #[test]
    fn new_cohorts_keep_their_blanks() {
        let rows = rows(FileKind::Cohorts, "Name,ID Number,DESCRIPTION,visible\n  B  , B1 , x ,Off\nC,,,\n");
        assert_eq!((rows[0].said.name.as_str(), rows[0].key.as_str()), ("  B  ", " B1 "));
        assert_eq!((rows[0].said.description.as_str(), rows[0].said.visible), (" x ", Some(false)));
        assert_eq!((rows[1].key.as_str(), rows[1].said.visible), ("", None));
    }

    #[test]
    fn a_bad_row_is_one_row() {
        let text = "name,idnumber,visible\nA,a,perhaps\n,b,\nC\nD,d,\n";
        assert_eq!(codes(FileKind::Cohorts, text), ["2 value-unusable", "3 empty-identifier", "4 row-ragged"]);
        assert_eq!(rows(FileKind::Cohorts, text).len(), 1);
        let long = format!("name,idnumber\nA,{}\nB,{}\n", "a".repeat(101), "é".repeat(100));
        assert_eq!(codes(FileKind::Cohorts, &long), ["2 value-too-long"]);
    }

    #[test]
    fn commands_and_their_users() {
        let text =
            "cmd;cid;userid\nADD;c1;u1\n;c1;u2\ndel;c1;\nfoo;c1;u1\ndelcohort;c1;u1\n# del;c1;u1\nsync;c&#44b;\n";
        let rows = rows(FileKind::CohortMembers, text);
        let read: Vec<_> = rows.iter().map(|row| (row.verb, row.key.as_str(), row.user.as_str())).collect();
        let expected = [(CohortVerb::Add, "c1", "u1"), (CohortVerb::Add, "c1", "u2"), (CohortVerb::Sync, "c,b", "")];
        assert_eq!(read, expected);
        let bad = ["4 empty-identifier", "5 bad-verb", "6 value-unusable"];
        assert_eq!(codes(FileKind::CohortMembers, text), bad);
        let without = self::rows(FileKind::CohortMembers, "cmd;cidnumber\ndel;c1\n");
        assert_eq!(without[0].verb, CohortVerb::DelCohort);
    }

    #[test]
    fn columns_by_other_names() {
        let columns = [("Groupe".to_owned(), "cidnumber".to_owned()), ("login".to_owned(), "userid".to_owned())];
        let profile = Profile { columns: columns.into(), ..Profile::of(FileKind::CohortMembers) };
        let entries = entries(&profile, "Login,Groupe\nu1,c1\n");
        assert!(matches!(&entries[..], [CohortEntry::Row(row)] if row.key == "c1" && row.user == "u1"));
        let nothing = CohortFile::open(Cursor::new("userid,x\nu1,c1\n"), &profile, Fallback::Windows1252);
        let Err(FileProblem::Rejected(problem)) = nothing else { panic!("no column names the cohort") };
        assert_eq!((problem.code, problem.value.as_str()), (Code::ColumnMissing, "cidnumber, cid"));
    }
}
