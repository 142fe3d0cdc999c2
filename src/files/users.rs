//! Reads users files: the columns of Moodle's upload and of tool_sync, by any of their names, and typed cells. It must
//! not know the database: whether a value, a course or a cohort exists is decided elsewhere.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use chrono_tz::Tz;
use unicode_normalization::UnicodeNormalization;

use super::names::{self, folded};
use super::table::{Table, TableColumn, TableEntry, TableForm};
use super::times::{self, Bound};
use super::{Delimiter, Fallback, FileProblem, Title, flags, shown};
use crate::config::SmallTimes;
use crate::problem::{Code, Problem, hint};

/// The columns of an account, each with its other names (spec files 4.1); names are compared as [`names::same`].
const COLUMNS: &[(&str, &[&str])] = &[
    ("username", &["login", "identifiant"]),
    ("oldusername", &[]),
    ("password", &["mot de passe", "motdepasse"]),
    ("firstname", &["prenom"]),
    ("lastname", &["nom", "name", "nom de famille"]),
    ("email", &["mail", "courriel", "e-mail", "adresse de courriel"]),
    ("idnumber", &["ine", "numero_etudiant", "numero etudiant"]),
    ("auth", &[]),
    ("suspended", &[]),
    ("deleted", &[]),
    ("mnethostid", &[]),
    ("emailstop", &[]),
    ("city", &["ville"]),
    ("country", &["pays"]),
    ("lang", &["langue"]),
    ("timezone", &[]),
    ("mailformat", &[]),
    ("maildisplay", &[]),
    ("maildigest", &[]),
    ("autosubscribe", &[]),
    ("trackforums", &[]),
    ("institution", &[]),
    ("department", &[]),
    ("phone1", &["telephone"]),
    ("phone2", &[]),
    ("address", &["adresse"]),
    ("description", &[]),
    ("descriptionformat", &[]),
    ("theme", &[]),
    ("middlename", &[]),
    ("alternatename", &[]),
    ("firstnamephonetic", &[]),
    ("lastnamephonetic", &[]),
    ("cohortid", &[]),
    ("interests", &[]),
    // Accepted without effect, as in Moodle.
    ("id", &[]),
    ("htmleditor", &[]),
    ("icq", &[]),
    ("url", &[]),
];

/// The known name of a column that is not read, and the name that stands for all other columns.
const NOT_READ: &str = "-";
const OTHERS: &str = "*";

/// Before the short name of a custom profile field.
const FIELD: &str = "profile_field_";

/// Columns that only tool_sync has: a header with one of them is of its form (spec files 4.2).
const OF_TOOL_SYNC: &[&str] = &["cohortid", "icq", "url", "trackforums"];

/// Further names of numbered columns without their number, which then is 1.
const FIRST: &[(&str, &str)] = &[("cohorte", "cohort1"), ("cohort", "cohort1")];

/// Numbered columns that a header names without a number, and which is meant.
const WITHOUT_NUMBER: &[(&str, &str)] = &[
    ("course", "course1"),
    ("group", "group1"),
    ("role", "role1"),
    ("type", "type1"),
    ("enrolperiod", "enrolperiod1"),
    ("enrolstatus", "enrolstatus1"),
    ("enroltimestart", "enroltimestart1"),
    ("sysrole", "sysrole1"),
    ("category", "category1"),
    ("categoryrole", "categoryrole1"),
];

/// The longest cell of a numbered column, in characters.
const CELL_WIDTH: usize = 255;

/// The highest number of a column.
const LAST_NUMBER: i64 = 200;

/// What a numbered column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Numbered {
    Cohort,
    Course,
    Group,
    Role,
    Type,
    Period,
    Status,
    Start,
    End,
    Method,
    SystemRole,
    Category,
    CategoryRole,
}

impl Numbered {
    const ALL: &[(&str, Self)] = &[
        ("cohort", Self::Cohort),
        ("cohorte", Self::Cohort),
        ("course", Self::Course),
        ("group", Self::Group),
        ("role", Self::Role),
        ("type", Self::Type),
        ("enrolperiod", Self::Period),
        ("enrolstatus", Self::Status),
        ("enroltimestart", Self::Start),
        ("start", Self::Start),
        ("end", Self::End),
        ("enrol", Self::Method),
        ("sysrole", Self::SystemRole),
        ("category", Self::Category),
        ("categoryrole", Self::CategoryRole),
    ];

