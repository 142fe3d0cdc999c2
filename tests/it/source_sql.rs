//! Second databases as sources: values arrive as text, only reading is allowed, and failures leave no files.
//! The second database is a real database of each dialect; here it is the test's own, read by another session.

use std::path::PathBuf;
use std::time::Duration;

use enrold::config::Source;
use enrold::db::{Dialect, Params, Remote, RemoteError, RemoteRows, RemoteTimeouts};
use enrold::source::{Snapshot, SourceError, fetch};
use secrecy::ExposeSecret;

use crate::servers::{connect, on_each_database};
use crate::site::{NOW, Site};

on_each_database!(
    every_type_comes_as_text,
    values_are_kept_apart_exactly_and_come_in_one_order,
    a_large_view_is_streamed,
    what_is_not_there_is_said,
    nothing_can_be_written,
    a_slow_statement_is_ended,
    bytes_that_are_no_text_are_refused,
);

macro_rules! on_servers {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use enrold::db::Dialect;

            #[test]
            fn postgresql() {
                crate::servers::run_on(Dialect::Postgres, super::$name);
            }

            #[test]
            fn mariadb() {
                crate::servers::run_on(Dialect::Maria, super::$name);
            }
        }
    )+};
}

on_servers!(a_session_that_dies_between_two_rows, a_fetch_that_dies_leaves_nothing, a_setup_cannot_change_the_encoding);

const TIMEOUTS: RemoteTimeouts =
    RemoteTimeouts { connect: Duration::from_secs(10), statement: Duration::from_secs(120) };

impl Site {
    fn second_url(&self) -> String {
        self.engine().settings.database.url.expose_secret().to_owned()
    }

    /// The source `x` of the configuration.
    fn source(&self) -> Source {
        self.engine().settings.sources["x"].clone()
    }

    fn state(&self) -> PathBuf {
        self.engine().settings.state.path.clone()
    }

    /// Makes the source `x` read user and course from a table of this database.
    fn reads(&mut self, table: &str) {
        let url = self.second_url();
        for (key, value) in
            [("url", url.as_str()), ("table", table), ("columns.user", "who"), ("columns.course", "place")]
        {
            self.set(&format!("sources.x.{key}"), value);
        }
    }

    async fn fetched(&self) -> Result<Snapshot, SourceError> {
        fetch("x", &self.source(), &self.state(), NOW).await
    }

