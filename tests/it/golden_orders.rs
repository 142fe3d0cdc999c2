//! The golden cases of enrolment files: what tool_sync made of one file.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use enrold::config::{CourseKey, FileKind, Profile, UserKey};

use crate::golden_equal::{Clocks, Difference};
use crate::golden_files::FileCase;
use crate::servers::on_each_database;
use crate::site::Site;

/// What an enrolment file writes; tool_sync switches the log off.
const WRITTEN: &[&str] = &["enrol", "user_enrolments", "role_assignments", "groups", "groups_members", "cache_flags"];

on_each_database!(
    ts01_people_are_enrolled,
    ts02_roles_alone,
    ts04_roles_are_swapped,
    ts06_groups_are_replaced,
    ts07_a_group_is_left,
    ts09_a_hidden_column,
    ts10_idnumbers,
);

fn orders(name: &'static str, (from, to): (i64, i64), differences: Vec<Difference>) -> FileCase {
    FileCase {
        name,
        files: &["input.csv"],
        profile: Profile::of(FileKind::Enrolments),
        clocks: Clocks::between(from, to),
        tables: WRITTEN,
        differences,
    }
}

type Row = &'static [(&'static str, &'static str)];

fn moodle(table: &'static str, row: Row, why: &'static str) -> Difference {
    Difference::only_moodle(table, row, why)
}

fn enrold(table: &'static str, row: Row, why: &'static str) -> Difference {
    Difference::only_enrold(table, row, why)
}

/// The same row, with other values.
fn other(table: &'static str, of_moodle: Row, of_enrold: Row, why: &'static str) -> [Difference; 2] {
    [moodle(table, of_moodle, why), enrold(table, of_enrold, why)]
}

/// `gu01`, whose start stays where the file gives none.
fn start_stays() -> Vec<Difference> {
    let why = "an enrolment keeps its start where the file gives none (NOT)";
    let row = [("userid", "3"), ("timestart", "NOW")];
    let row: Row = Box::leak(Box::new(row));
    let mut differences: Vec<_> = other("user_enrolments", row, &[("userid", "3"), ("timestart", "0")], why).into();
    differences.push(moodle("cache_flags", &[("name", "3")], why));
    differences
}

async fn ts01_people_are_enrolled(site: Site) {
    let unix = "a time in Unix seconds is a time; the plugin does not read it";
    let day = "a day is a time";
    let kept = "an enrolment that becomes active keeps its start (NOT)";
    let no_method = "without an active method nobody gets a role (NOT)";
    let mut differences = Vec::from(other(
        "user_enrolments",
        &[("userid", "8"), ("timestart", "NOW")],
        &[("userid", "8"), ("timestart", "1788213600"), ("timeend", "1819749600")],
        unix,
    ));
    differences.extend(other(
        "user_enrolments",
        &[("userid", "7"), ("enrolid", "4"), ("timestart", "NOW")],
        &[("userid", "7"), ("enrolid", "4"), ("timestart", "1788213600")],
        day,
    ));
    differences.extend(other(
        "user_enrolments",
        &[("userid", "4"), ("timestart", "NOW")],
        &[("userid", "4"), ("timestart", "0")],
        kept,
    ));
    differences.push(moodle("role_assignments", &[("userid", "9"), ("contextid", "16")], no_method));
    differences.push(moodle("role_assignments", &[("userid", "9"), ("contextid", "17")], no_method));
    differences.push(moodle("cache_flags", &[("name", "9")], no_method));
    let told = orders("ts01_enrol_add", (1_795_956_824, 1_795_956_827), differences).prove(site).await;
    let codes = [
        "9 user-unknown",
        "10 course-unknown",
        "11 role-unknown",
        "12 bad-verb",
        "13 bad-verb",
        "14 no-method",
        "15 no-method",
    ];
    assert_eq!(told, [codes]);
}

async fn ts02_roles_alone(site: Site) {
    let why = "a role that `del` takes is gone; the plugin leaves one of the component of a method (NOT)";
    let differences = vec![
        moodle("role_assignments", &[("userid", "7"), ("component", "enrol_manual")], why),
        moodle("cache_flags", &[("name", "7")], why),
    ];
    assert_eq!(orders("ts02_role_only", (1_795_956_833, 1_795_956_835), differences).prove(site).await, [[""; 0]]);
}

async fn ts04_roles_are_swapped(site: Site) {
    let why = "only the role is swapped: enrolment, groups and grades stay (NOT)";
    let mut differences = Vec::new();
    differences.extend(other(
        "user_enrolments",
        &[("userid", "3"), ("timecreated", "NOW")],
        &[("userid", "3"), ("timecreated", "1788300000")],
        why,
    ));
    differences.extend(other(
        "user_enrolments",
        &[("userid", "5"), ("timecreated", "NOW")],
        &[("userid", "5"), ("timecreated", "1788300000")],
        why,
    ));
    differences.push(enrold("groups_members", &[("groupid", "1"), ("userid", "3")], why));
    differences.extend(other(
        "groups",
        &[("name", "GroupA"), ("timemodified", "NOW")],
        &[("name", "GroupA"), ("courseid", "2"), ("timemodified", "1788300000")],
        why,
    ));
    let told = orders("ts04_shift", (1_795_956_848, 1_795_956_849), differences).prove(site).await;
    assert_eq!(told, [["5 role-unknown"]]);
}

async fn ts06_groups_are_replaced(site: Site) {
    let why = "the plugin dies after it has removed the memberships (NOT)";
    let mut differences = start_stays();
    differences.extend([
        enrold("groups", &[("name", "Nouveau")], why),
        enrold("groups_members", &[("groupid", "2/Nouveau"), ("userid", "3")], why),
        enrold("groups_members", &[("groupid", "1"), ("userid", "7")], why),
        enrold("user_enrolments", &[("userid", "7")], why),
        enrold("role_assignments", &[("userid", "7")], why),
        enrold("cache_flags", &[("name", "7")], why),
    ]);
    assert_eq!(orders("ts06_greplace", (1_795_956_856, 1_795_956_857), differences).prove(site).await, [[""; 0]]);
}

async fn ts07_a_group_is_left(site: Site) {
    let told = orders("ts07_gdel", (1_795_956_859, 1_795_956_860), start_stays()).prove(site).await;
    assert_eq!(told, [["2 group-unknown"]]);
}

async fn ts09_a_hidden_column(site: Site) {
    let why = "a column without a meaning is not read, and the rest of the file is (NOT)";
    let differences = vec![
        enrold("user_enrolments", &[("userid", "7")], why),
        enrold("role_assignments", &[("userid", "7")], why),
        enrold("cache_flags", &[("name", "7")], why),
    ];
    assert_eq!(orders("ts09_hidden_column", (1_795_956_871, 1_795_956_873), differences).prove(site).await, [[""; 0]]);
}

async fn ts10_idnumbers(site: Site) {
    let case = orders("ts10_bom_crlf", (1_795_956_876, 1_795_956_879), Vec::new());
    let profile = Profile { user_key: UserKey::Idnumber, course_key: CourseKey::Idnumber, ..case.profile };
    assert_eq!(FileCase { profile, ..case }.prove(site).await, [[""; 0]]);
}
