//! 20,000 new accounts with two cohorts and two courses each against the least SQL that writes the same rows, on real
//! servers: seconds, ratios, statements, memory; and the seconds and cores of hashing as many passwords.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench accounts` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, `more` (on each of them also 1,000 accounts, and all with passwords), `hashing`,
//! `memory`, and a number of repetitions. `ENROLD_BENCH_TRACE=MS` writes every statement of the run that takes as long.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod memory;
mod site;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use enrold::accounts::password::Hasher;
use enrold::config::{FileKind, Profile, Sources};
use enrold::db::{Bulk, Dialect, Field, Params};
use enrold::moodle::site::Site;
use enrold::outcome::Report;
use enrold::run::Import;

use memory::peak_kib;
use site::{Bench, NOW, Outcome};

/// New accounts, and as many exist before.
const PEOPLE: i64 = 20_000;
const FEW: i64 = 1_000;
/// Cohorts and courses, of which each account gets two.
const PLACES: i64 = 10;

/// The tables whose rows are counted: both write the same.
const WRITTEN: [&str; 8] = [
    "user",
    "context",
    "user_preferences",
    "cohort_members",
    "user_enrolments",
    "role_assignments",
    "cache_flags",
    "logstore_standard_log",
];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let repeats = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let chosen: Vec<&String> = words.iter().filter(|word| word.parse::<u32>().is_err()).collect();
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|word| *word == name);
    if std::env::var_os("ENROLD_BENCH_TRACE").is_some() {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(Slow).init();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in ["postgres", "mariadb", "sqlite"].into_iter().filter(|engine| wants(engine)) {
            for _ in 0..repeats {
                compare(engine, folder.path()).await?;
                if wants("more") {
                    more(engine, folder.path()).await?;
                }
            }
        }
        if wants("hashing") {
            hashing(folder.path()).await?;
        }
        if wants("memory") { memory(folder.path()).await } else { Ok(()) }
    })
}

/// Writes the lines of the log that tell of a slow statement.
struct Slow;

