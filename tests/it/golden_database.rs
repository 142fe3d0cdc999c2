//! The golden cases of the external database: the result of a real Moodle's task on the same view, on each database.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use enrold::outcome::State;

use crate::golden_case::{Case, folder, load, set_of};
use crate::golden_equal::Difference;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(d01_unenrol, d03_suspend_without_roles, d05_an_empty_view);

/// Keys, default role and action come from Moodle's own settings.
fn of(name: &'static str, from: i64, to: i64) -> Case {
    Case::new(name, &[], from, to).set(&[("sources.database.enabled", "true")])
}

const LOG: &str = "logstore_standard_log";
const INVISIBLE: &str =
    "Moodle does not see an enrolment without a role of its instance; enrold looks at it like any other";
const OTHER: &str = "another user who vanishes keeps the role in Moodle for ever";

async fn d01_unenrol(site: Site) {
    let moodle = |table, row: &'static [_], why| Difference::only_moodle(table, row, why);
    let enrold = |table, row: &'static [_], why| Difference::only_enrold(table, row, why);
    let differences = vec![
        moodle("user_enrolments", &[("userid", "16")], INVISIBLE),
        enrold("cache_flags", &[("name", "16")], INVISIBLE),
        enrold(LOG, &[("relateduserid", "16")], INVISIBLE),
        moodle("role_assignments", &[("userid", "17")], OTHER),
        enrold("cache_flags", &[("name", "17")], OTHER),
        enrold(LOG, &[("relateduserid", "17")], OTHER),
    ];
    of("d01", 1_795_299_349, 1_795_299_350).differing(differences).prove(site).await;
}

async fn d03_suspend_without_roles(site: Site) {
    let differences = vec![
        Difference::only_moodle("user_enrolments", &[("userid", "16"), ("status", "0")], INVISIBLE),
        Difference::only_enrold("user_enrolments", &[("userid", "16"), ("status", "1")], INVISIBLE),
        Difference::only_enrold("cache_flags", &[("name", "16")], INVISIBLE),
        Difference::only_enrold(LOG, &[("relateduserid", "16")], INVISIBLE),
    ];
    of("d03", 1_795_299_366, 1_795_299_366).differing(differences).prove(site).await;
}

/// Moodle's own guard, which has only this action: nothing is written.
async fn d05_an_empty_view(mut site: Site) {
    load(&mut site, "d05").await;
    site.set("sources.database.enabled", "true");
    site.set("guard.mode", "hold");
    site.at(1_795_299_382);
    let before = site.dump().await;
    let order = set_of("database", &folder("d05").join("set.csv"));
    let report = site.engine().apply_set(&order, false).await.unwrap();
    assert_eq!(report.state, State::Held);
    site.nothing_changed(&before, "an empty set").await;
}
