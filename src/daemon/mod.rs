//! The daemon: connects the drop directory, the schedules, the leader lease, systemd and the health pages to one
//! worker. It must not know the command line, the form of the log, or the content of files.

mod later;
mod leader;
mod mailer;
pub mod notify;
pub mod progress;
mod service;
mod shared;
pub mod signals;
mod tasks;
mod worker;

pub use service::{Daemon, DaemonError};
pub use shared::Reporter;

use crate::db::DbError;
use crate::outcome::{Report, RunError, State};

/// An error that every other job would meet as well: the database, another run, Moodle's own task.
fn is_of_all(error: &RunError) -> bool {
    match error {
        RunError::Db(db) => db.is_transient() || matches!(db, DbError::Connect(_)),
        RunError::Busy { .. } | RunError::TwinRunning { .. } | RunError::Fenced | RunError::NotReady(_) => true,
        _ => false,
    }
}

/// An error that the job itself may cause: it counts if it returns with the same job while the database answers
/// otherwise. Conflicts with other writers and a lack of resources in the database do not count.
fn may_be_its_own(error: &RunError) -> bool {
    matches!(error, RunError::Db(db) if db.may_be_of_the_job())
}

/// Why a run failed or is held, by code, and which run had the same bytes.
fn why(report: &Report) -> String {
    let mut why = String::new();
    match report.state {
        State::Failed => report.problems.iter().take(1).for_each(|problem| why = format!(", {}", problem.code)),
        State::Held => {
            report.breaches.iter().take(1).for_each(|breach| why = format!(", {} {}", breach.scope, breach.what))
        }
        _ => {}
    }
    if let Some(run) = report.same_bytes_as {
        why += &format!(", same bytes as run {run}");
    }
    why
}

/// Logs one line per run: numbers and the name of the file, never that of a user. A run that an operator must check is
/// a warning; a skipped run is logged at the level debug.
fn log_run(report: &Report) {
    let file = crate::inbox::shown(std::path::Path::new(&report.source).file_name().unwrap_or_default());
    let what = format!("{} {file}", report.kind);
    let changes: i64 = report.counts.values().sum();
    let text = format!(
        "run {}, {}: {}, {} lines, {} errors, {changes} changes, {} ms{}",
        report.run,
        what.trim_end(),
        report.state.as_str(),
        report.lines.records,
        report.errors,
        report.total_ms,
        why(report),
    );
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                run.id = report.run,
                run.kind = report.kind,
                run.state = report.state.as_str(),
                file.name = %file,
                lines = report.lines.records,
                errors = report.errors,
                changes,
                overtaken = report.overtaken,
                duration_ms = report.total_ms,
                "{text}"
            )
        };
    }
    match report.state {
        State::Held | State::Failed => tell!(warn),
        State::Skipped => tell!(debug),
        _ => tell!(info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_against_a_file() {
        let other =
            |of_server| RunError::Db(DbError::Other { what: String::new(), statement: String::new(), of_server });
        let transient = RunError::Db(DbError::Transient { code: "40001".to_owned(), what: String::new() });
        let lost = RunError::Db(DbError::Lost(String::new()));
        let own = [&other(false), &other(true), &transient, &lost, &RunError::Fenced].map(may_be_its_own);
        assert_eq!(own, [true, false, false, true, false], "not a full disk, not a conflict");
        let of_all = [&other(false), &other(true), &transient, &lost, &RunError::Fenced].map(is_of_all);
        assert_eq!(of_all, [false, false, true, true, true]);
    }
}
