//! What is wrong with a line or a file: codes that know no language, the place where it was found, and the table that
//! keeps it. It must not know who finds a problem, nor speak a language: `report` does.

mod code;
mod place;
mod read;
mod write;

pub use code::{Code, Problem, hint, shown};
pub use place::PlaceKind;
pub use read::{each, first, kept_by_code};
pub use write::{Kept, Rows, name_files, nameless, withhold};
