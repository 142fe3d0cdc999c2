//! What is wrong with a line or a file: codes that know no language, and the place where it was found.
//! It must not know who finds a problem, nor speak a language: `report` does.

mod code;

pub use code::{Code, Problem, hint, shown};
