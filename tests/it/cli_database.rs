//! `enrold db`, `doctor` and `demo` as a child process: what they create, and what they refuse.
//! It must not test what the doctor finds; its own tests do.

use enrold::db::{Conn, Dialect, Params};
use serde_json::json;

use crate::doctor_rights::url;
use crate::program::{Program, on_the_sample};
use crate::servers::{connect, on_each_database};
use crate::site::Site;

on_each_database!(
    an_empty_database_is_made_a_site,
    where_moodle_stands_nothing_is_touched,
    before_the_migration_every_command_names_the_remedy,
    another_prefix_is_refused_first,
);

async fn an_empty_database_is_made_a_site(mut site: Site) {
    let program = emptied(&mut site).await;
    program.run(&["db", "migrate"]).ends(1).logs(&["there is no Moodle in this database (no table mdl_user)"]);
    program.run(&["doctor"]).ends(1).says(&["ERROR", "no Moodle tables"]);
    let (code, made) = program.json(&["db", "init", "--sample"]);
    assert_eq!((code, &made["sample"], &made["migrations"]), (0, &json!(true), &json!([1, 2, 3, 4, 5, 6, 7])));
    assert!(made["moodle_tables"].as_u64().unwrap() > 50);
    program.run(&["doctor"]).ends(0).says(&["ok       moodle-tables", "ok       method"]);
    program.run(&["db", "init"]).ends(1).logs(&["Moodle tables exist in this database already", "enrold db migrate"]);
    let (code, again) = program.json(&["db", "migrate"]);
    assert_eq!((code, &again["migrations"]), (0, &json!([])));
    let (code, report) = program.json(&["import", &crate::program::sample("flatfile-20261121.txt")]);
    assert_eq!((code, &report["errors"]), (0, &json!(0)));
}

/// The site's database without any table; on SQLite, a new file.
async fn emptied(site: &mut Site) -> Program {
    let program = Program::on(site);
    let address = url(&site.engine());
    let name = address.rsplit('/').next().unwrap();
    match site.conn.dialect() {
        Dialect::Lite => return program.set("database.url=sqlite:empty.sqlite").having("empty.sqlite"),
        Dialect::Postgres => site.conn.command("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap(),
        Dialect::Maria => {
            site.conn.command(&format!("DROP DATABASE {name}")).await.unwrap();
            site.conn.command(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await.unwrap();
        }
    }
    program
}

impl Program {
    /// Creates an empty file in the working directory.
    fn having(self, name: &str) -> Self {
        self.write(name, "");
        self
    }
}

async fn where_moodle_stands_nothing_is_touched(mut site: Site) {
    let program = site.sampled().await;
    let before = (site.dump().await, tables(&mut site.conn).await);
    program.run(&["db", "init", "--sample"]).ends(1).logs(&["(mdl_"]);
    let other = "database.prefix=other_";
    program.run(&["--set", other, "db", "init"]).ends(1).logs(&["serve the table prefix 'mdl_', not 'other_'"]);
    program.run(&["--set", other, "db", "migrate"]).ends(1).logs(&["no table other_user"]);
    site.nothing_changed(&before.0, "refused").await;
    assert_eq!(tables(&mut site.conn).await, before.1);
    program.run(&["db", "migrate"]).ends(0);
    // A second Moodle in the same database leaves no room for enrold's tables.
    site.sql("CREATE TABLE other_user (id INTEGER)").await;
    program.run(&["--set", other, "db", "migrate"]).ends(1).logs(&["one Moodle per database"]);
    site.nothing_changed(&before.0, "refused and migrated").await;
}

/// Commands on a site without enrold's own tables, or with another prefix.
const COMMANDS: [&[&str]; 8] = [
    &["runs"],
    &["runs", "0"],
    &["runs", "7"],
    &["runs", "7", "--csv"],
    &["tasks"],
    &["sync", "cohort"],
    &["approve", "7"],
    &["run", "--once"],
];

async fn before_the_migration_every_command_names_the_remedy(mut site: Site) {
    let program = site.sampled().await;
    for table in tables(&mut site.conn).await.iter().filter(|name| name.starts_with("enrold_")) {
        site.conn.command(&format!("DROP TABLE {table}")).await.unwrap();
    }
    for words in COMMANDS {
        program.run(words).ends(1).logs(&["enrold's own tables are missing in this database: run 'enrold db migrate'"]);
        let other = program.clone().set("database.prefix=other_").run(words).ends(1);
        other.logs(&["no table of Moodle with the prefix 'other_'", "correct database.url or database.prefix"]);
    }
    program.run(&["db", "migrate"]).ends(0);
    program.run(&["runs", "0"]).ends(1).logs(&["run 0 is a simulation, and no simulation is kept"]);
}

async fn another_prefix_is_refused_first(mut site: Site) {
    let program = site.sampled().await.set("database.prefix=other_");
    for words in COMMANDS {
        program.run(words).ends(1).logs(&["serve the prefix 'mdl_', not 'other_': correct database.prefix"]);
    }
}

/// The names of all tables in the database.
async fn tables(conn: &mut Conn) -> Vec<String> {
    let sql = match conn.dialect() {
        Dialect::Lite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        Dialect::Postgres => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name"
        }
        Dialect::Maria => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name"
        }
    };
    conn.rows(sql, &Params::new()).await.unwrap().iter().map(|row| row.text(0)).collect()
}

