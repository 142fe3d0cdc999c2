//! `enrold copy-participants` and `move-groups`: who becomes a participant of another course, and what stays behind.
//! It must not test how people are chosen: `verbs_renew` does.

use enrold::outcome::{Note, RunError, State};
use enrold::verbs::{Verb, VerbOrder};
use serde_json::json;

use crate::campus::{context, course, instance, role};
use crate::faculty::{cohort_instance, group};
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};
use crate::verbs_renew::ordered;

on_each_database!(
    participants_are_copied,
    only_one_role_is_copied,
    groups_move_with_their_members,
    only_the_named_groups_move,
    courses_that_do_not_fit,
    many_people_take_no_more_statements,
);

const DAY: i64 = 86_400;

fn copy() -> VerbOrder {
    ordered(Verb::CopyParticipants { to: "c2".to_owned() }, "c1")
}

fn moved(groups: &[&str]) -> VerbOrder {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    ordered(Verb::MoveGroups { to: "c2".to_owned(), groups }, "c1")
}

impl Site {
    /// `c1`: u1 a student by hand for a day, u2 a teacher by a cohort, u3 suspended, u4 ended, u5 and u6 students; of
    /// these u2 is a student of `c2`, u5 suspended there, u6 active there by self.
    async fn neighbours(&mut self) {
        self.campus().await;
        self.cohort(1, &[2]).await;
        self.cohort_link(1, 1, "teacher").await;
        self.instance("self", 2, 0, "student").await;
        let by_hand = instance("manual", 1);
        self.enrolled_by(1, by_hand, 0, (NOW - DAY, NOW + DAY)).await;
        self.enrolled_by(2, cohort_instance(1, 1), 0, (0, 0)).await;
        self.assigned(2, context(1), "teacher", ("enrol_cohort", cohort_instance(1, 1)), 7).await;
        self.enrolled_by(3, by_hand, 1, (0, 0)).await;
        self.enrolled_by(4, by_hand, 0, (0, NOW - DAY)).await;
        for who in [1, 3, 4, 5, 6] {
            self.has_role(who, 1, "student", "manual").await;
        }
        for who in [5, 6] {
            self.enrolled_by(who, by_hand, 0, (0, 0)).await;
        }
        self.enrolled_by(2, instance("manual", 2), 0, (0, 0)).await;
        self.has_role(2, 2, "student", "manual").await;
        self.enrolled_by(5, instance("manual", 2), 1, (0, 0)).await;
        self.enrolled_by(6, instance("self", 2), 0, (0, 0)).await;
        self.has_role(6, 2, "student", "manual").await;
        self.reset_sequences().await;
    }

    async fn of_c2(&mut self) -> (Vec<String>, Vec<String>) {
        let of = |lines: Vec<String>| lines.into_iter().filter(|line| line.contains(" c2 ")).collect();
        (of(self.enrolments().await), of(self.roles().await))
    }
}

async fn participants_are_copied(mut site: Site) {
    site.neighbours().await;
    let report = site.verb(&copy()).await;
    let (enrolments, roles) = site.of_c2().await;
    assert_eq!(
        enrolments,
        ["u1 c2 manual now-86400..now+86400", "u2 c2 manual", "u5 c2 manual suspended", "u6 c2 self"]
    );
    assert_eq!(roles, ["u1 c2 student manual", "u2 c2 student manual", "u2 c2 teacher manual", "u6 c2 student manual"]);
    assert_eq!(report.notes, [Note::NotReactivated(1)]);
    assert_eq!((report.kind.as_str(), report.source.as_str()), ("copy-participants", "c1 c2"));
    assert_eq!(report.state, State::Done);
}

async fn only_one_role_is_copied(mut site: Site) {
    site.neighbours().await;
    site.has_role(1, 1, "teacher", "manual").await;
    site.verb(&VerbOrder { role: Some("student".to_owned()), ..copy() }).await;
    let (enrolments, roles) = site.of_c2().await;
    assert!(enrolments.contains(&"u1 c2 manual now-86400..now+86400".to_owned()), "{enrolments:?}");
    assert_eq!(roles, ["u1 c2 student manual", "u2 c2 student manual", "u6 c2 student manual"]);
}

