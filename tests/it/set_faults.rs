//! Whole nights of `enrold sync SOURCE` with all failures of the second database: nothing changes, exit code and
//! message give the reason, and the next good night works. It must not test the fetch alone.

use enrold::db::{Dialect, Params};
use serde_json::Value as Json;

use crate::doctor_rights::url;
use crate::program::{Program, on_the_sample};
use crate::running::names;
use crate::servers::{connect, on_each_database, run_on};
use crate::site::{NOW, Site};
use crate::source_sql::kill_readers;

on_each_database!(a_night_that_fails_changes_nothing, rows_of_other_encodings_and_doubled_ones);

#[test]
fn a_source_that_dies_while_it_sends_postgresql() {
    run_on(Dialect::Postgres, a_source_that_dies_while_it_sends);
}

#[test]
fn a_source_that_dies_while_it_sends_mariadb() {
    run_on(Dialect::Maria, a_source_that_dies_while_it_sends);
}

#[test]
fn a_database_without_an_encoding() {
    run_on(Dialect::Postgres, text_without_an_encoding);
}

/// Six users in one course.
const GOOD: &str = "('u1', 'c1'), ('u2', 'c1'), ('u3', 'c1'), ('u4', 'c1'), ('u5', 'c1'), ('u6', 'c1')";

/// The program on the campus, with a source `night` that reads the view `v_enrol` of the same database.
pub async fn night(site: &mut Site) -> Program {
    site.campus().await;
    site.methods("manual,flatfile,database").await;
    site.script(&[
        "CREATE TABLE records (who VARCHAR(40), place VARCHAR(40))",
        &format!("INSERT INTO records VALUES {GOOD}"),
        "CREATE VIEW v_enrol AS SELECT who, place FROM records",
    ])
    .await;
    let program = reading(site, &url(&site.engine()));
    program.run(&["sync", "night"]).ends(0);
    assert_eq!(site.enrolments().await.len(), 6);
    program
}

fn reading(site: &Site, url: &str) -> Program {
    let keys = ["table=v_enrol", "columns.user=who", "columns.course=place", "default_role=student"];
    let program = Program::on(site).set(&format!("sources.night.url={url}"));
    keys.iter().fold(program, |program, key| program.set(&format!("sources.night.{key}")))
}

impl Site {
    /// Replaces the query of the view.
    pub async fn view(&mut self, select: &str) {
        self.script(&["DROP VIEW v_enrol", &format!("CREATE VIEW v_enrol AS {select}")]).await;
    }
}

/// Why a run failed.
fn reason(report: &Json) -> String {
    let problem = &report["problems"][0];
    assert_eq!((&report["state"], &problem["code"]), (&"failed".into(), &"source-unreadable".into()), "{report:#}");
    problem["hint"].as_str().unwrap().to_owned()
}

async fn a_night_that_fails_changes_nothing(mut site: Site) {
    let program = night(&mut site).await;
    let before = site.dump().await;
    let (half_way, said) = match site.conn.dialect() {
        Dialect::Postgres => ("CAST(1 / (LENGTH(place) - LENGTH(place)) AS VARCHAR)", "division by zero"),
        Dialect::Maria => ("(SELECT r.place FROM records r)", "more than 1 row"),
        Dialect::Lite => ("ABS(-9223372036854775807 - 1)", "integer overflow"),
    };
    let half_way = format!("SELECT who, CASE WHEN who = 'u5' THEN {half_way} ELSE place END AS place FROM records");
    let latin = match site.conn.dialect() {
        Dialect::Postgres => "CAST('\\xe9' AS BYTEA)",
        Dialect::Maria => "x'e9'",
        Dialect::Lite => "CAST(x'e9' AS TEXT)",
    };
    let latin = format!("SELECT {latin} AS who, place FROM records");
    for (view, said) in [
        (half_way.as_str(), said),
        (&latin, "the bytes are not UTF-8"),
        ("SELECT who AS whom, place FROM records", "who"),
    ] {
        site.view(view).await;
        let (code, report) = program.json(&["sync", "night"]);
        assert!(code == 1 && reason(&report).contains(said), "{code} {report:#}");
        site.nothing_changed(&before, view).await;
    }
    site.script(&["DROP VIEW v_enrol"]).await;
    let (code, report) = program.json(&["sync", "night"]);
    assert!(code == 1 && reason(&report).contains("v_enrol"), "{report:#}");
    let nowhere = match site.conn.dialect() {
        Dialect::Lite => "sqlite:/no/such/file.sqlite",
        Dialect::Postgres => "postgres://nobody@127.0.0.1:1/nothing",
        Dialect::Maria => "mysql://nobody@127.0.0.1:1/nothing",
    };
    let (code, report) = reading(&site, nowhere).json(&["sync", "night"]);
    assert!(code == 1 && reason(&report).contains("cannot connect"), "{report:#}");
    site.script(&["CREATE VIEW v_enrol AS SELECT who, place FROM records WHERE 1 = 0"]).await;
    for command in ["diff", "sync"] {
        let (code, report) = program.json(&[command, "night"]);
        assert_eq!((code, &report["breaches"][0]["what"]), (3, &"empty".into()), "{command}: {report:#}");
    }
    site.nothing_changed(&before, "an empty view").await;
    assert_eq!(left_behind(&program), Vec::<String>::new());
    site.script(&["UPDATE records SET who = 'u7' WHERE who = 'u1'"]).await;
    site.view("SELECT who, place FROM records").await;
    program.run(&["sync", "night"]).ends(0);
    let enrolled = site.enrolments().await;
    assert!(enrolled.len() == 6 && enrolled.contains(&"u7 c1 database".to_owned()), "{enrolled:?}");
}

