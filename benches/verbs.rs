//! Conversion of 50,000 cohort enrolments of a course to manual ones against the least SQL that writes the same rows,
//! and the list of 20,000 participants as CSV, xlsx and ods, on real servers: seconds, ratios, statements.
//!
//! `ENROLD_TEST_FSYNC=1 ./test --with cargo bench --bench verbs` measures everything; words after `--` choose:
//! `postgres`, `mariadb`, `sqlite`, `convert`, `participants`, and a number of repetitions. `ENROLD_BENCH_PEOPLE=N`
//! takes N people for both.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod floors;
mod site;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use enrold::config::{CourseKey, Locale, Sources};
use enrold::db::{Dialect, Params};
use enrold::front::{Front, ParticipantFilter, Who};
use enrold::outcome::Observer;
use enrold::report::participants;
use enrold::verbs::{Place, SourceFate, Verb, VerbOrder};
use tokio_util::sync::CancellationToken;

use site::{Bench, NOW, Outcome};

/// Enrolments that are converted.
const CONVERTED: i64 = 50_000;
/// The first of them, whose statements are compared with those of all.
const FEW: i64 = 1_000;
/// Participants of a list.
const LISTED: i64 = 20_000;

/// The tables whose rows are counted: both write the same.
const WRITTEN: [&str; 4] = ["user_enrolments", "role_assignments", "groups_members", "logstore_standard_log"];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let repeats = words.iter().find_map(|word| word.parse().ok()).unwrap_or(3);
    let wants = |name: &str, among: &[&str]| {
        let asked = words.iter().any(|word| among.contains(&word.as_str()));
        !asked || words.iter().any(|word| word == name)
    };
    let people: Option<i64> = std::env::var("ENROLD_BENCH_PEOPLE").ok().and_then(|number| number.parse().ok());
    let (engines, works) = (["postgres", "mariadb", "sqlite"], ["convert", "participants"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        for engine in engines.into_iter().filter(|engine| wants(engine, &engines)) {
            for _ in 0..repeats {
                if wants("convert", &works) {
                    convert(engine, folder.path(), people.unwrap_or(CONVERTED)).await?;
                }
                if wants("participants", &works) {
                    list(engine, folder.path(), people.unwrap_or(LISTED)).await?;
                }
            }
        }
        Ok(())
    })
}

