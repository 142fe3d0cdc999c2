//! The golden cases of enrolment methods: what tool_uploadenrolmentmethods, tool_sync and Moodle's course upload made of
//! one file. It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use enrold::config::{FileKind, Profile};

use crate::golden_equal::{Clocks, Difference};
use crate::golden_files::FileCase;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";
const FLAGS: &str = "cache_flags";

/// What a file of methods writes.
const WRITTEN: &[&str] = &["enrol", "user_enrolments", "role_assignments", "groups", "groups_members", FLAGS, LOG];

/// The same without the log and the flags.
const ROWS: &[&str] = &["enrol", "user_enrolments", "role_assignments", "groups", "groups_members"];
/// An instance is added, or changes; somebody is enrolled by it, gets its role or loses it.
const ADDED: (&str, &str) = ("eventname", r"\core\event\enrol_instance_created");
const CHANGED: (&str, &str) = ("eventname", r"\core\event\enrol_instance_updated");
const ENROLLED: (&str, &str) = ("eventname", r"\core\event\user_enrolment_created");
const ASSIGNED: (&str, &str) = ("eventname", r"\core\event\role_assigned");
const UNASSIGNED: (&str, &str) = ("eventname", r"\core\event\role_unassigned");

on_each_database!(
    em01_cohorts_are_added,
    em02_links_are_added,
    em03_methods_change,
    em05_wrong_rows,
    em08_headers,
    ts17_bindings,
    cu01_dates,
    cu03_roles,
    cu04_enabled_and_disabled,
    cu07_links,
    cu08_cohorts,
);

fn methods(name: &'static str, (from, to): (i64, i64)) -> FileCase {
    FileCase {
        name,
        files: &["input.csv"],
        profile: Profile { create_groups: true, ..Profile::of(FileKind::Methods) },
        clocks: Clocks::between(from, to),
        tables: WRITTEN,
        differences: Vec::new(),
    }
}

/// Moodle's upload changes the courses too, which its log and its flags are about.
fn courses(name: &'static str, clocks: (i64, i64)) -> FileCase {
    FileCase { profile: Profile::of(FileKind::CourseMethods), tables: ROWS, ..methods(name, clocks) }
}

type Named = &'static [(&'static str, &'static str)];

/// Rows that only Moodle leaves, for one reason.
fn only_moodle(why: &'static str, rows: &[(&'static str, Named)]) -> Vec<Difference> {
    rows.iter().map(|(table, row)| Difference::only_moodle(table, row, why)).collect()
}

/// Rows that only enrold leaves.
fn only_enrold(why: &'static str, rows: &[(&'static str, Named)]) -> Vec<Difference> {
    rows.iter().map(|(table, row)| Difference::only_enrold(table, row, why)).collect()
}

/// Rows that both have, with other values.
fn both(why: &'static str, rows: &[(&'static str, Named)]) -> Vec<Difference> {
    [only_moodle(why, rows), only_enrold(why, rows)].into_iter().flatten().collect()
}

/// Members of the course 4 whom Moodle enrols by a method before it disables it, with their role.
fn enrolled_first(users: &[(Named, Named, Named, Named)]) -> Vec<Difference> {
    let why = "a method that is added as disabled enrols nobody (DO)";
    let mut all = only_moodle(why, &[("cache_flags", &[("name", "/1/12/16")]), (LOG, &[CHANGED, ("courseid", "4")])]);
    for (enrolment, event, assigned, unassigned) in users {
        all.extend(only_moodle(why, &[("user_enrolments", enrolment), (LOG, event)]));
        let roles = [(LOG, *assigned), (LOG, *unassigned)];
        all.extend(only_moodle(why, if assigned.is_empty() { &[] } else { &roles }));
    }
    all
}

async fn em01_cohorts_are_added(site: Site) {
    let differences = enrolled_first(&[
        (
            &[("enrolid", "cohort/4/1/5"), ("userid", "3")],
            &[ENROLLED, ("courseid", "4"), ("relateduserid", "3")],
            &[ASSIGNED, ("courseid", "4"), ("relateduserid", "3")],
            &[UNASSIGNED, ("courseid", "4"), ("relateduserid", "3")],
        ),
        (
            &[("enrolid", "cohort/4/1/5"), ("userid", "4")],
            &[ENROLLED, ("courseid", "4"), ("relateduserid", "4")],
            &[ASSIGNED, ("courseid", "4"), ("relateduserid", "4")],
            &[UNASSIGNED, ("courseid", "4"), ("relateduserid", "4")],
        ),
    ]);
    let case = FileCase { differences, ..methods("em01_cohort_add", (1_795_956_688, 1_795_956_691)) };
    assert_eq!(case.prove(site).await, [[""; 0]]);
}

