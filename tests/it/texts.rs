//! Random texts on every way into a database, under unusual session settings: each comes back equal or is refused.
//! It must not test what runs do.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use enrold::clock;
use enrold::db::table::{int, long_text};
use enrold::db::{Bulk, Conn, DbError, Dialect, Field, Params, Remote, RemoteError, RemoteRows, RemoteTimeouts, Table};
use enrold::outcome::State;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::doctor_rights::{assert_applied, url};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_text_comes_back_equal_on_every_way,
    a_text_with_the_character_0_is_refused_on_every_way,
    texts_of_another_database_come_equal,
    texts_go_through_files_and_sources,
);

/// Texts that end a text, a name, a row or a statement in some syntax, or have a special meaning.
const TRAPS: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\\",
    "\\N",
    "\\.",
    "\\x41",
    "%",
    "_",
    "%s",
    "{",
    "}",
    "{user}",
    "{=c.name}",
    ":",
    ":id",
    ":t0",
    "::text",
    "?",
    "$1",
    "$$",
    "E'",
    "X'41'",
    ";",
    "'); --",
    "--",
    "/*",
    "*/",
    "#",
    "!",
    "&",
    "NULL",
    "odd",
    "\t",
    "\n",
    "\r\n",
    "\u{1}",
    "\u{7f}",
    "\u{1a}",
    "\u{85}",
    " ",
];

/// Characters that some layer may drop, combine, reorder or treat as empty.
const ODD: &[char] = &[
    '\u{a0}',
    '\u{ad}',
    'é',
    'ß',
    'İ',
    '\u{301}',
    '\u{5d0}',
    '\u{627}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{202e}',
    '\u{2028}',
    '\u{2066}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{feff}',
    '\u{fffd}',
    '\u{fffe}',
    '\u{ffff}',
    '\u{1f393}',
    '\u{10ffff}',
];

