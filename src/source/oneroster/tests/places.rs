//! What becomes a course, a group, a cohort and its name, and whose enrolments count.
//! It must not know deltas.

use super::*;
use crate::source::oneroster::key::OneRosterForm;

/// The form of a source with these keys.
fn form(keys: &[(&str, &str)]) -> Result<OneRosterForm, String> {
    let all = [&[("format", "oneroster"), ("files", "*.zip")], keys].concat();
    let sets = all.iter().map(|(key, value)| (format!("sources.x.{key}"), (*value).to_owned())).collect();
    let loaded = crate::config::load(&crate::config::Sources { sets, ..Default::default() }).unwrap();
    OneRosterForm::of(&loaded.settings.sources["x"])
}

#[test]
fn the_classes_of_a_course_are_its_groups() {
    let form = form(&[("columns.course", "courses.courseCode"), ("columns.group", "classes.title")]).unwrap();
    assert_eq!(
        bulk().rows(&form),
        [
            "MATH1|s-1|student|Analysis A|2026-09-01|2027-01-31",
            "MATH1|s-2|student|Analysis B",
            "MATH1|t-1|editingteacher|Analysis A",
            "MATH1|t-1|editingteacher|Analysis B",
        ]
    );
    let nameless = bulk().with("classes", "bulk", CLASSES.replace("Analysis B", ""));
    assert_eq!(nameless.rows(&form)[3], "MATH1|t-1|editingteacher|Analysis A", "without a title there is no group");
}

#[test]
fn cohorts_are_made_of_classes_courses_or_schools() {
    let of = |cohort: &str, name: &str| {
        let keys = [("target", "cohorts"), ("columns.cohort", cohort), ("columns.name", name)];
        bulk().rows(&form(&keys).unwrap())
    };
    assert_eq!(of("", ""), ["k-1|s-1", "k-1|t-1", "k-2|s-2", "k-2|t-1"]);
    assert_eq!(of("classes.classCode", "classes.title")[0], "MATH1-A|s-1|Analysis A");
    assert_eq!(
        of("courses.courseCode", "courses.title"),
        ["MATH1|s-1|Analysis", "MATH1|s-2|Analysis", "MATH1|t-1|Analysis"]
    );
    assert_eq!(of("orgs.sourcedId", "orgs.name"), ["o-1|s-1|Faculty", "o-1|s-2|Faculty", "o-1|t-1|Faculty"]);
    let students = [("target", "cohorts"), ("roles", "student = student\nteacher = -")];
    assert_eq!(
        bulk().rows(&form(&students).unwrap()),
        ["k-1|s-1", "k-2|s-2"],
        "teachers are no members, and no problem"
    );
}

#[test]
fn a_cohort_of_nothing_is_told() {
    let form = form(&[("target", "cohorts"), ("columns.cohort", "orgs.identifier")]).unwrap();
    let (kept, _) = bulk().read(&form).unwrap();
    assert_eq!(kept.lines(), [""; 0]);
    assert_eq!(kept.told()[0], "enrollments.csv:2 empty-identifier identifier (orgs.csv, o-1) (s-1, )");
}

#[test]
fn users_that_are_not_enabled_are_suspended_unless_otherwise_set() {
    let off = bulk().with("users", "bulk", USERS.replace("s-1,,,true", "s-1,,,false"));
    let rows = |disabled_users| off.rows(&OneRosterForm { disabled_users, ..by("", "") });
    assert_eq!(rows(DisabledUsers::Suspend)[0], "k-1|s-1|student|2026-09-01|2027-01-31|suspended");
    assert_eq!(rows(DisabledUsers::LeaveOut), ["k-1|t-1|editingteacher", "k-2|s-2|student", "k-2|t-1|editingteacher"]);
    assert_eq!(rows(DisabledUsers::Enrol), bulk().rows(&by("", "")));
    for (flag, status) in [("FALSE", "|suspended"), ("0", "|suspended"), ("N", "|suspended"), ("", ""), ("1", "")] {
        let written = bulk().with("users", "bulk", USERS.replace("s-1,,,true", &format!("s-1,,,{flag}")));
        let row = written.rows(&OneRosterForm { disabled_users: DisabledUsers::Suspend, ..by("", "") })[0].clone();
        assert_eq!(row, format!("k-1|s-1|student|2026-09-01|2027-01-31{status}"), "{flag}");
    }
    let in_cohorts = form(&[("target", "cohorts")]).unwrap();
    assert_eq!(off.rows(&in_cohorts), bulk().rows(&in_cohorts), "a membership cannot be suspended");
}

#[test]
fn keys_that_no_export_has_are_refused() {
    for (keys, accepted) in [
        ([("columns.group", "courses.title"), ("target", "enrolments")], "classes.title"),
        ([("columns.cohort", "users.grades"), ("target", "cohorts")], "orgs.name"),
        ([("columns.name", "title"), ("target", "cohorts")], "classes.title"),
    ] {
        let why = form(&keys).unwrap_err();
        assert!(why.contains(&format!("\"{}\"", keys[0].1)) && why.contains(accepted), "{why}");
    }
}
