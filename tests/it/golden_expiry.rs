//! The golden cases of expiring manual and self enrolments: the result of a real Moodle's tasks on the same tables.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::golden_equal::Difference;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(e01_manual_expires, e03_self_long_time_no_see, e03_as_in_moodle);

async fn e01_manual_expires(site: Site) {
    // The case lacks the cohort of xu5: cohort sync, which follows, would end that enrolment.
    let case = Case::new("e01", &["expirations"], 1_795_299_404, 1_795_299_405);
    case.set(&[("tasks.cohort.enabled", "false")]).prove(site).await;
}

async fn e03_self_long_time_no_see(site: Site) {
    let case = Case::new("e03", &["expirations"], 1_795_299_418, 1_795_299_418);
    case.differing(never_logged_in()).prove(site).await;
}

async fn e03_as_in_moodle(site: Site) {
    let case = Case::new("e03", &["expirations"], 1_795_299_418, 1_795_299_418);
    case.set(&[("expirations.inactive_since", "moodle")]).prove(site).await;
}

/// `xu4` has never logged in and was enrolled nine days ago, where ten days of inactivity unenrol.
pub fn never_logged_in() -> Vec<Difference> {
    let reason = "who never logged in is inactive since the enrolment began, not since 1970";
    vec![
        Difference::only_enrold("user_enrolments", &[("userid", "6")], reason),
        Difference::only_enrold("role_assignments", &[("userid", "6")], reason),
        Difference::only_moodle("cache_flags", &[("name", "6")], reason),
        Difference::only_moodle(LOG, &[("relateduserid", "6"), ("action", "unassigned")], reason),
        Difference::only_moodle(LOG, &[("relateduserid", "6"), ("action", "deleted")], reason),
    ]
}

const LOG: &str = "logstore_standard_log";
