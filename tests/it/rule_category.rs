//! Category enrolments: the scenarios of spec category 9, and defects of Moodle that enrold does not repeat.
//! It must not write tables; the faculty does.

use enrold::outcome::{Note, Report, State};

use crate::campus::context;
use crate::faculty::{Instance, category_context};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    no_assignment_nothing_to_do,
    an_assignment_enrols_below,
    one_course_alone,
    roles_that_are_not_synchronised,
    what_counts_as_synchronised,
    capability_taken_from_one_role,
    capability_taken_from_the_last_role_is_held,
    approved_it_goes,
    disabled_method_keeps_everything,
    the_start_is_the_earliest_assignment_and_stays,
    a_moved_course,
    a_course_that_leaves_keeps_who_is_still_covered,
    hidden_and_doubled_instances,
    deleted_accounts_are_not_enrolled,
    the_category_role_itself_stays,
    paths_are_not_mistaken,
);

const CAPABILITY: &str = "enrol/category:synchronised";

/// `cat1(c1)`, `cat2(c2)` that contains `cat3(c3, c4)`; students and teachers are synchronised, managers are not.
async fn categories(site: &mut Site) {
    site.campus().await;
    site.courses_up_to(4).await;
    site.category(2, 0).await;
    site.category(3, 2).await;
    site.moved(2, 2).await;
    site.moved(3, 3).await;
    site.moved(4, 3).await;
    site.permits("student", CAPABILITY, 1, 1).await;
    site.permits("teacher", CAPABILITY, 1, 1).await;
}

async fn holds(site: &mut Site, who: i64, role: &str, category: i64) {
    site.assigned(who, category_context(category), role, ("", 0), NOW - 500).await;
}

/// Category enrolments, without their start.
async fn enrolled(site: &mut Site) -> Vec<String> {
    let lines = site.enrolments().await.into_iter().filter(|line| line.contains(" category"));
    lines.map(|line| line.split(" category").next().unwrap().to_owned()).collect()
}

fn changes(report: &Report) -> i64 {
    report.counts.values().sum()
}

async fn no_assignment_nothing_to_do(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "manager", 2).await;
    let report = site.rule("category").await;
    assert_eq!((report.state, changes(&report)), (State::Done, 0));
}

async fn an_assignment_enrols_below(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c2", "u1 c3", "u1 c4"]);
    assert_eq!(site.instances("category").await, ["c2", "c3", "c4"]);

    site.unassigned(1, category_context(2), "student").await;
    for (who, role, category) in [(2, "student", 1), (4, "teacher", 1), (3, "teacher", 2)] {
        holds(&mut site, who, role, category).await;
    }
    site.assigned(1, context(3), "manager", ("", 0), 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u2 c1", "u3 c2", "u3 c3", "u3 c4", "u4 c1"]);
}

async fn one_course_alone(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    site.rule_in("category", "c2").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c2"]);
    site.rule_in("category", "c3").await;
    site.rule_in("category", "c4").await;
    site.rule_in("category", "c1").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c2", "u1 c3", "u1 c4"]);

    site.unassigned(1, category_context(2), "student").await;
    holds(&mut site, 2, "student", 1).await;
    holds(&mut site, 4, "teacher", 1).await;
    site.rule_in("category", "c2").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c3", "u1 c4"]);
    assert_eq!(site.instances("category").await, ["c3", "c4"]);
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u2 c1", "u4 c1"]);
    assert_eq!(site.instances("category").await, ["c1"]);
}

async fn roles_that_are_not_synchronised(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "manager", 1).await;
    for number in 1..=4 {
        site.assigned(1, context(number), "student", ("", 0), 1).await;
    }
    // A role at system level would enrol the user in every course.
    site.assigned(2, 1, "student", ("", 0), 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, [""; 0]);
}

async fn what_counts_as_synchronised(mut site: Site) {
    categories(&mut site).await;
    // Prevented at the system, allowed only elsewhere, allowed by a capability that no plugin declares any more.
    site.permits("manager", CAPABILITY, -1, 1).await;
    site.permits("editingteacher", CAPABILITY, 1, category_context(1)).await;
    holds(&mut site, 1, "manager", 1).await;
    holds(&mut site, 2, "editingteacher", 1).await;
    holds(&mut site, 3, "student", 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u3 c1"]);
    site.sql("DELETE FROM {capabilities}").await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, [""; 0]);
    assert_eq!(site.instances("category").await, [""; 0]);
}

