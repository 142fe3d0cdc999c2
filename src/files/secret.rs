//! Finds the columns of a file that hold passwords, and copies its records with those cells masked.
//! It must not know what the other columns mean, nor refuse a file: one that no reader accepts has passwords, too.

use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom, Write};

use super::cells::{Cells, Quoting, skip_blanks};
use super::columns::Columns;
use super::encoding::{Survey, survey};
use super::header::begins_with_operation;
use super::lines::Lines;
use super::preface::Preface;
use super::raw::RawLines;
use super::records::{Form, Record, Records};
use super::scan::{Line, next_line};
use super::{Delimiter, Fallback, FileProblem, is_unseen, names};

/// Stands in the place of a password.
pub const MASK: &str = "***";

/// In how many lines that are not blank any line that names a password is a header; behind them it must name a column
/// of accounts, too.
const NEAR: usize = 30;
/// How many lines a header may have whose quotes do not pair on its first line.
const HEADER_LINES: usize = 10;
/// The longest name of a column that resembles that of passwords, in characters: longer texts are no names.
const LONGEST_NAME: usize = 40;
/// The characters that may separate columns, also those that no reader accepts.
const DELIMITERS: [char; 6] = [',', ';', '\t', '|', ':', '^'];

/// Whether a cell holds a masked password.
pub fn is_masked(cell: &str) -> bool {
    cell.trim() == MASK
}

/// Whether the beginning of a file that is no text has one of these names in a cell of its own, compared without case
/// and accents. NULs do not count: UTF-16 without a mark is full of them.
pub fn may_name(beginning: &[u8], names: &[&str]) -> bool {
    let unmarked =
        [b"\xff\xfe", b"\xfe\xff"].iter().find_map(|mark| beginning.strip_prefix(*mark)).unwrap_or(beginning);
    let bytes: Vec<u8> = unmarked.iter().copied().filter(|byte| *byte != 0).collect();
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0,
    };
    let is_end = |letter: char| matches!(letter, '\n' | '\r' | '"' | '\u{feff}') || DELIMITERS.contains(&letter);
    let sought = Sought::of(names);
    text.split(is_end).any(|cell| sought.is(cell))
}

/// The names of passwords, prepared for comparing.
struct Sought<'a> {
    bare: Vec<String>,
    /// Those without a letter or digit.
    odd: Vec<&'a str>,
    /// Names like these, too.
    like: bool,
}