    /// The files in the directory of the source, including hidden ones.
    fn snapshots(&self) -> Vec<String> {
        let dir = self.state().join("sets/x");
        let Ok(entries) = std::fs::read_dir(dir) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub async fn script(&mut self, statements: &[&str]) {
        for statement in statements {
            self.conn.literal(statement).await.unwrap();
        }
    }

    async fn all(&self, from: RemoteRows<'_>, columns: &[&str]) -> Result<Vec<Vec<Option<String>>>, RemoteError> {
        let mut remote = Remote::connect(&self.second_url(), TIMEOUTS, &[]).await?;
        let mut rows = Vec::new();
        let read = remote.each(from, columns, |row| {
            rows.push(row.to_vec());
            Ok::<_, RemoteError>(())
        });
        read.await?;
        remote.close().await;
        Ok(rows)
    }

    /// 50,000 rows of two columns, one of them wide.
    pub async fn many_rows(&mut self, width: usize) {
        self.script(&["CREATE TABLE digit (d INTEGER)", "CREATE TABLE records (who INTEGER, place TEXT)"]).await;
        for digit in 0..10 {
            self.script(&[&format!("INSERT INTO digit VALUES ({digit})")]).await;
        }
        let wide = "x".repeat(width);
        self.script(&[&format!(
            "INSERT INTO records SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d, '{wide}'
               FROM digit a, digit b, digit c, digit d, digit e WHERE e.d < 5"
        )])
        .await;
    }
}

fn texts(row: &[Option<String>]) -> Vec<&str> {
    row.iter().map(|cell| cell.as_deref().unwrap_or("NULL")).collect()
}

async fn every_type_comes_as_text(mut site: Site) {
    let (table, values) = match site.conn.dialect() {
        Dialect::Postgres => (
            "CREATE TABLE every (i INTEGER, b BIGINT, n NUMERIC(8,2), c CHAR(6), t TEXT, v VARCHAR(9), d DATE, s TIMESTAMP, o BOOLEAN, y BYTEA, u UUID)",
            "(1, 9007199254740993, 12.50, 'ab', 'é', 'V', '2026-09-01', '2026-09-01 08:00:00', TRUE, '\\xc3a9', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')",
        ),
        Dialect::Maria => (
            "CREATE TABLE every (i INTEGER, b BIGINT UNSIGNED, n DECIMAL(8,2), c CHAR(6), t TEXT, v VARCHAR(9) CHARACTER SET latin1, d DATE, s DATETIME, o BIT(1), y VARBINARY(9), u ENUM('é','x') CHARACTER SET latin1)",
            "(1, 9007199254740993, 12.50, 'ab', 'é', 'Vé', '2026-09-01', '2026-09-01 08:00:00', 1, x'c3a9', 'é')",
        ),
        Dialect::Lite => (
            "CREATE TABLE every (i INTEGER, b BIGINT, n NUMERIC, c CHAR(6), t TEXT, v VARCHAR(9), d DATE, s TIMESTAMP, o BOOLEAN, y BLOB, u)",
            "(1, 9007199254740993, 12.5, 'ab', 'é', 'V', '2026-09-01', '2026-09-01 08:00:00', TRUE, x'c3a9', 0.5)",
        ),
    };
    let columns = ["i", "b", "n", "c", "t", "v", "d", "s", "o", "y", "u"];
    let nulls = vec!["NULL"; columns.len()].join(", ");
    site.script(&[
        table,
        &format!("INSERT INTO every VALUES {values}"),
        &format!("INSERT INTO every VALUES ({nulls})"),
    ])
    .await;
    let rows = site.all(RemoteRows::Table("every"), &columns).await.unwrap();
    assert_eq!(rows.len(), 2);
    let full = rows.iter().find(|row| row[0].is_some()).unwrap();
    let common = ["1", "9007199254740993"];
    let rest = match site.conn.dialect() {
        Dialect::Postgres => [
            "12.50",
            "ab",
            "é",
            "V",
            "2026-09-01",
            "2026-09-01 08:00:00",
            "true",
            "é",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
        Dialect::Maria => ["12.50", "ab", "é", "Vé", "2026-09-01", "2026-09-01 08:00:00", "1", "é", "é"],
        Dialect::Lite => ["12.5", "ab", "é", "V", "2026-09-01", "2026-09-01 08:00:00", "1", "é", "0.5"],
    };
    assert_eq!(texts(full), [&common[..], &rest[..]].concat());
    let empty = rows.iter().find(|row| row[0].is_none()).unwrap();
    assert!(empty.iter().all(Option::is_none), "{empty:?}");
}

/// The collation of a column treats `a` as `A`, and `é` as `e`; keys are compared exactly.
async fn values_are_kept_apart_exactly_and_come_in_one_order(mut site: Site) {
    let column = match site.conn.dialect() {
        Dialect::Lite => "VARCHAR(20) COLLATE NOCASE",
        _ => "VARCHAR(20)",
    };
    site.script(&[&format!("CREATE TABLE records (who {column}, place {column})")]).await;
    site.script(&["INSERT INTO records VALUES ('b', 'X'), ('a', 'X'), ('A', 'X'), ('é', 'x'), ('e', 'x'), (' e', 'x,y'), ('a', 'X'), (NULL, 'x')"]).await;
    site.reads("records");
    let first = site.fetched().await.unwrap();
    let text = std::fs::read_to_string(&first.path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.remove(0), first.rows), ("user,course", 7));
    let mut sorted = lines.clone();
    sorted.sort();
    assert_eq!(sorted, [",x", "A,X", "a,X", "b,X", "e,\"x,y\"", "e,x", "é,x"]);
    site.script(&["DELETE FROM records WHERE who = 'b'", "INSERT INTO records VALUES ('b', 'X')"]).await;
    assert_eq!(site.fetched().await.unwrap(), first);
    assert_eq!(site.snapshots().len(), 1);

    // A query instead of the table, columns in any case, with a comment and a semicolon at its end.
    let url = site.second_url();
    site.set("sources.y.url", &url);
    site.set(
        "sources.y.query",
        "WITH r AS (SELECT who, place FROM records WHERE who IN ('a', 'b')) SELECT * FROM r -- all;",
    );
    site.set("sources.y.columns.user", "WHO");
    site.set("sources.y.columns.course", "Place");
    let source = site.engine().settings.sources["y"].clone();
    let by_query = fetch("y", &source, &site.state(), NOW).await.unwrap();
    assert!(std::fs::read_to_string(&by_query.path).unwrap().contains("b,X"));
}

async fn a_large_view_is_streamed(mut site: Site) {
    site.many_rows(20).await;
    site.script(&["CREATE VIEW v_enrol AS SELECT who, place FROM records"]).await;
    site.reads("v_enrol");
    let snapshot = site.fetched().await.unwrap();
    assert_eq!(snapshot.rows, 50_000);
    let text = std::fs::read_to_string(&snapshot.path).unwrap();
    assert_eq!(text.lines().count(), 50_001);
    let wide = "x".repeat(20);
    assert_eq!(text.lines().nth(1).unwrap(), format!("0,{wide}"));
    assert_eq!(text.lines().last().unwrap(), format!("9999,{wide}"), "ordered as texts");
}

async fn what_is_not_there_is_said(mut site: Site) {
    site.script(&["CREATE TABLE records (who INTEGER, elp INTEGER)"]).await;
    site.reads("records");
    let told = site.fetched().await.unwrap_err().to_string();
    assert_eq!(told, "source x: there is no column place; there are: who, elp");
    site.reads("no_such_view");
    let told = site.fetched().await.unwrap_err().to_string();
    assert!(told.starts_with("source x: ") && told.contains("no_such_view"), "{told}");
    let url = match site.conn.dialect() {
        Dialect::Lite => "sqlite:/no/such/geheim.sqlite".to_owned(),
        _ => {
            let (scheme, rest) =
                site.second_url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let place = rest.split_once('@').map_or(rest.as_str(), |(_, place)| place).to_owned();
            format!("{scheme}://nobody_here:geheim@{place}")
        }
    };
    site.set("sources.x.url", &url);
    let told = site.fetched().await.unwrap_err().to_string();
    assert!(told.starts_with("source x: cannot connect to the database: "), "{told}");
    assert!(site.conn.dialect() == Dialect::Lite || !told.contains("geheim"), "{told}");
    assert_eq!(site.snapshots(), Vec::<String>::new());
}

async fn nothing_can_be_written(mut site: Site) {
    site.script(&["CREATE TABLE records (who INTEGER, place INTEGER)", "INSERT INTO records VALUES (1, 2)"]).await;
    site.reads("records");
    site.set("sources.x.setup", "DELETE FROM records");
    let told = site.fetched().await.unwrap_err().to_string();
    assert!(told.to_lowercase().contains("read"), "{told}");
    site.set("sources.x.setup", "");
    site.set("sources.x.table", "");
    let mut queries =
        vec!["SELECT who, place FROM records) AS a; DELETE FROM records; SELECT * FROM (SELECT 1 AS who, 2 AS place"];
    match site.conn.dialect() {
        Dialect::Postgres => {
            site.script(&["CREATE FUNCTION wipe() RETURNS INTEGER LANGUAGE SQL AS 'DELETE FROM records; SELECT 1'"])
                .await;
            queries.push("SELECT wipe() AS who, 1 AS place");
            queries.push("WITH gone AS (DELETE FROM records RETURNING who, place) SELECT * FROM gone");
        }
        Dialect::Maria => {
            site.script(&[
                "CREATE FUNCTION wipe() RETURNS INTEGER DETERMINISTIC BEGIN DELETE FROM records; RETURN 1; END",
            ])
            .await;
            queries.push("SELECT wipe() AS who, 1 AS place");
        }
        Dialect::Lite => {}
    }
    for query in queries {
        site.set("sources.x.query", query);
        assert!(site.fetched().await.is_err(), "{query}");
        assert_eq!(site.conn.number("SELECT COUNT(*) FROM records", &Params::new()).await.unwrap(), 1, "{query}");
        assert_eq!(site.snapshots(), Vec::<String>::new());
    }
    site.set("sources.x.query", "SELECT who, place FROM records");
    assert_eq!(site.fetched().await.unwrap().rows, 1);
}

async fn a_slow_statement_is_ended(mut site: Site) {
    let url = site.second_url();
    let query = match site.conn.dialect() {
        Dialect::Postgres => "SELECT 1 AS who, CAST(pg_sleep(600) AS TEXT) AS place",
        Dialect::Maria => "SELECT 1 AS who, SLEEP(600) AS place",
        Dialect::Lite => {
            "WITH RECURSIVE n(who) AS (SELECT 1 UNION ALL SELECT who + 1 FROM n) SELECT COUNT(*) AS who, 1 AS place FROM n"
        }
    };
    for (key, value) in [
        ("url", url.as_str()),
        ("query", query),
        ("columns.user", "who"),
        ("columns.course", "place"),
        ("statement_timeout", "1"),
    ] {
        site.set(&format!("sources.x.{key}"), value);
    }
    let error = site.fetched().await.unwrap_err();
    assert!(matches!(error, SourceError::Remote { error: RemoteError::Slow(1), .. }), "{error}");
    assert_eq!(site.snapshots(), Vec::<String>::new());
}

async fn bytes_that_are_no_text_are_refused(mut site: Site) {
    let (column, latin, nul) = match site.conn.dialect() {
        Dialect::Postgres => ("BYTEA", "'\\xe9'", "'\\x610062'"),
        Dialect::Maria => ("VARBINARY(9)", "x'e9'", "x'610062'"),
        Dialect::Lite => ("TEXT", "CAST(x'e9' AS TEXT)", "CAST(x'610062' AS TEXT)"),
    };
    site.script(&[
        &format!("CREATE TABLE records (who INTEGER, place {column})"),
        &format!("INSERT INTO records VALUES (2, {latin})"),
    ])
    .await;
    site.reads("records");
    site.script(&[&format!("INSERT INTO records VALUES (1, {})", if column == "BYTEA" { "'a'" } else { "x'61'" })])
        .await;
    let told = site.fetched().await.unwrap_err().to_string();
    assert_eq!(told, "source x: row 2, column place: the bytes are not UTF-8");
    site.script(&["DELETE FROM records", &format!("INSERT INTO records VALUES (1, {nul})")]).await;
    let told = site.fetched().await.unwrap_err().to_string();
    assert_eq!(told, "source x: row 1, column place: it holds a NUL character");
    assert_eq!(site.snapshots(), Vec::<String>::new());
}

/// Ends the sessions that read a source from this database; true if there was one.
pub async fn kill_readers(url: &str) -> bool {
    let mut conn = connect(url).await;
    let find = match conn.dialect() {
        Dialect::Postgres => {
            "SELECT 'SELECT pg_terminate_backend(' || pid || ')' FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'SELECT DISTINCT%' AND state = 'active'"
        }
        _ => {
            "SELECT CONCAT('KILL CONNECTION ', id) FROM information_schema.processlist
              WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE 'SELECT DISTINCT%'"
        }
    };
    let found = conn.rows(find, &Params::new()).await.unwrap();
    for kill in &found {
        conn.command(&kill.text(0)).await.unwrap();
    }
    !found.is_empty()
}

async fn a_session_that_dies_between_two_rows(mut site: Site) {
    site.many_rows(1_000).await;
    let url = site.second_url();
    let mut remote = Remote::connect(&url, TIMEOUTS, &[]).await.unwrap();
    let mut seen = 0;
    let read = remote.each(RemoteRows::Table("records"), &["who", "place"], |_| {
        seen += 1;
        if seen == 1 {
            // More data than the socket buffers of both systems hold: the server is still sending.
            let killed = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(kill_readers(&url)));
            assert!(killed, "the reader is not to be seen");
        }
        Ok::<_, RemoteError>(())
    });
    let error = read.await.unwrap_err();
    assert!(matches!(error, RemoteError::Db(_)), "{error}");
    assert!((1..50_000).contains(&seen), "{seen}");
}

