//! Users files and cohort files in the drop directory: which are taken, in which order, and what becomes of them.
//! It must not test what a row does to the tables.

use std::fs;

use serde_json::Value as Json;

use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    only_kinds_of_an_enabled_profile_are_taken,
    files_of_one_look_are_ordered_by_kind,
    a_file_waits_for_its_approval,
    a_file_is_only_simulated,
    comments_before_the_header_are_no_header,
    a_new_account_is_enrolled_by_the_list_beside_it
);

const USERS: &str = "username;lastname;firstname;email\n600001;Durand-Test;Léa;lea@example.org\n";
const COHORTS: &str = "name,idnumber\nLicence 1,L1\n";
const ENROLMENTS: &str = "operation,username,course,role\nadd,oharas26,L1-ECO-101,student\n";
const TWO: &str = "username,email,userid,cid\na,a@example.org,a,c\n";

/// One pass over the drop directory.
fn once(program: &Program, code: i32) {
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(code);
}

fn report(program: &Program, name: &str) -> Json {
    let path = program.inbox().join(format!("{name}.report.json"));
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn without_lists(program: &Program) -> Vec<String> {
    names(&program.inbox()).into_iter().filter(|name| !name.ends_with(".json")).collect()
}

async fn only_kinds_of_an_enabled_profile_are_taken(mut site: Site) {
    let program = site.sampled().await;
    // The flat file's method is off: a refused file does not wait for it.
    site.sql("UPDATE {config} SET value = 'manual' WHERE name = 'enrol_plugins_enabled'").await;
    let before = site.dump().await;
    program.drop_file("new.csv", USERS);
    program.drop_file("two.csv", TWO);
    program.drop_file("none.csv", "mark,coursename\nA,B\n");
    once(&program, 1);
    let off = program.clone().set("profiles.promo.kind=users").set("profiles.promo.enabled=no").set("locale=fr");
    off.drop_file("newer.csv", USERS);
    once(&off, 1);
    assert_eq!(without_lists(&program), ["new.csv.failed", "newer.csv.failed", "none.csv.failed", "two.csv.failed"]);
    let refused = report(&program, "new.csv");
    assert_eq!((&refused["state"], &refused["problems"][0]["code"]), (&"failed".into(), &"kind-not-allowed".into()));
    let told = refused["problems"][0]["message"].as_str().unwrap();
    assert!(told.contains("file of kind users") && told.contains("enrold import"), "{told}");
    assert_eq!(report(&program, "two.csv")["problems"][0]["code"], "kind-unknown");
    let none = report(&program, "none.csv");
    assert_eq!((&none["problems"][0]["code"], &none["state"]), (&"kind-unknown".into(), &"failed".into()));
    let told = report(&program, "newer.csv")["problems"][0]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("aucun profil n'autorise ce type"), "{told}");
    site.nothing_changed(&before, "files of a kind that no profile takes").await;
    let on = program.clone().set("profiles.promo.kind=users").set("profiles.promo.locale=fr");
    on.drop_file("users.csv", USERS);
    once(&on, 0);
    assert!(program.inbox().join("users.csv.done").exists());
    let done = report(&program, "users.csv");
    assert_eq!((&done["read_as"]["kind"], &done["read_as"]["delimiter"]), (&"users".into(), &";".into()));
}

/// An account is there before it is enrolled, whatever the names of the files.
async fn files_of_one_look_are_ordered_by_kind(mut site: Site) {
    let program = site.sampled().await;
    let program =
        program.clone().set("profiles.u.kind=users").set("profiles.c.kind=cohorts").set("profiles.u.files=z-*.csv");
    program.drop_file("a.csv", ENROLMENTS);
    program.drop_file("m.csv", COHORTS);
    program.drop_file("z-1.csv", USERS);
    once(&program, 0);
    assert_eq!(without_lists(&program), ["a.csv.done", "m.csv.done", "z-1.csv.done"]);
    let runs = ["z-1.csv", "m.csv", "a.csv"].map(|name| report(&program, name)["run"].as_i64().unwrap());
    assert!(runs.is_sorted(), "{runs:?}");
}

