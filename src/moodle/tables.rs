//! Reads the catalogue of the Moodle tables that enrold uses, and gives the statements that create them.
//! It must not know which tables a site really has, nor run a statement.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::db::Dialect;

/// The catalogue; its first lines explain the notation.
const CATALOGUE: &str = include_str!("tables.txt");

/// One Moodle table, named without the site's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// In Moodle's order; the first is always `id`, the auto-increment primary key.
    pub columns: Vec<Column>,
    /// The columns of each unique key, without the primary key.
    pub unique: Vec<Vec<&'static str>>,
    /// The columns of each other index; Moodle's foreign keys are only indexes.
    pub indexes: Vec<Vec<&'static str>>,
    /// Columns searched by their beginning (`LIKE 'x%'`), for which PostgreSQL needs an index of its own.
    pub prefixes: Vec<&'static str>,
}

/// One column of a Moodle table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub nullable: bool,
    /// The default as Moodle writes it, without quotes; '' for a [`Kind::Char`] that may not be null and has none.
    pub default: Option<&'static str>,
}

/// Moodle's own column types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of this many decimal digits.
    Int(u8),
    /// A decimal number: digits in all, digits after the point.
    Number(u8, u8),
    /// A text of at most this many characters.
    Char(u16),
    /// A text without limit.
    Text,
}

impl Table {
    /// The column of that name, if the table has it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Every table of the catalogue, read once.
pub fn tables() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    TABLES.get_or_init(|| match read(CATALOGUE) {
        Ok(tables) => tables,
        // Cannot happen in a released program: the text is part of it, and a test reads it.
        Err(line) => unreachable!("tables.txt cannot be read at: {line}"),
    })
}

/// The table of that name (without prefix), if it is in the catalogue.
pub fn table(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.name == name)
}

/// The statements that create `table` with its keys, under `prefix` (`mdl_`), in the order to run them.
///
/// Types, defaults and keys are those of Moodle on the same database. MariaDB gets one statement, with the keys inside
/// it, because each later index there rebuilds the table.
pub fn ddl(dialect: Dialect, table: &Table, prefix: &str) -> Vec<String> {
    let name = quoted(dialect, &format!("{prefix}{}", table.name));
    let keys = keys(table, prefix);
    let mut parts: Vec<String> = table.columns.iter().map(|column| column_ddl(dialect, column)).collect();
    if dialect == Dialect::Maria {
        parts.extend(keys.iter().map(|key| {
            let kind = if key.unique { "UNIQUE KEY" } else { "KEY" };
            format!("{kind} {} ({})", quoted(dialect, &key.name), list(dialect, key.columns))
        }));
    }
    let options = match dialect {
        Dialect::Maria => " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci ROW_FORMAT=DYNAMIC",
        Dialect::Postgres | Dialect::Lite => "",
    };
    let mut statements = vec![format!("CREATE TABLE {name} (\n  {}\n){options}", parts.join(",\n  "))];
    if dialect == Dialect::Postgres {
        statements.extend(table.prefixes.iter().map(|column| {
            let key = quoted(dialect, &format!("{prefix}{}_{column}_pattern_ix", table.name));
            format!("CREATE INDEX {key} ON {name} ({} varchar_pattern_ops)", quoted(dialect, column))
        }));
    }
    if dialect != Dialect::Maria {
        statements.extend(keys.iter().map(|key| {
            let kind = if key.unique { "UNIQUE INDEX" } else { "INDEX" };
            format!("CREATE {kind} {} ON {name} ({})", quoted(dialect, &key.name), list(dialect, key.columns))
        }));
    }
    statements
}

struct Key<'a> {
    name: String,
    columns: &'a [&'static str],
    unique: bool,
}

/// The keys of a table with their names: table, three letters of each column, `uix` or `ix`. The table's name is part
/// of each, because PostgreSQL and SQLite require unique index names in the whole schema.
fn keys<'a>(table: &'a Table, prefix: &str) -> Vec<Key<'a>> {
    let mut taken = HashSet::new();
    let unique = table.unique.iter().map(|columns| (columns, true));
    let plain = table.indexes.iter().map(|columns| (columns, false));
    unique
        .chain(plain)
        .map(|(columns, unique)| {
            let letters: String = columns.iter().map(|column| &column[..column.len().min(3)]).collect();
            let end = if unique { "uix" } else { "ix" };
            let mut name = format!("{prefix}{}_{letters}_{end}", table.name);
            let mut twin = 1;
            while !taken.insert(name.clone()) {
                twin += 1;
                name = format!("{prefix}{}_{letters}{twin}_{end}", table.name);
            }
            Key { name, columns, unique }
        })
        .collect()
}

