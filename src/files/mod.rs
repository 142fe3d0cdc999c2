//! Parses bytes into typed flat-file lines: encodings, line ends, delimiters, headers, quotes, times; a problem always
//! has its physical line. It must not know a database, a run or a terminal: what a user, a course or a role name stands
//! for is decided elsewhere.
//!
//! A file is read twice, in constant memory: [`scan`] reads all bytes and determines the form of the file, [`read`]
//! turns each record into a [`FlatLine`] or a [`Problem`]. [`Table`] reads files with any other header in the same way:
//! full sets, manifests, OneRoster, users files ([`users`]). [`raw_lines`] returns records as they are written. Quotes
//! are parsed here and not by the crate `csv`, as that crate accepts any quote, whereas an unpaired quote must cost one
//! line and never the lines after it.

mod cells;
mod chunk;
mod cohorts;
mod columns;
mod course_list;
mod course_methods;
mod course_text;
mod encoding;
mod enrolments;
pub mod flags;
mod group_members;
mod groups;
mod head;
mod header;
mod kinds;
mod lines;
mod list;
mod methods;
pub mod names;
mod native;
mod preface;
mod raw;
mod reader;
mod records;
mod scan;
mod scraps;
mod secret;
mod signature;
mod table;
pub mod times;
pub mod users;
mod verb_rows;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::{Locale, SmallTimes};
use crate::disk::{self, TooLarge};
use crate::outcome::RunError;
use crate::problem::{Code, Problem, shown};

pub use chunk::some_entries;
pub use cohorts::{CohortEntry, CohortFile, CohortPlace, CohortRow, CohortSaid, CohortVerb, cohort_form};
pub use course_list::{ListEntry, ListFile, ListRow, ListVerb};
pub use course_methods::MethodsFile;
pub use encoding::{Encoding, Fallback};
pub use enrolments::{EnrolmentEntry, EnrolmentFile, EnrolmentReading, EnrolmentRow, EnrolmentVerb, GroupOrder};
pub use group_members::{GroupMemberEntry, GroupMemberFile, GroupMemberRow, GroupMemberVerb};
pub use groups::{CustomColumn, GroupEntry, GroupFile, GroupRow, GroupSaid, GroupType, GroupVerb, GroupingNamed};
pub use head::{Head, NEEDED};
pub use header::UNTOLD;
pub use kinds::{Layout, comments, scan_kind, traits};
pub use lines::LINE_LIMIT;
pub use list::{UserList, user_list};
pub use methods::{ANY_ROLE, MethodEntry, MethodGroup, MethodRow, MethodVerb};
pub use preface::{Title, titles_said};
pub use raw::{RawLine, RawLines, raw_lines};
pub use reader::{Reader, Tally, read};
pub use scan::{Scan, scan};

pub use scraps::Scraps;
pub use secret::{MASK, Masking, is_masked, may_name};
pub use table::{Table, TableColumn, TableEntry, TableForm};
pub use verb_rows::{VerbEntry, VerbFile, VerbRow};

/// The operation of a line.
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

/// One record of a flat file, parsed but not resolved.
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
    /// Unix seconds; 0: no start.
    pub timestart: i64,
    /// Unix seconds; 0: no end. Never before `timestart` unless 0.
    pub timeend: i64,
}

/// The two forms of a flat file (spec files 11: distinguished by the header).
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

/// How a file is to be read, as far as its bytes do not show it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None`: determined by the first lines.
    pub kind: Option<Kind>,
    /// The encoding of a file that is not Unicode.
    pub fallback: Fallback,
    /// The site's zone, for times written without one.
    pub zone: chrono_tz::Tz,
    /// Whether small numbers are times.
    pub small_times: SmallTimes,
}

/// Why a whole file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The content is refused; the problem's line is that of the header, or 0 if it is about no line.
    #[error("{}", .0.text(Locale::En))]
    Rejected(Problem),
}

impl FileProblem {
    /// The error that ends a run of the file at `path`.
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

/// One record: a line to apply, or its problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Line(FlatLine),
    Bad(Problem),
}

/// The widest cell, in characters, that could match anything on a site: no Moodle column that is searched is wider.
pub const CELL_LIMIT: usize = 255;

/// The widest text, in characters, that a Moodle column accepts: a course's full name, in the newest versions.
pub const NAME_LIMIT: usize = 1_333;

/// Cuts a cell that is longer than [`CELL_LIMIT`] to one character more, so that it is still too long, but takes no
/// more memory than others.
pub fn cut(cell: &str) -> &str {
    cut_to(cell, CELL_LIMIT)
}

/// [`cut`], for a column of at most `limit` characters.
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

/// A character that an editor does not show: a blank, a format character, or the end mark of DOS (0x1A). What chooses
/// the look of the sign before it belongs to that.
fn is_unseen(c: char) -> bool {
    is_blank(c) || c == '\u{1a}' || (is_format(c) && !('\u{fe00}'..='\u{fe0f}').contains(&c))
}

/// Characters of formatting (Unicode's Cf) and others that have no look of their own.
pub fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'
            | '\u{891}'
            | '\u{8e2}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a line holds nothing but delimiters and characters that are not seen. Spreadsheets write such rows below
/// their data; they count as blank lines.
fn says_nothing(line: &str) -> bool {
    line.chars().all(|c| is_unseen(c) || Delimiter::ALL.iter().any(|delimiter| delimiter.as_char() == c))
}

/// The text without blanks around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

#[cfg(test)]
mod tests;