    /// The column of this folded name, with its number.
    fn of(name: &str) -> Option<(Self, i64)> {
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let known = Self::ALL.iter().find(|(known, _)| *known == &name[..name.len() - digits.len()])?;
        let number = digits.parse().ok().filter(|number| (1..=LAST_NUMBER).contains(number))?;
        Some((known.1, number))
    }

    /// Whether only tool_sync has the column.
    fn is_of_tool_sync(name: &str) -> bool {
        Self::of(name).is_some()
            && ["start", "end", "enrol"]
                .iter()
                .any(|only| name.strip_prefix(only).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())))
    }
}

/// A column of a users file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// One of [`COLUMNS`].
    Value(&'static str),
    /// A custom profile field: the short name as the header writes it.
    Field(String),
    /// A numbered column.
    Numbered(Numbered, i64),
}

/// The forms of a users file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsersForm {
    /// Moodle's upload (spec files 4.1).
    Core,
    /// tool_sync's `userimport.csv` (spec files 4.2): the idnumber identifies a person.
    ToolSync,
}

/// How a users file is read, as far as its bytes do not show it.
#[derive(Clone, Debug)]
pub struct UsersReading<'a> {
    /// Further names of columns: the name in the header, and the known name; `-` for a column that is not read, also
    /// for `*`, which stands for all columns that are not known.
    pub columns: &'a BTreeMap<String, String>,
    /// The known columns without which the header is refused.
    pub required: Vec<&'static str>,
    /// The encoding of a file that is not Unicode.
    pub fallback: Fallback,
    /// The zone of its times.
    pub zone: Tz,
}

impl UsersReading<'_> {
    /// Whether the profile says that this column is not read.
    fn leaves_out(&self, name: &str) -> bool {
        self.columns.iter().any(|(own, known)| known == NOT_READ && names::same(own, name))
    }
}

/// A course of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceCells {
    /// The number of the columns.
    pub n: i64,
    /// Its short name.
    pub course: String,
    /// A group in it; empty for none.
    pub group: String,
    /// The role; empty for none.
    pub role: String,
    /// `typeN`: 0 none, 1 student, 2 editing teacher, 3 teacher.
    pub kind: i64,
    /// `enrolperiodN` in seconds; 0 for no end.
    pub period: Option<i64>,
    /// `enrolstatusN`: 0 active, 1 suspended.
    pub status: Option<i64>,
    /// `enroltimestartN` in Unix seconds.
    pub start: Option<i64>,
}

/// A cohort of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CohortCells {
    /// The number of the column.
    pub n: i64,
    /// What names it.
    pub key: String,
    /// Its name, if it is made; empty for that of the key.
    pub name: String,
}

/// A role that a row gives or takes away in the system or in a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleCells {
    /// The number of the columns.
    pub n: i64,
    /// The idnumber of the category; empty for the system.
    pub category: String,
    /// The role.
    pub role: String,
    /// The role is taken away.
    pub removed: bool,
}

/// One row of a users file. It may hold a password: it has no `Debug`.
#[derive(Clone, Default)]
pub struct UserRow {
    /// The physical line on which it begins.
    pub line: u64,
    /// The cells by the name of the column, composed (NFC), without blanks around them; empty ones too.
    pub values: BTreeMap<&'static str, String>,
    /// Custom profile fields: the short name as the header writes it, and the cell.
    pub fields: Vec<(String, String)>,
    /// Cohorts.
    pub cohorts: Vec<CohortCells>,
    /// Courses.
    pub places: Vec<PlaceCells>,
    /// Roles in the system and in categories.
    pub roles: Vec<RoleCells>,
    /// What is wrong with cells that give something besides the account; what they give is left out.
    pub problems: Vec<Problem>,
}

impl UserRow {
    /// The cell of a column; empty if the header has no such column.
    pub fn value(&self, column: &str) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }

    /// About how many bytes its texts take.
    pub fn size(&self) -> usize {
        let values = self.values.values().map(String::len).sum::<usize>();
        let fields = self.fields.iter().map(|(_, cell)| cell.len()).sum::<usize>();
        // Cells of numbered columns are short.
        let numbered = self.cohorts.len() + 3 * self.places.len() + 2 * self.roles.len();
        values + fields + numbered * CELL_WIDTH
    }
}

/// A record of a users file.
pub enum UserEntry {
    /// A row.
    Row(Box<UserRow>),
    /// A record that cannot be used.
    Bad(Problem),
}

