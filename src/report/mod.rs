//! The texts of reports: message codes and their sentences, in English and French.
//! It must not know where a problem was found: not bytes, not databases, not runs.

mod alphabet;
mod columns;
mod document;
mod english;
pub mod feed;
mod french;
mod ods;
pub mod participants;
pub mod people;
mod problem;
pub mod set;
pub mod sheet;
mod spreadsheet;
pub mod table;
mod visible;
mod waiting;
pub mod width;
pub mod words;

pub use alphabet::sort_by_names;
pub use document::document;
pub use spreadsheet::inert;
pub use visible::visible;
