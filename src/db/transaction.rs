//! Begins and ends the transaction of a run, with savepoints, and refuses statements that would commit it.
//! It must not know what a run does.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;

impl Conn {
    /// Opens the transaction of a run: READ COMMITTED on the servers, BEGIN IMMEDIATE on SQLite (a deferred
    /// transaction would fail with "locked" at its first write).
    ///
    /// # Errors
    /// The database's error.
    pub async fn begin(&mut self) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Postgres => self.command_with_next("BEGIN ISOLATION LEVEL READ COMMITTED").await?,
            Dialect::Maria => self.command("START TRANSACTION").await?,
            Dialect::Lite => self.command("BEGIN IMMEDIATE").await?,
        }
        self.in_run = true;
        Ok(())
    }

    /// Commits the transaction of a run.
    ///
    /// # Errors
    /// The database's error; after a lost connection it is unknown whether the transaction was committed.
    pub async fn commit(&mut self) -> Result<(), DbError> {
        self.in_run = false;
        self.scratch.forget();
        self.command("COMMIT").await
    }

    /// Rolls back the transaction of a run.
    ///
    /// # Errors
    /// The database's error.
    pub async fn rollback(&mut self) -> Result<(), DbError> {
        self.in_run = false;
        self.waiting.clear();
        self.scratch.forget();
        self.command("ROLLBACK").await
    }

    /// Sets a savepoint for [`Conn::end_savepoint`]; PostgreSQL only.
    ///
    /// # Errors
    /// The database's error.
    pub async fn savepoint(&mut self, name: &str) -> Result<(), DbError> {
        self.command_with_next(&format!("SAVEPOINT {name}")).await
    }

    /// Releases the savepoint, or rolls back to it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn end_savepoint(&mut self, name: &str, keep: bool) -> Result<(), DbError> {
        if keep {
            return self.command_with_next(&format!("RELEASE SAVEPOINT {name}")).await;
        }
        self.command(&format!("ROLLBACK TO SAVEPOINT {name}")).await
    }

    /// Refuses DDL and similar statements, which would commit the run's transaction on MariaDB.
    pub(super) fn refuse_implicit_commit(&self, template: &str) -> Result<(), DbError> {
        if !self.in_run || self.dialect() != Dialect::Maria {
            return Ok(());
        }
        let words = template.split_whitespace().take(2).map(str::to_ascii_uppercase).collect::<Vec<_>>();
        let first = words.first().map_or("", String::as_str);
        let second = words.get(1).map_or("", String::as_str);
        let commits = matches!(
            first,
            "CREATE"
                | "DROP"
                | "ALTER"
                | "TRUNCATE"
                | "ANALYZE"
                | "OPTIMIZE"
                | "RENAME"
                | "LOCK"
                | "GRANT"
                | "BEGIN"
                | "START"
        );
        if commits && second != "TEMPORARY" {
            return Err(DbError::ImplicitCommit(template.chars().take(80).collect()));
        }
        Ok(())
    }
}
