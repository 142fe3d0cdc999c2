//! enrold's mails: queued inside a run's transaction, sent after its commit, each one once.
//! It must not know what a rule does or when the daemon runs; it reads the journal, and Moodle's tables for names.

pub mod deliver;
pub mod letter;
mod message;
mod notice;
pub mod operators;
pub mod outbox;
mod password;
mod people;
mod plain;
mod post;
mod probe;
pub mod store;
pub mod summary;
pub mod waiting;
mod words;

pub use deliver::{MAIL, deliver};
pub use notice::{EXPIRY_ENTRY, EXPIRY_TEACHER, EXPIRY_USER, notify};
pub use outbox::{WELCOME, welcome};
pub use password::{Generated, PASSWORD, passwords};
pub use probe::probe;
pub use summary::{FILE_REPORT, SET_REPORT};
