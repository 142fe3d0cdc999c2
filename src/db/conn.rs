//! One connection to one of the three databases: statements, rows, streams, bulk loads, transactions.
//! It must not know Moodle's tables; callers give templates and get plain numbers and texts back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{Stream, TryStreamExt};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::collation::Collations;
use super::dialect::Dialect;
use super::error::DbError;
use super::row::{Row, lite_row, my_row, pg_row};
use super::scratch::Scratch;
use super::sql::{Params, Statement, render};
use crate::clock::StopWatch;

pub(super) enum Raw {
    Pg(PgConnection),
    My(MySqlConnection),
    Lite(SqliteConnection),
}

/// A connection, with the site's prefix and collations, that counts its statements.
pub struct Conn {
    pub(super) raw: Raw,
    prefix: String,
    collations: Collations,
    /// The fragments for every template ([`Conn::read_paths`]).
    pub(super) paths: Params,
    pub(super) in_run: bool,
    statements: Arc<AtomicU64>,
    pub(super) scratch: Scratch,
    /// Commands that PostgreSQL gets with the next statement, in its message.
    pub(super) waiting: String,
    /// The longest statement that the server accepts, once it is queried ([`Conn::most_bytes`]).
    pub(super) most_bytes: Option<usize>,
}

macro_rules! on_engine {
    ($conn:expr, $raw:ident => $body:expr) => {
        match &mut $conn.raw {
            Raw::Pg($raw) => $body,
            Raw::My($raw) => $body,
            Raw::Lite($raw) => $body,
        }
    };
}

macro_rules! bound {
    ($statement:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($statement.sql.clone())).persistent(false);
        for text in &$statement.texts {
            query = query.bind(text.clone());
        }
        query
    }};
}

/// The servers' statements contain their texts as [`super::Literal`]s and are sent unprepared, in one message.
macro_rules! unbound {
    ($sql:expr) => {
        sqlx::raw_sql(AssertSqlSafe($sql.clone()))
    };
}

impl Conn {
    pub(super) fn new(raw: Raw, prefix: &str, statements: Arc<AtomicU64>) -> Self {
        Self {
            raw,
            prefix: prefix.to_owned(),
            collations: Collations::default(),
            paths: Params::new(),
            in_run: false,
            statements,
            scratch: Scratch::default(),
            waiting: String::new(),
            most_bytes: None,
        }
    }

    /// The dialect of this connection's database.
    pub fn dialect(&self) -> Dialect {
        match self.raw {
            Raw::Pg(_) => Dialect::Postgres,
            Raw::My(_) => Dialect::Maria,
            Raw::Lite(_) => Dialect::Lite,
        }
    }

    /// The prefix of the site's tables.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The number of statements sent through this [`super::Database`].
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// An exact comparison of a column of the site's `table` with a key of enrold ([`Dialect::exact`]).
    pub fn exact(&self, table: &str, column: &str, key: &str) -> String {
        self.dialect().exact(column, key, self.collations.of(table, column))
    }

    /// A comparison by Moodle's rules of a column of the site's `table` with a key of enrold ([`Dialect::alike`]).
    pub fn alike(&self, table: &str, column: &str, key: &str) -> String {
        self.dialect().alike(column, key, self.collations.of(table, column))
    }

    /// Whether [`Conn::alike`] finds a column of the site's `table` in any case, by its index
    /// ([`Collation::ignores_case`](super::collation::Collation::ignores_case)).
    pub fn ignores_case(&self, table: &str, column: &str) -> bool {
        self.collations.of(table, column).is_some_and(|collation| collation.ignores_case())
    }

    /// A key of enrold to group by as a column of the site's `table` would ([`Dialect::grouped`]).
    pub fn grouped(&self, table: &str, column: &str, key: &str) -> String {
        self.dialect().grouped(key, self.collations.of(table, column))
    }

    /// The condition that a column of the site's `table` cannot store a text of enrold, whatever its length; `None`
    /// where it can store every character ([`Dialect::unstorable`]).
    pub fn unstorable(&self, table: &str, column: &str, text: &str) -> Option<String> {
        self.dialect().unstorable(text, self.collations.of(table, column))
    }

    /// A text as a column of the site's `table` can store it ([`Dialect::fitting`]).
    pub fn fitting(&self, table: &str, column: &str, text: &str) -> String {
        self.dialect().fitting(text, self.collations.of(table, column))
    }

    /// Whether a column of the site's `table` can store every character of a text; the length is not checked.
    pub fn can_hold(&self, table: &str, column: &str, text: &str) -> bool {
        let narrow = self.unstorable(table, column, "''").is_some();
        !narrow || text.chars().all(|c| c <= '\u{ffff}')
    }

    /// The quoted full name of a site's table.
    pub fn table(&self, name: &str) -> String {
        self.dialect().quote(&format!("{}{name}", self.prefix))
    }

