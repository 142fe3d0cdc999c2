//! Finds the tables, columns and rights of [`needs`] that the account lacks, however it got its rights. It must
//! not change anything: PostgreSQL is queried, on MariaDB each kind of statement is explained and not run.

use crate::db::table::int;
use crate::db::{Conn, DbError, Dialect, Params, Table};
use crate::doctor::catalogue::{Catalogue, TableRights};
use crate::doctor::grants::numbers_its_rows;
use crate::doctor::needs::{self, Further, Need};

/// A temporary table that is created only to check the right to do so.
const PROBE: Table = Table::new("rights_probe", &[int("n")]);

/// Something that is missing.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    pub need: &'static Need,
    pub lack: Lack,
}

/// What is missing of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The table itself.
    Table,
    /// A column.
    Column(&'static str),
    /// A right, as GRANT names it.
    Right(String),
}

/// Compares the needs with the database, of the `further` ones those that the configuration demands; those of enrold's
/// own tables only if these exist (`own`).
///
/// # Errors
/// The database's error.
pub(super) async fn gaps(
    conn: &mut Conn,
    catalogue: &Catalogue,
    own: bool,
    further: Further,
) -> Result<Vec<Gap>, DbError> {
    let mut gaps = Vec::new();
    for need in needs::of_runs(further).filter(|need| own || !need.is_own()) {
        let existing = catalogue.table(&need.full_name(conn.prefix()));
        let lacks = match (conn.dialect(), existing) {
            (Dialect::Maria, existing) => explained(conn, need, existing).await?,
            (_, None) => vec![Lack::Table],
            (_, Some(existing)) => listed(need, existing),
        };
        gaps.extend(lacks.into_iter().map(|lack| Gap { need, lack }));
    }
    Ok(gaps)
}

/// What is missing by the database's own lists (PostgreSQL, SQLite).
fn listed(need: &Need, existing: &TableRights) -> Vec<Lack> {
    let mut lacks = absent_columns(need, existing);
    let without = |columns: &[&'static str], may: fn(&crate::doctor::catalogue::Rights) -> bool| {
        let denied = |name: &&&str| existing.columns.get(**name).is_some_and(|rights| !may(rights));
        columns.iter().filter(denied).copied().collect::<Vec<_>>().join(", ")
    };
    let reads = without(need.read, |rights| rights.select);
    if need.whole_rows && existing.columns.values().any(|rights| !rights.select) {
        lacks.push(Lack::Right("SELECT".to_owned()));
    } else if !reads.is_empty() {
        lacks.push(Lack::Right(format!("SELECT ({reads})")));
    }
    if !without(need.insert, |rights| rights.insert).is_empty() {
        lacks.push(Lack::Right("INSERT".to_owned()));
    }
    let updates = without(need.update, |rights| rights.update);
    if !updates.is_empty() {
        lacks.push(Lack::Right(format!("UPDATE ({updates})")));
    }
    if need.delete && !existing.delete {
        lacks.push(Lack::Right("DELETE".to_owned()));
    }
    if let Some((sequence, false)) = &existing.sequence
        && numbers_its_rows(need)
    {
        lacks.push(Lack::Right(format!("USAGE ON SEQUENCE {sequence}")));
    }
    lacks
}

fn absent_columns(need: &Need, existing: &TableRights) -> Vec<Lack> {
    let mut absent: Vec<&str> = need.columns().filter(|column| !existing.columns.contains_key(*column)).collect();
    absent.sort_unstable();
    absent.dedup();
    absent.into_iter().map(Lack::Column).collect()
}

/// MariaDB hides tables without rights, and its lists do not contain rights from roles: one statement of each kind is
/// explained, which requires the same rights as running it.
async fn explained(conn: &mut Conn, need: &Need, existing: Option<&TableRights>) -> Result<Vec<Lack>, DbError> {
    let mut lacks = Vec::new();
    for (right, statement) in statements(need) {
        match asked(conn, &statement).await? {
            Answer::Granted => {}
            Answer::NoTable => return Ok(vec![Lack::Table]),
            Answer::NoColumn => return Ok(existing.map_or_else(Vec::new, |existing| absent_columns(need, existing))),
            Answer::Denied => lacks.push(Lack::Right(right)),
        }
    }
    Ok(lacks)
}