async fn capability_taken_from_one_role(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    holds(&mut site, 2, "teacher", 1).await;
    site.rule("category").await;
    site.permits("student", CAPABILITY, 0, 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u2 c1"]);
    assert_eq!(site.instances("category").await, ["c1"]);
}

/// Holds runs, but with all limits on removals and suspensions off.
fn guarded(site: &mut Site) {
    site.set("guard.mode", "hold");
    for scope in ["run", "course", "method"] {
        for limit in ["removals_max", "removals_percent", "suspensions_max", "suspensions_percent"] {
            site.set(&format!("guard.{scope}.{limit}"), "0");
        }
    }
}

async fn without_roles(site: &mut Site) {
    categories(site).await;
    holds(site, 1, "student", 2).await;
    site.rule("category").await;
    site.permits("student", CAPABILITY, 0, 1).await;
    site.permits("teacher", CAPABILITY, 0, 1).await;
    guarded(site);
}

async fn capability_taken_from_the_last_role_is_held(mut site: Site) {
    without_roles(&mut site).await;
    let before = site.dump().await;
    let report = site.rule_once("category").await;
    assert_eq!(report.state, State::Held);
    let breach = &report.breaches[0];
    assert_eq!((breach.scope.as_str(), breach.name.as_str(), breach.what.as_str()), ("rule", "category", "no-roles"));
    assert_eq!(breach.count, 3);
    site.nothing_changed(&before, "a held run").await;

    // Without removals, the run is not held.
    site.sql("DELETE FROM {user_enrolments}").await;
    site.sql("DELETE FROM {enrol} WHERE enrol = 'category'").await;
    let report = site.rule("category").await;
    assert_eq!((report.state, changes(&report), report.notes), (State::Done, 0, vec![Note::NoRoleSynchronised]));
    // With a role, nothing is said.
    site.permits("student", CAPABILITY, 1, 1).await;
    assert_eq!(site.rule("category").await.notes, []);
}

async fn approved_it_goes(mut site: Site) {
    without_roles(&mut site).await;
    let held = site.rule_once("category").await;
    let applied = site.engine().approve(held.run).await.unwrap();
    assert_eq!(applied.state, State::Done);
    assert_eq!(enrolled(&mut site).await, [""; 0]);
    assert_eq!(site.instances("category").await, [""; 0]);
}

async fn disabled_method_keeps_everything(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    site.rule("category").await;
    site.methods("manual").await;
    site.sql("DELETE FROM {role_assignments}").await;
    let report = site.rule("category").await;
    assert_eq!(changes(&report), 0);
    assert_eq!(enrolled(&mut site).await, ["u1 c2", "u1 c3", "u1 c4"]);
}

async fn the_start_is_the_earliest_assignment_and_stays(mut site: Site) {
    categories(&mut site).await;
    site.assigned(1, category_context(2), "student", ("", 0), NOW - 500).await;
    site.assigned(1, category_context(3), "student", ("", 0), NOW - 700).await;
    site.assigned(1, category_context(3), "teacher", ("", 0), NOW - 900).await;
    site.rule("category").await;
    let expected = ["u1 c2 category now-500..0", "u1 c3 category now-900..0", "u1 c4 category now-900..0"];
    assert_eq!(site.enrolments().await, expected);
    // An existing enrolment is never changed, neither its start nor its status.
    site.unassigned(1, category_context(3), "teacher").await;
    site.sql("UPDATE {user_enrolments} SET status = 1").await;
    let report = site.rule("category").await;
    assert_eq!(changes(&report), 0);
}

async fn a_moved_course(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 1).await;
    holds(&mut site, 2, "student", 3).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c1", "u2 c3", "u2 c4"]);
    site.moved(1, 3).await;
    site.moved(4, 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c4", "u2 c1", "u2 c3"]);
    site.moved(1, 2).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c4", "u2 c3"]);
    assert_eq!(site.instances("category").await, ["c3", "c4"]);
}

async fn a_course_that_leaves_keeps_who_is_still_covered(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    holds(&mut site, 1, "student", 3).await;
    site.rule("category").await;
    site.moved(3, 2).await;
    let report = site.rule("category").await;
    assert_eq!(changes(&report), 0, "both places hold the role");
}

async fn hidden_and_doubled_instances(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 2).await;
    site.instance_of(Instance { status: 1, ..Instance::new(901, "category", 2) }).await;
    site.instance_of(Instance::new(902, "category", 3)).await;
    site.instance_of(Instance::new(903, "category", 3)).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c2", "u1 c3", "u1 c3", "u1 c4"]);
    assert_eq!(site.instances("category").await, ["c2 disabled", "c3", "c3", "c4"]);
    site.unassigned(1, category_context(2), "student").await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, [""; 0]);
    assert_eq!(site.instances("category").await, [""; 0]);
}

async fn deleted_accounts_are_not_enrolled(mut site: Site) {
    categories(&mut site).await;
    for who in [1, 2] {
        holds(&mut site, who, "student", 1).await;
    }
    site.instance_of(Instance::new(901, "category", 1)).await;
    site.enrolled_by(2, 901, 0, (5, 0)).await;
    site.deleted(1).await;
    site.deleted(2).await;
    let report = site.rule("category").await;
    assert_eq!(changes(&report), 0, "not enrolled, and not removed either");
}

async fn the_category_role_itself_stays(mut site: Site) {
    categories(&mut site).await;
    holds(&mut site, 1, "student", 1).await;
    site.rule("category").await;
    site.has_role(1, 1, "student", "manual").await;
    site.moved(1, 2).await;
    site.rule("category").await;
    // The last enrolment in the course removes the manual role there, never the one in the category.
    assert_eq!(site.count("role_assignments").await, 1);
    assert_eq!(site.instances("category").await, [""; 0]);
}

async fn paths_are_not_mistaken(mut site: Site) {
    categories(&mut site).await;
    // The context of category 1 is 3: its path /1/3 must not match /1/30.
    site.context(30, 40, 20, "/1/30").await;
    site.sql("UPDATE {context} SET path = '/1/30/102' WHERE id = 102").await;
    holds(&mut site, 1, "student", 1).await;
    site.rule("category").await;
    assert_eq!(enrolled(&mut site).await, ["u1 c1"]);
}
