//! Databases written by an earlier version, read by this one.
//! It must not play scenes; `upgrade_scenes` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use enrold::db::{Columns, Database, Dialect, Params, Row as Record, migrate, schema_version};
use enrold::doctor::Level;
use enrold::outcome::{RunError, State};
use serde_json::Value as Json;

use crate::doctor::examine;
use crate::dump::{Dump, Row};
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::upgrade_scenes::{CUT, HELD_FILE, HELD_SET, shown};

on_each_database!(
    the_scenes_are_shown_as_ever,
    version_1_is_carried_over,
    version_2_is_carried_over,
    version_3_is_carried_over,
    version_4_is_carried_over,
    version_5_is_carried_over,
    version_6_gets_the_files_of_waiting_rows,
    a_migration_that_broke_off_is_repeated,
);

/// The path of the fixture of a version for a database.
fn fixture(version: &str, engine: Dialect) -> PathBuf {
    let engine = match engine {
        Dialect::Postgres => "postgresql",
        Dialect::Maria => "mariadb",
        Dialect::Lite => "sqlite",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(version).join(engine)
}

/// What a version showed, with the sentences that are worded otherwise today.
fn shown_by(version: &str, engine: Dialect) -> Json {
    let shown = fs::read_to_string(fixture(version, engine).join("shown.json")).unwrap();
    let reworded = ("in sources.NAME.columns", "in the `columns` of the source or profile");
    serde_json::from_str(&shown.replace(reworded.0, reworded.1)).unwrap()
}

/// Plays the scenes with the current program: its output equals that of version 1. With `ENROLD_TEST_FIXTURE=v2` it
/// writes the fixture of that version instead.
async fn the_scenes_are_shown_as_ever(mut site: Site) {
    site.scenes().await;
    let shown = shown(&Program::on(&site), CUT);
    match std::env::var("ENROLD_TEST_FIXTURE") {
        Ok(version) => {
            let place = fixture(&version, site.conn.dialect());
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("shown.json"), format!("{shown:#}\n")).unwrap();
            site.written_down(&place).await;
        }
        Err(_) => {
            assert_eq!(shown, shown_by("v1", site.conn.dialect()));
        }
    }
}

async fn version_1_is_carried_over(site: Site) {
    is_carried_over(site, "v1", &[2, 3, 4, 5, 6, 7]).await;
}

async fn version_2_is_carried_over(site: Site) {
    is_carried_over(site, "v2", &[3, 4, 5, 6, 7]).await;
}

async fn version_3_is_carried_over(site: Site) {
    is_carried_over(site, "v3", &[4, 5, 6, 7]).await;
}

async fn version_4_is_carried_over(site: Site) {
    is_carried_over(site, "v4", &[5, 6, 7]).await;
}

async fn version_5_is_carried_over(site: Site) {
    is_carried_over(site, "v5", &[6, 7]).await;
}

/// Version 6 is version 7 without one column.
async fn version_6_gets_the_files_of_waiting_rows(mut site: Site) {
    site.sql("ALTER TABLE enrold_waiting DROP COLUMN file").await;
    site.sql("DELETE FROM enrold_schema WHERE version = 7").await;
    assert_eq!(migrate(&mut site.conn, NOW).await.unwrap(), [7]);
    assert_eq!(
        site.conn.number("SELECT COUNT(*) FROM enrold_waiting w WHERE w.file = ''", &Params::new()).await.unwrap(),
        0
    );
    assert_eq!(migrate(&mut site.conn, NOW).await.unwrap(), [0; 0]);
}

