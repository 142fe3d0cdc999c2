//! Facts about Moodle: its tables, contexts, settings, and what each change brings with it.
//! It must not know where a change comes from.

pub mod tables;
