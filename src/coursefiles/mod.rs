//! Planner: files about the participants, groups and methods of courses, one module for each kind of file.
//! It must not know bytes, leases or other planners.

mod enrolments;
mod group_members;
mod groups;
mod methods;
mod participants;

use crate::change::context::RunContext;
use crate::config::{FileKind, Profile, Settings};
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem};

pub use crate::staging::CourseFile;
pub use methods::Gone;

/// Applies a file; of a file of methods, gives those that end after the rules have run. The number of statements does
/// not depend on the number of its rows, except for the chunks of the load.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Option<Gone>> {
    match profile.kind {
        FileKind::CourseList | FileKind::CourseText => {
            participants::apply(ctx, settings, profile, file).await.map(|()| None)
        }
        FileKind::Methods | FileKind::CourseMethods => methods::apply(ctx, settings, profile, file).await.map(Some),
        FileKind::Groups | FileKind::Groupings => groups::apply(ctx, settings, profile, file).await.map(|()| None),
        FileKind::GroupMembers => group_members::apply(ctx, settings, profile, file).await.map(|()| None),
        FileKind::Enrolments => enrolments::apply(ctx, settings, profile, file).await.map(|()| None),
        // Read by other planners.
        kind @ (FileKind::FlatFile
        | FileKind::Users
        | FileKind::Cohorts
        | FileKind::CohortMembers
        | FileKind::Convert
        | FileKind::Renew) => Err(RunError::Rejected(Problem::new(0, Code::KindUnknown, kind.as_str(), ""))),
    }
}

/// Whether a name holds what a browser may read as markup; Moodle's form takes it out.
fn has_markup(name: &str) -> bool {
    name.split('<').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_no_name() {
        for name in ["<b>TD</b>", "TD <script src=x>", "</p>", "<!-- x -->", "<?php"] {
            assert!(has_markup(name), "{name}");
        }
        for name in ["Groupe < 18 ans", "A <-> B", "TD 1 > TD 2", "<3", "R&D"] {
            assert!(!has_markup(name), "{name}");
        }
    }
}
