//! What planners of rows share: the keys of staged rows as accounts and courses, and the roles that a feed may assign.
//! It must not depend on what is done with a row.

mod allowed;
pub mod hints;
pub mod likeness;
pub mod lines;
mod recode;
pub mod resolve;
pub mod waiting;

pub use allowed::AllowedRoles;
