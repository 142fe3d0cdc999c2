//! Reads the files of the verbs `convert` and `renew`: a row names a course and may name who is concerned in it.
//! It must not know which accounts, courses, roles and methods a site has.

use std::io::{Read, Seek};

use super::names::same;
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::{CELL_LIMIT, Delimiter, Fallback, FileProblem, Title};
use crate::config::{FileKind, Profile};
use crate::problem::{Code, Problem, hint, shown};

/// The columns, each with its names.
const COLUMNS: [&[&str]; 7] = [
    &["course", "cours"],
    &["user", "userid", "utilisateur"],
    &["role"],
    &["method", "from", "methode"],
    &["until", "jusqu'au", "jusqu\u{2019}au", "fin", "end"],
    &["by", "duree"],
    &["source"],
];

#[derive(Clone, Copy)]
enum Column {
    Course,
    User,
    Role,
    Method,
    Until,
    By,
    Source,
}

impl Column {
    /// Whether files of a kind have it, and whether they must.
    fn place(self, kind: FileKind) -> Option<bool> {
        match (self, kind) {
            (Self::Course, _) => Some(true),
            (Self::User | Self::Role, _) => Some(false),
            (Self::Method, kind) => Some(kind == FileKind::Convert),
            (Self::Until | Self::By, kind) => (kind == FileKind::Renew).then_some(false),
            (Self::Source, kind) => (kind == FileKind::Convert).then_some(false),
        }
    }
}

const ALL: [Column; 7] =
    [Column::Course, Column::User, Column::Role, Column::Method, Column::Until, Column::By, Column::Source];

/// A row, with its cells as they are written, trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerbRow {
    /// The physical line, 1-based, on which the row begins.
    pub line: u64,
    /// Not empty.
    pub course: String,
    /// Empty: everybody in the course.
    pub user: String,
    /// Empty: whatever the role.
    pub role: String,
    /// The method that has the enrolments, in small letters; empty only in a file that renews.
    pub method: String,
    /// The new end, a date; empty: `by` says it.
    pub until: String,
    /// How much later, a period; empty: `until` says the end.
    pub by: String,
    /// What becomes of the method, in small letters; may be empty.
    pub source: String,
}

/// An entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerbEntry {
    Row(VerbRow),
    /// A row that cannot be used.
    Bad(Problem),
}

/// An open file.
pub struct VerbFile<R> {
    table: Table<R>,
    kind: FileKind,
}

impl<R: Read + Seek> VerbFile<R> {
    /// Opens a file and parses its header. A column that is not known refuses it: a misspelt `user` would turn an order
    /// about a person into one about a whole course.
    ///
    /// # Errors
    /// Those of [`Table::open`]; `column-missing` too if a file that renews has no end; `column-unknown`.
    pub fn open(file: R, profile: &Profile, fallback: Fallback) -> Result<Self, FileProblem> {
        let kind = profile.kind;
        let columns = COLUMNS.iter().zip(ALL).map(|(names, column)| {
            let own = profile.columns.iter().filter(|(_, known)| *known == names[0]).map(|(name, _)| name.clone());
            let names = names.iter().map(|&name| name.to_owned()).chain(own);
            match column.place(kind) {
                Some(required) => TableColumn { names: names.collect(), required },
                None => TableColumn { names: Vec::new(), required: false },
            }
        });
        let form = TableForm {
            columns: columns.collect(),
            exact: false,
            delimiters: &Delimiter::ALL,
            fallback: Some(fallback),
            comments: &[],
        };
        let table = Table::open(file, &form)?;
        let refused = |code, value: String| FileProblem::Rejected(Problem::new(table.header_line, code, value, ""));
        let left_out = |name: &&String| profile.columns.iter().any(|(own, known)| known == "-" && same(own, name));
        if let Some(unknown) = table.ignored.iter().find(|name| !left_out(name)) {
            return Err(refused(Code::ColumnUnknown, shown(unknown)));
        }
        if kind == FileKind::Renew && !table.has(Column::Until as usize) && !table.has(Column::By as usize) {
            return Err(refused(Code::ColumnMissing, "until (jusqu'au) / by (durée)".to_owned()));
        }
        Ok(Self { table, kind })
    }
}

impl<R> VerbFile<R> {
    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }
}

