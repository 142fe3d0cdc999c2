//! Which tables and columns a database really has: they vary between Moodle 3.11 and 5.x.
//! It must not judge what is missing; callers do.

use std::collections::BTreeMap;

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// The columns of the site's tables, by table name without prefix.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    names: BTreeMap<String, Vec<String>>,
    /// Characters that a text column takes, by table and column; none where the database sets no width.
    widths: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Columns {
    /// Reads the names of all tables with the site's prefix and their columns, in one query.
    ///
    /// # Errors
    /// The engine's.
    pub async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let sql = match conn.dialect() {
            Dialect::Postgres => {
                // The catalogue itself: the views of information_schema take ten times as long, before every run.
                "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT),
                        CASE WHEN a.atttypid IN (1042, 1043) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END
                   FROM pg_catalog.pg_attribute a
                   JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
                  WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
            }
            Dialect::Maria => {
                "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR),
                        CASE WHEN data_type IN ('varchar', 'char') THEN CAST(character_maximum_length AS SIGNED) ELSE 0 END
                   FROM information_schema.columns
                  WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
            }
            Dialect::Lite => {
                "SELECT m.name, p.name, 0 FROM sqlite_master m, pragma_table_info(m.name) p
                  WHERE m.type = 'table' ORDER BY m.name, p.cid"
            }
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

    /// How many characters this column of the site takes; `None` where the database sets no width (SQLite, long texts).
    pub fn width(&self, table: &str, column: &str) -> Option<usize> {
        self.widths.get(table)?.get(column).copied()
    }

    /// True if the site has this table.
    pub fn has_table(&self, table: &str) -> bool {
        self.names.contains_key(table)
    }
}
