//! The history of runs: rows of `enrold_run`, one per run that was not a simulation.
//! It must not know what a run did beyond its counts.

use std::collections::BTreeMap;

use crate::db::{Conn, DbError, Params, Row, statement};
use crate::outcome::{Claim, Past, Report, SetReport, State};
use crate::run::decision;

pub(super) const COLUMNS: &str = "id, kind, source, state, clock, started, COALESCE(ended, 0), COALESCE(parent, 0), \
    COALESCE(sha256, ''), COALESCE(counts, 'null'), COALESCE(message, ''), COALESCE(decision, ''), \
    COALESCE(device, 0), COALESCE(inode, 0), COALESCE(size, 0), COALESCE(mtime, 0), COALESCE(token, '')";

pub(super) fn past(row: &Row) -> Past {
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
        decision: row.text(11),
        claim: Claim {
            sha256: row.text(8),
            device: row.int(12),
            inode: row.int(13),
            size: row.int(14),
            mtime: row.int(15),
            token: row.text(16),
        },
    }
}

const OPENED: &str = statement(include_str!("history.sql"), "opened");
const FORGOTTEN: &str = statement(include_str!("history.sql"), "forgotten");

/// Inserts the row of a new run and returns its number; call it under the run lease only.
///
/// # Errors
/// The database's error.
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
        .with("mtime", claim.mtime)
        .with("token", claim.token.clone());
    conn.exec(
        // A run that is cut is not interrupted: its remaining parts are resumed first, under its own number.
        "UPDATE {enrold_run} SET state = 'interrupted', ended = :started WHERE state = 'running' AND parts IS NULL",
        &params,
    )
    .await?;
    conn.exec(OPENED, &params).await?;
    conn.number("SELECT MAX(id) FROM {enrold_run}", &Params::new()).await
}

/// Writes the end of a run, inside the run's transaction if that commits. `effects` marks effects as pending; a mark
/// that an earlier part has set stays.
///
/// # Errors
/// The database's error.
pub async fn close(
    conn: &mut Conn,
    run: i64,
    state: State,
    report: &Report,
    message: &str,
    effects: bool,
) -> Result<(), DbError> {
    let params = Params::new()
        .with("run", run)
        .with("state", state.as_str())
        .with("ended", crate::clock::real())
        .with("counts", counts(report))
        .with("message", message)
        .with("effects", i64::from(effects));
    conn.exec(
        "UPDATE {enrold_run} SET state = :state, ended = :ended, counts = :counts, message = :message,
            effects = CASE WHEN effects = 1 THEN 1 ELSE :effects END WHERE id = :run",
        &params,
    )
    .await
    .map(|_| ())
}

/// The numbers of a report, as JSON.
pub(super) fn counts(report: &Report) -> String {
    let counts = serde_json::json!({
        "lines": report.lines, "errors": report.errors, "codes": report.codes, "unkept": report.unkept,
        "counts": report.counts, "rules": report.rules, "overtaken": report.overtaken,
        "breaches": report.breaches, "commit_ms": report.commit_ms, "read_as": report.read_as,
        "set": report.set.as_ref().map(SetReport::kept), "same_bytes_as": report.same_bytes_as,
        "dropped": report.dropped, "locale": report.locale,
    });
    counts.to_string()
}

/// The changes by kind in the stored numbers of a report; `None` if they cannot be read.
pub(super) fn changes(counts: &str) -> Option<BTreeMap<String, i64>> {
    let counts: serde_json::Value = serde_json::from_str(counts).ok()?;
    let number = |(kind, count): (&String, &serde_json::Value)| Some((kind.clone(), count.as_i64()?));
    counts["counts"].as_object()?.iter().map(number).collect()
}

/// How many runs are held, and how many have parts or effects that are not written yet.
///
/// # Errors
/// The database's error.
pub async fn pending(conn: &mut Conn) -> Result<(i64, i64), DbError> {
    let sql = "SELECT (SELECT COUNT(*) FROM {enrold_run} WHERE state = 'held'), (SELECT COUNT(*) FROM {enrold_run}
        WHERE effects = 1 OR (state = 'running' AND parts IS NOT NULL))";
    Ok(conn.row(sql, &Params::new()).await?.map_or((0, 0), |row| (row.int(0), row.int(1))))
}

