//! The days of new courses, and what differs between Moodle's versions: columns, widths, the text of the event.
//! It must not test which rows become courses.

use enrold::change::courses::NewCourses;
use enrold::db::Dialect;

use crate::course_maker::terms;
use crate::dump::text;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    rows_name_their_days,
    days_that_cannot_be,
    the_end_of_a_template,
    columns_of_later_versions,
    completion_conditions_need_completion,
    a_full_name_as_long_as_the_column,
    the_event_is_written_as_by_php,
);

/// 2026-09-01, 2027-06-30, 2026-11-21 and one year later, in UTC.
const SEPTEMBER: i64 = 1_788_220_800;
const JUNE: i64 = 1_814_313_600;
const TODAY: i64 = 1_795_219_200;
const LATER: i64 = 1_826_755_200;
const YEAR: i64 = 31_536_000;

impl Site {
    async fn days(&mut self, shortname: &str) -> (i64, i64) {
        let (start, end) = (self.of_course(shortname, "startdate").await, self.of_course(shortname, "enddate").await);
        (start.parse().unwrap(), end.parse().unwrap())
    }
}

async fn rows_name_their_days(mut site: Site) {
    site.catalogue().await;
    let rows = "fullname,shortname,startdate,enddate\nA,a,2026-09-01,2027-06-30\nB,b,01/09/2026,\nC,c,,\nD,d,0,0\n\
                E,e,1788220800,1814313600\nF,f,,2027-06-30\n";
    let made = site.courses(rows, &terms(), NOW).await;
    assert_eq!(made.errors, [""; 0]);
    for (shortname, days) in [
        ("a", (SEPTEMBER, JUNE)),
        ("b", (SEPTEMBER, SEPTEMBER + YEAR)),
        ("c", (TODAY, LATER)),
        ("d", (TODAY, LATER)),
        ("e", (SEPTEMBER, JUNE)),
        ("f", (TODAY, JUNE)),
    ] {
        assert_eq!(site.days(shortname).await, days, "{shortname}");
    }
    // In Paris the days begin two hours earlier in summer.
    let paris = NewCourses { zone: chrono_tz::Europe::Paris, ..terms() };
    site.courses("fullname,shortname,startdate,enddate\nG,g,2026-09-01,2027-06-30\n", &paris, NOW).await;
    assert_eq!(site.days("g").await, (SEPTEMBER - 7_200, JUNE - 7_200));
}

async fn days_that_cannot_be(mut site: Site) {
    site.catalogue().await;
    let rows = "fullname,shortname,startdate,enddate\nA,a,soon,2027-06-30\nB,b,2026-09-01,then\n\
                C,c,2027-01-01,2026-01-01\nD,d,,2020-01-01\nBad,c1,soon,then\nE,e,2026-09-01,\nE,e,2026-09-01,\n\
                F,f,2026-09-01,\nF,f,2026-09-02,\n";
    let made = site.courses(rows, &terms(), NOW).await;
    let accepted = enrold::files::times::ACCEPTED;
    let expected = [
        format!("2 bad-time soon {accepted}"),
        format!("3 bad-time then {accepted}"),
        "4 end-before-start 2026-01-01 2027-01-01".to_owned(),
        "5 end-before-start 2020-01-01 2026-11-21 00:00 +00:00".to_owned(),
        "9 course-twice f 10".to_owned(),
    ];
    assert_eq!(made.errors, expected);
    assert_eq!(site.made().await, ["e E  1", "f F  1"]);
}

/// A length of courses in the site's settings also gives courses from a template their end.
async fn the_end_of_a_template(mut site: Site) {
    site.catalogue().await;
    let lent = format!("UPDATE {{course}} SET startdate = {SEPTEMBER}, enddate = {JUNE} WHERE shortname = 'c1'");
    site.sql(&lent).await;
    let from = NewCourses { template: "c1".to_owned(), ..terms() };
    let rows = "fullname,shortname,startdate,enddate\nA,a,,\nB,b,2026-11-21,\nC,c,,2026-11-21\n";
    site.courses(rows, &from, NOW).await;
    assert_eq!(site.days("a").await, (SEPTEMBER, SEPTEMBER + YEAR));
    assert_eq!(site.days("b").await, (TODAY, LATER));
    assert_eq!(site.days("c").await, (SEPTEMBER, TODAY));

    site.default("courseenddateenabled", "0").await;
    let rows = "fullname,shortname,startdate\nD,d,\nE,e,2026-11-21\nF,f,2027-07-01\n";
    let made = site.courses(rows, &from, NOW).await;
    assert_eq!((site.days("d").await, site.days("e").await), ((SEPTEMBER, JUNE), (TODAY, JUNE)));
    assert_eq!(made.errors, ["4 end-before-start 2027-06-30 00:00 +00:00 2027-07-01"]);
}

