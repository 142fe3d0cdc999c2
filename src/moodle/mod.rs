//! Facts about Moodle: its tables, its settings, what each method allows, the shape of its events.
//! It must not plan or apply anything; the run does.

pub mod events;
pub mod forum;
pub mod install;
pub mod method;
pub mod site;
pub mod tables;
