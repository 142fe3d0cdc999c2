//! Values that do not fit into the site, and unlimited problems: each fails its own line only, with bounded cost.
//! It must not start a daemon.

use enrold::config::Locale;
use enrold::db::{Bulk, DbError, Dialect, Field, Params};
use enrold::outcome::{Note, Report, State};
use enrold::problem::Code;

use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_line_with_a_value_that_nothing_can_be_called_is_told_alone,
    a_person_keeps_his_place_when_his_group_has_no_room,
    a_row_of_which_nothing_can_be_called_so_is_told_alone,
    a_cohort_has_room_for_its_key_and_its_name,
    the_width_of_the_site_counts,
    only_the_first_problems_are_kept_and_all_are_counted,
    problems_of_unknown_keys_are_bounded_too,
    a_chunk_ends_by_its_bytes,
    a_statement_that_is_too_long_is_an_error_and_no_cut_wire,
);

fn x(times: usize) -> String {
    "é".repeat(times)
}

/// `LINE CODE HINT` of each problem; the stored part of a value is bounded.
fn told(report: &Report) -> Vec<String> {
    for problem in &report.problems {
        assert!(problem.value.chars().count() <= 255, "{} keeps {} bytes", problem.code, problem.value.len());
        assert!(problem.hint.len() < 300);
    }
    report
        .problems
        .iter()
        .map(|told| format!("{} {} {}", told.line, told.code.as_str(), told.hint).trim_end().to_owned())
        .collect()
}

async fn a_line_with_a_value_that_nothing_can_be_called_is_told_alone(mut site: Site) {
    site.campus().await;
    let report = site
        .import(&format!(
            "operation,user,course,role\nadd,{},c1,student\nadd,u1,{},student\nadd,u1,c1,{}\nadd,u2,c1,student\nadd,{},c1,student\nadd,{},c1,student\n",
            x(256),
            x(400_000),
            x(70_000),
            x(255),
            // One letter that becomes two in lower case.
            "İ".repeat(200),
        ))
        .await;
    assert_eq!(
        told(&report),
        [
            "2 value-too-long user 255",
            "3 value-too-long course 255",
            "4 value-too-long role 255",
            "6 user-unknown username",
            "7 value-too-long user 255"
        ]
    );
    assert_eq!((report.state, report.lines.failed), (State::DoneWithErrors, 5));
    assert_eq!(site.enrolments().await, ["u2 c1 flatfile"]);
    let text = report.problems[0].text(Locale::En);
    assert!(
        text.starts_with("line 2: the value of column user is too long, the site has room for 255 characters"),
        "{text}"
    );
    let report = site.import(&format!("add,student,{},c1\nadd,student,u3,c1\n", x(300))).await;
    assert_eq!(told(&report), ["1 value-too-long user 255"], "in Moodle's own form too");
}

async fn a_person_keeps_his_place_when_his_group_has_no_room(mut site: Site) {
    site.records("database").await;
    site.set("sources.database.create_groups", "true");
    site.full_set("database", "user,course,group\nu1,c1,A\nu2,c1,A\n").await;
    let rows = format!(
        "user,course,group\nu1,c1,{}\nu2,c1,A\nu3,c1,{}\nu4,c2,{}\nnobody,c1,{}\n",
        x(255),
        x(90_000),
        x(254),
        x(255)
    );
    let report = site.full_set("database", &rows).await;
    assert_eq!(told(&report), ["2 value-too-long group 254", "4 value-too-long group 254", "6 user-unknown idnumber"]);
    assert_eq!(report.lines.failed, 1, "the other rows are applied");
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u4 c2 database"]);
    let whole = format!("u4 {} database", x(254));
    assert_eq!(site.group_members().await, ["u1 A database".to_owned(), "u2 A database".to_owned(), whole]);
    // If groups are found by idnumber, they have less room, for the name too.
    site.set("sources.database.group_key", "idnumber");
    let rows = format!("user,course,group\nu1,c3,{}\nu2,c3,{}\n", x(101), x(100));
    let report = site.full_set("database", &rows).await;
    assert_eq!(told(&report), ["2 value-too-long group 100"]);
    assert_eq!(site.enrolments().await, ["u1 c3 database", "u2 c3 database"]);
}

