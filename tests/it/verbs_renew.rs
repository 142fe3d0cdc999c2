//! `enrold renew`: who gets which end, and who is left as he is.
//! It must not test other verbs.

use enrold::config::{CourseKey, UserKey};
use enrold::outcome::{Note, Report, RunError, State};
use enrold::verbs::{NewEnd, PeopleList, Place, Verb, VerbOrder};
use serde_json::json;

use crate::campus::{course, instance};
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    active_enrolments_with_an_end_are_renewed,
    a_period_counts_from_the_own_end,
    only_some_people,
    ends_that_make_no_sense,
    by_command,
    many_people_take_no_more_statements,
);

const DAY: i64 = 86_400;

/// An order in a course, by its short name.
pub fn ordered(verb: Verb, shortname: &str) -> VerbOrder {
    let place = Place::Course { key: CourseKey::Shortname, text: shortname.to_owned() };
    VerbOrder { verb, place, role: None, people: None }
}

/// A list of user names.
pub fn listed(users: &[&str]) -> Option<PeopleList> {
    let users = (1..).zip(users.iter().map(|user| (*user).to_owned())).collect();
    Some(PeopleList { source: "list.csv".to_owned(), key: UserKey::Username, users })
}

fn renewed(end: NewEnd) -> VerbOrder {
    ordered(Verb::Renew { methods: vec!["manual".to_owned(), "self".to_owned()], end }, "c1")
}

fn until(date: &str) -> VerbOrder {
    renewed(NewEnd::Until(date.to_owned()))
}

impl Site {
    /// Carries out a verb: a simulation first changes nothing, the journal alone reverts it.
    pub async fn verb_once(&mut self, order: &VerbOrder) -> Report {
        let before = self.dump().await;
        let rehearsal = self.engine().carry_out_verb(order, true).await.unwrap();
        self.nothing_changed(&before, "a simulated verb").await;
        let since = self.last_run().await;
        let report = self.engine().carry_out_verb(order, false).await.unwrap();
        self.proved(&before, since, &rehearsal, &report).await;
        report
    }

    /// The same, and a second run has no effect.
    pub async fn verb(&mut self, order: &VerbOrder) -> Report {
        let report = self.verb_once(order).await;
        let after = self.dump().await;
        let again = self.engine().carry_out_verb(order, false).await.unwrap();
        assert_eq!(again.counts.values().sum::<i64>(), 0, "{:?}", again.counts);
        self.nothing_changed(&after, "the same verb again").await;
        report
    }

    /// Five people in `c1`: active with an end, ended, suspended, without an end, by self; one by a cohort.
    async fn ends(&mut self) {
        self.campus().await;
        self.set("site.timezone", "Europe/Paris");
        self.instance("self", 1, 0, "student").await;
        self.cohort(1, &[6]).await;
        self.cohort_link(1, 1, "student").await;
        let manual = instance("manual", 1);
        self.enrolled_by(1, manual, 0, (5, NOW + DAY)).await;
        self.enrolled_by(2, manual, 0, (5, NOW - DAY)).await;
        self.enrolled_by(3, manual, 1, (5, NOW + DAY)).await;
        self.enrolled_by(4, manual, 0, (5, 0)).await;
        self.enrolled_by(5, instance("self", 1), 0, (5, NOW + 9 * DAY)).await;
        self.enrolled_by(6, crate::faculty::cohort_instance(1, 1), 0, (5, NOW + DAY)).await;
        self.has_role(1, 1, "student", "manual").await;
        self.has_role(5, 1, "teacher", "manual").await;
    }

    /// The ends in `c1`, in days from now, by user.
    async fn ends_of_c1(&mut self) -> Vec<String> {
        let sql = format!(
            "SELECT u.username, x.timeend FROM {{user_enrolments}} x JOIN {{enrol}} e ON e.id = x.enrolid
              JOIN {{user}} u ON u.id = x.userid WHERE e.courseid = {}",
            course(1)
        );
        self.lines(&sql, |row| format!("{} {}", row.text(0), if row.int(1) == 0 { 0 } else { row.int(1) - NOW })).await
    }
}

async fn active_enrolments_with_an_end_are_renewed(mut site: Site) {
    site.ends().await;
    let report = site.verb(&until("2026-11-25")).await;
    // The last second of the day in Paris.
    let end = 4 * DAY + 13 * 3600 - 1;
    let expected = [
        format!("u1 {end}"),
        format!("u2 {end}"),
        format!("u3 {DAY}"),
        "u4 0".to_owned(),
        format!("u5 {}", 9 * DAY),
        format!("u6 {DAY}"),
    ];
    assert_eq!(site.ends_of_c1().await, expected);
    assert_eq!(report.counts, [("enrolment.update".to_owned(), 2)].into());
    assert_eq!(report.notes, [Note::NotRenewed { suspended: 1, endless: 1, later: 1 }]);
    assert_eq!((report.kind.as_str(), report.state), ("renew", State::Done));
    assert_eq!(report.source, "c1 --until 2026-11-25 --method manual --method self");
    let events = site.events().await;
    assert!(events.contains(&"u1 user_enrolment updated".to_owned()), "{events:?}");
}

async fn a_period_counts_from_the_own_end(mut site: Site) {
    site.ends().await;
    site.verb_once(&renewed(NewEnd::By("2w".parse().unwrap()))).await;
    let expected = [
        format!("u1 {}", 15 * DAY),
        // It has ended: from now on.
        format!("u2 {}", 14 * DAY),
        format!("u3 {DAY}"),
        "u4 0".to_owned(),
        format!("u5 {}", 23 * DAY),
        format!("u6 {DAY}"),
    ];
    assert_eq!(site.ends_of_c1().await, expected);
}

