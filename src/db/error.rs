//! Sorts a database's errors by consequence: retry the run, or stop and report.
//! It must not know what the statement was for.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use super::words;

/// What to do about a missing right.
const DENIED: &str = "'enrold doctor --grants' prints the statements that grant the rights";

/// An error of the database module.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A deadlock, a serialisation failure, a lock time-out or a busy database: the run may be retried.
    #[error("{what} [{code}]")]
    Transient {
        /// The database's code, for the log.
        code: String,
        /// The database's message.
        what: String,
    },
    /// The connection is lost: the run may be retried on a new one.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// The database cannot be reached at all.
    #[error("cannot connect to the database: {0}")]
    Connect(String),
    /// The statement would commit by itself on MariaDB: refused inside a run.
    #[error("refused inside a run, it would commit implicitly on MariaDB: {0}")]
    ImplicitCommit(String),
    /// The URL cannot be read or names no database that enrold supports.
    #[error("{0}")]
    Url(String),
    /// A row with this unique key exists already.
    #[error("{0}")]
    Taken(String),
    /// Any other error, with the beginning of the statement.
    #[error("{what}{}{statement}", if statement.is_empty() { "" } else { " — in: " })]
    Other {
        /// The database's message.
        what: String,
        /// The beginning of the statement's template.
        statement: String,
        /// The server cannot do this for any statement: its disk is full, or it lacks a right or write access. The
        /// statement is not at fault.
        of_server: bool,
    },
}

impl DbError {
    /// True if the same run may succeed when it is retried.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Lost(_))
    }

    /// True if the cause may be the job and not the database, so that other jobs may succeed.
    pub fn may_be_of_the_job(&self) -> bool {
        matches!(self, Self::Other { of_server: false, .. } | Self::Taken(_) | Self::ImplicitCommit(_) | Self::Lost(_))
    }

    /// An error that is not the database's.
    pub fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into(), statement: String::new(), of_server: false }
    }

    /// [`DbError::from_sqlx`] for the site's database: the message of a missing right says what to do.
    pub(super) fn of_site(error: sqlx::Error, template: &str) -> Self {
        match Self::from_sqlx(error, template) {
            Self::Other { what, statement, of_server } => Self::Other { what: advised(what), statement, of_server },
            other => other,
        }
    }

    /// Converts an error of the driver. `template` is the statement without its values: neither the shown statement nor
    /// the shown message ([`words::without_values`]) contains any. The log at level debug has the full message.
    pub(super) fn from_sqlx(error: sqlx::Error, template: &str) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = match database.try_downcast_ref::<MySqlDatabaseError>() {
                    Some(maria) => maria.number().to_string(),
                    None => database.code().unwrap_or_default().into_owned(),
                };
                let what = words::without_values(&code, database.message());
                if what != database.message() {
                    tracing::debug!(code, "the database says: {}", database.message());
                }
                if is_transient_code(&code) {
                    Self::Transient { code, what }
                } else if is_lost_code(&code) {
                    Self::Lost(what)
                } else if database.is_unique_violation() {
                    Self::Taken(format!("{what} [{code}] — in: {}", beginning(template)))
                } else {
                    let of_server = is_unable_code(&code) || is_unable_file(database.as_ref(), &code);
                    Self::Other { what: format!("{what} [{code}]"), statement: beginning(template), of_server }
                }
            }
            sqlx::Error::Io(io) => Self::Lost(io.to_string()),
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => Self::Lost(error.to_string()),
            sqlx::Error::Protocol(text) => Self::Lost(text),
            other => Self::Other { what: told(&other), statement: beginning(template), of_server: false },
        }
    }
}

/// The text of an error of the driver. It shows PostgreSQL's with the line of the server's own source, which would be
/// taken for a line of a file.
pub(super) fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) if database.try_downcast_ref::<PgDatabaseError>().is_some() => {
            format!("error returned from database: {}", database.message())
        }
        other => other.to_string(),
    }
}

/// PostgreSQL 40001, 40P01, 55P03; MariaDB 1205, 1213, 1020, 1047 (Galera node not ready), 1180 (Galera refused the
/// commit); SQLite 5, 6 and their extended codes.
fn is_transient_code(code: &str) -> bool {
    matches!(
        code,
        "40001"
            | "40P01"
            | "55P03"
            | "1205"
            | "1213"
            | "1020"
            | "1047"
            | "1180"
            | "5"
            | "6"
            | "261"
            | "262"
            | "517"
            | "773"
    )
}

/// PostgreSQL's disk full, too many connections, class 58 (system), rights, read only; MariaDB's disk full, table full,
/// errors of the storage, read only, rights, quota.
fn is_unable_code(code: &str) -> bool {
    (code.len() == 5 && code.starts_with("58"))
        || matches!(
            code,
            "53100"
                | "53300"
                | "42501"
                | "25006"
                | "1021"
                | "1030"
                | "1040"
                | "1044"
                | "1045"
                | "1114"
                | "1142"
                | "1143"
                | "1226"
                | "1227"
                | "1290"
                | "1836"
        )
}

/// A message, which ends with its code, with what to do if a right on a database, a table or a column is missing.
fn advised(what: String) -> String {
    match what.rsplit_once(' ') {
        Some((said, code @ ("[42501]" | "[1044]" | "[1142]" | "[1143]"))) => format!("{said}; {DENIED} {code}"),
        _ => what,
    }
}

/// SQLite's permission, read only, I/O, corruption, full, cannot open, no database, each with its extended codes.
fn is_unable_file(error: &dyn DatabaseError, code: &str) -> bool {
    let lite = error.try_downcast_ref::<SqliteError>().is_some();
    lite && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 3 | 8 | 10 | 11 | 13 | 14 | 26))
}

/// PostgreSQL's class 08 and 57P0x (shutdown), MariaDB 1053, 1927, 2006, 2013.
fn is_lost_code(code: &str) -> bool {
    (code.len() == 5 && code.starts_with("08"))
        || matches!(code, "57P01" | "57P02" | "57P03" | "1053" | "1927" | "2006" | "2013")
}

/// The beginning of a template, on one line, without its comments.
pub(super) fn beginning(template: &str) -> String {
    let sql = template.lines().map(|line| line.split_once("--").map_or(line, |(sql, _)| sql));
    let flat = sql.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    flat.chars().take(400).collect()
}

/// The text before the values of a statement that contains its values.
pub(super) fn head(sql: &str) -> &str {
    let end = ["'", " VALUES "].iter().filter_map(|mark| sql.find(mark)).min();
    &sql[..end.unwrap_or(sql.len())]
}

#[cfg(test)]
mod tests {
    use super::{advised, beginning, head};

    #[test]
    fn a_missing_right_says_what_to_do() {
        let told = advised("permission denied for table mdl_user [42501]".to_owned());
        assert!(told.contains("doctor --grants") && told.ends_with(" [42501]"), "{told}");
        assert_eq!(advised("deadlock [1213]".to_owned()), "deadlock [1213]");
    }

    #[test]
    fn a_beginning_has_no_remarks() {
        assert_eq!(beginning("-- Why.\nSELECT 1 -- and what\n  FROM t"), "SELECT 1 FROM t");
    }

    #[test]
    fn values_are_behind_the_head() {
        assert_eq!(head("INSERT INTO t (a, b) VALUES (1, 'x')"), "INSERT INTO t (a, b)");
        assert_eq!(head("UPDATE t SET a = 'x' WHERE b = 1"), "UPDATE t SET a = ");
        assert_eq!(head("DELETE FROM t"), "DELETE FROM t");
    }
}