fn statements(need: &Need) -> Vec<(String, String)> {
    let table = need.table;
    let mut statements = Vec::new();
    let columns = need.read.join(", ");
    if need.whole_rows {
        statements.push(("SELECT".to_owned(), format!("SELECT * FROM {{{table}}}")));
    }
    if !need.read.is_empty() {
        // Also for whole rows: this finds a column that does not exist.
        let right = if need.whole_rows { "SELECT".to_owned() } else { format!("SELECT ({columns})") };
        statements.push((right, format!("SELECT {columns} FROM {{{table}}}")));
    }
    if !need.insert.is_empty() {
        let values = vec!["0"; need.insert.len()].join(", ");
        let sql = format!("INSERT INTO {{{table}}} ({}) VALUES ({values})", need.insert.join(", "));
        statements.push(("INSERT".to_owned(), sql));
    }
    if !need.update.is_empty() {
        let sets = need.update.iter().map(|column| format!("{column} = 0")).collect::<Vec<_>>().join(", ");
        let right = format!("UPDATE ({})", need.update.join(", "));
        statements.push((right, format!("UPDATE {{{table}}} SET {sets} WHERE 1 = 0")));
    }
    if need.delete {
        statements.push(("DELETE".to_owned(), format!("DELETE FROM {{{table}}} WHERE 1 = 0")));
    }
    statements.dedup_by(|later, first| later == first);
    statements
}

enum Answer {
    Granted,
    Denied,
    NoTable,
    NoColumn,
}

async fn asked(conn: &mut Conn, statement: &str) -> Result<Answer, DbError> {
    let outcome = conn.command(&format!("EXPLAIN {statement}")).await;
    match outcome {
        Ok(()) => Ok(Answer::Granted),
        Err(error) => match code(&error) {
            Some("1142" | "1143") => Ok(Answer::Denied),
            Some("1146") => Ok(Answer::NoTable),
            Some("1054") => Ok(Answer::NoColumn),
            _ => Err(error),
        },
    }
}

/// The database's code at the end of an error's message.
fn code(error: &DbError) -> Option<&str> {
    let DbError::Other { what, .. } = error else {
        return None;
    };
    what.strip_suffix(']')?.rsplit_once('[').map(|(_, code)| code)
}

/// Rights on the database as a whole that are missing, as GRANT names them.
///
/// # Errors
/// The database's error.
pub(super) async fn general(conn: &mut Conn) -> Result<Vec<&'static str>, DbError> {
    let mut missing = Vec::new();
    match conn.dialect() {
        Dialect::Lite => {}
        Dialect::Postgres => {
            let sql = "SELECT has_database_privilege(current_database(), 'TEMPORARY')";
            if conn.number(sql, &Params::new()).await? == 0 {
                missing.push("TEMPORARY");
            }
        }
        Dialect::Maria => match conn.declare_for_session(&PROBE).await {
            Ok(()) => conn.command("DROP TEMPORARY TABLE rights_probe").await?,
            Err(error) if code(&error) == Some("1044") => missing.push("CREATE TEMPORARY TABLES"),
            Err(error) => return Err(error),
        },
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_stands_at_the_end_of_the_words() {
        let denied = DbError::other("SELECT command denied to user 'e'@'h' [1142]");
        assert_eq!(code(&denied), Some("1142"));
        assert_eq!(code(&DbError::other("no code here")), None);
        assert_eq!(code(&DbError::Lost("gone [2013]".to_owned())), None);
    }

    #[test]
    fn a_statement_is_explained_for_each_right() {
        let need = needs::NEEDS.iter().find(|need| need.table == "user_enrolments").unwrap();
        let kinds: Vec<String> = statements(need).into_iter().map(|(_, sql)| sql[..6].to_owned()).collect();
        assert_eq!(kinds, ["SELECT", "SELECT", "INSERT", "UPDATE", "DELETE"]);
    }
}
