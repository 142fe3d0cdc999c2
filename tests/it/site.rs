//! A Moodle site under test: its database, its clock, and the proofs that hold for every run.
//! It must not know what a single test expects.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use enrold::clock::Clock;
use enrold::config::{self, Settings, Sources};
use enrold::db::{Columns, Conn, Database, Dialect, Params, Value, migrate};
use enrold::moodle::tables::{self, Column, Kind, Table};
use enrold::outcome::{Observer, Report, State};
use enrold::run::{Engine, Import, SyncOrder};
use tokio_util::sync::CancellationToken;

use crate::dump::{Dump, EFFECTS, assert_same, dump, without, without_ids};
use crate::rebuild::rebuild;
use crate::servers::{PREFIX, connect};

/// The clock of every test that does not set its own: Saturday 21 November 2026, 10:00 UTC.
pub const NOW: i64 = 1_795_255_200;

/// The effect of the same input a second time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No row and no event is written.
    Nothing,
    /// Steps that cancel each other are repeated: new ids and events, but the same site.
    SameSite,
}

/// A site under test.
pub struct Site {
    /// The test's own connection.
    pub conn: Conn,
    /// Its tables: those of the catalogue, or all of a version of Moodle.
    pub tables: &'static [Table],
    /// The columns that they have.
    pub columns: Columns,
    database: Arc<Database>,
    url: String,
    /// The directory of its files.
    pub dir: PathBuf,
    sets: Vec<(String, String)>,
    /// The settings, loaded on first use.
    settings: OnceLock<Arc<Settings>>,
    /// Rows that are not sent yet.
    gathered: Option<Vec<String>>,
    now: i64,
    files: u32,
}

impl Site {
    /// Opens a database with Moodle's tables, and adds enrold's own.
    pub async fn open(url: &str, dir: &Path) -> Self {
        let mut conn = connect(url).await;
        migrate(&mut conn, NOW).await.unwrap();
        let columns = Columns::read(&mut conn).await.unwrap();
        let seconds = Duration::from_secs;
        let database = Arc::new(Database::new(url, PREFIX, seconds(30), seconds(10)).unwrap());
        let mut site = Self {
            conn,
            tables: tables::tables(),
            columns,
            database,
            url: url.to_owned(),
            dir: dir.to_owned(),
            sets: Vec::new(),
            settings: OnceLock::new(),
            gathered: None,
            now: NOW,
            files: 0,
        };
        site.set("guard.mode", "off");
        // Tests of what waits set it themselves.
        site.set("waiting.days", "0");
        site
    }

    /// A second site with the same rows, including enrold's own (SQLite).
    pub async fn copied(&mut self, name: &str) -> Self {
        let path = self.dir.join(format!("{name}.sqlite"));
        self.conn.command(&format!("VACUUM INTO '{}'", path.display())).await.unwrap();
        let dir = self.dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        Self::open(&format!("sqlite:{}", path.display()), &dir).await
    }

    /// Sets a key of enrold's configuration, as `--set` does.
    pub fn set(&mut self, key: &str, value: &str) {
        self.sets.push((key.to_owned(), value.to_owned()));
        self.settings = OnceLock::new();
    }

    /// Sets the clock.
    pub fn at(&mut self, now: i64) {
        self.now = now;
    }

    /// The time of the clock.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The engine with the current configuration and clock.
    pub fn engine(&self) -> Engine {
        Engine {
            database: Arc::clone(&self.database),
            settings: Arc::clone(self.settings.get_or_init(|| self.load())),
            clock: Clock::frozen_at(Some(self.now)),
            wait: Duration::from_secs(10),
            observer: Observer::none(),
            rules: &enrold::rules::RULES,
            stop: CancellationToken::new(),
        }
    }

    fn load(&self) -> Arc<Settings> {
        let mut sets = self.sets.clone();
        sets.push(("database.url".to_owned(), self.url.clone()));
        sets.push(("state.path".to_owned(), self.dir.join("state").display().to_string()));
        let loaded = config::load(&Sources { sets, ..Sources::default() });
        Arc::new(loaded.unwrap_or_else(|problems| panic!("{problems}")).settings)
    }

