//! Reads the head of a file, to tell which kinds of file its header fits.
//! It must not read rows, nor know profiles or names of files.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::columns::Column;
use super::encoding::survey;
use super::header::{begins_with_operation, names, recognise, told};
use super::lines::Lines;
use super::names::{folded, same};
use super::scan::next_line;
use super::{Delimiter, Fallback, cohorts, course_methods, enrolments, group_members, groups, methods, users};
use crate::config::FileKind;

/// How many columns a record of a flat file fills at least.
const RECORD: usize = 4;

/// How many lines that are not blank may be the header: five titles and `sep=` may stand before it.
const LINES: usize = 7;

/// The columns of a users file by one of which, or two, it names its accounts; each with its other names.
const OF_ACCOUNT: [&[&str]; 4] = [
    &["username", "login", "identifiant"],
    &["email", "mail", "courriel", "e-mail", "adresse de courriel"],
    &["firstname", "prenom"],
    &["lastname", "nom", "nom de famille"],
];

/// What the header of each kind needs, for messages.
pub const NEEDED: &str = "flatfile: operation, username, course, role; users: username, lastname, firstname, email; \
                          cohorts: name; cohort-members: cmd, cidnumber, userid; \
                          methods: operation, method, shortname, metacohort; course-methods: shortname, enrolment_1; \
                          enrolments: rolename, cid, uid";

/// Words of flat files: a line with one of them is no header of another kind.
const OF_FLAT_FILES: [&str; 7] = ["add", "del", "student", "teacher", "editingteacher", "manager", "coursecreator"];

/// The beginning of a file.
#[derive(Default)]
pub struct Head {
    /// The lines that may be the header.
    lines: Vec<String>,
    /// Whether one of the lines is a record of a flat file without header.
    is_native: bool,
}

impl Head {
    /// The most bytes of a file that are needed.
    pub const LENGTH: u64 = 65_536;

    /// The head of a file that begins with these bytes. What is no text has no header.
    pub fn of(start: &[u8], fallback: Fallback) -> Self {
        read(whole_lines(start), fallback).unwrap_or_default()
    }

    /// Whether the header is one of this kind. `columns` are further names of columns, each with the known name.
    pub fn fits(&self, kind: FileKind, columns: &BTreeMap<String, String>) -> bool {
        let known = |name: &String| {
            let own = columns.iter().find(|(header, _)| same(header, name));
            folded(own.map_or(name, |(_, known)| known))
        };
        self.lines.iter().any(|line| {
            Delimiter::ALL.into_iter().any(|delimiter| {
                let names: Vec<String> = names(line, delimiter).iter().map(known).collect();
                is_header_of(kind, &names)
            })
        })
    }

    /// Whether a record of a flat file without header is among the first lines.
    pub fn is_native(&self) -> bool {
        self.is_native
    }

    /// The kinds that the header fits; a header of enrolments is of no other kind.
    pub fn kinds(&self) -> Vec<FileKind> {
        let none = BTreeMap::new();
        if self.fits(FileKind::FlatFile, &none) {
            return vec![FileKind::FlatFile];
        }
        let others = FileKind::WORDS.iter().filter_map(|word| FileKind::from_word(word));
        others.filter(|kind| self.fits(*kind, &none)).collect()
    }

    /// The header of a file that fits no kind and is no flat file; names that no kind has are shown as `?`.
    ///
    /// A flat file has a record that begins with an operation, or else a word that only flat files have; its own reader
    /// says what is wrong with a header that names at least two of its columns.
    pub fn unfit(&self) -> Option<String> {
        if self.is_native || self.lines.iter().any(|line| recognise(line, None).is_some()) {
            return None;
        }
        let cells = |line: &String| {
            let cuts = Delimiter::ALL.map(|delimiter| names(line, delimiter));
            cuts.into_iter().rev().max_by_key(Vec::len).unwrap_or_default()
        };
        let rows: Vec<Vec<String>> = self.lines.iter().map(cells).collect();
        let is_flat = |cell: &String| OF_FLAT_FILES.contains(&folded(cell).as_str());
        let header = rows.iter().find(|cells| cells.len() > 1 || cells.iter().any(|cell| is_known(cell)))?;
        (!rows.iter().flatten().any(is_flat)).then(|| told(header, is_known))
    }
}

