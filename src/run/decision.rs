//! Records decisions on held runs until the leading daemon carries them out, and finds the runs that applied them.
//! It must not apply anything.

use crate::db::{Conn, DbError, Params};
use crate::outcome::{Claim, Past, State};
use crate::run::history::{self, COLUMNS, past};

/// Records a decision on a held run, which the daemon carries out. False if it is not held, or already decided.
///
/// # Errors
/// The database's error.
pub async fn record(conn: &mut Conn, run: i64, decision: Decision, at: i64) -> Result<bool, DbError> {
    let params = Params::new().with("run", run).with("decision", decision.as_str()).with("at", at);
    let recorded = conn
        .exec(
            "UPDATE {enrold_run} SET decision = :decision, decided = :at, message = ''
              WHERE id = :run AND state = 'held' AND decision IS NULL",
            &params,
        )
        .await?;
    Ok(recorded == 1)
}

/// Removes a recorded decision and stores the reason why it could not be carried out.
///
/// # Errors
/// The database's error.
pub async fn unrecord(conn: &mut Conn, run: i64, message: &str) -> Result<(), DbError> {
    let params = Params::new().with("run", run).with("message", message);
    conn.exec("UPDATE {enrold_run} SET decision = NULL, message = :message WHERE id = :run AND state = 'held'", &params)
        .await
        .map(|_| ())
}

/// The held runs with a recorded decision, in the order of recording.
///
/// # Errors
/// The database's error.
pub async fn recorded(conn: &mut Conn) -> Result<Vec<(i64, Decision)>, DbError> {
    let sql =
        "SELECT id, decision FROM {enrold_run} WHERE state = 'held' AND decision IS NOT NULL ORDER BY decided, id";
    let rows = conn.rows(sql, &Params::new()).await?;
    Ok(rows.iter().filter_map(|row| Some((row.int(0), Decision::parse(&row.text(1))?))).collect())
}

/// The latest run of a file, found by device, inode, size and modification time, if it was held and is decided.
///
/// # Errors
/// The database's error.
pub async fn decided_of(conn: &mut Conn, claim: &Claim) -> Result<Option<Past>, DbError> {
    let params = Params::new()
        .with("device", claim.device)
        .with("inode", claim.inode)
        .with("size", claim.size)
        .with("mtime", claim.mtime);
    let sql = format!(
        "SELECT {COLUMNS} FROM {{enrold_run}}
          WHERE device = :device AND inode = :inode AND size = :size AND mtime = :mtime
            AND (kind = 'import' OR (kind LIKE 'sync %' AND token IS NOT NULL)) ORDER BY id DESC LIMIT 1"
    );
    let past = conn.row(&sql, &params).await?.as_ref().map(past);
    Ok(past.filter(|past| past.state == "approved" || past.state == "rejected"))
}

/// The run with this number, if it was held and is decided.
///
/// # Errors
/// The database's error.
pub async fn decided(conn: &mut Conn, run: i64) -> Result<Option<Past>, DbError> {
    let past = history::find(conn, run).await?;
    Ok(past.filter(|past| past.state == "approved" || past.state == "rejected"))
}

/// The numbers of the runs that are held.
///
/// # Errors
/// The database's error.
pub async fn held(conn: &mut Conn) -> Result<Vec<i64>, DbError> {
    let rows = conn.rows("SELECT id FROM {enrold_run} WHERE state = 'held'", &Params::new()).await?;
    Ok(rows.iter().map(|row| row.int(0)).collect())
}

/// The finished run that applied the held run `parent`.
///
/// # Errors
/// The database's error.
pub async fn child(conn: &mut Conn, parent: i64) -> Result<Option<Past>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {{enrold_run}}
          WHERE parent = :parent AND state IN ('done', 'done-with-errors') ORDER BY id DESC LIMIT 1"
    );
    Ok(conn.row(&sql, &Params::new().with("parent", parent)).await?.as_ref().map(past))
}

/// True while the run that applies the held run `parent` is not finished.
///
/// # Errors
/// The database's error.
pub async fn is_under_way(conn: &mut Conn, parent: i64) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM {enrold_run} WHERE parent = :parent AND state = 'running'";
    Ok(conn.number(sql, &Params::new().with("parent", parent)).await? > 0)
}

/// A decision on a held run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Apply it.
    Approve,
    /// Do not apply it.
    Reject,
}

impl Decision {
    /// The word stored in the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Approve, Self::Reject].into_iter().find(|decision| decision.as_str() == word)
    }
}

/// Changes the state of a held run; false if it is not held.
///
/// # Errors
/// The database's error.
pub async fn decide(conn: &mut Conn, run: i64, state: State, message: &str) -> Result<bool, DbError> {
    let params = Params::new().with("run", run).with("state", state.as_str()).with("message", message);
    let decided = conn
        .exec("UPDATE {enrold_run} SET state = :state, message = :message WHERE id = :run AND state = 'held'", &params)
        .await?;
    Ok(decided == 1)
}

/// Rejects the held sets of a source with a number below `below`, because run `run` applies a later set, in the
/// transaction of that run. Held flat files stay, as a later file does not repeat them. Returns how many were rejected.
///
/// # Errors
/// The database's error.
pub async fn supersede(conn: &mut Conn, source: &str, below: i64, run: i64) -> Result<u64, DbError> {
    let params = Params::new()
        .with("kind", format!("sync {source}"))
        .with("below", below)
        .with("at", crate::clock::real())
        .with("message", format!("superseded by run {run}"));
    conn.exec(
        "UPDATE {enrold_run} SET state = 'rejected', decided = :at, message = :message
          WHERE state = 'held' AND kind = :kind AND id < :below",
        &params,
    )
    .await
}

/// The runs that were decided before `moment` (Unix seconds), or interrupted, which may have left copies as well.
///
/// # Errors
/// The database's error.
pub async fn decided_before(conn: &mut Conn, moment: i64) -> Result<Vec<i64>, DbError> {
    let sql = "SELECT id FROM {enrold_run}
        WHERE state IN ('approved', 'rejected', 'interrupted') AND COALESCE(decided, ended) < :moment";
    let rows = conn.rows(sql, &Params::new().with("moment", moment)).await?;
    Ok(rows.iter().map(|row| row.int(0)).collect())
}
