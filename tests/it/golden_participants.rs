//! The golden cases of course lists and course texts: what the plugins behind seed 000 made of one file in one course.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use enrold::config::{FileKind, Profile, UserKey};

use crate::golden_equal::{Clocks, Difference};
use crate::golden_files::FileCase;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";

/// What a file of participants writes.
const WRITTEN: &[&str] =
    &["enrol", "user_enrolments", "role_assignments", "groups", "groups_members", "cache_flags", LOG];

on_each_database!(
    ue01_the_example_of_the_seed,
    ue02_groups_are_not_made,
    ue03_nobody_is_enrolled,
    ue06_people_who_are_in_the_course,
    ue07_addresses,
    ue09_forms_of_lines,
    ue10_a_course_with_a_meta_link,
    ue11_no_manual_instance,
    ue12_a_disabled_manual_instance,
    be01_addresses_in_a_text,
    be02_sections,
    be03_people_taken_out,
    be05_no_instance,
    be08_nothing_valid,
);

fn list(name: &'static str, (from, to): (i64, i64)) -> FileCase {
    let profile = Profile { course: "gc1".to_owned(), create_groups: true, ..Profile::of(FileKind::CourseList) };
    FileCase {
        name,
        files: &["input.csv"],
        profile,
        clocks: Clocks::between(from, to),
        tables: WRITTEN,
        differences: Vec::new(),
    }
}

fn text(name: &'static str, clocks: (i64, i64)) -> FileCase {
    let profile = Profile { kind: FileKind::CourseText, ..list(name, clocks).profile };
    FileCase { files: &["input.txt"], profile, ..list(name, clocks) }
}

type Row = &'static [(&'static str, &'static str)];
type Only = fn(&'static str, Row, &'static str) -> Difference;

const MOODLE: Only = Difference::only_moodle;
const ENROLD: Only = Difference::only_enrold;

