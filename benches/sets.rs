//! A nightly full set of 200,000 rows against the least SQL that it needs, on real servers: new, unchanged, and with a
//! tenth of the rows replaced; ten thousand groups of thirty users in one course, new and unchanged, without a floor.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench sets` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, `new`, `same`, `churn`, `groups`, `groups-same`, `memory`, and a number of pairs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod memory;
mod site;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use enrold::config::Sources;
use enrold::db::{Bulk, Dialect, Field, Params};
use enrold::outcome::Report;
use enrold::sets::SetOrder;

use site::{Bench, NOW, Outcome};

const USERS: i64 = 20_000;
const COURSES: i64 = 10;
/// Users who leave, and as many who join.
const CHURN: i64 = 2_000;
/// Groups in one course, and the members of each.
const GROUPS: i64 = 10_000;
const MEMBERS: i64 = 30;

const RESOLVE: &str = include_str!("floor-set-resolve.sql");
const SAME: &str = include_str!("floor-set-same.sql");
const NEW: &str = include_str!("floor-set-new.sql");
const GONE: &str = include_str!("floor-set-gone.sql");
const COHORT_NEW: &str = include_str!("floor-cohort.sql");
const COHORT_GONE: &str = include_str!("floor-cohort-gone.sql");
const FLAGS: &str = include_str!("floor-flags.sql");

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let pairs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let wants = |name: &str, among: &[&str]| {
        let asked = words.iter().any(|word| among.contains(&word.as_str()));
        !asked || words.iter().any(|word| word == name)
    };
    let engines = ["postgres", "mariadb", "sqlite"];
    let works = ["new", "same", "churn", "groups", "groups-same"];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in engines.into_iter().filter(|engine| wants(engine, &engines)) {
            for work in works.into_iter().filter(|work| wants(work, &[works.as_slice(), &["memory"]].concat())) {
                compare(engine, folder.path(), work, pairs).await?;
            }
        }
        if wants("memory", &[works.as_slice(), &["memory"]].concat()) && wants("postgres", &engines) {
            peak(folder.path()).await?;
        }
        Ok(())
    })
}

/// The largest resident memory of the real binary with a small set and with the whole one.
async fn peak(folder: &Path) -> Outcome<()> {
    for users in [USERS / 10, USERS] {
        let bench = ready("postgres", folder, "new").await?;
        let file = folder.join("memory.csv");
        let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
        writeln!(out, "user,course,role")?;
        for (user, course) in rows(false).filter(|(user, _)| *user <= users) {
            writeln!(out, "n{user},ic{course},student")?;
        }
        out.flush()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        for set in [format!("database.url={}", bench.url), format!("state.path={}", folder.display())] {
            command.arg("--set").arg(set);
        }
        command.args([
            "--set",
            "guard.mode=off",
            "--set",
            "sources.records.files=x.csv",
            "--set",
            "sources.records.unenrolaction=unenrol",
        ]);
        command.args(["--quiet", "import", "--yes", "--source", "records"]).arg(&file);
        let start = Instant::now();
        let peak = memory::peak_kib(&mut command)? as f64 / 1024.0;
        println!(
            "memory: {} rows on PostgreSQL in {:.1} s, resident at most {peak:.1} MiB",
            users * COURSES,
            start.elapsed().as_secs_f64()
        );
        bench.drop().await?;
    }
    Ok(())
}

