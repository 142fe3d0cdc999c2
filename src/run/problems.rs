//! The failed lines of a run as they are kept: read back, page by page.
//! It must not write any: steps of a run do.

use crate::db::{Conn, Params};
use crate::report::{Code, Problem};
use crate::run::error::RunResult;

/// The first problems of a run, by line; before the lines come those of enrolment instances, which have none.
///
/// # Errors
/// The engine's.
pub async fn problems(conn: &mut Conn, run: i64, limit: i64) -> RunResult<Vec<Problem>> {
    problems_after(conn, run, i64::MIN, limit).await
}

/// The problems of a run that follow a line.
///
/// # Errors
/// The engine's.
pub async fn problems_after(conn: &mut Conn, run: i64, line: i64, limit: i64) -> RunResult<Vec<Problem>> {
    let params = Params::new().with("run", run).with("after", line).with("limit", limit);
    let sql = "SELECT line, code, COALESCE(value, ''), COALESCE(hint, '') FROM {enrold_error}
                WHERE run = :run AND line > :after ORDER BY line LIMIT :limit";
    let rows = conn.rows(sql, &params).await?;
    Ok(rows.iter().map(|row| problem(row.int(0).max(0) as u64, &row.text(1), row.text(2), row.text(3))).collect())
}

/// A problem as it was kept. A code that this version does not know was written by a newer one; its words are lost, the
/// line is not.
pub fn problem(line: u64, code: &str, value: String, hint: String) -> Problem {
    Problem::new(line, Code::parse(code).unwrap_or(Code::FileUnreadable), value, hint)
}
