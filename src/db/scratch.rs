//! What a run makes for itself on its connection: temporary tables, and hints to PostgreSQL's planner about them.
//! It must not know what the tables hold.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::Params;

/// Fewer rows are looked up in any case.
const LOOKED_UP: i64 = 1_000;
/// What a row of Moodle's narrow tables takes on PostgreSQL, about.
const ROW_BYTES: i64 = 100;
/// A good part of a table is one row in so many.
const GOOD_PART: i64 = 16;

/// The temporary tables of a transaction that no statement has named yet.
#[derive(Default)]
pub(super) struct Scratch {
    declared: Vec<Declared>,
}

struct Declared {
    name: String,
    /// The statements that make it.
    makes: Vec<String>,
    /// Its columns with their types, where a select may make it as it is: without any index.
    plain: Option<Vec<(String, String)>>,
}

impl Scratch {
    fn declare(&mut self, name: &str, makes: Vec<String>, plain: Option<Vec<(String, String)>>) {
        self.declared.retain(|other| other.name != name);
        self.declared.push(Declared { name: name.to_owned(), makes, plain });
    }

    /// The statement that makes a declared table from the select that is its first filling: PostgreSQL writes such a table
    /// in less than half the time. `None` for every other statement.
    pub(super) fn made_by(&mut self, sql: &str) -> Option<String> {
        let (name, rest) = sql.strip_prefix("INSERT INTO ")?.split_once(" (")?;
        let (list, select) = rest.split_once(')')?;
        let at = self.declared.iter().position(|table| table.name == name)?;
        let plain = self.declared[at].plain.as_ref()?;
        let given: Vec<&str> = list.split(',').map(str::trim).collect();
        let typed = |column: &&str| plain.iter().find(|(known, _)| known == column);
        let typed: Vec<_> = given.iter().filter_map(typed).collect();
        if typed.len() != plain.len() || given.len() != plain.len() || names(select, name) {
            return None;
        }
        let values = typed.iter().map(|(column, kind)| format!("CAST(t.{column} AS {kind}) AS {column}"));
        let values = values.collect::<Vec<_>>().join(", ");
        let drop = self.declared.swap_remove(at).makes.into_iter().next()?;
        Some(format!(
            "{drop}; CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {values} FROM ({select}) t ({list})"
        ))
    }

    /// The tables end with their transaction.
    pub(super) fn forget(&mut self) {
        self.declared.clear();
    }

    /// Takes out the tables that a statement names.
    fn named(&mut self, sql: &str) -> Vec<Declared> {
        if self.declared.is_empty() {
            return Vec::new();
        }
        let (named, others) = std::mem::take(&mut self.declared).into_iter().partition(|table| names(sql, &table.name));
        self.declared = others;
        named
    }

    /// Whether a table is declared and not made.
    fn has(&self, name: &str) -> bool {
        self.declared.iter().any(|table| table.name == name)
    }

    /// Whether a statement only empties a table that was never made.
    pub(super) fn has_nothing_for(&self, sql: &str) -> bool {
        sql.strip_prefix("DELETE FROM ").is_some_and(|name| self.has(name))
    }
}

/// The columns of a table without keys, with their types; `None` if it has a key or a column that fills itself. Texts have no
/// width: a cast would cut what is too long, and say nothing.
fn plain_columns(definition: &str) -> Option<Vec<(String, String)>> {
    if definition.contains("KEY") || definition.contains("DEFAULT") {
        return None;
    }
    definition
        .split(',')
        .map(|column| {
            let mut words = column.split_whitespace();
            let (name, kind) = (words.next()?, words.next()?);
            Some((name.to_owned(), if kind.starts_with("VARCHAR") { "TEXT" } else { kind }.to_owned()))
        })
        .collect()
}

/// Whether `name` is a word of the statement; a text that holds it counts too, and only makes the table early.
fn names(sql: &str, name: &str) -> bool {
    let letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = sql.as_bytes();
    sql.match_indices(name).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !letter(before) && !letter(bytes.get(at + name.len()))
    })
}

impl Conn {
    /// Declares a temporary table of the transaction: it is made when a statement first names it, for a run that changes
    /// nothing needs few of them (dropped before on MariaDB and SQLite, where it outlives a rollback or a run).
    pub fn temporary(&mut self, name: &str, columns: &str) {
        self.declare(name, columns, Vec::new());
    }

