//! The golden cases of the flat file: what a real Moodle made of the same input, on each engine.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use std::fs;
use std::path::PathBuf;

use enrold::db::Value;
use enrold::moodle::tables::{self, Kind};

use crate::dump::{Dump, EFFECTS, Row, assert_same, plain, text, without, without_ids};
use crate::golden_equal::{Clocks, Difference, assert_equal};
use crate::rebuild::rebuild;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(f01_lines_of_every_sort, f02_buffer, f03_del_unenrols, f05_del_is_kept, f08_one_line,);

async fn f01_lines_of_every_sort(site: Site) {
    let twice = "two accounts have the idnumber xu39: enrold refuses the line, Moodle takes the first";
    let course = "two courses have the idnumber xc8: enrold refuses the line, Moodle takes the first";
    let start = "the start `abc` is no time: enrold refuses the line, Moodle reads 0";
    let moodle = |table, row: &'static [_], reason| Difference { table, row, reason };
    let case = Case {
        name: "f01",
        clocks: clocks(1_795_299_194, 1_795_299_195),
        differences: vec![
            moodle("user_enrolments", &[("userid", "41")], twice),
            moodle("role_assignments", &[("userid", "41")], twice),
            moodle("cache_flags", &[("name", "41")], twice),
            moodle(LOG, &[("relateduserid", "41"), ("action", "created")], twice),
            moodle(LOG, &[("relateduserid", "41"), ("action", "assigned")], twice),
            moodle("enrol", &[("enrol", "flatfile"), ("courseid", "9")], course),
            moodle(LOG, &[("objecttable", "enrol"), ("courseid", "9")], course),
            moodle("user_enrolments", &[("userid", "15")], course),
            moodle("role_assignments", &[("userid", "15")], course),
            moodle("cache_flags", &[("name", "15")], course),
            moodle(LOG, &[("relateduserid", "15"), ("action", "created")], course),
            moodle(LOG, &[("relateduserid", "15"), ("action", "assigned")], course),
            moodle("user_enrolments", &[("userid", "16")], start),
            moodle("role_assignments", &[("userid", "16")], start),
            moodle("cache_flags", &[("name", "16")], start),
            moodle(LOG, &[("relateduserid", "16"), ("action", "created")], start),
            moodle(LOG, &[("relateduserid", "16"), ("action", "assigned")], start),
            moodle(
                LOG,
                &[("relateduserid", "22"), ("action", "updated")],
                "consecutive adds of xu20 in xc6 are one step: the window changes once, not twice",
            ),
        ],
        // xu3 and xu15 are added and removed by lines of the file, xu9 comes with an end that has passed.
        churning: &["5", "17", "11"],
    };
    case.prove(site).await;
}

async fn f02_buffer(site: Site) {
    let merged = Difference {
        table: LOG,
        row: &[("relateduserid", "8"), ("action", "updated")],
        reason: "two due adds of xu6 in xc1 are one step: the enrolment is created with its final window",
    };
    let clocks = clocks(1_795_299_202, 1_795_299_202);
    Case { name: "f02", clocks, differences: vec![merged], churning: &[] }.prove(site).await;
}

async fn f03_del_unenrols(site: Site) {
    let clocks = clocks(1_795_299_216, 1_795_299_216);
    Case { name: "f03", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

async fn f05_del_is_kept(site: Site) {
    let clocks = clocks(1_795_299_233, 1_795_299_233);
    Case { name: "f05", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

async fn f08_one_line(site: Site) {
    let clocks = clocks(1_795_299_257, 1_795_299_257);
    Case { name: "f08", clocks, differences: Vec::new(), churning: &[] }.prove(site).await;
}

const LOG: &str = "logstore_standard_log";

fn clocks(from: i64, to: i64) -> Clocks {
    Clocks { from, to, session: 28_800 }
}

struct Case {
    name: &'static str,
    clocks: Clocks,
    differences: Vec<Difference>,
    /// Users who get events again when the file comes again, because its lines take each other back.
    churning: &'static [&'static str],
}

impl Case {
    async fn prove(&self, mut site: Site) {
        self.load(&mut site).await;
        site.at(self.clocks.from);
        let engine = site.engine();
        let file = fs::read_to_string(self.path("input.txt")).ok().map(|text| site.write(&text));
        let before = site.dump().await;

        if let Some(file) = &file {
            engine.import(file, true).await.unwrap();
        }
        engine.sync_flatfile(true).await.unwrap();
        site.nothing_changed(&before, "simulated").await;

        if let Some(file) = &file {
            engine.import(file, false).await.unwrap();
        }
        engine.sync_flatfile(false).await.unwrap();
        let after = site.dump().await;
        assert_equal(&self.moodle_left(), &after, self.clocks, &self.differences);

        let rebuilt = rebuild(&mut site.conn, 0, &after).await;
        assert_same(&without(before, &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");

        engine.sync_flatfile(false).await.unwrap();
        site.nothing_changed(&after, "a second sync").await;
        if let Some(file) = &file {
            engine.import(file, false).await.unwrap();
            engine.sync_flatfile(false).await.unwrap();
            self.same_site(&after, &site.dump().await);
        }
    }

    /// The same file again: the same site, and events only of users whose lines take each other back.
    fn same_site(&self, after: &Dump, again: &Dump) {
        let site = |dump: &Dump| without_ids(without(dump.clone(), &[LOG]));
        assert_same(&site(after), &site(again), "the same file again");
        for event in &again[LOG][after[LOG].len()..] {
            let user = text(event, "relateduserid");
            assert!(self.churning.contains(&user), "the same file again makes an event: {event:?}");
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        golden().join(self.name).join(file)
    }

    /// The shared site under what the case has of its own.
    async fn load(&self, site: &mut Site) {
        for table in tables::tables() {
            let name = format!("{}.csv", table.name);
            let own = self.path("before").join(&name);
            let path = if own.exists() { own } else { golden().join("site").join(&name) };
            for row in read(&path) {
                let values: Vec<_> = table
                    .columns
                    .iter()
                    .filter_map(|column| Some((column.name, typed(column.kind, row.get(column.name)?))))
                    .collect();
                site.insert(table.name, &values).await;
            }
        }
        let store = [("plugin", "tool_log"), ("name", "enabled_stores"), ("value", "logstore_standard")];
        site.insert("config_plugins", &store.map(|(column, value)| (column, Value::from(value)))).await;
        site.reset_sequences().await;
    }

    /// What Moodle left; its messages are not enrold's.
    fn moodle_left(&self) -> Dump {
        let mut left = Dump::new();
        for table in tables::tables() {
            let mut rows = read(&self.path("after").join(format!("{}.csv", table.name)));
            rows.retain(|row| text(row, "eventname") != r"\core\event\notification_sent");
            for (column, value) in rows.iter_mut().flatten() {
                *value = value.take().map(|value| plain(table.name, column, value));
            }
            left.insert(table.name.to_owned(), rows);
        }
        left
    }
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
fn read(path: &PathBuf) -> Vec<Row> {
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