/// An open users file: its header is understood, its rows are not read yet.
pub struct UsersFile<R> {
    table: Table<R>,
    columns: Vec<Column>,
    zone: Tz,
    /// The form that its header has.
    pub form: UsersForm,
}

impl<R: Read + Seek> UsersFile<R> {
    /// Opens a file, which `open` gives twice: the numbered columns and profile fields of its header are found first.
    ///
    /// # Errors
    /// As [`Table::open`]; `column-unknown`.
    pub fn open(open: impl Fn() -> R, reading: &UsersReading<'_>) -> Result<Self, FileProblem> {
        let first = Table::open(open(), &form(reading, &[]))?;
        let extra = (first.ignored.iter())
            .filter(|name| !reading.leaves_out(name))
            .map(|name| further(name, reading).map(|column| (name.clone(), column)))
            .filter(|column| column.is_ok() || !reading.leaves_out(OTHERS))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|problem| FileProblem::Rejected(Problem { line: first.header_line, ..problem }))?;
        for (at, (name, column)) in extra.iter().enumerate() {
            if extra[..at].iter().any(|(_, other)| other == column) {
                let twice = Problem::new(first.header_line, Code::ColumnTwice, shown(name), "");
                return Err(FileProblem::Rejected(twice));
            }
        }
        let header_names = || extra.iter().map(|(name, _)| folded(name));
        let table = Table::open(open(), &form(reading, &extra))?;
        let columns: Vec<Column> = COLUMNS
            .iter()
            .map(|(name, _)| Column::Value(name))
            .chain(extra.iter().map(|(_, column)| column.clone()))
            .collect();
        let has = |name: &str| COLUMNS.iter().position(|(known, _)| *known == name).is_some_and(|at| table.has(at));
        let tool_sync =
            OF_TOOL_SYNC.iter().any(|name| has(name)) || header_names().any(|name| Numbered::is_of_tool_sync(&name));
        let form = if tool_sync { UsersForm::ToolSync } else { UsersForm::Core };
        Ok(Self { table, columns, zone: reading.zone, form })
    }

    /// Whether the header has a column of an account.
    pub fn has(&self, name: &str) -> bool {
        self.columns
            .iter()
            .position(|column| *column == Column::Value(static_name(name)))
            .is_some_and(|at| self.table.has(at))
    }

    /// The short names of custom profile fields in the header, as written.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter_map(|column| match column {
            Column::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The lines before the header that are not read.
    pub fn titles(&self) -> &[Title] {
        &self.table.titles
    }
}