#[test]
fn the_doctor_says_whether_it_works() {
    on_the_sample(async |mut site: Site, program| {
        let (code, found) = program.json(&["doctor"]);
        assert_eq!((code, &found["can_work"]), (0, &json!(true)));
        program.run(&["--set", "locale=fr", "doctor"]).ends(0).says(&["est activée"]);
        site.sql("UPDATE {config} SET value = 'manual' WHERE name = 'enrol_plugins_enabled'").await;
        program.run(&["-q", "doctor"]).ends(1).says(&["ERROR    method", "enrold cannot work here: put right what"]);
        let (code, found) = program.json(&["--set", "database.url=sqlite:nowhere.sqlite", "doctor"]);
        assert_eq!((code, &found["can_work"]), (1, &json!(false)));
        assert!(!program.dir.join("nowhere.sqlite").exists());
    });
}

fn demonstration(program: &Program, words: &[&str]) -> crate::program::Answer {
    let files = format!("{}/sample-sync-dir", env!("CARGO_MANIFEST_DIR"));
    program.run(&[&["demo", "--once", "--files", &files], words].concat())
}

#[tokio::test]
async fn the_demonstration_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    for _ in 0..2 {
        demonstration(&program, &[])
            .ends(0)
            .says(&["run 6, import demo/sync/enrols-20261121.csv: done", "line 21: user-unknown: no account matches"])
            .says(&["L1-MATH-101       10   0", "The database lies in demo/enrold.sqlite"]);
    }
    let mut conn = connect(&format!("sqlite:{}", dir.path().join("demo/enrold.sqlite").display())).await;
    assert_eq!(conn.number("SELECT COUNT(*) FROM {enrold_run}", &Params::new()).await.unwrap(), 11);
    conn.close().await;
    demonstration(&program, &["--set", "locale=fr", "autre"]).ends(0).says(&["La base de données est dans autre/"]);
}

#[test]
fn the_demonstration_keeps_what_it_did_not_make() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    program.write("mine/letter.txt", "dear");
    demonstration(&program, &["mine"]).ends(1).logs(&["was not made by 'enrold demo'", "name another folder"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("mine/letter.txt")).unwrap(), "dear");
    program.run(&["demo", "--files", "nowhere"]).ends(1).logs(&["cannot read nowhere"]);
    assert!(!dir.path().join("demo").exists(), "nothing is made in vain");
}

#[test]
fn the_demonstration_as_one_document() {
    let dir = tempfile::tempdir().unwrap();
    let answer = demonstration(&Program::bare(dir.path()), &["--json"]).ends(0);
    let document: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(document["database"], "demo/enrold.sqlite");
    let runs: Vec<u64> =
        document["reports"].as_array().unwrap().iter().map(|report| report["run"].as_u64().unwrap()).collect();
    // Five tasks, one of them of a disabled method, and six files; the course list comes last.
    assert_eq!(runs, [1, 2, 3, 4, 0, 5, 6, 7, 8, 9, 10, 11]);
}

/// The files are part of the program: nothing of the project is there. One file is held, one is a full set.
#[tokio::test]
async fn the_demonstration_needs_the_program_alone() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    let shown = program.run(&["demo", "--once"]).ends(0).says(&[
        "import demo/sync/enrols-20261122.csv: HELD, nothing is applied",
        "course L1-MATH-101",
        "accounts made            6",
        "email-taken        line 7",
        "cohort-unknown     line 8",
        "import demo/sync/cohortes-20261122.csv: done, but lines failed",
        "waiting            line 6: user-unknown",
        "set of scolarite: 8 rows (no earlier good set), 1 of them failed",
        "One file waits for a decision.",
        "--config demo/enrold.toml approve ",
    ]);
    let held = shown.out.lines().find_map(|line| line.trim().split_once("demo/enrold.toml approve ")).unwrap().1;
    let further = program.clone().with("--config", "demo/enrold.toml");
    assert_eq!(further.json(&["runs", held]).1["state"], "held");
    assert!(dir.path().join("demo/sync/enrols-20261122.csv.held").exists());
    further.run(&["approve", held]).ends(0);
    assert!(dir.path().join("demo/sync/enrols-20261122.csv.done").exists());
    let french = program.run(&["--set", "locale=fr", "demo", "--once"]).ends(0);
    french.says(&["Un fichier attend une décision.", "Ce qu'il est advenu de l'ensemble complet :"]);
    for name in ["enrols-20261121.csv", "flatfile-erreurs-20261121.txt"] {
        let copy = dir.path().join("demo/sync").join(format!("{name}.done"));
        assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(crate::program::sample(name)).unwrap());
    }
}
