//! The rules against the least SQL that they need, on real servers: seconds, ratios, statements, memory.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench rules` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, names of cases (`cohort-new`, …), `large`, `memory`, and a number of pairs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod memory;
mod site;
mod work;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use enrold::config::Sources;
use enrold::db::{Database, Dialect, Params};
use enrold::outcome::Report;
use enrold::run::SyncOrder;

use site::{Bench, NOW, Outcome};
use work::{LARGE, WORKS, Work};

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let pairs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let chosen: Vec<&str> = words.iter().map(String::as_str).filter(|word| word.parse::<u32>().is_err()).collect();
    let wants = |name: &str, among: &[&str]| {
        let asked: Vec<&&str> = chosen.iter().filter(|word| among.contains(word)).collect();
        asked.is_empty() || asked.contains(&&name)
    };
    let engines = ["postgres", "mariadb", "sqlite"];
    let names: Vec<&str> = WORKS.iter().map(|work| work.name).chain(["large", "memory"]).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in engines.into_iter().filter(|engine| wants(engine, &engines)) {
            for work in WORKS.iter().filter(|work| wants(work.name, &names)) {
                compare(engine, folder.path(), work, pairs).await?;
            }
        }
        if wants("large", &names) && wants("postgres", &engines) {
            large(folder.path()).await?;
        }
        if wants("memory", &names) && wants("postgres", &engines) {
            peak(folder.path()).await?;
        }
        Ok(())
    })
}

/// One workload on one database: on PostgreSQL pairs of floor and run, one after the other, each on a fresh site.
async fn compare(engine: &str, folder: &Path, work: &Work, pairs: usize) -> Outcome<()> {
    let few = run(&ready(engine, folder, work, work.few).await?, work).await?;
    let mut ratios = Vec::new();
    let mut seconds = Vec::new();
    let mut statements = 0;
    let mut changes = 0;
    for _ in 0..pairs {
        let floor = match engine {
            "postgres" => {
                let site = ready(engine, folder, work, work.many).await?;
                let took = floor_seconds(&site.engine.database, work.floors).await?;
                site.drop().await?;
                Some(took)
            }
            _ => None,
        };
        let site = ready(engine, folder, work, work.many).await?;
        let done = run(&site, work).await?;
        site.drop().await?;
        if let Some(floor) = floor {
            ratios.push(done.seconds / floor);
            print!("{engine} {}: floor {floor:.2} s, ", work.name);
        }
        println!("{:.2} s, commit {:.2} s", done.seconds, done.report.commit_ms as f64 / 1000.0);
        seconds.push(done.seconds);
        statements = done.report.statements;
        changes = done.changes;
    }
    let ratio = if ratios.is_empty() { String::new() } else { format!(" x {:.2} of the floor,", median(&mut ratios)) };
    println!(
        "{engine} {}: {:.2} s,{ratio} {changes} changes, {statements} statements; {} changes, {} statements",
        work.name,
        median(&mut seconds),
        few.changes,
        few.report.statements
    );
    Ok(())
}

struct Done {
    report: Report,
    seconds: f64,
    /// Enrolments added or removed.
    changes: i64,
}

/// A site prepared for the workload.
async fn ready(engine: &str, folder: &Path, work: &Work, users: i64) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, users, work.courses).await?;
    let sets = vec![("guard.mode".to_owned(), "off".to_owned())];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    work::enable(&bench, work.rule).await?;
    send(&bench, &(work.before)(users)).await?;
    if work.synced {
        run(&bench, work).await?;
        send(&bench, &(work.then)(users)).await?;
    }
    settle(&bench).await?;
    Ok(bench)
}

async fn send(bench: &Bench, statements: &[String]) -> Outcome<()> {
    let mut conn = bench.engine.database.connect().await?;
    conn.begin().await?;
    for statement in statements {
        conn.literal(statement).await?;
    }
    conn.commit().await?;
    if conn.dialect() == Dialect::Postgres {
        enrold::moodle::install::reset_sequences(&mut conn).await?;
    }
    conn.close().await;
    Ok(())
}

/// Makes the server write its data to disk and update its statistics.
async fn settle(bench: &Bench) -> Outcome<()> {
    let mut conn = bench.engine.database.connect().await?;
    let commands: &[&str] = match conn.dialect() {
        Dialect::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
        Dialect::Lite => &["ANALYZE"],
        Dialect::Maria => &[],
    };
    for command in commands {
        conn.command(command).await?;
    }
    conn.close().await;
    Ok(())
}

async fn run(bench: &Bench, work: &Work) -> Outcome<Done> {
    let start = Instant::now();
    let report = bench.engine.sync(&SyncOrder::of(work.rule), false).await?;
    let seconds = start.elapsed().as_secs_f64();
    let count = |kind: &str| report.counts.get(kind).copied().unwrap_or(0);
    let changes = count("enrolment.add") + count("enrolment.remove");
    Ok(Done { report, seconds, changes })
}

/// Measures a large site without anything to do, without a floor.
async fn large(folder: &Path) -> Outcome<()> {
    let bench = ready("postgres", folder, &LARGE, LARGE.many).await?;
    let mut conn = bench.engine.database.connect().await?;
    let enrolments = conn.number("SELECT COUNT(*) FROM {user_enrolments}", &Params::new()).await?;
    conn.close().await;
    let first = run(&bench, &LARGE).await?;
    let again = run(&bench, &LARGE).await?;
    println!(
        "postgres large: {} users, {} instances of 40 rules, {enrolments} enrolments: {:.1} s ({} changes), again {:.1} s ({} changes), {} statements",
        LARGE.many, LARGE.courses, first.seconds, first.changes, again.seconds, again.changes, again.report.statements
    );
    bench.drop().await
}

/// The largest resident memory of the real binary while cohort sync adds 5,000, 50,000 and 500,000 enrolments.
async fn peak(folder: &Path) -> Outcome<()> {
    let work = &WORKS[0];
    for users in [1_000, 10_000, 100_000] {
        let bench = ready("postgres", folder, work, users).await?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        for set in [format!("database.url={}", bench.url), format!("state.path={}", folder.display())] {
            command.arg("--set").arg(set);
        }
        command.args(["--set", "guard.mode=off", "--quiet", "sync", work.rule]);
        let start = Instant::now();
        let peak = memory::peak_kib(&mut command)?;
        println!(
            "memory: {} enrolments on PostgreSQL in {:.1} s, resident at most {:.1} MiB",
            users * 5,
            start.elapsed().as_secs_f64(),
            peak as f64 / 1024.0
        );
        bench.drop().await?;
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds for the floors one after the other, from the connection to the commit, as for a run.
async fn floor_seconds(database: &Database, floors: &[&str]) -> Outcome<f64> {
    let params = Params::new().with("now", NOW);
    let start = Instant::now();
    let mut conn = database.connect().await?;
    conn.begin().await?;
    for statement in floors.iter().flat_map(|floor| floors::statements(floor)) {
        conn.exec(&statement, &params).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}
