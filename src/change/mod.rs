//! The journal: each change of a run is planned as a row, checked by the guard, then applied from that row; the
//! catalogue of kinds of change, and how each is undone. It must not decide what changes: planners do.

pub mod below;
pub mod cohorts;
pub mod context;
pub mod course_groups;
pub mod courses;
pub mod end;
pub mod enrol;
pub mod groups;
pub mod guard;
pub mod inverse;
pub mod kind;
pub mod kinds;
mod purge;
pub mod remove;
pub mod rewrite;
mod weigh;

pub use kind::{Kind, Rank};