/// Values that identify a row.
fn row(values: &[(&'static str, &str)]) -> Row {
    let kept = |value: &str| -> &'static str { Box::leak(value.to_owned().into_boxed_str()) };
    let values: Vec<_> = values.iter().map(|(column, value)| (*column, kept(value))).collect();
    Box::leak(values.into_boxed_slice())
}

/// An event of a user, on an object.
fn event(only: Only, name: &str, object: &str, user: &str, why: &'static str) -> Difference {
    let (name, user) = (format!(r"\core\event\{name}"), ("relateduserid", user));
    let values = [("eventname", name.as_str()), ("objectid", object), user];
    let known = values.iter().filter(|(_, value)| !value.is_empty()).copied().collect::<Vec<_>>();
    only(LOG, row(&known), why)
}

/// An enrolment by this instance with the role of a student, and all that follows from it.
fn enrolled(only: Only, (instance, user): (&str, &str), why: &'static str) -> Vec<Difference> {
    let (of_user, now) = (("userid", user), ("timemodified", "NOW"));
    vec![
        only("user_enrolments", row(&[("enrolid", instance), of_user]), why),
        only("role_assignments", row(&[of_user, now]), why),
        only("cache_flags", row(&[("name", user)]), why),
        event(only, "user_enrolment_created", &format!("{instance} of {user}"), user, why),
        event(only, "role_assigned", "", user, why),
    ]
}

/// A member of a group.
fn member(only: Only, (group, user): (&str, &str), why: &'static str) -> [Difference; 2] {
    let added = event(only, "group_member_added", group, user, why);
    [only("groups_members", row(&[("groupid", group), ("userid", user)]), why), added]
}

/// A group that is made in a course.
fn group(only: Only, (course, name): (&str, &str), why: &'static str) -> [Difference; 2] {
    let created = event(only, "group_created", &format!("{course}/{name}"), "", why);
    [only("groups", row(&[("courseid", course), ("name", name), ("timecreated", "NOW")]), why), created]
}

async fn ue01_the_example_of_the_seed(site: Site) {
    assert_eq!(list("ue01_seed_example", (1_795_956_228, 1_795_956_231)).prove(site).await, [[""; 0]]);
}

async fn ue02_groups_are_not_made(site: Site) {
    let case = list("ue02_seed_nocreate", (1_795_956_252, 1_795_956_255));
    let profile = Profile { create_groups: false, ..case.profile };
    assert_eq!(FileCase { profile, ..case }.prove(site).await, [["3 group-unknown"]]);
}

async fn ue03_nobody_is_enrolled(site: Site) {
    let case = list("ue03_seed_norole", (1_795_956_272, 1_795_956_274));
    let profile = Profile { role: "none".to_owned(), ..case.profile };
    let differences = group(MOODLE, ("2", "GroupB"), "no group is made that nobody joins").into();
    let told = FileCase { profile, differences, ..case }.prove(site).await;
    assert_eq!(told, [["2 group-not-enrolled", "3 group-not-enrolled", "4 group-not-enrolled"]]);
}

async fn ue06_people_who_are_in_the_course(site: Site) {
    let without_role = "a participant without a role has an active enrolment, and keeps what the course gave";
    let mut differences = vec![
        MOODLE("role_assignments", row(&[("userid", "10"), ("timemodified", "NOW")]), without_role),
        MOODLE("cache_flags", row(&[("name", "10")]), without_role),
        event(MOODLE, "role_assigned", "", "10", without_role),
    ];
    let only_role = "a role without an enrolment is no participant: the plugin refuses the group only";
    differences.extend(enrolled(ENROLD, ("1", "14"), only_role));
    differences.extend(member(ENROLD, ("2/Nouveau", "14"), only_role));
    let case = list("ue06_already_enrolled", (1_795_956_323, 1_795_956_324));
    let told = FileCase { differences, ..case }.prove(site).await;
    assert_eq!(told, [["2 enrolment-inactive", "6 enrolment-inactive", "7 enrolment-inactive"]]);
}

async fn ue07_addresses(site: Site) {
    let case = list("ue07_email", (1_795_956_341, 1_795_956_343));
    let profile = Profile { user_key: UserKey::Email, ..case.profile };
    let any = "addresses in any case, with a plus sign and of any domain are addresses";
    let mut differences = Vec::new();
    for user in ["8", "9", "10"] {
        differences.extend(enrolled(ENROLD, ("1", user), any));
        differences.extend(member(ENROLD, ("1", user), any));
    }
    let told = FileCase { profile, differences, ..case }.prove(site).await;
    assert_eq!(told, [["3 user-unknown", "4 user-unknown", "7 user-ambiguous", "8 user-unknown"]]);
}

async fn ue09_forms_of_lines(site: Site) {
    let any = "a name of a group has any letters and marks; the plugin refuses the line";
    let columns = "a third column is a second group";
    let case_of_names = "user names are compared in small letters, as Moodle stores them";
    let mut differences = enrolled(ENROLD, ("1", "14"), case_of_names);
    differences.extend(member(ENROLD, ("1", "14"), case_of_names));
    differences.extend(group(MOODLE, ("2", "GroupA,Groupe2"), columns));
    differences.extend(member(MOODLE, ("2/GroupA,Groupe2", "11"), columns));
    differences.extend(group(ENROLD, ("2", "Groupe2"), columns));
    differences.extend(member(ENROLD, ("2/Groupe2", "11"), columns));
    differences.extend(member(ENROLD, ("1", "11"), columns));
    differences.push(MOODLE("groups", row(&[("name", "Équipe CEMU"), ("timemodified", "1788300000")]), any));
    differences.push(ENROLD("groups", row(&[("name", "Équipe CEMU"), ("timemodified", "NOW")]), any));
    differences.extend(member(ENROLD, ("2", "3"), any));
    for (name, user) in
        [("GRP_M.1LE11CEM Groupe réservé", "8"), ("Groupe cité", "9"), ("Groupe d'été", "4"), ("_soul", "7")]
    {
        differences.extend(group(ENROLD, ("2", name), any));
        differences.extend(member(ENROLD, (&format!("2/{name}"), user), any));
    }
    let case = list("ue09_formats", (1_795_956_382, 1_795_956_389));
    let files = &["input.csv", "bom.csv", "latin1.csv"];
    let told = FileCase { files, differences, ..case }.prove(site).await;
    assert_eq!(told, [&["11 enrolment-inactive"][..], &[], &[]]);
}

async fn ue10_a_course_with_a_meta_link(site: Site) {
    let told = list("ue10_meta_course", (1_795_956_407, 1_795_956_409)).prove(site).await;
    assert_eq!(told, [["2 course-linked"]]);
}

async fn ue11_no_manual_instance(site: Site) {
    let case = list("ue11_no_manual_instance", (1_795_956_425, 1_795_956_427));
    let profile = Profile { course: "gc4".to_owned(), ..case.profile };
    assert_eq!(FileCase { profile, ..case }.prove(site).await, [["failed no-method"]]);
}

async fn ue12_a_disabled_manual_instance(site: Site) {
    let case = list("ue12_disabled_manual", (1_795_956_444, 1_795_956_445));
    let profile = Profile { course: "gc3".to_owned(), ..case.profile };
    assert_eq!(FileCase { profile, ..case }.prove(site).await, [["failed no-method"]]);
}

async fn be01_addresses_in_a_text(site: Site) {
    let lost = "addresses with a semicolon between them; the plugin loses the line without a word (NOT)";
    let mut differences = enrolled(ENROLD, ("1", "13"), lost);
    differences.extend(enrolled(ENROLD, ("1", "6"), lost));
    let case = text("be01_emails", (1_795_956_504, 1_795_956_510));
    let told = FileCase { differences, ..case }.prove(site).await;
    let codes = [
        "3 enrolment-inactive",
        "4 user-unknown",
        "5 user-unknown",
        "12 user-ambiguous",
        "13 user-unknown",
        "14 user-unknown",
    ];
    assert_eq!(told, [codes]);
}

async fn be02_sections(site: Site) {
    let empty = "no group is made that nobody joins";
    let mut differences = Vec::from(group(MOODLE, ("2", "Vide"), empty));
    differences.extend(group(MOODLE, ("2", ""), "a group without a name (NOT)"));
    differences.extend(member(ENROLD, ("1", "4"), "a suspended participant joins the group, and the line tells of it"));
    differences.extend(member(ENROLD, ("1", "8"), "who stands in two sections joins both groups"));
    let case = text("be02_groups", (1_795_956_527, 1_795_956_534));
    let told = FileCase { differences, ..case }.prove(site).await;
    assert_eq!(told, [["5 enrolment-inactive", "15 empty-identifier"]]);
}

async fn be03_people_taken_out(site: Site) {
    let kept = "what a cohort gives is the cohort's (NOT)";
    let differences = vec![
        MOODLE("cache_flags", row(&[("name", "6")]), kept),
        event(MOODLE, "user_enrolment_deleted", "", "6", kept),
        event(MOODLE, "role_unassigned", "", "6", kept),
        ENROLD("user_enrolments", row(&[("enrolid", "17"), ("userid", "6")]), kept),
        ENROLD("role_assignments", row(&[("component", "enrol_cohort"), ("userid", "6")]), kept),
        Difference::other_order(
            &[("user", "7"), ("course", "2"), ("method", "manual")],
            "both enrolments end at once: the role goes before the first, not before the last",
        ),
    ];
    let case = text("be03_unenrol", (1_795_956_562, 1_795_956_566));
    let told = FileCase { differences, ..case }.prove(site).await;
    assert_eq!(told, [["3 enrolment-kept", "6 user-unknown"]]);
}

async fn be05_no_instance(site: Site) {
    let case = text("be05_no_instance", (1_795_956_606, 1_795_956_609));
    let profile = Profile { course: "gc4".to_owned(), ..case.profile };
    let made = "no method is added that the course does not have: the file is refused";
    let mut differences = vec![
        MOODLE("enrol", row(&[("courseid", "5"), ("enrol", "manual")]), made),
        event(MOODLE, "enrol_instance_created", "", "", made),
    ];
    for user in ["7", "8"] {
        differences.extend(enrolled(MOODLE, ("manual/5/1/5", user), made));
    }
    differences.extend(group(MOODLE, ("5", "G"), made));
    differences.extend(member(MOODLE, ("5/G", "8"), made));
    let told = FileCase { profile, differences, ..case }.prove(site).await;
    assert_eq!(told, [["failed no-method"]]);
}

async fn be08_nothing_valid(site: Site) {
    let told = text("be08_nothing_valid", (1_795_956_669, 1_795_956_670)).prove(site).await;
    assert_eq!(told, [["1 user-unknown", "2 user-unknown"]]);
}
