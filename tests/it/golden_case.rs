//! A golden case: its tables before and after a real Moodle ran the task, and the proof of a rule on it.
//! It must not know what a rule does, nor how equality is judged.

use std::fs;
use std::path::{Path, PathBuf};

use enrold::db::Value;
use enrold::moodle::tables::{self, Kind};

use crate::dump::{Dump, Row, plain, text};
use crate::site::Site;

/// A file of a case.
pub fn folder(case: &str) -> PathBuf {
    golden().join(case)
}

/// The shared site under what the case has of its own.
pub async fn load(site: &mut Site, case: &str) {
    for table in tables::tables() {
        let name = format!("{}.csv", table.name);
        let own = folder(case).join("before").join(&name);
        let path = if own.exists() { own } else { golden().join("site").join(&name) };
        load_table(site, table, &path).await;
    }
    let store = [("plugin", "tool_log"), ("name", "enabled_stores"), ("value", "logstore_standard")];
    site.insert("config_plugins", &store.map(|(column, value)| (column, Value::from(value)))).await;
    site.reset_sequences().await;
}

async fn load_table(site: &mut Site, table: &tables::Table, path: &Path) {
    for row in read(path) {
        let values: Vec<_> = table
            .columns
            .iter()
            .filter_map(|column| Some((column.name, typed(column.kind, row.get(column.name)?))))
            .collect();
        site.insert(table.name, &values).await;
    }
}

/// What Moodle left; its messages are not enrold's.
pub fn moodle_left(case: &str) -> Dump {
    let mut left = Dump::new();
    for table in tables::tables() {
        let mut rows = read(&folder(case).join("after").join(format!("{}.csv", table.name)));
        rows.retain(|row| text(row, "eventname") != r"\core\event\notification_sent");
        for (column, value) in rows.iter_mut().flatten() {
            *value = value.take().map(|value| plain(table.name, column, value));
        }
        left.insert(table.name.to_owned(), rows);
    }
    left
}

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn typed(kind: Kind, value: &Option<String>) -> Value {
    match (kind, value) {
        (_, None) => Value::Sql("NULL".to_owned()),
        (Kind::Int(_), Some(number)) => Value::Int(number.parse().unwrap()),
        (Kind::Number(..), Some(number)) => Value::Sql(number.clone()),
        (Kind::Char(_) | Kind::Text, Some(text)) => Value::from(text.as_str()),
    }
}

/// The rows of a table; none if there is no such file.
fn read(path: &Path) -> Vec<Row> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let mut lines = text.lines().map(fields);
    let header: Vec<String> = lines.next().unwrap().into_iter().flatten().collect();
    lines.map(|values| header.iter().cloned().zip(values).collect()).collect()
}

/// The fields of a line: an unquoted empty one is NULL, a quoted one a text.
fn fields(line: &str) -> Vec<Option<String>> {
    let mut fields = vec![String::new()];
    let mut was_quoted = vec![false];
    let mut quoted = false;
    let mut before = ',';
    for letter in line.chars() {
        let last = fields.len() - 1;
        match letter {
            '"' => {
                // Two quotes inside a quoted field are one.
                if !quoted && before == '"' {
                    fields[last].push('"');
                }
                quoted = !quoted;
                was_quoted[last] = true;
            }
            ',' if !quoted => {
                fields.push(String::new());
                was_quoted.push(false);
            }
            _ => fields[last].push(letter),
        }
        before = letter;
    }
    let value = |(field, quoted): (String, bool)| (quoted || !field.is_empty()).then_some(field);
    fields.into_iter().zip(was_quoted).map(value).collect()
}
