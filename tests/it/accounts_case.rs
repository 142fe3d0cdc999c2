//! The golden cases of files: their tables, Moodle's options as a profile, and the comparison of two databases.
//! It must not know where enrold differs on purpose; the tests list that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enrold::accounts::password::Hasher;
use enrold::config::{FileKind, ForceChange, MatchBy, Operation, PasswordFrom, Profile, Update};
use enrold::db::Value;
use enrold::moodle::site::Site as Settings;
use enrold::moodle::tables::Table;
use enrold::outcome::{Report, RunResult, State};
use enrold::run::Import;
use serde_json::Value as Json;

use crate::dump::{Dump, EFFECTS, Row, assert_same, show, text, without, without_ids, without_passwords};
use crate::golden_case::typed;
use crate::rebuild::rebuild;
use crate::site::Site;

/// The tables that a case compares.
const COMPARED: [&str; 15] = [
    "user",
    "user_preferences",
    "user_info_data",
    "context",
    "cohort",
    "cohort_members",
    "user_enrolments",
    "role_assignments",
    "groups",
    "groups_members",
    "enrol",
    "tag",
    "tag_instance",
    "cache_flags",
    "logstore_standard_log",
];

/// The side that has rows which the other lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Moodle.
    Moodle,
    /// enrold.
    Enrold,
}

