//! Inserts missing rows, whose unique keys another session may insert meanwhile.
//! It must not know what the rows are.

use super::conn::Conn;
use super::error::DbError;
use super::sql::Params;

impl Conn {
    /// Inserts the `planned` rows of a select except those whose unique key exists, and gives the number inserted.
    ///
    /// PostgreSQL first inserts all rows without checking each (measured: a third of the time), and starts again with
    /// the check in the rare case that one exists already.
    ///
    /// # Errors
    /// The database's error.
    pub async fn insert_missing(
        &mut self,
        table: &str,
        columns: &str,
        select: &str,
        params: &Params,
        planned: i64,
    ) -> Result<i64, DbError> {
        if self.worth_a_savepoint(planned) {
            self.savepoint("missing").await?;
            match self.exec(&format!("INSERT INTO {table} ({columns}) {select}"), params).await {
                Err(DbError::Taken(_)) => self.end_savepoint("missing", false).await?,
                inserted => {
                    let inserted = inserted?;
                    self.end_savepoint("missing", true).await?;
                    return Ok(inserted as i64);
                }
            }
        }
        let sql = self.dialect().insert_absent(table, columns, select);
        Ok(self.exec(&sql, params).await? as i64)
    }
}
