//! The runs of a source before this one, as points of a trend.
//! It must not judge them: the guard compares with the last good set only.

use crate::db::{Conn, DbError, Params, Row};
use crate::outcome::{Point, State};

/// The number of earlier runs.
const RUNS: i64 = 30;

/// The last runs of a source before `run` (0: before now), the newest first. One statement.
///
/// # Errors
/// The database's error.
pub(super) async fn read(conn: &mut Conn, source: &str, run: i64) -> Result<Vec<Point>, DbError> {
    let before = if run == 0 { i64::MAX } else { run };
    let params = Params::new().with("kind", format!("sync {source}")).with("before", before).with("runs", RUNS);
    let sql = "SELECT r.id, r.clock, r.state, COALESCE(r.counts, 'null') FROM {enrold_run} r
        WHERE r.kind = :kind AND r.id < :before AND r.state <> 'running' ORDER BY r.id DESC LIMIT :runs";
    Ok(conn.rows(sql, &params).await?.iter().map(point).collect())
}

fn point(row: &Row) -> Point {
    let counts: serde_json::Value = serde_json::from_str(&row.text(3)).unwrap_or_default();
    let totals = &counts["set"]["totals"];
    let number = |value: &serde_json::Value| value.as_i64().unwrap_or(0);
    Point {
        run: row.int(0),
        clock: row.int(1),
        rows: number(&counts["lines"]["records"]),
        added: number(&totals["added"]),
        removed: number(&totals["removed"]),
        failed: number(&counts["errors"]),
        state: State::parse(&row.text(2)).unwrap_or(State::Failed),
    }
}