    /// The same database with this limit for lock waits.
    pub fn database(&self, lock_timeout: Duration) -> Arc<Database> {
        Arc::new(Database::new(&self.url, PREFIX, lock_timeout, Duration::from_secs(10)).unwrap())
    }

    /// Inserts a row; NOT NULL columns without a default get 0 or an empty text.
    pub async fn insert(&mut self, table: &str, row: &[(&'static str, Value)]) {
        let columns = &self.table(table).columns;
        let must = |column: &&Column| !column.nullable && column.default.is_none() && column.name != "id";
        let mut row = row.to_vec();
        for column in columns.iter().filter(must) {
            if row.iter().all(|(name, _)| *name != column.name) {
                let empty =
                    if matches!(column.kind, Kind::Text | Kind::Char(_)) { Value::from("") } else { Value::Int(0) };
                row.push((column.name, empty));
            }
        }
        let dialect = self.conn.dialect();
        let names: Vec<String> = row.iter().map(|(name, _)| dialect.quote(name)).collect();
        let values: Vec<String> = row.iter().map(|(_, value)| literal(dialect, value)).collect();
        let sql = format!("INSERT INTO {{{table}}} ({}) VALUES ({})", names.join(", "), values.join(", "));
        match &mut self.gathered {
            Some(gathered) => gathered.push(sql),
            None => self.conn.literal(&sql).await.unwrap_or_else(|error| panic!("{table}: {error}")),
        }
    }

    /// Collects inserted rows from now on for [`Site::send`], so that a site of a hundred rows is one message and one
    /// commit.
    pub fn gather(&mut self) {
        self.gathered = Some(Vec::new());
    }

    /// Sends the collected rows; the sequences of PostgreSQL do not move.
    pub async fn send(&mut self) {
        let rows = self.gathered.take().expect("Site::gather begins");
        self.conn.literal(&format!("BEGIN;\n{};\nCOMMIT", rows.join(";\n"))).await.unwrap();
    }

    /// Moves the sequences of PostgreSQL past explicitly inserted ids.
    pub async fn reset_sequences(&mut self) {
        let names: Vec<&str> = self.tables.iter().map(|table| table.name).collect();
        self.reset_sequences_of(&names).await;
    }

    /// The same for some tables.
    pub async fn reset_sequences_of(&mut self, of: &[&str]) {
        if self.conn.dialect() != Dialect::Postgres {
            return;
        }
        let reset = |table: &&str| {
            let name = format!("{PREFIX}{table}");
            let next = format!("(SELECT COALESCE(MAX(id), 0) + 1 FROM \"{name}\")");
            format!("SELECT setval(pg_get_serial_sequence('{name}', 'id'), {next}, false);\n")
        };
        let batch: String = of.iter().map(reset).collect();
        self.conn.command(&batch).await.unwrap();
    }

    /// Runs a statement of the test's own.
    pub async fn sql(&mut self, template: &str) {
        self.conn.exec(template, &Params::new()).await.unwrap();
    }

    /// Learns the columns of the tables again, after one was added.
    pub async fn look_again(&mut self) {
        self.columns = Columns::read(&mut self.conn).await.unwrap();
    }

    /// One of its tables.
    pub fn table(&self, name: &str) -> &'static Table {
        self.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no table {name}"))
    }

    /// All Moodle tables.
    pub async fn dump(&mut self) -> Dump {
        dump(&mut self.conn, &self.columns, self.tables).await
    }

    /// The line errors of a run as `line code`; those of instances as `-ID code`.
    pub async fn errors(&mut self, report: &Report) -> Vec<String> {
        let sql = "SELECT place, number, code FROM {enrold_error} WHERE run = :run
            ORDER BY CASE place WHEN 'enrol' THEN -number ELSE number END";
        let rows = self.conn.rows(sql, &Params::new().with("run", report.run)).await.unwrap();
        let told = |row: &enrold::db::Row| match row.text(0).as_str() {
            "line" | "buffer" => format!("{} {}", row.int(1), row.text(2)),
            "enrol" => format!("-{} {}", row.int(1), row.text(2)),
            place => format!("{place} {} {}", row.int(1), row.text(2)),
        };
        rows.iter().map(told).collect()
    }

    /// Imports a file; a second import changes nothing.
    pub async fn import(&mut self, text: &str) -> Report {
        self.import_proved(text.as_bytes(), Again::Nothing).await
    }

    /// The same for bytes that are not UTF-8.
    pub async fn import_bytes(&mut self, bytes: &[u8]) -> Report {
        self.import_proved(bytes, Again::Nothing).await
    }

    /// Imports a file whose steps cancel each other.
    pub async fn import_churning(&mut self, text: &str) -> Report {
        self.import_proved(text.as_bytes(), Again::SameSite).await
    }

    /// Imports the file without proofs.
    pub async fn import_once(&mut self, text: &str) -> Report {
        let file = self.write(text);
        self.engine().import(&file, false).await.unwrap()
    }

    /// Runs the buffer and the expirations of the flat file.
    pub async fn sync(&mut self) -> Report {
        self.sync_jobs(&SyncOrder::of("flatfile")).await
    }

    /// Runs jobs: a simulation first changes nothing, and neither does a second run.
    pub async fn sync_jobs(&mut self, order: &SyncOrder) -> Report {
        let before = self.dump().await;
        let rehearsal = self.engine().sync(order, true).await.unwrap();
        self.nothing_changed(&before, "a simulated sync").await;
        let since = self.last_run().await;
        let report = self.engine().sync(order, false).await.unwrap();
        let after = self.proved(&before, since, &rehearsal, &report).await;
        self.engine().sync(order, false).await.unwrap();
        self.nothing_changed(&after, "a second sync").await;
        report
    }

    async fn import_proved(&mut self, bytes: &[u8], again: Again) -> Report {
        let file = self.write(bytes);
        let before = self.dump().await;
        let rehearsal = self.engine().import(&file, true).await.unwrap();
        self.nothing_changed(&before, "a simulated import").await;
        let since = self.last_run().await;
        let report = self.engine().import(&file, false).await.unwrap();
        let after = self.proved(&before, since, &rehearsal, &report).await;
        self.engine().import(&file, false).await.unwrap();
        match again {
            Again::Nothing => self.nothing_changed(&after, "the same file again").await,
            Again::SameSite => {
                let found = without_ids(without(self.dump().await, &EFFECTS));
                assert_same(&without_ids(without(after, &EFFECTS)), &found, "the same file again");
            }
        }
        report
    }

    /// The proofs of every run: the simulation equals the run, and the journal alone reverts it.
    pub async fn proved(&mut self, before: &Dump, since: i64, rehearsal: &Report, report: &Report) -> Dump {
        let expected = if report.state == State::Skipped { State::Skipped } else { State::Simulated };
        assert_eq!(rehearsal.state, expected);
        assert_eq!(rehearsal.counts, report.counts, "the rehearsal announced what was done");
        assert_eq!(rehearsal.errors, report.errors, "the rehearsal announced the errors");
        let after = self.dump().await;
        let rebuilt = rebuild(self, since, &after).await;
        assert_same(&without(before.clone(), &EFFECTS), &without(rebuilt, &EFFECTS), "rebuilt from the journal");
        after
    }

    /// Fails if any Moodle table differs from `before`.
    pub async fn nothing_changed(&mut self, before: &Dump, moment: &str) {
        assert_same(before, &self.dump().await, moment);
    }

    /// The number of the last run, 0 before the first.
    pub async fn last_run(&mut self) -> i64 {
        self.conn.number("SELECT MAX(id) FROM {enrold_run}", &Params::new()).await.unwrap()
    }

    /// A file in Moodle's own form, to be imported.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Import {
        self.files += 1;
        let path = self.dir.join(format!("enrolments-{}.txt", self.files));
        std::fs::write(&path, bytes).unwrap();
        Import { path, ..Import::default() }
    }
}

/// A value as an SQL literal.
fn literal(dialect: Dialect, value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Text(text) => dialect.text(text).to_string(),
        Value::Sql(sql) => sql.clone(),
    }
}