    pub(super) fn rendered(&self, template: &str, params: &Params) -> Result<Statement, DbError> {
        let tables = |name: &str| self.scratch.table(name);
        let statement = render(template, self.dialect(), &self.prefix, params, &self.paths, &tables)
            .map_err(|error| DbError::other(error.to_string()))?;
        if cfg!(debug_assertions)
            && let Some(name) = self.scratch.unmarked(&statement)
        {
            return Err(DbError::other(format!("the SQL template names {name} without marking it as [{name}]")));
        }
        Ok(statement)
    }

    fn counted(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs a statement and gives the number of rows that it touched (on MariaDB an UPDATE counts the rows found).
    ///
    /// # Errors
    /// [`DbError::ImplicitCommit`] for DDL, ANALYZE and TRUNCATE inside a run, else the database's error.
    pub async fn exec(&mut self, template: &str, params: &Params) -> Result<u64, DbError> {
        let statement = self.rendered(template, params)?;
        self.refuse_implicit_commit(template)?;
        if self.scratch.has_nothing_for(&statement) {
            return Ok(0);
        }
        let made = match self.dialect() {
            Dialect::Postgres => self.scratch.made_by(&statement),
            Dialect::Maria | Dialect::Lite => None,
        };
        let statement = Statement { sql: made.unwrap_or(statement.sql), ..statement };
        self.make(&statement.tables).await?;
        self.fits(statement.sql.len()).await?;
        self.counted();
        let watch = StopWatch::start();
        let sent = self.with_waiting(&statement.sql, &statement.texts)?;
        let outcome = match &mut self.raw {
            Raw::Pg(raw) => unbound!(sent).execute(raw).await.map(|done| done.rows_affected()),
            Raw::My(raw) => unbound!(sent).execute(raw).await.map(|done| done.rows_affected()),
            Raw::Lite(raw) => bound!(statement).execute(raw).await.map(|done| done.rows_affected()),
        };
        let rows = outcome.as_ref().ok();
        tracing::trace!(duration_ms = watch.millis(), rows, "{}", super::error::beginning(template));
        outcome.map_err(|error| DbError::of_site(error, template))
    }

    /// Runs a statement without parameters in the database's simple protocol: session settings, DDL, BEGIN.
    ///
    /// # Errors
    /// As [`Conn::exec`].
    pub async fn command(&mut self, template: &str) -> Result<(), DbError> {
        let statement = self.rendered(template, &Params::new())?;
        self.refuse_implicit_commit(template)?;
        self.counted();
        let sent = self.with_waiting(&statement.sql, &[])?;
        let outcome = on_engine!(self, raw => unbound!(sent).execute(raw).await.map(|_| ()));
        outcome.map_err(|error| DbError::of_site(error, template))
    }

    /// [`Conn::command`], but PostgreSQL gets it with the next statement, which reports its error and is undone with
    /// it. A rollback discards waiting commands, because it would undo them.
    ///
    /// # Errors
    /// As [`Conn::exec`].
    pub(super) async fn command_with_next(&mut self, sql: &str) -> Result<(), DbError> {
        if self.dialect() != Dialect::Postgres {
            return self.command(sql).await;
        }
        self.counted();
        self.waiting.push_str(sql);
        self.waiting.push_str(";\n");
        Ok(())
    }

    /// A statement behind the waiting commands; `texts` are bound to it.
    fn with_waiting(&mut self, sql: &str, texts: &[String]) -> Result<String, DbError> {
        refuse_nul(sql.as_bytes())?;
        texts.iter().try_for_each(|text| refuse_nul(text.as_bytes()))?;
        Ok(std::mem::take(&mut self.waiting) + sql)
    }

    /// Sends the waiting commands before a COPY, which is not a statement that they can go with.
    async fn send_waiting(&mut self) -> Result<(), DbError> {
        let sql = std::mem::take(&mut self.waiting);
        match &mut self.raw {
            Raw::Pg(raw) if !sql.is_empty() => {
                let outcome = unbound!(sql).execute(raw).await;
                outcome.map(|_| ()).map_err(|error| DbError::of_site(error, &sql))
            }
            _ => Ok(()),
        }
    }

    /// Runs a statement of enrold with `:` in its texts: only `{table}` is rendered, not parameters.
    ///
    /// # Errors
    /// As [`Conn::exec`].
    pub async fn literal(&mut self, template: &str) -> Result<(), DbError> {
        let sql = super::sql::render_tables(template, self.dialect(), &self.prefix);
        self.fits(sql.len()).await?;
        self.counted();
        let sent = self.with_waiting(&sql, &[])?;
        let outcome = on_engine!(self, raw => unbound!(sent).execute(raw).await.map(|_| ()));
        // The statement's text contains its values.
        outcome.map_err(|error| DbError::of_site(error, super::error::head(template)))
    }

    /// Reads the collations of the site's texts for comparisons on MariaDB; does nothing on the others.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read_collations(&mut self) -> Result<(), DbError> {
        self.collations = Collations::read(self).await?;
        Ok(())
    }

