//! Bulk loading of rows of numbers and texts: COPY on PostgreSQL, multi-row VALUES on MariaDB and SQLite.
//! It must not know what the rows mean; it holds at most one chunk in memory.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;

/// Rows in one multi-row VALUES (measured: crates.md 3).
const VALUES_ROWS: usize = 500;
/// Bytes in one COPY message.
const COPY_BYTES: usize = 1 << 20;

/// One field of a loaded row.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// A number.
    Int(i64),
    /// A text.
    Text(&'a str),
}

/// Collects rows and sends them to a table chunk by chunk; call [`Bulk::finish`] at the end.
pub struct Bulk {
    table: String,
    columns: String,
    buffer: String,
    texts: Vec<String>,
    rows: usize,
    total: u64,
    dialect: Dialect,
}

impl Bulk {
    /// A load into `table`, whose name is taken as it is, with a comma-separated list of columns.
    pub fn new(dialect: Dialect, table: &str, columns: &str) -> Self {
        Self {
            table: table.to_owned(),
            columns: columns.to_owned(),
            buffer: String::new(),
            texts: Vec::new(),
            rows: 0,
            total: 0,
            dialect,
        }
    }

    /// Adds a row; sends the chunk when it is full.
    ///
    /// # Errors
    /// The engine's, when a chunk is sent.
    pub async fn push(&mut self, conn: &mut Conn, row: &[Field<'_>]) -> Result<(), DbError> {
        match self.dialect {
            Dialect::Postgres => self.push_csv(row),
            _ => self.push_values(row),
        }
        self.rows += 1;
        self.total += 1;
        let full = match self.dialect {
            Dialect::Postgres => self.buffer.len() >= COPY_BYTES,
            _ => self.rows >= VALUES_ROWS,
        };
        if full { self.send(conn).await } else { Ok(()) }
    }

    /// Sends what is left and gives the number of rows loaded.
    ///
    /// # Errors
    /// The engine's.
    pub async fn finish(mut self, conn: &mut Conn) -> Result<u64, DbError> {
        if self.rows > 0 {
            self.send(conn).await?;
        }
        Ok(self.total)
    }

    fn push_csv(&mut self, row: &[Field<'_>]) {
        use std::fmt::Write;
        for (at, field) in row.iter().enumerate() {
            if at > 0 {
                self.buffer.push(',');
            }
            match field {
                // Writing to a String cannot fail.
                Field::Int(number) => drop(write!(self.buffer, "{number}")),
                Field::Text(text) => {
                    self.buffer.push('"');
                    self.buffer.push_str(&text.replace('"', "\"\""));
                    self.buffer.push('"');
                }
            }
        }
        self.buffer.push('\n');
    }

    fn push_values(&mut self, row: &[Field<'_>]) {
        use std::fmt::Write;
        self.buffer.push_str(if self.rows == 0 { "(" } else { ", (" });
        for (at, field) in row.iter().enumerate() {
            if at > 0 {
                self.buffer.push(',');
            }
            match field {
                Field::Int(number) => drop(write!(self.buffer, "{number}")),
                Field::Text(text) => {
                    self.buffer.push('?');
                    self.texts.push((*text).to_owned());
                }
            }
        }
        self.buffer.push(')');
    }

    async fn send(&mut self, conn: &mut Conn) -> Result<(), DbError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.rows = 0;
        match self.dialect {
            Dialect::Postgres => conn.copy_in(&self.table, &self.columns, buffer.into_bytes()).await,
            _ => {
                let sql = format!("INSERT INTO {} ({}) VALUES {buffer}", self.table, self.columns);
                let texts = std::mem::take(&mut self.texts);
                conn.insert_bound(&sql, &texts, false).await
            }
        }
    }
}
