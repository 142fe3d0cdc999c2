//! Sessions under any setting of a server, a role, a database or a pooler; and errors, logs and pages without values.
//! It must not test what runs do.

use enrold::db::{Dialect, Params};
use enrold::outcome::{Note, State};

use crate::doctor_rights::{assert_applied, url};
use crate::outside::on_both_servers;
use crate::servers::{on_each_database, run_on};
use crate::service_web::Place;
use crate::site::Site;
use crate::traces::site_with_traces;

on_each_database!(texts_stay_texts, errors_show_no_value, a_refused_statement_about_encodings_is_left_out,);

on_both_servers!(log_and_pages_show_no_value);

const HEADER: &str = "operation,username,course,role\n";

/// Texts that would end a literal on a server with other backslash rules or with rewriting of literals.
const TRAPS: &str = "add,\\,\",$$a$$,0,0); UPDATE mdl_user SET firstname=$$PWNED$$ WHERE id=2; --\",student\n\
    add,\\',L1-MATH-101,student\nadd,a\\\\'b,\"\\\"\"'; --\",student\nadd,{user},:id,student\nadd,\\\\,\\,\\\n";

/// No text of a file is executed, even in a session that has lost `standard_conforming_strings`.
async fn texts_stay_texts(mut site: Site) {
    site_with_traces(&mut site).await;
    if site.conn.dialect() == Dialect::Postgres {
        site.conn
            .command(
                "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM set_config(''standard_conforming_strings'', ''off'', false); RETURN new; END';
                 CREATE TRIGGER lose BEFORE INSERT ON enrold_run FOR EACH ROW EXECUTE FUNCTION lose()",
            )
            .await
            .unwrap();
    }
    let names = "SELECT COUNT(*) FROM {user} WHERE firstname = 'PWNED'";
    for _ in 0..2 {
        // Many rows use another statement than few.
        for times in [1, 200] {
            let file = site.write(format!("{HEADER}add,moreaul26,L1-MATH-101,student\n{}", TRAPS.repeat(times)));
            let report = site.engine().import(&file, false).await.unwrap();
            assert_applied(&report, State::DoneWithErrors);
            assert_eq!(report.errors, 5 * times as u64);
            assert_eq!(site.conn.number(names, &Params::new()).await.unwrap(), 0);
        }
    }
    let sql = "SELECT value FROM {enrold_error} WHERE code = 'user-unknown' AND place = 'line' AND number = 4 AND run = (SELECT MIN(run) FROM {enrold_error})";
    assert_eq!(site.conn.row(sql, &Params::new()).await.unwrap().unwrap().text(0), "\\'");
    assert_eq!(enrolled(&mut site).await, 1);
}

async fn enrolled(site: &mut Site) -> i64 {
    let sql =
        "SELECT COUNT(*) FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid JOIN {user} u ON u.id = x.userid
        WHERE e.enrol = 'flatfile' AND u.username = 'moreaul26'";
    site.conn.number(sql, &Params::new()).await.unwrap()
}

/// Defaults of a database that would change the effect of a run.
#[test]
fn defaults_of_a_database_do_not_matter() {
    run_on(Dialect::Postgres, async |mut site: Site| {
        site_with_traces(&mut site).await;
        let database =
            site.conn.row("SELECT CAST(current_database() AS TEXT)", &Params::new()).await.unwrap().unwrap().text(0);
        site.conn.command("CREATE SCHEMA later").await.unwrap();
        site.conn
            .command("CREATE FUNCTION later.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1/0::text'")
            .await
            .unwrap_or(());
        for default in [
            "standard_conforming_strings = off",
            "client_encoding = 'LATIN1'",
            "default_transaction_read_only = on",
            "default_transaction_isolation = 'serializable'",
            "default_transaction_deferrable = on",
            "search_path = public, later, pg_catalog",
            "statement_timeout = '20s'",
            "idle_in_transaction_session_timeout = '20s'",
            "transform_null_equals = on",
            "\"DateStyle\" = 'SQL, DMY'",
            "\"TimeZone\" = 'Asia/Kolkata'",
        ] {
            site.conn.command(&format!("ALTER DATABASE {database} SET {default}")).await.unwrap();
        }
        let mut conn = site.engine().database.connect().await.unwrap();
        let sql = "SELECT current_setting('standard_conforming_strings') || current_setting('client_encoding') || current_setting('transaction_read_only')
            || current_setting('statement_timeout') || current_setting('search_path')";
        assert_eq!(conn.row(sql, &Params::new()).await.unwrap().unwrap().text(0), "onUTF8off0public");
        conn.close().await;
        let file = site.write(format!("{HEADER}add,moreaul26,L1-MATH-101,student\nadd,É\\x,L1-MATH-101,student\n"));
        let report = site.engine().import(&file, false).await.unwrap();
        assert_applied(&report, State::DoneWithErrors);
        assert_eq!(enrolled(&mut site).await, 1);
    });
}

