//! The golden cases of users files that concern accounts: the result of a real Moodle for the same file and options.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::accounts_case::{Difference, FilesCase, Side};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    u01_cohorts,
    u05_password_mail,
    u06_add_increment,
    u07a_update_none,
    u07b_update_file,
    u07d_update_missing,
    u08_update_only,
    u09_forbidden_combos,
    u10_rename,
    u11_rename_off,
    u12_delete,
    u14_suspend,
    u16_standardise,
    u17_standardise_off,
    u19_email,
    u20_email_shared,
    u22_match_email,
    u24_courses,
    u26_roles,
    u27_profile_fields,
    u28_templates,
    u29_header_errors,
    u30_encodings,
    u32_bad_values,
    u34_external_auth,
    u36_blank_lines,
    u39_cohorts_alone,
    u40_courses_alone,
    u43_force_change_existing,
    u45_manual_disabled,
    u46_match_email_conflicts,
    ts20_users,
    ts21_deleted_zero,
);
on_each_database!(crate::complete::V4_1.tables() => u02_in_moodle_4_1);
on_each_database!(crate::complete::V4_5.tables() => u02_password_weak, u04_password_none);
on_each_database!(crate::complete::V5_1.tables() => u02_in_moodle_5_1);

const LOG: &str = "logstore_standard_log";