impl<R: Read> UsersFile<R> {
    /// The next record that is not blank; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<UserEntry>, FileProblem> {
        Ok(self.table.next_entry()?.map(|entry| match entry {
            TableEntry::Row(line) => match self.table.is_whole(line) {
                Ok(()) => UserEntry::Row(Box::new(self.row(line))),
                Err(problem) => UserEntry::Bad(problem),
            },
            TableEntry::Bad(problem, _) => UserEntry::Bad(problem),
        }))
    }

    fn row(&self, line: u64) -> UserRow {
        let mut row = UserRow { line, ..UserRow::default() };
        let mut numbered: BTreeMap<(i64, Numbered), String> = BTreeMap::new();
        for (at, column) in self.columns.iter().enumerate().filter(|(at, _)| self.table.has(*at)) {
            let cell: String = self.table.cell(at).nfc().collect();
            match column {
                Column::Value(name) => drop(row.values.insert(name, cell)),
                Column::Field(name) => row.fields.push((name.clone(), cell)),
                Column::Numbered(what, n) if !cell.is_empty() => drop(numbered.insert((*n, *what), cell)),
                Column::Numbered(..) => {}
            }
        }
        numbered.retain(|(n, what), text| {
            let fits = text.chars().count() <= CELL_WIDTH;
            if !fits {
                let column = Numbered::ALL.iter().find(|(_, known)| known == what).map_or("", |(name, _)| name);
                let hint = format!("{column}{n} {CELL_WIDTH}");
                row.problems.push(Problem::new(line, Code::ValueTooLong, shown(text), hint));
            }
            fits
        });
        self.give(&mut row, &numbered);
        row
    }

    /// What the numbered columns of a row give.
    ///
    /// A cell that names nothing because it is too long is a problem of its line, and gives nothing.
    fn give(&self, row: &mut UserRow, numbered: &BTreeMap<(i64, Numbered), String>) {
        let mut numbers: Vec<i64> = numbered.keys().map(|(n, _)| *n).collect();
        numbers.dedup();
        for n in numbers {
            let cell = |what| numbered.get(&(n, what)).map_or("", String::as_str);
            let (key, name) = match (n, row.value("cohortid")) {
                // tool_sync's `cohort` is a name beside the idnumber.
                (1, key) if !key.is_empty() => (key, cell(Numbered::Cohort)),
                _ => (cell(Numbered::Cohort), ""),
            };
            if !key.is_empty() {
                row.cohorts.push(CohortCells { n, key: key.to_owned(), name: name.to_owned() });
            }
            if !cell(Numbered::Course).is_empty() {
                let status = cell(Numbered::Status);
                if flags::parse(status).is_none() {
                    // As in Moodle, the account is enrolled all the same.
                    let expected = format!("enrolstatus{n} 0, 1");
                    row.problems.push(Problem::new(row.line, Code::ValueInvalid, shown(status), expected));
                }
                match self.place(row.line, n, &cell) {
                    Ok(place) => row.places.push(place),
                    Err(problem) => row.problems.push(problem),
                }
            }
            let mut role = |category: &str, role: &str| {
                let (removed, role) = role.strip_prefix('-').map_or((false, role), |role| (true, role));
                // A category without a role is a problem of what is given.
                if !role.is_empty() || !category.is_empty() {
                    row.roles.push(RoleCells { n, category: category.to_owned(), role: role.to_owned(), removed });
                }
            };
            role("", cell(Numbered::SystemRole));
            match (cell(Numbered::Category), cell(Numbered::CategoryRole)) {
                ("", "") => {}
                ("", _) => row.problems.push(Problem::new(row.line, Code::EmptyIdentifier, format!("category{n}"), "")),
                (category, given) => role(category, given),
            }
        }
        if row.cohorts.is_empty() && !row.value("cohortid").is_empty() {
            let key = row.value("cohortid").to_owned();
            row.cohorts.push(CohortCells { n: 1, key, name: String::new() });
        }
    }

    fn place<'a>(&self, line: u64, n: i64, cell: &impl Fn(Numbered) -> &'a str) -> Result<PlaceCells, Problem> {
        const DAY: i64 = 86_400;
        let unusable = |column: &str, text: &str, expected: &str| {
            Problem::new(line, Code::ValueInvalid, shown(text), format!("{column}{n} {expected}"))
        };
        let time = |what, bound, text: &str| match times::parse(text, bound, self.zone, SmallTimes::Refuse) {
            Ok(0) => Ok(None),
            Ok(time) => Ok(Some(time)),
            Err(hint) => Err(Problem::new(line, Code::BadTime, shown(cell(what)), hint)),
        };
        let method = cell(Numbered::Method);
        if !method.is_empty() && method != "manual" {
            return Err(unusable("enrol", method, "manual"));
        }
        let kind = match cell(Numbered::Type) {
            "" => 0,
            text => {
                text.parse().ok().filter(|kind| (1..=3).contains(kind)).ok_or_else(|| unusable("type", text, "1-3"))?
            }
        };
        let days = match cell(Numbered::Period) {
            "" => None,
            text => {
                let days: i64 = text.parse().map_err(|_| unusable("enrolperiod", text, "0-36500"))?;
                Some(days.clamp(-1, 36_500)).filter(|days| *days != 0)
            }
        };
        let status = match cell(Numbered::Status) {
            "" => None,
            // A word for nothing is no order.
            text => flags::parse(text).filter(|flag| *flag || flags::is_no(text)).map(i64::from),
        };
        let start = time(Numbered::Start, Bound::Start, cell(Numbered::Start))?;
        let end = time(Numbered::End, Bound::End, cell(Numbered::End))?;
        let period = match (days, start, end) {
            (_, Some(start), Some(end)) if end <= start => {
                let shown = |what| shown(cell(what));
                return Err(Problem::new(line, Code::EndBeforeStart, shown(Numbered::End), shown(Numbered::Start)));
            }
            (_, Some(start), Some(end)) => Some(end - start),
            (_, None, Some(_)) => return Err(unusable("start", "", "+ endN")),
            (Some(days), ..) => Some(days.max(0) * DAY),
            (None, ..) => None,
        };
        let text = |what| cell(what).to_owned();
        let (course, group, role) = (text(Numbered::Course), text(Numbered::Group), text(Numbered::Role));
        Ok(PlaceCells { n, course, group, role, kind, period, status, start })
    }
}

