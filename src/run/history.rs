//! The history of runs: rows of `enrold_run`, one per run that was not a simulation.
//! It must not know what a run did beyond its counts.

use crate::db::{Conn, DbError, Params, Row};
use crate::run::outcome::{Report, State};

/// What identifies a drop (DESIGN 1): the same file is never applied twice, the same bytes on another day are.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The digest of the bytes.
    pub sha256: String,
    /// The file's device number.
    pub device: i64,
    /// The file's inode.
    pub inode: i64,
    /// The size in bytes.
    pub size: i64,
    /// The time of the last change, Unix seconds.
    pub mtime: i64,
}

/// A row of the history.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Past {
    /// The run's number.
    pub run: i64,
    /// `import`, `sync flatfile`, `approve`.
    pub kind: String,
    /// The file, or the task.
    pub source: String,
    /// How it ended.
    pub state: String,
    /// The run's clock in Unix seconds.
    pub clock: i64,
    /// When it began and ended by the real clock, Unix seconds.
    pub started: i64,
    /// See `started`; 0 while it runs.
    pub ended: i64,
    /// The held run that this one decided, or 0.
    pub parent: i64,
    /// The digest of the bytes.
    pub sha256: String,
    /// The report's numbers as JSON.
    pub counts: serde_json::Value,
    /// Why it failed, if it did.
    pub message: String,
}

const COLUMNS: &str = "id, kind, source, state, clock, started, COALESCE(ended, 0), COALESCE(parent, 0), COALESCE(sha256, ''), COALESCE(counts, 'null'), COALESCE(message, '')";

fn past(row: &Row) -> Past {
    Past {
        run: row.int(0),
        kind: row.text(1),
        source: row.text(2),
        state: row.text(3),
        clock: row.int(4),
        started: row.int(5),
        ended: row.int(6),
        parent: row.int(7),
        sha256: row.text(8),
        counts: serde_json::from_str(&row.text(9)).unwrap_or_default(),
        message: row.text(10),
    }
}

/// Opens the row of a new run and gives its number; under the run lease only.
///
/// # Errors
/// The engine's.
pub async fn open(
    conn: &mut Conn,
    kind: &str,
    source: &str,
    clock: i64,
    parent: Option<i64>,
    claim: Option<&Claim>,
) -> Result<i64, DbError> {
    let empty = Claim::default();
    let claim = claim.unwrap_or(&empty);
    let params = Params::new()
        .with("kind", kind)
        .with("source", source)
        .with("clock", clock)
        .with("started", crate::clock::real())
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("parent", parent.unwrap_or(0))
        .with("sha256", claim.sha256.clone())
        .with("device", claim.device)
        .with("inode", claim.inode)
        .with("size", claim.size)
        .with("mtime", claim.mtime);
    conn.exec("UPDATE {enrold_run} SET state = 'interrupted', ended = :started WHERE state = 'running'", &params)
        .await?;
    conn.exec(
        "INSERT INTO {enrold_run} (id, kind, source, state, clock, started, parent, version, sha256, device, inode, size, mtime, effects, effectseq)
         SELECT COALESCE(MAX(t.id), 0) + 1, :kind, :source, 'running', :clock, :started, NULLIF(:parent, 0), :version, NULLIF(:sha256, ''),
                :device, :inode, :size, :mtime, 0, 0 FROM {enrold_run} t",
        &params,
    )
    .await?;
    conn.number("SELECT MAX(id) FROM {enrold_run}", &Params::new()).await
}

/// Writes how a run ended; inside the run's transaction where it commits.
///
/// # Errors
/// The engine's.
pub async fn close(
    conn: &mut Conn,
    run: i64,
    state: State,
    report: &Report,
    message: &str,
    effects: bool,
) -> Result<(), DbError> {
    let counts = serde_json::json!({
        "lines": report.lines, "errors": report.errors, "counts": report.counts, "overtaken": report.overtaken,
        "breaches": report.breaches, "commit_ms": report.commit_ms,
    });
    let params = Params::new()
        .with("run", run)
        .with("state", state.as_str())
        .with("ended", crate::clock::real())
        .with("counts", counts.to_string())
        .with("message", message)
        .with("effects", i64::from(effects));
    conn.exec(
        "UPDATE {enrold_run} SET state = :state, ended = :ended, counts = :counts, message = :message, effects = :effects WHERE id = :run",
        &params,
    )
    .await
    .map(|_| ())
}

/// Changes the state of a held run.
///
/// # Errors
/// The engine's.
pub async fn decide(conn: &mut Conn, run: i64, state: State, message: &str) -> Result<bool, DbError> {
    let params = Params::new().with("run", run).with("state", state.as_str()).with("message", message);
    let decided = conn
        .exec("UPDATE {enrold_run} SET state = :state, message = :message WHERE id = :run AND state = 'held'", &params)
        .await?;
    Ok(decided == 1)
}

/// The latest applied run of the same bytes before this one.
///
/// # Errors
/// The engine's.
pub async fn same_bytes(conn: &mut Conn, sha256: &str, before: i64) -> Result<Option<i64>, DbError> {
    let params = Params::new().with("sha256", sha256).with("before", before);
    let run = conn
        .number(
            "SELECT COALESCE(MAX(id), 0) FROM {enrold_run} WHERE sha256 = :sha256 AND id < :before AND state IN ('done', 'done-with-errors')",
            &params,
        )
        .await?;
    Ok((run > 0).then_some(run))
}

/// The latest runs, newest first.
///
/// # Errors
/// The engine's.
pub async fn list(conn: &mut Conn, limit: i64) -> Result<Vec<Past>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {{enrold_run}} ORDER BY id DESC LIMIT :limit");
    let rows = conn.rows(&sql, &Params::new().with("limit", limit)).await?;
    Ok(rows.iter().map(past).collect())
}

/// One run.
///
/// # Errors
/// The engine's.
pub async fn find(conn: &mut Conn, run: i64) -> Result<Option<Past>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {{enrold_run}} WHERE id = :run");
    Ok(conn.row(&sql, &Params::new().with("run", run)).await?.as_ref().map(past))
}
