//! The failed lines of a run as they are kept: read back, page by page.
//! It must not write any: steps of a run do.

use crate::db::{Conn, Params, Row};
use crate::report::{Code, Problem};
use crate::run::error::RunResult;

/// The columns of a kept problem, for [`of_row`].
pub const COLUMNS: &str =
    "line, code, COALESCE(value, ''), COALESCE(hint, ''), COALESCE(file, ''), COALESCE(fileline, 0)";

/// The first problems of a run, by line; before the lines come those that have none in what the run applied.
///
/// # Errors
/// The engine's.
pub async fn problems(conn: &mut Conn, run: i64, limit: i64) -> RunResult<Vec<Problem>> {
    let page = problems_after(conn, run, i64::MIN, limit).await?;
    Ok(page.into_iter().map(|(_, problem)| problem).collect())
}

/// The problems of a run that follow a key, each with its own.
///
/// # Errors
/// The engine's.
pub async fn problems_after(conn: &mut Conn, run: i64, key: i64, limit: i64) -> RunResult<Vec<(i64, Problem)>> {
    let params = Params::new().with("run", run).with("after", key).with("limit", limit);
    let sql =
        format!("SELECT {COLUMNS} FROM {{enrold_error}} WHERE run = :run AND line > :after ORDER BY line LIMIT :limit");
    let rows = conn.rows(&sql, &params).await?;
    Ok(rows.iter().map(|row| (row.int(0), of_row(row))).collect())
}

/// The problem of a row of [`COLUMNS`]. One of another file has its line there. A code that this version does not know was
/// written by a newer one; its words are lost, the line is not.
pub fn of_row(row: &Row) -> Problem {
    let file = row.text(4);
    let line = if file.is_empty() { row.int(0) } else { row.int(5) };
    let code = Code::parse(&row.text(1)).unwrap_or(Code::FileUnreadable);
    Problem::new(line.max(0) as u64, code, row.text(2), row.text(3)).in_file(file)
}
