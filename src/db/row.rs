//! Converts the rows of the three drivers to plain numbers and texts.
//! It must not know queries; a query must cast a type that is not read here to text.

use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row as _, TypeInfo, ValueRef};

use super::error::DbError;

/// A value of a row that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// Any whole number or truth value.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, and decimals cast to text.
    Text(String),
}

/// A row that was read; columns by position.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    /// The number in a column; NULL counts as 0.
    pub fn int(&self, at: usize) -> i64 {
        match self.0.get(at) {
            Some(Cell::Int(number)) => *number,
            Some(Cell::Real(number)) => *number as i64,
            Some(Cell::Text(text)) => text.trim().parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// The text in a column; NULL counts as empty.
    pub fn text(&self, at: usize) -> String {
        match self.0.get(at) {
            Some(Cell::Text(text)) => text.clone(),
            Some(Cell::Int(number)) => number.to_string(),
            Some(Cell::Real(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// True if the column is NULL or absent.
    pub fn is_null(&self, at: usize) -> bool {
        matches!(self.0.get(at), None | Some(Cell::Null))
    }
}

fn unreadable(column: &str, kind: &str) -> DbError {
    DbError::other(format!("column {column} has the type {kind}, which must be cast to text to be read"))
}

macro_rules! decode {
    ($row:expr, $int:pat, $real:pat, $text:pat) => {{
        let mut cells = Vec::with_capacity($row.len());
        for at in 0..$row.len() {
            let raw = $row.try_get_raw(at).map_err(|error| DbError::from_sqlx(error, ""))?;
            let kind = raw.type_info().name().to_owned();
            if raw.is_null() {
                cells.push(Cell::Null);
                continue;
            }
            drop(raw);
            let cell = match kind.as_str() {
                $int => int_cell!($row, at, kind.as_str()),
                $real => $row.try_get_unchecked::<f64, _>(at).map(Cell::Real),
                $text => $row.try_get_unchecked::<String, _>(at).map(Cell::Text),
                other => return Err(unreadable($row.column(at).name(), other)),
            };
            cells.push(cell.map_err(|error| DbError::from_sqlx(error, ""))?);
        }
        Ok(Row(cells))
    }};
}

macro_rules! int_cell {
    ($row:expr, $at:expr, $kind:expr) => {
        match $kind {
            "INT2" => $row.try_get::<i16, _>($at).map(|n| Cell::Int(n.into())),
            "INT4" => $row.try_get::<i32, _>($at).map(|n| Cell::Int(n.into())),
            "BOOL" => $row.try_get::<bool, _>($at).map(|n| Cell::Int(n.into())),
            _ => $row.try_get_unchecked::<i64, _>($at).map(Cell::Int),
        }
    };
}

pub(super) fn pg_row(row: &PgRow) -> Result<Row, DbError> {
    decode!(row, "INT2" | "INT4" | "INT8" | "BOOL", "FLOAT8", "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN")
}

pub(super) fn my_row(row: &MySqlRow) -> Result<Row, DbError> {
    macro_rules! int_cell {
        ($row:expr, $at:expr, $kind:expr) => {
            if $kind.ends_with("UNSIGNED") {
                $row.try_get_unchecked::<u64, _>($at).map(|n| Cell::Int(n as i64))
            } else {
                $row.try_get_unchecked::<i64, _>($at).map(Cell::Int)
            }
        };
    }
    let mut cells = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let raw = row.try_get_raw(at).map_err(|error| DbError::from_sqlx(error, ""))?;
        let kind = raw.type_info().name().to_owned();
        if raw.is_null() {
            cells.push(Cell::Null);
            continue;
        }
        let cell = if kind.contains("INT") || kind == "BOOLEAN" || kind == "YEAR" {
            int_cell!(row, at, kind)
        } else if kind == "DOUBLE" {
            row.try_get_unchecked::<f64, _>(at).map(Cell::Real)
        } else if kind.contains("CHAR") || kind.contains("TEXT") || kind == "JSON" || kind == "ENUM" {
            row.try_get_unchecked::<String, _>(at).map(Cell::Text)
        } else if kind.contains("BLOB") || kind.contains("BINARY") {
            row.try_get_unchecked::<Vec<u8>, _>(at)
                .map(|bytes| Cell::Text(String::from_utf8_lossy(&bytes).into_owned()))
        } else {
            return Err(unreadable(row.column(at).name(), &kind));
        };
        cells.push(cell.map_err(|error| DbError::from_sqlx(error, ""))?);
    }
    Ok(Row(cells))
}

pub(super) fn lite_row(row: &SqliteRow) -> Result<Row, DbError> {
    decode!(row, "INTEGER" | "BOOLEAN", "REAL", "TEXT")
}
