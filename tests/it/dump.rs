//! A whole database in memory, with every value as text, so that two moments and two databases can be compared.
//! It must not know what a test expects.

use std::collections::{BTreeMap, BTreeSet};

use enrold::db::{Columns, Conn, Dialect, Params, Row as Record};
use enrold::moodle::tables::{self, Kind, Table};

/// One row: column to value, `None` for NULL.
pub type Row = BTreeMap<String, Option<String>>;
/// Tables without prefix, their rows by id.
pub type Dump = BTreeMap<String, Vec<Row>>;

/// Tables that enrold writes after the commit, from the journal; a run need not be able to rebuild them.
pub const EFFECTS: [&str; 2] = ["cache_flags", "logstore_standard_log"];

/// All rows of some tables of the catalogue with these columns.
pub async fn dump_tables(conn: &mut Conn, columns: &Columns, which: impl Fn(&str) -> bool) -> Dump {
    dump(conn, columns, tables::tables().iter().filter(|table| which(table.name))).await
}

/// All rows of tables with these columns, in two messages to the server, because tests do this often: most tables are
/// empty, and servers plan a question for rows faster than one for all columns in their order.
pub async fn dump<'a>(conn: &mut Conn, columns: &Columns, tables: impl IntoIterator<Item = &'a Table>) -> Dump {
    let tables: Vec<&Table> = tables.into_iter().collect();
    let mut all: Dump = tables.iter().map(|table| (table.name.to_owned(), Vec::new())).collect();
    let tables = filled(conn, tables).await;
    let query = |(at, table): (usize, &&Table)| query(conn.dialect(), at, table, columns);
    let queries: Vec<String> = tables.iter().enumerate().map(query).collect();
    if tables.is_empty() {
        return all;
    }
    let of = |table: &&Table| columns.of(table.name).iter().map(|name| (name, is_decimal(table.name, name))).collect();
    let kinds: Vec<Vec<(&String, bool)>> = tables.iter().map(of).collect();
    for record in conn.rows(&queries.join(";\n"), &Params::new()).await.unwrap() {
        let at = record.int(0) as usize;
        all.get_mut(tables[at].name).unwrap().push(row(&kinds[at], &record));
    }
    all
}

/// Those of some tables that have a row.
async fn filled<'a>(conn: &mut Conn, tables: Vec<&'a Table>) -> Vec<&'a Table> {
    let mut filled = Vec::new();
    for some in tables.chunks(100) {
        let has = |table: &&Table| format!("CASE WHEN EXISTS (SELECT 1 FROM {{{}}}) THEN 1 ELSE 0 END", table.name);
        let all: Vec<String> = some.iter().map(has).collect();
        let row = conn.row(&format!("SELECT {}", all.join(", ")), &Params::new()).await.unwrap().unwrap();
        filled.extend((0..).zip(some).filter(|(at, _)| row.int(*at) == 1).map(|(_, table)| table));
    }
    filled
}

/// The rows of a table, each preceded by the number of the table. Types that a [`Record`] cannot hold become text.
fn query(dialect: Dialect, at: usize, table: &Table, columns: &Columns) -> String {
    let is_plain = |name: &str| {
        let kind = table.column(name).map(|column| column.kind);
        dialect != Dialect::Lite && matches!(kind, Some(Kind::Int(_) | Kind::Char(_) | Kind::Text))
    };
    let column = |name: &String| {
        let quoted = format!("x.{}", dialect.quote(name));
        if is_plain(name) { quoted } else { dialect.to_text(&quoted) }
    };
    let names: Vec<String> = columns.of(table.name).iter().map(column).collect();
    format!("SELECT {at}, {} FROM {{{}}} x ORDER BY x.id", names.join(", "), table.name)
}

/// A row by its columns, each with whether it holds decimals.
fn row(columns: &[(&String, bool)], record: &Record) -> Row {
    let value = |(at, (name, is_decimal)): (usize, &(&String, bool))| {
        let text = (!record.is_null(at + 1)).then(|| record.text(at + 1));
        ((*name).clone(), text.map(|text| if *is_decimal { decimal(text) } else { text }))
    };
    columns.iter().enumerate().map(value).collect()
}

fn is_decimal(table: &str, column: &str) -> bool {
    let column = tables::table(table).and_then(|table| table.column(column));
    column.is_some_and(|column| matches!(column.kind, Kind::Number(..)))
}

/// Databases print decimals differently (`1.00000`, `1.0`, `1`): here they are all `1`.
fn decimal(text: String) -> String {
    text.parse::<f64>().map_or(text, |number| number.to_string())
}

/// A value as a dump has it.
pub fn plain(table: &str, column: &str, text: String) -> String {
    if is_decimal(table, column) { decimal(text) } else { text }
}

/// The value of a column; NULL and a missing column give an empty text.
pub fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Option::as_deref).unwrap_or_default()
}

/// A dump without some of its tables.
pub fn without(mut dump: Dump, tables: &[&str]) -> Dump {
    dump.retain(|name, _| !tables.contains(&name.as_str()));
    dump
}

/// A dump as multisets of rows without their ids.
pub fn without_ids(mut dump: Dump) -> Dump {
    for rows in dump.values_mut() {
        for row in rows.iter_mut() {
            row.remove("id");
        }
        rows.sort();
    }
    dump
}

/// A dump without the passwords of accounts, which the journal does not hold.
pub fn without_passwords(mut dump: Dump) -> Dump {
    for account in dump.get_mut("user").into_iter().flatten() {
        account.remove("password");
    }
    dump
}

/// Fails with the rows that differ, if any.
#[track_caller]
pub fn assert_same(expected: &Dump, found: &Dump, moment: &str) {
    let mut differences = Vec::new();
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let none = Vec::new();
    // Of a hundred tables few differ, and each row is sought among all others.
    for name in names.into_iter().filter(|name| expected.get(*name) != found.get(*name)) {
        let (mut gone, mut new) = (Vec::new(), found.get(name).unwrap_or(&none).clone());
        for row in expected.get(name).unwrap_or(&none) {
            match new.iter().position(|other| other == row) {
                Some(at) => drop(new.swap_remove(at)),
                None => gone.push(row),
            }
        }
        differences.extend(gone.into_iter().map(|row| format!("- {name}: {}", show(row))));
        differences.extend(new.iter().map(|row| format!("+ {name}: {}", show(row))));
    }
    assert!(differences.is_empty(), "{moment}: expected (-) and found (+) differ:\n{}", differences.join("\n"));
}

/// A row on one line, without NULL values.
pub fn show(row: &Row) -> String {
    let set = row.iter().filter_map(|(column, value)| value.as_ref().map(|value| format!("{column}={value}")));
    set.collect::<Vec<_>>().join(" ")
}