/// Rows of a table that only one side has: all whose text contains these, and the reason.
pub type Difference = (Side, &'static str, &'static [&'static str], &'static str);

/// A golden case of files.
pub struct FilesCase {
    /// Its folder.
    pub name: &'static str,
    /// Where enrold differs on purpose.
    pub differences: Vec<Difference>,
    /// The same files again make more accounts (operation `add-all`).
    pub churns: bool,
    /// Unknown cohorts are made, as Moodle does.
    pub makes_cohorts: bool,
    /// User names with the passwords that their accounts have afterwards.
    pub passwords: &'static [(&'static str, &'static str)],
    /// The version of Moodle (`config.version`), and how its hashes begin.
    pub version: (i64, &'static str),
}

/// Moodle 4.5.6, of which the recordings are.
const RECORDED: (i64, &str) = (2024100706, "$6$rounds=5000$");

impl FilesCase {
    /// A case without differences.
    pub fn new(name: &'static str) -> Self {
        Self { name, differences: Vec::new(), churns: false, makes_cohorts: false, passwords: &[], version: RECORDED }
    }

    /// The same case, except for these rows.
    pub fn differing(self, differences: &[Difference]) -> Self {
        Self { differences: differences.to_vec(), ..self }
    }

    /// The same case, where unknown cohorts are made.
    pub fn making_cohorts(self) -> Self {
        Self { makes_cohorts: true, ..self }
    }

    /// The same case, after which accounts have these passwords.
    pub fn with_passwords(self, passwords: &'static [(&'static str, &'static str)]) -> Self {
        Self { passwords, ..self }
    }

    /// The same case in another version of Moodle.
    pub fn in_version(self, version: i64, hash: &'static str) -> Self {
        Self { version: (version, hash), ..self }
    }

    /// A simulation changes nothing; the runs give Moodle's result and are reverted by the journal; the same files
    /// again change nothing.
    pub async fn prove(self, mut site: Site) {
        let case: Json =
            serde_json::from_str(&fs::read_to_string(folder(self.name).join("case.json")).unwrap()).unwrap();
        let (version, hash) = self.version;
        load(&mut site, self.name, version).await;
        let clocks = (case["t0"].as_i64().unwrap(), case["t1"].as_i64().unwrap());
        site.at(clocks.0);
        site.set("guard.hold_empty", "false");
        site.set("site.timezone", "Europe/Paris");
        let engine = site.engine();
        let before = site.dump().await;
        let runs = case["runs"].as_array().unwrap().iter();
        let files: Vec<Import> = runs.map(|run| import(self.name, run, self.makes_cohorts)).collect();
        applied(engine.import(&files[0], true).await);
        site.nothing_changed(&before, "simulated").await;
        for file in &files {
            applied(engine.import(file, false).await);
        }
        let after = site.dump().await;
        let left = moodle_left(self.name, &before);
        assert_equal(site.tables, [&before, &left, &after], clocks, &self.differences);
        let others = |dump: &Dump| -> Dump {
            let others = dump.iter().filter(|(table, _)| !COMPARED.contains(&table.as_str()) && *table != "sessions");
            others.map(|(table, rows)| (table.clone(), rows.clone())).collect()
        };
        assert_same(&others(&before), &others(&after), "the tables that Moodle leaves as they are");
        let hasher = Hasher::of(&Settings::read(&mut site.conn).await.unwrap(), Vec::new());
        for dump in [&left, &after] {
            let pair = |(user, word): &(&str, &str)| ((*word).to_owned().into(), stored_password(dump, user));
            let fit = hasher.fit(self.passwords.iter().map(pair).collect()).await;
            assert!(fit.iter().all(|fits| *fits), "{fit:?} of {:?}", self.passwords);
        }
        for (user, _) in self.passwords {
            let stored = stored_password(&after, user);
            assert!(stored.starts_with(hash), "{stored}");
        }
        let rebuilt = rebuild(&mut site, 0, &after).await;
        let told = |dump| without_passwords(without(dump, &EFFECTS));
        assert_same(&told(before), &told(rebuilt), "rebuilt from the journal");
        if self.churns {
            return;
        }
        for file in &files {
            applied(engine.import(file, false).await);
        }
        let again = site.dump().await;
        assert_same(&without_ids(after), &without_ids(again), "the same files again");
    }
}

/// The stored password of an account.
pub fn stored_password(dump: &Dump, username: &str) -> String {
    let user = dump["user"].iter().find(|row| text(row, "username") == username);
    text(user.unwrap_or_else(|| panic!("{username} is missing")), "password").to_owned()
}

/// A file is applied, or refused as a whole, as by Moodle; nothing else is wrong.
fn applied(outcome: RunResult<Report>) {
    let report = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.state != State::Held, "{:?}", report.breaches);
}

fn folder(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden-users").join(case)
}

/// The order of one of Moodle's runs.
fn import(case: &str, run: &Json, create_cohorts: bool) -> Import {
    let path = folder(case).join(run["file"].as_str().unwrap());
    let mut profile = Profile { create_cohorts, ..Profile::of(FileKind::Users) };
    for (name, value) in run["options"].as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let on = text == "1";
        match name.as_str() {
            "delimiter_name" | "encoding" => {}
            // The settings of tool_sync, which always updates and deletes.
            "csvseparator" | "storereport" | "filefailed" | "filearchive" | "filecleanup" => {}
            "users_createpasswords" | "users_sendpasswordtousers" => {}
            "users_primaryidentity" => {
                (profile.operation, profile.update) = (Operation::AddUpdate, Update::File);
                profile.delete = Some(true);
            }
            "users_allowrename" => profile.rename = Some(on),
            "users_protectemails" => profile.change_email = Some(!on),
            "uutype" => {
                profile.operation = match text.as_str() {
                    "0" => Operation::Add,
                    "1" => Operation::AddAll,
                    "2" => Operation::AddUpdate,
                    _ => Operation::Update,
                }
            }
            "uuupdatetype" => {
                profile.update = match text.as_str() {
                    "0" => Update::None,
                    "1" => Update::File,
                    "2" => Update::FileAndDefaults,
                    _ => Update::Missing,
                }
            }
            "uumatchemail" => profile.match_by = if on { MatchBy::Email } else { MatchBy::Username },
            "uustandardusernames" => profile.standardise = on,
            "uuallowrenames" => profile.rename = Some(on),
            "uuallowdeletes" => profile.delete = Some(on),
            "uuallowsuspends" => profile.suspend = Some(on),
            "uunoemailduplicates" => profile.email_duplicates = !on,
            "uupasswordnew" => profile.password = if on { PasswordFrom::Create } else { PasswordFrom::File },
            "uupasswordold" => profile.password_update = on,
            "uuforcepasswordchange" => {
                profile.force_change = match text.as_str() {
                    "0" => ForceChange::None,
                    "1" => ForceChange::Weak,
                    _ => ForceChange::All,
                }
            }
            column => drop(profile.default.insert(column.to_owned(), text)),
        }
    }
    Import { path, profile: Some(Arc::new(profile)), ..Import::default() }
}

/// The shared site, overlaid with the tables of the case.
async fn load(site: &mut Site, case: &str, version: i64) {
    site.gather();
    for table in site.tables {
        let name = format!("{}.csv", table.name);
        let own = folder(case).join("before").join(&name);
        load_table(site, table, &if own.exists() { own } else { folder("site").join(&name) }).await;
    }
    let store = [("plugin", "tool_log"), ("name", "enabled_stores"), ("value", "logstore_standard")];
    site.insert("config_plugins", &store.map(|(column, value)| (column, Value::from(value)))).await;
    site.insert("config", &[("name", "version".into()), ("value", version.to_string().into())]).await;
    site.send().await;
    site.reset_sequences().await;
}

