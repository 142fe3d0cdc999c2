//! The floors: files of bare SQL that must run in any case, in one transaction, timed.
//! It must not know what enrold does.

use std::time::Instant;

use enrold::db::{Database, Params};

use crate::site::{NOW, Outcome};

/// The statements of a floor; a `;` at a line's end only ever ends a statement.
pub fn statements(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.starts_with("--")).fold(String::new(), |code, line| code + line + "\n");
    code.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// Seconds for the floors one after the other, with the commit.
pub async fn seconds(database: &Database, floors: &[&str]) -> Outcome<f64> {
    let mut conn = database.connect().await?;
    let params = Params::new().with("now", NOW);
    let start = Instant::now();
    conn.begin().await?;
    for statement in floors.iter().flat_map(|floor| statements(floor)) {
        conn.exec(&statement, &params).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}
