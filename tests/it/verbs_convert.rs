//! `enrold convert`: automatic enrolments become manual ones, and nobody loses anything.
//! It must not test how people are chosen: `verbs_renew` does.

use enrold::outcome::{Note, RunError, State};
use enrold::verbs::{Place, SourceFate, Verb, VerbOrder};
use serde_json::json;

use crate::campus::{context, course, instance, role, user};
use crate::faculty::{Instance, cohort, cohort_instance};
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::verbs_renew::{listed, ordered};

on_each_database!(
    a_cohort_becomes_manual,
    the_method_goes_on_beside,
    the_method_is_removed,
    manual_enrolments_that_are_there,
    two_cohorts_of_one_course,
    one_instance_enabled_or_not,
    only_some_people_leave_the_method_as_it_is,
    a_category_with_a_course_that_cannot,
    methods_that_own_nothing,
    what_is_refused,
    held_and_approved,
    rules_find_nothing_to_do_afterwards,
    by_command,
    many_people_take_no_more_statements,
);

const DAY: i64 = 86_400;

fn convert(source: SourceFate) -> VerbOrder {
    ordered(Verb::Convert { method: "cohort".to_owned(), instance: None, source }, "c1")
}

/// The cohort instance of `c1`.
const COHORT: i64 = cohort_instance(1, 1);

impl Site {
    /// `c1` enrols a cohort of u1 to u4 as students, into the group g1; u3 has left it and is suspended. u1 has a grade and
    /// an access.
    pub async fn promotion(&mut self) {
        self.campus().await;
        self.plugin_setting("enrol_cohort", "unenrolaction", Some("2")).await;
        self.cohort(1, &[1, 2, 4]).await;
        self.cohort_link(1, 1, "student").await;
        self.group(1, 1).await;
        self.uses_group(COHORT, 1).await;
        for who in 1..=4 {
            let window = if who == 2 { (NOW - DAY, NOW + DAY) } else { (0, 0) };
            self.enrolled_by(who, COHORT, i64::from(who == 3), window).await;
            self.assigned(who, context(1), "student", ("enrol_cohort", COHORT), 7).await;
            self.in_group(who, 1, ("enrol_cohort", COHORT)).await;
        }
        let row = [("id", 900.into()), ("courseid", course(1).into()), ("itemtype", "manual".into())];
        self.insert("grade_items", &row).await;
        self.insert("grade_grades", &[("itemid", 900.into()), ("userid", user(1).into())]).await;
        let row = [("userid", user(1).into()), ("courseid", course(1).into()), ("timeaccess", (NOW - 5).into())];
        self.insert("user_lastaccess", &row).await;
        self.reset_sequences().await;
    }

    /// All that grades and accesses hold.
    async fn progress(&mut self) -> (i64, i64, i64) {
        let (grades, history) = (self.count("grade_grades").await, self.count("grade_grades_history").await);
        (grades, history, self.count("user_lastaccess").await)
    }

    /// The status of an instance; `None` if it is gone.
    async fn status_of(&mut self, id: i64) -> Option<i64> {
        let params = enrold::db::Params::new().with("id", id);
        let row = self.conn.row("SELECT e.status FROM {enrol} e WHERE e.id = :id", &params).await.unwrap();
        row.map(|row| row.int(0))
    }
}

const BY_HAND: [&str; 4] =
    ["u1 c1 manual", "u2 c1 manual now-86400..now+86400", "u3 c1 manual suspended", "u4 c1 manual"];
const STUDENTS: [&str; 4] =
    ["u1 c1 student manual", "u2 c1 student manual", "u3 c1 student manual", "u4 c1 student manual"];
const MEMBERS: [&str; 4] = ["u1 g1 manual", "u2 g1 manual", "u3 g1 manual", "u4 g1 manual"];

/// The enrolments of `all` that are manual.
fn manual(all: Vec<String>) -> Vec<String> {
    all.into_iter().filter(|line| line.contains(" manual")).collect()
}

