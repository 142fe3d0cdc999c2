//! The outcome of a run as plain data: its report, its moments, the reasons to end without a commit. It must not read
//! or write anything, nor format anything for users.

mod claim;
mod default_roles;
mod error;
mod moment;
mod participant;
mod past;
mod people;
mod report;
mod round;
mod set;

pub use claim::Claim;
pub use default_roles::DefaultRoles;
pub use error::{RunError, RunResult};
pub use moment::{Moment, Observer};
pub use participant::{Enrolment, EnrolmentStatus, Participant, RoleHeld};
pub use past::Past;
pub use people::{AffectedUser, PEOPLE_KEPT, People, PeopleOfPlace, UserChange, UsersOfChange};
pub use report::{Breach, Lines, Meanwhile, Note, PROBLEMS_SHOWN, ReadAs, Report, RuleReport, Skipped, State};
pub use round::Round;
pub use set::{Figures, OneRosterBase, PlaceKind, Point, RoleValue, SetPlace, SetReport, Stale, median};
