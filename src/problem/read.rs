//! Reads the kept problems of a run in the order of display: by kind of place, then by number. It must not write them.

use std::collections::BTreeMap;

use crate::db::{Conn, DbError, Params, Row};
use crate::problem::{Code, PlaceKind, Problem};

/// The number of kept problems of a run by code, and the highest `n` among them (0 without any).
///
/// # Errors
/// The database's error.
pub async fn kept_by_code(conn: &mut Conn, run: i64) -> Result<(BTreeMap<String, u64>, i64), DbError> {
    let sql = "SELECT code, COUNT(*), MAX(n) FROM {enrold_error} WHERE run = :run GROUP BY code";
    let rows = conn.rows(sql, &Params::new().with("run", run)).await?;
    let last = rows.iter().map(|row| row.int(2)).fold(0, i64::max);
    Ok((rows.iter().map(|row| (row.text(0), row.int(1).max(0) as u64)).collect(), last))
}

/// The first problems of a run.
///
/// # Errors
/// The database's error.
pub async fn first(conn: &mut Conn, run: i64, limit: i64) -> Result<Vec<Problem>, DbError> {
    let params = Params::new().with("run", run).with("limit", limit);
    let rows = conn.rows(&format!("{} LIMIT :limit", select()), &params).await?;
    Ok(rows.iter().map(of_row).collect())
}

/// Gives all problems of a run to `take`, one after the other, without holding them in memory.
///
/// # Errors
/// The database's error, or the first one that `take` returns.
pub async fn each<F>(conn: &mut Conn, run: i64, mut take: F) -> Result<(), DbError>
where
    F: FnMut(Problem) -> Result<(), DbError> + Send,
{
    conn.each(&select(), &Params::new().with("run", run), |row| take(of_row(&row))).await
}

/// The first problems of several runs, with the number of the run, without those of one code. `runs` selects the runs
/// as `run`, and as `nth` what orders them.
///
/// # Errors
/// The database's error.
pub async fn first_of_runs(
    conn: &mut Conn,
    (runs, params): (&str, Params),
    without: Code,
    limit: i64,
) -> Result<Vec<(i64, Problem)>, DbError> {
    let from = format!("({runs}) o JOIN {{enrold_error}} e ON e.run = o.run AND e.code <> :without");
    let params = params.with("without", without.as_str()).with("limit", limit);
    let rows = conn.rows(&format!("{} LIMIT :limit", ordered(&from, "o.nth, ")), &params).await?;
    Ok(rows.iter().map(|row| (row.int(7), of_row(row))).collect())
}

fn select() -> String {
    ordered("{enrold_error} e WHERE e.run = :run", "")
}

/// Problems `e` in the order of display, after another order.
fn ordered(from: &str, first: &str) -> String {
    let cases = |of: &dyn Fn(usize, PlaceKind) -> String| {
        let all: Vec<String> = PlaceKind::ALL.into_iter().enumerate().map(|(at, kind)| of(at, kind)).collect();
        format!("CASE e.place {} END", all.join(" "))
    };
    let kinds = cases(&|at, kind| format!("WHEN '{}' THEN {at}", kind.as_str()));
    let numbers = cases(&|_, kind| format!("WHEN '{}' THEN {}", kind.as_str(), kind.sorted("e.number")));
    format!(
        "SELECT e.place, e.number, e.code, COALESCE(e.value, ''), COALESCE(e.hint, ''), COALESCE(e.file, ''),
                COALESCE(e.fileline, 0), e.run
           FROM {from} ORDER BY {first}{kinds}, {numbers}, e.n"
    )
}

/// The problem of a row of [`select`]; if it names another file, its line is the line there. A newer version may have
/// written unknown words: a code becomes `file-unreadable` and keeps its line, a kind of place has no line.
fn of_row(row: &Row) -> Problem {
    let file = row.text(5);
    let line = match PlaceKind::parse(&row.text(0)) {
        _ if !file.is_empty() => row.int(6),
        Some(kind) if kind.is_line() => row.int(1),
        _ => 0,
    };
    let code = Code::parse(&row.text(2)).unwrap_or(Code::FileUnreadable);
    Problem::new(line.max(0) as u64, code, row.text(3), row.text(4)).in_file(file)
}