/// Inserts the rows of a file, if there is one: of the columns that the site has.
pub async fn load_table(site: &mut Site, table: &Table, path: &Path) {
    for row in read(path) {
        let columns = table.columns.iter();
        let values = columns.filter_map(|column| Some((column.name, typed(column.kind, row.get(column.name)?))));
        site.insert(table.name, &values.collect::<Vec<_>>()).await;
    }
}

/// The state that Moodle left: the tables of the case, and the others as they were.
fn moodle_left(case: &str, before: &Dump) -> Dump {
    let mut left = before.clone();
    for table in COMPARED {
        let path = folder(case).join("after").join(format!("{table}.csv"));
        if path.exists() {
            let mut rows = read(&path);
            // The welcome messages of Moodle 4.5.
            rows.retain(|row| text(row, "eventname") != r"\core\event\notification_sent");
            left.insert(table.to_owned(), rows);
        }
    }
    left
}

/// The rows of a table; none if there is no such file.
fn read(path: &Path) -> Vec<Row> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let mut records = records(&text).into_iter();
    let header: Vec<String> = records.next().unwrap_or_default().into_iter().flatten().collect();
    records.map(|values| header.iter().cloned().zip(values).collect()).collect()
}

/// The records of a table: an unquoted empty field is NULL, a quoted one is text.
fn records(text: &str) -> Vec<Vec<Option<String>>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut was_quoted, mut inside) = (false, false);
    let mut letters = text.chars().peekable();
    let value = |field: &mut String, quoted: &mut bool| {
        let value = std::mem::take(field);
        (std::mem::take(quoted) || !value.is_empty()).then_some(value)
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' if inside && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => {
                inside = !inside;
                was_quoted = true;
            }
            ',' if !inside => record.push(value(&mut field, &mut was_quoted)),
            '\n' if !inside => {
                record.push(value(&mut field, &mut was_quoted));
                records.push(std::mem::take(&mut record));
            }
            '\r' if !inside => {}
            _ => field.push(letter),
        }
    }
    records
}