/// A database of an earlier version: refused, migrated, shown as before; its runs are resumed and decided.
async fn is_carried_over(mut site: Site, version: &str, migrations: &[i64]) {
    let expected = site.as_left_by(version).await;
    site.sql("INSERT INTO enrold_set_absent (source, enrolid, userid, since) VALUES ('apogee', 7, 8, 9)").await;
    let program = Program::on(&site);
    let refused = site.engine().sync_flatfile(false).await;
    assert!(matches!(&refused, Err(RunError::NotReady(what)) if what.contains("enrold db migrate")), "{refused:?}");
    let of_tables = ["columns", "rights", "own-tables"];
    let findings = examine(&site).await.into_iter().filter(|finding| of_tables.contains(&finding.code));
    let errors: Vec<_> = findings.filter(|finding| finding.level == Level::Error).collect();
    let codes: Vec<_> = errors.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["own-tables"], "{errors:#?}");

    assert_eq!(program.json(&["db", "migrate"]).1["migrations"], serde_json::json!(migrations));
    assert_eq!(program.json(&["db", "migrate"]).1["migrations"], serde_json::json!([]));
    assert_eq!(shown(&program, CUT), expected);
    let absent = "SELECT source, enrolid, userid, since, approved FROM enrold_set_absent";
    let line = |row: &Record| format!("{} {} {} {} {}", row.text(0), row.int(1), row.int(2), row.int(3), row.int(4));
    assert_eq!(site.lines(absent, line).await, ["apogee 7 8 9 0"], "nobody has approved it");

    // The next holder of the lease resumes the interrupted run before its own.
    let report = site.engine().approve(HELD_FILE).await.unwrap();
    assert_eq!(report.state, State::DoneWithErrors);
    site.engine().reject(HELD_SET).await.unwrap();
    assert_eq!(site.state_of(CUT).await, "done-with-errors");
    assert_eq!(site.state_of(HELD_FILE).await, "approved");
    assert_eq!(site.state_of(HELD_SET).await, "rejected");
    // The part committed by the earlier version has the problems of the buffer, the remaining parts those of links.
    assert_eq!(
        site.places(CUT).await,
        ["enrol 4 source-gone", "enrol 8 source-gone", "50 user-unknown", "51 course-unknown"]
    );
    let lines = |run: &Json| {
        run["errors"].as_array().unwrap().iter().map(|error| error["line"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let all = shown(&program, report.run);
    assert_eq!(lines(of_run(&all, CUT)), [0, 0, 50, 51]);
    assert_eq!(lines(of_run(&all, report.run)), lines(of_run(&all, HELD_FILE)));
    let mut enrolments = site.enrolments().await;
    enrolments.retain(|line| line.contains(" c8 ") || line.contains(" c7 "));
    assert_eq!(
        enrolments,
        [
            "u1 c7 meta",
            "u2 c7 meta",
            "u3 c7 meta",
            "u7 c7 flatfile now-100..0",
            "u7 c8 flatfile",
            "u8 c7 flatfile now-100..0",
            "u8 c8 flatfile"
        ]
    );
    let by_cohort = site.enrolments().await.iter().filter(|line| line.ends_with(" cohort")).count();
    assert_eq!(by_cohort, 18);
}

fn of_run(shown: &Json, run: i64) -> &Json {
    &shown[run as usize - 1]
}

/// After a full disk or a killed program, nothing is changed, or the next attempt continues.
async fn a_migration_that_broke_off_is_repeated(mut site: Site) {
    let expected = site.as_left_by("v1").await;
    match site.conn.dialect() {
        Dialect::Maria => {
            // It died after its first statement.
            let first = "ALTER TABLE enrold_error RENAME COLUMN line TO n, ADD COLUMN place VARCHAR(20) NOT NULL DEFAULT 'line',
                ADD COLUMN number BIGINT NOT NULL DEFAULT 0, ADD INDEX enrold_error_place (run, place, number)";
            site.conn.command(first).await.unwrap();
        }
        _ => {
            site.sql("CREATE INDEX enrold_error_place ON enrold_error (code)").await;
            migrate(&mut site.conn, NOW).await.unwrap_err();
            site.sql("DROP INDEX enrold_error_place").await;
            site.sql("UPDATE enrold_error SET line = line").await;
        }
    }
    assert_eq!(schema_version(&mut site.conn).await.unwrap().unwrap().0, 1);
    assert_eq!(migrate(&mut site.conn, NOW).await.unwrap(), [2, 3, 4, 5, 6, 7]);
    assert_eq!(shown(&Program::on(&site), CUT), expected);
}

impl Site {
    /// Replaces the empty database and state directory by those of a version; returns that version's output on them.
    async fn as_left_by(&mut self, version: &str) -> Json {
        let place = fixture(version, self.conn.dialect());
        for table in OWN {
            self.sql(&format!("DROP TABLE enrold_{table}")).await;
        }
        self.conn.begin().await.unwrap();
        for statement in fs::read_to_string(place.join("site.sql")).unwrap().split(";\n") {
            if !statement.is_empty() {
                self.conn.literal(statement).await.unwrap();
            }
        }
        self.conn.commit().await.unwrap();
        self.reset_sequences().await;
        self.of_scenes();
        let state = self.engine().settings.state.path.clone();
        copy(&place.join("state"), &state, "/srv/site");
        shown_by(version, self.conn.dialect())
    }

    /// The problems of a run by place: `LINE CODE`, and the course for instances.
    async fn places(&mut self, run: i64) -> Vec<String> {
        let sql = "SELECT o.place, CASE o.place WHEN 'enrol' THEN e.courseid - 20 ELSE o.number END, o.code
            FROM {enrold_error} o LEFT JOIN {enrol} e ON o.place = 'enrol' AND e.id = o.number WHERE o.run = :run ORDER BY 1 DESC, 2";
        let rows = self.conn.rows(sql, &Params::new().with("run", run)).await.unwrap();
        let mut places: Vec<String> = rows
            .iter()
            .map(|row| match row.text(0).as_str() {
                "buffer" => format!("{} {}", row.int(1), row.text(2)),
                place => format!("{place} {} {}", row.int(1), row.text(2)),
            })
            .collect();
        places.sort_by_key(|place| !place.starts_with("enrol"));
        places
    }

    /// Writes the site as SQL, with the state directory beside it.
    async fn written_down(&mut self, place: &Path) {
        let engine = self.engine();
        let state = engine.settings.state.path.clone();
        let dir = state.parent().unwrap().display().to_string();
        let moodle = self.dump().await;
        let mut sql = self.tables_of_enrold().await;
        sql.extend(self.as_inserts(&moodle, "mdl_"));
        // enrold's own tables are copied like Moodle's tables with this prefix.
        let seconds = Duration::from_secs;
        let url = crate::doctor_rights::url(&engine);
        let mut conn = Database::new(&url, "enrold_", seconds(30), seconds(10)).unwrap().connect().await.unwrap();
        let columns = Columns::read(&mut conn).await.unwrap();
        let mut own = Dump::new();
        for table in OWN {
            let names = columns.of(table);
            assert!(!names.is_empty(), "{table}");
            let casts: Vec<String> = names.iter().map(|name| conn.dialect().to_text(name)).collect();
            let select = format!("SELECT {} FROM enrold_{table} ORDER BY 1, 2", casts.join(", "));
            let records = conn.rows(&select, &Params::new()).await.unwrap();
            let value = |row: &Record, at: usize| (!row.is_null(at)).then(|| row.text(at));
            let row = |record| names.iter().cloned().enumerate().map(|(at, name)| (name, value(record, at))).collect();
            let rows: Vec<Row> = records.iter().map(row).collect();
            own.insert(table.to_owned(), rows);
        }
        conn.close().await;
        sql.extend(self.as_inserts(&own, "enrold_"));
        let text: String = sql.iter().map(|statement| format!("{statement};\n")).collect();
        fs::write(place.join("site.sql"), text.replace(&dir, "/srv/site")).unwrap();
        let copied = place.join("state");
        fs::remove_dir_all(&copied).unwrap_or_default();
        copy(&state.join("held"), &copied.join("held"), &dir);
    }

    fn as_inserts(&self, dump: &Dump, prefix: &str) -> Vec<String> {
        // In enrold's sessions a backslash has no special meaning.
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut sql = Vec::new();
        for (table, rows) in dump {
            for row in rows {
                let set: Vec<_> = row.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
                let names: Vec<String> = set.iter().map(|(name, _)| self.conn.dialect().quote(name)).collect();
                let values: Vec<String> = set.iter().map(|(_, value)| quoted(value)).collect();
                let table = self.conn.dialect().quote(&format!("{prefix}{table}"));
                sql.push(format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", ")));
            }
        }
        sql
    }

    /// The statements that create enrold's own tables as they are.
    async fn tables_of_enrold(&mut self) -> Vec<String> {
        let none = Params::new();
        let mut sql = Vec::new();
        match self.conn.dialect() {
            Dialect::Lite => {
                let made = "SELECT sql FROM sqlite_master WHERE tbl_name LIKE 'enrold%' AND sql IS NOT NULL ORDER BY type DESC, name";
                sql.extend(self.conn.rows(made, &none).await.unwrap().iter().map(|row| row.text(0)));
            }
            Dialect::Maria => {
                for table in OWN {
                    let row =
                        self.conn.row(&format!("SHOW CREATE TABLE enrold_{table}"), &none).await.unwrap().unwrap();
                    sql.push(row.text(1));
                }
            }
            Dialect::Postgres => {
                let columns = "SELECT CAST(c.relname AS TEXT), string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                        || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
                        ', ' ORDER BY a.attnum)
                    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
                   WHERE c.relkind = 'r' AND c.relname LIKE 'enrold%' GROUP BY c.relname ORDER BY c.relname";
                let keys = "SELECT CAST(c.relname AS TEXT), pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                   WHERE k.contype IN ('p', 'u') AND c.relname LIKE 'enrold%' ORDER BY c.relname, k.conname";
                let indexes = "SELECT pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
                   WHERE c.relname LIKE 'enrold%' AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid) ORDER BY 1";
                for row in self.conn.rows(columns, &none).await.unwrap() {
                    sql.push(format!("CREATE TABLE {} ({})", row.text(0), row.text(1)));
                }
                for row in self.conn.rows(keys, &none).await.unwrap() {
                    sql.push(format!("ALTER TABLE {} ADD {}", row.text(0), row.text(1)));
                }
                sql.extend(self.conn.rows(indexes, &none).await.unwrap().iter().map(|row| row.text(0)));
            }
        }
        sql
    }
}

/// enrold's own tables, without their prefix.
const OWN: [&str; 13] = [
    "change",
    "completion",
    "error",
    "lease",
    "letter",
    "notice",
    "outbox",
    "run",
    "schema",
    "set_absent",
    "set_member",
    "task",
    "waiting",
];

/// Copies a directory; paths of the site in its texts become `/srv/site`.
fn copy(from: &Path, to: &Path, dir: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &there, dir),
            false => {
                let text = fs::read_to_string(entry.path()).unwrap();
                fs::write(there, text.replace(dir, "/srv/site")).unwrap();
            }
        }
    }
}
