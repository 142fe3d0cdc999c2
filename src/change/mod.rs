//! The journal of changes: which kinds there are, what each does to which table, and how each is taken back.
//! It must not know why something changes.

pub mod inverse;
pub mod kind;
pub mod kinds;

pub use kind::{Kind, Rank};