async fn a_cohort_becomes_manual(mut site: Site) {
    site.promotion().await;
    let roles = site.lines("SELECT r.id, r.timemodified FROM {role_assignments} r", |row| format!("{row:?}")).await;
    let members = site.lines("SELECT m.id, m.timeadded FROM {groups_members} m", |row| format!("{row:?}")).await;
    let progress = site.progress().await;
    let report = site.verb(&convert(SourceFate::Disable)).await;
    assert_eq!(manual(site.enrolments().await), BY_HAND);
    assert_eq!(site.enrolments().await.len(), 8, "those of the cohort stay, in a disabled method");
    assert_eq!(
        (site.roles().await, site.group_members().await),
        (STUDENTS.map(str::to_owned).into(), MEMBERS.map(str::to_owned).into())
    );
    assert_eq!(site.instances("cohort").await, ["c1 disabled"]);
    assert_eq!(site.progress().await, progress);
    let after = site.lines("SELECT r.id, r.timemodified FROM {role_assignments} r", |row| format!("{row:?}")).await;
    assert_eq!(after, roles, "the rows are the same, their owner is gone");
    let after = site.lines("SELECT m.id, m.timeadded FROM {groups_members} m", |row| format!("{row:?}")).await;
    assert_eq!(after, members);
    let counts = [("enrolment.add", 4), ("group-member.release", 4), ("instance.suspend", 1), ("role.release", 4)];
    assert_eq!(report.counts, counts.map(|(kind, count)| (kind.to_owned(), count)).into());
    assert_eq!((report.kind.as_str(), report.source.as_str()), ("convert", "c1 --from cohort"));
    assert_eq!(report.state, State::Done);
    let events = site.events().await;
    assert!(!events.iter().any(|event| event.contains("deleted") || event.contains("removed")), "{events:?}");
}

async fn the_method_goes_on_beside(mut site: Site) {
    site.promotion().await;
    site.verb(&convert(SourceFate::Keep)).await;
    assert_eq!(manual(site.enrolments().await), BY_HAND);
    assert_eq!(site.instances("cohort").await, ["c1"]);
    assert_eq!(site.roles().await.len(), 8, "roles by hand beside those of the cohort");
    assert_eq!(site.group_members().await, MEMBERS);
    let report = site.rule("cohort").await;
    assert!(report.counts.is_empty(), "its sync finds all as it should be: {:?}", report.counts);
    assert_eq!(manual(site.enrolments().await), BY_HAND);
    assert_eq!(site.group_members().await, MEMBERS);
}

async fn the_method_is_removed(mut site: Site) {
    site.promotion().await;
    let progress = site.progress().await;
    let report = site.verb(&convert(SourceFate::Delete)).await;
    assert_eq!(site.enrolments().await, BY_HAND);
    assert_eq!(site.roles().await, STUDENTS);
    assert_eq!(site.group_members().await, MEMBERS);
    assert_eq!((site.status_of(COHORT).await, site.progress().await), (None, progress));
    assert_eq!((report.counts["enrolment.remove"], report.counts["instance.remove"]), (4, 1));
    let last = "SELECT COUNT(*) FROM {enrold_change} c WHERE c.lastenrol = 1";
    assert_eq!(site.conn.number(last, &enrold::db::Params::new()).await.unwrap(), 0, "nobody's last enrolment");
}

/// Access is never less than before: an active enrolment by hand keeps the longer window, a suspended one follows.
async fn manual_enrolments_that_are_there(mut site: Site) {
    site.promotion().await;
    let by_hand = instance("manual", 1);
    site.enrolled_by(1, by_hand, 1, (5, 6)).await;
    site.enrolled_by(2, by_hand, 0, (NOW - 9 * DAY, NOW - DAY)).await;
    site.enrolled_by(3, by_hand, 0, (0, NOW + DAY)).await;
    site.enrolled_by(4, by_hand, 0, (NOW - DAY, NOW + DAY)).await;
    site.has_role(1, 1, "student", "manual").await;
    site.has_role(2, 1, "teacher", "manual").await;
    let report = site.verb(&convert(SourceFate::Disable)).await;
    let expected = [
        "u1 c1 manual".to_owned(),
        format!("u2 c1 manual now-{}..now+{DAY}", 9 * DAY),
        format!("u3 c1 manual 0..now+{DAY}"),
        "u4 c1 manual".to_owned(),
    ];
    assert_eq!(manual(site.enrolments().await), expected);
    // u1 had the role by hand too: one is left.
    assert_eq!((report.counts["role.release"], report.counts["role.remove"]), (3, 1));
    let mut roles = STUDENTS.map(str::to_owned).to_vec();
    roles.insert(2, "u2 c1 teacher manual".to_owned());
    assert_eq!(site.roles().await, roles);
}

