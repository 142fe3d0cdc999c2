//! Creates the Moodle tables that enrold uses in an empty database, and loads the sample site into them.
//! It must not touch a database in which Moodle tables exist.

use crate::db::{Columns, Conn, DbError, Dialect, Params};
use crate::moodle::tables::{ddl, tables};

const SAMPLE: &str = include_str!("sample.sql");

/// Names of Moodle tables (without prefix) that exist in the database.
///
/// # Errors
/// The database's error.
pub async fn present_tables(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let columns = Columns::read(conn).await?;
    Ok(tables().iter().filter(|table| columns.has_table(table.name)).map(|table| table.name.to_owned()).collect())
}

/// Creates the Moodle tables that enrold reads or writes, with Moodle's names, defaults and unique keys.
///
/// # Errors
/// An error if one of them exists; else the database's error.
pub async fn create_tables(conn: &mut Conn) -> Result<usize, DbError> {
    let present = present_tables(conn).await?;
    if let Some(first) = present.first() {
        return Err(DbError::other(format!(
            "{} Moodle tables exist in this database already ({}{first}, …): 'db init' works in an empty one only. For \
             a real site run 'enrold db migrate'",
            present.len(),
            conn.prefix()
        )));
    }
    let statements: Vec<String> = tables().iter().flat_map(|table| ddl(conn.dialect(), table, conn.prefix())).collect();
    match conn.dialect() {
        // One message and one transaction: fast on a disk that syncs.
        Dialect::Lite | Dialect::Postgres => conn.command(&statements.join(";\n")).await?,
        Dialect::Maria => {
            for statement in &statements {
                conn.command(statement).await?;
            }
        }
    }
    conn.read_collations().await?;
    conn.read_paths().await?;
    Ok(tables().len())
}

/// Loads the sample site, a small French university, into empty tables.
///
/// # Errors
/// The database's error.
pub async fn load_sample(conn: &mut Conn) -> Result<(), DbError> {
    conn.begin().await?;
    for statement in sample_statements() {
        conn.literal(&statement).await?;
    }
    conn.commit().await?;
    if conn.dialect() == Dialect::Postgres {
        reset_sequences(conn).await?;
    }
    Ok(())
}

/// The statements of the sample, where a `;` at a line's end always ends a statement.
fn sample_statements() -> Vec<String> {
    let text: String = SAMPLE.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// Sets PostgreSQL's sequences behind the highest ids: rows with explicit ids do not advance them.
///
/// # Errors
/// The database's error.
pub async fn reset_sequences(conn: &mut Conn) -> Result<(), DbError> {
    for table in tables() {
        let name = conn.table(table.name);
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence(:name, 'id'),
                           COALESCE((SELECT MAX(id) FROM {name}), 0) + 1, false)"
        );
        conn.number(&sql, &Params::new().with("name", name)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_whole_statements() {
        let statements = sample_statements();
        assert!(statements.len() > 20);
        assert!(statements.iter().all(|statement| statement.starts_with("INSERT INTO {")));
    }
}