fn column_ddl(dialect: Dialect, column: &Column) -> String {
    let name = quoted(dialect, column.name);
    if column.name == "id" {
        let id = match dialect {
            Dialect::Postgres => "BIGSERIAL PRIMARY KEY",
            Dialect::Maria => "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
            // Without AUTOINCREMENT, SQLite reuses the ids of deleted rows.
            Dialect::Lite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        };
        return format!("{name} {id}");
    }
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{name} {}{null}{}", type_ddl(dialect, column.kind), default_ddl(column))
}

/// Moodle's types on each database, as in the schema notes; SQLite has only its storage classes.
fn type_ddl(dialect: Dialect, kind: Kind) -> String {
    let fixed = match (dialect, kind) {
        (Dialect::Lite, Kind::Int(_)) => "INTEGER",
        (Dialect::Lite, Kind::Number(..)) => "NUMERIC",
        (Dialect::Lite, Kind::Char(_) | Kind::Text) => "TEXT",
        (_, Kind::Number(digits, decimals)) => return format!("NUMERIC({digits},{decimals})"),
        (_, Kind::Char(length)) => return format!("VARCHAR({length})"),
        (Dialect::Postgres, Kind::Text) => "TEXT",
        (Dialect::Maria, Kind::Text) => "LONGTEXT",
        (_, Kind::Int(10..)) => "BIGINT",
        (Dialect::Postgres, Kind::Int(5..)) => "INTEGER",
        (Dialect::Postgres, Kind::Int(_)) => "SMALLINT",
        (Dialect::Maria, Kind::Int(7..)) => "INT",
        (Dialect::Maria, Kind::Int(5..)) => "MEDIUMINT",
        (Dialect::Maria, Kind::Int(3..)) => "SMALLINT",
        (Dialect::Maria, Kind::Int(_)) => "TINYINT",
    };
    fixed.to_owned()
}

/// Moodle gives a short text that may not be null the default ''; a long one never has a default.
fn default_ddl(column: &Column) -> String {
    match (column.kind, column.default) {
        (Kind::Char(_), Some(text)) => format!(" DEFAULT '{}'", text.replace('\'', "''")),
        (Kind::Int(_) | Kind::Number(..), Some(number)) => format!(" DEFAULT {number}"),
        (Kind::Char(_), None) if !column.nullable => " DEFAULT ''".to_owned(),
        (Kind::Text, _) | (_, None) => String::new(),
    }
}

fn list(dialect: Dialect, columns: &[&str]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| quoted(dialect, column)).collect();
    quoted.join(", ")
}

fn quoted(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Maria => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Lite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Reads tables in the notation of the catalogue.
///
/// # Errors
/// The line that cannot be read.
pub fn read(text: &'static str) -> Result<Vec<Table>, &'static str> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            let id = Column { name: "id", kind: Kind::Int(10), nullable: false, default: None };
            tables.push(Table {
                name: line,
                columns: vec![id],
                unique: Vec::new(),
                indexes: Vec::new(),
                prefixes: Vec::new(),
            });
            continue;
        }
        let table = tables.last_mut().ok_or(line)?;
        let line = line.trim();
        if let Some(keys) = line.strip_prefix("unique:") {
            table.unique.extend(read_keys(keys));
        } else if let Some(keys) = line.strip_prefix("index:") {
            table.indexes.extend(read_keys(keys));
        } else if let Some(columns) = line.strip_prefix("prefix:") {
            table.prefixes.extend(columns.split_whitespace());
        } else {
            for column in line.trim_end_matches(',').split(',') {
                table.columns.push(read_column(column).ok_or(line)?);
            }
        }
    }
    Ok(tables)
}

fn read_keys(keys: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    keys.split(',').map(|key| key.split_whitespace().collect())
}

/// Reads `name type[?][=default]`.
fn read_column(text: &'static str) -> Option<Column> {
    let (name, rest) = text.trim().split_once(' ')?;
    let (kind, default) = match rest.split_once('=') {
        Some((kind, default)) => (kind, Some(default)),
        None => (rest, None),
    };
    let (kind, nullable) = match kind.strip_suffix('?') {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    let kind = match kind.split_at_checked(1)? {
        ("i", digits) => Kind::Int(digits.parse().ok()?),
        ("c", length) => Kind::Char(length.parse().ok()?),
        ("n", size) => {
            let (digits, decimals) = size.split_once('.')?;
            Kind::Number(digits.parse().ok()?, decimals.parse().ok()?)
        }
        ("t", "") => Kind::Text,
        _ => return None,
    };
    Some(Column { name, kind, nullable, default })
}

#[cfg(test)]
mod tests;
