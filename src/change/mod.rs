//! The journal: each change of a run is planned as a row, weighed by the guard, then applied from that row; which kinds
//! of change there are, and how each is taken back. It must not know why something changes: planners say that.

pub mod below;
pub mod context;
pub mod courses;
pub mod end;
pub mod enrol;
pub mod guard;
pub mod inverse;
pub mod kind;
pub mod kinds;
mod purge;
pub mod remove;
mod weigh;

pub use kind::{Kind, Rank};