impl<'a> Sought<'a> {
    fn of(names: &[&'a str]) -> Self {
        let mut bare: Vec<String> =
            names.iter().map(|name| names::bare(name)).filter(|bare| !bare.is_empty()).collect();
        bare.sort_unstable();
        bare.dedup();
        let odd = names.iter().copied().filter(|name| names::bare(name).is_empty()).collect();
        let like = bare.iter().any(|name| name == names::PASSWORD[0]);
        Self { bare, odd, like }
    }

    fn is(&self, cell: &str) -> bool {
        let bare = names::bare(cell);
        let is_short = cell.chars().count() <= LONGEST_NAME;
        self.bare.contains(&bare)
            || (self.like && is_short && names::resembles_password(&bare))
            || self.odd.iter().any(|name| names::same(name, cell))
    }

    /// Whether some cell of a text may be one of the names.
    fn may_be_in(&self, text: &str) -> bool {
        let bare = names::bare(text);
        // Every name like that of a password has one of these parts.
        let may_be_like = |bare: &str| ["pass", "word", "mdp"].iter().any(|part| bare.contains(part));
        !self.odd.is_empty() || self.bare.iter().any(|name| bare.contains(name)) || (self.like && may_be_like(&bare))
    }
}

/// The form of a file with a header, and where its passwords are.
#[derive(Clone, Debug)]
pub struct Masking {
    survey: Survey,
    delimiter: char,
    header_line: u64,
    /// The physical line `sep=;`; 0 if there is none.
    sep_line: u64,
    /// From this line to the header the lines are masked whole, because it names a password, too; 0 if none does.
    veiled_line: u64,
    /// How many columns the header names; [`usize::MAX`] if its cells are not clear, so that no record is whole.
    width: usize,
    /// The columns with passwords, counted from 0.
    hidden: Vec<usize>,
}

impl Masking {
    /// Finds the header: the first line that names a password (`names`, compared [`names::bare`]) and another column
    /// of accounts, else the first line near the beginning that names a password, else the first line that is no title.
    /// `None` for a file without any line.
    ///
    /// # Errors
    /// The file cannot be read, or is no text.
    pub fn find<R: Read + Seek>(file: &mut R, names: &[&str], fallback: Fallback) -> Result<Option<Self>, FileProblem> {
        file.seek(SeekFrom::Start(0))?;
        let survey = survey(&mut *file, Some(fallback))?;
        let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
        let sought = Sought::of(names);
        let mut preface = Preface::default();
        let [mut first, mut weak, mut strong]: [Option<Self>; 3] = [None, None, None];
        let mut torn: Option<Torn> = None;
        let mut near = 0..NEAR;
        while let Some(line) = next_line(&mut lines)? {
            let is_top = first.is_none() && strong.is_none();
            // What a wrong `sep=` says is the reader's problem.
            if is_top && preface.takes_sep(&line, &Delimiter::ALL).unwrap_or(true) {
                continue;
            }
            let is_near = near.next().is_some();
            let may_hide = !line.too_long && sought.may_be_in(&line.text);
            if let Some(header) = &mut torn {
                header.add(&line);
                if may_hide || sought.may_be_in(&header.text) {
                    weak.get_or_insert_with(|| Self::of_torn(&survey, &preface, header.line));
                    torn = None;
                } else if header.is_complete() {
                    torn = None;
                }
                continue;
            }
            if !is_top && !may_hide {
                continue;
            }
            let found = DELIMITERS.map(|delimiter| Self::of_line(&survey, &preface, &line, delimiter, &sought));
            let is_clear = found.iter().all(|one| one.width > 0);
            // Of several, the one that gives the most columns.
            let Some(best) = found.into_iter().max_by_key(|one| (!one.hidden.is_empty(), one.width)) else { continue };
            let hides = may_hide && best.hides();
            if hides && best.is_plausible(&line.text) {
                match &mut strong {
                    // A further table behind the first.
                    Some(strong) if strong.delimiter == best.delimiter => {
                        strong.hidden.extend(best.hidden);
                        strong.hidden.sort_unstable();
                        strong.hidden.dedup();
                    }
                    Some(_) => {}
                    None => strong = Some(best),
                }
                continue;
            }
            let is_behind_titles = first.as_ref().is_none_or(|first| first.width < 2);
            if hides && (is_near || is_behind_titles) && !begins_with_operation(&line.text) {
                weak.get_or_insert_with(|| best.clone());
            } else if is_top && !is_clear && !line.too_long {
                if may_hide {
                    weak.get_or_insert_with(|| Self::of_torn(&survey, &preface, line.number));
                } else {
                    torn = Some(Torn { line: line.number, text: line.text.clone(), lines: 1 });
                }
            }
            if is_top {
                preface.add(&line);
                if !preface.admits_header() {
                    first = Some(Self { hidden: Vec::new(), ..best });
                }
            }
        }
        Ok(match (strong, weak) {
            (Some(strong), Some(weak)) if weak.header_line < strong.header_line => {
                Some(Self { veiled_line: weak.header_line, ..strong })
            }
            (strong, weak) => strong.or(weak).or(first),
        })
    }

    /// The form of a file with this header.
    fn of_line(survey: &Survey, preface: &Preface, line: &Line, delimiter: char, sought: &Sought) -> Self {
        let cells = header_cells(&line.text, delimiter);
        let hidden = (0..cells.len()).filter(|at| sought.is(&cells[*at])).collect();
        let (sep_line, header_line) = (preface.sep.map_or(0, |(line, _)| line), line.number);
        Self { survey: survey.clone(), delimiter, header_line, sep_line, veiled_line: 0, width: cells.len(), hidden }
    }

    /// The form of a file with passwords in columns that are not clear.
    fn of_torn(survey: &Survey, preface: &Preface, header_line: u64) -> Self {
        let sep_line = preface.sep.map_or(0, |(line, _)| line);
        let (survey, hidden) = (survey.clone(), vec![0]);
        Self { survey, delimiter: ';', header_line, sep_line, veiled_line: 0, width: usize::MAX, hidden }
    }

