//! The flat file as an enrolment method: applies its lines as sets (spec flatfile).
//! It must not read bytes or write to terminals; it gets typed lines and works inside a run.

pub mod buffer;
pub mod del;
pub mod job;
pub mod roles;
pub mod stage;
pub mod step_order;
pub mod waiting;
