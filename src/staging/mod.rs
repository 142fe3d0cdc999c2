//! What planners of rows share: the keys of staged rows as accounts and courses, and which roles their author may give.
//! It must not know what becomes of a row.

mod allowed;
pub mod lines;
pub mod resolve;

pub use allowed::AllowedRoles;
