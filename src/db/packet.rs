//! How many bytes one statement may have: MariaDB cuts the connection of whoever sends more than `max_allowed_packet`.
//! It must not know what a statement is for.

use sqlx::Row as _;

use super::conn::{Conn, Raw};
use super::error::DbError;

/// No server that Moodle runs on takes less; up to here nobody asks it.
pub(super) const SMALLEST_PACKET: usize = 16 << 10;
/// What the driver adds to a statement.
const ADDED: usize = 64;
/// PostgreSQL's and SQLite's own limits, about, in bytes.
const GIGABYTE: usize = 1_000_000_000;

impl Conn {
    /// The longest statement that the database takes, in bytes; a server is asked once for each connection.
    ///
    /// # Errors
    /// The database's.
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

    /// Refuses a statement that the server would answer by cutting the connection: that would look as if the database
    /// were away.
    ///
    /// # Errors
    /// The database's, or what is too long.
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
