//! The golden cases of autoenrol: the result of a real Moodle's tasks on the same tables, compared on each database.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::golden_equal::Difference;
use crate::golden_expiry::never_logged_in;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a01_settings_of_instances, a02_rules, a04_unenrol, a07_inactivity_and_expiry, a07_as_in_moodle);

const LOG: &str = "logstore_standard_log";
const FIVE_DAYS: i64 = 5 * 86_400;

async fn a01_settings_of_instances(site: Site) {
    let case = Case::new("a01", &["autoenrol"], 1_795_299_265, 1_795_299_266);
    case.periods(&[FIVE_DAYS]).prove(site).await;
}

async fn a02_rules(site: Site) {
    Case::new("a02", &["autoenrol"], 1_795_299_273, 1_795_299_274).prove(site).await;
}

async fn a04_unenrol(site: Site) {
    let stopped = "the rule of 253 cannot be read: enrold leaves the instance alone, Moodle unenrols everybody";
    let differences = vec![
        Difference::only_enrold("user_enrolments", &[("enrolid", "253"), ("userid", "3")], stopped),
        Difference::only_enrold("role_assignments", &[("contextid", "58"), ("userid", "3")], stopped),
        Difference::only_moodle("cache_flags", &[("name", "3")], stopped),
        Difference::only_moodle(LOG, &[("relateduserid", "3"), ("action", "unassigned")], stopped),
        Difference::only_moodle(LOG, &[("relateduserid", "3"), ("action", "deleted")], stopped),
    ];
    Case::new("a04", &["autoenrol"], 1_795_299_290, 1_795_299_290).differing(differences).prove(site).await;
}

async fn a07_inactivity_and_expiry(site: Site) {
    let case = Case::new("a07", &["expirations"], 1_795_299_314, 1_795_299_315);
    case.differing(never_logged_in()).prove(site).await;
}

async fn a07_as_in_moodle(site: Site) {
    let case = Case::new("a07", &["expirations"], 1_795_299_314, 1_795_299_315);
    case.set(&[("expirations.inactive_since", "moodle")]).prove(site).await;
}