/// Files in the directory of the source that are not snapshots.
fn left_behind(program: &Program) -> Vec<String> {
    let names = names(&program.dir.join("state/sets/night"));
    names.into_iter().filter(|name| name.starts_with('.')).collect()
}

/// A row a thousand times counts once; texts that the second server can convert arrive; the same with files.
async fn rows_of_other_encodings_and_doubled_ones(mut site: Site) {
    let program = night(&mut site).await;
    let before = site.dump().await;
    let digits = (0..10).map(|digit| format!("({digit})")).collect::<Vec<_>>().join(", ");
    site.script(&["CREATE TABLE digit (d INTEGER)", &format!("INSERT INTO digit VALUES {digits}")]).await;
    site.view("SELECT r.who, r.place FROM records r, digit a, digit b, digit c").await;
    let (code, report) = program.json(&["sync", "night"]);
    assert_eq!((code, &report["lines"]["records"], &report["state"]), (0, &6.into(), &"done".into()));
    site.nothing_changed(&before, "rows that are there a thousand times").await;

    site.sql("UPDATE {user} SET idnumber = 'é7' WHERE username = 'u7'").await;
    let latin = if site.conn.dialect() == Dialect::Maria { "VARCHAR(40) CHARACTER SET latin1" } else { "VARCHAR(40)" };
    site.script(&[
        &format!("CREATE TABLE latin (who {latin}, place {latin})"),
        "INSERT INTO latin VALUES ('é7', 'c1')",
    ])
    .await;
    site.view("SELECT who, place FROM records UNION ALL SELECT who, place FROM latin").await;
    program.run(&["sync", "night"]).ends(0);
    assert_eq!(site.enrolments().await.len(), 7);

    let program = program.set("sources.paper.files=x*.csv").set("sources.paper.default_role=student");
    let good: String =
        (1..=7).map(|who| if who == 7 { "é7,c2\n".to_owned() } else { format!("u{who},c2\n") }).collect();
    let import = |name: &str, bytes: &[u8]| {
        let path = program.write(name, bytes).display().to_string();
        program.json(&["import", "--yes", "--source", "paper", &path])
    };
    let (code, report) = import("x1.csv", format!("user,course\n{good}").as_bytes());
    assert_eq!((code, &report["lines"]["records"]), (0, &7.into()), "{report:#}");
    let after = site.dump().await;
    let (code, report) = import("x2.csv", format!("user,course\n{good}{}", "u3,c2\n".repeat(1_000)).as_bytes());
    assert_eq!((code, &report["lines"]["records"]), (0, &7.into()), "{report:#}");
    // Another encoding, the same users.
    let latin = iso_8859_1(&format!("user;course\r\n{}", good.replace(',', ";").replace('\n', "\r\n")));
    let (code, report) = import("x3.csv", &latin);
    assert_eq!((code, &report["lines"]["records"]), (0, &7.into()), "{report:#}");
    site.nothing_changed(&after, "doubled rows, and another encoding").await;
    // UTF-8 with one invalid byte is read in the fallback encoding: the key differs, and too many keys are unknown.
    let broken = [format!("user,course\n{good}").as_bytes(), b"u\xff,c2\n"].concat();
    let (code, report) = import("x4.csv", &broken);
    assert_eq!((code, &report["breaches"][0]["what"]), (3, &"unknown".into()), "{report:#}");
    site.nothing_changed(&after, "a broken encoding").await;
}

/// The bytes of a text in ISO 8859-1.
fn iso_8859_1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