/// A course with a manual method and so many people of a cohort, each with a role, in one of 50 groups.
async fn ready(engine: &str, folder: &Path, people: i64) -> Outcome<Bench> {
    let mut bench = Bench::new(engine, folder, people, 10).await?;
    let sets = vec![("guard.mode".to_owned(), "off".to_owned())];
    let mut settings = enrold::config::load(&Sources { sets, ..Sources::default() })?.settings;
    settings.state.path = folder.to_owned();
    bench.engine.settings = Arc::new(settings);
    let mut conn = bench.engine.database.connect().await?;
    let none = Params::new();
    let groups: Vec<String> = (1..=50).map(|n| format!("(2, '', 'Groupe {n}', 1, 1)")).collect();
    let groups = format!(
        "INSERT INTO {{groups}} (courseid, idnumber, name, timecreated, timemodified) VALUES {}",
        groups.join(", ")
    );
    for statement in [
        "UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'",
        "INSERT INTO {enrol} (enrol, status, courseid, sortorder, roleid, timecreated, timemodified)
         VALUES ('manual', 0, 2, 1, 5, 1, 1), ('cohort', 0, 2, 2, 5, 1, 1)",
        "INSERT INTO {cohort} (contextid, name, idnumber, description, descriptionformat, visible, component, timecreated,
             timemodified) VALUES (1, 'P', 'p', '', 1, 1, '', 1, 1)",
        "INSERT INTO {cohort_members} (cohortid, userid, timeadded)
         SELECT h.id, u.id, 1 FROM {user} u JOIN {cohort} h ON h.idnumber = 'p' WHERE u.id > 2",
        "UPDATE {enrol} SET customint1 = (SELECT MIN(h.id) FROM {cohort} h) WHERE enrol = 'cohort'",
        "UPDATE {user} SET lastname = 'Élève ' || idnumber, firstname = 'Zoé'",
        "INSERT INTO {user_enrolments} (enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified)
         SELECT e.id, 0, u.id, 0, 0, 2, 1, 1 FROM {user} u JOIN {enrol} e ON e.enrol = 'cohort' WHERE u.id > 2",
        "INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid, sortorder)
         SELECT 5, 11, u.id, 1, 2, 'enrol_cohort', e.id, 0 FROM {user} u JOIN {enrol} e ON e.enrol = 'cohort' WHERE u.id > 2",
        groups.as_str(),
        "INSERT INTO {groups_members} (groupid, userid, timeadded, component, itemid)
         SELECT g.id, u.id, 1, 'enrol_cohort', e.id FROM {user} u JOIN {enrol} e ON e.enrol = 'cohort'
           JOIN {groups} g ON g.id % 50 = u.id % 50 WHERE u.id > 2",
    ] {
        conn.exec(statement, &none).await?;
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

/// The rows of each table that is written, and how many still belong to the cohort.
async fn rows(bench: &Bench) -> Outcome<Vec<i64>> {
    let mut conn = bench.engine.database.connect().await?;
    let mut rows = Vec::new();
    for table in WRITTEN {
        rows.push(conn.number(&format!("SELECT COUNT(*) FROM {{{table}}}"), &Params::new()).await?);
    }
    for table in ["role_assignments", "groups_members"] {
        let owned = format!("SELECT COUNT(*) FROM {{{table}}} x WHERE x.component <> ''");
        rows.push(conn.number(&owned, &Params::new()).await?);
    }
    conn.close().await;
    Ok(rows)
}

/// Seconds of the statements that any implementation needs, from connection to commit; with the rows of the journal too.
async fn floor(bench: &Bench, journal: bool) -> Outcome<f64> {
    let start = Instant::now();
    let mut conn = bench.engine.database.connect().await?;
    conn.begin().await?;
    let mut statements = floors::statements(include_str!("floor-convert.sql"));
    if journal {
        statements.splice(1..1, floors::statements(include_str!("floor-convert-journal.sql")));
    }
    for statement in statements {
        conn.exec(&statement, &Params::new().with("now", NOW)).await?;
    }
    conn.commit().await?;
    let took = start.elapsed().as_secs_f64();
    conn.close().await;
    Ok(took)
}

fn order() -> VerbOrder {
    VerbOrder {
        verb: Verb::Convert { method: "cohort".to_owned(), instance: None, source: SourceFate::Disable },
        place: Place::Course { key: CourseKey::Shortname, text: "c1".to_owned() },
        role: None,
        people: None,
    }
}

/// One pair: the floor and the run, each on a fresh site; then the same again, and a run of few.
async fn convert(engine: &str, folder: &Path, people: i64) -> Outcome<()> {
    let bench = ready(engine, folder, people).await?;
    let least_seconds = floor(&bench, false).await?;
    let least = rows(&bench).await?;
    bench.drop().await?;
    let bench = ready(engine, folder, people).await?;
    let journaled_seconds = floor(&bench, true).await?;
    bench.drop().await?;
    let bench = ready(engine, folder, people).await?;
    let report = bench.engine.carry_out_verb(&order(), false).await?;
    assert_eq!(report.counts["enrolment.add"], people, "{}: {:?}", bench.url, report.counts);
    // The change of the method is an event too.
    let mut written = rows(&bench).await?;
    written[3] -= 1;
    assert_eq!(written, least, "the rows of {WRITTEN:?}");
    let again = bench.engine.carry_out_verb(&order(), false).await?;
    assert!(again.counts.is_empty(), "the same again must change nothing: {:?}", again.counts);
    bench.drop().await?;
    let bench = ready(engine, folder, FEW.min(people)).await?;
    let few = bench.engine.carry_out_verb(&order(), false).await?;
    bench.drop().await?;
    let (commit, total) = (report.commit_ms as f64 / 1000.0, report.total_ms as f64 / 1000.0);
    let (floor, journal) = (least_seconds, journaled_seconds);
    println!(
        "{engine}: floor {floor:.2} s, with the rows of the journal {journal:.2} s; {people} converted, commit \
         {commit:.2} s (x {:.2}), all effects {total:.2} s (x {:.2}; x {:.2} of the floor with the journal), {} statements; {} of {FEW}; again {:.2} s",
        commit / floor,
        total / floor,
        total / journal,
        report.statements,
        few.statements,
        again.total_ms as f64 / 1000.0,
    );
    Ok(())
}

/// The list of a course, and its three forms.
async fn list(engine: &str, folder: &Path, people: i64) -> Outcome<()> {
    let bench = ready(engine, folder, people).await?;
    let of = &bench.engine;
    let (wait, stop) = (Duration::from_secs(10), CancellationToken::new());
    let front = Front::new(Arc::clone(&of.database), Arc::clone(&of.settings), of.clock, wait, Observer::none(), stop);
    let who = Who::Operator { account: "bench".to_owned() };
    let before = of.database.statements();
    let start = Instant::now();
    let found = front.participants(&who, (CourseKey::Shortname, "c1"), &ParticipantFilter::default()).await?;
    let (read, statements) = (start.elapsed().as_secs_f64(), of.database.statements() - before);
    assert_eq!(found.people.len() as i64, people);
    let sheet = participants::sheet(&found.people, Locale::Fr, found.zone);
    let timed = |make: &dyn Fn() -> usize| {
        let start = Instant::now();
        let bytes = make();
        (start.elapsed().as_secs_f64(), bytes / 1024)
    };
    let (csv, xlsx, ods) =
        (timed(&|| sheet.csv().len()), timed(&|| sheet.xlsx().unwrap().len()), timed(&|| sheet.ods().unwrap().len()));
    println!(
        "{engine}: {people} participants read and sorted in {read:.2} s, {statements} statements; csv {:.2} s, {} KiB; \
         xlsx {:.2} s, {} KiB; ods {:.2} s, {} KiB",
        csv.0, csv.1, xlsx.0, xlsx.1, ods.0, ods.1
    );
    bench.drop().await
}
