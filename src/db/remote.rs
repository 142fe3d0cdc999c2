//! A read-only session on another database: what its tables and queries give comes as text, row by row.
//! It must not know what the rows mean, and nothing that it sends can write.

mod probe;
mod session;
mod setup;

use std::time::Duration;

use futures_util::StreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Column, Executor, Row as _, Statement, TypeInfo};

use super::conn::Raw;
use super::dialect::Dialect;
use super::error::DbError;

/// How long the other database may take.
#[derive(Clone, Copy, Debug)]
pub struct RemoteTimeouts {
    /// To let us in.
    pub connect: Duration,
    /// For a statement as a whole, and for each next row.
    pub statement: Duration,
}

/// What is read.
#[derive(Clone, Copy, Debug)]
pub enum RemoteRows<'a> {
    /// A table or view, as SQL writes it.
    Table(&'a str),
    /// A SELECT.
    Query(&'a str),
}

/// What can go wrong with another database.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It cannot be reached, it refuses us, or a statement fails.
    #[error("{0}")]
    Db(#[from] DbError),
    /// It did not answer in time.
    #[error("no answer within {0} s; see statement_timeout")]
    Slow(u64),
    /// There is no such column.
    #[error("there is no column {missing}; there are: {}", known.join(", "))]
    NoColumn {
        /// The column that was asked for.
        missing: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Two columns differ in case only, and neither has the very name.
    #[error("column {asked} is ambiguous: {}", found.join(", "))]
    ManyColumns {
        /// The column that was asked for.
        asked: String,
        /// Those that it may be.
        found: Vec<String>,
    },
    /// A value is no text.
    #[error("row {row}, column {column}: {what}")]
    Value {
        /// Its number in the order of reading, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A read-only session on another database, with one snapshot of it for all that is read.
pub struct Remote {
    raw: Raw,
    timeouts: RemoteTimeouts,
    skipped: Vec<String>,
}

/// One column with its type as the engine calls it.
struct Described {
    name: String,
    kind: String,
}

impl Remote {
    /// Connects, sends the `setup` statements, and takes a snapshot. A statement about encodings that the server
    /// refuses is left out ([`Remote::skipped`]): the session speaks UTF-8 whatever it would have said.
    ///
    /// # Errors
    /// The URL, the connection, or one of the other statements.
    pub async fn connect(url: &str, timeouts: RemoteTimeouts, setup: &[String]) -> Result<Self, RemoteError> {
        let opened = tokio::time::timeout(timeouts.connect, session::open(url)).await;
        let raw = opened.map_err(|_| {
            DbError::Connect(format!("no answer within {} s; see connect_timeout", timeouts.connect.as_secs()))
        })??;
        let mut remote = Self { raw, timeouts, skipped: Vec::new() };
        remote.settle(setup).await?;
        Ok(remote)
    }

    /// The statements about encodings that the server has refused.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Streams the distinct rows in a fixed order, each value as text; `columns` are their names in the other database,
    /// exact or in any case.
    ///
    /// # Errors
    /// A column that there is not, a value that is no text, the other database's own, or the first that `take` gives.
    pub async fn each<E, F>(&mut self, from: RemoteRows<'_>, columns: &[&str], mut take: F) -> Result<(), E>
    where
        E: From<RemoteError>,
        F: FnMut(&[Option<String>]) -> Result<(), E> + Send,
    {
        let dialect = self.dialect();
        let described = self.described(from).await?;
        let chosen = columns.iter().map(|name| find(&described, name)).collect::<Result<Vec<_>, _>>()?;
        let sql = select(dialect, from, &chosen);
        self.limit_lite().await?;
        let reading = Reading { columns, sql: &sql, patience: self.patience(), limit: self.timeouts.statement };
        macro_rules! read {
            ($raw:expr) => {{
                let query = sqlx::query(AssertSqlSafe(sql.clone())).persistent(false);
                let mut rows = query.fetch($raw);
                let mut cells = Vec::with_capacity(columns.len());
                let mut number = 0;
                while let Some(row) = reading.next(&mut rows).await? {
                    number += 1;
                    cells.clear();
                    for at in 0..columns.len() {
                        let bytes = row.try_get_unchecked::<Option<Vec<u8>>, _>(at);
                        let bytes = bytes.map_err(|error| reading.failed(error))?;
                        cells.push(reading.text(bytes, number, at)?);
                    }
                    take(&cells)?;
                }
                Ok(())
            }};
        }
        match &mut self.raw {
            Raw::Pg(raw) => read!(raw),
            Raw::My(raw) => read!(raw),
            Raw::Lite(raw) => read!(raw),
        }
    }

    /// The names of the columns that there are.
    ///
    /// # Errors
    /// The other database's own: there is no such table, or it is not ours to read.
    pub async fn columns(&mut self, from: RemoteRows<'_>) -> Result<Vec<String>, RemoteError> {
        Ok(self.described(from).await?.into_iter().map(|column| column.name).collect())
    }

    /// Closes the session; errors do not matter any more.
    pub async fn close(self) {
        use sqlx::Connection;
        match self.raw {
            Raw::Pg(raw) => drop(raw.close().await),
            Raw::My(raw) => drop(raw.close().await),
            Raw::Lite(raw) => drop(raw.close().await),
        }
    }

    fn dialect(&self) -> Dialect {
        match self.raw {
            Raw::Pg(_) => Dialect::Postgres,
            Raw::My(_) => Dialect::Maria,
            Raw::Lite(_) => Dialect::Lite,
        }
    }

    /// Longer than the server's own limit, so that its words are heard; shorter than for ever, for servers that vanish.
    fn patience(&self) -> Duration {
        self.timeouts.statement + self.timeouts.connect
    }

    async fn described(&mut self, from: RemoteRows<'_>) -> Result<Vec<Described>, RemoteError> {
        let sql = format!("SELECT * FROM {}", clause(from));
        let patience = self.patience();
        macro_rules! described {
            ($raw:ident, $connection:ty) => {{
                let prepared = <&mut $connection>::prepare($raw, AssertSqlSafe(sql.clone()).into_sql_str());
                let statement = within(patience, prepared).await?.map_err(|error| DbError::from_sqlx(error, &sql))?;
                let column = |column: &_| described_column(column);
                Ok(statement.columns().iter().map(column).collect())
            }};
        }
        fn described_column<C: Column>(column: &C) -> Described {
            Described { name: column.name().to_owned(), kind: column.type_info().name().to_owned() }
        }
        use sqlx::SqlSafeStr;
        match &mut self.raw {
            Raw::Pg(raw) => described!(raw, PgConnection),
            Raw::My(raw) => described!(raw, MySqlConnection),
            Raw::Lite(raw) => described!(raw, SqliteConnection),
        }
    }
}

/// One statement under way.
struct Reading<'a> {
    columns: &'a [&'a str],
    sql: &'a str,
    patience: Duration,
    limit: Duration,
}

impl Reading<'_> {
    async fn next<S, R>(&self, rows: &mut S) -> Result<Option<R>, RemoteError>
    where
        S: StreamExt<Item = Result<R, sqlx::Error>> + Unpin,
    {
        let row = within(self.patience, rows.next()).await?;
        row.transpose().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: sqlx::Error) -> RemoteError {
        match is_cancelled(&error) {
            true => RemoteError::Slow(self.limit.as_secs()),
            false => DbError::from_sqlx(error, self.sql).into(),
        }
    }

    fn text(&self, bytes: Option<Vec<u8>>, row: u64, at: usize) -> Result<Option<String>, RemoteError> {
        let wrong = |what| RemoteError::Value { row, column: self.columns[at].to_owned(), what };
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("the bytes are not UTF-8"))?;
        if text.contains('\0') {
            return Err(wrong("it holds a NUL character"));
        }
        Ok(Some(text))
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, RemoteError> {
    let seconds = patience.as_secs();
    tokio::time::timeout(patience, work).await.map_err(|_| RemoteError::Slow(seconds))
}

/// True if the statement took too long: PostgreSQL 57014, MariaDB 1969, MySQL 3024, SQLite 9.
fn is_cancelled(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(maria) => matches!(maria.number(), 1969 | 3024),
        None => matches!(error.code().as_deref(), Some("57014" | "9")),
    }
}

/// The column of this name, else the only one of this name in any case.
fn find<'a>(known: &'a [Described], name: &str) -> Result<&'a Described, RemoteError> {
    if let Some(column) = known.iter().find(|column| column.name == name) {
        return Ok(column);
    }
    let wanted = name.to_lowercase();
    let alike: Vec<_> = known.iter().filter(|column| column.name.to_lowercase() == wanted).collect();
    match alike.as_slice() {
        [one] => Ok(one),
        [] => {
            let known = known.iter().map(|column| column.name.clone()).collect();
            Err(RemoteError::NoColumn { missing: name.to_owned(), known })
        }
        many => {
            let found = many.iter().map(|column| column.name.clone()).collect();
            Err(RemoteError::ManyColumns { asked: name.to_owned(), found })
        }
    }
}

