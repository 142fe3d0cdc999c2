//! The flat file against the least SQL that it needs, on real servers: seconds, ratios, statements, memory.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench` measures everything; words after `--` choose: `postgres`, `mariadb`,
//! `sqlite`, `memory`, and a number of repetitions.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod imports;
mod memory;
mod site;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use enrold::db::{Bulk, Dialect, Field, Params};
use imports::file;
use memory::peak_kib;
use site::{Bench, NOW, Outcome};

const USERS: i64 = 10_000;
const COURSES: i64 = 10;

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
                bench(engine, folder.path()).await?;
            }
        }
        if wants("memory") { memory(folder.path()).await } else { Ok(()) }
    })
}

/// One database: the floor (PostgreSQL), 100,000 adds, the same file again, 1,000 adds on the empty site.
async fn bench(engine: &str, folder: &Path) -> Outcome<()> {
    let bench = Bench::new(engine, folder, USERS, COURSES).await?;
    let large = file(folder, USERS, COURSES)?;
    let small = file(folder, USERS / 100, COURSES)?;
    let mut line = format!("{engine}:");
    let mut floor = None;
    if engine == "postgres" {
        let took = floor_seconds(&bench, &large).await?;
        write!(line, " floor {took:.2} s;")?;
        floor = Some(took);
        bench.empty().await?;
    }
    let report = bench.import(&large).await?;
    for (name, millis) in [("commit", report.commit_ms), ("all effects", report.total_ms)] {
        let took = millis as f64 / 1000.0;
        write!(line, " 100,000 adds, {name} {took:.2} s")?;
        if let Some(floor) = floor {
            write!(line, " (x {:.2})", took / floor)?;
        }
        line.push(';');
    }
    write!(line, " {} statements;", report.statements)?;
    let again = bench.import(&large).await?;
    assert!(again.counts.is_empty(), "the same file again must change nothing: {:?}", again.counts);
    write!(line, " again {:.2} s, {} statements;", again.total_ms as f64 / 1000.0, again.statements)?;
    bench.empty().await?;
    let report = bench.import(&small).await?;
    println!("{line} 1,000 adds {:.3} s, {} statements", report.total_ms as f64 / 1000.0, report.statements);
    bench.drop().await
}

/// Runs the bare SQL on the same lines in one transaction; returns seconds.
async fn floor_seconds(bench: &Bench, path: &Path) -> Outcome<f64> {
    let mut conn = bench.engine.database.connect().await?;
    let text = std::fs::read_to_string(path)?;
    let start = Instant::now();
    conn.begin().await?;
    conn.command(
        "CREATE TEMPORARY TABLE floor_line (username TEXT, course TEXT, role TEXT, timestart BIGINT, timeend BIGINT)",
    )
    .await?;
    let mut bulk = Bulk::new(Dialect::Postgres, "floor_line", "username, course, role, timestart, timeend");
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let row = [Field::Text(cells[1]), Field::Text(cells[2]), Field::Text(cells[3]), Field::Int(0), Field::Int(0)];
        bulk.push(&mut conn, &row).await?;
    }
    bulk.finish(&mut conn).await?;
    for statement in floors::statements(include_str!("floor.sql")) {
        conn.exec(&statement, &Params::new().with("now", NOW)).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}

/// The largest resident memory of the real binary while it imports 10,000 and 1,000,000 lines into SQLite.
async fn memory(folder: &Path) -> Outcome<()> {
    for (users, courses) in [(1_000, 10), (50_000, 20)] {
        let bench = Bench::new("sqlite", folder, users, courses).await?;
        let file = file(folder, users, courses)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        command.arg("--set").arg(format!("database.url={}", bench.url));
        command
            .arg("--set")
            .arg(format!("state.path={}", folder.display()))
            .args(["--quiet", "import", "--yes"])
            .arg(file);
        let start = Instant::now();
        let peak = peak_kib(&mut command)?;
        let took = start.elapsed().as_secs_f64();
        println!(
            "memory: {} lines into SQLite in {took:.1} s, resident at most {:.1} MiB",
            users * courses,
            peak as f64 / 1024.0
        );
    }
    Ok(())
}
