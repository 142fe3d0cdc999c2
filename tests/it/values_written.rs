//! Truth values, times and numbers as databases and spreadsheets write them, from files of lines, sets and second
//! databases. It must not repeat the tables of the readers' own tests.

use enrold::config::Locale;
use enrold::db::Dialect;
use enrold::outcome::{Report, State};
use enrold::source::fetch;

use crate::doctor_rights::url;
use crate::golden_case::set_of;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    small_numbers_are_no_times_of_a_line,
    small_numbers_are_no_times_of_a_set,
    yes_and_no_of_a_set,
    a_second_database_writes_them_its_own_way,
);

/// `LINE CODE HINT` of each problem.
fn told(report: &Report) -> Vec<String> {
    report.problems.iter().map(|told| format!("{} {} {}", told.line, told.code.as_str(), told.hint)).collect()
}

async fn small_numbers_are_no_times_of_a_line(mut site: Site) {
    site.campus().await;
    let header = "operation,user,course,role,timestart,timeend\n";
    site.import(&format!("{header}add,u1,c1,student,,2027-06-30\nadd,u2,c1,student,,30/06/27\n")).await;
    let both = ["u1 c1 flatfile 0..1814399999", "u2 c1 flatfile 0..1814399999"];
    assert_eq!(site.enrolments().await, both);
    let lines = "add,u1,c1,student,,46568\nadd,u2,c1,student,,2027\nadd,u1,c1,student,,202706\n\
                 add,u2,c1,student,46272,2027-06-30\nadd,u1,c1,student,,20270630\nadd,u2,c1,student,,7\n";
    let report = site.import(&format!("{header}{lines}")).await;
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!(
        told(&report),
        [
            "2 bad-time day-number 2027-06-30",
            "3 bad-time year 2027",
            "4 bad-time year-month 2027-06",
            "5 bad-time day-number 2026-09-07",
            "6 bad-time compact-date 2027-06-30",
            "7 bad-time small-number",
        ]
    );
    let text = report.problems[0].text(Locale::Fr);
    assert!(text.contains("numéro de jour d'un tableur, pour le 2027-06-30"), "{text}");
    assert_eq!(site.enrolments().await, both);
    // Moodle's own form, and nobody is suspended later.
    let report = site.import("add,student,u1,c1,0,46568\n").await;
    assert_eq!(told(&report), ["1 bad-time day-number 2027-06-30"]);
    site.sync().await;
    assert_eq!(site.enrolments().await, both);
    site.set("flatfile.small_times", "accept");
    let report = site.import("add,student,u1,c1,7,0\nadd,student,u2,c1,0,20270630\n").await;
    assert_eq!(told(&report), ["2 bad-time compact-date 2027-06-30"]);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile 7..0", "u2 c1 flatfile 0..1814399999"]);
}

async fn small_numbers_are_no_times_of_a_set(mut site: Site) {
    site.records("database").await;
    site.full_set("database", "user,course,timeend\nu1,c1,2027-06-30\nu2,c1,2027-06-30\n").await;
    let both = ["u1 c1 database 0..1814399999", "u2 c1 database 0..1814399999"];
    assert_eq!(site.enrolments().await, both);
    let rows = "user,course,timeend\nu1,c1,46568\nu2,c1,30/06/27\n";
    let report = site.full_set("database", rows).await;
    assert_eq!(told(&report), ["2 bad-time day-number 2027-06-30"]);
    assert_eq!(site.enrolments().await, both, "the user of the row keeps the place");
    site.set("flatfile.small_times", "accept");
    site.full_set("database", rows).await;
    assert_eq!(site.enrolments().await, ["u1 c1 database 0..46568", "u2 c1 database 0..1814399999"]);
}