    /// Reads all rows of a query whose result is small.
    ///
    /// # Errors
    /// The database's error, or a column of a type that enrold does not read (cast it to text).
    pub async fn rows(&mut self, template: &str, params: &Params) -> Result<Vec<Row>, DbError> {
        let mut rows = Vec::new();
        self.each(template, params, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Reads the first row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn row(&mut self, template: &str, params: &Params) -> Result<Option<Row>, DbError> {
        Ok(self.rows(template, params).await?.into_iter().next())
    }

    /// Reads one number; no row counts as 0.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn number(&mut self, template: &str, params: &Params) -> Result<i64, DbError> {
        Ok(self.row(template, params).await?.map_or(0, |row| row.int(0)))
    }

    /// Streams the rows of a query of any size through `take`.
    ///
    /// # Errors
    /// The database's error, or the first error of `take`.
    pub async fn each<F>(&mut self, template: &str, params: &Params, mut take: F) -> Result<(), DbError>
    where
        F: FnMut(Row) -> Result<(), DbError> + Send,
    {
        let statement = self.rendered(template, params)?;
        self.make(&statement.tables).await?;
        self.fits(statement.sql.len()).await?;
        self.counted();
        let sent = self.with_waiting(&statement.sql, &statement.texts)?;
        match &mut self.raw {
            Raw::Pg(raw) => drain(unbound!(sent).fetch(raw), template, pg_row, &mut take).await,
            Raw::My(raw) => drain(unbound!(sent).fetch(raw), template, my_row, &mut take).await,
            Raw::Lite(raw) => drain(bound!(statement).fetch(raw), template, lite_row, &mut take).await,
        }
    }

    /// Loads many rows by COPY, on PostgreSQL only (crates.md 3).
    pub(super) async fn copy_in(&mut self, table: &str, columns: &str, rows: Vec<u8>) -> Result<(), DbError> {
        refuse_nul(&rows)?;
        self.make(&[table.to_owned()]).await?;
        self.send_waiting().await?;
        self.counted();
        let sql = format!("COPY {table} ({columns}) FROM STDIN");
        let Raw::Pg(raw) = &mut self.raw else {
            return Err(DbError::other("COPY is PostgreSQL's"));
        };
        let copy = async {
            let mut sink = raw.copy_in_raw(&sql).await?;
            sink.send(rows).await?;
            sink.finish().await
        };
        copy.await.map(|_| ()).map_err(|error| DbError::of_site(error, &sql))
    }

    /// Runs one multi-row INSERT whose texts are bound (SQLite) or written out (the servers).
    pub(super) async fn insert_values(&mut self, table: &str, sql: &str, texts: Vec<String>) -> Result<(), DbError> {
        self.make(&[table.to_owned()]).await?;
        self.fits(sql.len()).await?;
        self.counted();
        let sent = self.with_waiting(sql, &texts)?;
        let outcome = match &mut self.raw {
            Raw::Pg(raw) => unbound!(sent).execute(raw).await.map(|_| ()),
            Raw::My(raw) => unbound!(sent).execute(raw).await.map(|_| ()),
            Raw::Lite(raw) => {
                // Moves the texts: copies would be a second chunk in memory.
                let query = sqlx::query(AssertSqlSafe(sent)).persistent(false);
                texts.into_iter().fold(query, |query, text| query.bind(text)).execute(raw).await.map(|_| ())
            }
        };
        outcome.map_err(|error| DbError::of_site(error, super::error::head(sql)))
    }

    /// Closes the connection; errors are ignored.
    pub async fn close(self) {
        match self.raw {
            Raw::Pg(raw) => drop(raw.close().await),
            Raw::My(raw) => drop(raw.close().await),
            Raw::Lite(raw) => drop(raw.close().await),
        }
    }
}

/// Refuses the character 0 on all databases: PostgreSQL cannot store it, and it would end the statement; the others
/// would store it, but what reads their rows would fail.
fn refuse_nul(bytes: &[u8]) -> Result<(), DbError> {
    if bytes.contains(&0) {
        return Err(DbError::other("a text holds the character 0, which the database cannot take: remove it"));
    }
    Ok(())
}

async fn drain<R, S, F>(
    mut stream: S,
    template: &str,
    decode: fn(&R) -> Result<Row, DbError>,
    take: &mut F,
) -> Result<(), DbError>
where
    S: Stream<Item = Result<R, sqlx::Error>> + Unpin,
    F: FnMut(Row) -> Result<(), DbError>,
{
    while let Some(row) = stream.try_next().await.map_err(|error| DbError::of_site(error, template))? {
        take(decode(&row)?)?;
    }
    Ok(())
}