async fn em02_links_are_added(site: Site) {
    let first = "a method that is added as disabled enrols nobody (DO)";
    let rows: [(&str, Named); 5] = [
        ("user_enrolments", &[("enrolid", "meta/4/2/5"), ("userid", "3")]),
        ("user_enrolments", &[("enrolid", "meta/4/2/5"), ("userid", "4")]),
        ("user_enrolments", &[("enrolid", "meta/4/2/5"), ("userid", "5")]),
        (FLAGS, &[("name", "/1/12/16")]),
        (FLAGS, &[("name", "5")]),
    ];
    let mut differences = only_moodle(first, &rows);
    let cycles = "a link to itself, and a cycle of more than two courses, are refused (DO)";
    let rows: [(&str, Named); 2] =
        [("enrol", &[("courseid", "4"), ("customint1", "4")]), ("enrol", &[("courseid", "3"), ("customint1", "6")])];
    differences.extend(only_moodle(cycles, &rows));
    let place = "the link to itself has the place before";
    differences.extend(both(place, &[("enrol", &[("courseid", "4"), ("customint1", "2")])]));
    // The log tells links of one course apart by their number, which the refused ones change.
    let tables = &["enrol", "user_enrolments", "role_assignments", "groups", "groups_members", FLAGS];
    let case = methods("em02_meta_add", (1_795_956_708, 1_795_956_709));
    let case = FileCase { tables, differences, ..case };
    assert_eq!(case.prove(site).await, [["4 method-cycle", "5 method-cycle", "8 method-cycle"]]);
}

async fn em03_methods_change(site: Site) {
    let found = "a link by hand is found, and disabled: its roles go";
    let mut differences = both(found, &[("enrol", &[("courseid", "6"), ("enrol", "meta")])]);
    let roles: [(&str, Named); 3] = [
        ("role_assignments", &[("contextid", "18"), ("userid", "3")]),
        ("role_assignments", &[("contextid", "18"), ("userid", "5"), ("roleid", "3")]),
        ("role_assignments", &[("contextid", "18"), ("userid", "5"), ("roleid", "5")]),
    ];
    differences.extend(only_moodle(found, &roles));
    let group = "`upd` gives the group too (DO)";
    differences.extend(both(group, &[("enrol", &[("courseid", "2"), ("customint1", "2")])]));
    let joined: [(&str, Named); 2] = [
        ("groups", &[("courseid", "2"), ("name", "Groupe X")]),
        ("groups_members", &[("groupid", "2/Groupe X"), ("userid", "5")]),
    ];
    differences.extend(only_enrold(group, &joined));
    let net = "disabled and enabled again in one file: the roles stay";
    let role: Named = &[("contextid", "14"), ("userid", "5"), ("component", "enrol_cohort")];
    differences.extend(both(net, &[("role_assignments", role)]));
    let time = "the row says when it was changed";
    differences.extend(both(time, &[("enrol", &[("courseid", "2"), ("customint1", "5")])]));
    let yes = "`yes` in `disabled` is yes: its roles go";
    differences.extend(both(yes, &[("enrol", &[("courseid", "3"), ("enrol", "cohort")])]));
    let roles: [(&str, Named); 2] = [
        ("role_assignments", &[("contextid", "15"), ("userid", "3")]),
        ("role_assignments", &[("contextid", "15"), ("userid", "4")]),
    ];
    differences.extend(only_moodle(yes, &roles));
    // The log has an event for each row of Moodle's, and one for each method of enrold's.
    let case = methods("em03_update", (1_795_956_722, 1_795_956_723));
    let case = FileCase { tables: ROWS, differences, ..case };
    assert_eq!(case.prove(site).await, [["5 method-missing", "7 method-missing"]]);
}

async fn em05_wrong_rows(site: Site) {
    let why = "operations and methods are read in any case, without the blanks around them";
    let rows: [(&str, Named); 6] = [
        ("enrol", &[("courseid", "2"), ("customint1", "2")]),
        ("user_enrolments", &[("enrolid", "cohort/2/2/5"), ("userid", "5")]),
        ("role_assignments", &[("contextid", "14"), ("userid", "5"), ("component", "enrol_cohort")]),
        (LOG, &[ADDED, ("courseid", "2")]),
        (LOG, &[ENROLLED, ("courseid", "2")]),
        (LOG, &[ASSIGNED, ("courseid", "2")]),
    ];
    let case = methods("em05_row_errors", (1_795_956_754, 1_795_956_756));
    let case = FileCase { differences: only_enrold(why, &rows), ..case };
    let told = [
        "2 bad-verb",
        "3 value-invalid",
        "4 course-unknown",
        "5 cohort-unknown",
        "6 course-unknown",
        "7 role-unknown",
        "8 role-unknown",
        "9 value-invalid",
        "13 course-unknown",
        "14 cohort-unknown",
        "15 cohort-unknown",
    ];
    assert_eq!(case.prove(site).await, [told]);
}

