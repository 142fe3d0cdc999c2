//! The users whom a held or simulated run concerns, by course or cohort: in its report, in the history, as CSV.
//! It must not test the counts by course, nor which limits hold a run.

use enrold::outcome::{People, Report, State, UserChange};
use serde_json::json;

use crate::cli_held::{LEAVERS, departures};
use crate::golden_case::set_of;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_held_file_names_its_users,
    a_set_that_is_held_on_its_size_names_those_it_would_remove,
    a_plan_and_its_approval_name_the_same_users,
    what_a_user_loses_comes_first,
    members_of_cohorts_are_named,
    a_held_run_of_an_earlier_version_has_no_list,
    the_report_beside_a_dropped_file_names_nobody,
);

impl Site {
    async fn fed_by(&mut self, source: &str) {
        self.campus().await;
        self.methods("manual,guest,self,cohort,meta,category,flatfile,database").await;
        for (key, value) in
            [("files", "x*.csv"), ("user_key", "idnumber"), ("course_key", "idnumber"), ("default_role", "student")]
        {
            self.set(&format!("sources.{source}.{key}"), value);
        }
    }

    async fn takes_set(&mut self, source: &str, rows: &str, simulate: bool) -> Report {
        let order = set_of(source, &self.write(rows).path);
        self.engine().apply_set(&order, simulate).await.unwrap()
    }
}

/// The users of a report: place, change, names.
fn told(people: &Option<People>) -> Vec<String> {
    let places = people.iter().flat_map(|people| &people.places);
    let changes = places.flat_map(|place| place.changes.iter().map(move |change| (place, change)));
    changes
        .map(|(place, change)| {
            assert_eq!(change.count, change.users.len() as u64);
            format!("{} {} {}", place.name, change.change.as_str(), change.users.join(" "))
        })
        .collect()
}

/// The campus with the source on the command line.
fn with_source(site: &Site, source: &str) -> Program {
    ["files=x*.csv", "user_key=idnumber", "course_key=idnumber", "default_role=student"]
        .iter()
        .fold(Program::on(site), |program, key| program.set(&format!("sources.{source}.{key}")))
}

async fn a_held_file_names_its_users(mut site: Site) {
    let program = site.sampled().await;
    let file = departures(&program);
    let before = site.dump().await;
    let (_, rehearsal) = program.json(&["import", "--simulate", &file]);
    let (_, held) = program.json(&["import", &file]);
    let mut leavers = LEAVERS;
    leavers.sort_unstable();
    let place = &held["people"]["places"][0];
    assert_eq!((&place["kind"], &place["name"]), (&json!("course"), &json!("L1-MATH-101")));
    assert_eq!(place["changes"], json!([{"change": "suspended", "count": 9, "users": leavers}]));
    assert_eq!(rehearsal["people"], held["people"]);
    let names = "course L1-MATH-101\n      9 suspended: bertrandf26, davidg26, ";
    let text = program.run(&["runs", "2"]).ends(0).says(&["who is concerned:", names]);
    assert!(text.out.lines().filter(|line| line.contains("bertrandf26, davidg26")).all(|line| line.len() <= 80));
    assert_eq!(program.json(&["runs", "2"]).1["people"], held["people"]);
    let csv = program.run(&["runs", "2", "--csv=people"]).ends(0).out;
    let rows: String = leavers.iter().map(|name| format!("course,L1-MATH-101,suspended,{name}\n")).collect();
    assert_eq!(csv, format!("kind,name,change,username\n{rows}"));
    program.run(&["approve", "2", "--simulate"]).ends(4).says(&["simulated, nothing is applied", names]);
    assert_eq!(program.run(&["approve", "2", "--simulate", "--csv"]).ends(4).out, csv);
    let (code, simulated) = program.json(&["approve", "2", "--simulate"]);
    assert_eq!((code, &simulated["state"], &simulated["people"]), (4, &json!("simulated"), &held["people"]));
    site.nothing_changed(&before, "held and simulated").await;
    assert_eq!(program.json(&["runs", "2"]).1["state"], "held");
    let french = program.set("locale=fr").run(&["runs", "2"]).ends(0);
    french.says(&["personnes concernées :", "cours L1-MATH-101\n      9 à suspendre : bertrandf26, "]);
}

/// Nothing is planned for such a set: its users come from a comparison.
async fn a_set_that_is_held_on_its_size_names_those_it_would_remove(mut site: Site) {
    site.fed_by("apogee").await;
    site.set("guard.mode", "hold");
    let all: String = (1..=9).map(|number| format!("u{number},c1\nu{number},c2\n")).collect();
    site.takes_set("apogee", &format!("user,course\n{all}"), false).await;
    let before = site.dump().await;
    let held = site.takes_set("apogee", "user,course\nu1,c1\nu2,c1\nu9,c3\n", false).await;
    assert_eq!(held.state, State::Held);
    assert!(held.set.as_ref().unwrap().foreseen);
    let expected = ["c2 removed u1 u2 u3 u4 u5 u6 u7 u8 u9", "c1 removed u3 u4 u5 u6 u7 u8 u9", "c3 added u9"];
    assert_eq!(told(&held.people), expected, "those that lose most come first");
    let program = with_source(&site, "apogee");
    program.run(&["runs", &held.run.to_string()]).ends(0).says(&[
        "course c2\n      9 removed: u1, u2, u3, u4, u5, u6, u7, u8, u9\n",
        "course c1\n      7 removed: u3, u4, u5, u6, u7, u8, u9\n",
        "course c3\n      1 added: u9\n",
    ]);
    program.write("x1.csv", "user,course\nu1,c1\nu2,c1\nu9,c3\n");
    let diff = program.run(&["diff", "apogee", "x1.csv"]).ends(3);
    diff.says(&["course c2\n      9 removed: u1, u2, u3, u4, u5, u6, u7, u8, u9\n"]);
    let csv = program.run(&["diff", "apogee", "x1.csv", "--csv"]).ends(3).out;
    assert_eq!(csv.lines().count(), 18, "{csv}");
    assert_eq!(csv, program.run(&["runs", &held.run.to_string(), "--csv=people"]).ends(0).out);
    let places = program.run(&["diff", "apogee", "x1.csv", "--csv=places"]).ends(3);
    places.says(&["kind,name,added,", "course,c2,0,0,0,0,9,0,0"]);
    site.nothing_changed(&before, "held and compared").await;
    assert_eq!(site.engine().approve(held.run).await.unwrap().state, State::Done);
}