/// The bytes up to the last line end, so that no character is cut.
fn whole_lines(start: &[u8]) -> &[u8] {
    if (start.len() as u64) < Head::LENGTH {
        return start;
    }
    let end = start.iter().rposition(|byte| *byte == b'\n').map_or(start.len(), |at| at + 1);
    // In UTF-16 (little endian) the line end has another byte.
    let end = if start.get(end) == Some(&0) { end + 1 } else { end };
    &start[..end]
}

fn read(start: &[u8], fallback: Fallback) -> Option<Head> {
    let survey = survey(start, Some(fallback)).ok()?;
    let mut lines = Lines::open(Cursor::new(start), survey.encoding, survey.bom, survey.damaged).ok()?;
    let mut head = Head::default();
    let mut ended = false;
    while !head.is_native
        && let Some(line) = next_line(&mut lines).ok()?
        && !line.too_long
    {
        let is_record = begins_with_operation(&line.text);
        let fills = |cells: Vec<String>| cells.len() >= RECORD && cells[..RECORD].iter().all(|cell| !cell.is_empty());
        head.is_native = is_record && Delimiter::ALL.into_iter().any(|delimiter| fills(names(&line.text, delimiter)));
        ended |= is_record || head.lines.len() == LINES;
        if !ended {
            head.lines.push(line.text);
        }
    }
    Some(head)
}

fn is_header_of(kind: FileKind, names: &[String]) -> bool {
    let has = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    let of_flat_file = |column: &Column| has(column.names());
    let command = of_flat_file(&Column::Operation);
    let account = OF_ACCOUNT.map(has);
    match kind {
        FileKind::FlatFile => Column::REQUIRED.iter().all(of_flat_file),
        FileKind::Users => {
            let [username, email, firstname, lastname] = account;
            let described = names.iter().filter(|name| users::is_known(name)).count();
            !command && (username || email || (firstname && lastname)) && described >= 2
        }
        FileKind::Cohorts => {
            has(&["name"])
                && !command
                && !account.contains(&true)
                && !has(&["userid", "groupname", "coursename", "courseid"])
        }
        FileKind::CohortMembers => {
            let cohort = has(&["cidnumber", "cname"]) || has(&["cid"]);
            cohort && (command || has(&["userid"])) && !has(Column::Role.names()) && !has(&["uid"])
        }
        FileKind::Methods => methods::is_header(has),
        FileKind::CourseMethods => course_methods::is_header(names),
        FileKind::Groups => has(&["groupname"]) || (has(&["courseid"]) && has(&["name"])),
        FileKind::Groupings => has(&["groupingname"]) && !has(&["groupname"]),
        FileKind::GroupMembers => has(&["groupid"]) && has(&["userid"]),
        FileKind::Enrolments => enrolments::is_header(names),
        // Known by their names.
        FileKind::CourseList | FileKind::CourseText | FileKind::Convert | FileKind::Renew => false,
    }
}

