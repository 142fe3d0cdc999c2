//! The flat file as an enrolment method: what its lines mean in sets (spec flatfile).
//! It must not know bytes or terminals; it gets typed lines and works inside a run.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod buffer;
pub mod del;
pub mod job;
pub mod roles;
pub mod stage;
pub mod waves;

/// The component that owns the roles of flat-file enrolments.
pub const COMPONENT: &str = "enrol_flatfile";
/// The method's short name.
pub const METHOD: &str = "flatfile";
/// Moodle's own task for flat files.
pub const TWIN: &str = r"\enrol_flatfile\task\flatfile_sync_task";
