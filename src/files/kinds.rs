//! What tells the kinds of file apart before a row is read: their order, their names, whether they have a header.
//! It must not read rows, nor know profiles.

use std::io::{Read, Seek};

use super::scan::{scan_list, scan_table};
use super::{Fallback, FileProblem, Scan};
use crate::config::FileKind;

/// How the rows of a kind stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Below a header; lines that begin with one of these characters are comments.
    Header(&'static [char]),
    /// Without a header, one a line; each line has its own delimiter.
    List,
    /// Free text, read line by line.
    Text,
}

/// What the whole of a kind has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The place of a file among those that are complete together (spec files 1.1).
    pub rank: u8,
    /// The names of files of a profile that names none; empty: its files are known by their header.
    pub names: &'static [&'static str],
    pub layout: Layout,
}

/// What a comment begins with in files of tool_sync.
const SYNC_COMMENTS: &[char] = &['(', '[', '-', '#', '/'];

/// The traits of a kind: an account must be there before it is a member, a cohort before it has members, a method and a
/// group before somebody gets them, a grouping before it gets groups.
pub fn traits(kind: FileKind) -> Traits {
    let headed = |rank| Traits { rank, names: &[], layout: Layout::Header(&[]) };
    match kind {
        FileKind::Users => headed(0),
        FileKind::Cohorts => headed(10),
        FileKind::CohortMembers => Traits { layout: Layout::Header(SYNC_COMMENTS), ..headed(20) },
        FileKind::Methods | FileKind::CourseMethods => headed(30),
        FileKind::Groupings => Traits { layout: Layout::Header(SYNC_COMMENTS), ..headed(40) },
        FileKind::Groups => Traits { layout: Layout::Header(SYNC_COMMENTS), ..headed(45) },
        FileKind::FlatFile => headed(50),
        FileKind::Enrolments => Traits { layout: Layout::Header(SYNC_COMMENTS), ..headed(55) },
        FileKind::GroupMembers => Traits { layout: Layout::Header(SYNC_COMMENTS), ..headed(60) },
        FileKind::CourseList => Traits { names: &["course-*.csv"], layout: Layout::List, ..headed(70) },
        FileKind::Convert => Traits { names: &["convert-*.csv"], ..headed(80) },
        FileKind::Renew => Traits { names: &["renew-*.csv"], ..headed(85) },
        FileKind::CourseText => Traits { names: &["course-*.txt"], layout: Layout::Text, ..headed(70) },
    }
}

/// What a comment begins with in files of this kind.
pub fn comments(kind: FileKind) -> &'static [char] {
    match traits(kind).layout {
        Layout::Header(comments) => comments,
        Layout::List | Layout::Text => &[],
    }
}

/// Reads a whole file of a kind that has options, and determines its encoding and how its rows stand.
///
/// # Errors
/// [`FileProblem::Rejected`] with `spreadsheet`, `encoding-invalid` or `delimiter-suspect`.
pub fn scan_kind<R: Read + Seek>(file: &mut R, fallback: Fallback, kind: FileKind) -> Result<Scan, FileProblem> {
    match traits(kind).layout {
        Layout::Header(comments) => scan_table(file, fallback, comments),
        layout => scan_list(file, fallback, layout),
    }
}