    /// [`Conn::temporary`] with an index on `key`, whose columns other tables look it up by; several with `;` between.
    pub fn temporary_keyed(&mut self, name: &str, columns: &str, key: &str) {
        let keys = key.split(';').map(str::trim);
        match self.dialect() {
            // An index that is added later would commit on MariaDB.
            Dialect::Maria => {
                let keys = keys.map(|key| format!(", KEY ({key})")).collect::<String>();
                self.declare(name, &format!("{columns}{keys}"), Vec::new());
            }
            Dialect::Postgres => {
                self.declare(name, columns, keys.map(|key| format!("CREATE INDEX ON {name} ({key})")).collect());
            }
            Dialect::Lite => {
                let index = |(at, key)| format!("CREATE INDEX temp.{name}_key{at} ON {name} ({key})");
                self.declare(name, columns, keys.enumerate().map(index).collect());
            }
        }
    }

    /// [`Conn::temporary_keyed`], but for PostgreSQL, which hashes what is joined and keeps the keys in `columns` alone.
    pub fn temporary_indexed(&mut self, name: &str, columns: &str, key: &str) {
        match self.dialect() {
            Dialect::Postgres => self.temporary(name, columns),
            _ => self.temporary_keyed(name, columns, key),
        }
    }

    /// [`Conn::temporary_keyed`] whose `key`, as its primary one, is what whole sets are joined by: PostgreSQL hashes, and is
    /// spared both.
    pub fn temporary_joined(&mut self, name: &str, columns: &str, key: &str) {
        match self.dialect() {
            Dialect::Postgres => self.declare(name, &columns.replace(" PRIMARY KEY", ""), Vec::new()),
            _ => self.temporary_keyed(name, columns, key),
        }
    }

    /// Gives a table that was [`Conn::temporary_joined`] an index that PostgreSQL was spared, if it was made.
    ///
    /// # Errors
    /// The engine's.
    pub async fn index_joined(&mut self, name: &str, key: &str) -> Result<(), DbError> {
        if self.dialect() != Dialect::Postgres || self.scratch.has(name) {
            return Ok(());
        }
        let index = format!("{name}_{}", key.replace(", ", "_"));
        self.command_with_next(&format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({key})")).await
    }

    /// Makes a temporary view of the transaction over its tables; only for PostgreSQL, where it ends with them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn temporary_view(&mut self, name: &str, select: &str) -> Result<(), DbError> {
        self.command_with_next(&format!("CREATE TEMPORARY VIEW {name} AS {select}")).await
    }

    fn declare(&mut self, name: &str, columns: &str, indexes: Vec<String>) {
        let drop = self.dialect().drop_temporary(name);
        let plain =
            if indexes.is_empty() && self.dialect() == Dialect::Postgres { plain_columns(columns) } else { None };
        let makes = [drop, self.dialect().temporary(name, columns)].into_iter().chain(indexes).collect();
        self.scratch.declare(name, makes, plain);
    }

    /// Whether a declared temporary table was never made: it has no rows.
    pub fn is_unmade(&self, name: &str) -> bool {
        self.scratch.has(name)
    }

    /// Makes the declared tables that a statement names.
    pub(super) async fn make_named(&mut self, sql: &str) -> Result<(), DbError> {
        for table in self.scratch.named(sql) {
            if self.dialect() == Dialect::Postgres {
                self.command_with_next(&table.makes.join("; ")).await?;
                continue;
            }
            for make in &table.makes {
                self.command(make).await?;
            }
        }
        Ok(())
    }

    /// Makes a temporary table that outlives transactions: effects are written in several.
    ///
    /// # Errors
    /// The engine's.
    pub async fn temporary_for_session(&mut self, name: &str, columns: &str) -> Result<(), DbError> {
        let drop = self.dialect().drop_temporary(name);
        if self.dialect() == Dialect::Postgres {
            return self.command_with_next(&format!("{drop}; CREATE TEMPORARY TABLE {name} ({columns})")).await;
        }
        self.command(&drop).await?;
        self.command(&self.dialect().temporary(name, columns)).await
    }