fn piece() -> impl Strategy<Value = String> {
    let of_a_plane = |(plane, low)| char::from_u32(plane << 16 | low).filter(|c| *c != '\0');
    let any = (0..=16_u32, 0..=0xffff_u32).prop_filter_map("no character", of_a_plane);
    prop_oneof![
        4 => prop::sample::select(TRAPS.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(ODD.to_vec()).prop_map(String::from),
        2 => any.prop_map(String::from),
        2 => prop::char::range('a', 'z').prop_map(String::from),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 1..16)
}

/// A runner of random cases that a seed reproduces.
fn runner(cases: u32) -> TestRunner {
    let seed = std::env::var("ENROLD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| clock::nanos() as u64);
    eprintln!("ENROLD_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// A way in which texts reach a database.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A parameter of a query, which gives it back.
    Parameter,
    /// Parameters of an insert.
    Inserted,
    /// Parameters in a list, compared with the column.
    List,
    /// A literal in a template.
    Template,
    /// A literal in a fragment of SQL.
    Fragment,
    /// A literal in a statement that has no parameters.
    Literal,
    /// Few rows, as one statement.
    Few,
    /// Many rows: COPY on PostgreSQL, several statements elsewhere.
    Many,
    /// Rows of the select that fills a temporary table first, and rows added later.
    Temporary,
    /// A pattern of LIKE, with its special characters escaped.
    Like,
    /// Search for a text inside, at the beginning and at the end of another.
    Bytes,
    /// A row as JSON, and a member of it.
    Json,
    /// The name of a column, and of a JSON member.
    Name,
}

const WAYS: [Way; 13] = [
    Way::Parameter,
    Way::Inserted,
    Way::List,
    Way::Template,
    Way::Fragment,
    Way::Literal,
    Way::Few,
    Way::Many,
    Way::Temporary,
    Way::Like,
    Way::Bytes,
    Way::Json,
    Way::Name,
];

/// Each text as parameter `:tN`.
fn numbered(texts: &[String]) -> Params {
    texts.iter().enumerate().fold(Params::new(), |params, (at, text)| params.with(format!("t{at}"), text.as_str()))
}

fn each(texts: &[String], of: impl Fn(usize) -> String, between: &str) -> String {
    (0..texts.len()).map(of).collect::<Vec<_>>().join(between)
}

async fn column(conn: &mut Conn, sql: &str, params: &Params) -> Result<Vec<String>, DbError> {
    Ok(conn.rows(sql, params).await?.iter().map(|row| row.text(0)).collect())
}

/// Replaces the rows of the table `odd` by these.
async fn insert(conn: &mut Conn, texts: &[String]) -> Result<(), DbError> {
    conn.exec("DELETE FROM odd", &Params::new()).await?;
    let rows = each(texts, |at| format!("({at}, :t{at})"), ", ");
    conn.exec(&format!("INSERT INTO odd (id, t) VALUES {rows}"), &numbered(texts)).await.map(|_| ())
}

async fn load(conn: &mut Conn, table: &str, texts: &[String], times: usize) -> Result<(), DbError> {
    let mut bulk = Bulk::new(conn.dialect(), table, "id, t");
    for (at, text) in (0..times).flat_map(|_| texts).enumerate() {
        bulk.push(conn, &[Field::Int(at as i64), Field::Text(text)]).await?;
    }
    bulk.finish(conn).await.map(|_| ())
}

/// The texts for whose row of `odd` a condition holds.
async fn found(
    conn: &mut Conn,
    texts: &[String],
    params: &Params,
    condition: impl Fn(usize) -> String,
) -> Result<Vec<String>, DbError> {
    let conditions = each(texts, |at| format!("(id = {at} AND {})", condition(at)), " OR ");
    let rows = conn.rows(&format!("SELECT id FROM odd WHERE {conditions} ORDER BY id"), params).await?;
    Ok(rows.iter().map(|row| texts[row.int(0) as usize].clone()).collect())
}

/// Sends the texts and returns what came back.
async fn through(way: Way, conn: &mut Conn, texts: &[String]) -> Result<Vec<String>, DbError> {
    let none = Params::new();
    let dialect = conn.dialect();
    let all = "SELECT t FROM odd ORDER BY id";
    match way {
        Way::Parameter => {
            let selects = each(texts, |at| format!("SELECT {at} AS id, :t{at} AS t"), " UNION ALL ");
            column(conn, &format!("SELECT q.t FROM ({selects}) q ORDER BY q.id"), &numbered(texts)).await
        }
        Way::Inserted => {
            insert(conn, texts).await?;
            column(conn, all, &none).await
        }
        Way::List => {
            insert(conn, texts).await?;
            let list = each(texts, |at| format!(":t{at}"), ", ");
            column(conn, &format!("SELECT t FROM odd WHERE t IN ({list}) ORDER BY id"), &numbered(texts)).await
        }
        Way::Template => {
            let selects =
                each(texts, |at| format!("SELECT {at} AS id, {} AS t", dialect.text(&texts[at])), " UNION ALL ");
            column(conn, &format!("SELECT q.t FROM ({selects}) q ORDER BY q.id"), &none).await
        }
        Way::Fragment => {
            let selects =
                each(texts, |at| format!("SELECT {at} AS id, {} AS t", dialect.text(&texts[at])), " UNION ALL ");
            let params = Params::new().fragment("selects", selects);
            column(conn, "SELECT q.t FROM (:selects) q ORDER BY q.id", &params).await
        }
        Way::Literal => {
            conn.exec("DELETE FROM odd", &none).await?;
            let rows = each(texts, |at| format!("({at}, {})", dialect.text(&texts[at])), ", ");
            conn.literal(&format!("INSERT INTO odd (id, t) VALUES {rows}")).await?;
            column(conn, all, &none).await
        }
        Way::Few => {
            conn.exec("DELETE FROM odd", &none).await?;
            load(conn, "odd", texts, 1).await?;
            column(conn, all, &none).await
        }
        Way::Many => {
            conn.exec("DELETE FROM odd", &none).await?;
            let times = 600_usize.div_ceil(texts.len());
            load(conn, "odd", texts, times).await?;
            let rows = column(conn, all, &none).await?;
            let turns: Vec<_> = rows.chunks(texts.len()).collect();
            assert_eq!(turns.len(), times);
            assert!(turns.iter().all(|turn| *turn == turns[0]));
            Ok(turns[0].to_vec())
        }
        Way::Temporary => {
            let outcome = temporary(conn, texts).await;
            conn.rollback().await?;
            outcome
        }
        Way::Like => {
            insert(conn, texts).await?;
            let plain = |text: &str| text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
            let patterns: Vec<String> = texts.iter().map(|text| format!("{}%", plain(text))).collect();
            found(conn, texts, &numbered(&patterns), |at| format!("t LIKE :t{at} ESCAPE '!'")).await
        }
        Way::Bytes => {
            insert(conn, texts).await?;
            found(conn, texts, &numbered(texts), |at| match texts[at].as_str() {
                "" => dialect.same_bytes("t", &format!(":t{at}")),
                _ => [
                    dialect.holds_bytes("t", &format!(":t{at}")),
                    dialect.begins_with_bytes("t", &format!(":t{at}")),
                    dialect.ends_with_bytes("t", &format!(":t{at}")),
                ]
                .join(" AND "),
            })
            .await
        }
        Way::Json => {
            insert(conn, texts).await?;
            let columns = ["id", "t"].map(str::to_owned);
            let row = dialect.json_row("o", &columns);
            let whole = dialect.json_whole_row("o", &columns, |name| name == "id");
            let member = dialect.json_text(&row, "t");
            let sql = format!("SELECT {row}, {whole}, {member} FROM odd o ORDER BY id");
            let read = |text: String| {
                serde_json::from_str::<serde_json::Value>(&text).unwrap()["t"].as_str().unwrap().to_owned()
            };
            let rows = conn.rows(&sql, &none).await?;
            let same = |row: &enrold::db::Row| {
                let [one, other, member] = [read(row.text(0)), read(row.text(1)), row.text(2)];
                assert_eq!((&one, &one), (&other, &member));
                one
            };
            Ok(rows.iter().map(same).collect())
        }
        Way::Name => {
            let mut back = Vec::new();
            for name in texts {
                back.push(named(conn, name).await?);
            }
            Ok(back)
        }
    }
}

const HELD: Table = Table::new("held", &[int("id"), long_text("t")]);

async fn temporary(conn: &mut Conn, texts: &[String]) -> Result<Vec<String>, DbError> {
    conn.begin().await?;
    conn.declare(&HELD);
    let selects = each(texts, |at| format!("SELECT {at}, :t{at}"), " UNION ALL ");
    conn.exec(&format!("INSERT INTO [held] {selects}"), &numbered(texts)).await?;
    let first = column(conn, "SELECT t FROM [held] ORDER BY id", &Params::new()).await?;
    load(conn, "held", texts, 1).await?;
    let doubled =
        "SELECT COUNT(*) FROM (SELECT id FROM [held] GROUP BY id HAVING COUNT(DISTINCT t) = 1 AND COUNT(*) = 2) h";
    assert_eq!(conn.number(doubled, &Params::new()).await?, texts.len() as i64);
    Ok(first)
}

/// A column of this name, as JSON returns it. Names that the database does not accept for a column may be refused.
async fn named(conn: &mut Conn, name: &str) -> Result<String, DbError> {
    let dialect = conn.dialect();
    let member = dialect.json_row("q", &[name.to_owned()]);
    let sql = format!("SELECT {member} FROM (SELECT 1 AS {}) q", dialect.quote(name));
    let possible = !name.is_empty()
        && name.len() < 60
        && !name.starts_with(|first: char| first.is_whitespace() || first.is_control())
        && !name.ends_with(char::is_whitespace)
        && name.chars().all(|c| c <= '\u{ffff}');
    match conn.rows(&sql, &Params::new()).await {
        Ok(rows) => {
            let object: serde_json::Map<_, _> = serde_json::from_str(&rows[0].text(0)).unwrap();
            Ok(object.keys().next().unwrap().clone())
        }
        Err(DbError::Other { .. }) if !possible && !name.contains('\0') => Ok(name.to_owned()),
        Err(error) => Err(error),
    }
}

/// Settings that sessions may have, whatever enrold sets.
fn settings(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Lite => &["SELECT 1"],
        Dialect::Postgres => &[
            "SET standard_conforming_strings = on",
            "SET standard_conforming_strings = off; SET backslash_quote = off",
            "SET standard_conforming_strings = off; SET backslash_quote = on",
        ],
        Dialect::Maria => &[
            "SELECT 1",
            "SET SESSION sql_mode = ''",
            "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
            "SET SESSION sql_mode = 'ANSI_QUOTES'",
            "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
        ],
    }
}

impl Site {
    async fn odd_table(&mut self) {
        let text = match self.conn.dialect() {
            Dialect::Maria => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            _ => "TEXT",
        };
        self.conn
            .command(&format!("CREATE TABLE odd (id BIGINT NOT NULL PRIMARY KEY, t {text} NOT NULL)"))
            .await
            .unwrap();
    }
}

/// Tests a property of texts in sessions with each setting.
async fn in_each_session<S: Strategy>(
    mut site: Site,
    cases: u32,
    strategy: S,
    property: impl AsyncFn(&mut Conn, &S::Value) -> Result<(), TestCaseError>,
) {
    site.odd_table().await;
    let dialect = site.conn.dialect();
    let site = RefCell::new(site);
    for setting in settings(dialect) {
        block_in_place(|| Handle::current().block_on(site.borrow_mut().conn.command(setting))).unwrap();
        let outcome = runner(cases).run(&strategy, |value| {
            let mut site = site.borrow_mut();
            block_in_place(|| Handle::current().block_on(property(&mut site.conn, &value)))
        });
        if let Err(failure) = outcome {
            panic!("{setting}: {failure}");
        }
    }
}

async fn a_text_comes_back_equal_on_every_way(site: Site) {
    let cases = if site.conn.dialect() == Dialect::Lite { 64 } else { 24 };
    in_each_session(site, cases, texts(), async |conn, texts| {
        for way in WAYS {
            let back =
                through(way, conn, texts).await.map_err(|error| TestCaseError::fail(format!("{way:?}: {error}")))?;
            prop_assert_eq!(&back, texts, "{:?}", way);
        }
        Ok(())
    })
    .await;
}

async fn a_text_with_the_character_0_is_refused_on_every_way(site: Site) {
    let with_nul = (texts(), text(), any::<prop::sample::Index>()).prop_map(|(mut texts, text, at)| {
        let at = at.index(texts.len());
        texts[at] = format!("{}\0{text}", texts[at]);
        texts
    });
    in_each_session(site, 8, with_nul, async |conn, texts| {
        for way in WAYS {
            let refused = through(way, conn, texts).await;
            let told = refused.map_or_else(|error| error.to_string(), |back| format!("{back:?}"));
            prop_assert!(told.contains("the character 0"), "{:?}: {}", way, told);
            let rows = conn.number("SELECT COUNT(*) FROM odd", &Params::new()).await;
            prop_assert_eq!(rows.unwrap(), 0, "{:?}", way);
        }
        Ok(())
    })
    .await;
}

/// Distinct random texts of one seed.
fn some(count: usize) -> Vec<String> {
    let mut runner = runner(1);
    let mut texts = BTreeSet::new();
    while texts.len() < count {
        texts.insert(text().new_tree(&mut runner).unwrap().current());
    }
    texts.into_iter().collect()
}

/// A session on a second database with unusual defaults and an unusual `setup`.
async fn texts_of_another_database_come_equal(mut site: Site) {
    site.odd_table().await;
    let texts = some(300);
    load(&mut site.conn, "odd", &texts, 1).await.unwrap();
    let setups: &[&str] = match site.conn.dialect() {
        Dialect::Lite => &[""],
        Dialect::Postgres => &["", "SET standard_conforming_strings = off"],
        Dialect::Maria => &[
            "",
            "SET SESSION sql_mode = ''",
            "SET SESSION sql_mode = 'ANSI_QUOTES'",
            "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
        ],
    };
    site.strings_do_not_conform().await;
    let timeouts = RemoteTimeouts { connect: Duration::from_secs(10), statement: Duration::from_secs(60) };
    for setup in setups {
        let setup: Vec<String> =
            Some(*setup).filter(|setup| !setup.is_empty()).into_iter().map(str::to_owned).collect();
        let mut remote = Remote::connect(&url(&site.engine()), timeouts, &setup).await.unwrap();
        let mut back = BTreeSet::new();
        let read = remote.each(RemoteRows::Table("odd"), &["id", "t"], |row| {
            let [id, text] = row else { panic!("{row:?}") };
            back.insert((id.clone().unwrap().parse().unwrap(), text.clone().unwrap()));
            Ok::<_, RemoteError>(())
        });
        read.await.unwrap();
        remote.close().await;
        assert_eq!(back, (0..).zip(texts.iter().cloned()).collect::<BTreeSet<(usize, String)>>(), "{setup:?}");
    }
}

impl Site {
    /// New sessions on PostgreSQL start without `standard_conforming_strings`.
    async fn strings_do_not_conform(&mut self) {
        if self.conn.dialect() == Dialect::Postgres {
            let name = self
                .conn
                .row("SELECT CAST(current_database() AS TEXT)", &Params::new())
                .await
                .unwrap()
                .unwrap()
                .text(0);
            let set = format!("ALTER DATABASE {name} SET standard_conforming_strings = off");
            self.conn.command(&set).await.unwrap();
        }
    }

    /// A session of a run on PostgreSQL loses the setting when the run is written.
    async fn strings_lose_conformity(&mut self) {
        if self.conn.dialect() == Dialect::Postgres {
            let lose = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM set_config(''standard_conforming_strings'', ''off'', false); RETURN new; END';
                CREATE TRIGGER lose BEFORE INSERT ON enrold_run FOR EACH ROW EXECUTE FUNCTION lose()";
            self.conn.command(lose).await.unwrap();
        }
    }

    /// Two sources in a table of this database with one row per text, which is the key of user, group and cohort.
    async fn sources_of(&mut self, texts: &BTreeSet<String>) {
        self.odd_table().await;
        let texts: Vec<String> = texts.iter().cloned().collect();
        load(&mut self.conn, "odd", &texts, 1).await.unwrap();
        self.sql("UPDATE {config} SET value = 'manual,flatfile,cohort,database' WHERE name = 'enrol_plugins_enabled'")
            .await;
        let here = url(&self.engine());
        for (key, value) in [
            ("rows.url", here.as_str()),
            ("rows.query", "SELECT t AS who, 'c1' AS place FROM odd"),
            ("rows.columns.user", "who"),
            ("rows.columns.course", "place"),
            ("rows.columns.group", "who"),
            ("rows.create_groups", "true"),
            ("rows.default_role", "student"),
            ("years.url", here.as_str()),
            ("years.target", "cohorts"),
            ("years.table", "odd"),
            ("years.columns.user", "t"),
            ("years.columns.cohort", "t"),
            ("years.create_cohorts", "true"),
            // Odd keys are meant here.
            ("years.unknown_protects", "off"),
        ] {
            self.set(&format!("sources.{key}"), value);
        }
    }

    async fn set_of(&mut self, sql: &str) -> BTreeSet<String> {
        self.conn.rows(sql, &Params::new()).await.unwrap().iter().map(|row| row.text(0)).collect()
    }
}

/// Keys of users, names of groups and of cohorts: from a dropped file with refused lines, and from a second database.
async fn texts_go_through_files_and_sources(mut site: Site) {
    site.campus().await;
    site.strings_do_not_conform().await;
    site.strings_lose_conformity().await;
    // Blanks at the ends are not part of a key, and a line end ends a line of a flat file.
    let texts = some(80).into_iter().filter(|text| !text.contains(['\n', '\r'])).enumerate();
    let texts: BTreeSet<String> = texts.map(|(at, text)| format!("k{at}{text}z")).collect();
    for (at, text) in texts.iter().enumerate() {
        let id = 1000 + at as i64;
        let row = [
            ("id", id.into()),
            ("username", format!("odd{at}").into()),
            ("idnumber", text.as_str().into()),
            ("mnethostid", 1.into()),
            ("confirmed", 1.into()),
        ];
        site.insert("user", &row).await;
    }
    site.reset_sequences_of(&["user"]).await;
    let line = |text: &String| {
        format!("add,student,\"{}\",c1\nadd,student,\"{}?\",c1\n", text.replace('"', "\"\""), text.replace('"', "\"\""))
    };
    let report = site.import_once(&texts.iter().map(line).collect::<String>()).await;
    assert_applied(&report, State::DoneWithErrors);
    let enrolled = "SELECT u.idnumber FROM {user} u JOIN {user_enrolments} x ON x.userid = u.id WHERE u.id >= 1000";
    let unknown: BTreeSet<String> = texts.iter().map(|text| format!("{text}?")).collect();
    let errors = site.set_of("SELECT value FROM {enrold_error}").await;
    assert_eq!(site.set_of(enrolled).await, texts);
    assert_eq!(errors, unknown);

    site.sources_of(&texts).await;
    let report = site.engine().sync_source("rows", false).await.unwrap();
    assert_applied(&report, State::Done);
    let report = site.engine().sync_source("years", false).await.unwrap();
    assert_applied(&report, State::Done);
    let groups = "SELECT g.name FROM {groups} g JOIN {groups_members} m ON m.groupid = g.id JOIN {user} u ON u.id = m.userid AND u.idnumber = g.name";
    assert_eq!(site.set_of(groups).await, texts);
    let cohorts = "SELECT c.idnumber FROM {cohort} c JOIN {cohort_members} m ON m.cohortid = c.id JOIN {user} u ON u.id = m.userid AND u.idnumber = c.idnumber";
    assert_eq!(site.set_of(cohorts).await, texts);
}
