//! The golden cases of manual and self enrolments that end: what a real Moodle's tasks made of the same tables.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(e01_manual_expires, e03_self_long_time_no_see);

async fn e01_manual_expires(site: Site) {
    Case::new("e01", &["expirations"], 1_795_299_404, 1_795_299_405).prove(site).await;
}

async fn e03_self_long_time_no_see(site: Site) {
    Case::new("e03", &["expirations"], 1_795_299_418, 1_795_299_418).prove(site).await;
}
