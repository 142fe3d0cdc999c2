//! Loads rows of numbers, texts and NULLs: COPY on PostgreSQL, multi-row VALUES on MariaDB, SQLite and for few rows.
//! It must not know what the rows mean; it holds at most one chunk in memory.

use super::conn::Conn;
use super::dialect::Dialect;
use super::error::DbError;
use super::literal::Literal;
use super::packet::SMALLEST_PACKET;
use super::table::Table;

/// Rows in one multi-row VALUES (measured: crates.md 3).
const VALUES_ROWS: usize = 500;
/// Bytes in one multi-row VALUES: 500 rows of any keys have fewer, so that only rows with long texts are split sooner.
/// A server may accept even fewer ([`Conn::most_bytes`]).
const VALUES_BYTES: usize = 1 << 20;
/// Bytes in one COPY: each ends with a wait (see [`Bulk::is_small`]), so that few are better.
const COPY_BYTES: usize = 4 << 20;

/// One field of a loaded row.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// A number.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// NULL.
    Null,
}

/// Collects rows and sends them to a table chunk by chunk; call [`Bulk::finish`] at the end. Bytes limit a chunk as
/// well as rows: its memory does not depend on the texts, and no server refuses it for its size.
pub struct Bulk {
    table: String,
    columns: String,
    /// Rows in the format of VALUES.
    buffer: String,
    /// The next row, in the format of VALUES.
    next: String,
    texts: Vec<String>,
    /// Rows in the text format of COPY.
    copy: String,
    rows: usize,
    /// Bytes of the rows in `buffer` and `texts`.
    bytes: usize,
    total: u64,
    dialect: Dialect,
}

impl Bulk {
    /// A load into `table`, whose name is used unchanged, with a comma-separated list of columns.
    pub fn new(dialect: Dialect, table: &str, columns: &str) -> Self {
        Self {
            table: table.to_owned(),
            columns: columns.to_owned(),
            buffer: String::new(),
            next: String::new(),
            texts: Vec::new(),
            copy: String::new(),
            rows: 0,
            bytes: 0,
            total: 0,
            dialect,
        }
    }

    /// A load into a temporary table: each row has all its columns.
    pub fn into(dialect: Dialect, table: &Table) -> Self {
        Self::new(dialect, table.name, &table.columns())
    }

    /// A load into some columns of a temporary table; the others have defaults.
    pub fn into_some(dialect: Dialect, table: &Table, columns: &[&str]) -> Self {
        Self::new(dialect, table.name, &columns.join(", "))
    }

    /// Adds a row; sends the chunk when it is full.
    ///
    /// # Errors
    /// The database's error when a chunk is sent; a single row that is longer than the server accepts in one statement.
    pub async fn push(&mut self, conn: &mut Conn, row: &[Field<'_>]) -> Result<(), DbError> {
        if self.dialect != Dialect::Postgres || self.is_small() {
            let bytes = self.written(row);
            let most = self.most_bytes(conn, bytes).await?;
            if self.rows > 0 && self.bytes + bytes > most {
                self.send(conn).await?;
            }
            self.push_values(row, bytes);
        }
        if self.dialect == Dialect::Postgres {
            self.push_copy(row);
        }
        self.rows += 1;
        self.total += 1;
        let full = match self.dialect {
            Dialect::Postgres => self.copy.len() >= COPY_BYTES,
            _ => self.rows >= VALUES_ROWS,
        };
        if full { self.send(conn).await } else { Ok(()) }
    }

    /// Sends the last chunk and gives the number of rows loaded.
    ///
    /// # Errors
    /// The database's error.
    pub async fn finish(mut self, conn: &mut Conn) -> Result<u64, DbError> {
        if self.rows > 0 {
            self.send(conn).await?;
        }
        Ok(self.total)
    }

    /// Few rows go to PostgreSQL as VALUES too: a COPY ends with two small messages, of which the driver holds the
    /// second back until the server has acknowledged the first, 40 ms later.
    fn is_small(&self) -> bool {
        self.total < VALUES_ROWS as u64
    }

    /// The most bytes for a chunk whose next row has `bytes`.
    async fn most_bytes(&self, conn: &mut Conn, bytes: usize) -> Result<usize, DbError> {
        let head = self.table.len() + self.columns.len() + 64;
        if self.bytes + bytes + head <= SMALLEST_PACKET {
            return Ok(SMALLEST_PACKET);
        }
        let most = conn.most_bytes().await?.saturating_sub(head);
        if bytes > most {
            return Err(DbError::other(format!(
                "a row of {bytes} bytes for {} is more than the database takes in one statement ({most} bytes): make \
                 the value shorter, or raise max_allowed_packet",
                self.table
            )));
        }
        Ok(most.min(VALUES_BYTES.max(bytes)))
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
                Field::Null => self.copy.push_str("\\N"),
            }
        }
        self.copy.push('\n');
    }

    /// Writes the next row in the format of VALUES, and gives its bytes.
    fn written(&mut self, row: &[Field<'_>]) -> usize {
        use std::fmt::Write;
        self.next.clear();
        let mut bound = 0;
        for (at, field) in row.iter().enumerate() {
            self.next.push(if at > 0 { ',' } else { '(' });
            match field {
                Field::Int(number) => drop(write!(self.next, "{number}")),
                Field::Text(text) if self.dialect == Dialect::Lite => {
                    bound += text.len();
                    self.next.push('?');
                }
                Field::Text(text) => self.next.push_str(Literal::of(self.dialect, text).as_sql()),
                Field::Null => self.next.push_str("NULL"),
            }
        }
        self.next.push(')');
        self.next.len() + bound + 2
    }

    /// Adds the row that [`Bulk::written`] has written.
    fn push_values(&mut self, row: &[Field<'_>], bytes: usize) {
        if !self.buffer.is_empty() {
            self.buffer.push_str(", ");
        }
        self.buffer.push_str(&self.next);
        self.bytes += bytes;
        if self.dialect == Dialect::Lite {
            let texts = row.iter().filter_map(|field| match field {
                Field::Text(text) => Some((*text).to_owned()),
                Field::Int(_) | Field::Null => None,
            });
            self.texts.extend(texts);
        }
    }

    async fn send(&mut self, conn: &mut Conn) -> Result<(), DbError> {
        self.rows = 0;
        self.bytes = 0;
        let copy = std::mem::take(&mut self.copy);
        let buffer = std::mem::take(&mut self.buffer);
        match self.dialect {
            Dialect::Postgres if self.total > VALUES_ROWS as u64 => {
                conn.copy_in(&self.table, &self.columns, copy.into_bytes()).await
            }
            _ => {
                let sql = format!("INSERT INTO {} ({}) VALUES {buffer}", self.table, self.columns);
                let texts = std::mem::take(&mut self.texts);
                conn.insert_values(&self.table, &sql, texts).await
            }
        }
    }
}

/// Escapes a text for COPY: the backslash, and the characters that end a field or a row.
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
