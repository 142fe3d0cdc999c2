//! The mails of enrold: queued inside a run's transaction, sent after its commit, once each.
//! It must not know what a rule does or when the daemon works; it reads the journal, and Moodle's tables for names.

pub mod outbox;
mod people;

pub use outbox::welcome;