async fn two_cohorts_of_one_course(mut site: Site) {
    site.promotion().await;
    site.cohort(2, &[1, 3, 5]).await;
    site.cohort_link(1, 2, "student").await;
    let second = cohort_instance(1, 2);
    for (who, status) in [(1, 1), (3, 0), (5, 0)] {
        site.enrolled_by(who, second, status, (NOW - 5, NOW + 5)).await;
        site.assigned(who, context(1), "student", ("enrol_cohort", second), 7).await;
    }
    site.verb(&convert(SourceFate::Delete)).await;
    let expected = [
        "u1 c1 manual",
        "u2 c1 manual now-86400..now+86400",
        "u3 c1 manual now-5..now+5",
        "u4 c1 manual",
        "u5 c1 manual now-5..now+5",
    ];
    assert_eq!(site.enrolments().await, expected);
    assert_eq!(site.roles().await.len(), 5, "each role once");
    assert_eq!(site.instances("cohort").await, [""; 0]);
}

async fn one_instance_enabled_or_not(mut site: Site) {
    site.promotion().await;
    let of = |id, fate| ordered(Verb::Convert { method: "cohort".to_owned(), instance: Some(id), source: fate }, "c1");
    site.status(COHORT, 1).await;
    let report = site.verb(&convert(SourceFate::Disable)).await;
    assert!(report.counts.is_empty(), "who has no access gets none: {:?}", report.counts);
    assert_eq!(report.notes, [Note::NobodyConcerned]);
    site.verb(&of(COHORT, SourceFate::Disable)).await;
    assert_eq!(manual(site.enrolments().await), BY_HAND);
    assert_eq!(site.status_of(COHORT).await, Some(1));
    for (id, method) in [(instance("manual", 2), "cohort"), (COHORT, "meta"), (77, "cohort")] {
        let order =
            ordered(Verb::Convert { method: method.to_owned(), instance: Some(id), source: SourceFate::Disable }, "c1");
        let refused = site.engine().carry_out_verb(&order, false).await;
        assert!(matches!(&refused, Err(RunError::Refused(why)) if why.contains("has no instance")), "{refused:?}");
    }
}

async fn only_some_people_leave_the_method_as_it_is(mut site: Site) {
    site.promotion().await;
    let order = VerbOrder { people: listed(&["u1", "u9"]), ..convert(SourceFate::Delete) };
    let report = site.verb(&order).await;
    assert_eq!(manual(site.enrolments().await), ["u1 c1 manual"]);
    assert_eq!((site.status_of(COHORT).await, site.enrolments().await.len()), (Some(0), 5));
    assert_eq!(report.notes, [Note::SourceStays(1)]);
    assert_eq!(site.errors(&report).await, ["2 not-participant"]);
    // The cohort's own role stays beside it: it would give it again.
    assert!(site.roles().await.contains(&"u1 c1 student cohort".to_owned()));
    assert_eq!(manual(site.roles().await), ["u1 c1 student manual"]);
    let order = VerbOrder { role: Some("student".to_owned()), ..convert(SourceFate::Disable) };
    site.verb(&order).await;
    assert_eq!(manual(site.enrolments().await), BY_HAND);
    assert_eq!(site.status_of(COHORT).await, Some(1), "all are converted now");
}

