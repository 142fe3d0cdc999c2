//! The rows of `enrold_task`: when each task last began, how that ended, and when it last succeeded.
//! It must not know what is due, or what a task does.

use serde::Serialize;

use crate::db::{Conn, DbError, Params, Row};

/// The result of a task that has begun and not ended; after a crash it stays until the task begins again.
pub const RUNNING: &str = "running";
/// The result of a task that did not run, because Moodle's own task for the same work was running.
pub const DEFERRED: &str = "deferred";
/// The results that count as success; they are words of [`crate::outcome::State`].
const SUCCEEDED: [&str; 2] = ["done", "done-with-errors"];

/// The record of a task's last run; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Last {
    /// The task's name.
    pub name: String,
    /// When it began.
    pub started: i64,
    /// When it ended; 0 while it runs.
    pub ended: i64,
    /// How it ended: [`RUNNING`], [`DEFERRED`], or a word of [`crate::outcome::State`].
    pub result: String,
    /// The number of its run in the history, if it had one.
    pub run: Option<i64>,
    /// The start of the last run that succeeded; 0 if none did.
    pub succeeded: i64,
    /// Why it failed; empty if it did not.
    pub message: String,
}

const COLUMNS: &str = "name, started, ended, result, run, succeeded, COALESCE(message, '')";

fn kept(row: &Row) -> Last {
    Last {
        name: row.text(0),
        started: row.int(1),
        ended: row.int(2),
        result: row.text(3),
        run: (!row.is_null(4)).then(|| row.int(4)),
        succeeded: row.int(5),
        message: row.text(6),
    }
}

/// Records that a task begins at `at`; the time of its last success stays.
///
/// # Errors
/// The database's error.
pub async fn begin(conn: &mut Conn, name: &str, at: i64) -> Result<(), DbError> {
    let params = Params::new().with("name", name).with("at", at).with("result", RUNNING);
    let insert = conn.dialect().insert_absent(
        "{enrold_task}",
        "name, started, ended, result, succeeded",
        "VALUES (:name, :at, 0, :result, 0)",
    );
    conn.exec(&insert, &params).await?;
    let update = "UPDATE {enrold_task} SET started = :at, ended = 0, result = :result, run = NULL, message = NULL
         WHERE name = :name";
    conn.exec(update, &params).await.map(|_| ())
}

/// Records that a running task ended at `at` with a word of [`crate::outcome::State`], or was [`DEFERRED`].
///
/// # Errors
/// The database's error.
pub async fn end(
    conn: &mut Conn,
    name: &str,
    at: i64,
    result: &str,
    run: Option<i64>,
    message: &str,
) -> Result<(), DbError> {
    let params = Params::new()
        .with("name", name)
        .with("at", at)
        .with("result", result)
        .fragment("run", run.map_or_else(|| "NULL".to_owned(), |run| run.to_string()))
        .fragment("succeeded", if SUCCEEDED.contains(&result) { "started" } else { "succeeded" })
        .with("message", message);
    let update = "UPDATE {enrold_task}
           SET ended = :at, result = :result, run = :run, succeeded = :succeeded, message = :message
         WHERE name = :name";
    conn.exec(update, &params).await.map(|_| ())
}

/// The records of all tasks that ever ran, by name.
///
/// # Errors
/// The database's error.
pub async fn list(conn: &mut Conn) -> Result<Vec<Last>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {{enrold_task}} ORDER BY name");
    Ok(conn.rows(&sql, &Params::new()).await?.iter().map(kept).collect())
}

/// The record of one task; `None` if it never ran.
///
/// # Errors
/// The database's error.
pub async fn last(conn: &mut Conn, name: &str) -> Result<Option<Last>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {{enrold_task}} WHERE name = :name");
    Ok(conn.row(&sql, &Params::new().with("name", name)).await?.as_ref().map(kept))
}