impl std::io::Write for Slow {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let least: f64 = std::env::var("ENROLD_BENCH_TRACE").ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let told = text.split("duration_ms").nth(1).and_then(|rest| {
            let number: String =
                rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| !" \u{1b}".contains(*c)).collect();
            number.parse::<f64>().ok()
        });
        if told.is_some_and(|took| took >= least) {
            eprint!("{text}");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Slow {
    type Writer = Slow;

    fn make_writer(&'a self) -> Slow {
        Slow
    }
}

/// The cells of an account: user name, names, address, cohorts, courses.
fn cells(number: i64) -> [String; 8] {
    let place = |name: &str, at: i64| format!("{name}{}", 1 + (number + at) % PLACES);
    [
        format!("p{number:06}"),
        format!("Name {number}"),
        format!("First {number}"),
        format!("p{number}@example.com"),
        place("h", 0),
        place("h", 1),
        place("c", 0),
        place("c", 3),
    ]
}

fn file(folder: &Path, people: i64, passwords: bool) -> Outcome<PathBuf> {
    let path = folder.join(format!("users-{people}-{passwords}.csv"));
    let mut text = "username;lastname;firstname;email;cohort1;cohort2;course1;course2".to_owned();
    text += if passwords { ";password\n" } else { "\n" };
    for number in 1..=people {
        text += &cells(number).join(";");
        if passwords {
            write!(text, ";Bienvenue-{number}")?;
        }
        text.push('\n');
    }
    std::fs::write(&path, text)?;
    Ok(path)
}

/// A site with as many accounts, with the cohorts and the manual instances, of a version that hashes by SHA-512.
async fn ready(engine: &str, folder: &Path) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, PEOPLE, PLACES).await?;
    let sets = vec![("guard.mode".to_owned(), "off".to_owned())];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let mut conn = bench.engine.database.connect().await?;
    let none = Params::new();
    for place in 1..=PLACES {
        let cohort = format!(
            "INSERT INTO {{cohort}} (contextid, name, idnumber, description, descriptionformat, visible, component, timecreated, timemodified)
             VALUES (1, 'Cohort {place}', 'h{place}', '', 1, 1, '', 1, 1)"
        );
        let instance = format!(
            "INSERT INTO {{enrol}} (enrol, status, courseid, sortorder, roleid, timecreated, timemodified)
             VALUES ('manual', 0, {}, 1, 5, 1, 1)",
            place + 1
        );
        conn.exec(&cohort, &none).await?;
        conn.exec(&instance, &none).await?;
    }
    conn.exec("INSERT INTO {config} (name, value) VALUES ('version', '2024100700')", &none).await?;
    // Those who are there have contexts, cohorts and courses too, so that the tables have the sizes of a site.
    for insert in [
        "INSERT INTO {context} (contextlevel, instanceid, path, depth) SELECT 30, u.id, '/1/x', 2 FROM {user} u",
        "INSERT INTO {cohort_members} (cohortid, userid, timeadded)
         SELECT h.id, u.id, 1 FROM {user} u JOIN {cohort} h ON h.id % 10 IN (u.id % 10, (u.id + 1) % 10)",
        "INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT e.id, 0, u.id, 0, 0, 2, 1, 1 FROM {user} u
           JOIN {enrol} e ON e.enrol = 'manual' AND e.courseid % 10 IN (u.id % 10, (u.id + 1) % 10)",
        "INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
         SELECT 5, k.id, u.id, 1, 2, '', 0, 0 FROM {user} u
           JOIN {context} k ON k.contextlevel = 50 AND k.instanceid % 10 IN (u.id % 10, (u.id + 1) % 10)",
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

/// The rows of the journal by kind.
async fn changes(bench: &Bench) -> Outcome<Vec<(String, i64)>> {
    let mut conn = bench.engine.database.connect().await?;
    let sql = "SELECT c.kind, COUNT(*) FROM {enrold_change} c GROUP BY c.kind ORDER BY c.kind";
    let rows = conn.rows(sql, &Params::new()).await?;
    conn.close().await;
    Ok(rows.iter().map(|row| (row.text(0), row.int(1))).collect())
}

async fn import(bench: &Bench, path: &Path) -> Outcome<Report> {
    let profile = Profile::of(FileKind::Users);
    let order = Import { path: path.to_owned(), profile: Some(Arc::new(profile)), ..Import::default() };
    Ok(bench.engine.import(&order, false).await?)
}

/// One pair: the floor and the run, each on a fresh site; then the same file again.
async fn compare(engine: &str, folder: &Path) -> Outcome<()> {
    let bench = ready(engine, folder).await?;
    let least_seconds = floor(&bench, false).await?;
    let least = rows(&bench).await?;
    bench.drop().await?;

    let bench = ready(engine, folder).await?;
    let journaled_seconds = floor(&bench, true).await?;
    let journaled = changes(&bench).await?;
    bench.drop().await?;

    let bench = ready(engine, folder).await?;
    let path = file(folder, PEOPLE, false)?;
    let report = import(&bench, &path).await?;
    assert_eq!((report.counts["user.add"], report.errors), (PEOPLE, 0), "{:?}", report.counts);
    assert_eq!(rows(&bench).await?, least, "the rows of {WRITTEN:?}");
    assert_eq!(changes(&bench).await?, journaled, "the rows of the journal");
    let again = import(&bench, &path).await?;
    assert!(again.counts.is_empty(), "the same file again must change nothing: {:?}", again.counts);
    bench.drop().await?;
    let (commit, total) = (report.commit_ms as f64 / 1000.0, report.total_ms as f64 / 1000.0);
    let (floor, journal) = (least_seconds, journaled_seconds);

    println!(
        "{engine}: floor {floor:.2} s, with the rows of the journal {journal:.2} s; {PEOPLE} accounts, commit {commit:.2} s \
         (x {:.2}), all effects {total:.2} s (x {:.2}; x {:.2} of the floor with the journal), {} statements; again {:.2} s, \
         {} statements",
        commit / floor,
        total / floor,
        total / journal,
        report.statements,
        again.total_ms as f64 / 1000.0,
        again.statements,
    );
    Ok(())
}

/// 1,000 accounts, and all of them with passwords.
async fn more(engine: &str, folder: &Path) -> Outcome<()> {
    let bench = ready(engine, folder).await?;
    let few = import(&bench, &file(folder, FEW, false)?).await?;
    bench.drop().await?;
    let bench = ready(engine, folder).await?;
    let (start, used) = (Instant::now(), processor()?);
    let hashed = import(&bench, &file(folder, PEOPLE, true)?).await?;
    let (took, used) = (start.elapsed().as_secs_f64(), processor()? - used);
    bench.drop().await?;
    println!(
        "{engine}: {FEW} accounts {:.2} s, {} statements; {PEOPLE} with passwords {took:.2} s, {used:.1} s of \
         processor, {} statements",
        few.total_ms as f64 / 1000.0,
        few.statements,
        hashed.statements,
    );
    Ok(())
}

/// Seconds for loading the rows and for the statements that any implementation needs, from connection to commit: those
/// of Moodle's tables, and those with the rows of the journal too.
async fn floor(bench: &Bench, journal: bool) -> Outcome<f64> {
    let start = Instant::now();
    let mut conn = bench.engine.database.connect().await?;
    let columns =
        ["username", "lastname", "firstname", "email", "cohort1", "cohort2", "course1", "course2", "password"];
    let table = columns.map(|column| format!("{column} VARCHAR(100) NOT NULL")).join(", ");
    conn.begin().await?;
    let collation = if conn.dialect() == Dialect::Maria { " COLLATE utf8mb4_unicode_ci" } else { "" };
    conn.command(&format!("CREATE TEMPORARY TABLE floor_account ({table}){collation}")).await?;
    let mut load = Bulk::new(conn.dialect(), "floor_account", &columns.join(", "));
    for number in 1..=PEOPLE {
        let cells = cells(number);
        let row = cells.iter().map(String::as_str).chain(["to be generated"]).map(Field::Text);
        load.push(&mut conn, &row.collect::<Vec<_>>()).await?;
    }
    load.finish(&mut conn).await?;
    let name = if conn.dialect() == Dialect::Maria { "CAST(n.userid AS CHAR)" } else { "CAST(n.userid AS TEXT)" };
    let params = Params::new().with("now", NOW).fragment("name", name);
    let journaled = if journal { floors::statements(include_str!("floor-accounts-journal.sql")) } else { Vec::new() };
    for statement in floors::statements(include_str!("floor-accounts.sql")).into_iter().chain(journaled) {
        let watch = Instant::now();
        conn.exec(&statement, &params).await?;
        if std::env::var_os("ENROLD_BENCH_TRACE").is_some() {
            eprintln!(
                "floor {:.0} ms: {}",
                watch.elapsed().as_secs_f64() * 1000.0,
                &statement[..60.min(statement.len())]
            );
        }
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

/// Seconds of the processor that this process has used.
fn processor() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

/// Hashes 20,000 passwords and compares them with the hashes, as a file does the first and the second time.
async fn hashing(folder: &Path) -> Outcome<()> {
    let bench = ready("sqlite", folder).await?;
    let mut conn = bench.engine.database.connect().await?;
    for version in ["2022112810", "2024100700"] {
        conn.literal(&format!("UPDATE mdl_config SET value = '{version}' WHERE name = 'version'")).await?;
        let hasher = Hasher::of(&Site::read(&mut conn).await?, Vec::new());
        let passwords: Vec<String> = (1..=PEOPLE).map(|number| format!("Bienvenue-{number}")).collect();
        let (start, used) = (Instant::now(), processor()?);
        let hashes = hasher.hashes(passwords.iter().map(|text| text.as_str().into()).collect()).await?;
        let (hashed, cores) = (start.elapsed().as_secs_f64(), (processor()? - used) / start.elapsed().as_secs_f64());
        let start = Instant::now();
        let pairs = passwords.iter().zip(&hashes).map(|(text, hash)| (text.as_str().into(), hash.clone())).collect();
        assert!(hasher.fit(pairs).await.into_iter().all(|fits| fits));
        let compared = start.elapsed().as_secs_f64();
        let form =
            hashes[0].rsplit_once('$').map_or("", |(begin, _)| begin).split('$').take(3).collect::<Vec<_>>().join("$");
        println!(
            "hashing: {PEOPLE} passwords as {form}: {hashed:.2} s on {cores:.2} cores; compared in {compared:.2} s"
        );
    }
    conn.close().await;
    bench.drop().await
}

/// The largest resident memory of the real binary while it imports accounts into SQLite.
async fn memory(folder: &Path) -> Outcome<()> {
    for (people, passwords) in [(FEW, false), (PEOPLE, false), (PEOPLE, true)] {
        let bench = ready("sqlite", folder).await?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        for set in [
            format!("database.url={}", bench.url),
            format!("state.path={}", folder.display()),
            "guard.mode=off".to_owned(),
        ] {
            command.arg("--set").arg(set);
        }
        command.args(["--quiet", "import", "--yes", "--kind", "users"]).arg(file(folder, people, passwords)?);
        let start = Instant::now();
        let peak = peak_kib(&mut command)? as f64 / 1024.0;
        let with = if passwords { " with passwords" } else { "" };
        println!(
            "memory: {people} accounts{with} into SQLite in {:.1} s, resident at most {peak:.1} MiB",
            start.elapsed().as_secs_f64()
        );
        bench.drop().await?;
    }
    Ok(())
}
