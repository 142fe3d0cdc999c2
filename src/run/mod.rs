//! The life of a run.
//! (head)

pub mod lease;
