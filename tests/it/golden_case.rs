//! A golden case: its tables before and after a real Moodle ran the task, and the proof of a rule on it.
//! It must not know what a rule does, nor how equality is judged.

use std::fs;
use std::path::{Path, PathBuf};

use enrold::db::Value;
use enrold::moodle::tables::{self, Kind};
use enrold::outcome::{Report, State};
use enrold::run::SyncOrder;
use enrold::sets::SetOrder;

use crate::dump::{Dump, EFFECTS, Row, assert_same, plain, text, without};
use crate::golden_equal::{Clocks, Difference, assert_equal};
use crate::rebuild::rebuild;
use crate::site::Site;

/// One case of `tests/golden` for one or more rules.
pub struct Case {
    /// The folder.
    pub name: &'static str,
    /// The jobs that correspond to Moodle's task.
    pub jobs: &'static [&'static str],
    /// The time of Moodle's task.
    pub clocks: Clocks,
    /// Keys of enrold's configuration.
    pub settings: &'static [(&'static str, &'static str)],
    /// Where enrold differs on purpose, row by row.
    pub differences: Vec<Difference>,
}

impl Case {
    /// A case without differences.
    pub fn new(name: &'static str, jobs: &'static [&'static str], from: i64, to: i64) -> Self {
        Self { name, jobs, clocks: Clocks::between(from, to), settings: &[], differences: Vec::new() }
    }

    /// The same case with keys of enrold's configuration.
    pub fn set(self, settings: &'static [(&'static str, &'static str)]) -> Self {
        Self { settings, ..self }
    }

    /// The same case, where Moodle counts periods from its own clock: ends at these seconds after NOW.
    pub fn periods(mut self, periods: &'static [i64]) -> Self {
        self.clocks.periods = periods;
        self
    }

    /// The same case, except for these rows.
    pub fn differing(self, differences: Vec<Difference>) -> Self {
        Self { differences, ..self }
    }

    /// A simulation changes nothing; a run gives Moodle's result and is reverted by the journal; a second run changes
    /// nothing.
    pub async fn prove(self, mut site: Site) {
        load(&mut site, self.name).await;
        for (key, value) in self.settings {
            site.set(key, value);
        }
        site.at(self.clocks.from);
        self.meanwhile(&mut site).await;
        let before = site.dump().await;
        let since = site.last_run().await;

        let rehearsal = self.run(&site, true).await;
        assert!(matches!(rehearsal.state, State::Simulated | State::Skipped), "{:?}", rehearsal.state);
        site.nothing_changed(&before, "simulated").await;

        let report = self.run(&site, false).await;
        assert_eq!(rehearsal.counts, report.counts, "the rehearsal announced what was done");
        let after = site.dump().await;
        assert_equal(&before, &moodle_left(self.name), &after, self.clocks, &self.differences);

        let rebuilt = rebuild(&mut site, since, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");

        self.run(&site, false).await;
        site.nothing_changed(&after, "a second sync").await;
    }

    /// Tables that change after enrold's first run: that run uses the other tables and changes nothing.
    async fn meanwhile(&self, site: &mut Site) {
        let changed = folder(self.name).join("meanwhile");
        if !changed.exists() {
            return;
        }
        let before = site.dump().await;
        self.run(site, false).await;
        site.nothing_changed(&before, "before anything happened").await;
        for table in tables::tables() {
            let path = changed.join(format!("{}.csv", table.name));
            if path.exists() {
                site.sql(&format!("DELETE FROM {{{}}}", table.name)).await;
                load_table(site, table, &path).await;
            }
        }
        site.reset_sequences().await;
    }

    async fn run(&self, site: &Site, simulate: bool) -> Report {
        let set = folder(self.name).join("set.csv");
        if set.exists() {
            return site.engine().apply_set(&set_of("database", &set), simulate).await.unwrap();
        }
        let jobs = self.jobs.iter().map(|job| (*job).to_owned()).collect();
        site.engine().sync(&SyncOrder { jobs, ..SyncOrder::default() }, simulate).await.unwrap()
    }
}

/// The order of a full set from a file.
pub fn set_of(source: &str, snapshot: &Path) -> SetOrder {
    SetOrder { snapshot: snapshot.to_owned(), ..SetOrder::of(source) }
}

/// The folder of a case.
pub fn folder(case: &str) -> PathBuf {
    golden().join(case)
}

/// The shared site, overlaid with the tables of the case.
pub async fn load(site: &mut Site, case: &str) {
    load_from(site, &golden(), case).await;
}

/// The same for the cases of a directory.
pub async fn load_from(site: &mut Site, cases: &Path, case: &str) {
    site.gather();
    for table in tables::tables() {
        let name = format!("{}.csv", table.name);
        let own = cases.join(case).join("before").join(&name);
        let path = if own.exists() { own } else { cases.join("site").join(&name) };
        load_table(site, table, &path).await;
    }
    let store = [("plugin", "tool_log"), ("name", "enabled_stores"), ("value", "logstore_standard")];
    site.insert("config_plugins", &store.map(|(column, value)| (column, Value::from(value)))).await;
    site.send().await;
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

/// The state that Moodle left, without its messages.
pub fn moodle_left(case: &str) -> Dump {
    left_in(&golden(), case)
}

/// The same for a case of a directory.
pub fn left_in(cases: &Path, case: &str) -> Dump {
    let mut left = Dump::new();
    for table in tables::tables() {
        let mut rows = read(&cases.join(case).join("after").join(format!("{}.csv", table.name)));
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

/// A value of a column as the database takes it.
pub fn typed(kind: Kind, value: &Option<String>) -> Value {
    match (kind, value) {
        (_, None) => Value::Sql("NULL".to_owned()),
        (Kind::Int(_), Some(number)) => Value::Int(number.parse().unwrap()),
        (Kind::Number(..), Some(number)) => Value::Sql(number.clone()),
        (Kind::Char(_) | Kind::Text, Some(text)) => Value::from(text.as_str()),
    }
}

/// The rows of a table; none if there is no such file.
pub fn read(path: &Path) -> Vec<Row> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let mut lines = records(&text).into_iter().map(|record| fields(&record));
    let header: Vec<String> = lines.next().unwrap().into_iter().flatten().collect();
    lines.map(|values| header.iter().cloned().zip(values).collect()).collect()
}

/// The records of a table: a line break between quotes belongs to the value.
fn records(text: &str) -> Vec<String> {
    let mut records: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match records.last_mut().filter(|_| open) {
            Some(record) => {
                record.push('\n');
                record.push_str(line);
            }
            None => records.push(line.to_owned()),
        }
        open ^= line.matches('"').count() % 2 == 1;
    }
    records
}

/// The fields of a record: an unquoted empty field is NULL, a quoted one is text.
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
