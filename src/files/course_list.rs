//! Reads the list of participants of one course: a key of a user in each line, and the groups that they join (spec
//! files 5.1); or the same as a text in sections. It must not know which accounts and groups a site has.

use std::io::{Read, Seek};

use unicode_normalization::UnicodeNormalization;

use super::course_text::Sections;
use super::kinds::Layout;
use super::names::folded;
use super::records::{Form, Records};
use super::scan::scan_list;
use super::{Fallback, FileProblem, Scan, is_unseen};
use crate::problem::{Code, Problem, shown};

/// The names that the first column of a header has.
const OF_USERS: [&str; 14] = [
    "username",
    "user",
    "utilisateur",
    "nom d'utilisateur",
    "identifiant",
    "login",
    "email",
    "e-mail",
    "mail",
    "courriel",
    "adresse de courriel",
    "idnumber",
    "numero d'identification",
    "numero etudiant",
];
/// The names that its other columns have, with or without a number.
const OF_GROUPS: [&str; 4] = ["group", "groups", "groupe", "groupes"];
/// `groups.name`, in characters; Moodle's form accepts no longer ones.
const NAME_WIDTH: usize = 254;
/// The most groups of a line.
const MOST_GROUPS: usize = 100;

/// Whether the first line of a list is a header.
pub(super) fn is_list_header(names: &[String]) -> bool {
    let folded: Vec<String> = names.iter().map(|name| folded(name).replace('’', "'")).collect();
    let is_group = |name: &String| {
        OF_GROUPS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').trim_end_matches('_'))
    };
    folded.split_first().is_some_and(|(user, groups)| OF_USERS.contains(&user.as_str()) && groups.iter().all(is_group))
}

/// What a row says of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListVerb {
    /// The user is in the course, and in the groups.
    Join = 1,
    /// The user is not in the course (`!` in a text).
    Unenrol = 2,
    /// The user is not in the groups (`!` in a section of a text).
    Leave = 3,
}

/// A user of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// The physical line, 1-based; a line of a text may have several users.
    pub line: u64,
    pub verb: ListVerb,
    /// Trimmed, case as written, not empty.
    pub user: String,
    /// The names of the groups, each once, in one Unicode form.
    pub groups: Vec<String>,
    /// Groups that are left out.
    pub problems: Vec<Problem>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    Row(ListRow),
    /// A line that cannot be used.
    Bad(Problem),
}

/// An open list, or an open text in sections.
pub struct ListFile<R> {
    records: Records<R>,
    /// How a text goes on; `None` for a list.
    text: Option<Sections>,
}

impl<R: Read + Seek> ListFile<R> {
    /// Reads the whole file once, for its digest and encoding.
    ///
    /// # Errors
    /// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid` or `delimiter-suspect`.
    pub fn open(mut file: R, layout: Layout, fallback: Fallback) -> Result<Self, FileProblem> {
        let scan: Scan = scan_list(&mut file, fallback, layout)?;
        let text = (layout == Layout::Text).then(Sections::default);
        Ok(Self { records: Records::open(file, &scan)?, text })
    }
}

impl<R: Read> ListFile<R> {
    /// The next user; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer the one that was opened.
    pub fn next_entry(&mut self) -> Result<Option<ListEntry>, FileProblem> {
        loop {
            if let Some(entry) = self.text.as_mut().and_then(Sections::next) {
                return Ok(Some(entry));
            }
            let Some(record) = self.records.next()? else { return Ok(None) };
            match (&mut self.text, record.form) {
                (_, Form::Blank | Form::Header) => {}
                // Quotes and the number of cells mean nothing in a text.
                (Some(text), Form::Whole | Form::Ragged | Form::Unquotable | Form::Damaged) => {
                    text.line(record.line, self.records.text(&record));
                }
                (Some(text), Form::TooLong) => {
                    if let Err(problem) = self.records.shape(&record) {
                        text.lost(problem);
                    }
                }
                (None, _) => {
                    let row = self.records.shape(&record).and_then(|()| self.row(record.line));
                    return Ok(Some(row.map_or_else(ListEntry::Bad, ListEntry::Row)));
                }
            }
        }
    }

