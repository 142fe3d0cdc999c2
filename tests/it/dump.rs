//! A whole database in memory, every value as text, so that two moments and two engines can be compared.
//! It must not know what a test expects.

use std::collections::{BTreeMap, BTreeSet};

use enrold::db::{Columns, Conn, Params, Row as Record};
use enrold::moodle::tables::{self, Kind};

/// One row: column to value, `None` for NULL.
pub type Row = BTreeMap<String, Option<String>>;
/// Tables without prefix, their rows by id.
pub type Dump = BTreeMap<String, Vec<Row>>;

/// What enrold writes after the commit, from the journal: not part of what a run must be able to rebuild.
pub const EFFECTS: [&str; 2] = ["cache_flags", "logstore_standard_log"];

/// All rows of all Moodle tables with these columns.
pub async fn dump(conn: &mut Conn, columns: &Columns) -> Dump {
    dump_tables(conn, columns, |_| true).await
}

/// All rows of some Moodle tables with these columns.
pub async fn dump_tables(conn: &mut Conn, columns: &Columns, which: impl Fn(&str) -> bool) -> Dump {
    let mut all = Dump::new();
    for table in tables::tables().iter().filter(|table| which(table.name)) {
        let names = columns.of(table.name);
        let casts: Vec<String> =
            names.iter().map(|name| conn.dialect().to_text(&format!("x.{}", conn.dialect().quote(name)))).collect();
        let sql = format!("SELECT {} FROM {{{}}} x ORDER BY x.id", casts.join(", "), table.name);
        let records = conn.rows(&sql, &Params::new()).await.unwrap();
        let rows = records.iter().map(|record| row(table.name, names, record)).collect();
        all.insert(table.name.to_owned(), rows);
    }
    all
}

fn row(table: &str, names: &[String], record: &Record) -> Row {
    let value = |at: usize| (!record.is_null(at)).then(|| plain(table, &names[at], record.text(at)));
    names.iter().enumerate().map(|(at, name)| (name.clone(), value(at))).collect()
}

/// Engines write decimals differently (`1.00000`, `1.0`, `1`): here they are all `1`.
pub fn plain(table: &str, column: &str, text: String) -> String {
    let is_decimal = tables::table(table)
        .and_then(|table| table.column(column))
        .is_some_and(|column| matches!(column.kind, Kind::Number(..)));
    match text.parse::<f64>() {
        Ok(number) if is_decimal => number.to_string(),
        _ => text,
    }
}

/// The value of a column, NULL and absent as an empty text.
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

/// Fails with the rows that differ, if any.
#[track_caller]
pub fn assert_same(expected: &Dump, found: &Dump, moment: &str) {
    let mut differences = Vec::new();
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let none = Vec::new();
    for name in names {
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

/// A row on one line, without what is NULL.
pub fn show(row: &Row) -> String {
    let set = row.iter().filter_map(|(column, value)| value.as_ref().map(|value| format!("{column}={value}")));
    set.collect::<Vec<_>>().join(" ")
}
