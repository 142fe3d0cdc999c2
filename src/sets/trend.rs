//! The runs of a source before this one, as points of a trend.
//! It must not judge them: the guard compares with the last good set only.

use serde::{Deserialize, Serialize};

use crate::db::{Conn, DbError, Params, Row};
use crate::run::outcome::State;

/// How many runs are looked back at.
const RUNS: i64 = 30;

/// One run of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Its number.
    pub run: i64,
    /// Its clock in Unix seconds.
    pub clock: i64,
    /// Rows of its set.
    pub rows: i64,
    /// Enrolments or memberships added, or planned so.
    pub added: i64,
    /// The same removed.
    pub removed: i64,
    /// Rows that failed.
    pub failed: i64,
    /// How it ended.
    pub state: State,
}

impl Point {
    /// True if its set was applied.
    pub fn is_good(&self) -> bool {
        matches!(self.state, State::Done | State::DoneWithErrors | State::Approved)
    }

    fn of(row: &Row) -> Self {
        let counts: serde_json::Value = serde_json::from_str(&row.text(3)).unwrap_or_default();
        let totals = &counts["set"]["totals"];
        let number = |value: &serde_json::Value| value.as_i64().unwrap_or(0);
        Self {
            run: row.int(0),
            clock: row.int(1),
            rows: number(&counts["lines"]["records"]),
            added: number(&totals["added"]),
            removed: number(&totals["removed"]),
            failed: number(&counts["errors"]),
            state: State::parse(&row.text(2)).unwrap_or(State::Failed),
        }
    }
}

/// The last runs of a source before `run` (0: before now), the newest first. One statement.
///
/// # Errors
/// The engine's.
pub(super) async fn read(conn: &mut Conn, source: &str, run: i64) -> Result<Vec<Point>, DbError> {
    let before = if run == 0 { i64::MAX } else { run };
    let params = Params::new().with("kind", format!("sync {source}")).with("before", before).with("runs", RUNS);
    let sql = "SELECT r.id, r.clock, r.state, COALESCE(r.counts, 'null') FROM {enrold_run} r
        WHERE r.kind = :kind AND r.id < :before AND r.state <> 'running' ORDER BY r.id DESC LIMIT :runs";
    Ok(conn.rows(sql, &params).await?.iter().map(Point::of).collect())
}

/// The middle one of some numbers; `None` of none.
pub fn median(mut numbers: Vec<i64>) -> Option<i64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
