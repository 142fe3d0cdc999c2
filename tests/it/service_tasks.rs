//! Scheduled tasks in the daemon: due ones at its start, those of dead processes, disabled ones, `--once`.
//! It must not test what is due; the schedule's own tests do.

use enrold::schedule::store;
use serde_json::{Value as Json, json};

use crate::program::{Program, on_the_sample, sample};
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    due_at_the_first_start_only,
    a_task_that_died_runs_again,
    disabled_tasks_do_not_run,
    one_pass_runs_what_is_due,
    due_rows_of_the_buffer_are_replayed,
    old_files_are_removed,
    rules_run_as_tasks,
    a_running_task_of_moodle_defers,
    methods_that_are_off_are_skipped,
);

/// The settings of a single pass over the drop directory.
fn once(program: &Program) -> Program {
    program.clone().set(&format!("inbox.path={}", program.inbox().display())).set("inbox.settle=0")
}

fn task(program: &Program, name: &str) -> Json {
    let (_, tasks) = program.json(&["tasks"]);
    tasks.as_array().unwrap().iter().find(|task| task["name"] == name).unwrap().clone()
}

/// Two starts at the same time; an hour later the task is due again.
async fn due_at_the_first_start_only(mut site: Site) {
    let program = site.sampled().await;
    for (now, name, runs) in [(NOW, "one.csv", 1), (NOW, "two.csv", 1), (NOW + 3_600, "three.csv", 2)] {
        let program = program.at(now);
        let mut daemon = program.start();
        // The scan of the directory follows the due tasks.
        program.drop_file(name, std::fs::read(sample("enrols-20261121.csv")).unwrap());
        daemon.until_there(&format!("{name}.done"));
        daemon.stop();
        let sql = "SELECT COUNT(*) FROM {enrold_run} WHERE kind = 'sync flatfile'";
        assert_eq!(site.conn.number(sql, &enrold::db::Params::new()).await.unwrap(), runs);
    }
    let last = task(&program, "flatfile");
    assert_eq!((&last["result"], &last["started"]), (&json!("done"), &json!(NOW + 3_600)));
    assert_eq!(task(&program, "retention")["result"], "done");
}

async fn a_task_that_died_runs_again(mut site: Site) {
    let program = site.sampled().await;
    for (times, name) in [(1, "flatfile"), (3, "retention")] {
        let kill = format!("task-begun:{times}");
        let mut daemon = program.clone().env("ENROLD_KILL_AT", &kill).start();
        assert_eq!(daemon.ended().code(), None, "killed");
        assert_eq!(task(&program, name)["result"], "running");
        let mut daemon = program.start();
        daemon.until_logged("this daemon leads");
        daemon.until("the end of the task", || task(&program, name)["result"] == "done");
        daemon.stop();
        for name in ["flatfile", "retention"] {
            store::begin(&mut site.conn, name, NOW).await.unwrap();
        }
        site.sql("DELETE FROM {enrold_task}").await;
    }
}

async fn disabled_tasks_do_not_run(mut site: Site) {
    let program = site.sampled().await.set("tasks.flatfile.enabled=false");
    once(&program).run(&["run", "--once"]).ends(0);
    assert_eq!(task(&program, "flatfile")["result"], Json::Null);
    assert_eq!(task(&program, "flatfile")["next"], Json::Null);
    assert_eq!(task(&program, "retention")["result"], "done");
    assert_eq!(site.last_run().await, 0);
    program.run(&["sync", "flatfile"]).ends(0);
}

async fn one_pass_runs_what_is_due(mut site: Site) {
    let program = site.sampled().await;
    for runs in [1, 1] {
        let (code, told) = once(&program).json(&["run", "--once"]);
        assert_eq!((code, &told["message"]), (0, &Json::Null));
        assert_eq!(site.last_run().await, runs);
    }
    assert_eq!(task(&program, "flatfile")["run"], 1);
    let (_, told) = once(&program.at(NOW + 3_600)).json(&["run", "--once"]);
    assert_eq!((&told["reports"][0]["kind"], &told["reports"][0]["run"]), (&json!("sync flatfile"), &json!(2)));
}

/// Lines of the sample that begin in January, after January.
async fn due_rows_of_the_buffer_are_replayed(mut site: Site) {
    let program = site.sampled().await;
    program.drop_file("enrols.csv", std::fs::read(sample("enrols-20261121.csv")).unwrap());
    once(&program).run(&["run", "--once"]).ends(0);
    assert_eq!(site.count("enrol_flatfile").await, 2);
    let mut daemon = program.at(NOW + 75 * 86_400).start();
    daemon.until_logged("run 3, sync flatfile");
    daemon.stop();
    assert_eq!(site.count("enrol_flatfile").await, 0);
    let last = task(&program, "flatfile");
    assert_eq!((&last["result"], &last["run"]), (&json!("done"), &json!(3)));
}

/// File times are from the real clock: by the clock of the run they are very old, or new.
async fn old_files_are_removed(mut site: Site) {
    let program = site.sampled().await.set("retention.archives_days=1");
    program.drop_file("enrols.csv", std::fs::read(sample("enrols-20261121.csv")).unwrap());
    once(&program).run(&["run", "--once"]).ends(0);
    assert_eq!(names(&program.inbox()), ["enrols.csv.done", "enrols.csv.report.json"]);
    once(&program.at(NOW + 100 * 365 * 86_400)).set("tasks.flatfile.enabled=false").run(&["run", "--once"]).ends(0);
    assert_eq!(names(&program.inbox()), [""; 0]);
}