async fn compare(engine: &str, folder: &Path, work: &str, pairs: usize) -> Outcome<()> {
    let (mut ratios, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let mut line = format!("{engine} set-{work}:");
        if engine == "postgres" && !work.starts_with("groups") {
            let bench = ready(engine, folder, work).await?;
            let took = floor(&bench, work).await?;
            bench.drop().await?;
            ratios.push(took);
            line += &format!(" floor {took:.2} s,");
        }
        let bench = ready(engine, folder, work).await?;
        let start = Instant::now();
        let report = run(&bench, &snapshot(folder, work)?).await?;
        let took = start.elapsed().as_secs_f64();
        bench.drop().await?;
        if let Some(floor) = ratios.last_mut() {
            *floor = took / *floor;
            line += &format!(" x {floor:.2},");
        }
        seconds.push(took);
        let rule = &report.rules[0];
        let commit = report.commit_ms as f64 / 1000.0;
        let (added, removed, statements) = (rule.added, rule.removed, report.statements);
        println!("{line} {took:.2} s, commit {commit:.2} s, {added} added, {removed} removed, {statements} statements");
    }
    println!("{engine} set-{work}: {:.2} s, x {:.2}", median(&mut seconds), median(&mut ratios));
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The rows before or after the change, in the canonical order of snapshots: the first users leave, and others join.
fn rows(churned: bool) -> impl Iterator<Item = (i64, i64)> {
    let users = if churned { CHURN + 1..=USERS + CHURN } else { 1..=USERS };
    let mut users: Vec<i64> = users.collect();
    let mut courses: Vec<i64> = (1..=COURSES).collect();
    users.sort_by_key(i64::to_string);
    courses.sort_by_key(i64::to_string);
    courses.into_iter().flat_map(move |course| users.clone().into_iter().map(move |user| (user, course)))
}

fn write(path: &Path, work: &str, churned: bool) -> Outcome<PathBuf> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    if work.starts_with("groups") {
        writeln!(out, "user,course,role,group")?;
        for group in 0..GROUPS {
            writeln!(out, "n{},ic1,student,Group {group}", 1 + group % MEMBERS)?;
        }
        out.flush()?;
        return Ok(path.to_owned());
    }
    writeln!(out, "user,course,role")?;
    for (user, course) in rows(churned) {
        writeln!(out, "n{user},ic{course},student")?;
    }
    out.flush()?;
    Ok(path.to_owned())
}

fn snapshot(folder: &Path, work: &str) -> Outcome<PathBuf> {
    write(&folder.join(format!("{work}.csv")), work, work == "churn")
}

/// A site prepared for the workload.
async fn ready(engine: &str, folder: &Path, work: &str) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, USERS + CHURN, COURSES).await?;
    let sets = [
        ("guard.mode", "off"),
        ("sources.records.files", "x.csv"),
        ("sources.records.unenrolaction", "unenrol"),
        ("sources.records.create_groups", "true"),
    ];
    let sets = sets.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let mut conn = bench.engine.database.connect().await?;
    conn.literal("UPDATE mdl_config SET value = 'manual,database' WHERE name = 'enrol_plugins_enabled'").await?;
    conn.close().await;
    if !["new", "groups"].contains(&work) {
        run(&bench, &write(&folder.join("before.csv"), work, false)?).await?;
    }
    let mut conn = bench.engine.database.connect().await?;
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

async fn run(bench: &Bench, snapshot: &Path) -> Outcome<Report> {
    let order = SetOrder { snapshot: snapshot.to_owned(), ..SetOrder::of("records") };
    Ok(bench.engine.apply_set(&order, false).await?)
}

/// Seconds for loading the rows and for the statements that any implementation needs, from connection to commit.
async fn floor(bench: &Bench, work: &str) -> Outcome<f64> {
    let params = Params::new().with("now", NOW);
    let start = Instant::now();
    let mut conn = bench.engine.database.connect().await?;
    conn.begin().await?;
    conn.command("CREATE TEMPORARY TABLE floor_set (ukey VARCHAR(255) NOT NULL, ckey VARCHAR(255) NOT NULL, rkey VARCHAR(255) NOT NULL) ON COMMIT DROP").await?;
    let mut load = Bulk::new(conn.dialect(), "floor_set", "ukey, ckey, rkey");
    for (user, course) in rows(work == "churn") {
        let (user, course) = (format!("n{user}"), format!("ic{course}"));
        load.push(&mut conn, &[Field::Text(&user), Field::Text(&course), Field::Text("student")]).await?;
    }
    load.finish(&mut conn).await?;
    let mut statements = floors::statements(RESOLVE);
    match work {
        "same" => statements.extend(floors::statements(SAME)),
        "new" => statements.extend(with_first(NEW, COHORT_NEW)),
        _ => {
            statements.extend(with_first(GONE, COHORT_GONE));
            statements.extend(floors::statements(FLAGS));
            statements.push("DROP TABLE floor_dirty".to_owned());
            statements.extend(with_first(NEW, COHORT_NEW));
        }
    }
    if work != "same" {
        statements.extend(floors::statements(FLAGS));
    }
    for statement in statements {
        conn.exec(&statement, &params).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}

/// The floor of cohort sync on other rows, which its first statement selects.
fn with_first(first: &str, cohort: &str) -> Vec<String> {
    let of_set = |text: String| {
        text.replace("enrol_cohort", "enrol_database").replace(r#""enrol":"cohort""#, r#""enrol":"database""#)
    };
    let rest = floors::statements(cohort).into_iter().skip(1).map(of_set);
    floors::statements(first).into_iter().chain(rest).collect()
}