async fn a_file_waits_for_its_approval(mut site: Site) {
    let program = site.sampled().await;
    let before = site.dump().await;
    let program =
        program.clone().set("profiles.u.kind=users").set("profiles.u.mode=approve").set("profiles.u.locale=fr");
    let program = program.clone().set("guard.mode=off");
    program.drop_file("u.csv", USERS);
    once(&program, 3);
    assert_eq!(without_lists(&program), ["u.csv.held"]);
    site.nothing_changed(&before, "a file that waits for its approval").await;
    let held = report(&program, "u.csv");
    let why = held["breaches"][0].clone();
    assert_eq!((&why["scope"], &why["name"], &why["what"]), (&"file".into(), &"users".into(), &"approval".into()));
    let run = held["run"].to_string();
    program.run(&["runs", &run]).ends(0).says(&["each file of kind users waits for an approval"]);
    let fr = program.clone().set("locale=fr");
    fr.run(&["runs", &run]).ends(0).says(&["chaque fichier de type users attend une approbation"]);
    // The held copy has the options of its profile, even if the configuration has no profile any more.
    let inbox = format!("inbox.path={}", program.inbox().display());
    let bare = Program::on(&site).set("flatfile.when_disabled=wait");
    bare.run(&["--set", &inbox, "approve", "--yes", &run]).ends(0);
    assert_eq!(without_lists(&program), ["u.csv.done"]);
    assert_eq!(report(&program, "u.csv")["read_as"]["kind"], "users");
    program.drop_file("v.csv", USERS);
    once(&program, 3);
    let run = report(&program, "v.csv")["run"].to_string();
    bare.run(&["--set", &inbox, "reject", &run]).ends(0);
    assert_eq!(without_lists(&program), ["u.csv.done", "v.csv.rejected"]);
}

/// The lines to try again have the header above them, and not a comment.
async fn comments_before_the_header_are_no_header(mut site: Site) {
    let program = site.sampled().await.set("profiles.m.kind=cohort-members");
    program.drop_file("m.csv", "# groups; of 2026\ncmd;cidnumber;userid\n-;;\nadd;PASS-2026;absent\n");
    once(&program, 4);
    let retry = fs::read_to_string(program.inbox().join("m.csv.retry.csv")).unwrap();
    assert_eq!(retry, "cmd;cidnumber;userid\nadd;PASS-2026;absent\n");
}

async fn a_file_is_only_simulated(mut site: Site) {
    let program = site.sampled().await;
    let before = site.dump().await;
    let runs = site.last_run().await;
    let program =
        program.clone().set("profiles.u.kind=users").set("profiles.u.mode=simulate").set("tasks.flatfile.enabled=no");
    program.drop_file("u.csv", USERS);
    once(&program, 0);
    assert_eq!(without_lists(&program), ["u.csv.simulated"]);
    let simulated = report(&program, "u.csv");
    assert_eq!((&simulated["state"], &simulated["run"]), (&"simulated".into(), &0.into()));
    once(&program, 0);
    assert_eq!(without_lists(&program), ["u.csv.simulated"], "it is never input again");
    site.nothing_changed(&before, "a simulated file").await;
    assert_eq!(site.last_run().await, runs);
}

/// Course lists come last, whatever their names: the account is there, and so is the group of the other list.
async fn a_new_account_is_enrolled_by_the_list_beside_it(mut site: Site) {
    let program = site.sampled().await;
    let program = program.clone().set("profiles.u.kind=users").set("profiles.c.kind=course-list");
    let program = program.set("profiles.c.create_groups=yes").set("profiles.c.mode=apply");
    program.drop_file("course-L3-ANG-301.20261121.csv", "600001;TD é\n");
    program.drop_file("z.csv", USERS);
    once(&program, 0);
    assert_eq!(without_lists(&program), ["course-L3-ANG-301.20261121.csv.done", "z.csv.done"]);
    let done = report(&program, "course-L3-ANG-301.20261121.csv");
    assert_eq!((&done["read_as"]["kind"], &done["counts"]["group-member.add"]), (&"course-list".into(), &1.into()));
    let off = program.clone().set("profiles.c.enabled=no");
    off.drop_file("course-L3-ANG-301.csv", "600001;TD 2\n");
    once(&off, 1);
    let refused = report(&program, "course-L3-ANG-301.csv");
    assert_eq!(
        (&refused["problems"][0]["code"], &refused["problems"][0]["value"]),
        (&"kind-not-allowed".into(), &"course-list".into())
    );
    // A flat file is one whatever its name is.
    off.drop_file("course-X.csv", "operation,username,course,role\nadd,robertz26,L1-ECO-101,student\n");
    off.drop_file("course-Y.csv", "add,student,22612001,ELP4821\n");
    once(&off, 0);
    assert_eq!(report(&program, "course-Y.csv")["read_as"]["kind"], "native");
}
