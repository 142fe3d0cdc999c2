//! What holds for any bytes that are read as a users file or a cohort file. It must not know where the bytes come from.

#![allow(dead_code, clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Cursor;

use enrold::config::{CohortKey, FileKind, Profile};
use enrold::files::users::{UserEntry, UsersFile, UsersReading};
use enrold::files::{CohortEntry, CohortFile, Fallback};
use enrold::problem::Problem;

/// The options that the first byte chooses, and the file.
fn divided(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest))
}

fn fallback(options: u8) -> Fallback {
    if options & 1 == 0 { Fallback::Windows1252 } else { Fallback::Iso8859_15 }
}

/// The lines of a file, counted generously: every kind of line end counts.
fn most_lines(bytes: &[u8]) -> u64 {
    1 + bytes.iter().filter(|byte| [b'\n', b'\r'].contains(byte)).count() as u64
}

/// Entries come in the order of their lines, which the file has.
struct Order {
    last: u64,
    most: u64,
    entries: u64,
}

impl Order {
    fn of(bytes: &[u8]) -> Self {
        Self { last: 0, most: most_lines(bytes), entries: 0 }
    }

    fn next(&mut self, line: u64) {
        assert!(line > self.last && line <= self.most, "line {line} after {} of {}", self.last, self.most);
        self.last = line;
        self.entries += 1;
        assert!(self.entries < self.most, "more entries than lines after the header");
    }
}

fn sound(problem: &Problem) {
    assert!(!problem.code.as_str().is_empty() && problem.value.len() <= 8_192, "{problem:?}");
}

/// Reads a users file; gives the number of its entries, `None` if it is refused.
pub fn read_users(bytes: &[u8]) -> Option<u64> {
    let (options, file) = divided(bytes);
    let own = [("N° de candidature", "username"), ("promo", "cohort2"), ("champ", "profile_field_champ")];
    let columns: BTreeMap<String, String> = if options & 2 == 0 {
        BTreeMap::new()
    } else {
        own.map(|(name, known)| (name.to_owned(), known.to_owned())).into()
    };
    let required = match options >> 2 & 3 {
        0 => Vec::new(),
        1 => vec!["username"],
        2 => vec!["email"],
        _ => vec!["username", "firstname", "lastname", "email"],
    };
    let zone = chrono_tz::Europe::Paris;
    let reading = UsersReading { columns: &columns, required: required.clone(), fallback: fallback(options), zone };
    let mut reader = UsersFile::open(|| Cursor::new(file), &reading).ok()?;
    assert!(required.iter().all(|column| reader.has(column)), "a required column is missing");
    let _ = reader.titles();
    let fields: Vec<String> = reader.fields().map(str::to_owned).collect();
    assert!(fields.iter().all(|field| !field.is_empty()));
    let mut order = Order::of(file);
    while let Ok(Some(entry)) = reader.next_entry() {
        let row = match entry {
            UserEntry::Bad(problem) => {
                sound(&problem);
                order.next(problem.line);
                continue;
            }
            UserEntry::Row(row) => row,
        };
        order.next(row.line);
        let has_nul = |text: &str| text.contains('\0');
        for (name, cell) in &row.values {
            assert!(reader.has(name), "a cell of {name}, which the header does not have");
            assert!(cell.trim() == cell && !has_nul(cell), "{name}: {cell:?}");
        }
        assert_eq!(row.fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), fields.iter().collect::<Vec<_>>());
        assert!(row.cohorts.iter().all(|cohort| cohort.n > 0 && !cohort.key.is_empty()));
        for place in &row.places {
            assert!(!place.course.is_empty() && (0..=3).contains(&place.kind) && place.n > 0);
            assert!(place.status.is_none_or(|status| (0..=1).contains(&status)));
            // A period of a hundred years is the longest, unless a start and an end say otherwise.
            assert!(place.period.is_none_or(|period| period >= 0));
            assert!(place.start.is_none_or(|start| start > 0));
        }
        assert!(row.roles.iter().all(|role| !role.role.is_empty() || !role.category.is_empty()));
        assert!(row.problems.iter().all(|problem| problem.line == row.line));
        row.problems.iter().for_each(sound);
    }
    Some(order.entries)
}

/// Reads a cohort file; gives the number of its entries, `None` if it is refused.
pub fn read_cohorts(bytes: &[u8]) -> Option<u64> {
    let (options, file) = divided(bytes);
    let kind = if options & 2 == 0 { FileKind::CohortMembers } else { FileKind::Cohorts };
    let cohort_key = [CohortKey::Idnumber, CohortKey::Name, CohortKey::Id][usize::from(options >> 2) % 3];
    let columns = if options & 64 == 0 { BTreeMap::new() } else { [("Groupe".to_owned(), "cname".to_owned())].into() };
    let profile = Profile { cohort_key, columns, ..Profile::of(kind) };
    let mut reader = CohortFile::open(Cursor::new(file), &profile, fallback(options)).ok()?;
    reader.unread().iter().for_each(sound);
    let mut order = Order::of(file);
    let mut comments = 0;
    while let Ok(Some(entry)) = reader.next_entry() {
        let row = match entry {
            CohortEntry::Comment(_) => {
                comments += 1;
                assert!(comments < order.most && kind == FileKind::CohortMembers);
                continue;
            }
            CohortEntry::Bad(problem) => {
                sound(&problem);
                order.next(problem.line);
                continue;
            }
            CohortEntry::Row(row) => row,
        };
        order.next(row.line);
        assert!(row.warning.as_ref().is_none_or(|warning| warning.line == row.line));
        row.warning.iter().for_each(sound);
        assert!(row.said.name.chars().count() <= 254 && row.said.idnumber.chars().count() <= 100);
        assert!(row.said.theme.chars().count() <= 50 && row.said.component.chars().count() <= 100);
        assert!(row.said.format.is_none_or(|format| [0, 1, 2, 4].contains(&format)));
        match kind {
            FileKind::Cohorts => assert!(!row.said.name.is_empty()),
            _ => assert!(!row.key.is_empty()),
        }
    }
    Some(order.entries)
}

/// The target `users`: a file has the same entries twice.
pub fn users(bytes: &[u8]) {
    assert_eq!(read_users(bytes), read_users(bytes));
}

/// The target `cohorts`.
pub fn cohorts(bytes: &[u8]) {
    assert_eq!(read_cohorts(bytes), read_cohorts(bytes));
}
