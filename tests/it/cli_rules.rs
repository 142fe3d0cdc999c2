//! `enrold sync RULE…` as a child process: its table, its messages, its limits, and its exit codes.
//! It must not test what a rule does; each rule's own tests do.

use serde_json::{Value as Json, json};

use crate::program::{Program, on_the_sample};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    a_table_of_what_a_rule_came_to,
    one_course_or_the_courses_of_the_task,
    roles_of_a_method_that_is_off,
    limits_of_the_task,
    what_followed_stands_below_its_cause,
);

/// One user of the sample leaves the cohort and another joins it, by SQL.
async fn one_leaves_and_one_joins(site: &mut Site) {
    site.sql("DELETE FROM {cohort_members} WHERE cohortid = 2 AND userid = 23").await;
    joins(site, 31).await;
}

async fn joins(site: &mut Site, user: i64) {
    site.insert("cohort_members", &[("id", (700 + user).into()), ("cohortid", 2.into()), ("userid", user.into())])
        .await;
}

/// The cells of a row of the table.
fn row<'a>(out: &'a str, name: &str) -> Vec<&'a str> {
    let line = out.lines().find(|line| line.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("no row {name} in:\n{out}")).split_whitespace().collect()
}

fn rule(report: &Json, name: &str) -> Json {
    let rules = report["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["rule"] == name).unwrap_or_else(|| panic!("no {name} in {rules:?}")).clone()
}

async fn a_table_of_what_a_rule_came_to(mut site: Site) {
    let program = site.sampled().await;
    one_leaves_and_one_joins(&mut site).await;
    let before = site.dump().await;
    let rehearsed = program.run(&["sync", "cohort", "--simulate"]).ends(0).says(&["sync cohort: simulated"]);
    site.nothing_changed(&before, "a simulated sync").await;

    let done = program.run(&["sync", "cohort"]).ends(0).says(&["run 1, sync cohort: done"]);
    assert_eq!(
        row(&done.out, "rule"),
        ["rule", "checked", "added", "reactivated", "changed", "suspended", "removed", "roles", "groups", "seconds"]
    );
    let cells = row(&done.out, "cohort");
    assert_eq!(cells[..9], ["cohort", "8", "1", "-", "-", "-", "1", "+1", "-1"], "{}", done.out);
    assert_eq!(cells[..9], row(&rehearsed.out, "cohort")[..9], "the rehearsal said so");
    // The table contains these counts; dependent rows are reported below it.
    assert!(!done.out.contains("unenrolled") && !done.out.contains("roles assigned"), "{}", done.out);

    let (code, again) = program.json(&["sync", "cohort"]);
    let cohort = rule(&again, "cohort");
    assert_eq!((code, &again["counts"], &cohort["checked"]), (0, &json!({}), &json!(8)));
    assert_eq!((&cohort["added"], &cohort["removed"], &cohort["consequence"]), (&json!(0), &json!(0), &json!(false)));
    let french = program.clone().set("locale=fr").run(&["sync", "cohort"]).ends(0);
    assert_eq!(row(&french.out, "règle")[..3], ["règle", "examinées", "ajoutées"]);
    french.says(&["aucune : tout y était déjà"]);
}

/// A course with the cohort is linked to another: users enrolled by file or cohort are enrolled there in the same run.
async fn what_followed_stands_below_its_cause(mut site: Site) {
    let program = site.sampled().await;
    let link = [
        ("id", 91.into()),
        ("enrol", "meta".into()),
        ("courseid", 10.into()),
        ("customint1", 9.into()),
        ("timecreated", 1.into()),
    ];
    site.insert("enrol", &link).await;
    site.reset_sequences_of(&["enrol"]).await;
    let program = program.minding(&["meta"]);
    program.run(&["sync", "meta"]).ends(0);
    program.write("one.csv", "operation,username,course,role\nadd,merciera26,PASS-BIO-1,student\n");
    let file = program.run(&["import", "--yes", "one.csv"]).ends(0);
    let lines: Vec<&str> = file.out.lines().map(str::trim_start).collect();
    let at =
        |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{}", file.out));
    assert!(at("enrolled") < at("what followed") && at("what followed") < at("> meta"), "{}", file.out);
    assert_eq!(row(&file.out, "> meta")[3], "1", "{}", file.out);

    one_leaves_and_one_joins(&mut site).await;
    let (code, report) = program.json(&["sync", "cohort"]);
    let rules: Vec<(&Json, &Json)> =
        report["rules"].as_array().unwrap().iter().map(|rule| (&rule["rule"], &rule["consequence"])).collect();
    assert_eq!((code, rules), (0, vec![(&json!("cohort"), &json!(false)), (&json!("meta"), &json!(true))]));
    assert_eq!((&rule(&report, "meta")["added"], &report["counts"]["enrolment.add"]), (&json!(1), &json!(2)));
    // A rule with a disabled task does not run as a consequence, and `all` leaves it out; named explicitly, it runs.
    joins(&mut site, 33).await;
    let off = program.clone().minding(&["cohort"]).set("tasks.meta.enabled=false");
    let all =
        off.run(&["sync", "all"]).ends(0).says(&["skipped: tasks.meta.enabled = false; 'enrold sync meta' runs it"]);
    assert_eq!(row(&all.out, "cohort")[2], "1");
    let (_, named) = off.json(&["sync", "meta"]);
    assert_eq!(rule(&named, "meta")["added"], 1);
}

/// A task that is not a rule has a row too, and the history keeps the result of each.
#[test]
fn tasks_have_rows_too_and_the_history_keeps_them() {
    on_the_sample(async |mut site: Site, program| {
        one_leaves_and_one_joins(&mut site).await;
        let both =
            program.run(&["sync", "cohort", "flatfile", "cohort"]).ends(0).says(&["run 1, sync flatfile cohort: done"]);
        let place = |name: &str| both.out.lines().position(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(place("flatfile ") < place("cohort "), "{}", both.out);
        let (_, past) = program.json(&["runs", "1"]);
        assert_eq!((&past["kind"], &past["source"]), (&json!("sync"), &json!("flatfile cohort")));
        assert_eq!(past["counts"]["rules"][1]["added"], 1);
    });
}

/// An unknown rule or course: the message lists the accepted words, the exit code is 2, the history has no new run.
#[test]
fn words_that_are_none() {
    on_the_sample(async |mut site: Site, program| {
        program.run(&["sync", "cohorts"]).ends(2).logs(&["cohorts", "flatfile", "cohort", "all"]);
        program.run(&["sync"]).ends(2).logs(&["RULE"]);
        program
            .run(&["sync", "cohort", "--course", "math"])
            .ends(2)
            .logs(&["no course has the short name 'math' exactly; these look like it: L1-MATH-101, L1-MATH-102"]);
        program
            .run(&["sync", "cohort", "--course", "zzz"])
            .ends(2)
            .logs(&["no course has the short name 'zzz' exactly\n"]);
        program.run(&["sync", "flatfile", "--course", "L1-MATH-101"]).ends(2).logs(&["'flatfile'", "--course"]);
        let (code, told) = program.json(&["sync", "cohort", "--course", "pass-bio-1"]);
        assert_eq!((code, &told["state"]), (2, &json!("failed")));
        program.run(&["diff", "nowhere"]).ends(2).logs(&["there is no source 'nowhere'; none is configured. Sources"]);
        let two = program.set("sources.apogee.files=a*.csv").set("sources.school.files=s*.csv");
        for words in [&["diff", "nowhere"][..], &["diff", "nowhere", "x"], &["import", "--source", "nowhere", "x"]] {
            two.run(words).ends(2).logs(&["there is no source 'nowhere'; known: apogee, school. Sources are"]);
        }
        assert_eq!(site.last_run().await, 0);
    });
}

/// On a terminal as in a pipe: the command asks nothing and prints the same table.
#[test]
fn on_a_terminal() {
    on_the_sample(async |mut site: Site, program| {
        one_leaves_and_one_joins(&mut site).await;
        let told = program.typed(&["sync", "cohort"], "").ends(0).says(&["run 1, sync cohort: done"]);
        assert_eq!(row(&told.out, "cohort")[..3], ["cohort", "8", "1"]);
    });
}

async fn one_course_or_the_courses_of_the_task(mut site: Site) {
    let program = site.sampled().await;
    // The cohort gets a second course.
    let second = [
        ("id", 90.into()),
        ("enrol", "cohort".into()),
        ("courseid", 10.into()),
        ("roleid", 5.into()),
        ("customint1", 2.into()),
    ];
    site.insert("enrol", &second).await;
    site.reset_sequences_of(&["enrol"]).await;
    one_leaves_and_one_joins(&mut site).await;
    let (code, one) = program.json(&["sync", "cohort", "--course", "PASS-BIO-1", "--simulate"]);
    assert_eq!((code, &rule(&one, "cohort")["added"], &one["source"]), (0, &json!(1), &json!("--course PASS-BIO-1")));

    let limited = program.clone().set("tasks.cohort.courses=L1-DROIT-101, Droit");
    let other = limited.run(&["sync", "cohort", "--course", "PASS-BIO-1"]).ends(0);
    other.says(&["cohort  skipped: tasks.cohort.courses names none of the courses asked for"]);
    let (_, report) = limited.json(&["sync", "cohort"]);
    assert_eq!((&rule(&report, "cohort")["added"], &rule(&report, "cohort")["removed"]), (&json!(8), &json!(0)));
    assert_eq!(report["notes"], json!([{"courses-unknown": {"rule": "cohort", "names": "Droit"}}]));
    // A list of courses that no longer exist does not mean all courses.
    let none = program.clone().set("tasks.cohort.courses=Droit").run(&["sync", "cohort"]).ends(0);
    none.says(&[
        "cohort  skipped: tasks.cohort.courses names none",
        "! tasks.cohort.courses names short names that no course has: Droit",
    ]);
    let (_, rest) = program.json(&["sync", "cohort"]);
    assert_eq!((&rule(&rest, "cohort")["added"], &rule(&rest, "cohort")["removed"]), (&json!(1), &json!(1)));
}

async fn roles_of_a_method_that_is_off(mut site: Site) {
    let program = site.sampled().await;
    site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    // Moodle does not run the task of a disabled method.
    site.sql("UPDATE {task_scheduled} SET disabled = 0, timestarted = 1 WHERE classname LIKE '%enrol_cohort_sync'")
        .await;
    let before = site.dump().await;
    let told = program.run(&["sync", "cohort"]).ends(0);
    told.says(&["sync cohort: skipped", "cohort  skipped: the method is not enabled in Moodle"]);
    let (code, skipped) = program.json(&["sync", "cohort"]);
    assert_eq!((code, &rule(&skipped, "cohort")["skipped"]), (0, &json!("method-disabled")));
    assert_eq!(site.last_run().await, 0);
    site.nothing_changed(&before, "a rule that is skipped").await;

    let moodle = program.set("tasks.cohort.when_disabled=drop_roles");
    let (code, dropped) = moodle.json(&["sync", "cohort"]);
    assert_eq!((code, &dropped["counts"]), (0, &json!({"role.remove": 8})));
    let cohort = rule(&dropped, "cohort");
    assert_eq!((&cohort["skipped"], &cohort["roles_removed"]), (&json!("method-disabled"), &json!(8)));
    let again = moodle.run(&["sync", "cohort"]).ends(0);
    assert!(!again.out.contains("taken away"), "{}", again.out);
}

/// Five of eight users leave: the run is held, unless the limits of the rule's task allow it.
async fn limits_of_the_task(mut site: Site) {
    let program = site.sampled().await;
    site.sql("DELETE FROM {cohort_members} WHERE cohortid = 2 AND userid < 28").await;
    let held = program.run(&["sync", "cohort", "--simulate"]).ends(3);
    held.says(&[
        "guard: 5 unenrolments, of 8 (limit 20 %)",
        "guard: 5 unenrolments of method cohort, of 8 (limit 20 %)",
    ]);
    let strict = program.clone().set("tasks.cohort.guard.removals_percent=0").set("tasks.cohort.guard.removals_max=4");
    strict
        .run(&["sync", "cohort", "--simulate"])
        .ends(3)
        .says(&["guard: 5 unenrolments of method cohort, of 8 (limit 4)"]);
    let allowed = program.clone().set("tasks.cohort.guard.removals_percent=70");
    let (code, report) = allowed.json(&["sync", "cohort"]);
    assert_eq!((code, &report["breaches"], &rule(&report, "cohort")["removed"]), (0, &json!([]), &json!(5)));
    // A limit on creations, while there is no general one.
    joins(&mut site, 31).await;
    let none = program.clone().set("tasks.cohort.guard.creations_percent=10").set("tasks.cohort.guard.at_least=1");
    none.run(&["sync", "cohort"]).ends(3).says(&["guard: 1 new enrolments of method cohort, of 3 (limit 10 %)"]);
    program.run(&["sync", "cohort"]).ends(0);
}

/// A held run of a rule is approved as a run of that rule.
#[test]
fn a_held_run_of_a_rule_is_approved() {
    on_the_sample(async |mut site: Site, program: Program| {
        site.sql("DELETE FROM {cohort_members} WHERE cohortid = 2 AND userid < 28").await;
        program.run(&["sync", "cohort"]).ends(3).says(&["run 1, sync cohort: HELD", "enrold approve 1"]);
        let approved = program.run(&["approve", "--yes", "1"]).ends(0).says(&["run 2, approve sync cohort: done"]);
        assert_eq!(row(&approved.out, "cohort")[..2], ["cohort", "3"]);
    });
}