    /// [`Conn::temporary_for_session`] with the rows of a select, whose columns have the names of the table's, in their
    /// order; gives their number. On PostgreSQL the select makes the table, without keys.
    ///
    /// # Errors
    /// The engine's.
    pub async fn fill_for_session(
        &mut self,
        name: &str,
        columns: &str,
        select: &str,
        params: &Params,
    ) -> Result<u64, DbError> {
        if self.dialect() == Dialect::Postgres {
            self.command_with_next(&self.dialect().drop_temporary(name)).await?;
            return self.exec(&format!("CREATE TEMPORARY TABLE {name} AS {select}"), params).await;
        }
        self.temporary_for_session(name, columns).await?;
        self.exec(&format!("INSERT INTO {name} {select}"), params).await
    }

    /// Tells PostgreSQL's planner how large a temporary table is; nothing on the others (ANALYZE would commit on MariaDB).
    ///
    /// # Errors
    /// The engine's.
    pub async fn analyse(&mut self, temporary: &str) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Postgres if !self.scratch.has(temporary) => {
                self.command_with_next(&format!("ANALYZE {temporary}")).await
            }
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
                self.command_with_next("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off").await
            }
            (Dialect::Postgres, false) => {
                self.command_with_next("SET enable_seqscan = on; SET enable_bitmapscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on").await
            }
            _ => Ok(()),
        }
    }

    /// Whether a step of so many rows is tried at once and, if another writer got in between, done anew with care: on
    /// PostgreSQL, and not for small steps, for a transaction of many savepoints slows others down.
    pub fn worth_a_savepoint(&self, rows: i64) -> bool {
        self.dialect() == Dialect::Postgres && rows >= LOOKED_UP
    }

    /// Whether so many rows are a good part of a site's table, as far as PostgreSQL's size of it tells: then it is cheaper
    /// read whole than looked up row by row. False on the others, which choose for themselves.
    ///
    /// # Errors
    /// The engine's.
    pub async fn is_good_part(&mut self, rows: i64, table: &str) -> Result<bool, DbError> {
        if self.dialect() != Dialect::Postgres || rows < LOOKED_UP {
            return Ok(false);
        }
        let name = self.table(table);
        let params = Params::new().with("name", name).with("row", ROW_BYTES);
        let there = self.number("SELECT pg_relation_size(CAST(:name AS regclass)) / :row", &params).await?;
        Ok(rows * GOOD_PART >= there)
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
            (Dialect::Postgres, true) => self.command_with_next("SET enable_nestloop = off").await,
            (Dialect::Postgres, false) => self.command_with_next("SET enable_nestloop = on").await,
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Scratch, names, plain_columns};

    #[test]
    fn the_first_filling_makes_a_plain_table() {
        let mut scratch = Scratch::default();
        let columns = "userid BIGINT NOT NULL, gkey VARCHAR(255) NOT NULL";
        let makes = || vec!["DROP TABLE IF EXISTS pg_temp.pair".to_owned(), "CREATE".to_owned()];
        scratch.declare("pair", makes(), plain_columns(columns));
        assert_eq!(scratch.made_by("INSERT INTO pair (userid) SELECT 1"), None, "a column is missing");
        assert_eq!(scratch.made_by("INSERT INTO pair (userid, gkey) SELECT p.userid, '' FROM pair p"), None);
        assert_eq!(scratch.made_by("INSERT INTO other (userid, gkey) SELECT 1, ''"), None);
        let made = scratch.made_by("INSERT INTO pair (gkey, userid) SELECT 'x', 1").unwrap();
        assert_eq!(
            made,
            "DROP TABLE IF EXISTS pg_temp.pair; CREATE TEMPORARY TABLE pair ON COMMIT DROP AS SELECT \
             CAST(t.gkey AS TEXT) AS gkey, CAST(t.userid AS BIGINT) AS userid FROM ( SELECT 'x', 1) t (gkey, userid)"
        );
        assert_eq!(scratch.made_by("INSERT INTO pair (gkey, userid) SELECT 'y', 2"), None, "it is made");
        for keyed in ["id BIGINT NOT NULL PRIMARY KEY", "a BIGINT, PRIMARY KEY (a)", "a BIGINT DEFAULT 0"] {
            assert_eq!(plain_columns(keyed), None, "{keyed}");
        }
    }

    #[test]
    fn a_table_is_named_by_a_whole_word() {
        assert!(names("DELETE FROM pair", "pair"));
        assert!(names("SELECT p.id FROM pair p", "pair"));
        assert!(names("pair", "pair"));
        assert!(!names("SELECT * FROM pair_role", "pair"));
        assert!(!names("SELECT * FROM last_pair, pairs", "pair"));
    }
}
