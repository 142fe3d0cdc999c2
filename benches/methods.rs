//! A file of 10,000 methods over 2,000 courses, on real servers: seconds against the bare SQL that writes the same rows,
//! statements of it and of a tenth of it, and the same file again.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench methods` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, and a number of pairs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod site;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use enrold::config::{FileKind, Profile, Sources};
use enrold::db::{Dialect, Params};
use enrold::outcome::Report;
use enrold::run::Import;

use site::{Bench, NOW, Outcome};

/// People, four in each cohort.
const USERS: i64 = 2_000;
const COURSES: i64 = 2_000;
/// Cohorts of each course.
const METHODS: i64 = 5;

/// What both sides find: cohorts of four people each, and the table by which the floor knows the rows of the file.
const BEFORE: [&str; 4] = [
    "UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'",
    "INSERT INTO {cohort} (id, contextid, name, idnumber, descriptionformat, visible, component, timecreated, timemodified)
     SELECT u.id, 1, 'Cohort ' || u.id, 'k' || u.id, 0, 1, '', 0, 0 FROM {user} u WHERE u.id > 2 AND u.id % 4 = 0",
    "INSERT INTO {cohort_members} (cohortid, userid, timeadded)
     SELECT u.id - u.id % 4, u.id, 0 FROM {user} u JOIN {cohort} h ON h.id = u.id - u.id % 4",
    "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('enrol_cohort', 'unenrolaction', '0')",
];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let pairs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let engines = ["postgres", "mariadb", "sqlite"];
    let asked = words.iter().any(|word| engines.contains(&word.as_str()));
    let wanted = engines.into_iter().filter(|engine| !asked || words.iter().any(|word| word == engine));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in wanted {
            measure(engine, folder.path(), pairs).await?;
        }
        Ok(())
    })
}

async fn measure(engine: &str, folder: &Path, pairs: usize) -> Outcome<()> {
    let few = {
        let bench = ready(engine, folder).await?;
        let report = import(&bench, folder, COURSES / 10).await?;
        bench.drop().await?;
        report
    };
    for _ in 0..pairs {
        let bench = ready(engine, folder).await?;
        let floor_seconds = floor(&bench, false).await?;
        bench.drop().await?;
        let bench = ready(engine, folder).await?;
        let journal_seconds = floor(&bench, true).await?;
        bench.drop().await?;
        let bench = ready(engine, folder).await?;
        let start = Instant::now();
        let report = import(&bench, folder, COURSES).await?;
        let took = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let again = import(&bench, folder, COURSES).await?;
        let same = start.elapsed().as_secs_f64();
        assert!(again.counts.is_empty(), "{:?}", again.counts);
        bench.drop().await?;
        println!(
            "{engine}: {} methods, {} enrolments: {took:.2} s, bare SQL {floor_seconds:.2} s, x {:.2}; with the rows of \
             the journal {journal_seconds:.2} s, x {:.2}; {} statements, {} for a tenth; again {same:.2} s",
            report.counts["instance.add"],
            report.counts["enrolment.add"],
            took / floor_seconds,
            took / journal_seconds,
            report.statements,
            few.statements,
        );
    }
    Ok(())
}

/// The cohort of a method, by its number in the course.
fn cohort(course: i64, method: i64) -> i64 {
    4 + 4 * ((course * METHODS + method) % (USERS / 4 - 1))
}

async fn ready(engine: &str, folder: &Path) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, USERS, COURSES).await?;
    let sets = vec![("guard.mode".to_owned(), "off".to_owned())];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let mut conn = bench.engine.database.connect().await?;
    for statement in BEFORE {
        conn.literal(statement).await?;
    }
    match conn.dialect() {
        Dialect::Postgres => {
            enrold::moodle::install::reset_sequences(&mut conn).await?;
            conn.command("VACUUM ANALYZE").await?;
        }
        Dialect::Lite => conn.command("ANALYZE").await?,
        Dialect::Maria => {}
    }
    conn.close().await;
    Ok(bench)
}

async fn import(bench: &Bench, folder: &Path, courses: i64) -> Outcome<Report> {
    let path = folder.join("methods.csv");
    let mut text = "operation;method;shortname;metacohort;disabled;group;role\n".to_owned();
    for course in 1..=courses {
        for method in 0..METHODS {
            writeln!(text, "add;cohort;c{course};k{};0;;student", cohort(course, method))?;
        }
    }
    std::fs::write(&path, text)?;
    let profile = Some(Arc::new(Profile::of(FileKind::Methods)));
    let report = bench.engine.import(&Import { path, profile, ..Import::default() }, false).await?;
    assert_eq!(report.errors, 0, "{}: {:?}", bench.url, report.problems);
    Ok(report)
}

/// Seconds for the bare SQL: the rows, loaded as a table, then instances, enrolments, roles and events;
/// with the rows of the journal too.
async fn floor(bench: &Bench, journal: bool) -> Outcome<f64> {
    let params = Params::new().with("now", NOW);
    let start = Instant::now();
    let mut conn = bench.engine.database.connect().await?;
    conn.begin().await?;
    let columns = "courseid BIGINT NOT NULL, cohortid BIGINT NOT NULL";
    conn.exec(&format!("CREATE TEMPORARY TABLE floor_row ({columns})"), &params).await?;
    let rows: Vec<String> = (1..=COURSES)
        .flat_map(|course| (0..METHODS).map(move |method| format!("({}, {})", course + 1, cohort(course, method))))
        .collect();
    for some in rows.chunks(500) {
        conn.exec(&format!("INSERT INTO floor_row VALUES {}", some.join(", ")), &params).await?;
    }
    let journaled = if journal { floors::statements(include_str!("floor-methods-journal.sql")) } else { Vec::new() };
    for statement in floors::statements(include_str!("floor-methods.sql")).into_iter().chain(journaled) {
        conn.exec(&statement, &params).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}
