//! What a session of the site's database is set to, whatever the server's, the database's or the role's defaults are.
//! It must not know what the session is for; what it sets, enrold's SQL relies on.

use std::time::Duration;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;
use super::statement::statement;

/// `sql_mode`, whole: values that have no room are refused, `||` joins texts, a backslash is a backslash, and nothing
/// else is changed (`ONLY_FULL_GROUP_BY` knows no window functions, `ANSI_QUOTES` and `EMPTY_STRING_IS_NULL` read texts
/// otherwise).
const SQL_MODE: &str = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES";

const POSTGRES: &str = statement(include_str!("session.sql"), "postgres");

/// Makes the session what enrold's SQL expects.
///
/// # Errors
/// The database's; a session on PostgreSQL that will not speak UTF-8 is refused.
pub(super) async fn settle(conn: &mut Conn, lock_timeout: Duration) -> Result<(), DbError> {
    match conn.dialect() {
        Dialect::Postgres => settle_postgres(conn, lock_timeout).await?,
        Dialect::Maria => settle_maria(conn, lock_timeout).await?,
        Dialect::Lite => {}
    }
    conn.read_paths().await
}

/// One message. A role, a database or a pooler may have set any of these (`ALTER ROLE … SET`).
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

/// Two statements, one that reads collations, and one that reads indexes.
///
/// - `utf8mb4_bin` is what texts and casts of ours have: with a column of whatever collation it compares.
/// - `sql_select_limit`, `sql_safe_updates` and `sql_auto_is_null` would answer other questions than were asked.
/// - Time limits other than enrold's own would cut a long run, or one that waits for its file.
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