/// More data than the socket buffers of both systems hold; the reader pauses while the server ends its session.
async fn a_source_that_dies_while_it_sends(mut site: Site) {
    let program = night(&mut site).await;
    let before = site.dump().await;
    site.script(&["ALTER TABLE records RENAME TO good"]).await;
    site.many_rows(1_000).await;
    site.view("SELECT who, place FROM records").await;
    let snapshots = program.dir.join("state/sets/night");
    let mut killed = program.start_with(&["--quiet", "sync", "night"]);
    let flows = || {
        let sizes = std::fs::read_dir(&snapshots).unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_string_lossy().starts_with('.'), entry.metadata().ok()?.len()))
        });
        sizes.into_iter().any(|(hidden, size)| hidden && size > 0)
    };
    killed.until("rows that flow", flows);
    killed.stand_still();
    assert!(kill_readers(&url(&site.engine())).await, "the reader is not to be seen");
    killed.signal("CONT");
    assert_eq!(killed.ended().code(), Some(1), "{}", killed.log());
    site.nothing_changed(&before, "a source that died").await;
    assert_eq!((site.last_state().await.as_str(), left_behind(&program)), ("failed", Vec::new()));
    let run = site.last_run().await.to_string();
    let (_, report) = program.json(&["runs", &run]);
    assert!(report["message"].as_str().unwrap().contains("source night: "), "{report:#}");
    site.view("SELECT who, place FROM good").await;
    program.run(&["sync", "night"]).ends(0);
    site.nothing_changed(&before, "the good night after it").await;
}

/// PostgreSQL stores bytes that are not text in a database of SQL_ASCII, and converts those of LATIN1.
async fn text_without_an_encoding(mut site: Site) {
    let program = night(&mut site).await;
    let before = site.dump().await;
    let here = url(&site.engine());
    for (encoding, people) in [("SQL_ASCII", 6), ("LATIN1", 7)] {
        let name = format!("{}_{}", here.rsplit('/').next().unwrap(), encoding.to_lowercase());
        let make =
            format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
        site.script(&[&make]).await;
        let there = format!("{}/{name}", here.rsplit_once('/').unwrap().0);
        let mut conn = connect(&there).await;
        for statement in [
            "CREATE TABLE v_enrol (who VARCHAR(40), place VARCHAR(40))",
            &format!("INSERT INTO v_enrol VALUES {GOOD}, (convert_from('\\xe937', '{encoding}'), 'c1')"),
        ] {
            conn.literal(statement).await.unwrap();
        }
        conn.close().await;
        site.sql("UPDATE {user} SET idnumber = 'é7' WHERE username = 'u7'").await;
        let (code, report) = reading(&site, &there).json(&["sync", "night"]);
        assert_eq!(site.enrolments().await.len(), people, "{report:#}");
        if people == 6 {
            assert!(code == 1 && reason(&report).contains("UTF8"), "{report:#}");
            site.sql("UPDATE {user} SET idnumber = 'u7' WHERE username = 'u7'").await;
            site.nothing_changed(&before, encoding).await;
        } else {
            assert_eq!(code, 0, "{report:#}");
        }
        site.script(&[&format!("DROP DATABASE {name} WITH (FORCE)")]).await;
    }
    drop(program);
}

/// A night of the daemon: it reports the failure, and the next night succeeds.
#[test]
fn a_night_of_the_daemon_that_fails() {
    on_the_sample(async |mut site, program| {
        site.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
        site.script(&["CREATE TABLE records (who VARCHAR(40), place VARCHAR(40))"]).await;
        site.script(&["INSERT INTO records VALUES ('moreaul26', 'L1-MATH-101')"]).await;
        let there = url(&site.engine());
        let keys = ["table=v_enrol", "columns.user=who", "columns.course=place", "default_role=student"];
        let more = ["user_key=username", "course_key=shortname", &format!("url={there}")];
        let keys = keys.iter().chain(&more);
        let program = keys.fold(program, |program, key| program.set(&format!("sources.night.{key}")));
        let before = site.dump().await;
        let mut daemon = program.start();
        daemon.until_logged("the task night failed");
        assert!(daemon.stop().contains("source-unreadable"));
        site.nothing_changed(&before, "a night that failed").await;
        site.script(&["CREATE VIEW v_enrol AS SELECT who, place FROM records"]).await;
        let mut daemon = program.at(NOW + 86_400).start();
        daemon.until_logged("sync night: done");
        daemon.stop();
        let sql =
            "SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid WHERE e.enrol = 'database'";
        assert_eq!(site.conn.number(sql, &Params::new()).await.unwrap(), 1);
    });
}
