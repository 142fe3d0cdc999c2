//! Which tables and columns a database really has: they vary between Moodle 3.11 and 5.x.
//! It must not judge what is missing; callers do.

use std::collections::BTreeMap;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// The columns of the site's tables, by table name without prefix.
#[derive(Clone, Debug, Default)]
pub struct Columns(BTreeMap<String, Vec<String>>);

impl Columns {
    /// Reads the names of all tables with the site's prefix and their columns, in one query.
    ///
    /// # Errors
    /// The engine's.
    pub async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let sql = match conn.dialect() {
            Dialect::Postgres => {
                // The catalogue itself: the views of information_schema take ten times as long, before every run.
                "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT) FROM pg_catalog.pg_attribute a
                   JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
                  WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
            }
            Dialect::Maria => {
                "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.columns
                  WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
            }
            Dialect::Lite => {
                "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p
                  WHERE m.type = 'table' ORDER BY m.name, p.cid"
            }
        };
        let prefix = conn.prefix().to_owned();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        conn.each(sql, &Params::new(), |row| {
            if let Some(name) = row.text(0).strip_prefix(prefix.as_str()) {
                tables.entry(name.to_owned()).or_default().push(row.text(1));
            }
            Ok(())
        })
        .await?;
        Ok(Self(tables))
    }

    /// The columns of a table; empty when the site has no such table.
    pub fn of(&self, table: &str) -> &[String] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// True if the site has this column.
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.of(table).iter().any(|name| name == column)
    }

    /// True if the site has this table.
    pub fn has_table(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }
}
