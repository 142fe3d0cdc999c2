//! The daemon: wires the drop directory, the schedules, the leader lease, systemd and the health pages around one worker.
//! It must not know the command line or the form of the log, nor what a file asks for.

pub mod decide;
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

pub use mailer::log_round;
pub use service::{Daemon, DaemonError};
pub use shared::Reporter;

use crate::db::DbError;
use crate::run::{Report, RunError, State};

/// An error that every other job would meet as well: the database, another run, Moodle's own task.
fn is_of_all(error: &RunError) -> bool {
    match error {
        RunError::Db(db) => db.is_transient() || matches!(db, DbError::Connect(_)),
        RunError::Busy { .. } | RunError::TwinRunning { .. } | RunError::Fenced | RunError::NotReady(_) => true,
        _ => false,
    }
}

/// Why a run failed or is held, by code, and whose bytes came again.
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

/// One line in the log for each run: numbers, and the name of the file, never that of a person. A run that somebody
/// must look at is a warning; one that did not take place is not told.
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
