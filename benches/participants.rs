//! 5,000 lines of a course list with 50 groups that it makes, against the least SQL that writes the same rows, on real
//! servers: seconds, ratios, statements.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench participants` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, and a number of repetitions.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod site;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use enrold::config::{FileKind, Profile, Sources};
use enrold::db::{Bulk, Dialect, Field, Params};
use enrold::outcome::Report;
use enrold::run::Import;

use site::{Bench, NOW, Outcome};

/// Accounts of the site; the list has the first [`LINES`].
const USERS: i64 = 20_000;
const COURSES: i64 = 10;
const LINES: i64 = 5_000;
const FEW: i64 = 500;
const GROUPS: i64 = 50;

/// The tables whose rows are counted: both write the same.
const WRITTEN: [&str; 6] =
    ["user_enrolments", "role_assignments", "groups", "groups_members", "cache_flags", "logstore_standard_log"];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let repeats = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let chosen: Vec<&String> = words.iter().filter(|word| word.parse::<u32>().is_err()).collect();
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|word| *word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in ["postgres", "mariadb", "sqlite"].into_iter().filter(|engine| wants(engine)) {
            for _ in 0..repeats {
                compare(engine, folder.path()).await?;
            }
        }
        Ok(())
    })
}

/// A site whose courses have a manual instance and some participants.
async fn ready(engine: &str, folder: &Path) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, USERS, COURSES).await?;
    let sets = vec![("guard.mode".to_owned(), "off".to_owned())];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let mut conn = bench.engine.database.connect().await?;
    let none = Params::new();
    for course in 1..=COURSES {
        let instance = format!(
            "INSERT INTO {{enrol}} (enrol, status, courseid, sortorder, roleid, timecreated, timemodified)
             VALUES ('manual', 0, {}, 1, 5, 1, 1)",
            course + 1
        );
        conn.exec(&instance, &none).await?;
    }
    for insert in [
        "INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT e.id, 0, u.id, 0, 0, 2, 1, 1 FROM {user} u JOIN {enrol} e ON e.courseid > 2 AND e.courseid % 5 = u.id % 5",
        "INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
         SELECT 5, k.id, u.id, 1, 2, '', 0, 0 FROM {user} u
           JOIN {context} k ON k.contextlevel = 50 AND k.instanceid > 2 AND k.instanceid % 5 = u.id % 5",
    ] {
        conn.exec(insert, &none).await?;
    }
    match conn.dialect() {
        Dialect::Postgres => {
            conn.command("VACUUM ANALYZE").await?;
            conn.command("CHECKPOINT").await?;
        }
        Dialect::Lite => conn.command("ANALYZE").await?,
        Dialect::Maria => {}
    }
    conn.close().await;
    Ok(bench)
}

/// The rows of each table that is written.
async fn rows(bench: &Bench) -> Outcome<Vec<i64>> {
    let mut conn = bench.engine.database.connect().await?;
    let mut rows = Vec::new();
    for table in WRITTEN {
        rows.push(conn.number(&format!("SELECT COUNT(*) FROM {{{table}}}"), &Params::new()).await?);
    }
    conn.close().await;
    Ok(rows)
}

fn cells(line: i64) -> [String; 2] {
    [format!("u{line}"), format!("Groupe {}", 1 + line % GROUPS)]
}

async fn import(bench: &Bench, folder: &Path, lines: i64) -> Outcome<Report> {
    let path = folder.join("course-c1.csv");
    let mut text = String::new();
    for line in 1..=lines {
        writeln!(text, "{}", cells(line).join(";"))?;
    }
    std::fs::write(&path, text)?;
    let profile = Profile { course: "c1".to_owned(), create_groups: true, ..Profile::of(FileKind::CourseList) };
    let order = Import { path, profile: Some(Arc::new(profile)), ..Import::default() };
    Ok(bench.engine.import(&order, false).await?)
}

/// One pair: the floor and the run, each on a fresh site; then the same file again, and a tenth of it on another site.
async fn compare(engine: &str, folder: &Path) -> Outcome<()> {
    let bench = ready(engine, folder).await?;
    let floor_seconds = floor(&bench, false).await?;
    let least = rows(&bench).await?;
    bench.drop().await?;
    let bench = ready(engine, folder).await?;
    let journal_seconds = floor(&bench, true).await?;
    bench.drop().await?;
    let bench = ready(engine, folder).await?;
    let few = import(&bench, folder, FEW).await?;
    bench.drop().await?;
    let bench = ready(engine, folder).await?;
    let report = import(&bench, folder, LINES).await?;
    assert_eq!((report.counts["enrolment.add"], report.errors), (LINES, 0), "{}: {:?}", bench.url, report.counts);
    assert_eq!(rows(&bench).await?, least, "the rows of {WRITTEN:?}");
    let again = import(&bench, folder, LINES).await?;
    assert!(again.counts.is_empty(), "the same file again must change nothing: {:?}", again.counts);
    bench.drop().await?;
    let (commit, total) = (report.commit_ms as f64 / 1000.0, report.total_ms as f64 / 1000.0);
    println!(
        "{engine}: floor {floor_seconds:.2} s, with the rows of the journal {journal_seconds:.2} s; {LINES} lines, commit \
         {commit:.2} s (x {:.2}), all effects {total:.2} s (x {:.2}; x {:.2} of the floor with the journal), {} statements ({FEW} lines: {}); again {:.2} s, {} statements",
        commit / floor_seconds,
        total / floor_seconds,
        total / journal_seconds,
        report.statements,
        few.statements,
        again.total_ms as f64 / 1000.0,
        again.statements,
    );
    Ok(())
}

/// Seconds for loading the rows and for the statements that any implementation needs, from connection to commit;
/// with the rows of the journal too.
async fn floor(bench: &Bench, journal: bool) -> Outcome<f64> {
    let start = Instant::now();
    let mut conn = bench.engine.database.connect().await?;
    conn.begin().await?;
    let collation = if conn.dialect() == Dialect::Maria { " COLLATE utf8mb4_unicode_ci" } else { "" };
    let table = "username VARCHAR(100) NOT NULL, gname VARCHAR(100) NOT NULL";
    conn.command(&format!("CREATE TEMPORARY TABLE floor_line ({table}){collation}")).await?;
    let mut load = Bulk::new(conn.dialect(), "floor_line", "username, gname");
    for line in 1..=LINES {
        let cells = cells(line);
        load.push(&mut conn, &[Field::Text(&cells[0]), Field::Text(&cells[1])]).await?;
    }
    load.finish(&mut conn).await?;
    let name = if conn.dialect() == Dialect::Maria { "CAST(n.userid AS CHAR)" } else { "CAST(n.userid AS TEXT)" };
    let params = Params::new().with("now", NOW).fragment("name", name);
    let journaled =
        if journal { floors::statements(include_str!("floor-participants-journal.sql")) } else { Vec::new() };
    for statement in floors::statements(include_str!("floor-participants.sql")).into_iter().chain(journaled) {
        conn.exec(&statement, &params).await?;
        if conn.dialect() != Dialect::Maria
            && let Some(table) =
                statement.strip_prefix("CREATE TEMPORARY TABLE ").and_then(|rest| rest.split(' ').next())
        {
            conn.command(&format!("ANALYZE {table}")).await?;
        }
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}