/// The latest applied run of the same bytes before run `before`.
///
/// # Errors
/// The database's error.
pub async fn same_bytes(conn: &mut Conn, sha256: &str, before: i64) -> Result<Option<i64>, DbError> {
    let params = Params::new().with("sha256", sha256).with("before", before);
    let run = conn
        .number(
            "SELECT COALESCE(MAX(id), 0) FROM {enrold_run}
              WHERE sha256 = :sha256 AND id < :before AND state IN ('done', 'done-with-errors')",
            &params,
        )
        .await?;
    Ok((run > 0).then_some(run))
}

/// The run of a drop that was applied, held or rejected; for an approved one, the run that applied it. Failed and
/// interrupted runs do not count, as the drop is tried again. The token alone proves nothing, because it is part of a
/// file name that others can choose: the file must also be the one that the run has read.
///
/// # Errors
/// The database's error.
pub async fn of_drop(conn: &mut Conn, claim: &Claim) -> Result<Option<Past>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {{enrold_run}} WHERE token = :token
            AND state IN ('done', 'done-with-errors', 'held', 'approved', 'rejected') ORDER BY id DESC"
    );
    let rows = conn.rows(&sql, &Params::new().with("token", claim.token.clone())).await?;
    match rows.iter().map(past).find(|past| past.is_of(claim)) {
        Some(past) if past.state == State::Approved.as_str() => {
            Ok(decision::child(conn, past.run).await?.or(Some(past)))
        }
        past => Ok(past),
    }
}

/// The last failed run of a drop.
///
/// # Errors
/// The database's error.
pub async fn failed_of_drop(conn: &mut Conn, token: &str) -> Result<Option<i64>, DbError> {
    let sql = "SELECT COALESCE(MAX(id), 0) FROM {enrold_run} WHERE token = :token AND state = 'failed'";
    let run = conn.number(sql, &Params::new().with("token", token)).await?;
    Ok((run > 0).then_some(run))
}

/// The condition for a row `x` of a task's run that changed nothing.
const QUIET: &str = r#"x.kind LIKE 'sync %' AND x.state = 'done' AND x.counts LIKE '%"counts":{}%'"#;

/// The latest runs, newest first; runs without a file that changed nothing only with `all`.
///
/// # Errors
/// The database's error.
pub async fn list(conn: &mut Conn, limit: i64, all: bool) -> Result<Vec<Past>, DbError> {
    let sql =
        format!("SELECT {COLUMNS} FROM {{enrold_run}} x WHERE :all = 1 OR NOT (:quiet) ORDER BY id DESC LIMIT :limit");
    let params = Params::new().with("limit", limit).with("all", i64::from(all)).fragment("quiet", QUIET);
    let rows = conn.rows(&sql, &params).await?;
    Ok(rows.iter().map(past).collect())
}

/// The run with this number, if there is one.
///
/// # Errors
/// The database's error.
pub async fn find(conn: &mut Conn, run: i64) -> Result<Option<Past>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {{enrold_run}} WHERE id = :run");
    Ok(conn.row(&sql, &Params::new().with("run", run)).await?.as_ref().map(past))
}

/// Removes the runs of tasks before `before` (Unix seconds, by the runs' clocks) that changed nothing, and returns how
/// many. Runs of full sets stay: the next set is compared with them. Runs with an overtaken change, an error, a passed
/// limit, a mail or pending effects stay; so do the decision on a held run, the last run of a task, and the newest run
/// of each kind, so that no number is used twice.
///
/// # Errors
/// The database's error.
pub async fn forget_quiet(conn: &mut Conn, before: i64) -> Result<u64, DbError> {
    let sql = conn.dialect().delete_joined(
        "{enrold_run}",
        "x",
        "(SELECT q.kind, MAX(q.id) AS newest FROM {enrold_run} q GROUP BY q.kind) n",
        FORGOTTEN,
    );
    conn.exec(&sql, &Params::new().with("before", before).fragment("quiet", QUIET)).await
}
