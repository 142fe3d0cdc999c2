//! Bytes to typed flat-file lines: encodings, line ends, delimiters, headers, quotes, times; a problem always names its
//! physical line. It must not know a database, a run or a terminal: what a user, a course or a role name stands for is
//! decided elsewhere.
//!
//! A file is read twice, in constant memory: [`scan`] looks at all bytes and decides what the file is,
//! [`read`] turns each record into a [`FlatLine`] or a [`Problem`]. [`Table`] reads files with any other
//! header in the same way: full sets, manifests, OneRoster. [`raw_lines`] gives back records as they are written.
//! The quotes are read here and not by the crate `csv`: that crate accepts any quote, whereas a
//! quote that does not pair must cost one line and never the lines after it.

mod cells;
mod columns;
mod encoding;
mod header;
mod lines;
mod native;
mod raw;
mod reader;
mod records;
mod scan;
mod table;
pub mod times;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::Locale;
use crate::disk::{self, TooLarge};
use crate::outcome::RunError;
use crate::problem::{Code, Problem, shown};

pub use encoding::{Encoding, Fallback};
pub use header::UNTOLD;
pub use lines::LINE_LIMIT;
pub use raw::{RawLine, RawLines, raw_lines};
pub use reader::{Reader, Tally, read};
pub use scan::{Scan, scan};
pub use table::{Table, TableColumn, TableEntry, TableForm};

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Del,
}

impl Operation {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Add => "add",
            Operation::Del => "del",
        }
    }

    /// `add` or `del` in any case, nothing else (spec flatfile 3).
    fn parse(text: &str) -> Option<Operation> {
        [Operation::Add, Operation::Del].into_iter().find(|operation| text.eq_ignore_ascii_case(operation.as_str()))
    }
}

/// One record of a flat file, read but not looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatLine {
    /// The physical line, 1-based, on which the record begins.
    pub line: u64,
    pub operation: Operation,
    /// Trimmed, lower case, not empty.
    pub role: String,
    /// Trimmed, case as written, not empty.
    pub user: String,
    /// Trimmed, case as written, not empty.
    pub course: String,
    /// Unix seconds, 0: from always.
    pub timestart: i64,
    /// Unix seconds, 0: without end. Never before `timestart` unless 0.
    pub timeend: i64,
}

/// The two forms of a flat file (spec files 11: told apart by the header).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A header names the columns (spec files 2.1).
    Header,
    /// Moodle's positional form without header (spec files 2.2).
    Native,
}

impl Kind {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Header => "header",
            Kind::Native => "native",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Kind::Header, Kind::Native]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("unknown kind \"{text}\", use header or native"))
    }
}

/// The character between two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delimiter {
    Comma,
    Semicolon,
    Tab,
}

impl Delimiter {
    /// All of them, the preferred one first (Moodle's native form: comma wins).
    pub const ALL: [Delimiter; 3] = [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab];

    /// The character in the file.
    pub fn as_char(self) -> char {
        match self {
            Delimiter::Comma => ',',
            Delimiter::Semicolon => ';',
            Delimiter::Tab => '\t',
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Delimiter::Comma => ",",
            Delimiter::Semicolon => ";",
            Delimiter::Tab => "tab",
        })
    }
}

/// How a file is to be read: what its bytes cannot say.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None`: told apart by the first line.
    pub kind: Option<Kind>,
    /// The encoding of a file that is not Unicode.
    pub fallback: Fallback,
    /// The site's zone, for times written without one.
    pub zone: chrono_tz::Tz,
}

/// Why a whole file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The content is refused; the problem's line is that of the header, 0 when no line is to blame.
    #[error("{}", .0.text(Locale::En))]
    Rejected(Problem),
}

impl FileProblem {
    /// Why a run of the file at `path` ends.
    pub fn ends_run(self, path: &str) -> RunError {
        match self {
            Self::Io(error) if disk::is_changed(&error) => RunError::Changed(path.to_owned()),
            Self::Io(error) if disk::is_stopped(&error) => RunError::Stopped,
            Self::Io(error) => match TooLarge::of(&error) {
                Some(large) => {
                    let hint = format!("limits.file_mib = {}", large.limit >> 20);
                    RunError::Rejected(Problem::new(0, Code::FileTooLarge, large.bytes.to_string(), hint))
                }
                None => RunError::Unreadable { path: path.to_owned(), error },
            },
            Self::Rejected(problem) => RunError::Rejected(problem),
        }
    }
}

/// One record: a line to apply, or what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Line(FlatLine),
    Bad(Problem),
}

/// The widest cell that anything on a site could match, in characters: no column by which Moodle finds something is
/// wider.
pub const CELL_LIMIT: usize = 255;

/// The widest text that a column of Moodle takes, in characters: a course's full name, in its newest versions.
pub const NAME_LIMIT: usize = 1_333;

/// A cell as far as it can matter: what is longer than [`CELL_LIMIT`] keeps one character more, so that it is still too
/// long and takes no more memory than others.
pub fn cut(cell: &str) -> &str {
    cut_to(cell, CELL_LIMIT)
}

/// [`cut`], of a text whose column has room for `limit` characters.
pub fn cut_to(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    text.char_indices().nth(limit + 1).map_or(text, |(at, _)| &text[..at])
}

/// White space of any kind (no-break space included), or a byte order mark left inside a file.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// The text without blanks around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

#[cfg(test)]
mod tests;
