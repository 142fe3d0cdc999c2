//! The golden cases of completed courses: the result of a real Moodle on the same tables, compared on each database.
//! It must not know how equality is judged; it lists, row by row, where enrold differs on purpose.

use crate::golden_case::Case;
use crate::golden_equal::Difference;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(cc01_seven_complete_a_course, cc02_expired_are_suspended);

const FIVE_DAYS: i64 = 5 * 86_400;

/// The completions are in `meanwhile`: enrold first runs without them. Moodle had version 4.1 of the plugin; enrold
/// follows version 5.3. All else is equal: users, roles, groups and the order of events.
async fn cc01_seven_complete_a_course(site: Site) {
    let case = Case::new("cc01", &["coursecompleted"], 1_795_299_323, 1_795_299_324);
    let differences = COMPLETERS.into_iter().flat_map(of_a_completer).chain([Difference::only_enrold(
        LOG,
        &[("objectid", "301 of 4"), ("action", "updated")],
        "xu2 was enrolled already, without a start: the start is written",
    )]);
    case.periods(&[FIVE_DAYS]).differing(differences.collect()).prove(site).await;
}

const LOG: &str = "logstore_standard_log";
/// xu1 to xu6 and xu35.
const COMPLETERS: [&str; 7] = ["3", "4", "5", "6", "7", "8", "37"];

fn of_a_completer(user: &'static str) -> Vec<Difference> {
    let mut differences = Vec::new();
    let start = "an enrolment begins when the completion is seen, version 4.1 wrote 0";
    for instance in ["301", "302", "307", "308"] {
        let row = |start| row(&[("enrolid", instance), ("userid", user), ("timestart", start)]);
        differences.push(Difference::only_moodle("user_enrolments", row("0"), start));
        differences.push(Difference::only_enrold("user_enrolments", row("NOW"), start));
    }
    let window =
        "303 opens in ten days, 304 has closed: outside its window an instance does nothing, version 4.1 took the
        window for the dates of the enrolment";
    for (instance, context) in [("303", "59"), ("304", "60")] {
        let enrolment: &'static str = format!("{instance} of {user}").leak();
        let only = |table, values: &[_]| Difference::only_moodle(table, row(values), window);
        differences.push(only("user_enrolments", &[("enrolid", instance), ("userid", user)]));
        differences.push(only("role_assignments", &[("itemid", instance), ("userid", user)]));
        differences.push(only(LOG, &[("objectid", enrolment), ("action", "created")]));
        differences.push(only(LOG, &[("contextid", context), ("relateduserid", user), ("action", "assigned")]));
    }
    differences
}

fn row(values: &[(&'static str, &'static str)]) -> &'static [(&'static str, &'static str)] {
    values.to_vec().leak()
}

async fn cc02_expired_are_suspended(site: Site) {
    Case::new("cc02", &["expirations"], 1_795_299_332, 1_795_299_332).prove(site).await;
}