/// What stands behind FROM; a comment at the end of a query ends with its line.
fn clause(from: RemoteRows<'_>) -> String {
    match from {
        RemoteRows::Table(table) => table.trim().to_owned(),
        RemoteRows::Query(query) => {
            let query = query.trim_end().trim_end_matches(';');
            format!("(\n{query}\n) AS enrold_rows")
        }
    }
}

/// Distinct rows in the order of their bytes. A collation of the column's own would take two values for one.
fn select(dialect: Dialect, from: RemoteRows<'_>, columns: &[&Described]) -> String {
    let texts: Vec<String> = columns.iter().map(|column| as_text(dialect, column)).collect();
    let order: Vec<String> = (1..=columns.len()).map(|at| at.to_string()).collect();
    format!("SELECT DISTINCT {} FROM {} ORDER BY {}", texts.join(", "), clause(from), order.join(", "))
}

/// A column as text; bytes stay bytes, and are looked at when they are here.
fn as_text(dialect: Dialect, column: &Described) -> String {
    let name = dialect.quote(&column.name);
    match (dialect, column.kind.as_str()) {
        (Dialect::Postgres, "BYTEA") => name,
        (Dialect::Postgres, _) => format!("CAST({name} AS TEXT) COLLATE \"C\""),
        (Dialect::Maria, "BIT") => format!("CONVERT({name} + 0, CHAR)"),
        (Dialect::Maria, kind) if kind.contains("BLOB") || kind.contains("BINARY") => name,
        (Dialect::Maria, _) => format!("CONVERT({name} USING utf8mb4) COLLATE utf8mb4_bin"),
        (Dialect::Lite, _) => format!("CAST({name} AS TEXT) COLLATE BINARY"),
    }
}