async fn a_plan_and_its_approval_name_the_same_users(mut site: Site) {
    site.fed_by("apogee").await;
    site.set("guard.mode", "hold");
    let all: String = (1..=9).map(|number| format!("u{number},c1\nu{number},c2\n")).collect();
    site.takes_set("apogee", &format!("user,course\n{all}"), false).await;
    let fewer: String = (1..=9).map(|number| format!("u{number},c2\nu{number},c3\n")).collect();
    let fewer = format!("user,course\nu1,c1\n{fewer}");
    let simulated = site.takes_set("apogee", &fewer, true).await;
    let held = site.takes_set("apogee", &fewer, false).await;
    assert_eq!((held.state, held.set.as_ref().unwrap().foreseen), (State::Held, false));
    assert_eq!(told(&held.people), ["c1 removed u2 u3 u4 u5 u6 u7 u8 u9", "c3 added u1 u2 u3 u4 u5 u6 u7 u8 u9"]);
    assert_eq!(simulated.people, held.people);
    assert_eq!(site.engine().rehearse_approval(held.run).await.unwrap().people, held.people);
    let approved = site.engine().approve(held.run).await.unwrap();
    assert_eq!((approved.state, approved.people), (State::Done, None), "the history has the changes of an applied run");
}

async fn what_a_user_loses_comes_first(mut site: Site) {
    site.campus().await;
    site.import_once("add,student,u1,c1\nadd,teacher,u1,c1\nadd,student,u2,c1\n").await;
    site.import_once("del,student,u2,c1\n").await;
    let file = site.write("add,student,u2,c1\nadd,student,u3,c1\ndel,teacher,u1,c1\nadd,teacher,u4,c2\n");
    let report = site.engine().import(&file, true).await.unwrap();
    let people = report.people.unwrap();
    let first = &people.places[0].changes[0];
    assert_eq!((first.change, first.users.as_slice()), (UserChange::Suspended, ["u1".to_owned()].as_slice()));
    assert_eq!(
        told(&Some(people)),
        ["c1 suspended u1", "c1 added u3", "c1 reactivated u2", "c2 added u4"],
        "one word for each user"
    );
}

async fn members_of_cohorts_are_named(mut site: Site) {
    site.fed_by("people").await;
    site.set("sources.people.target", "cohorts");
    site.set("sources.people.create_cohorts", "true");
    site.takes_set("people", "user,cohort\nu1,L1\nu2,L1\n", false).await;
    let simulated = site.takes_set("people", "user,cohort\nu2,L1\nu3,L1\n", true).await;
    assert_eq!(told(&simulated.people), ["L1 removed u1", "L1 added u3"]);
    site.takes_set("people", "user,cohort\nu1,L1\nu2,L1\nu3,L1\nu4,L1\n", false).await;
    site.set("guard.mode", "hold");
    let held = site.takes_set("people", "user,cohort\nu5,L1\n", false).await;
    assert!(held.set.as_ref().unwrap().foreseen);
    assert_eq!(told(&held.people), ["L1 removed u1 u2 u3 u4", "L1 added u5"]);
}

async fn a_held_run_of_an_earlier_version_has_no_list(mut site: Site) {
    let program = site.sampled().await;
    let file = departures(&program);
    program.run(&["import", &file]).ends(3);
    std::fs::remove_file(program.dir.join("state/held/2/people.jsonl")).unwrap();
    let shown = program.run(&["runs", "2"]).ends(0).says(&["line 2       suspended"]);
    assert!(!shown.out.contains("who is concerned") && shown.log.is_empty(), "{}{}", shown.out, shown.log);
    assert_eq!(program.run(&["runs", "2", "--csv=people"]).ends(0).out, "kind,name,change,username\n");
}

/// Whoever may drop files may read that report.
async fn the_report_beside_a_dropped_file_names_nobody(mut site: Site) {
    let program = site.sampled().await;
    let text = std::fs::read(program.dir.join(departures(&program))).unwrap();
    program.drop_file("departures.csv", text);
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(3);
    let beside = std::fs::read_to_string(program.inbox().join("departures.csv.report.json")).unwrap();
    assert!(beside.contains("\"held\"") && !beside.contains("people") && !beside.contains("moreaul26"), "{beside}");
    program.run(&["runs", "3"]).ends(0).says(&["course L1-MATH-101\n      9 suspended: bertrandf26, "]);
}