async fn a_category_with_a_course_that_cannot(mut site: Site) {
    site.promotion().await;
    site.courses_up_to(4).await;
    let row = [("id", 1.into()), ("name", "Sciences".into()), ("path", "/3".into()), ("depth", 1.into())];
    site.insert("course_categories", &row).await;
    site.category(2, 1).await;
    site.moved(2, 2).await;
    site.category(3, 0).await;
    site.moved(4, 3).await;
    for number in 2..=4 {
        site.cohort_link(number, 1, "student").await;
        site.enrolled_by(1, cohort_instance(number, 1), 0, (0, 0)).await;
    }
    // c2 has no manual method, that of c3 is disabled, c4 lies elsewhere.
    site.sql(&format!("DELETE FROM {{enrol}} WHERE id = {}", instance("manual", 2))).await;
    site.status(instance("manual", 3), 1).await;
    let verb = convert(SourceFate::Disable).verb;
    let order = |text: &str| {
        let place = Place::Category(text.to_owned());
        VerbOrder { verb: verb.clone(), place, role: None, people: None }
    };
    let report = site.verb_once(&order("Sciences")).await;
    assert_eq!(site.instances("cohort").await, ["c1 disabled", "c2 disabled", "c3", "c4"]);
    assert_eq!(site.instances("manual").await, ["c1", "c2", "c3 disabled", "c4"]);
    assert_eq!(manual(site.enrolments().await)[..2], ["u1 c1 manual", "u1 c2 manual"]);
    assert_eq!(report.state, State::DoneWithErrors);
    assert_eq!(site.errors(&report).await, [format!("-{} no-method", instance("manual", 3))]);
    assert_eq!(report.source, "--category Sciences --from cohort");
    site.verb_once(&order("Sciences/cat2")).await;
    site.verb_once(&order("3")).await;
    assert!(site.instances("cohort").await.contains(&"c4 disabled".to_owned()));
    let refused = site.engine().carry_out_verb(&order("Chimie"), false).await;
    assert!(matches!(&refused, Err(RunError::Refused(why)) if why.contains("no category")), "{refused:?}");
}

/// Roles of `self` have no owner: they stay as they are.
async fn methods_that_own_nothing(mut site: Site) {
    site.promotion().await;
    site.instance("self", 1, 0, "student").await;
    site.enrolled_by(5, instance("self", 1), 0, (5, 0)).await;
    site.has_role(5, 1, "student", "manual").await;
    let verb = Verb::Convert { method: "self".to_owned(), instance: None, source: SourceFate::Delete };
    site.verb(&ordered(verb, "c1")).await;
    assert!(site.enrolments().await.contains(&"u5 c1 manual 5..0".to_owned()), "{:?}", site.enrolments().await);
    assert!(site.roles().await.contains(&"u5 c1 student manual".to_owned()));
    assert_eq!(site.instances("self").await, [""; 0]);
    // A full set's method with a role of its own.
    site.instance_of(Instance { role: role("student"), ..Instance::new(1301, "database", 1) }).await;
    site.enrolled_by(6, 1301, 0, (0, 0)).await;
    site.assigned(6, context(1), "teacher", ("enrol_database", 1301), 7).await;
    let verb = Verb::Convert { method: "database".to_owned(), instance: None, source: SourceFate::Disable };
    site.verb(&ordered(verb, "c1")).await;
    assert!(site.roles().await.contains(&"u6 c1 teacher manual".to_owned()));
    assert_eq!(site.instances("database").await, ["c1 disabled"]);
}