async fn a_row_of_which_nothing_can_be_called_so_is_told_alone(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course,role\nu1,c1,student\nu2,c1,student\nu3,c1,student\n").await;
    let rows = format!(
        "user,course,role,other,timeend\n{},c1,student,,\nu1,{},student,,\nu2,c1,{},,\nu3,c1,student,{},\nu4,c1,student,,{}\nu5,c1,student,,\n",
        x(300),
        x(300),
        x(300),
        x(300),
        x(300)
    );
    let report = site.full_set("database", &rows).await;
    assert_eq!(
        told(&report)[..4],
        [
            "2 value-too-long user 255",
            "3 value-too-long course 255",
            "4 value-too-long role 255",
            "5 value-too-long other 255"
        ]
    );
    assert!(told(&report)[4].starts_with("6 bad-time"));
    assert_eq!(
        site.enrolments().await,
        ["u1 c1 database", "u2 c1 database", "u3 c1 database", "u5 c1 database"],
        "whom such a row names loses nothing"
    );
}

async fn a_cohort_has_room_for_its_key_and_its_name(mut site: Site) {
    site.promotions("promo").await;
    site.set("sources.promo.create_cohorts", "true");
    let rows = format!("user,cohort,name\nu1,K1,Fine\nu2,{},Long\nu3,K3,{}\nu4,K4,{}\n", x(101), x(255), x(254));
    let report = site.full_set("promo", &rows).await;
    assert_eq!(told(&report), ["3 value-too-long cohort 100", "4 value-too-long name 254"]);
    assert_eq!((report.lines.records, report.lines.failed), (4, 1));
    let named = "SELECT c.idnumber, c.name FROM {cohort} c WHERE c.idnumber LIKE 'K%'";
    let cohorts =
        site.lines(named, |row| format!("{} {}", row.text(0), row.text(1).chars().take(5).collect::<String>()));
    assert_eq!(cohorts.await, ["K1 Fine", "K3 K3", "K4 ééééé"], "without a usable name it is called as its key");
    assert_eq!(site.members().await.len(), 3);
    site.set("sources.promo.cohort_key", "name");
    let report = site.full_set("promo", &format!("user,cohort\nu1,Fine\nu2,{}\n", x(255))).await;
    assert_eq!(told(&report), ["3 value-too-long cohort 254"]);
}

/// A site with wider or narrower columns than Moodle's (SQLite reports no widths).
async fn the_width_of_the_site_counts(mut site: Site) {
    let engine = site.conn.dialect();
    site.records("database").await;
    site.set("sources.database.create_groups", "true");
    let groups = site.conn.table("groups");
    match engine {
        Dialect::Postgres => {
            site.conn.command(&format!("ALTER TABLE {groups} ALTER COLUMN name TYPE VARCHAR(20)")).await
        }
        Dialect::Maria => {
            site.conn.command(&format!("ALTER TABLE {groups} MODIFY name VARCHAR(20) NOT NULL DEFAULT ''")).await
        }
        Dialect::Lite => Ok(()),
    }
    .unwrap();
    let report = site.full_set("database", &format!("user,course,group\nu1,c1,{}\nu2,c1,{}\n", x(21), x(20))).await;
    let expected: &[&str] = if engine == Dialect::Lite { &[] } else { &["2 value-too-long group 20"] };
    assert_eq!(told(&report), expected);
    assert_eq!(site.enrolments().await, ["u1 c1 database", "u2 c1 database"]);
}

async fn only_the_first_problems_are_kept_and_all_are_counted(mut site: Site) {
    site.campus().await;
    site.set("limits.problems", "3");
    let bad = "add,u1,c1,nonsense\nadd,u1\n".repeat(3);
    let report =
        site.import(&format!("operation,user,course,role\n{bad}add,nobody,c1,student\nadd,u2,c1,student\n")).await;
    assert_eq!(site.errors(&report).await, ["2 role-unknown", "3 row-ragged", "4 role-unknown"]);
    assert_eq!((report.errors, report.lines.failed, report.problems.len()), (7, 7, 3));
    let codes: Vec<_> = report.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    assert_eq!(codes, ["role-unknown 3", "row-ragged 3", "user-unknown 1"]);
    let note = Note::ProblemsUnkept { kept: 3, of: 7 };
    assert!(report.notes.contains(&note), "{:?}", report.notes);
    assert_eq!(site.enrolments().await, ["u2 c1 flatfile"]);
    let again = site.engine().recall(report.run).await.unwrap().unwrap();
    assert_eq!((again.errors, &again.codes, &again.unkept), (7, &report.codes, &report.unkept), "the history knows it");
}

