//! enrold's mails: queued inside a run's transaction, sent after its commit, each one once.
//! It must not know what a rule does or when the daemon runs; it reads the journal, and Moodle's tables for names.

pub mod deliver;
mod digest;
mod due;
pub mod errors_csv;
pub mod failed;
mod flatfile;
pub mod letter;
mod message;
mod notice;
pub mod operators;
pub mod outbox;
mod participants;
mod password;
mod people;
mod plain;
mod post;
mod probe;
pub mod store;
pub mod summary;
mod teachers;
mod template;
pub mod templates;
pub mod waiting;
mod words;

pub use deliver::{MAIL, deliver};
pub use failed::{FAILED_ENTRY, FAILED_LINES};
pub use flatfile::{FLATFILE_STUDENT, FLATFILE_TEACHER, enrolled};
pub use notice::{EXPIRY_ENTRY, EXPIRY_TEACHER, EXPIRY_USER, notify};
pub use outbox::{WELCOME, welcome};
pub use password::{Generated, PASSWORD, passwords};
pub use probe::probe;
pub use summary::{FILE_REPORT, FLATFILE_REPORT, SET_REPORT};
pub use teachers::{TEACHER_ENTRY, TEACHER_SUMMARY, summarize};
