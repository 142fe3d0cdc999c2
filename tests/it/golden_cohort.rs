//! The golden cases of cohort sync: the result of a real Moodle's task on the same tables, compared on each database.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::golden_equal::Difference;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";

on_each_database!(
    c01_members_of_every_sort,
    c02_unenrol,
    c03_suspend,
    c04b_keep,
    c06_method_disabled,
    c08_meta_follows,
    c10_windows_are_left,
);

async fn c01_members_of_every_sort(site: Site) {
    Case::new("c01", &["cohort"], 1_795_298_811, 1_795_298_811).prove(site).await;
}

async fn c02_unenrol(site: Site) {
    Case::new("c02", &["cohort"], 1_795_298_820, 1_795_298_821).prove(site).await;
}

async fn c03_suspend(site: Site) {
    Case::new("c03", &["cohort"], 1_795_298_830, 1_795_298_830).prove(site).await;
}

async fn c04b_keep(site: Site) {
    Case::new("c04b", &["cohort"], 1_795_298_848, 1_795_298_848).prove(site).await;
}

async fn c06_method_disabled(site: Site) {
    let moodle = &[("tasks.cohort.when_disabled", "drop_roles")];
    Case::new("c06", &["cohort"], 1_795_298_870, 1_795_298_870).set(moodle).prove(site).await;
}

async fn c08_meta_follows(site: Site) {
    links_follow().prove(site).await;
}

/// Cohorts in courses from which links lead to others.
pub fn links_follow() -> Case {
    let observer = "the link in xc4 is disabled: an observer of Moodle enrols into it, its task and enrold do not";
    let row = |table, row: &'static [_]| Difference::only_moodle(table, row, observer);
    let differences = vec![
        row("user_enrolments", &[("enrolid", "113"), ("userid", "3")]),
        row("user_enrolments", &[("enrolid", "113"), ("userid", "4")]),
        row("user_enrolments", &[("enrolid", "113"), ("userid", "5")]),
        row("user_enrolments", &[("enrolid", "113"), ("userid", "6")]),
        row("user_enrolments", &[("enrolid", "113"), ("userid", "22")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "3")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "4")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "5")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "6")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "22"), ("action", "created")]),
        row(LOG, &[("courseid", "5"), ("relateduserid", "22"), ("action", "updated")]),
        Difference::other_order(
            &[("user", "22"), ("course", "3"), ("method", "meta")],
            "an observer of Moodle sees the role go before the enrolment; its task suspends first, as enrold does",
        ),
    ];
    Case::new("c08", &["cohort"], 1_795_298_885, 1_795_298_886).differing(differences)
}

async fn c10_windows_are_left(site: Site) {
    Case::new("c10", &["cohort"], 1_795_298_901, 1_795_298_901).prove(site).await;
}
