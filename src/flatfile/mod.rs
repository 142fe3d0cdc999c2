//! The flat file as an enrolment method: what its lines mean in sets (spec flatfile).
//! It must not know bytes or terminals; it gets typed lines and works inside a run.

pub mod buffer;
pub mod del;
pub mod job;
pub mod roles;
pub mod stage;
pub mod step_order;
