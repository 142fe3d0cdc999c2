//! Gives each failed row of a set that came in files its file and its line there, also while it waits.
//! It must not check a row; without a list of places, the line is that of the snapshot.

use crate::db::table::{int, text};
use crate::db::{Bulk, Conn, Field, Table};
use crate::outcome::{RunError, RunResult};
use crate::problem;
use crate::sets::waiting;
use crate::source::Origins;

/// The places of failed rows in the files of a set.
const SET_ORIGIN: Table = Table::new("set_origin", &[int("line"), text("file", 255), int("fileline")]).primary("line");

/// Failed rows that are held in memory at once.
const PAGE: i64 = 10_000;

/// Sets file and line of each failed row of a run, page by page: a query and a chunk of a load for each, and two
/// updates at the end.
///
/// # Errors
/// A list that cannot be read, or the database's error.
pub async fn name(conn: &mut Conn, run: i64, origins: &Origins) -> RunResult<()> {
    let mut lines = problem::nameless(conn, run, 0, PAGE).await?;
    if lines.is_empty() {
        return Ok(());
    }
    conn.declare(&SET_ORIGIN);
    let unreadable = |error| RunError::Unreadable { path: origins.list.display().to_string(), error };
    let mut reader = origins.open().map_err(unreadable)?;
    let mut rows = Bulk::into(conn.dialect(), &SET_ORIGIN);
    while let Some(last) = lines.last().copied() {
        let mut places = Vec::with_capacity(lines.len());
        let read = reader.each(&lines, &mut |line, file, there| places.push((line, file.to_owned(), there)));
        read.map_err(unreadable)?;
        for (line, file, there) in &places {
            rows.push(conn, &[Field::Int(*line), Field::Text(file), Field::Int(*there)]).await?;
        }
        lines = problem::nameless(conn, run, last, PAGE).await?;
    }
    rows.finish(conn).await?;
    conn.analyse(SET_ORIGIN.name).await?;
    problem::name_files(conn, run, SET_ORIGIN.name).await?;
    Ok(waiting::name(conn, run, SET_ORIGIN.name).await?)
}
