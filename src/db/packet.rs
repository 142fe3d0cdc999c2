//! Limits the bytes of one statement: MariaDB closes the connection on one longer than `max_allowed_packet`.
//! It must not know what a statement is for.

use sqlx::Row as _;

use super::conn::{Conn, Raw};
use super::error::DbError;

/// Every server that Moodle runs on accepts this many bytes; shorter statements need no query for the limit.
pub(super) const SMALLEST_PACKET: usize = 16 << 10;
/// Bytes that the driver adds to a statement.
const ADDED: usize = 64;
/// The approximate limit of PostgreSQL and SQLite, in bytes.
const GIGABYTE: usize = 1_000_000_000;

impl Conn {
    /// The longest statement that the database accepts, in bytes; MariaDB is queried once for each connection.
    ///
    /// # Errors
    /// The database's error.
    pub(super) async fn most_bytes(&mut self) -> Result<usize, DbError> {
        let Raw::My(raw) = &mut self.raw else { return Ok(GIGABYTE) };
        if let Some(most) = self.most_bytes {
            return Ok(most);
        }
        let sql = "SELECT CAST(@@max_allowed_packet AS CHAR)";
        let asked = sqlx::raw_sql(sql).fetch_one(raw).await.and_then(|row| row.try_get::<String, _>(0));
        let told = asked.map_err(|error| DbError::from_sqlx(error, sql))?;
        let most = told.parse::<usize>().map_or(SMALLEST_PACKET, |packet| packet.saturating_sub(ADDED));
        self.most_bytes = Some(most);
        Ok(most)
    }

    /// Refuses a statement that is too long: the server would close the connection, as if the database were down.
    ///
    /// # Errors
    /// The database's error, or the length and the limit.
    pub(super) async fn fits(&mut self, bytes: usize) -> Result<(), DbError> {
        if bytes <= SMALLEST_PACKET {
            return Ok(());
        }
        let most = self.most_bytes().await?;
        if bytes <= most {
            return Ok(());
        }
        Err(DbError::other(format!(
            "a statement of {bytes} bytes is more than the database takes ({most} bytes): raise max_allowed_packet"
        )))
    }
}