async fn what_is_refused(mut site: Site) {
    site.promotion().await;
    let before = site.dump().await;
    let of = |method: &str| {
        ordered(Verb::Convert { method: method.to_owned(), instance: None, source: SourceFate::Disable }, "c1")
    };
    for (method, why) in [("manual", "manual already"), ("cohrot", "no method is called 'cohrot'")] {
        let refused = site.engine().carry_out_verb(&of(method), false).await;
        assert!(matches!(&refused, Err(RunError::Refused(told)) if told.contains(why)), "{refused:?}");
    }
    site.sql("UPDATE {config} SET value = 'cohort' WHERE name = 'enrol_plugins_enabled'").await;
    let refused = site.engine().carry_out_verb(&of("cohort"), false).await;
    assert!(
        matches!(&refused, Err(RunError::Refused(told)) if told.contains("'manual' is not enabled")),
        "{refused:?}"
    );
    site.sql("UPDATE {config} SET value = 'manual,guest,self,cohort,meta,category,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    site.nothing_changed(&before, "refused").await;
    assert_eq!(site.last_run().await, 0);
}

async fn held_and_approved(mut site: Site) {
    site.promotion().await;
    site.set("guard.mode", "hold");
    for (key, value) in [("guard.run.removals_max", "2"), ("guard.run.at_least", "0")] {
        site.set(key, value);
    }
    let before = site.dump().await;
    let order = VerbOrder { people: listed(&["u1", "u2", "u3", "u4"]), ..convert(SourceFate::Delete) };
    let rehearsal = site.engine().carry_out_verb(&order, true).await.unwrap();
    assert!(rehearsal.would_hold);
    let held = site.engine().carry_out_verb(&order, false).await.unwrap();
    assert_eq!(held.state, State::Held);
    site.nothing_changed(&before, "held").await;
    // The order with its people lies in the held store: the file is not needed any more.
    let approved = site.engine().approve(held.run).await.unwrap();
    assert_eq!((approved.state, approved.kind.as_str()), (State::Done, "approve"));
    assert_eq!(approved.source, "convert c1 --from cohort --users list.csv --delete-source");
    assert_eq!(site.enrolments().await, BY_HAND);
    assert_eq!(site.status_of(COHORT).await, None);
}

/// The cohort and its rule are as before; nothing of it touches who is converted, whatever becomes of the cohort.
async fn rules_find_nothing_to_do_afterwards(mut site: Site) {
    site.promotion().await;
    site.rule("cohort").await;
    site.verb(&convert(SourceFate::Disable)).await;
    let (enrolments, roles) = (manual(site.enrolments().await), site.roles().await);
    let before = site.dump().await;
    site.rule("cohort").await;
    site.nothing_changed(&before, "the cohort's sync").await;
    for who in [1, 2, 4] {
        site.leaves(who, 1).await;
    }
    site.rule("cohort").await;
    assert_eq!((manual(site.enrolments().await), site.roles().await), (enrolments, roles));
    assert_eq!(site.group_members().await, MEMBERS);
    assert_eq!(site.instances("cohort").await, ["c1 disabled"]);
    assert_eq!(site.progress().await, (1, 0, 1));
    assert_eq!(cohort(1), 61);
}

async fn by_command(mut site: Site) {
    site.promotion().await;
    let program = Program::on(&site);
    let (code, report) = program.json(&["convert", "c1", "--from", "cohort", "--simulate"]);
    assert_eq!((code, &report["state"], &report["counts"]["role.release"]), (0, &json!("simulated"), &json!(4)));
    program.run(&["convert", "--from", "cohort"]).ends(2);
    program.run(&["convert", "c1", "--from", "cohort", "--keep-source", "--delete-source"]).ends(2);
    program.run(&["convert", "c1", "--category", "x", "--from", "cohort"]).ends(2);
    program.run(&["convert", "c1", "--from", "cohrot"]).ends(2).logs(&["the course has: cohort, manual"]);
    let french = program.clone().set("locale=fr");
    french.run(&["convert", "c1", "--from", "cohort"]).ends(0).says(&[
        "convert c1 --from cohort",
        "rôles devenus manuels",
        "appartenances devenues manuelles",
        "méthodes désactivées",
    ]);
    let (_, detail) = program.json(&["runs", "1"]);
    assert_eq!(detail["kind"], json!("convert"));
}

async fn many_people_take_no_more_statements(mut site: Site) {
    site.promotion().await;
    site.set("run.lease_ttl", "3600");
    let few = site.verb_once(&convert(SourceFate::Disable)).await.statements;
    let second = cohort_instance(1, 2);
    site.cohort(2, &[]).await;
    site.cohort_link(1, 2, "student").await;
    site.crowd_in(5000, 400, second, 0).await;
    site.sql(&format!(
        "INSERT INTO {{cohort_members}} (cohortid, userid, timeadded) SELECT {}, u.id, 1 FROM {{user}} u WHERE u.id > 5000",
        cohort(2)
    ))
    .await;
    site.sql(&format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, timemodified, modifierid, component, itemid,
             sortorder)
         SELECT {}, {}, u.id, 7, 2, 'enrol_cohort', {second}, 0 FROM {{user}} u WHERE u.id > 5000",
        role("student"),
        context(1)
    ))
    .await;
    let many = site.verb_once(&convert(SourceFate::Disable)).await;
    assert_eq!((many.counts["enrolment.add"], many.counts["role.release"]), (400, 400));
    assert!(many.statements <= few + 12, "{} statements, {few} for four people", many.statements);
}
