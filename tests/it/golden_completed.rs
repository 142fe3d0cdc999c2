//! The golden cases of completed courses: what a real Moodle made of the same tables, on each engine.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(cc01_seven_complete_a_course, cc02_expired_are_suspended);

const FIVE_DAYS: i64 = 5 * 86_400;

/// The completions are `meanwhile`: enrold has seen the site without them.
async fn cc01_seven_complete_a_course(site: Site) {
    let case = Case::new("cc01", &["coursecompleted"], 1_795_299_323, 1_795_299_324);
    case.periods(&[FIVE_DAYS]).prove(site).await;
}

async fn cc02_expired_are_suspended(site: Site) {
    Case::new("cc02", &["expirations"], 1_795_299_332, 1_795_299_332).prove(site).await;
}