async fn yes_and_no_of_a_set(mut site: Site) {
    site.records("database").await;
    for no in ["0.0", "f", "false", "N", "Non"] {
        let report = site.full_set("database", &format!("user,course,other,status\nu1,c1,{no},{no}\n")).await;
        assert_eq!((site.enrolments().await, report.errors), (vec!["u1 c1 database".to_owned()], 0), "{no}");
    }
    for yes in ["1.0", "t", "TRUE", "Suspendu"] {
        let report = site.full_set("database", &format!("user,course,status\nu1,c1,{yes}\n")).await;
        let suspended = vec!["u1 c1 database suspended".to_owned()];
        assert_eq!((site.enrolments().await, report.errors), (suspended, 0), "{yes}");
        site.full_set("database", "user,course,status\nu1,c1,actif\n").await;
    }
    // A user of whom another is the tutor has the role alone, whatever names that one.
    for yes in ["true", "O'Brien"] {
        site.full_set("database", &format!("user,course,role,other\nu1,c1,student,n\nu2,c1,teacher,{yes}\n")).await;
        assert_eq!(site.enrolments().await, ["u1 c1 database"], "{yes}");
        assert_eq!(site.roles().await, ["u1 c1 student database", "u2 c1 teacher database"], "{yes}");
        site.full_set("database", "user,course\nu1,c1\n").await;
    }
    let report = site.full_set("database", "user,course,status\nu1,c1,away\n").await;
    assert_eq!(told(&report), ["2 bad-verb 0, active, 1, suspended"]);
    assert_eq!(site.enrolments().await, ["u1 c1 database"], "a word that is neither costs nobody the place");
}

async fn a_second_database_writes_them_its_own_way(mut site: Site) {
    site.records("x").await;
    let (columns, rows): (&str, &[&str]) = match site.conn.dialect() {
        Dialect::Postgres => (
            "who TEXT, place CHAR(9), other BOOLEAN, bit BIT(1), start TIMESTAMP(3), finish DATE",
            &[
                "'u1', 'c1', FALSE, B'0', '2026-09-07 08:00:00.500', 'infinity'",
                "'u2', 'c1', TRUE, B'1', '-infinity', '2027-06-30'",
                "'u3', 'c1', NULL, B'1', NULL, '2027-06-30'",
            ],
        ),
        Dialect::Maria => (
            "who TEXT, place CHAR(9), other TINYINT(1), bit BIT(1), start DATETIME(3), finish DATE",
            &[
                "'u1', 'c1', 0, b'0', '2026-09-07 08:00:00.500', '0000-00-00'",
                "'u2', 'c1', 1, b'1', '0000-00-00 00:00:00', '2027-06-30'",
                "'u3', 'c1', NULL, b'1', NULL, '2027-06-30'",
            ],
        ),
        Dialect::Lite => (
            "who TEXT, place TEXT, other REAL, bit BOOLEAN, start TEXT, finish TEXT",
            &[
                "'u1', 'c1', 0.0, 0, '2026-09-07 08:00:00.500', '0000-00-00'",
                "'u2', 'c1', 1.0, 1, '0000-00-00 00:00:00.000', '2027-06-30'",
                "'u3', 'c1', NULL, 1, NULL, '2027-06-30'",
            ],
        ),
    };
    if site.conn.dialect() == Dialect::Maria {
        site.script(&["SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'"]).await;
    }
    site.script(&[&format!("CREATE TABLE records ({columns})")]).await;
    for row in rows {
        site.script(&[&format!("INSERT INTO records VALUES ({row})")]).await;
    }
    let there = url(&site.engine());
    for (key, value) in [
        ("files", ""),
        ("url", there.as_str()),
        ("table", "records"),
        ("columns.user", "who"),
        ("columns.course", "place"),
        ("columns.other", "other"),
        ("columns.status", "bit"),
        ("columns.timestart", "start"),
        ("columns.timeend", "finish"),
    ] {
        site.set(&format!("sources.x.{key}"), value);
    }
    let expected = ["u1 c1 database 1788768000..0", "u3 c1 database suspended 0..1814399999"];
    let report = site.night_of_x().await;
    assert_eq!(told(&report), [""; 0]);
    assert_eq!(site.enrolments().await, expected);
    assert_eq!(site.roles().await.len(), 3, "the role of u2 is its only row");
    // MariaDB gives a truth value that a view computes as a string of one byte.
    if site.conn.dialect() == Dialect::Maria {
        site.script(&["CREATE VIEW bits AS SELECT who, place, IF(other = 1, b'1', b'0') AS other, bit, start, finish FROM records"])
            .await;
        site.set("sources.x.table", "bits");
        let report = site.night_of_x().await;
        assert_eq!(told(&report), [""; 0]);
        assert_eq!(site.enrolments().await, expected);
    }
}

impl Site {
    /// Fetches the source `x` and applies its set.
    async fn night_of_x(&mut self) -> Report {
        let engine = self.engine();
        let source = engine.settings.sources["x"].clone();
        let snapshot = fetch("x", &source, &engine.settings.state.path, NOW).await.unwrap();
        engine.apply_set(&set_of("x", &snapshot.path), false).await.unwrap()
    }
}
