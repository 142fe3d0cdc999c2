//! The golden cases of the external database: what a real Moodle's task made of the same view, on each engine.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(d01_unenrol, d03_suspend_without_roles, d05_an_empty_view);

/// Keys, default role and action are Moodle's own settings.
fn of(name: &'static str, from: i64, to: i64) -> Case {
    Case::new(name, &[], from, to).set(&[("sources.database.enabled", "true")])
}

async fn d01_unenrol(site: Site) {
    of("d01", 1_795_299_349, 1_795_299_350).prove(site).await;
}

async fn d03_suspend_without_roles(site: Site) {
    of("d03", 1_795_299_366, 1_795_299_366).prove(site).await;
}

async fn d05_an_empty_view(site: Site) {
    of("d05", 1_795_299_382, 1_795_299_382).prove(site).await;
}
