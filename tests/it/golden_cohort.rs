//! The golden cases of cohort sync: what a real Moodle's task made of the same tables, on each engine.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(
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
    Case::new("c08", &["cohort"], 1_795_298_885, 1_795_298_886).prove(site).await;
}

async fn c10_windows_are_left(site: Site) {
    Case::new("c10", &["cohort"], 1_795_298_901, 1_795_298_901).prove(site).await;
}