fn moodle(table: &'static str, row: &'static [&'static str], reason: &'static str) -> Difference {
    (Side::Moodle, table, row, reason)
}

fn enrold(table: &'static str, row: &'static [&'static str], reason: &'static str) -> Difference {
    (Side::Enrold, table, row, reason)
}

/// The rows of a new account that only one side makes: its user row, and what refers to it.
fn account(side: Side, name: &'static [&'static str], why: &'static str) -> Vec<Difference> {
    ["user", "context", "user_info_data", "user_preferences", "cache_flags", LOG]
        .map(|table| (side, table, name, why))
        .to_vec()
}

const BLANK: &str = "a blank cell keeps the value: Moodle erases it";
const LONG: &str = "a value that is too long refuses its row: Moodle ends the file there";

async fn u06_add_increment(site: Site) {
    FilesCase { churns: true, ..FilesCase::new("u06") }.prove(site).await;
}

async fn u07a_update_none(site: Site) {
    FilesCase::new("u07a").prove(site).await;
}

async fn u07b_update_file(site: Site) {
    let differences = [
        moodle("user", &["username=gu03"], BLANK),
        enrold("user", &["username=gu03"], BLANK),
        moodle("user_info_data", &["userid=5"], BLANK),
        moodle(LOG, &["relateduserid=5"], BLANK),
    ];
    FilesCase::new("u07b").differing(&differences).prove(site).await;
}

async fn u07d_update_missing(site: Site) {
    let reason = "a description that is NULL is not missing: Moodle writes an empty one into each account once";
    const OF: [&[&str]; 4] = [&["username=gu01"], &["username=gu02"], &["username=gu03"], &["username=gu04"]];
    let differences: Vec<Difference> =
        OF.into_iter().flat_map(|row| [moodle("user", row, reason), enrold("user", row, reason)]).collect();
    FilesCase::new("u07d").differing(&differences).prove(site).await;
}

async fn u09_forbidden_combos(site: Site) {
    FilesCase::new("u09").prove(site).await;
}

async fn u10_rename(site: Site) {
    FilesCase::new("u10").prove(site).await;
}

async fn u11_rename_off(site: Site) {
    FilesCase::new("u11").prove(site).await;
}

async fn u12_delete(site: Site) {
    let events = "enrold logs that a deleted account leaves its cohorts: Moodle removes the rows without an event";
    FilesCase::new("u12").differing(&[enrold(LOG, &["cohort_member_removed"], events)]).prove(site).await;
}

async fn u14_suspend(site: Site) {
    let reason = "`non` is no: Moodle suspends";
    let differences = [
        moodle("user", &["username=gu03"], reason),
        enrold("user", &["username=gu03"], reason),
        moodle("user_info_data", &["userid=5"], reason),
        moodle(LOG, &["relateduserid=5"], reason),
    ];
    FilesCase::new("u14").differing(&differences).prove(site).await;
}

async fn u16_standardise(site: Site) {
    FilesCase::new("u16").prove(site).await;
}

async fn u17_standardise_off(site: Site) {
    FilesCase::new("u17").prove(site).await;
}

/// Rows of gu06, whose address the file leaves blank.
const GU06: [Difference; 4] = [
    (Side::Moodle, "user", &["username=gu06"], BLANK),
    (Side::Enrold, "user", &["username=gu06"], BLANK),
    (Side::Moodle, "user_info_data", &["userid=8"], BLANK),
    (Side::Moodle, LOG, &["relateduserid=8"], BLANK),
];

async fn u19_email(site: Site) {
    let reason = "an address in another case is the same: Moodle compares with case when it makes an account";
    let mut differences = account(Side::Moodle, &["=e2"], reason);
    differences.extend(GU06);
    FilesCase::new("u19").differing(&differences).prove(site).await;
}

async fn u20_email_shared(site: Site) {
    FilesCase::new("u20").differing(&GU06).prove(site).await;
}

async fn u22_match_email(site: Site) {
    FilesCase::new("u22").prove(site).await;
}

async fn u27_profile_fields(site: Site) {
    let word = "a checkbox holds 0 or 1: Moodle stores the word";
    let blank = "a blank cell gives no value: Moodle stores it";
    let differences = [
        moodle("user_info_data", &["data=yes"], word),
        enrold("user_info_data", &["data=1 ", "fieldid=3", "userid=4"], word),
        moodle("user_info_data", &["fieldid=5", "userid=4"], blank),
        enrold("user_info_data", &["fieldid=5", "userid=4"], blank),
        moodle("user_info_data", &["fieldid=3", "userid=n29"], blank),
        enrold("user_info_data", &["fieldid=3", "userid=n29"], blank),
    ];
    FilesCase::new("u27").differing(&differences).prove(site).await;
}

async fn u28_templates(site: Site) {
    let reason = "the length holds in every form: Moodle ignores it without a sign for the case";
    let differences = [moodle("user", &["idnumber=%%u"], reason), enrold("user", &["idnumber=%%u"], reason)];
    FilesCase::new("u28").differing(&differences).prove(site).await;
}

async fn u29_header_errors(site: Site) {
    let alias = "`cohorte` and `cohort` are names of cohort1: Moodle refuses the file";
    let blank = "a header may end with a delimiter: Moodle refuses the file";
    // The name of the second one begins with that of the first.
    let mut differences = account(Side::Enrold, &["=x10"], blank);
    for name in [&["=x1"], &["=x9"]] {
        differences.extend(account(Side::Enrold, name, alias));
        differences.extend(["cohort_members", "user_enrolments", "role_assignments"].map(|t| enrold(t, name, alias)));
    }
    FilesCase::new("u29").differing(&differences).prove(site).await;
}

async fn u30_encodings(site: Site) {
    let bytes = "bytes that are no UTF-8 are read as Windows-1252: Moodle drops them";
    let blank = "a line of blanks is blank: Moodle refuses the file";
    let composed = "texts are composed (NFC): Moodle stores them as they are";
    let mut differences = vec![
        moodle("user", &["username=y3"], bytes),
        enrold("user", &["username=y3"], bytes),
        moodle("user", &["username=y11"], composed),
        enrold("user", &["username=y11"], composed),
    ];
    differences.extend(account(Side::Enrold, &["=y5"], blank));
    differences.extend(account(Side::Enrold, &["=y6"], blank));
    FilesCase::new("u30").differing(&differences).prove(site).await;
}

async fn u32_bad_values(site: Site) {
    let words = "a word is no number, and a zone must exist: Moodle stores something else";
    let packs = "enrold does not know the language packs of the site: Moodle replaces one that is missing";
    let mut differences = vec![
        moodle("user", &["username=v1"], packs),
        enrold("user", &["username=v1"], packs),
        moodle("user", &["username=gu02"], BLANK),
        enrold("user", &["username=gu02"], BLANK),
        // The tags of an account that enrold does not make.
        moodle("tag", &["name=maths"], words),
        moodle("tag", &["name=chimie"], words),
        moodle("tag_instance", &["itemid=v2"], words),
        moodle(LOG, &["tag_created", "maths"], words),
        moodle(LOG, &["tag_created", "chimie"], words),
    ];
    differences.extend(account(Side::Moodle, &["=v2"], words));
    differences.extend(account(Side::Enrold, &["=v5"], LONG));
    differences.extend(account(Side::Enrold, &["=v7"], LONG));
    differences.extend(account(Side::Enrold, &["=v9"], LONG));
    FilesCase::new("u32").differing(&differences).prove(site).await;
}

async fn u36_blank_lines(site: Site) {
    let reason = "a line of blanks is blank: Moodle refuses the file";
    let mut differences = account(Side::Enrold, &["=b4"], reason);
    differences.extend(account(Side::Enrold, &["=b5"], reason));
    FilesCase::new("u36").differing(&differences).prove(site).await;
}

async fn u46_match_email_conflicts(site: Site) {
    FilesCase::new("u46").prove(site).await;
}

async fn u01_cohorts(site: Site) {
    FilesCase::new("u01").making_cohorts().prove(site).await;
}

const WORD: &str = "Generique-2026";
/// The passwords of u02 and u04.
const U02: &[(&str, &str)] = &[("700001", WORD), ("700002", "bienvenue"), ("700006", WORD), ("700007", WORD)];

async fn u02_password_weak(site: Site) {
    FilesCase::new("u02").with_passwords(U02).prove(site).await;
}

/// New rows are the same in Moodle 4.1 and 5.1, except for the hashes.
async fn u02_in_moodle_4_1(site: Site) {
    FilesCase::new("u02").with_passwords(U02).in_version(2022112810, "$2y$04$").prove(site).await;
}

async fn u02_in_moodle_5_1(site: Site) {
    FilesCase::new("u02").with_passwords(U02).in_version(2025100603, "$6$rounds=5000$").prove(site).await;
}

async fn u04_password_none(site: Site) {
    FilesCase::new("u04").with_passwords(U02).prove(site).await;
}

async fn u05_password_mail(site: Site) {
    let task = "the recording holds the run of Moodle's task that generates passwords and mails them";
    let differences = [
        moodle("user", &["username=710001"], task),
        enrold("user", &["username=710001"], task),
        moodle("user", &["username=710004"], task),
        enrold("user", &["username=710004"], task),
        moodle("user_preferences", &["auth_forcepasswordchange", "userid=710001"], task),
        enrold("user_preferences", &["create_password", "userid=710001"], task),
        moodle(LOG, &["user_password_updated"], task),
    ];
    FilesCase::new("u05").differing(&differences).prove(site).await;
}

const MARKED: &str = "preferences that do not change are not marked as changed";
const HASHED_ONCE: &str = "a password that fits the stored hash is left: Moodle hashes it at each run";

async fn u08_update_only(site: Site) {
    let differences = [
        moodle("cache_flags", &["name=3"], MARKED),
        moodle("cache_flags", &["name=6"], MARKED),
        moodle("cache_flags", &["name=13"], MARKED),
    ];
    let passwords = &[("gu01", WORD), ("gu02", "faible"), ("gu04", WORD), ("gu11", WORD)];
    FilesCase::new("u08").differing(&differences).with_passwords(passwords).prove(site).await;
}

async fn u34_external_auth(site: Site) {
    FilesCase::new("u34").with_passwords(&[("gu03", WORD)]).prove(site).await;
}

async fn u43_force_change_existing(site: Site) {
    let passwords = &[("gu01", WORD), ("gu02", "faible")];
    let differences = [moodle(LOG, &["user_updated"], HASHED_ONCE)];
    FilesCase::new("u43").differing(&differences).with_passwords(passwords).prove(site).await;
}

const MUTED: &str = "tool_sync writes no log, marks nothing, and leaves the custom profile fields empty";
const DEFAULTS: &str = "tool_sync writes its own defaults, and no password; what is not given is NULL";

async fn ts20_users(site: Site) {
    let own = "the account of the row is no collision with itself: only its address is protected";
    let differences = [
        enrold(LOG, &[], MUTED),
        enrold("cache_flags", &[], MUTED),
        enrold("user_info_data", &[], MUTED),
        moodle("user", &["username=t20a"], DEFAULTS),
        enrold("user", &["username=t20a"], DEFAULTS),
        enrold("user_preferences", &["create_password", "userid=t20a"], DEFAULTS),
        moodle("user", &["username=gu01"], DEFAULTS),
        enrold("user", &["username=gu01"], DEFAULTS),
        moodle("cohort", &["name=Nouvelle"], DEFAULTS),
        enrold("cohort", &["name=Nouvelle"], DEFAULTS),
        moodle("user", &["username=gu02"], own),
        enrold("user", &["username=gu02"], own),
    ];
    FilesCase::new("ts20").differing(&differences).making_cohorts().prove(site).await;
}

async fn ts21_deleted_zero(site: Site) {
    let zero = "`deleted` deletes where it is true: tool_sync deletes for 0 and for a blank cell, too";
    let differences = [
        enrold(LOG, &[], MUTED),
        enrold("cache_flags", &[], MUTED),
        enrold("user_info_data", &[], MUTED),
        moodle("user", &["username=t21"], DEFAULTS),
        enrold("user", &["username=t21"], DEFAULTS),
        enrold("user_preferences", &["create_password", "userid=t21"], DEFAULTS),
        moodle("user", &["username=gu05@example.com"], zero),
        enrold("user", &["username=gu05"], zero),
        moodle("user", &["username=gu06@example.com"], zero),
        enrold("user", &["username=gu06"], zero),
    ];
    FilesCase::new("ts21").differing(&differences).prove(site).await;
}

const KEPT: &str = "dates that the file does not give stay: Moodle rewrites them";

async fn u24_courses(site: Site) {
    let number = "a group whose name is a number is found: Moodle makes it again";
    let date = "a date that cannot be read refuses the course: Moodle begins today";
    let last = "no end, and the second course column of the row gives none: Moodle counts one from the instance";
    let differences = [
        moodle("groups", &["courseid=2", "name=2024", "timecreated=NOW"], number),
        moodle("groups", &["courseid=2", "name=2024"], number),
        enrold("groups", &["courseid=2", "name=2024", "timemodified=NOW"], number),
        moodle("groups_members", &["userid=9"], number),
        enrold("groups_members", &["groupid=3", "userid=9"], number),
        moodle(LOG, &["group_created", "courseid=2"], number),
        moodle("user_enrolments", &["enrolid=1", "userid=10"], date),
        moodle("role_assignments", &["contextid=14", "userid=10"], date),
        moodle("groups_members", &["groupid=1", "userid=10"], date),
        moodle(LOG, &["courseid=2", "relateduserid=10"], date),
        moodle("user_enrolments", &["enrolid=1", "userid=4"], KEPT),
        enrold("user_enrolments", &["enrolid=1", "userid=4"], KEPT),
        moodle(LOG, &["user_enrolment_updated", "relateduserid=4"], KEPT),
        moodle("user_enrolments", &["enrolid=1", "userid=5"], KEPT),
        enrold("user_enrolments", &["enrolid=1", "userid=5"], KEPT),
        moodle("user_enrolments", &["enrolid=13", "userid=n24"], last),
        enrold("user_enrolments", &["enrolid=13", "userid=n24"], last),
        moodle(LOG, &["user_enrolment_updated", "relateduserid=n24"], last),
    ];
    FilesCase::new("u24").differing(&differences).prove(site).await;
}

async fn u26_roles(site: Site) {
    FilesCase::new("u26").prove(site).await;
}

async fn u39_cohorts_alone(site: Site) {
    FilesCase::new("u39").making_cohorts().prove(site).await;
}

async fn u40_courses_alone(site: Site) {
    let differences = [
        moodle("user_enrolments", &["enrolid=1", "userid=3"], KEPT),
        enrold("user_enrolments", &["enrolid=1", "userid=3"], KEPT),
        moodle("cache_flags", &["name=3"], KEPT),
        moodle(LOG, &["user_enrolment_updated", "relateduserid=3"], KEPT),
    ];
    FilesCase::new("u40").differing(&differences).prove(site).await;
}

async fn u45_manual_disabled(site: Site) {
    FilesCase::new("u45").making_cohorts().prove(site).await;
}