/// A member joins a cohort by hand-made SQL, without an event of Moodle.
async fn joins_the_cohort(site: &mut Site, user: i64) {
    site.insert("cohort_members", &[("id", (700 + user).into()), ("cohortid", 2.into()), ("userid", user.into())])
        .await;
}

async fn rules_run_as_tasks(mut site: Site) {
    let program = site.sampled().await.minding(&["cohort"]);
    joins_the_cohort(&mut site, 31).await;
    let mut daemon = program.start();
    daemon.until_logged("run 2, sync cohort: done, 0 lines, 0 errors, 2 changes");
    daemon.stop();
    let last = task(&program, "cohort");
    assert_eq!((&last["result"], &last["run"], &last["succeeded"]), (&json!("done"), &json!(2), &json!(NOW)));
    assert_eq!(last["next"], NOW + 300);
    let (_, past) = program.json(&["runs", "2"]);
    assert_eq!((&past["kind"], &past["counts"]["rules"][0]["added"]), (&json!("sync cohort"), &json!(1)));
    assert!(past["changes"].as_array().unwrap().iter().all(|change| change["userid"] == 31));
    // It is due again five minutes past the hour; missed times are made up for once.
    let later = program.at(NOW + 3 * 3_600);
    let (_, told) = once(&later).json(&["run", "--once"]);
    let kinds: Vec<&Json> = told["reports"].as_array().unwrap().iter().map(|report| &report["kind"]).collect();
    assert_eq!(kinds, ["sync flatfile", "sync cohort"]);
}

/// The task is reported as deferred and stays due, neither done nor failed; everything else continues.
async fn a_running_task_of_moodle_defers(mut site: Site) {
    let program = site.sampled().await.minding(&["cohort"]);
    joins_the_cohort(&mut site, 31).await;
    site.sql("UPDATE {task_scheduled} SET disabled = 0, timestarted = 1 WHERE classname LIKE '%enrol_cohort_sync'")
        .await;
    let mut daemon = program.start();
    daemon.until_logged(
        r"the task cohort is deferred to the next minute: Moodle's own task \enrol_cohort\task\enrol_cohort_sync",
    );
    program.drop_file("one.csv", std::fs::read(sample("enrols-20261121.csv")).unwrap());
    daemon.until_there("one.csv.done");
    daemon.stop();
    let last = task(&program, "cohort");
    assert_eq!((&last["result"], &last["run"], &last["succeeded"]), (&json!("deferred"), &Json::Null, &Json::Null));
    assert!(last["message"].as_str().unwrap().ends_with("enrol_cohort_sync is running"));
    program.run(&["tasks"]).ends(0).says(&["deferred", "  - Moodle's own task"]);

    site.sql("UPDATE {task_scheduled} SET timestarted = NULL WHERE classname LIKE '%enrol_cohort_sync'").await;
    let (code, told) = once(&program).json(&["run", "--once"]);
    assert_eq!((code, &told["reports"][0]["kind"]), (0, &json!("sync cohort")));
    assert_eq!(told["reports"][0]["notes"][0]["twin-task"], r"\enrol_cohort\task\enrol_cohort_sync");
    assert_eq!(task(&program, "cohort")["result"], "done");
}

/// Such a task has no run in the history and is next due at its next time, as after any other end.
async fn methods_that_are_off_are_skipped(mut site: Site) {
    let program = site.sampled().await.minding(&["cohort"]).set("tasks.flatfile.enabled=false");
    site.sql("UPDATE {config} SET value = 'manual,flatfile' WHERE name = 'enrol_plugins_enabled'").await;
    site.sql("UPDATE {task_scheduled} SET disabled = 0, timestarted = 1 WHERE classname LIKE '%enrol_cohort_sync'")
        .await;
    let before = site.dump().await;
    once(&program).run(&["run", "--once"]).ends(0);
    let last = task(&program, "cohort");
    assert_eq!((&last["result"], &last["run"], &last["next"]), (&json!("skipped"), &Json::Null, &json!(NOW + 300)));
    assert_eq!(site.last_run().await, 0);
    site.nothing_changed(&before, "a method that is off").await;
}

/// With the real clock: a schedule of every second runs at least twice before the next minute.
#[test]
fn a_schedule_with_seconds() {
    on_the_sample(async |mut site: Site, program| {
        joins_the_cohort(&mut site, 31).await;
        let program = program.by_the_real_clock().minding(&["cohort"]).set("tasks.cohort.schedule=* * * * * *");
        let mut daemon = program.set("inbox.rescan=3600").start();
        daemon.until_logged_often(3, "sync cohort: done");
        daemon.stop();
    });
}

/// That no role counts for category enrolments is logged once, not at each run.
#[test]
fn a_rule_without_roles_is_told_once() {
    on_the_sample(async |mut site: Site, program| {
        site.sql("DELETE FROM {role_capabilities} WHERE capability = 'enrol/category:synchronised'").await;
        let program = program.by_the_real_clock().minding(&["category"]).set("tasks.category.schedule=* * * * * *");
        let mut daemon = program.set("inbox.rescan=3600").start();
        daemon.until_logged_often(3, "sync category: done");
        let log = daemon.stop();
        assert_eq!(log.matches("no role has the capability enrol/category:synchronised").count(), 1, "{log}");
    });
}
