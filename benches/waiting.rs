//! 50,000 lines that wait, and 10,000 accounts that appear, on real servers: seconds and statements of the pass that
//! applies their lines, of one for 1,000 accounts, and of one that finds nobody new.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench waiting` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, `username`, `email`, `idnumber`, and a number of repetitions.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod site;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use enrold::config::Sources;
use enrold::db::{Bulk, Dialect, Field};
use enrold::outcome::Report;
use enrold::run::{Import, SyncOrder};

use site::{Bench, Outcome};

/// Accounts that exist before.
const USERS: i64 = 20_000;
const COURSES: i64 = 10;
/// Lines that wait, each of another person.
const WAITING: i64 = 50_000;
const MANY: i64 = 10_000;
const FEW: i64 = 1_000;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let repeats = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1);
    let wants = |name: &str, among: &[&str]| {
        let asked = words.iter().any(|word| among.contains(&word.as_str()));
        !asked || words.iter().any(|word| word == name)
    };
    let (engines, keys) = (["postgres", "mariadb", "sqlite"], ["username", "email", "idnumber"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in engines.into_iter().filter(|engine| wants(engine, &engines)) {
            for key in keys.into_iter().filter(|key| wants(key, &keys)) {
                for _ in 0..repeats {
                    measure(engine, key, folder.path()).await?;
                }
            }
        }
        Ok(())
    })
}

fn name(key: &str, person: i64) -> String {
    match key {
        "email" => format!("w{person}@example.org"),
        "idnumber" => format!("N{person}"),
        _ => format!("w{person}"),
    }
}

async fn measure(engine: &str, key: &str, folder: &Path) -> Outcome<()> {
    let mut bench = Bench::new(engine, folder, USERS, COURSES).await?;
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let sets = vec![set("guard.mode", "off"), set("waiting.max", "100000"), set("flatfile.header.user_key", key)];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let kept = import(&bench, folder, (0..WAITING).map(|person| name(key, person))).await?;
    assert_eq!(kept.lines.waiting, WAITING as u64, "{}", bench.url);
    let again = import(&bench, folder, (0..WAITING).map(|person| name(key, person))).await?;
    assert_eq!(again.lines.waiting, WAITING as u64, "{}", bench.url);
    // The journal has rows of later runs, of others.
    let who = |user: i64| match key {
        "email" => format!("u{user}@example.org"),
        "idnumber" => format!("n{user}"),
        _ => format!("u{user}"),
    };
    let later = import(&bench, folder, (1..=USERS).map(who)).await?;
    assert_eq!(later.counts["enrolment.add"], USERS);

    let nobody = none(&bench).await?;
    accounts(&bench, 0..FEW).await?;
    let few = pass(&bench, FEW).await?;
    accounts(&bench, FEW..FEW + MANY).await?;
    let many = pass(&bench, MANY).await?;
    let left = none(&bench).await?;
    bench.drop().await?;
    println!(
        "{engine} {key}: {WAITING} lines begin to wait in {:.2} s, the same file again {:.2} s; nobody new {:.3} s, {} statements; {FEW} accounts \
         {:.2} s, {} statements; {MANY} accounts {:.2} s, {} statements; nobody new again {:.3} s, {} statements",
        kept.total_ms as f64 / 1000.0,
        again.total_ms as f64 / 1000.0,
        nobody.0,
        nobody.1,
        few.total_ms as f64 / 1000.0,
        few.statements,
        many.total_ms as f64 / 1000.0,
        many.statements,
        left.0,
        left.1,
    );
    Ok(())
}

async fn import(bench: &Bench, folder: &Path, names: impl Iterator<Item = String>) -> Outcome<Report> {
    let path = folder.join("waiting.csv");
    let mut text = "operation;role;user;course\n".to_owned();
    for (at, name) in names.enumerate() {
        writeln!(text, "add;student;{name};c{}", 1 + at as i64 % COURSES)?;
    }
    std::fs::write(&path, text)?;
    Ok(bench.engine.import(&Import { path, ..Import::default() }, false).await?)
}

/// Seconds and statements of a look that finds nobody.
async fn none(bench: &Bench) -> Outcome<(f64, u64)> {
    let (start, before) = (Instant::now(), bench.engine.database.statements());
    assert!(!bench.engine.finds_waiting().await?);
    Ok((start.elapsed().as_secs_f64(), bench.engine.database.statements() - before))
}

async fn pass(bench: &Bench, people: i64) -> Outcome<Report> {
    let start = Instant::now();
    assert!(bench.engine.finds_waiting().await?);
    let looked = start.elapsed().as_secs_f64();
    let report = bench.engine.sync(&SyncOrder::of("waiting"), false).await?;
    assert_eq!(report.counts["enrolment.add"], people, "found in {looked:.2} s");
    Ok(report)
}

/// Accounts for these people.
async fn accounts(bench: &Bench, people: std::ops::Range<i64>) -> Outcome<()> {
    let mut conn = bench.engine.database.connect().await?;
    let columns = "id, username, idnumber, email, auth, mnethostid, confirmed";
    let mut rows = Bulk::new(conn.dialect(), &conn.table("user"), columns);
    for person in people {
        let [user, number, mail] = ["username", "idnumber", "email"].map(|key| name(key, person));
        let texts = [&user, &number, &mail].map(|text| Field::Text(text));
        let [user, number, mail] = texts;
        let row =
            [Field::Int(1_000_000 + person), user, number, mail, Field::Text("ldap"), Field::Int(1), Field::Int(1)];
        rows.push(&mut conn, &row).await?;
    }
    rows.finish(&mut conn).await?;
    if conn.dialect() == Dialect::Postgres {
        conn.command("ANALYZE").await?;
    }
    conn.close().await;
    Ok(())
}