/// Fails unless both are equal except for the differences, each of which must exist. What existed before keeps its ids;
/// new accounts are named.
#[track_caller]
fn assert_equal(
    tables: &'static [Table],
    [before, moodle, enrold]: [&Dump; 3],
    clocks: (i64, i64),
    differences: &[Difference],
) {
    let [moodle, enrold] = [moodle, enrold].map(|dump| Plain::of(tables, before, dump, clocks));
    let mut problems = Vec::new();
    let mut excused = BTreeSet::new();
    let mut used = vec![false; differences.len()];
    for table in COMPARED {
        let (mut left, mut right) = (moodle.rows(table), enrold.rows(table));
        left.retain(|row| match right.iter().position(|other| other == row) {
            Some(at) => {
                right.remove(at);
                false
            }
            None => true,
        });
        for (side, rows) in [(Side::Moodle, left), (Side::Enrold, right)] {
            for row in rows {
                let shown = show(&row);
                let fits = |(of, on, texts, _): &Difference| {
                    *of == side && *on == table && texts.iter().all(|text| shown.contains(text))
                };
                match differences.iter().position(fits) {
                    Some(at) => {
                        used[at] = true;
                        excused.insert(text(&row, "relateduserid").to_owned());
                    }
                    None => problems.push(format!("only {side:?}: {table}: {shown}")),
                }
            }
        }
    }
    for (difference, _) in differences.iter().zip(&used).filter(|(_, used)| !**used) {
        problems.push(format!("was to differ: {difference:?}"));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let (moodle, enrold) = (moodle.sequences(), enrold.sequences());
    for (key, events) in moodle.iter().filter(|((user, _), _)| !excused.contains(user)) {
        assert_eq!(Some(events), enrold.get(key), "the order of the events of {key:?}");
    }
}

/// The compared tables of one side, without the values that may differ, and without columns that the site does not have.
pub struct Plain(pub BTreeMap<&'static str, Vec<Row>>);

impl Plain {
    /// The tables of `dump`, where the accounts, contexts, groups and cohorts that `before` does not have are named.
    pub fn of(tables: &[Table], before: &Dump, dump: &Dump, clocks: (i64, i64)) -> Self {
        let names = Names::of(before, dump);
        let hashed: BTreeSet<&str> = dump["user"]
            .iter()
            .filter(|row| text(row, "password").starts_with('$'))
            .map(|row| text(row, "username"))
            .collect();
        let rows =
            |table: &Table| dump[table.name].iter().map(|row| names.plain(table, row, clocks, &hashed)).collect();
        let table = |name: &str| tables.iter().find(|table| table.name == name).expect("a table of every Moodle");
        Self(COMPARED.iter().map(|name| (*name, rows(table(name)))).collect())
    }

    fn rows(&self, table: &str) -> Vec<Row> {
        self.0[table].clone()
    }

    /// The events of each user in each course in their order.
    fn sequences(&self) -> BTreeMap<(String, String), Vec<String>> {
        let mut sequences: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for row in &self.0["logstore_standard_log"] {
            let key = ["relateduserid", "courseid"].map(|column| text(row, column).to_owned());
            sequences.entry(key.into()).or_default().push(show(row));
        }
        sequences
    }
}

/// The names that replace the ids of one dump.
struct Names {
    users: BTreeMap<String, String>,
    contexts: BTreeMap<String, String>,
    /// Groups, cohorts and tags, by the column that refers to them.
    sets: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Names {
    fn of(before: &Dump, dump: &Dump) -> Self {
        let known = |table: &str, id: &str| before[table].iter().any(|row| text(row, "id") == id);
        let mut users = BTreeMap::new();
        for row in &dump["user"] {
            let id = text(row, "id");
            let name = if known("user", id) { id.to_owned() } else { text(row, "username").to_owned() };
            users.insert(id.to_owned(), name);
        }
        let mut contexts = BTreeMap::new();
        for row in &dump["context"] {
            let id = text(row, "id");
            let owner = users.get(text(row, "instanceid")).cloned().unwrap_or_default();
            let name = if known("context", id) { id.to_owned() } else { format!("context of {owner}") };
            contexts.insert(id.to_owned(), name);
        }
        let sets =
            [("groupid", "groups", "courseid"), ("cohortid", "cohort", "idnumber"), ("tagid", "tag", "tagcollid")];
        let sets = sets.map(|(column, table, of)| {
            let fresh = dump[table].iter().filter(|row| !known(table, text(row, "id")));
            let name = |row: &Row| (text(row, "id").to_owned(), format!("{} of {}", text(row, "name"), text(row, of)));
            (column, fresh.map(name).collect())
        });
        Self { users, contexts, sets: sets.into() }
    }

    fn plain(&self, of: &Table, row: &Row, (from, to): (i64, i64), hashed: &BTreeSet<&str>) -> Row {
        let user = |id: &str| self.users.get(id).cloned().unwrap_or_else(|| id.to_owned());
        let context = |id: &str| self.contexts.get(id).cloned().unwrap_or_else(|| id.to_owned());
        let mut row = row.clone();
        let table = of.name;
        let of_user = text(&row, "contextlevel") == "30" || text(&row, "objecttable") == "user";
        let of_tag = text(&row, "target") == "tag";
        let is_hashed = table == "user" && hashed.contains(text(&row, "username"));
        row.retain(|column, _| column != "id" && of.column(column).is_some());
        for (column, value) in &mut row {
            let Some(value) = value else { continue };
            let time = value.parse::<i64>().ok();
            *value = match column.as_str() {
                "userid" | "relateduserid" => user(value),
                "instanceid" | "contextinstanceid" if of_user => user(value),
                "itemid" if table == "tag_instance" => user(value),
                "objectid" if of_user && !of_tag => user(value),
                "objectid" => "-".to_owned(),
                "contextid" => context(value),
                "groupid" | "cohortid" | "tagid" => self.sets[column.as_str()].get(value).unwrap_or(value).clone(),
                "path" => {
                    value.rsplit_once('/').map_or(value.clone(), |(above, own)| format!("{above}/{}", context(own)))
                }
                "name" if table == "cache_flags" => user(value),
                "password" if is_hashed => "hash".to_owned(),
                "expiry" => "NOW + session".to_owned(),
                "other" => plain_other(value),
                "username" => match value.rsplit_once('.') {
                    Some((name, time)) if time.parse().is_ok_and(|time: i64| (from..=to).contains(&time)) => {
                        format!("{name}.NOW")
                    }
                    _ => value.clone(),
                },
                _ if time.is_some_and(|time| (from..=to).contains(&time)) => "NOW".to_owned(),
                _ => value.clone(),
            };
        }
        row
    }
}

/// The `other` of an event as JSON, without the ids inside.
fn plain_other(other: &str) -> String {
    let mut other: Json = serde_json::from_str(other).unwrap_or_else(|_| panic!("not JSON: {other}"));
    if let Some(members) = other.as_object_mut() {
        members.remove("id");
        members.remove("userenrolment");
        members.remove("tagid");
    }
    other.to_string()
}