async fn em08_headers(site: Site) {
    let files = &[
        "a_order.csv",
        "b_caps.csv",
        "c_missing_disabled.csv",
        "d_unknown.csv",
        "e_one.csv",
        "f_empty.csv",
        "g_header.csv",
        "h_ragged.csv",
        "i_semicolon.csv",
        "j_headerless.csv",
        "k_bom.csv",
    ];
    let caps = "a header is read in any case";
    let rows: [(&str, Named); 6] = [
        ("enrol", &[("courseid", "6"), ("customint1", "2")]),
        ("user_enrolments", &[("enrolid", "cohort/6/2/5"), ("userid", "5")]),
        ("role_assignments", &[("contextid", "18"), ("userid", "5")]),
        (LOG, &[ADDED, ("objectid", "cohort/6/2/5")]),
        (LOG, &[ENROLLED, ("courseid", "6"), ("relateduserid", "5")]),
        (LOG, &[ASSIGNED, ("courseid", "6"), ("relateduserid", "5")]),
    ];
    let mut differences = only_enrold(caps, &rows);
    let ragged: [(&str, Named); 2] =
        [("enrol", &[("courseid", "6"), ("customint1", "3")]), (LOG, &[ADDED, ("objectid", "cohort/6/3/5")])];
    differences.extend(only_enrold("one bad row is one bad row", &ragged));
    let place = "the method of the header in capitals has the place before";
    let moved: [(&str, Named); 2] =
        [("enrol", &[("courseid", "6"), ("customint1", "1")]), ("enrol", &[("courseid", "6"), ("customint1", "5")])];
    differences.extend(both(place, &moved));
    let case = methods("em08_headers", (1_795_956_809, 1_795_956_821));
    let case = FileCase { files, differences, ..case };
    let told: Vec<String> = case.prove(site).await.iter().map(|codes| codes.join(", ")).collect();
    let expected = [
        "",
        "",
        "",
        "",
        "failed column-missing",
        "failed file-empty",
        "",
        "3 row-ragged",
        "",
        "failed column-missing",
        "",
    ];
    assert_eq!(told, expected);
}

async fn ts17_bindings(site: Site) {
    let page = "methods are as if made on Moodle's page: place, times, no start (NOT)";
    let rows: [(&str, Named); 4] = [
        ("enrol", &[("courseid", "2"), ("customint1", "2")]),
        ("enrol", &[("courseid", "3"), ("customint1", "1"), ("roleid", "4")]),
        ("enrol", &[("courseid", "2"), ("customint1", "5")]),
        ("enrol", &[("courseid", "6"), ("customint1", "5")]),
    ];
    let mut differences = both(page, &rows);
    let group: [(&str, Named); 2] = [
        ("groups", &[("courseid", "6"), ("name", "Cohorte santé")]),
        ("groups_members", &[("groupid", "6/Cohorte santé"), ("userid", "6")]),
    ];
    differences.extend(only_enrold("makegroup makes a group (DO); tool_sync takes the one with the id 1", &group));
    let case = methods("ts17_bind_add", (1_795_957_152, 1_795_957_155));
    let case = FileCase { tables: ROWS, differences, ..case };
    assert_eq!(case.prove(site).await, [["7 cohort-unknown", "8 course-unknown", "9 role-unknown"]]);
}

async fn cu01_dates(site: Site) {
    let said = "only what is said changes: no period from dates, no end from a start, no status (NOT)";
    let rows: [(&str, Named); 4] = [
        ("enrol", &[("courseid", "2"), ("enrol", "manual")]),
        ("enrol", &[("courseid", "3"), ("enrol", "manual")]),
        ("enrol", &[("courseid", "4"), ("enrol", "manual")]),
        ("enrol", &[("courseid", "6"), ("enrol", "manual")]),
    ];
    let mut differences = both(said, &rows);
    differences.extend(only_moodle("an end before its start is refused (NOT)", &[("enrol", &[("courseid", "5")])]));
    let case = FileCase { differences, ..courses("cu01_dates", (1_795_957_236, 1_795_957_237)) };
    assert_eq!(case.prove(site).await, [["5 end-before-start"]]);
}

async fn cu03_roles(site: Site) {
    let case = courses("cu03_role", (1_795_957_241, 1_795_957_242));
    assert_eq!(case.prove(site).await, [["3 role-unknown", "5 no-method"]]);
}

async fn cu04_enabled_and_disabled(site: Site) {
    let differences = both("an empty cell changes nothing", &[("enrol", &[("courseid", "3"), ("enrol", "manual")])]);
    let case = FileCase { differences, ..courses("cu04_disable", (1_795_957_246, 1_795_957_247)) };
    assert_eq!(case.prove(site).await, [[""; 0]]);
}

async fn cu07_links(site: Site) {
    let case = FileCase { files: &["a.csv", "b.csv"], ..courses("cu07_meta", (1_795_957_264, 1_795_957_265)) };
    let none: &[&str] = &[];
    assert_eq!(case.prove(site).await, [&["3 course-unknown", "4 method-cycle"], none]);
}

async fn cu08_cohorts(site: Site) {
    let why = "the cohort method is added; Moodle dies at it (NOT)";
    let rows: [(&str, Named); 3] = [
        ("enrol", &[("courseid", "2"), ("enrol", "cohort")]),
        ("user_enrolments", &[("enrolid", "cohort/2/2/5"), ("userid", "5")]),
        ("role_assignments", &[("contextid", "14"), ("userid", "5"), ("component", "enrol_cohort")]),
    ];
    let case = courses("cu08_cohort", (1_795_957_271, 1_795_957_272));
    let case = FileCase { differences: only_enrold(why, &rows), ..case };
    assert_eq!(case.prove(site).await, [[""; 0]]);
}
