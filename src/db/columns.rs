//! Reads which tables and columns a site has: they vary between Moodle 3.11 and 5.x.
//! It must not judge what is missing; callers do.

use std::collections::BTreeMap;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;
use super::statement::statement;

const POSTGRES: &str = statement(include_str!("columns.sql"), "postgres");
const MARIA: &str = statement(include_str!("columns.sql"), "maria");
const LITE: &str = statement(include_str!("columns.sql"), "lite");

/// The columns of the site's tables, by table name without prefix.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    names: BTreeMap<String, Vec<String>>,
    /// The width of each text column in characters, by table and column; none where the database sets no width.
    widths: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Columns {
    /// Reads the names of all tables with the site's prefix and their columns, in one query.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let sql = match conn.dialect() {
            Dialect::Postgres => POSTGRES,
            Dialect::Maria => MARIA,
            Dialect::Lite => LITE,
        };
        let prefix = conn.prefix().to_owned();
        let mut columns = Self::default();
        conn.each(sql, &Params::new(), |row| {
            if let Some(table) = row.text(0).strip_prefix(prefix.as_str()) {
                columns.names.entry(table.to_owned()).or_default().push(row.text(1));
                if let Ok(width @ 1..) = usize::try_from(row.int(2)) {
                    columns.widths.entry(table.to_owned()).or_default().insert(row.text(1), width);
                }
            }
            Ok(())
        })
        .await?;
        Ok(columns)
    }

    /// The columns of a table; empty when the site has no such table.
    pub fn of(&self, table: &str) -> &[String] {
        self.names.get(table).map_or(&[], Vec::as_slice)
    }

    /// True if the site has this column.
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.of(table).iter().any(|name| name == column)
    }

    /// The width of this column in characters; `None` where the database sets none (SQLite, long texts).
    pub fn width(&self, table: &str, column: &str) -> Option<usize> {
        self.widths.get(table)?.get(column).copied()
    }

    /// True if the site has this table.
    pub fn has_table(&self, table: &str) -> bool {
        self.names.contains_key(table)
    }
}
