//! Reads which tables and columns the database has, and on PostgreSQL the account's rights on them.
//! It must not judge what is missing; callers do.

use std::collections::BTreeMap;

use crate::db::{Conn, DbError, Dialect, Params, statement};

/// The account's rights on a column; all `true` on MariaDB and SQLite, whose lists do not contain them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub select: bool,
    pub insert: bool,
    pub update: bool,
}

/// One table of the database.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRights {
    pub columns: BTreeMap<String, Rights>,
    /// Rows may be deleted.
    pub delete: bool,
    /// The sequence of `id` and whether it may be used; PostgreSQL only.
    pub sequence: Option<(String, bool)>,
}

/// All tables that the account can see. PostgreSQL shows every table; MariaDB hides those without any right.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue(BTreeMap<String, TableRights>);

const POSTGRES: &str = statement(include_str!("catalogue.sql"), "postgres");
const SEQUENCES: &str = statement(include_str!("catalogue.sql"), "sequences");
const MARIA: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), 1, 1, 1, 1
   FROM information_schema.columns WHERE table_schema = DATABASE()";
const LITE: &str =
    "SELECT m.name, p.name, 1, 1, 1, 1 FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'";

impl Catalogue {
    /// Reads the database's lists, in one statement or two.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let mut tables: BTreeMap<String, TableRights> = BTreeMap::new();
        let dialect = conn.dialect();
        let sql = match dialect {
            Dialect::Postgres => POSTGRES,
            Dialect::Maria => MARIA,
            Dialect::Lite => LITE,
        };
        conn.each(sql, &Params::new(), |row| {
            let table = tables.entry(row.text(0)).or_default();
            let rights = Rights { select: row.int(2) != 0, insert: row.int(3) != 0, update: row.int(4) != 0 };
            table.columns.insert(row.text(1), rights);
            table.delete = row.int(5) != 0;
            Ok(())
        })
        .await?;
        if dialect == Dialect::Postgres {
            for row in conn.rows(SEQUENCES, &Params::new()).await? {
                if let Some(table) = tables.get_mut(&row.text(0)) {
                    table.sequence = Some((row.text(1), row.int(2) != 0));
                }
            }
        }
        Ok(Self(tables))
    }

    /// A table by its name in the database.
    pub fn table(&self, name: &str) -> Option<&TableRights> {
        self.0.get(name)
    }

    /// The prefixes of Moodle's tables: only Moodle has a table `user_enrolments`.
    pub fn prefixes(&self) -> Vec<&str> {
        self.0
            .keys()
            .filter_map(|name| name.strip_suffix("user_enrolments"))
            .filter(|prefix| self.0.contains_key(&format!("{prefix}user")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_what_stands_before_both_tables() {
        let names = ["xx_user", "xx_user_enrolments", "y_user_enrolments", "user", "user_enrolments"];
        let catalogue = Catalogue(names.iter().map(|name| ((*name).to_owned(), TableRights::default())).collect());
        assert_eq!(catalogue.prefixes(), ["", "xx_"]);
    }
}
