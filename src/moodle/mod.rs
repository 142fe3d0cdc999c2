//! Facts about Moodle: its tables, its settings, what each method allows, the shape of its events.
//! It must not plan or apply anything; the run does.
//!
//! In the SQL here and in the run, `{role_assignments} r :by_user ON … r.contextid :whole = …` and `{~r.component} = …`
//! leave the planner only the index that begins with the user (`db/paths.rs`). By context or role, with stale
//! statistics, it would read all roles of a course once per user.

pub mod account;
pub mod category;
pub mod course;
pub mod events;
pub mod forum;
pub mod install;
pub mod lookups;
pub mod method;
pub mod named;
pub mod password;
pub mod php_json;
pub mod role_levels;
pub mod room;
pub mod site;
pub mod tables;