    /// Whether a reader may accept the line as a header with a password, wherever it stands.
    fn is_plausible(&self, line: &str) -> bool {
        let is_beside = |cell: &String| names::BESIDE_PASSWORD.contains(&names::bare(cell).as_str());
        Delimiter::ALL.iter().any(|accepted| accepted.as_char() == self.delimiter)
            && header_cells(line, self.delimiter).iter().any(is_beside)
    }

    /// Whether the file has passwords.
    pub fn hides(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// The digest of all bytes of the file.
    pub fn sha256(&self) -> &str {
        &self.survey.sha256
    }

    /// The lines that another file needs too to be read like this one: `sep=` and the header.
    pub fn head(&self) -> impl Iterator<Item = u64> + use<> {
        [self.sep_line, self.header_line].into_iter().filter(|line| *line > 0)
    }

    /// The records that begin on these physical lines, as [`super::raw_lines`] gives them, with masked passwords.
    ///
    /// # Errors
    /// As [`super::raw_lines`].
    pub fn raw_lines<R, L>(&self, file: R, lines: L) -> Result<RawLines<R, L::IntoIter>, FileProblem>
    where
        R: Read + Seek,
        L: IntoIterator<Item = u64>,
    {
        Ok(RawLines::of(self.records(file)?, Some(self.clone()), lines))
    }

    /// Writes the whole file with masked passwords, in UTF-8, each line ended by a line feed.
    ///
    /// # Errors
    /// The file's error, or the writer's.
    pub fn copy<R: Read + Seek>(&self, file: R, out: &mut impl Write) -> Result<(), FileProblem> {
        let mut records = self.records(file)?;
        if self.survey.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        while let Some(record) = records.next()? {
            writeln!(out, "{}", self.shown(&record, records.text(&record)))?;
        }
        Ok(())
    }

    fn records<R: Read + Seek>(&self, file: R) -> Result<Records<R>, FileProblem> {
        // A record that is not as wide as the header may have its password in any column.
        let last = self.width.checked_sub(1).filter(|_| self.hides());
        let columns = Columns::of_table(self.width, last.into_iter().collect());
        Records::of_table(file, &self.survey, self.delimiter, self.header_line, columns)
    }

    /// The text of a record, with masked passwords; all of it is masked if its cells are not clear.
    pub(super) fn shown<'a>(&self, record: &Record, text: &'a str) -> Cow<'a, str> {
        let is_veiled = self.veiled_line > 0 && (self.veiled_line..self.header_line).contains(&record.line);
        match record.form {
            _ if !self.hides() => text.into(),
            Form::Header if is_veiled && record.line != self.sep_line => MASK.into(),
            Form::Blank | Form::Header => text.into(),
            Form::Whole | Form::Damaged => self.masked(text).map_or(MASK.into(), Into::into),
            Form::TooLong | Form::Unquotable | Form::Ragged => MASK.into(),
        }
    }

    /// A whole record with masked cells; a cell without anything stays as it is. `None` if its quotes are not clear.
    fn masked(&self, text: &str) -> Option<String> {
        let mut masked = String::with_capacity(text.len());
        let (mut rest, mut column) = (text, 0);
        loop {
            let (cell, after) = rest.split_at(cell_length(rest, self.delimiter)?);
            let is_empty = cell.chars().all(|letter| letter == '"' || is_unseen(letter));
            masked.push_str(if self.hidden.contains(&column) && !is_empty { MASK } else { cell });
            let Some(next) = after.strip_prefix(self.delimiter) else { return Some(masked) };
            masked.push(self.delimiter);
            (rest, column) = (next, column + 1);
        }
    }
}

/// A first line whose quotes do not pair, and the lines behind it that may belong to it.
struct Torn {
    line: u64,
    text: String,
    lines: usize,
}

impl Torn {
    fn add(&mut self, line: &Line) {
        self.text.push('\n');
        self.text.push_str(&line.text);
        self.lines += 1;
    }

    fn is_complete(&self) -> bool {
        self.lines >= HEADER_LINES || self.text.matches('"').count().is_multiple_of(2)
    }
}

/// The names of a header line; none if its quotes do not pair.
fn header_cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = Cells::rfc4180();
    let complete = cells.add_line(line, delimiter) == Quoting::Complete;
    let mut names: Vec<String> = if complete { cells.iter().map(str::to_owned).collect() } else { Vec::new() };
    while names.pop_if(|name| name.is_empty()).is_some() {}
    names
}

