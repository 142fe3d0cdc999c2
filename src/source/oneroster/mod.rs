//! OneRoster 1.1 and 1.2 as CSV files in a zip: enrolments with their users, classes and courses, bulk or delta.
//! It must not know a database; what refers to nothing is told with its file and line, never guessed.
//!
//! Facts: 1EdTech OneRoster CSV tables 1.1.1 and CSV binding 1.2.1. Names of files, columns and
//! values are compared with their case; the order of columns is not, as the names say enough.

mod archive;
mod enrolments;
mod listing;
mod manifest;
mod status;

use std::collections::BTreeMap;
use std::path::Path;

use self::archive::Archive;
use self::enrolments::Enrolments;
use self::listing::Listing;
use self::manifest::Manifest;
use super::canonical::{Canonical, Sorted};
use super::files::FileRead;
use super::rows::{SetError, SnapshotKind, Taker};
use crate::config::Source;
use crate::files::{Delimiter, TableColumn, TableForm};

pub use archive::EXPANDED_LIMIT;
pub use manifest::{Mode, Version};

/// The column that identifies a row of any OneRoster file.
const SOURCED_ID: &str = "sourcedId";

/// A table with these columns, as the specification wants it: exact names, commas, Unicode.
fn form(required: &[&str], optional: &[&str]) -> TableForm {
    let required = required.iter().map(|name| TableColumn::required(name));
    TableForm {
        columns: required.chain(optional.iter().map(|name| TableColumn::optional(name))).collect(),
        exact: true,
        delimiters: &[Delimiter::Comma],
        fallback: None,
    }
}

/// A column of one of the files, by its place in the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    file: &'static str,
    column: &'static str,
}

const USER_KEYS: [Key; 4] = [
    Key { file: "users", column: SOURCED_ID },
    Key { file: "users", column: "username" },
    Key { file: "users", column: "identifier" },
    Key { file: "users", column: "email" },
];

const COURSE_KEYS: [Key; 5] = [
    Key { file: "classes", column: SOURCED_ID },
    Key { file: "classes", column: "classCode" },
    Key { file: "classes", column: "title" },
    Key { file: "courses", column: SOURCED_ID },
    Key { file: "courses", column: "courseCode" },
];

/// How an export becomes rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterForm {
    user: Key,
    course: Key,
    roles: BTreeMap<String, String>,
}

impl RosterForm {
    /// `user` and `course` are written `FILE.COLUMN`: `users.sourcedId` (also for ""), `users.username`,
    /// `users.identifier`, `users.email`; `classes.sourcedId` (also for ""), `classes.classCode`,
    /// `classes.title`, `courses.sourcedId`, `courses.courseCode`. `roles` gives the short name of
    /// a Moodle role for a role of OneRoster; what is not in it enrols nobody.
    ///
    /// # Errors
    /// A sentence that names what is accepted.
    pub fn new(user: &str, course: &str, roles: BTreeMap<String, String>) -> Result<RosterForm, String> {
        Ok(RosterForm { user: key(user, &USER_KEYS)?, course: key(course, &COURSE_KEYS)?, roles })
    }

    /// The exports of a source: its `columns.user` and `columns.course` say which columns.
    ///
    /// # Errors
    /// A sentence that names what is accepted.
    pub fn of(source: &Source) -> Result<RosterForm, String> {
        let roles = source.roles.iter().map(|role| (role.from.clone(), role.to.clone())).collect();
        RosterForm::new(&source.columns.user, &source.columns.course, roles)
    }
}

fn key(text: &str, known: &[Key]) -> Result<Key, String> {
    let text = text.trim();
    let written = |key: &Key| format!("{}.{}", key.file, key.column);
    match known.iter().find(|key| written(key) == text) {
        Some(&key) => Ok(key),
        None if text.is_empty() => Ok(known[0]),
        None => {
            let names: Vec<String> = known.iter().map(written).collect();
            Err(format!(
                "\"{text}\" is no column of a OneRoster export that can be used here; use one of: {}",
                names.join(", ")
            ))
        }
    }
}

/// What was read of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRead {
    pub version: Version,
    pub kind: SnapshotKind,
    /// `enrollments.csv`.
    pub enrolments: FileRead,
    pub sorted: Sorted,
    /// Rows to take away that the same delta also wishes: they are not taken away.
    pub contradicted: u64,
}

/// Reads the archive at `path` and gives its rows in canonical order, each once, to `taker`, after
/// the problems. `scratch` is a directory for what is expanded, and for what does not fit in memory.
///
/// # Errors
/// [`SetError`]; then `taker` was given rows or problems of a set that is none.
pub fn read_archive(
    path: &Path,
    form: &RosterForm,
    scratch: &Path,
    taker: &mut dyn Taker,
) -> Result<RosterRead, SetError> {
    read_bounded(path, form, scratch, EXPANDED_LIMIT, taker)
}

fn read_bounded(
    path: &Path,
    form: &RosterForm,
    scratch: &Path,
    limit: u64,
    taker: &mut dyn Taker,
) -> Result<RosterRead, SetError> {
    let mut archive = Archive::open(path, scratch, limit)?;
    let manifest = Manifest::read(&mut archive)?;
    let kind = match manifest.mode("enrollments", &archive)? {
        Mode::Bulk => SnapshotKind::Full,
        Mode::Delta => SnapshotKind::Delta,
        Mode::Absent => {
            return Err(archive.refuse("it has no enrollments.csv, so it says nothing about enrolments; add the file"));
        }
    };
    if kind == SnapshotKind::Delta && form.course.file == "courses" {
        return Err(archive.refuse(
            "a delta of enrolments cannot be applied by course: who leaves one class may stay in another of the same course; send enrollments.csv in bulk, or use a column of classes.csv",
        ));
    }
    let mut read = |file, column| Listing::read(&mut archive, &manifest, file, column, taker);
    let users = read("users", form.user.column)?;
    let by_course = form.course.file == "courses";
    let classes = read("classes", if by_course { "courseSourcedId" } else { form.course.column })?;
    let courses = if by_course { Some(read("courses", form.course.column)?) } else { None };
    let orgs = read("orgs", SOURCED_ID)?;
    let mut canonical = Canonical::new(scratch);
    let enrolments = Enrolments { form, kind, users, classes, courses, orgs };
    let file = enrolments.read(&mut archive, &mut canonical, taker)?;
    let (sorted, contradicted) = enrolments::give(canonical, taker)?;
    Ok(RosterRead { version: manifest.version, kind, enrolments: file, sorted, contradicted })
}

#[cfg(test)]
mod tests;