impl<R: Read> VerbFile<R> {
    /// The next row that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<VerbEntry>, FileProblem> {
        let Some(entry) = self.table.next_entry()? else { return Ok(None) };
        let row = match entry {
            TableEntry::Row(line) => self.table.is_whole(line).and_then(|()| self.row(line)),
            TableEntry::Bad(problem, _) => Err(problem),
        };
        Ok(Some(row.map_or_else(VerbEntry::Bad, VerbEntry::Row)))
    }

    fn row(&self, line: u64) -> Result<VerbRow, Problem> {
        let name = |column: Column| COLUMNS[column as usize][0];
        let cell = |column: Column| match self.table.cell(column as usize) {
            text if text.chars().count() > CELL_LIMIT => {
                Err(Problem::new(line, Code::ValueTooLong, shown(text), format!("{} {CELL_LIMIT}", name(column))))
            }
            text => Ok(text.to_owned()),
        };
        let empty = |column: Column| Err(Problem::new(line, Code::EmptyIdentifier, name(column), ""));
        let row = VerbRow {
            line,
            course: cell(Column::Course)?,
            user: cell(Column::User)?,
            role: cell(Column::Role)?.to_lowercase(),
            method: cell(Column::Method)?.to_lowercase(),
            until: cell(Column::Until)?,
            by: cell(Column::By)?,
            source: cell(Column::Source)?.to_lowercase(),
        };
        // What stands in a column without a name may be the person.
        if self.table.has_nameless() {
            return Err(Problem::new(line, Code::ColumnUnknown, "", hint::NAMELESS));
        }
        // A file with a column of people is about people: an empty cell in it is a lost value, not everybody.
        if row.user.is_empty() && self.table.has(Column::User as usize) {
            return empty(Column::User);
        }
        match self.kind {
            _ if row.course.is_empty() => empty(Column::Course),
            FileKind::Convert if row.method.is_empty() => empty(Column::Method),
            FileKind::Renew if row.until.is_empty() && row.by.is_empty() => empty(Column::Until),
            FileKind::Renew if !row.until.is_empty() && !row.by.is_empty() => Err(Problem::new(
                line,
                Code::OptionsConflict,
                shown(&row.until),
                format!("{} {}", hint::LINE, shown(&row.by)),
            )),
            _ => Ok(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn told(kind: FileKind, text: &str) -> Vec<String> {
        let profile = Profile::of(kind);
        let mut file = match VerbFile::open(Cursor::new(text), &profile, Fallback::Windows1252) {
            Ok(file) => file,
            Err(FileProblem::Rejected(problem)) => return vec![format!("{} {}", problem.code, problem.value)],
            Err(other) => panic!("{other:?}"),
        };
        let mut told = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            told.push(match entry {
                VerbEntry::Row(row) => {
                    [row.course, row.user, row.role, row.method, row.until, row.by, row.source].join("|")
                }
                VerbEntry::Bad(problem) => format!("{} {} {}", problem.line, problem.code, problem.value),
            });
        }
        told
    }

    #[test]
    fn rows_of_both_kinds() {
        let renew = "Cours;Utilisateur;Jusqu'au;Durée\nMATH;zoe;2027-06-30;\nMATH;;2027-06-30;\n;zoe;;6m\nMATH;zoe;;\n\
                     MATH;zoe;2027-06-30;6m\n";
        let expected = [
            "MATH|zoe|||2027-06-30||",
            "3 empty-identifier user",
            "4 empty-identifier course",
            "5 empty-identifier until",
            "6 options-conflict 2027-06-30",
        ];
        assert_eq!(told(FileKind::Renew, renew), expected);
        let nameless = "course;;by\nMATH;zoe;6m\nMATH;;6m\n";
        assert_eq!(told(FileKind::Renew, nameless), ["2 column-unknown ", "MATH|||||6m|"]);
        assert_eq!(told(FileKind::Convert, "course,method,source\nMATH,Cohort,Keep\n"), ["MATH|||cohort|||keep"]);
        for (kind, header, expected) in [
            (FileKind::Renew, "course;user", "column-missing until (jusqu'au) / by (durée)"),
            (FileKind::Renew, "course;user;until;source", "column-unknown source"),
            (FileKind::Convert, "course;user", "column-missing method"),
            (FileKind::Convert, "course;method;usr", "column-unknown usr"),
        ] {
            assert_eq!(told(kind, &format!("{header}\nMATH;x;y\n")), [expected], "{header}");
        }
    }
}
