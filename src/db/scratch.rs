//! Creates the temporary tables of a run on its connection, and gives PostgreSQL's planner hints about them.
//! It must not know what the tables hold.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::{Params, Statement};
use super::table::Table;

/// Fewer rows than this are always looked up.
const LOOKED_UP: i64 = 1_000;
/// The approximate bytes of a row of Moodle's narrow tables on PostgreSQL.
const ROW_BYTES: i64 = 100;
/// A good part of a table is at least one row in this many.
const GOOD_PART: i64 = 16;

/// The temporary tables that templates may name.
#[derive(Default)]
pub(super) struct Scratch {
    known: Vec<Known>,
}

struct Known {
    table: Table,
    made: bool,
    /// It outlives transactions.
    of_session: bool,
}

impl Scratch {
    fn add(&mut self, table: Table, made: bool, of_session: bool) {
        self.known.retain(|other| other.table.name != table.name);
        self.known.push(Known { table, made, of_session });
    }

    /// The table of this name; `None` if it is not declared.
    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.known.iter().find(|known| known.table.name == name).map(|known| &known.table)
    }

    /// Whether a table is declared and not created.
    fn is_unmade(&self, name: &str) -> bool {
        self.known.iter().any(|known| known.table.name == name && !known.made)
    }

    /// The statement that creates a declared table from the select that first fills it: PostgreSQL writes such a table
    /// in less than half the time. `None` for every other statement.
    pub(super) fn made_by(&mut self, statement: &Statement) -> Option<String> {
        let (name, at) = statement.fills.as_ref()?;
        let again = statement.tables.iter().filter(|table| *table == name).count() > 1;
        let known = self.known.iter_mut().find(|known| known.table.name == name && !known.made && !again)?;
        let made = known.table.made_by(&statement.sql[*at..])?;
        known.made = true;
        Some(made)
    }

    /// Forgets the tables that end with the transaction.
    pub(super) fn forget(&mut self) {
        self.known.retain(|known| known.of_session);
    }

    /// Whether a statement only empties a table that was never created.
    pub(super) fn has_nothing_for(&self, statement: &Statement) -> bool {
        let emptied = statement.sql.strip_prefix("DELETE FROM ");
        emptied.is_some_and(|name| self.is_unmade(name))
    }

    /// A table that a statement names without marking it as `[name]`: a bug in enrold, which debug builds refuse.
    pub(super) fn unmarked(&self, statement: &Statement) -> Option<&'static str> {
        // By words, because every statement of every test comes here: unoptimised code finds texts slowly.
        let words = statement.sql.split(' ');
        words.clone().zip(words.skip(1)).find_map(|(verb, next)| {
            if !["FROM", "JOIN", "INTO", "UPDATE"].into_iter().any(|end| verb.ends_with(end)) {
                return None;
            }
            let name = next.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            let is_marked = statement.tables.iter().any(|marked| marked == name);
            self.table(name).filter(|_| !is_marked).map(|table| table.name)
        })
    }
}

impl Conn {
    /// Declares a temporary table of the transaction. It is created when a statement first names it, because a run
    /// without changes needs few of them; one that outlived a rollback or a run (MariaDB, SQLite) is dropped first.
    pub fn declare(&mut self, table: &Table) {
        self.scratch.add(*table, false, false);
    }

