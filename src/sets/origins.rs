//! The failed rows of a set that came in files get the file and the line on which they stand there.
//! It must not judge a row; without a list of where the rows stand, the line is that of the snapshot.

use crate::db::{Bulk, Conn, Field, Params};
use crate::run::error::{RunError, RunResult};
use crate::source::Origins;

/// Names file and line of each failed row of a run. One query, chunks of a load that grow with the failed rows, one update.
///
/// # Errors
/// A list that cannot be read, or the engine's.
pub async fn name(conn: &mut Conn, run: i64, origins: &Origins) -> RunResult<()> {
    let params = Params::new().with("run", run);
    let mut lines = Vec::new();
    let failed = "SELECT line FROM {enrold_error} WHERE run = :run AND line > 0 AND file IS NULL ORDER BY line";
    conn.each(failed, &params, |row| {
        lines.push(row.int(0));
        Ok(())
    })
    .await?;
    if lines.is_empty() {
        return Ok(());
    }
    let mut places = Vec::with_capacity(lines.len());
    let read = origins.each(&lines, &mut |line, file, there| places.push((line, file.to_owned(), there)));
    let shown = || origins.list.display().to_string();
    read.map_err(|error| RunError::Unreadable { path: shown(), error })?;
    let columns = "line BIGINT NOT NULL PRIMARY KEY, file VARCHAR(255) NOT NULL, fileline BIGINT NOT NULL";
    conn.temporary("set_origin", columns);
    let mut rows = Bulk::new(conn.dialect(), "set_origin", "line, file, fileline");
    for (line, file, there) in &places {
        rows.push(conn, &[Field::Int(*line), Field::Text(file), Field::Int(*there)]).await?;
    }
    rows.finish(conn).await?;
    conn.analyse("set_origin").await?;
    let set = [("file", "o.file"), ("fileline", "o.fileline")];
    let update =
        conn.dialect().update_joined("{enrold_error}", "e", &set, "set_origin o", "e.run = :run AND e.line = o.line");
    conn.exec(&update, &params).await?;
    Ok(())
}
