//! The doctor's findings on each database: a site in order, and each single defect.
//! It must not test the account's rights: `doctor_rights` does.

use std::sync::Arc;
use std::time::Duration;

use enrold::config::Locale;
use enrold::db::{Database, Dialect};
use enrold::doctor::{self, Finding, Level, can_work};
use enrold::moodle::install::load_sample;

use crate::campus::set;
use crate::servers::{PREFIX, on_each_database};
use crate::site::{NOW, Site};

on_each_database!(
    a_site_in_order,
    a_disabled_method,
    a_twin_task,
    twins_of_rules,
    what_tasks_name,
    another_prefix,
    missing_tables_and_columns,
    own_tables_of_another_time,
    roles_without_names,
    roles_that_files_may_give,
    keys_that_are_not_unique,
    runs_that_wait,
    what_moodle_is,
    runs_that_were_done_again,
    a_server_that_refuses,
);

/// Examines a site like the command.
pub async fn examine(site: &Site) -> Vec<Finding> {
    let engine = site.engine();
    doctor::run(&engine.database, &engine.settings, NOW).await
}

fn levels(findings: &[Finding]) -> Vec<(Level, &'static str)> {
    findings.iter().map(|finding| (finding.level, finding.code)).collect()
}

fn find<'a>(findings: &'a [Finding], code: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("no {code} among {findings:#?}"))
}

async fn sample(site: &mut Site) {
    load_sample(&mut site.conn).await.unwrap();
}

async fn a_site_in_order(mut site: Site) {
    sample(&mut site).await;
    let findings = examine(&site).await;
    assert!(can_work(&findings), "{findings:#?}");
    for code in ["database", "version", "clock", "moodle-tables", "own-tables", "method", "timezone"] {
        assert_eq!(find(&findings, code).level, Level::Ok, "{code}");
    }
    let on_server = site.conn.dialect() != Dialect::Lite;
    assert_eq!(levels(&findings).contains(&(Level::Ok, "rights")), on_server);
    assert_eq!(levels(&findings).contains(&(Level::Ok, "isolation")), on_server);
    assert_eq!(
        findings.iter().any(|finding| finding.code == "least-rights" && finding.statements.len() > 30),
        on_server
    );
    let french = findings.iter().map(|finding| finding.text(Locale::Fr)).collect::<String>();
    assert!(french.contains("la méthode d'inscription `flatfile` est activée"));
    let json = serde_json::to_value(find(&findings, "version")).unwrap();
    assert_eq!(json["level"], "ok");
    assert!(json["en"]["found"].as_str().unwrap().ends_with("tested"));
    assert_eq!(find(&findings, "moodle-version").text(Locale::Fr), "ce site est un Moodle 4.1.10 (Build: 20240422)");
    let program = crate::program::Program::on(&site);
    let short = program.run(&["doctor"]).ends(0);
    assert!(!short.out.contains("GRANT "), "{}", short.out);
    let last = short.out.lines().last().unwrap_or_default();
    assert!(last.starts_with("enrold can work here"), "{}", short.out);
    let whole = program.run(&["doctor", "--grants"]).ends(0);
    assert_eq!(whole.out.matches("GRANT ").count() > 30, on_server, "{}", whole.out);
    assert_eq!(whole.out.contains("no rights to grant"), !on_server, "{}", whole.out);
    assert_eq!(
        program.json(&["doctor"]).1["findings"].as_array().unwrap().iter().any(|f| f["code"] == "least-rights"),
        on_server
    );
}

async fn a_disabled_method(mut site: Site) {
    sample(&mut site).await;
    site.sql("UPDATE {config} SET value = 'manual' WHERE name = 'enrol_plugins_enabled'").await;
    let findings = examine(&site).await;
    let text = find(&findings, "method").text(Locale::En);
    assert!(text.contains("Site administration > Plugins > Enrolments"), "{text}");
    assert!(!can_work(&findings));
    site.set("flatfile.when_disabled", "apply");
    let findings = examine(&site).await;
    assert_eq!(find(&findings, "method").level, Level::Warning);
    assert!(can_work(&findings));
}

async fn a_twin_task(mut site: Site) {
    sample(&mut site).await;
    for (disabled, level) in [(0, Level::Warning), (1, Level::Ok)] {
        site.sql(&format!(
            "UPDATE {{task_scheduled}} SET disabled = {disabled} WHERE component = 'enrol_flatfile' OR classname LIKE '%flatfile_sync_task'"
        ))
        .await;
        assert_eq!(find(&examine(&site).await, "twin-task").level, level);
    }
}

