//! The golden cases of meta links and category enrolments: what a real Moodle's tasks made of the same tables.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(
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
    Case::new("k01", &["category"], 1_795_299_167, 1_795_299_167).prove(site).await;
}

async fn k02_no_role_is_synchronised(site: Site) {
    Case::new("k02", &["category"], 1_795_299_173, 1_795_299_174).prove(site).await;
}

async fn k04_method_disabled(site: Site) {
    Case::new("k04", &["category"], 1_795_299_187, 1_795_299_187).prove(site).await;
}