async fn a_fetch_that_dies_leaves_nothing(mut site: Site) {
    site.script(&["CREATE TABLE records (who INTEGER, place INTEGER)", "INSERT INTO records VALUES (1, 2)"]).await;
    site.reads("records");
    let good = site.fetched().await.unwrap();
    let before = site.snapshots();
    let slow = match site.conn.dialect() {
        Dialect::Postgres => "SELECT who, CAST(pg_sleep(600) AS TEXT) AS place FROM records",
        _ => "SELECT who, SLEEP(600) AS place FROM records",
    };
    site.set("sources.x.table", "");
    site.set("sources.x.query", slow);
    let url = site.second_url();
    let killer = async { while !kill_readers(&url).await {} };
    let (fetched, ()) = tokio::join!(site.fetched(), killer);
    let told = fetched.unwrap_err().to_string();
    assert!(told.starts_with("source x: "), "{told}");
    assert_eq!(site.snapshots(), before);
    assert!(good.path.exists());
}

async fn a_setup_cannot_change_the_encoding(mut site: Site) {
    site.script(&["CREATE TABLE records (who VARCHAR(9), place INTEGER)", "INSERT INTO records VALUES ('é', 2)"]).await;
    site.reads("records");
    let setup = match site.conn.dialect() {
        Dialect::Postgres => "SET client_encoding = 'LATIN1'\nSET search_path = public",
        _ => "SET NAMES latin1",
    };
    site.set("sources.x.setup", setup);
    let snapshot = site.fetched().await.unwrap();
    assert_eq!(std::fs::read_to_string(&snapshot.path).unwrap(), "user,course\né,2\n");
}