    fn row(&self, line: u64) -> Result<ListRow, Problem> {
        let mut cells = self.records.cells.iter();
        let user = cells.next().unwrap_or_default().to_owned();
        if user.is_empty() {
            return Err(Problem::new(line, Code::EmptyIdentifier, "1", ""));
        }
        let mut row = ListRow { line, verb: ListVerb::Join, user, groups: Vec::new(), problems: Vec::new() };
        for name in cells.flat_map(|cell| cell.split('|')) {
            match group_name(line, name) {
                Ok(name) if !name.is_empty() && !row.groups.contains(&name) => row.groups.push(name),
                Ok(_) => {}
                Err(problem) => row.problems.push(problem),
            }
            if row.groups.len() + row.problems.len() > MOST_GROUPS {
                let expected = format!("1-{}", MOST_GROUPS + 1);
                return Err(Problem::new(line, Code::RowRagged, self.records.cells.len().to_string(), expected));
            }
        }
        Ok(row)
    }
}

/// The name of a group as Moodle can store it, without characters around it that are not seen.
///
/// # Errors
/// `value-too-long`; `value-charset`: the name holds characters that are not seen.
pub(super) fn group_name(line: u64, text: &str) -> Result<String, Problem> {
    let name: String = text.trim_matches(is_unseen).nfc().collect();
    if name.chars().count() > NAME_WIDTH {
        return Err(Problem::new(line, Code::ValueTooLong, shown(&name), format!("group {NAME_WIDTH}")));
    }
    if name.chars().any(char::is_control) {
        return Err(Problem::new(line, Code::ValueCharset, shown(&name), "groups.name"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn told(text: &[u8]) -> Vec<String> {
        let mut file = ListFile::open(Cursor::new(text.to_vec()), Layout::List, Fallback::Windows1252).unwrap();
        let mut told = Vec::new();
        while let Some(entry) = file.next_entry().unwrap() {
            told.push(match entry {
                ListEntry::Row(row) => {
                    let left_out = row.problems.iter().map(|problem| format!(" {}", problem.code)).collect::<String>();
                    format!("{} {} {}{left_out}", row.line, row.user, row.groups.join(" + "))
                }
                ListEntry::Bad(problem) => format!("{} {}", problem.line, problem.code),
            });
        }
        told
    }

    #[test]
    fn lines_in_every_form() {
        let text = "55000901,GroupA\r\n\r\n55000902;Équipe CEMU;TD 1\r\ngu03\tA|B | A\n\"gu07\",\"Groupe, d'été\"\n  \
                    gu08 \n;;\n;GroupA\ngu09;TD 1, mardi\ngu10,\"open\ngu11,Groupe d'e\u{301}te\u{301}";
        let expected = [
            "1 55000901 GroupA",
            "3 55000902 Équipe CEMU + TD 1",
            "4 gu03 A + B",
            "5 gu07 Groupe, d'été",
            "6 gu08 ",
            "8 empty-identifier",
            "9 gu09 TD 1, mardi",
            "10 row-ragged",
            "11 gu11 Groupe d'été",
        ];
        assert_eq!(told(text.as_bytes()), expected);
        let latin: Vec<u8> = "gu01;Groupe cité".chars().map(|c| c as u8).collect();
        assert_eq!(told(&latin), ["1 gu01 Groupe cité"]);
    }

    #[test]
    fn a_header_is_tolerated_and_a_line_of_data_is_none() {
        for header in
            ["username", "Identifiant;Groupe", "\u{feff}email,group1,group2", "sep=;\nNom d’utilisateur;GROUPES"]
        {
            let lines = header.lines().count() + 1;
            assert_eq!(told(format!("{header}\ngu01;A\n").as_bytes()), [format!("{lines} gu01 A")], "{header}");
        }
        for line in ["gu01;Groupe", "username;TD 1", "55000901"] {
            assert_eq!(told(line.as_bytes()).len(), 1, "{line}");
        }
    }

    #[test]
    fn names_that_no_group_can_have() {
        let long = format!("gu01;{}", "é".repeat(255));
        assert_eq!(told(long.as_bytes()), ["1 gu01  value-too-long"]);
        assert_eq!(told("gu01;A\u{7}B".as_bytes()), ["1 gu01  value-charset"]);
        let many = format!("gu01{}", (0..101).map(|n| format!(";{n}")).collect::<String>());
        assert_eq!(told(many.as_bytes()), ["1 row-ragged"]);
    }
}
