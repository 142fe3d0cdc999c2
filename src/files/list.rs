//! Reads a plain list of users: the first cell of each line, for commands that concern some people only.
//! It must not know accounts.

use std::io::{Read, Seek, SeekFrom};

use super::cells::{Cells, Quoting};
use super::encoding::survey;
use super::lines::Lines;
use super::scan::next_line;
use super::{Delimiter, Fallback, FileProblem};
use crate::config::UserKey;
use crate::problem::{Code, Problem, shown};

/// A list of users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    /// The key that the first line names, if it does (`username`, `idnumber`, `email`, `id`).
    pub key: Option<UserKey>,
    /// The first cell of each other line, with its line.
    pub users: Vec<(u64, String)>,
}

/// Reads the whole list. Blank lines, and lines that begin with `#`, are left out.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid`, `row-too-long` or `row-ragged`: a list is taken
/// whole or not at all.
pub fn user_list<R: Read + Seek>(file: &mut R, fallback: Fallback) -> Result<UserList, FileProblem> {
    file.seek(SeekFrom::Start(0))?;
    let survey = survey(&mut *file, Some(fallback))?;
    let mut lines = Lines::open(&mut *file, survey.encoding, survey.bom, survey.damaged)?;
    let mut list = UserList::default();
    let mut first = true;
    while let Some(line) = next_line(&mut lines)? {
        if line.too_long {
            return Err(refused(line.number, Code::RowTooLong, &line.text));
        }
        if line.text.trim_start().starts_with('#') {
            continue;
        }
        let Some(cell) = first_cell(&line.text) else {
            return Err(refused(line.number, Code::RowRagged, &line.text));
        };
        let key = UserKey::from_word(&cell.to_lowercase()).filter(|_| std::mem::take(&mut first));
        first = false;
        match key {
            Some(key) => list.key = Some(key),
            None if cell.is_empty() => {}
            None => list.users.push((line.number, cell)),
        }
    }
    Ok(list)
}

fn refused(line: u64, code: Code, text: &str) -> FileProblem {
    FileProblem::Rejected(Problem::new(line, code, shown(text), ""))
}

/// The first cell by whichever delimiter ends it first; `None` if its quotes are not closed on the line.
fn first_cell(text: &str) -> Option<String> {
    let cell = |delimiter: Delimiter| {
        let mut cells = Cells::rfc4180();
        let complete = cells.add_line(text, delimiter.as_char()) == Quoting::Complete;
        complete.then(|| cells.get(0).to_owned())
    };
    Delimiter::ALL.into_iter().filter_map(cell).min_by_key(String::len)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(text: &[u8]) -> UserList {
        user_list(&mut Cursor::new(text.to_vec()), Fallback::Windows1252).unwrap()
    }

    #[test]
    fn the_first_cell_of_each_line_is_a_user() {
        let users = |lines: &[(u64, &str)]| lines.iter().map(|(line, user)| (*line, (*user).to_owned())).collect();
        let plain = read(b"# who\njdoe\n\n  anna  \n");
        assert_eq!(plain, UserList { key: None, users: users(&[(2, "jdoe"), (4, "anna")]) });
        let headed = read(b"email;name\r\n\"a@x.fr\";Doe, John\r\n;nobody\r\nb@x.fr\tB\r\n");
        assert_eq!(headed.key, Some(UserKey::Email));
        assert_eq!(headed.users, users(&[(2, "a@x.fr"), (4, "b@x.fr")]));
        assert_eq!(read(b"\xe9l\xe8ve").users, users(&[(1, "élève")]));
        assert_eq!(read(b""), UserList::default());
    }

    #[test]
    fn a_damaged_list_is_not_taken_in_part() {
        let told = user_list(&mut Cursor::new(b"jdoe\n\"open\n".to_vec()), Fallback::Windows1252);
        let Err(FileProblem::Rejected(problem)) = told else { panic!("{told:?}") };
        assert_eq!((problem.line, problem.code), (2, Code::RowRagged));
    }
}