    /// Creates the index that PostgreSQL omits for a table that is [`Table::joined_by`], if the table was created.
    ///
    /// # Errors
    /// The database's error.
    pub async fn index_joined(&mut self, table: &Table, key: &str) -> Result<(), DbError> {
        let name = table.name;
        if self.dialect() != Dialect::Postgres || self.scratch.is_unmade(name) {
            return Ok(());
        }
        let index = format!("{name}_{}", key.replace(", ", "_"));
        self.command_with_next(&format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({key})")).await
    }

    /// Creates a temporary table of the transaction as a view of others; PostgreSQL only, where it ends with them.
    ///
    /// # Errors
    /// The database's error.
    pub async fn temporary_view(&mut self, table: &Table, select: &str) -> Result<(), DbError> {
        let view = self.rendered(select, &Params::new())?;
        self.make(&view.tables).await?;
        self.scratch.add(*table, true, false);
        self.command_with_next(&format!("CREATE TEMPORARY VIEW {} AS {}", table.name, view.sql)).await
    }

    /// Whether a declared temporary table was never created: it has no rows.
    pub fn is_unmade(&self, name: &str) -> bool {
        self.scratch.is_unmade(name)
    }

    /// Creates those of some tables that are declared and not created.
    pub(super) async fn make(&mut self, tables: &[String]) -> Result<(), DbError> {
        let dialect = self.dialect();
        let mut makes = Vec::new();
        for known in self.scratch.known.iter_mut().filter(|known| !known.made) {
            if tables.iter().any(|name| name == known.table.name) {
                known.made = true;
                makes.extend(known.table.makes(dialect));
            }
        }
        if dialect == Dialect::Postgres && !makes.is_empty() {
            return self.command_with_next(&makes.join("; ")).await;
        }
        for make in makes {
            self.command(&make).await?;
        }
        Ok(())
    }

    /// Creates a temporary table that outlives transactions: effects are written in several.
    ///
    /// # Errors
    /// The database's error.
    pub async fn declare_for_session(&mut self, table: &Table) -> Result<(), DbError> {
        let (name, dialect) = (table.name, self.dialect());
        self.scratch.add(*table, true, true);
        let drop = dialect.drop_temporary(name);
        let definition = table.definition(dialect);
        if dialect == Dialect::Postgres {
            return self.command_with_next(&format!("{drop}; CREATE TEMPORARY TABLE {name} ({definition})")).await;
        }
        self.command(&drop).await?;
        self.command(&dialect.temporary(name, &definition)).await
    }

    /// [`Conn::declare_for_session`] with the rows of a select, whose columns have the names and order of the table's;
    /// gives the number of rows. On PostgreSQL the select creates the table, without keys.
    ///
    /// # Errors
    /// The database's error.
    pub async fn fill_for_session(&mut self, table: &Table, select: &str, params: &Params) -> Result<u64, DbError> {
        if self.dialect() == Dialect::Postgres {
            self.command_with_next(&self.dialect().drop_temporary(table.name)).await?;
            self.scratch.add(*table, true, true);
            return self.exec(&format!("CREATE TEMPORARY TABLE {} AS {select}", table.name), params).await;
        }
        self.declare_for_session(table).await?;
        self.exec(&format!("INSERT INTO [{}] {select}", table.name), params).await
    }

    /// Updates PostgreSQL's statistics of a temporary table; does nothing on the others (ANALYZE would commit on
    /// MariaDB).
    ///
    /// # Errors
    /// The database's error.
    pub async fn analyse(&mut self, temporary: &str) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Postgres if !self.scratch.is_unmade(temporary) => {
                self.command_with_next(&format!("ANALYZE {temporary}")).await
            }
            _ => Ok(()),
        }
    }

    /// Makes PostgreSQL join row by row through indexes from now on, or choose again; does nothing on the others.
    ///
    /// Where a table was empty at the time of its statistics, the planner reads it whole for each row of a join, even
    /// while the same statement fills it (measured: 80 s instead of 1.5 s for 100,000 roles).
    ///
    /// # Errors
    /// The database's error.
    pub async fn prefer_indexes(&mut self, prefer: bool) -> Result<(), DbError> {
        match (self.dialect(), prefer) {
            (Dialect::Postgres, true) => {
                self.command_with_next(
                    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
                     SET enable_mergejoin = off",
                )
                .await
            }
            (Dialect::Postgres, false) => {
                self.command_with_next(
                    "SET enable_seqscan = on; SET enable_bitmapscan = on; SET enable_hashjoin = on; \
                     SET enable_mergejoin = on",
                )
                .await
            }
            _ => Ok(()),
        }
    }

    /// Whether a step of this many rows is first tried without checks under a savepoint and, if another session wrote
    /// meanwhile, repeated with them. Only on PostgreSQL, and not for small steps: many savepoints slow other sessions.
    pub fn worth_a_savepoint(&self, rows: i64) -> bool {
        self.dialect() == Dialect::Postgres && rows >= LOOKED_UP
    }

    /// Whether this many rows are a good part of a site's table, by PostgreSQL's size of it: then reading it whole is
    /// cheaper than looking up each row. False on the others, which choose for themselves.
    ///
    /// # Errors
    /// The database's error.
    pub async fn is_good_part(&mut self, rows: i64, table: &str) -> Result<bool, DbError> {
        if self.dialect() != Dialect::Postgres || rows < LOOKED_UP {
            return Ok(false);
        }
        let name = self.table(table);
        let params = Params::new().with("name", name).with("row", ROW_BYTES);
        let there = self.number("SELECT pg_relation_size(CAST(:name AS regclass)) / :row", &params).await?;
        Ok(rows * GOOD_PART >= there)
    }

    /// Makes PostgreSQL join whole sets by hashing from now on, or choose again; does nothing on the others.
    ///
    /// For the comparison of two large sets: with stale statistics the planner expects a few rows of one, and computes
    /// the other anew for each (measured: minutes instead of a fraction of a second for 50,000 roles).
    ///
    /// # Errors
    /// The database's error.
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
    use super::*;
    use crate::db::sql::render;
    use crate::db::table::{int, text};

    const PAIR: Table = Table::new("pair", &[int("userid"), text("gkey", 255)]);

    fn statement(scratch: &Scratch, template: &str) -> Statement {
        render(template, Dialect::Postgres, "mdl_", &Params::new(), &Params::new(), &|name| scratch.table(name))
            .unwrap()
    }

    #[test]
    fn the_first_filling_makes_a_plain_table() {
        let mut scratch = Scratch::default();
        scratch.add(PAIR, false, false);
        let own = statement(&scratch, "INSERT INTO [pair] SELECT p.userid, '' FROM [pair] p");
        assert_eq!(scratch.made_by(&own), None, "it reads itself");
        let filling = statement(&scratch, "INSERT INTO [pair] SELECT 1, 'x'");
        assert_eq!(filling.sql, "INSERT INTO pair (userid, gkey) SELECT 1, 'x'");
        assert!(scratch.made_by(&filling).unwrap().ends_with("FROM (SELECT 1, 'x') t (userid, gkey)"));
        assert_eq!(scratch.made_by(&filling), None, "it is made");
    }

    #[test]
    fn an_unmarked_table_is_found() {
        let mut scratch = Scratch::default();
        scratch.add(PAIR, false, false);
        let unmarked = |template: &str| scratch.unmarked(&statement(&scratch, template));
        assert_eq!(unmarked("DELETE FROM pair"), Some("pair"));
        assert_eq!(unmarked("SELECT 1 FROM [pair] p JOIN pair_role r ON r.pair = p.userid"), None);
        assert!(scratch.has_nothing_for(&statement(&scratch, "DELETE FROM [pair]")));
    }
}