/// The form of the table: the columns of accounts, then those that are found in the header.
fn form(reading: &UsersReading<'_>, extra: &[(String, Column)]) -> TableForm {
    let known = COLUMNS.iter().map(|(name, others)| {
        let given = reading.columns.iter().filter(|(_, known)| names::same(known, name)).map(|(own, _)| own.as_str());
        let names = std::iter::once(*name).chain(others.iter().copied()).chain(given);
        let names = names.filter(|name| !reading.leaves_out(name)).map(str::to_owned).collect();
        TableColumn { names, required: reading.required.contains(name) }
    });
    let extra = extra.iter().map(|(name, _)| TableColumn::optional(name));
    TableForm {
        columns: known.chain(extra).collect(),
        exact: false,
        delimiters: &Delimiter::ALL,
        fallback: Some(reading.fallback),
        comments: &[],
    }
}

/// The column of a name that is none of [`COLUMNS`].
///
/// # Errors
/// `column-unknown`, without a line.
fn further(name: &str, reading: &UsersReading<'_>) -> Result<Column, Problem> {
    let unknown = |hint: &str| Problem::new(0, Code::ColumnUnknown, shown(name), hint);
    let own = reading.columns.iter().find(|(own, _)| names::same(own, name)).map(|(_, known)| known.as_str());
    let known = own.unwrap_or(name).trim();
    let plain = folded(known);
    if plain.starts_with(FIELD) {
        return known
            .get(FIELD.len()..)
            .filter(|field| !field.is_empty())
            .map(|field| Column::Field(field.to_owned()))
            .ok_or_else(|| unknown(""));
    }
    let plain = FIRST.iter().find(|(first, _)| *first == plain).map_or(plain.as_str(), |(_, numbered)| numbered);
    if let Some((what, n)) = Numbered::of(plain) {
        return Ok(Column::Numbered(what, n));
    }
    Err(unknown(if plain.starts_with("wwwroot") { hint::NOT_APPLIED } else { nearest(plain) }))
}

/// Whether a users file may have a column of this folded name.
pub(super) fn is_known(name: &str) -> bool {
    COLUMNS.iter().any(|(known, others)| *known == name || others.contains(&name))
        || FIRST.iter().any(|(first, _)| *first == name)
        || name.starts_with(FIELD)
        || Numbered::of(name).is_some()
}

/// The known name of the column, or an empty text.
fn static_name(name: &str) -> &'static str {
    COLUMNS.iter().map(|(known, _)| *known).find(|known| *known == name).unwrap_or("")
}