async fn problems_of_unknown_keys_are_bounded_too(mut site: Site) {
    site.records("database").await;
    site.set("limits.problems", "2");
    let unknown: String = (0..5).map(|n| format!("add,nobody{n},c1,student\n")).collect();
    let file = format!("operation,user,course,role\n{unknown}add,u1,nowhere,student\nadd,u2,c1,student\n");
    let report = site.import(&file).await;
    assert_eq!(site.errors(&report).await, ["2 user-unknown", "3 user-unknown"], "the first lines are kept");
    assert_eq!(
        (report.errors, report.lines.failed, report.codes["user-unknown"], report.codes["course-unknown"]),
        (6, 6, 5, 1)
    );
    let rows = "user,course,group\nu1,c1,g7\nu2,c1,g8\nnobody,c1,\nu3,nowhere,\nu4,c1,g9\n";
    let report = site.full_set("database", rows).await;
    assert_eq!((report.errors, report.lines.failed, report.codes["group-unknown"]), (5, 2, 3));
    let of_run = Params::new().with("run", report.run);
    let kept = site.conn.number("SELECT COUNT(*) FROM {enrold_error} WHERE run = :run", &of_run).await.unwrap();
    assert_eq!(kept, 2);
    let set = report.set.unwrap();
    assert_eq!(
        set.places.iter().map(|place| place.figures.unknown).sum::<i64>(),
        1,
        "places count rows that are not kept"
    );
    assert!(site.enrolments().await.contains(&"u4 c1 database".to_owned()));
}

async fn a_chunk_ends_by_its_bytes(mut site: Site) {
    let long = "x".repeat(700_000);
    site.conn.begin().await.unwrap();
    let mut bulk = Bulk::new(site.conn.dialect(), "enrold_error", "run, n, code, value");
    // More than any server accepts at once by default, in fewer rows than a chunk; some of them after the 500 that
    // PostgreSQL gets as VALUES.
    for n in 0..640_i64 {
        let word = if n % 20 == 0 { long.as_str() } else { "short\t\\'é" };
        let row = [Field::Int(7), Field::Int(n), Field::Text("x"), Field::Text(word)];
        bulk.push(&mut site.conn, &row).await.unwrap();
    }
    assert_eq!(bulk.finish(&mut site.conn).await.unwrap(), 640);
    let count = async |site: &mut Site, sql: &str| site.conn.number(sql, &Params::new()).await.unwrap();
    assert_eq!(
        count(&mut site, "SELECT COUNT(*) FROM {enrold_error} WHERE run = 7 AND LENGTH(value) = 700000").await,
        32
    );
    let short = "SELECT value FROM {enrold_error} WHERE run = 7 AND n = 639";
    assert_eq!(site.conn.row(short, &Params::new()).await.unwrap().unwrap().text(0), "short\t\\'é");
    assert_eq!(count(&mut site, "SELECT COUNT(DISTINCT n) FROM {enrold_error} WHERE run = 7").await, 640);
    site.conn.rollback().await.unwrap();
}

async fn a_statement_that_is_too_long_is_an_error_and_no_cut_wire(mut site: Site) {
    if site.conn.dialect() != Dialect::Maria {
        return;
    }
    let most = site.conn.number("SELECT @@max_allowed_packet", &Params::new()).await.unwrap() as usize;
    // Two bytes per character, two hexadecimal digits per byte.
    let long = "é".repeat(most / 4 + 100);
    let params = Params::new().with("text", long.as_str());
    let error = site.conn.row("SELECT LENGTH(:text)", &params).await.unwrap_err();
    assert!(matches!(error, DbError::Other { .. }), "{error}");
    assert!(error.to_string().contains("max_allowed_packet"), "{error}");
    let mut bulk = Bulk::new(site.conn.dialect(), "enrold_error", "run, n, code, value");
    let row = [Field::Int(1), Field::Int(1), Field::Text(Code::BadTime.as_str()), Field::Text(&long)];
    let error = bulk.push(&mut site.conn, &row).await.unwrap_err();
    assert!(error.to_string().contains("for enrold_error") && !error.is_transient(), "{error}");
    assert_eq!(site.conn.number("SELECT 1", &Params::new()).await.unwrap(), 1, "the wire holds");
}
