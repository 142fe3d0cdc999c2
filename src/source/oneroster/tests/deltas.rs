//! Bulk and delta: what the two columns of status must say, and what a delta adds and takes away.
//! It must not know archives.

use super::*;

const HEAD: &str =
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n";
const WHEN: &str = "2026-11-22T02:00:00.000Z";

fn delta(rows: &[(&str, &str)]) -> Export {
    let rows: String = rows.iter().map(|(status, rest)| format!("e,{status},{rest},,\n")).collect();
    bulk().with("enrollments", "delta", HEAD.to_owned() + &rows)
}

fn dated(rest: &str) -> String {
    format!("{WHEN},{rest}")
}

#[test]
fn a_delta_has_rows_to_add_and_rows_to_take_away() {
    let export = delta(&[("active", &dated("k-1,o-1,s-1,student,")), ("tobedeleted", &dated("k-2,o-1,s-2,student,"))]);
    let (kept, read) = export.read(&by("", "")).unwrap();
    assert_eq!(kept.lines(), ["k-1|s-1|student", "k-2|s-2|student|tobedeleted"]);
    assert_eq!(read.kind, SnapshotKind::Delta);
    assert_eq!(kept.rows[1].status, crate::source::SetRow::TO_BE_DELETED);
}

#[test]
fn in_a_delta_the_status_must_be_there() {
    let export = delta(&[
        ("", &dated("k-1,o-1,s-1,student,")),
        ("inactive", &dated("k-1,o-1,s-2,student,")),
        ("active", ",k-2,o-1,s-1,student,"),
        ("active", ",k-2,o-1,s-2,student,"),
    ]);
    let (kept, read) = export.read(&by("", "")).unwrap();
    assert_eq!(kept.lines(), ["k-2|s-1|student", "k-2|s-2|student"]);
    assert_eq!(
        kept.told(),
        [
            "enrollments.csv:2 status-unusable  (s-1, k-1)",
            "enrollments.csv:3 status-unusable inactive (s-2, k-1)",
            "enrollments.csv:4 status-unusable  +",
        ]
    );
    assert_eq!(read.enrolments.bad, 2);
}

#[test]
fn in_a_bulk_file_the_status_must_be_blank() {
    let text = ENROLMENTS
        .replace("e-1,,", "e-1,active,")
        .replace("e-2,,", "e-2,tobedeleted,")
        .replace("e-3,,", &format!("e-3,,{WHEN}"));
    let (kept, read) = bulk().with("enrollments", "bulk", text).read(&by("", "")).unwrap();
    assert_eq!(
        kept.told(),
        ["enrollments.csv:2 status-unusable active +", "enrollments.csv:3 status-unusable tobedeleted (s-2, k-2)"]
    );
    assert_eq!((read.sorted.rows, read.enrolments.bad), (3, 1));
}

#[test]
fn what_a_delta_does_not_list_was_sent_before() {
    let rows = [("active", dated("k-7,o-1,s-7,student,")), ("tobedeleted", dated("k-1,o-1,s-1,student,"))];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(status, rest)| (*status, rest.as_str())).collect();
    let export = delta(&rows).without("users").without("classes").without("courses").without("orgs");
    assert_eq!(export.rows(&by("", "")), ["k-1|s-1|student|tobedeleted", "k-7|s-7|student"]);
    let (kept, _) = export.read(&by("users.username", "classes.classCode")).unwrap();
    assert_eq!(kept.told(), ["enrollments.csv:2 reference-unknown s-7", "enrollments.csv:3 reference-unknown s-1"]);
    assert_eq!(kept.lines(), [""; 0]);
}

#[test]
fn people_who_are_to_be_deleted_can_only_lose_enrolments() {
    let users =
        format!("sourcedId,status,dateLastModified,username\ns-1,tobedeleted,{WHEN},ada\ns-2,active,{WHEN},alan\n");
    let export = delta(&[
        ("active", &dated("k-1,o-1,s-1,student,")),
        ("tobedeleted", &dated("k-2,o-1,s-1,student,")),
        ("active", &dated("k-1,o-1,s-2,student,")),
    ])
    .with("users", "delta", users);
    let (kept, _) = export.read(&by("users.username", "")).unwrap();
    assert_eq!(kept.lines(), ["k-1|alan|student", "k-2|ada|student|tobedeleted"]);
    assert_eq!(kept.told(), ["enrollments.csv:2 status-unusable tobedeleted (, k-1)"]);
}

#[test]
fn what_a_delta_wishes_it_does_not_take_away() {
    let classes = CLASSES.replace("MATH1-B", "MATH1-A");
    let export = delta(&[
        ("tobedeleted", &dated("k-1,o-1,s-1,student,")),
        ("active", &dated("k-2,o-1,s-1,student,")),
        ("tobedeleted", &dated("k-1,o-1,s-2,student,")),
        ("tobedeleted", &dated("k-2,o-1,s-1,teacher,")),
    ])
    .with("classes", "bulk", classes);
    let (kept, read) = export.read(&by("", "classes.classCode")).unwrap();
    assert_eq!(
        kept.lines(),
        ["MATH1-A|s-1|editingteacher|tobedeleted", "MATH1-A|s-1|student", "MATH1-A|s-2|student|tobedeleted"]
    );
    assert_eq!((read.sorted.rows, read.contradicted), (3, 1));
}

#[test]
fn a_delta_by_course_is_refused() {
    let export = delta(&[("active", &dated("k-1,o-1,s-1,student,"))]);
    let error = export.read(&by("", "courses.courseCode")).unwrap_err().to_string();
    assert!(error.contains("cannot be applied by course"), "{error}");
}
