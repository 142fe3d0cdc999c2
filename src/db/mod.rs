//! The databases that enrold works on.
//! It must not know what the tables mean.

pub mod dialect;
