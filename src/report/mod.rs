//! What a person reads: message codes and their sentences, in English and French.
//! It must not know where a problem was found: not bytes, not databases, not runs.

pub mod codes;
mod document;
pub mod feed;
mod sentences;
pub mod set;
mod spreadsheet;
pub mod table;
pub mod words;

pub use codes::{Code, Locale, Problem, shown};
pub use document::document;
pub use spreadsheet::inert;