async fn only_some_people(mut site: Site) {
    site.ends().await;
    let order = VerbOrder { role: Some("student".to_owned()), ..until("2027-01-31") };
    assert_eq!(site.verb(&order).await.counts["enrolment.update"], 1);
    let order = VerbOrder { people: listed(&["U5", "u9", "nobody", "u2", "u2"]), ..until("2027-01-31") };
    let report = site.verb(&order).await;
    assert_eq!((report.counts["enrolment.update"], report.state), (2, State::DoneWithErrors));
    assert_eq!(site.errors(&report).await, ["2 not-participant", "3 user-unknown"]);
    let only_self = Verb::Renew { methods: vec!["self".to_owned()], end: NewEnd::Until("2027-03-31".to_owned()) };
    assert_eq!(site.verb(&ordered(only_self, "c1")).await.counts["enrolment.update"], 1);
    // Another role, nobody.
    let order = VerbOrder { role: Some("manager".to_owned()), ..until("2028-01-31") };
    assert!(site.verb(&order).await.counts.is_empty());
}

async fn ends_that_make_no_sense(mut site: Site) {
    site.ends().await;
    let before = site.dump().await;
    let engine = site.engine();
    for (order, why) in [
        (until("2026-11-20"), "has passed"),
        (until("tomorrow"), "write a date as"),
        (until("0"), "a new end is needed"),
        (until("46347"), "write a date as"),
        (VerbOrder { role: Some("pupil".to_owned()), ..until("2027-01-31") }, "no role has the short name 'pupil'"),
    ] {
        let refused = engine.carry_out_verb(&order, false).await;
        let Err(RunError::Refused(told)) = refused else { panic!("{refused:?}") };
        assert!(told.contains(why), "{told}");
    }
    let nowhere = ordered(until("2027-01-31").verb, "nowhere");
    assert!(matches!(engine.carry_out_verb(&nowhere, false).await, Err(RunError::NoSuchCourse { .. })));
    assert_eq!(site.last_run().await, 0, "no run");
    site.nothing_changed(&before, "refused").await;
}

async fn by_command(mut site: Site) {
    site.ends().await;
    let program = Program::on(&site);
    program.write("list.csv", "idnumber;name\nu1;x\n# u2\n");
    let (code, report) = program.json(&["renew", "c1", "--until", "30/06/2027", "--users", "list.csv"]);
    assert_eq!((code, &report["counts"]), (0, &json!({ "enrolment.update": 1 })));
    program.run(&["renew", "21", "--course-key", "id", "--by", "1an", "--simulate"]).ends(0).says(&["simulated"]);
    program.run(&["renew", "c1"]).ends(2);
    program.run(&["renew", "c1", "--until", "2027-01-01", "--by", "1y"]).ends(2);
    program.run(&["renew", "c1", "--by", "soon"]).ends(2).logs(&["30d, 2w, 6m, 1y"]);
    program.run(&["renew", "c1", "--by", "1y", "--method", "cohort"]).ends(2).logs(&["enrold convert"]);
    program.run(&["renew", "c1", "--by", "1y", "--users", "none.csv"]).ends(2).logs(&["cannot read none.csv"]);
    program.write("empty.csv", "username\n");
    program.run(&["renew", "c1", "--by", "1y", "--users", "empty.csv"]).ends(2).logs(&["names nobody"]);
    program.run(&["renew", "c9", "--by", "1y"]).ends(2).logs(&["no course has the short name 'c9'"]);
    program.run(&["runs"]).ends(0).says(&["renew", "c1 --until 30/06/2027"]);
    let asked = program.typed(&["renew", "c1", "--until", "2028-06-30"], "n");
    asked.ends(1).says(&["Apply this?"]);
    program.typed(&["renew", "c1", "--until", "2028-06-30"], "y").ends(0);
    let ends = site.ends_of_c1().await;
    assert!(ends.contains(&"u4 0".to_owned()) && !ends.contains(&format!("u2 -{DAY}")), "{ends:?}");
}

async fn many_people_take_no_more_statements(mut site: Site) {
    site.ends().await;
    site.set("run.lease_ttl", "3600");
    let few = site.verb(&until("2027-01-31")).await.statements;
    site.crowd_in(5000, 400, instance("manual", 1), NOW + DAY).await;
    let many = site.verb(&until("2027-02-28")).await;
    assert_eq!(many.counts["enrolment.update"], 403);
    assert!(many.statements <= few + 2, "{} statements, {few} for three people", many.statements);
}

impl Site {
    /// Accounts `n1`, `n2`, … with ids above `from`, enrolled by an instance until an end.
    pub async fn crowd_in(&mut self, from: i64, people: i64, enrolid: i64, timeend: i64) {
        let values: Vec<String> =
            (1..=people).map(|n| format!("({}, 'n{from}x{n}', '', 1, 1, 'n{n}@x.fr', 'N', 'n')", from + n)).collect();
        let names = "id, username, idnumber, mnethostid, confirmed, email, lastname, firstname";
        self.sql(&format!("INSERT INTO {{user}} ({names}) VALUES {}", values.join(", "))).await;
        self.sql(&format!(
            "INSERT INTO {{user_enrolments}} (status, enrolid, userid, timestart, timeend, modifierid, timecreated,
                 timemodified)
             SELECT 0, {enrolid}, u.id, 0, {timeend}, 2, 1, 1 FROM {{user}} u
              WHERE u.id > {from} AND u.id <= {}",
            from + people
        ))
        .await;
    }
}
