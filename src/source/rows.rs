//! A row of a full set, a problem of a row, and the trait that receives them.
//! It must not know where rows come from, nor where they go.

use std::io;

use serde::{Deserialize, Serialize};

use crate::config::Locale;
use crate::disk::is_changed;
use crate::files::{FileProblem, Scraps};
use crate::problem::{Code, Problem};

/// One enrolment or cohort membership, as the source writes it: nothing is resolved. Empty: no value was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SetRow {
    pub user: String,
    pub course: String,
    pub role: String,
    pub group: String,
    /// The related user of a role that has one (Moodle's `remoteotheruserfield`).
    pub other: String,
    pub timestart: String,
    pub timeend: String,
    pub status: String,
    pub cohort: String,
    /// The name of the cohort.
    pub name: String,
    /// The physical line on which the row begins; of equal rows, the first. Not part of the row's identity.
    pub line: u64,
    /// The index of the file in the set, from 0, in the order of reading. Not part of the row's identity either.
    pub file: u16,
}

impl SetRow {
    /// The status of a user who is enrolled but has no access.
    pub const SUSPENDED: &str = "suspended";

    /// The value of a canonical column; empty for any other name.
    pub fn of(&self, column: &str) -> &str {
        match column {
            "user" => &self.user,
            "course" => &self.course,
            "role" => &self.role,
            "group" => &self.group,
            "other" => &self.other,
            "timestart" => &self.timestart,
            "timeend" => &self.timeend,
            "status" => &self.status,
            "cohort" => &self.cohort,
            "name" => &self.name,
            _ => "",
        }
    }

    /// The course or, in a set of cohorts, the cohort.
    pub fn place(&self) -> &str {
        if self.course.is_empty() { &self.cohort } else { &self.course }
    }

    /// The values, in the canonical order of comparison: by course and cohort, then by user, then the rest.
    pub fn values(&self) -> [&str; 10] {
        let row = self;
        [
            &row.course,
            &row.cohort,
            &row.user,
            &row.role,
            &row.group,
            &row.other,
            &row.timestart,
            &row.timeend,
            &row.status,
            &row.name,
        ]
    }
}

/// Whether a set was sent in full, or as the changes since the one before. In both cases its rows are the full set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotKind {
    Full,
    Delta,
}

/// A problem of a row, or of a file of the set. It is never dropped silently: the code that receives the set must know
/// that it holds less than what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetProblem {
    /// The name of the file, without its directory.
    pub file: String,
    /// Line, code, value, hint.
    pub problem: Problem,
    /// Whether the row is used all the same.
    pub taken: bool,
    /// The user of the row, as far as it could be read. As the row is not in the set, this user's enrolments must not
    /// be treated as extra.
    pub user: String,
    /// The course or, in a set of cohorts, the cohort, as far as it could be read.
    pub place: String,
    /// Whether the user or the place is empty because a reference is broken, not because the row has none: then it may
    /// be anybody, or anywhere.
    #[serde(default)]
    pub broken: bool,
    /// If the cells of the row cannot be told apart, all its values: any of them may be the user or the place.
    #[serde(default)]
    pub scraps: Option<Scraps>,
}

impl SetProblem {
    /// A problem of a row that is not used, and of which nothing else is known.
    pub fn new(file: &str, problem: Problem) -> SetProblem {
        SetProblem {
            file: file.to_owned(),
            problem,
            taken: false,
            user: String::new(),
            place: String::new(),
            broken: false,
            scraps: None,
        }
    }

    /// The same, for a row that is used.
    pub fn warning(file: &str, problem: Problem) -> SetProblem {
        SetProblem { taken: true, ..SetProblem::new(file, problem) }
    }

    /// The same, with the user and the place of the row.
    pub fn about(self, user: &str, place: &str) -> SetProblem {
        SetProblem { user: user.to_owned(), place: place.to_owned(), ..self }
    }

    /// The same, for a row with a broken reference.
    pub fn broken(self) -> SetProblem {
        SetProblem { broken: true, ..self }
    }
}

/// Receives the rows and the problems of a set.
pub trait Taker {
    /// Receives a row; rows come in canonical order and are distinct.
    ///
    /// # Errors
    /// The error of the taker's file; reading ends.
    fn row(&mut self, row: &SetRow) -> io::Result<()>;

    /// Receives a problem; problems come in the order of the files and their lines.
    ///
    /// # Errors
    /// The error of the taker's file; reading ends.
    fn problem(&mut self, problem: SetProblem) -> io::Result<()>;
}

/// Why a whole set is not read. Nothing of it may be applied.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content of a file is refused.
    #[error("{file}: {}", .problem.text(Locale::En))]
    Refused { file: String, problem: Problem },
    /// A file is no longer the one that was found complete.
    #[error("changed-while-read: {file} changed while it was read; send the set again, each file renamed into place")]
    Changed { file: String },
    /// An archive that cannot be used. The text says what to do.
    #[error("{archive}: {why}")]
    Archive { archive: String, why: String },
    /// A delta of a source that has no base, or none any more. The text says why.
    #[error("it is a delta, and {why}; send a bulk set")]
    NoBase { why: String },
    /// A delta whose latest change is older than one that was applied; both in ISO 8601.
    #[error(
        "its latest change is of {newest}, and one of {applied} was applied before; apply deltas in their order, or \
         send a bulk set"
    )]
    Outdated { newest: String, applied: String },
}

impl SetError {
    /// The error for a file that cannot be read or whose content is refused.
    pub fn of_file(file: &str, problem: FileProblem) -> SetError {
        match problem {
            FileProblem::Io(error) if is_changed(&error) => SetError::Changed { file: file.to_owned() },
            FileProblem::Io(error) => SetError::Io(error),
            FileProblem::Rejected(problem) => SetError::Refused { file: file.to_owned(), problem },
        }
    }

    /// The problem code of this error, if it has one.
    pub fn code(&self) -> Option<Code> {
        match self {
            SetError::Refused { problem, .. } => Some(problem.code),
            SetError::NoBase { .. } => Some(Code::BaseMissing),
            SetError::Outdated { .. } => Some(Code::DeltaOutdated),
            _ => None,
        }
    }
}

/// Keeps all rows and problems, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub rows: Vec<SetRow>,
    pub problems: Vec<SetProblem>,
}

#[cfg(test)]
impl Kept {
    /// The filled values of each row, in canonical order, joined.
    pub fn lines(&self) -> Vec<String> {
        let filled =
            |row: &SetRow| row.values().iter().filter(|value| !value.is_empty()).copied().collect::<Vec<_>>().join("|");
        self.rows.iter().map(filled).collect()
    }

    /// `FILE:LINE CODE VALUE`, with `(USER, PLACE)` if either is known and `+` if the row is used.
    pub fn told(&self) -> Vec<String> {
        let told = |told: &SetProblem| {
            let SetProblem { file, problem: Problem { line, code, value, .. }, taken, user, place, .. } = told;
            let about = if user.is_empty() && place.is_empty() { String::new() } else { format!(" ({user}, {place})") };
            format!("{file}:{line} {code} {value}{about}{}", if *taken { " +" } else { "" })
        };
        self.problems.iter().map(told).collect()
    }
}

#[cfg(test)]
impl Taker for Kept {
    fn row(&mut self, row: &SetRow) -> io::Result<()> {
        self.rows.push(row.clone());
        Ok(())
    }

    fn problem(&mut self, problem: SetProblem) -> io::Result<()> {
        self.problems.push(problem);
        Ok(())
    }
}
