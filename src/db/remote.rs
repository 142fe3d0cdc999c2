//! Reads tables and queries of another database in a read-only session, row by row as text.
//! It must not know what the rows mean, nor send anything that could write.

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

/// Time limits for the other database.
#[derive(Clone, Copy, Debug)]
pub struct RemoteTimeouts {
    /// For connecting.
    pub connect: Duration,
    /// For a statement as a whole, and for each row.
    pub statement: Duration,
}

/// The source of the rows.
#[derive(Clone, Copy, Debug)]
pub enum RemoteRows<'a> {
    /// A table or view, in SQL notation.
    Table(&'a str),
    /// A SELECT.
    Query(&'a str),
}

/// An error of another database.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It cannot be reached, it refuses the account, or a statement fails.
    #[error("{0}")]
    Db(#[from] DbError),
    /// It did not answer in time.
    #[error("no answer within {0} s; see statement_timeout")]
    Slow(u64),
    /// There is no such column.
    #[error("there is no column {missing}; there are: {}", known.join(", "))]
    NoColumn {
        /// The requested column.
        missing: String,
        /// The existing columns.
        known: Vec<String>,
    },
    /// Several columns differ in case only, and none matches exactly.
    #[error("column {asked} is ambiguous: {}", found.join(", "))]
    ManyColumns {
        /// The requested column.
        asked: String,
        /// The columns that match.
        found: Vec<String>,
    },
    /// A value is not text.
    #[error("row {row}, column {column}: {what}")]
    Value {
        /// Its number in reading order, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A read-only session on another database, with one snapshot for everything that is read.
pub struct Remote {
    raw: Raw,
    timeouts: RemoteTimeouts,
    skipped: Vec<String>,
}

/// One column with the database's name of its type.
struct Described {
    name: String,
    kind: String,
}

impl Remote {
    /// Connects, sends the `setup` statements, and takes a snapshot. A refused statement about encodings is skipped
    /// ([`Remote::skipped`]): the session uses UTF-8 in any case.
    ///
    /// # Errors
    /// An error of the URL, the connection, or one of the other statements.
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

    /// Streams the distinct rows in a fixed order, each value as text; `columns` are names in the other database,
    /// matched exactly or else in any case.
    ///
    /// # Errors
    /// A missing column, a value that is not text, the other database's error, or the first error of `take`.
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
        let (patience, limit) = (self.patience(), self.timeouts.statement);
        let bits = chosen.iter().map(|column| may_hold_bits(dialect, column)).collect();
        let reading = Reading { columns, bits, sql: &sql, patience, limit };
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

    /// The names of the existing columns.
    ///
    /// # Errors
    /// The other database's error: the table does not exist, or the account may not read it.
    pub async fn columns(&mut self, from: RemoteRows<'_>) -> Result<Vec<String>, RemoteError> {
        Ok(self.described(from).await?.into_iter().map(|column| column.name).collect())
    }

    /// Closes the session; errors are ignored.
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

    /// Longer than the server's own limit, so that the server's error arrives; finite, because servers may vanish.
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

/// A statement that is running.
struct Reading<'a> {
    columns: &'a [&'a str],
    /// Whether each of them may hold strings of bits.
    bits: Vec<bool>,
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
        // A truth value that a view has made to a string of one bit (MariaDB's `b'1'`, `IF(x, b'1', b'0')`).
        if let ([bit @ (0 | 1)], true) = (bytes.as_slice(), self.bits[at]) {
            return Ok(Some(bit.to_string()));
        }
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

/// The text behind FROM; the line breaks end a comment at the end of a query.
fn clause(from: RemoteRows<'_>) -> String {
    match from {
        RemoteRows::Table(table) => table.trim().to_owned(),
        RemoteRows::Query(query) => {
            let query = query.trim_end().trim_end_matches(';');
            format!("(\n{query}\n) AS enrold_rows")
        }
    }
}

/// Selects distinct rows in the order of their bytes. The column's own collation might treat two values as one.
fn select(dialect: Dialect, from: RemoteRows<'_>, columns: &[&Described]) -> String {
    let texts: Vec<String> = columns.iter().map(|column| as_text(dialect, column)).collect();
    let order: Vec<String> = (1..=columns.len()).map(|at| at.to_string()).collect();
    format!("SELECT DISTINCT {} FROM {} ORDER BY {}", texts.join(", "), clause(from), order.join(", "))
}

/// Whether a column may hold strings of bits, as MariaDB computes them. (Texts of a binary collation look the same to
/// the driver; none of them is a control character alone.)
fn may_hold_bits(dialect: Dialect, column: &Described) -> bool {
    dialect == Dialect::Maria && column.kind.contains("BINARY")
}

/// A column as text; bytes stay bytes and are checked on arrival.
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
