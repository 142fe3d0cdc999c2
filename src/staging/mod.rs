//! What planners of rows share: the keys of staged rows as accounts and courses, and the roles that a feed may assign.
//! It must not depend on what is done with a row.

mod allowed;
pub mod hints;
pub mod likeness;
pub mod lines;
mod recode;
pub mod resolve;
pub mod waiting;

use chrono_tz::Tz;

use crate::disk::RegularFile;

pub use allowed::AllowedRoles;

/// A file about courses, ready to be read.
pub struct CourseFile<'a> {
    /// The open file: the bytes with this digest are those that are read, even if the name changes.
    pub file: &'a RegularFile,
    /// Its path, for messages; its name may say the course.
    pub path: &'a str,
    /// The digest of its bytes.
    pub sha256: &'a str,
    /// The zone of its times.
    pub zone: Tz,
    /// Whether it came through the drop directory: then it may do only what its profile names.
    pub dropped: bool,
}