async fn groups_move_with_their_members(mut site: Site) {
    site.neighbours().await;
    site.group(1, 1).await;
    site.group(2, 1).await;
    site.group(3, 2).await;
    site.sql(&format!("UPDATE {{groups}} SET name = 'g2' WHERE id = {}", group(3))).await;
    for (who, of) in [(1, 1), (5, 1), (6, 1), (3, 1), (1, 2), (4, 2)] {
        site.in_group(who, of, ("", 0)).await;
    }
    site.in_group(2, 2, ("enrol_cohort", cohort_instance(1, 1))).await;
    let report = site.verb(&moved(&[])).await;
    let sql = "SELECT u.username, c.shortname, g.name, m.component FROM {groups_members} m
        JOIN {groups} g ON g.id = m.groupid JOIN {course} c ON c.id = g.courseid JOIN {user} u ON u.id = m.userid";
    let members = site
        .lines(sql, |row| format!("{} {} {} {}", row.text(0), row.text(1), row.text(2), row.text(3)).trim().to_owned())
        .await;
    let expected = [
        "u1 c2 g1",
        "u1 c2 g2",
        // Their cohort would put u2 there again; u3 and u4 have no access, u5 none in c2.
        "u2 c1 g2 enrol_cohort",
        "u2 c2 g2",
        "u3 c1 g1",
        "u4 c1 g2",
        "u5 c1 g1",
        "u6 c2 g1",
    ];
    assert_eq!(members, expected);
    let (enrolments, roles) = site.of_c2().await;
    assert!(enrolments.contains(&"u1 c2 manual now-86400..now+86400".to_owned()));
    assert!(roles.contains(&"u1 c2 student manual".to_owned()));
    assert_eq!((report.counts["group.add"], report.counts["group-member.add"]), (1, 4));
    assert_eq!(report.counts["group-member.remove"], 3);
    assert_eq!(site.count("groups").await, 4, "no group is deleted");
}

async fn only_the_named_groups_move(mut site: Site) {
    site.neighbours().await;
    site.group(1, 1).await;
    site.group(2, 1).await;
    site.in_group(1, 1, ("", 0)).await;
    site.in_group(6, 2, ("", 0)).await;
    site.verb(&moved(&["g2"])).await;
    assert_eq!(site.group_members().await, ["u1 g1 manual", "u6 g2 manual"]);
    assert_eq!(site.lines("SELECT name FROM {groups}", |row| row.text(0)).await, ["g1", "g2", "g2"]);
    let refused = site.engine().carry_out_verb(&moved(&["G2"]), false).await;
    assert!(matches!(&refused, Err(RunError::Refused(why)) if why.contains("no group 'G2'")), "{refused:?}");
}

async fn courses_that_do_not_fit(mut site: Site) {
    site.neighbours().await;
    let same = ordered(Verb::CopyParticipants { to: "c1".to_owned() }, "c1");
    let refused = site.engine().carry_out_verb(&same, false).await;
    assert!(matches!(&refused, Err(RunError::Refused(why)) if why.contains("cannot be both")), "{refused:?}");
    site.status(instance("manual", 2), 1).await;
    let before = site.dump().await;
    let report = site.engine().carry_out_verb(&copy(), false).await.unwrap();
    assert_eq!(site.errors(&report).await, [format!("-{} no-method", instance("manual", 2))]);
    let (enrolments, roles) = site.of_c2().await;
    assert_eq!(enrolments.len(), 3);
    assert_eq!(roles.len(), 2, "{roles:?}");
    drop(before);
    let program = Program::on(&site);
    program.run(&["copy-participants", "c1"]).ends(2);
    program.run(&["copy-participants", "c1", "c9"]).ends(2).logs(&["no course has the short name 'c9'"]);
    let (code, report) = program.json(&["copy-participants", "c1", "c3", "--role", "student"]);
    assert_eq!((code, &report["counts"]), (0, &json!({ "enrolment.add": 3, "role.add": 3 })));
    program.run(&["move-groups", "c1", "c3", "--simulate"]).ends(0).says(&["simulated"]);
    assert_eq!(course(3), 23);
}

async fn many_people_take_no_more_statements(mut site: Site) {
    site.neighbours().await;
    site.set("run.lease_ttl", "3600");
    let few = site.verb_once(&copy()).await.statements;
    site.crowd_in(5000, 400, instance("manual", 1), 0).await;
    site.sql(&format!(
        "INSERT INTO {{role_assignments}} (roleid, contextid, userid, timemodified, modifierid, component, itemid,
             sortorder)
         SELECT {}, {}, u.id, 7, 2, '', 0, 0 FROM {{user}} u WHERE u.id > 5000",
        role("student"),
        context(1)
    ))
    .await;
    let many = site.verb_once(&copy()).await;
    assert_eq!((many.counts["enrolment.add"], many.counts["role.add"]), (400, 400));
    assert!(many.statements <= few + 12, "{} statements, {few} for few people", many.statements);
}
