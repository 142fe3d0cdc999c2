//! The golden cases of meta links and category enrolments: the result of a real Moodle's tasks on the same tables.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::golden_equal::Difference;
use crate::servers::on_each_database;
use crate::site::Site;

const LOG: &str = "logstore_standard_log";

on_each_database!(
    m01_evidence_of_every_sort,
    m02_roles_that_do_not_follow,
    m04_chains_and_cycles,
    m06_suspend,
    m08_method_disabled,
    k01_nested_categories,
    k02_no_role_is_synchronised,
    k04_method_disabled,
);

async fn m01_evidence_of_every_sort(site: Site) {
    Case::new("m01", &["meta"], 1_795_298_908, 1_795_298_909).prove(site).await;
}

async fn m02_roles_that_do_not_follow(site: Site) {
    Case::new("m02", &["meta"], 1_795_298_916, 1_795_298_917).prove(site).await;
}

async fn m04_chains_and_cycles(site: Site) {
    Case::new("m04", &["meta"], 1_795_298_932, 1_795_298_932).prove(site).await;
}

async fn m06_suspend(site: Site) {
    Case::new("m06", &["meta"], 1_795_298_949, 1_795_298_949).prove(site).await;
}

async fn m08_method_disabled(site: Site) {
    let moodle = &[("tasks.meta.when_disabled", "drop_roles")];
    Case::new("m08", &["meta"], 1_795_298_964, 1_795_298_964).set(moodle).prove(site).await;
}

async fn k01_nested_categories(site: Site) {
    let deleted = "the account of xu36 is deleted: enrold does not enrol it, Moodle does";
    let twice = "xu1 holds the role in two categories above xc8: enrold enrols once, from the earlier moment";
    let differences = vec![
        Difference::only_moodle("user_enrolments", &[("userid", "38"), ("enrolid", "category/5//0")], deleted),
        Difference::only_moodle("user_enrolments", &[("userid", "38"), ("enrolid", "category/10//0")], deleted),
        Difference::only_moodle(LOG, &[("relateduserid", "38"), ("courseid", "5")], deleted),
        Difference::only_moodle(LOG, &[("relateduserid", "38"), ("courseid", "10")], deleted),
        Difference::only_moodle(LOG, &[("relateduserid", "3"), ("courseid", "9"), ("action", "updated")], twice),
        Difference::only_moodle("cache_flags", &[("flagtype", "accesslib/dirtyusers"), ("name", "3")], twice),
    ];
    Case::new("k01", &["category"], 1_795_299_167, 1_795_299_167).differing(differences).prove(site).await;
}

async fn k02_no_role_is_synchronised(site: Site) {
    Case::new("k02", &["category"], 1_795_299_173, 1_795_299_174).prove(site).await;
}

async fn k04_method_disabled(site: Site) {
    Case::new("k04", &["category"], 1_795_299_187, 1_795_299_187).prove(site).await;
}