async fn columns_of_later_versions(mut site: Site) {
    site.catalogue().await;
    site.default("showactivitydates", "1").await;
    site.courses("fullname,shortname\nA,a\n", &terms(), NOW).await;
    assert_eq!(site.of_course("a", "showactivitydates").await, "0", "not before Moodle 5.1");
    // The proofs know Moodle 4.1's columns only.
    site.conn.literal("ALTER TABLE mdl_course ADD enableaitools SMALLINT").await.unwrap();
    site.look_again().await;
    site.insert("config", &[("name", "version".into()), ("value", "2025100603.00".into())]).await;
    site.courses_once("fullname,shortname\nB,b\n", &terms(), NOW, false).await;
    assert_eq!(site.of_course("b", "showactivitydates").await, "1");
    assert_eq!(site.of_course("b", "enableaitools").await, "", "without a setting there is no value");
    site.default("enableaitools", "1").await;
    site.courses_once("fullname,shortname\nC,c\n", &terms(), NOW, false).await;
    assert_eq!(site.of_course("c", "enableaitools").await, "1");
    // A template lends its own.
    site.sql("UPDATE {course} SET enableaitools = 0, relativedatesmode = 1 WHERE shortname = 'c1'").await;
    let from = NewCourses { template: "c1".to_owned(), ..terms() };
    site.courses_once("fullname,shortname\nD,d\n", &from, NOW, false).await;
    let lent = (site.of_course("d", "enableaitools").await, site.of_course("d", "relativedatesmode").await);
    assert_eq!(lent, ("0".to_owned(), "0".to_owned()), "the site does not allow relative dates");
    site.insert("config", &[("name", "enablecourserelativedates".into()), ("value", "1".into())]).await;
    site.courses_once("fullname,shortname\nE,e\n", &from, NOW, false).await;
    assert_eq!(site.of_course("e", "relativedatesmode").await, "1");
}

async fn completion_conditions_need_completion(mut site: Site) {
    site.catalogue().await;
    let from = NewCourses { template: "c1".to_owned(), ..terms() };
    site.sql("UPDATE {course} SET enablecompletion = 1, showcompletionconditions = NULL WHERE shortname = 'c1'").await;
    site.courses("fullname,shortname\nA,a\n", &from, NOW).await;
    assert_eq!(site.of_course("a", "showcompletionconditions").await, "1");
    site.sql("UPDATE {course} SET enablecompletion = 0, showcompletionconditions = 1 WHERE shortname = 'c1'").await;
    site.courses("fullname,shortname\nB,b\n", &from, NOW).await;
    assert_eq!(site.of_course("b", "showcompletionconditions").await, "");
    site.default("enablecompletion", "0").await;
    site.courses("fullname,shortname\nC,c\n", &terms(), NOW).await;
    assert_eq!(site.of_course("c", "showcompletionconditions").await, "");
}

/// 1333 characters since Moodle 5.0; SQLite has no widths, so there it is Moodle's 254.
async fn a_full_name_as_long_as_the_column(mut site: Site) {
    site.catalogue().await;
    let widen = match site.conn.dialect() {
        Dialect::Postgres => "ALTER TABLE mdl_course ALTER COLUMN fullname TYPE VARCHAR(1333)",
        Dialect::Maria => "ALTER TABLE mdl_course MODIFY fullname VARCHAR(1333) NOT NULL DEFAULT ''",
        Dialect::Lite => return,
    };
    site.conn.literal(widen).await.unwrap();
    let (long, longer) = ("é".repeat(1_333), "é".repeat(1_334));
    let made = site.courses(&format!("fullname,shortname\n{long},a\n{longer},b\n"), &terms(), NOW).await;
    assert_eq!(made.errors, [format!("3 course-name-too-long {} 1333 (fullname)", "é".repeat(40))]);
    assert_eq!(site.of_course("a", "fullname").await, long);
}

async fn the_event_is_written_as_by_php(mut site: Site) {
    site.catalogue().await;
    site.courses("fullname,shortname\n\"Été/ \"\"1\"\" \\ 😀\",n/1\n", &terms(), NOW).await;
    assert_eq!(site.of_course("n/1", "fullname").await, "Été/ \"1\" \\ 😀");
    let dump = site.dump().await;
    let events = dump["logstore_standard_log"].iter();
    let created = events.filter(|row| text(row, "eventname").ends_with("course_created"));
    let others: Vec<&str> = created.map(|row| text(row, "other")).collect();
    assert_eq!(others, [r#"{"shortname":"n\/1","fullname":"\u00c9t\u00e9\/ \"1\" \\ \ud83d\ude00"}"#]);
}
