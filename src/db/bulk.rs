//! Bulk loading of rows of numbers and texts: COPY on PostgreSQL, multi-row VALUES on MariaDB, SQLite and for few rows.
//! It must not know what the rows mean; it holds at most one chunk in memory.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::sql::{maria_text, postgres_text};

/// Rows in one multi-row VALUES (measured: crates.md 3).
const VALUES_ROWS: usize = 500;
/// Bytes in one COPY: each ends with a wait (see [`Bulk::is_small`]), so that few of them are better.
const COPY_BYTES: usize = 4 << 20;

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
    /// Rows in the text format of COPY.
    copy: String,
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
            copy: String::new(),
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
        if self.dialect == Dialect::Postgres {
            self.push_copy(row);
        }
        if self.dialect != Dialect::Postgres || self.is_small() {
            self.push_values(row);
        }
        self.rows += 1;
        self.total += 1;
        let full = match self.dialect {
            Dialect::Postgres => self.copy.len() >= COPY_BYTES,
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

    /// Few rows go to PostgreSQL as VALUES too: a COPY ends with two small messages, of which the driver holds the second
    /// back until the server has acknowledged the first, 40 ms later.
    fn is_small(&self) -> bool {
        self.total < VALUES_ROWS as u64
    }

    fn push_copy(&mut self, row: &[Field<'_>]) {
        use std::fmt::Write;
        for (at, field) in row.iter().enumerate() {
            if at > 0 {
                self.copy.push('\t');
            }
            match field {
                // Writing to a String cannot fail.
                Field::Int(number) => drop(write!(self.copy, "{number}")),
                Field::Text(text) => copy_text(text, &mut self.copy),
            }
        }
        self.copy.push('\n');
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
                Field::Text(text) => match self.dialect {
                    Dialect::Maria => self.buffer.push_str(&maria_text(text)),
                    Dialect::Postgres => self.buffer.push_str(&postgres_text(text)),
                    Dialect::Lite => {
                        self.texts.push((*text).to_owned());
                        self.buffer.push('?');
                    }
                },
            }
        }
        self.buffer.push(')');
    }

    async fn send(&mut self, conn: &mut Conn) -> Result<(), DbError> {
        self.rows = 0;
        match self.dialect {
            Dialect::Postgres if self.total > VALUES_ROWS as u64 => {
                let rows = std::mem::take(&mut self.copy);
                conn.copy_in(&self.table, &self.columns, rows.into_bytes()).await
            }
            _ => {
                let buffer = std::mem::take(&mut self.buffer);
                let sql = format!("INSERT INTO {} ({}) VALUES {buffer}", self.table, self.columns);
                let texts = std::mem::take(&mut self.texts);
                conn.insert_values(&self.table, &sql, &texts).await
            }
        }
    }
}

/// A text as COPY reads it: without a bare backslash, which would begin an escape, nor what ends a field or a row.
fn copy_text(text: &str, copy: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        copy.push_str(&rest[..at]);
        copy.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\r",
        });
        rest = &rest[at + 1..];
    }
    copy.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::copy_text;

    #[test]
    fn nothing_ends_a_field_early() {
        let copied = |text| {
            let mut copy = String::new();
            copy_text(text, &mut copy);
            copy
        };
        assert_eq!(copied("Éléonore, \"x\""), "Éléonore, \"x\"");
        assert_eq!(copied("a\tb\r\nc"), r"a\tb\r\nc");
        assert_eq!(copied(r"\N"), r"\\N", "no NULL");
        assert_eq!(copied(r"\."), r"\\.", "not the end of the data");
        assert_eq!(copied(""), "");
    }
}