/// The length of the first cell as it is written, with its quotes; `None` if text follows them.
fn cell_length(text: &str, delimiter: char) -> Option<usize> {
    let Some(mut inside) = skip_blanks(text, delimiter).strip_prefix('"') else {
        return Some(text.find(delimiter).unwrap_or(text.len()));
    };
    loop {
        let (_, after) = inside.split_once('"')?;
        match after.strip_prefix('"') {
            Some(doubled) => inside = doubled,
            None => {
                let after = skip_blanks(after, delimiter);
                let ends = after.is_empty() || after.starts_with(delimiter);
                return ends.then_some(text.len() - after.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const NAMES: &[&str] = names::PASSWORD;

    fn found(bytes: &[u8]) -> Masking {
        Masking::find(&mut Cursor::new(bytes), NAMES, Fallback::Windows1252).unwrap().unwrap()
    }

    fn copied(bytes: &[u8]) -> String {
        let mut copy = Vec::new();
        found(bytes).copy(Cursor::new(bytes), &mut copy).unwrap();
        String::from_utf8(copy).unwrap()
    }

    #[test]
    fn every_password_is_masked_and_nothing_else() {
        let file = "username;Password;lastname\r\np1;Secret-1;Fort\r\n\r\np2;;Vide\np3;\"Secret;\"\"2\";Fort\n\
                    p4; \"Secret\n3\" ;Fort\np5;\"\";Fort";
        let masked = "username;Password;lastname\np1;***;Fort\n\np2;;Vide\np3;***;Fort\np4;***;Fort\np5;\"\";Fort\n";
        assert_eq!(copied(file.as_bytes()), masked);
        assert_eq!(copied(masked.as_bytes()), masked);
    }

    #[test]
    fn a_record_whose_cells_are_not_clear_is_masked_whole() {
        let file =
            "password,username\nSecret,p1,too,many\nSecret\n\"Secret\" x,p1\nSecret,p2,,\n\"Secret,p3\nSecret,p4\n";
        assert_eq!(copied(file.as_bytes()), "password,username\n***\n***\n***\n***,p2,,\n***\n***,p4\n");
    }

    #[test]
    fn a_header_is_found_under_titles_in_any_delimiter_name_and_encoding() {
        for (file, masked) in [
            ("Export\n\nsep=;\nusername;mdp\na;Secret\n", "Export\n\nsep=;\nusername;mdp\na;***\n"),
            ("username|mot de passe\na|Secret\n", "username|mot de passe\na|***\n"),
            ("a,b\nusername,MOT_DE_PASSE\na,Secret\n", "a,b\nusername,MOT_DE_PASSE\na,***\n"),
            ("password\nSecret\n", "password\n***\n"),
            ("username:passwd:x,y\na:Secret:b\n", "username:passwd:x,y\na:***:b\n"),
            ("\u{feff}password;username\nSecret;é\n", "\u{feff}password;username\n***;é\n"),
        ] {
            assert_eq!(copied(file.as_bytes()), masked);
        }
        assert_eq!(copied(b"password;nom\nSecret;No\xebl\n"), "password;nom\n***;Noël\n");
        let utf16: Vec<u8> = "\u{feff}nom;password\nNoël;Secret\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(copied(&utf16), "\u{feff}nom;password\nNoël;***\n");
    }

    #[test]
    fn a_title_that_names_a_password_is_no_header() {
        let title = "Mot de passe : provisoire\n";
        let file = "sep=;\nusername;lastname;firstname;email;address;password\na;F;U;a@b.fr;x : y;Secret\n";
        assert_eq!(copied(format!("{title}{file}").as_bytes()), format!("***\n{}", file.replace("Secret", MASK)));
        assert_eq!(found(format!("{title}{file}").as_bytes()).head().collect::<Vec<_>>(), [2, 3]);
        // Rows behind a line that only may be a header do not become clear by another header behind them.
        let rows = "Mdp;Nom usuel\nSecret;a\n";
        assert_eq!(copied(format!("{rows}username;mdp\nb;Secret\n").as_bytes()), "***\n***\nusername;mdp\nb;***\n");
    }

    #[test]
    fn a_header_is_found_behind_any_number_of_lines() {
        let rows: String = (0..32).map(|at| format!("add,student,none{at},ELP4821\n")).collect();
        let users = "username,lastname,firstname,email,auth,password\na,b,c,d,manual,Secret\n";
        let masked = users.replace("Secret", MASK);
        assert_eq!(copied(format!("{rows}{users}").as_bytes()), format!("{rows}{masked}"));
        let titles: String = (0..40).map(|at| format!("Title {at}\n")).collect();
        assert_eq!(copied(format!("{titles}{users}").as_bytes()), format!("{titles}{masked}"));
        let own = "Code;Pwd\na;Secret\n";
        assert_eq!(copied(format!("{titles}{own}").as_bytes()), format!("{titles}Code;Pwd\na;***\n"));
        let other = "password,email\nSecret,e\n";
        assert!(!copied(format!("{users}{other}").as_bytes()).contains("Secret"));
        // A course or a user may have such a name.
        for row in ["add,student,mdp,ELP4821\n", "add,student,none,PWD\n"] {
            assert!(!found(format!("{row}{rows}{row}").as_bytes()).hides());
            assert!(!found(format!("operation,role,username,course\n{rows}{row}").as_bytes()).hides());
        }
    }

    #[test]
    fn a_name_close_to_a_known_one_hides() {
        for name in [
            "mot\u{a0}de\u{a0}passe",
            "mot  de  passe",
            "Mot de passe :",
            "Pass word",
            "pass\u{ad}word",
            "pass\u{200b}word",
            "ｐａｓｓｗｏｒｄ",
            "\"Mot\tde passe\"",
        ] {
            let file = format!("username;{name};email\na;Secret;b\n");
            assert_eq!(copied(file.as_bytes()), file.replace("Secret", MASK), "{name:?}");
        }
        assert!(!found(b"username;passage\na;PASS\n").hides());
    }

    #[test]
    fn a_header_whose_quotes_do_not_pair_hides_all() {
        for (header, rest) in [
            ("username;\"Mot de", "passe\";email\na;Secret;b\n"),
            ("username;\"password", "(initial)\";email\na;Secret;b;\n"),
            ("username;\"E\" mail;password", "a;b;Secret\n"),
            ("\"user", "name\";password\na;Secret\n"),
        ] {
            let masked = "***\n".repeat(rest.lines().count());
            assert_eq!(copied(format!("{header}\n{rest}").as_bytes()), format!("{header}\n{masked}"));
        }
        assert!(!found(b"username;\"E\nmail\"\na;b\n").hides());
    }

    #[test]
    fn a_file_without_passwords_has_lines_as_written() {
        let file = "Export\nusername;lastname\na;\"b;\nc\nd;e;f\n";
        let masking = found(file.as_bytes());
        assert!(!masking.hides());
        assert_eq!(masking.head().collect::<Vec<_>>(), [2]);
        let lines = masking.raw_lines(Cursor::new(file.as_bytes()), [2, 3, 5]).unwrap();
        let texts: Vec<String> = lines.map(|line| line.unwrap().text).collect();
        assert_eq!(texts, ["username;lastname", "a;\"b;", "d;e;f"]);
        assert!(Masking::find(&mut Cursor::new(b"\n\n"), NAMES, Fallback::Windows1252).unwrap().is_none());
    }

    #[test]
    fn what_is_no_text_may_name_a_password() {
        let utf16: Vec<u8> = "nom;Password\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [b"user;password\0\nx;y".as_slice(), b"\xff\xfem\0d\0p\0", &utf16, b"a;\"MDP\"\n\0"] {
            assert!(may_name(bytes, NAMES), "{bytes:?}");
        }
        assert!(!may_name(b"user;PASS\0", NAMES) && !may_name(b"", NAMES));
    }

    #[test]
    fn requested_lines_are_masked() {
        let file = b"sep=;\nusername;password\na;Secret\nb;\"Sec\nret\"\nc\n";
        let masking = found(file);
        assert_eq!(masking.head().collect::<Vec<_>>(), [1, 2]);
        let lines = masking.raw_lines(Cursor::new(file), masking.head().chain([4, 6])).unwrap();
        let texts: Vec<String> = lines.map(|line| line.unwrap().text).collect();
        assert_eq!(texts, ["sep=;", "username;password", "b;***", "***"]);
        assert!(is_masked(" *** ") && !is_masked("****") && !is_masked(""));
    }
}