/// One finding, with the remedy, for each enabled task of enrold whose work Moodle does as well.
async fn twins_of_rules(mut site: Site) {
    sample(&mut site).await;
    assert_eq!(find(&examine(&site).await, "twin-task").level, Level::Ok);
    site.sql("UPDATE {task_scheduled} SET disabled = 0 WHERE component = 'enrol_cohort'").await;
    let findings = examine(&site).await;
    let twin = find(&findings, "twin-task");
    assert_eq!(twin.level, Level::Warning);
    let text = twin.text(Locale::En);
    for part in [
        r"Moodle's own task \enrol_cohort\task\enrol_cohort_sync is enabled",
        "enrold's task cohort",
        r"php admin/cli/scheduled_task.php --disable='\enrol_cohort\task\enrol_cohort_sync'",
        "tasks.cohort.enabled = false",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(can_work(&findings));
    assert!(find(&findings, "rules").text(Locale::En).starts_with("rules that the daemon keeps true: cohort"));
    // A task that is left to Moodle has no twin, nor has the task of a disabled method.
    site.set("tasks.cohort.enabled", "false");
    let findings = examine(&site).await;
    assert_eq!(find(&findings, "twin-task").level, Level::Ok);
    assert!(
        find(&findings, "rules")
            .text(Locale::En)
            .contains("cohort (tasks.cohort.enabled = false, Moodle's task does it)")
    );
    site.set("tasks.cohort.enabled", "true");
    site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    let findings = examine(&site).await;
    assert_eq!(find(&findings, "twin-task").level, Level::Ok);
    assert!(find(&findings, "rules").text(Locale::Fr).contains("cohort (non activée dans Moodle)"));
}

async fn what_tasks_name(mut site: Site) {
    sample(&mut site).await;
    let none =
        |findings: &[Finding]| !findings.iter().any(|found| ["roles-dropped", "task-courses"].contains(&found.code));
    site.set("tasks.cohort.when_disabled", "drop_roles");
    site.set("tasks.meta.courses", "L1-MATH-101");
    assert!(none(&examine(&site).await));
    site.set("tasks.meta.courses", "L1-MATH-101,l1-math-101,Nowhere");
    site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    let findings = examine(&site).await;
    let dropped = find(&findings, "roles-dropped");
    assert!(
        dropped.level == Level::Warning && dropped.text(Locale::En).contains("tasks.cohort.when_disabled = drop_roles")
    );
    let courses = find(&findings, "task-courses").text(Locale::En);
    assert!(
        courses.contains("tasks.meta.courses names short names that no course has: l1-math-101, Nowhere"),
        "{courses}"
    );
}

/// The tables have another prefix than the configured one.
async fn another_prefix(mut site: Site) {
    for table in ["db_user", "db_user_enrolments"] {
        site.conn.command(&format!("CREATE TABLE {table} (id INTEGER)")).await.unwrap();
    }
    let engine = site.engine();
    let url = crate::doctor_rights::url(&engine);
    let seconds = Duration::from_secs;
    let database = Database::new(&url, "xx_", seconds(5), seconds(5)).unwrap();
    let findings = doctor::run(&database, &engine.settings, NOW).await;
    let text = find(&findings, "moodle-tables").text(Locale::En);
    let both = format!("there are some with the prefix 'db_', '{PREFIX}': set database.prefix = \"db_\"");
    assert!(text.contains(&both), "{text}");
    assert!(!can_work(&findings));
}

async fn missing_tables_and_columns(mut site: Site) {
    sample(&mut site).await;
    for sql in [
        "DROP TABLE {groups_members}",
        "DROP TABLE {forum_read}",
        "ALTER TABLE {grade_items} RENAME COLUMN courseid TO course",
    ] {
        site.conn.command(sql).await.unwrap();
    }
    let findings = examine(&site).await;
    assert!(find(&findings, "moodle-tables").text(Locale::En).contains("mdl_groups_members"));
    assert_eq!(find(&findings, "moodle-tables").level, Level::Error);
    assert!(find(&findings, "optional-tables").text(Locale::Fr).contains("mdl_forum_read"));
    assert_eq!(find(&findings, "optional-tables").level, Level::Warning);
    assert!(find(&findings, "columns").text(Locale::En).contains("mdl_grade_items.courseid"));
    assert!(!findings.iter().flat_map(|finding| &finding.statements).any(|sql| sql.contains("forum_read")));
}

async fn own_tables_of_another_time(mut site: Site) {
    sample(&mut site).await;
    site.sql("UPDATE enrold_schema SET version = version + 10").await;
    assert!(find(&examine(&site).await, "own-tables").text(Locale::En).contains("install the newer enrold"));
    site.sql("UPDATE enrold_schema SET version = version - 12").await;
    assert!(find(&examine(&site).await, "own-tables").text(Locale::En).contains("enrold db migrate"));
    site.sql("UPDATE enrold_schema SET prefix = 'yy_'").await;
    assert!(find(&examine(&site).await, "own-tables").text(Locale::En).contains("one Moodle per database"));
    site.conn.command("DROP TABLE enrold_schema").await.unwrap();
    let findings = examine(&site).await;
    let own = find(&findings, "own-tables");
    assert_eq!(own.level, Level::Error);
    assert_eq!(own.statements.is_empty(), site.conn.dialect() == Dialect::Lite);
}

async fn roles_without_names(mut site: Site) {
    sample(&mut site).await;
    site.sql("UPDATE {config_plugins} SET value = ' ' WHERE plugin = 'enrol_flatfile' AND name = 'map_1'").await;
    site.sql("UPDATE {config_plugins} SET value = 'Student' WHERE plugin = 'enrol_flatfile' AND name = 'map_4'").await;
    site.sql(
        "UPDATE {config_plugins} SET value = 'staff' WHERE plugin = 'enrol_flatfile' AND name IN ('map_2', 'map_3')",
    )
    .await;
    let findings = examine(&site).await;
    assert!(find(&findings, "role-alias-off").text(Locale::En).contains("manager"));
    let twice = find(&findings, "role-alias-twice").text(Locale::En);
    assert!(twice.contains("staff (coursecreator, editingteacher)") && !twice.contains("student"), "{twice}");
    let ambiguous = find(&findings, "role-ambiguous").text(Locale::En);
    assert!(ambiguous.contains("student (student = id:5, teacher = id:4)"), "{ambiguous}");
    assert!(can_work(&findings));
}

async fn roles_that_files_may_give(mut site: Site) {
    sample(&mut site).await;
    let told = async |site: &Site, code: &str| {
        let findings = examine(site).await;
        assert!(can_work(&findings));
        let of = |finding: &&Finding| finding.code == code;
        findings.iter().filter(of).map(|one| (one.level, one.text(Locale::En))).collect::<Vec<_>>()
    };
    let usual = "roles that dropped flat files may give (flatfile.roles): editingteacher, teacher, student";
    assert_eq!(told(&site, "roles-allowed").await, [(Level::Ok, usual.to_owned())]);
    assert!(told(&site, "roles-unknown").await.is_empty(), "a site may have no role of its own");
    site.set("sources.night.files", "night-*.csv");
    site.set("sources.night.default_role", "manager");
    site.set("flatfile.roles", "*");
    let wide = told(&site, "roles-allowed").await;
    assert!(wide.len() == 2 && wide.iter().all(|(level, _)| *level == Level::Warning), "{wide:?}");
    assert!(wide[0].1.contains("(flatfile.roles): manager, coursecreator;"), "{wide:?}");
    assert!(wide[1].1.contains("sets of the source night") && wide[1].1.contains("(sources.night.roles): manager;"));
    site.set("flatfile.roles", "@student,tutor,@techer,Manager");
    assert!(told(&site, "roles-allowed").await[0].1.contains("(flatfile.roles): manager;"));
    let unknown = told(&site, "roles-unknown").await;
    assert!(unknown.len() == 1 && unknown[0].1.contains("does not have: tutor, @techer;"), "{unknown:?}");
    // A second database may assign every role, unless `roles` lists some.
    site.set("sources.view.url", "sqlite:/nowhere/at/all.sqlite");
    site.set("sources.view.table", "t");
    site.set("sources.view.columns.user", "u");
    site.set("sources.view.columns.course", "c");
    let of_view = async |site: &Site| {
        let findings = examine(site).await;
        findings.iter().filter(|one| one.text(Locale::Fr).contains("sources.view.roles")).count()
    };
    assert_eq!(of_view(&site).await, 0);
    site.set("sources.view.roles", "*");
    assert_eq!(of_view(&site).await, 1);
}

async fn keys_that_are_not_unique(mut site: Site) {
    sample(&mut site).await;
    site.sql("UPDATE {user} SET idnumber = ''").await;
    site.sql("UPDATE {course} SET idnumber = ''").await;
    assert!(!levels(&examine(&site).await).iter().any(|(_, code)| code.ends_with("-twice")));
    site.sql("UPDATE {user} SET idnumber = 'same' WHERE id > 2").await;
    site.sql("UPDATE {course} SET idnumber = 'same' WHERE id > 1").await;
    // Keys that differ in case only are different, whatever the collation.
    site.sql("UPDATE {user} SET idnumber = 'Same' WHERE id = 3").await;
    let findings = examine(&site).await;
    assert!(find(&findings, "user-idnumber-twice").text(Locale::En).contains("several accounts share: 1;"));
    assert_eq!(find(&findings, "course-idnumber-twice").level, Level::Warning);
    site.set("flatfile.native.user_key", "username");
    site.set("flatfile.native.course_key", "shortname");
    assert_eq!(find(&examine(&site).await, "course-idnumber-twice").level, Level::Ok);
}

async fn runs_that_wait(mut site: Site) {
    sample(&mut site).await;
    for (id, state, effects) in [(1, "held", 0), (2, "interrupted", 0), (3, "done", 1)] {
        site.sql(&format!(
            "INSERT INTO enrold_run (id, kind, source, state, clock, started, version, effects, effectseq)
             VALUES ({id}, 'import', 'f', '{state}', 0, 0, '0', {effects}, 0)"
        ))
        .await;
    }
    let findings = examine(&site).await;
    for code in ["runs-held", "runs-interrupted", "effects-pending"] {
        assert_eq!(find(&findings, code).level, Level::Ok);
        assert!(find(&findings, code).en.found.contains(": 1"), "{code}");
    }
}

/// Writes a run into the history; digest and token are SQL.
async fn past_run(site: &mut Site, id: i64, state: &str, [kind, source, sha256, token]: [&str; 4]) {
    site.sql(&format!(
        "INSERT INTO enrold_run
            (id, kind, source, state, clock, started, version, effects, effectseq, sha256, token)
         VALUES ({id}, '{kind}', '{source}', '{state}', 0, 0, '0', 0, 0, {sha256}, {token})"
    ))
    .await;
}

/// A run that another one has done again needs nobody: the same drop, the same bytes, the same task, a later set.
async fn runs_that_were_done_again(mut site: Site) {
    sample(&mut site).await;
    let interrupted = async |site: &mut Site| {
        let findings = examine(site).await;
        findings.iter().find(|finding| finding.code == "runs-interrupted").map(|found| found.en.found.clone())
    };
    let rows = [
        (1, "import", "a.csv", "'aa'", "'t1'"),
        (2, "import", "b.csv", "'bb'", "NULL"),
        (3, "sync cohort", "", "NULL", "NULL"),
        (4, "sync cohort", "--course C1", "NULL", "NULL"),
        (5, "sync apogee", "night-1.csv", "'cc'", "'t2'"),
        (6, "sync", "cohort meta", "NULL", "NULL"),
    ];
    for (id, kind, source, sha256, token) in rows {
        past_run(&mut site, id, "interrupted", [kind, source, sha256, token]).await;
    }
    let told = |runs: i64| Some(format!("runs interrupted and not done again: {runs}; nothing of them was applied"));
    assert_eq!(interrupted(&mut site).await, told(6));
    // Another file, another course, other jobs, and a run that is interrupted as well do none of them again.
    for (id, state, again) in [
        (7, "done", ["import", "c.csv", "'dd'", "NULL"]),
        (8, "done", ["sync cohort", "--course C2", "NULL", "NULL"]),
        (9, "done", ["sync", "meta", "NULL", "NULL"]),
        (10, "running", ["import", "b.csv", "'bb'", "NULL"]),
    ] {
        past_run(&mut site, id, state, again).await;
    }
    assert_eq!(interrupted(&mut site).await, told(6));
    for (id, left, again) in [
        (11, 5, ["import", "a.csv", "'aa'", "'t1'"]),
        (12, 4, ["import", "copy of b.csv", "'bb'", "NULL"]),
        (13, 2, ["sync cohort", "", "NULL", "NULL"]),
        (14, 1, ["sync apogee", "night-2.csv", "'ee'", "'t3'"]),
    ] {
        past_run(&mut site, id, "done", again).await;
        assert_eq!(interrupted(&mut site).await, told(left), "{again:?}");
    }
    past_run(&mut site, 15, "held", ["sync", "cohort meta", "NULL", "NULL"]).await;
    assert_eq!(interrupted(&mut site).await, None);
}

/// The server's message comes without the line of its own source, which would be taken for a line of a file.
async fn a_server_that_refuses(site: Site) {
    if site.conn.dialect() != Dialect::Postgres {
        return;
    }
    let engine = site.engine();
    let url = crate::doctor_rights::url(&engine);
    let (server, _) = url.rsplit_once('/').unwrap();
    let seconds = Duration::from_secs;
    let database = Database::new(&format!("{server}/enrold_nowhere"), PREFIX, seconds(5), seconds(5)).unwrap();
    let text = find(&doctor::run(&database, &engine.settings, NOW).await, "database").text(Locale::En);
    assert!(text.contains("database \"enrold_nowhere\" does not exist"), "{text}");
    assert!(!text.contains("at line"), "{text}");
}

/// If no server answers, the message contains the address and never the password.
#[tokio::test]
async fn a_database_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    for (url, shown) in [
        ("postgres://enrold:tr0ub4dor@127.0.0.1:1/moodle".to_owned(), "postgres://127.0.0.1:1"),
        ("mysql://enrold:tr0ub4dor@127.0.0.1:1/moodle".to_owned(), "mysql://127.0.0.1:1"),
        (format!("sqlite:{}/none.sqlite", dir.path().display()), "none.sqlite does not exist"),
    ] {
        let sets =
            vec![("database.url".to_owned(), url.clone()), ("state.path".to_owned(), dir.path().display().to_string())];
        let settings = enrold::config::load(&enrold::config::Sources { sets, ..Default::default() }).unwrap().settings;
        let database = Arc::new(Database::new(&url, PREFIX, Duration::from_secs(2), Duration::from_secs(2)).unwrap());
        let findings = doctor::run(&database, &settings, NOW).await;
        let text = find(&findings, "database").text(Locale::En);
        assert!(text.contains(shown), "{text}");
        assert!(!format!("{findings:?}").contains("tr0ub4dor"));
        assert!(!can_work(&findings));
        assert_eq!(find(&findings, "state").level, Level::Ok);
    }
    assert!(!dir.path().join("none.sqlite").exists(), "examining makes no database");
}

