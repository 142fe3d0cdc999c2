//! Sets a session as enrold's SQL expects, whatever the defaults of the server, the database or the role.
//! It must not know what the session is for.

use std::time::Duration;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;
use super::statement::statement;

/// The whole `sql_mode`: values that do not fit are refused, `||` joins texts, a backslash is a backslash, no other
/// mode is on (`ONLY_FULL_GROUP_BY` fails on window functions; `ANSI_QUOTES` and `EMPTY_STRING_IS_NULL` change how
/// texts are read).
const SQL_MODE: &str = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES";

const POSTGRES: &str = statement(include_str!("session.sql"), "postgres");

/// Sets the session as enrold's SQL expects.
///
/// # Errors
/// The database's error; a session on PostgreSQL that does not use UTF-8 is refused.
pub(super) async fn settle(conn: &mut Conn, lock_timeout: Duration) -> Result<(), DbError> {
    match conn.dialect() {
        Dialect::Postgres => settle_postgres(conn, lock_timeout).await?,
        Dialect::Maria => settle_maria(conn, lock_timeout).await?,
        Dialect::Lite => {}
    }
    conn.read_paths().await
}

/// Sends one message. A role, a database or a pooler may have set any of these (`ALTER ROLE … SET`).
async fn settle_postgres(conn: &mut Conn, lock_timeout: Duration) -> Result<(), DbError> {
    let millis = i64::try_from(lock_timeout.as_millis()).unwrap_or(i64::MAX);
    let params = Params::new().with("lock_timeout", millis);
    let last = conn.rows(POSTGRES, &params).await?.pop();
    match last.map(|row| (row.text(0), row.text(1))) {
        Some((encoding, strings)) if encoding == "UTF8" && strings == "on" => Ok(()),
        found => {
            let (encoding, strings) = found.unwrap_or_default();
            Err(DbError::Connect(format!(
                "the session has client_encoding = {encoding}, standard_conforming_strings = {strings} and not UTF8, \
                 on, although they were set: look for a pooler that does not keep settings of sessions (pool_mode = \
                 session keeps them)"
            )))
        }
    }
}

/// Sends two statements, and one that reads collations.
///
/// - `utf8mb4_bin` is the collation of enrold's texts and casts: it compares with a column of any collation.
/// - `sql_select_limit`, `sql_safe_updates` and `sql_auto_is_null` would change the results of statements.
/// - Time limits other than enrold's own would end a long run, or one that waits for its file.
async fn settle_maria(conn: &mut Conn, lock_timeout: Duration) -> Result<(), DbError> {
    let seconds = lock_timeout.as_secs().max(1);
    conn.command("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE").await?;
    conn.command(&format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin,
            SESSION sql_mode = '{SQL_MODE}', SESSION time_zone = '+00:00', SESSION autocommit = 1,
            SESSION completion_type = 0, SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = 1,
            SESSION sql_safe_updates = 0, SESSION sql_auto_is_null = 0, SESSION innodb_lock_wait_timeout = {seconds},
            SESSION wait_timeout = GREATEST(@@wait_timeout, 28800),
            SESSION net_read_timeout = GREATEST(@@net_read_timeout, 600),
            SESSION net_write_timeout = GREATEST(@@net_write_timeout, 600)
            /*M!100300 , SESSION max_statement_time = 0, SESSION idle_transaction_timeout = 0,
            SESSION idle_readonly_transaction_timeout = 0, SESSION idle_write_transaction_timeout = 0 */
            /*!50708 , SESSION max_execution_time = 0 */"
    ))
    .await?;
    conn.read_collations().await
}
