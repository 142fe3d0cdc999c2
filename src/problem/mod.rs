//! Problems of lines and files: codes without a language, the places where they are found, and the table that stores
//! them. It must not find problems, nor contain sentences: `report` has them.

mod code;
mod place;
mod read;
mod write;

pub use code::{Code, Problem, hint, shown};
pub use place::PlaceKind;
pub use read::{each, first, first_of_runs, kept_by_code};
pub use write::{Kept, Rows, name_files, name_waiting, nameless, set_hints, unknown_keys, withhold};
