//! What a run makes for itself on its connection: temporary tables, and hints to PostgreSQL's planner about them.
//! It must not know what the tables hold.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;

impl Conn {
    /// Makes a temporary table (dropped first on MariaDB and SQLite, where it outlives a rollback or a run).
    ///
    /// # Errors
    /// The engine's.
    pub async fn temporary(&mut self, name: &str, columns: &str) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Maria => self.command(&format!("DROP TEMPORARY TABLE IF EXISTS {name}")).await?,
            Dialect::Lite => self.command(&format!("DROP TABLE IF EXISTS temp.{name}")).await?,
            Dialect::Postgres => self.command(&format!("DROP TABLE IF EXISTS pg_temp.{name}")).await?,
        }
        let sql = self.dialect().temporary(name, columns);
        self.command(&sql).await
    }

    /// Makes a temporary table with an index on `key`, whose columns other tables look it up by.
    ///
    /// # Errors
    /// The engine's.
    pub async fn temporary_keyed(&mut self, name: &str, columns: &str, key: &str) -> Result<(), DbError> {
        match self.dialect() {
            // An index that is added later would commit on MariaDB.
            Dialect::Maria => self.temporary(name, &format!("{columns}, KEY ({key})")).await,
            Dialect::Postgres => {
                self.temporary(name, columns).await?;
                self.command(&format!("CREATE INDEX ON {name} ({key})")).await
            }
            Dialect::Lite => {
                self.temporary(name, columns).await?;
                self.command(&format!("CREATE INDEX temp.{name}_key ON {name} ({key})")).await
            }
        }
    }

    /// Makes a temporary table that outlives transactions: effects are written in several.
    ///
    /// # Errors
    /// The engine's.
    pub async fn temporary_for_session(&mut self, name: &str, columns: &str) -> Result<(), DbError> {
        if self.dialect() != Dialect::Postgres {
            return self.temporary(name, columns).await;
        }
        self.command(&format!("DROP TABLE IF EXISTS pg_temp.{name}")).await?;
        self.command(&format!("CREATE TEMPORARY TABLE {name} ({columns})")).await
    }

    /// Tells PostgreSQL's planner how large a temporary table is; nothing on the others (ANALYZE would commit on MariaDB).
    ///
    /// # Errors
    /// The engine's.
    pub async fn analyse(&mut self, temporary: &str) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Postgres => self.command(&format!("ANALYZE {temporary}")).await,
            _ => Ok(()),
        }
    }

    /// Tells PostgreSQL to join row by row through indexes from now on, or to choose freely again; nothing on the others.
    ///
    /// Where a table was empty when its statistics were taken, the planner reads it whole for each row of a join,
    /// even while the very statement fills it (measured: 80 s instead of 1.5 s for 100,000 roles).
    ///
    /// # Errors
    /// The engine's.
    pub async fn prefer_indexes(&mut self, prefer: bool) -> Result<(), DbError> {
        match (self.dialect(), prefer) {
            (Dialect::Postgres, true) => {
                self.command("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off").await
            }
            (Dialect::Postgres, false) => {
                self.command("SET enable_seqscan = on; SET enable_bitmapscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on").await
            }
            _ => Ok(()),
        }
    }

    /// Tells PostgreSQL to join whole sets by hashing from now on, or to choose freely again; nothing on the others.
    ///
    /// For the comparison of two large sets: with stale statistics the planner takes one of them for a few rows, and
    /// computes the other anew for each (measured: minutes instead of a fraction of a second for 50,000 roles).
    ///
    /// # Errors
    /// The engine's.
    pub async fn prefer_hashes(&mut self, prefer: bool) -> Result<(), DbError> {
        match (self.dialect(), prefer) {
            (Dialect::Postgres, true) => self.command("SET enable_nestloop = off").await,
            (Dialect::Postgres, false) => self.command("SET enable_nestloop = on").await,
            _ => Ok(()),
        }
    }
}