/// The known column nearest to a misspelt one; nothing if none is near.
fn nearest(name: &str) -> &'static str {
    let distance = |known: &str| super::header::distance(name, known);
    if let Some((_, numbered)) = WITHOUT_NUMBER.iter().find(|(plain, _)| *plain == name) {
        return numbered;
    }
    let near = COLUMNS.iter().map(|(known, _)| (distance(known), *known)).min_by_key(|(far, _)| *far);
    near.filter(|(far, _)| *far <= 1 + name.len() / 4 && name.len() < 40).map_or("", |(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn open(text: &str, columns: &[(&str, &str)]) -> Result<UsersFile<Cursor<Vec<u8>>>, FileProblem> {
        let columns = columns.iter().map(|(own, known)| ((*own).to_owned(), (*known).to_owned())).collect();
        let reading = UsersReading {
            columns: &columns,
            required: vec!["username"],
            fallback: Fallback::Windows1252,
            zone: chrono_tz::Europe::Paris,
        };
        UsersFile::open(|| Cursor::new(text.as_bytes().to_vec()), &reading)
    }

    fn rows(text: &str) -> Vec<UserRow> {
        let mut file = open(text, &[("N° de candidature", "username")]).unwrap();
        let mut rows = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            let UserEntry::Row(row) = entry else { panic!("a bad row") };
            rows.push(*row);
        }
        rows
    }

    #[test]
    fn aliases_in_french_and_of_the_profile() {
        let rows =
            rows("N° de candidature;Nom;Prénom;Courriel;INE;Cohorte\n700001;Élé;Zoe\u{301};z@example.org;I1;l1\n");
        let row = &rows[0];
        assert_eq!((row.line, row.value("username"), row.value("firstname")), (2, "700001", "Zoé"));
        assert_eq!((row.value("lastname"), row.value("email"), row.value("idnumber")), ("Élé", "z@example.org", "I1"));
        assert_eq!(row.cohorts, [CohortCells { n: 1, key: "l1".to_owned(), name: String::new() }]);
    }

    #[test]
    fn numbered_columns_belong_together() {
        let rows = rows(
            "username,course2,group2,role2,enrolperiod2,enrolstatus2,cohort10,sysrole1,category1,categoryrole1,\
             course1,type1\n\
             u,c2,g,student,2,1,k,-manager,cat,coursecreator,c1,4\n",
        );
        let place = PlaceCells {
            n: 2,
            course: "c2".to_owned(),
            group: "g".to_owned(),
            role: "student".to_owned(),
            period: Some(172_800),
            status: Some(1),
            ..PlaceCells::default()
        };
        assert_eq!(rows[0].places, [place]);
        assert_eq!(rows[0].cohorts, [CohortCells { n: 10, key: "k".to_owned(), name: String::new() }]);
        let role = |category: &str, role: &str, removed| RoleCells {
            n: 1,
            category: category.to_owned(),
            role: role.to_owned(),
            removed,
        };
        assert_eq!(rows[0].roles, [role("", "manager", true), role("cat", "coursecreator", false)]);
        assert_eq!(rows[0].problems, [Problem::new(2, Code::ValueInvalid, "4", "type1 1-3")]);
    }

    #[test]
    fn the_forms_are_told_apart_by_the_header() {
        let form = |header: &str| open(&format!("{header}\n"), &[]).map(|file| file.form).unwrap();
        assert_eq!(form("username,firstname,cohort1,enrolperiod1"), UsersForm::Core);
        assert_eq!(form("username,cohort,cohortid"), UsersForm::ToolSync);
        assert_eq!(form("username,course1,enrol1"), UsersForm::ToolSync);
    }

    #[test]
    fn unknown_columns_refuse_the_file() {
        let refused = |header: &str| match open(&format!("{header}\nx\n"), &[]) {
            Err(FileProblem::Rejected(problem)) => (problem.code, problem.value, problem.hint),
            _ => panic!("{header} is accepted"),
        };
        let unknown = |name: &str, hint: &str| (Code::ColumnUnknown, name.to_owned(), hint.to_owned());
        assert_eq!(refused("username,frstname"), unknown("frstname", "firstname"));
        assert_eq!(refused("username,wwwroot1"), unknown("wwwroot1", "not-applied"));
        assert_eq!(refused("username,course"), unknown("course", "course1"));
        assert_eq!(refused("username,email,mail").0, Code::ColumnTwice);
        assert_eq!(refused("firstname,lastname").0, Code::ColumnMissing);
    }

    #[test]
    fn a_profile_leaves_columns_out() {
        let open = |columns: &[(&str, &str)]| open("username,courriel,email,formation,INE\nu,a,b,c,i\n", columns);
        let Err(FileProblem::Rejected(problem)) = open(&[("formation", "-")]) else { panic!("two addresses") };
        assert_eq!(problem.code, Code::ColumnTwice);
        for others in [("Formation", "-"), ("*", "-")] {
            let mut file = open(&[others, ("Courriel", "-"), ("ine", "-")]).unwrap();
            let Some(UserEntry::Row(row)) = file.next_entry().unwrap() else { panic!("a row") };
            assert_eq!((row.value("email"), row.value("idnumber")), ("b", ""));
        }
    }

    #[test]
    fn a_header_may_have_very_many_columns() {
        let header: String = (1..=200).map(|n| format!(";cohort{n}")).collect();
        let row: String = (1..=200).map(|n| format!(";h{n}")).collect();
        let rows = rows(&format!("username{header}\nu{row}\n"));
        let last = &rows[0].cohorts[199];
        assert_eq!((rows[0].cohorts.len(), last.n, last.key.as_str()), (200, 200, "h200"));
    }

    #[test]
    fn profile_fields_keep_their_case() {
        let file = open("username,PROFILE_FIELD_FACULTY,profile_field_Bio\n", &[]).unwrap();
        assert_eq!(file.fields().collect::<Vec<_>>(), ["FACULTY", "Bio"]);
    }
}