/// Moodle's version, and the settings that enrold does not follow.
async fn what_moodle_is(mut site: Site) {
    sample(&mut site).await;
    let findings = examine(&site).await;
    let version = find(&findings, "moodle-version");
    assert_eq!((version.level, version.en.found.as_str()), (Level::Ok, "this is Moodle 4.1.10 (Build: 20240422)"));
    let none = |findings: &[Finding], code: &str| !findings.iter().any(|finding| finding.code == code);
    assert!(none(&findings, "flatfile-encoding") && none(&findings, "communication"), "{findings:#?}");

    site.reset_sequences().await;
    site.sql("UPDATE {config} SET value = '502' WHERE name = 'branch'").await;
    site.sql("DELETE FROM {config_plugins} WHERE plugin = 'enrol_flatfile' AND name = 'encoding'").await;
    site.insert("config_plugins", &set("enrol_flatfile", "encoding", "EUC-JP")).await;
    site.insert("config", &[("name", "enablecommunicationsubsystem".into()), ("value", "1".into())]).await;
    let findings = examine(&site).await;
    for code in ["moodle-version", "flatfile-encoding", "communication"] {
        assert_eq!(find(&findings, code).level, Level::Warning, "{code}");
    }
    let encoding = find(&findings, "flatfile-encoding");
    assert!(encoding.text(Locale::Fr).contains("EUC-JP") && encoding.text(Locale::En).contains("windows-1252"));
    for (encoding, fallback, told) in [
        ("UTF-8", "windows-1252", false),
        ("ISO-8859-1", "windows-1252", false),
        ("WINDOWS-1252", "iso-8859-15", true),
        ("ISO-8859-15", "windows-1252", true),
        ("ISO-8859-15", "iso-8859-15", false),
    ] {
        site.sql(&format!(
            "UPDATE {{config_plugins}} SET value = '{encoding}' WHERE plugin = 'enrol_flatfile' AND name = 'encoding'"
        ))
        .await;
        site.set("flatfile.encoding_fallback", fallback);
        assert_eq!(!none(&examine(&site).await, "flatfile-encoding"), told, "{encoding} {fallback}");
    }
}