/// Whether a column of this name is one of any kind.
fn is_known(name: &str) -> bool {
    let name = &folded(name);
    let of_groups = groups::is_known(name) || group_members::is_known(name);
    Column::named(name).is_some()
        || users::is_known(name)
        || cohorts::is_known(name)
        || of_groups
        || methods::is_known(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let kinds = Head::of(text.as_bytes(), Fallback::Windows1252).kinds();
        kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_header_tells_the_kind() {
        for (header, expected) in [
            ("operation,username,course,role", "flatfile"),
            ("Opération;Utilisateur;Cours;Rôle;E-mail;Nom", "flatfile"),
            ("op\tuid\tcid\trole", "flatfile"),
            ("username;lastname;firstname;email;cohort1", "users"),
            ("Identifiant;Nom;Prénom;Courriel", "users"),
            ("username,course1,role1,group1", "users"),
            ("username;cohort1", "users"),
            ("username,firstname,lastname,email,idnumber,city,cohort,cohortid", "users"),
            ("firstname,lastname", "users"),
            ("email,profile_field_x", "users"),
            ("username,oldusername", "users"),
            ("username,deleted", "users"),
            ("name,idnumber,description,visible", "cohorts"),
            ("Name", "cohorts"),
            ("name,idnumber,category_path", "cohorts"),
            ("cmd;cidnumber;cname;userid;cdescription", "cohort-members"),
            ("userid,cid", "cohort-members"),
            ("cmd,cid", "cohort-members"),
            ("username,email,userid,cid", "users cohort-members"),
            ("operation;method;shortname;metacohort;disabled", "methods"),
            ("cmd;cohort;course;enrol;role;makegroup", "methods"),
            ("shortname,fullname,enrolment_1,enrolment_1_role", "course-methods"),
            ("shortname,fullname", ""),
            ("rolename,cid,uid", "enrolments"),
            ("cmd,rolename,cid,uid", "flatfile"),
            ("user,course,role", ""),
            ("username", ""),
            ("username,course,role", ""),
            ("groupname,name", "groups"),
            ("coursename,groupname,idnumber", "groups"),
            ("courseid;name;type;idnumber;grouping", "groups"),
            ("groupingname,coursename", "groupings"),
            ("cmd,courseid,groupid,userid", "group-members"),
            ("add,student,100001,GC-1", ""),
            ("PK\u{3}\u{4}", ""),
            ("", ""),
        ] {
            assert_eq!(kinds(header), expected, "{header}");
            assert_eq!(kinds(&format!("\u{feff}sep=;\r\nListe 2026\r\n\r\n{header}\r\nx;y\r\n")), expected, "{header}");
        }
    }

    #[test]
    fn a_header_of_no_kind_is_no_flat_file() {
        let unfit = |text: &str| Head::of(text.as_bytes(), Fallback::Windows1252).unfit();
        for (text, header) in [
            ("groupname;coursename;idnumber\nA;B;C\n", "groupname, coursename, idnumber"),
            ("Liste 2026\n\nusername\nadd\nx\n", "username"),
            ("commande;cohorte;login\nadd;L1;x\n", "?, cohorte, login"),
            ("commande;cohorte;nom;login\nadd;L1;;x\n", "?, cohorte, nom, login"),
            ("700001;Martin;Zoé;zoe@example.org\n", "?, ?, ?, ?"),
            ("sep=;\nColour;Size\nred;1\n", "?, ?"),
        ] {
            assert_eq!(unfit(text).as_deref(), Some(header), "{text}");
        }
        for flat in [
            "",
            "nothing\nat all\n",
            "add,student,100001,GC-1\n",
            "Colour;Size\nadd;student;100001;GC-1\n",
            "student,add,100001,GC-1\n",
            "Opération;Utilisateur;Cours\n",
            "x,student,100001,GC-1\n",
        ] {
            assert_eq!(unfit(flat), None, "{flat}");
        }
    }

    #[test]
    fn further_names_and_long_files_are_no_obstacle() {
        let columns = [("N. de dossier", "username"), ("Adresse", "email")];
        let columns = columns.map(|(header, known)| (header.to_owned(), known.to_owned())).into();
        for shift in 0..6 {
            let text = format!("n. de dossier;adresse\n{}{}", "é;x\n".repeat(5), "é".repeat(shift));
            let text = text + &"é;x\n".repeat(40_000);
            let wide = "\u{feff}".encode_utf16().chain(text.encode_utf16());
            let wide: Vec<u8> = wide.flat_map(u16::to_le_bytes).collect();
            for bytes in [text.as_bytes(), &wide] {
                let head = Head::of(&bytes[..Head::LENGTH as usize], Fallback::Windows1252);
                assert!(head.fits(FileKind::Users, &columns), "{shift}");
                assert!(head.kinds().is_empty());
            }
        }
    }
}