#[test]
fn the_session_on_mariadb_is_our_own() {
    run_on(Dialect::Maria, async |mut site: Site| {
        let sql = "SELECT CONCAT_WS(' ', @@sql_mode, @@autocommit, @@sql_select_limit, @@sql_safe_updates, @@sql_auto_is_null, @@time_zone,
            @@collation_connection, @@tx_isolation, @@tx_read_only, @@max_statement_time)";
        let found = site.conn.row(sql, &Params::new()).await.unwrap().unwrap().text(0);
        let mode = "PIPES_AS_CONCAT,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES";
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split([' ', ',']).map(str::to_owned).collect();
            words.sort();
            words
        };
        let expected = format!("{mode} ON 18446744073709551615 OFF OFF +00:00 utf8mb4_bin READ-COMMITTED OFF 0.000000");
        assert_eq!(sorted(&found), sorted(&expected));
    });
}

/// An error shows the template and no value, whatever the database's message contains.
async fn errors_show_no_value(mut site: Site) {
    let dialect = site.conn.dialect();
    let params = Params::new().with("id", 77).with("name", "O'Neil Dupont");
    site.conn.exec("INSERT INTO {config} (id, name, value) VALUES (:id, :name, '')", &params).await.unwrap();
    let to_int = dialect.to_int(":name");
    let broken = [
        "INSERT INTO {config} (id, name, value) VALUES (:id + 1, :name, '')".to_owned(),
        "INSERT INTO {config} (id, name, value) VALUES (:id, :name, '')".to_owned(),
        "SELECT nothing FROM {config} WHERE name = :name".to_owned(),
        "SELECT 1 FROM {nothing} WHERE name = :name AND".to_owned(),
        format!("INSERT INTO {{user_enrolments}} (id, enrolid, userid) VALUES (1, {to_int}, 2)"),
        "UPDATE {user_enrolments} SET userid = :name".to_owned(),
    ];
    let mut failed = 0;
    for template in &broken {
        if let Err(error) = site.conn.exec(template, &params).await {
            failed += 1;
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("Neil") && !shown.contains("Dupont"), "{shown}");
            assert!(shown.contains(":name") || shown.contains("user_enrolments"), "the template is shown: {shown}");
        }
    }
    assert!(failed >= 4, "{failed}");
    let refused = site.conn.literal("INSERT INTO {config} (id, name, value) VALUES (77, 'Dupont', '')").await;
    let shown = refused.unwrap_err().to_string();
    assert!(!shown.contains("Dupont") && shown.contains("INSERT INTO"), "{shown}");
}

/// A refused statement about encodings of the second database is skipped with a note; any other one fails the run.
async fn a_refused_statement_about_encodings_is_left_out(mut site: Site) {
    site_with_traces(&mut site).await;
    site.sql("UPDATE {config} SET value = 'manual,flatfile,database' WHERE name = 'enrol_plugins_enabled'").await;
    site.conn.literal("CREATE TABLE records (who VARCHAR(20), place VARCHAR(20))").await.unwrap();
    site.conn.literal("INSERT INTO records VALUES ('moreaul26', 'L1-MATH-101')").await.unwrap();
    let here = url(&site.engine());
    for (key, value) in [
        ("url", here.as_str()),
        ("table", "records"),
        ("columns.user", "who"),
        ("columns.course", "place"),
        ("user_key", "username"),
        ("course_key", "shortname"),
        ("default_role", "student"),
        ("setup", "SET NAMES nonsense; SET CHARACTER SET 'no such'"),
    ] {
        site.set(&format!("sources.x.{key}"), value);
    }
    let report = site.engine().sync_source("x", false).await.unwrap();
    assert_eq!(report.state, State::Done, "{:?}", report.problems);
    assert_eq!(report.counts["enrolment.add"], 1);
    let skipped = ["SET NAMES nonsense", "SET CHARACTER SET 'no such'"].map(|text| Note::SetupSkipped(text.to_owned()));
    assert!(skipped.iter().all(|note| report.notes.contains(note)), "{:?}", report.notes);
    site.set("sources.x.setup", "SET nonsense = 1");
    let report = site.engine().sync_source("x", false).await.unwrap();
    assert_eq!((report.state, report.problems[0].code.as_str()), (State::Failed, "source-unreadable"));
}

/// A trigger of the site refuses a line with a message that names a user: neither log nor page repeats it.
async fn log_and_pages_show_no_value(mut site: Site) {
    let program = site.sampled().await;
    let statements: &[&str] = match site.conn.dialect() {
        Dialect::Postgres => &[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''Dupont is refused''; END'",
            "CREATE TRIGGER refuse BEFORE INSERT ON {user_enrolments} FOR EACH ROW EXECUTE FUNCTION refuse()",
        ],
        _ => &[
            "CREATE TRIGGER refuse BEFORE INSERT ON {user_enrolments} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Dupont is refused'",
        ],
    };
    for statement in statements {
        site.conn.command(statement).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let place = Place::socket(dir.path());
    let program = program.set(&place.setting());
    program.drop_file(
        "dropped.csv",
        format!("{HEADER}add,moreaul26,L1-MATH-101,student\nadd,Dupont,L1-MATH-101,student\n"),
    );
    let mut daemon = program.start();
    daemon.until_logged("dropped.csv");
    daemon.until_logged("a trigger or function of the database refused it");
    let (_, page) = place.get("/healthz").unwrap();
    let log = daemon.stop();
    for text in [page, log] {
        assert!(text.contains("refused it"), "{text}");
        assert!(!text.contains("Dupont") && !text.contains("moreaul26") && !text.contains("Moreau"), "{text}");
    }
}
