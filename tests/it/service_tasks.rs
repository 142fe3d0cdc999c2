//! Scheduled tasks in the daemon: due ones at its start, those that died, disabled ones, `--once`.
//! It must not test what is due; the schedule's own tests do.

use enrold::schedule::store;
use serde_json::{Value as Json, json};

use crate::program::{Program, sample};
use crate::running::names;
use crate::servers::on_each_engine;
use crate::site::{NOW, Site};

on_each_engine!(
    due_at_the_first_start_only,
    a_task_that_died_runs_again,
    disabled_tasks_do_not_run,
    one_pass_runs_what_is_due,
    due_rows_of_the_buffer_are_replayed,
    old_files_are_removed,
);

/// The words of a pass over the drop directory.
fn once(program: &Program) -> Program {
    program.clone().set(&format!("inbox.path={}", program.inbox().display())).set("inbox.settle=0")
}

fn task(program: &Program, name: &str) -> Json {
    let (_, tasks) = program.json(&["tasks"]);
    tasks.as_array().unwrap().iter().find(|task| task["name"] == name).unwrap().clone()
}

/// Two starts at the same moment; an hour later it is due again.
async fn due_at_the_first_start_only(mut site: Site) {
    let program = site.sampled().await;
    for (now, name, runs) in [(NOW, "one.csv", 1), (NOW, "two.csv", 1), (NOW + 3_600, "three.csv", 2)] {
        let program = program.at(now);
        let mut daemon = program.start();
        // The look through the directory follows the due tasks.
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
    for (times, name) in [(1, "flatfile"), (2, "retention")] {
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

/// Lines of the sample that begin in January, when January is over.
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

/// The clock of the files is the real one: by the clock of the run they are very old, or new.
async fn old_files_are_removed(mut site: Site) {
    let program = site.sampled().await.set("retention.archives_days=1");
    program.drop_file("enrols.csv", std::fs::read(sample("enrols-20261121.csv")).unwrap());
    once(&program).run(&["run", "--once"]).ends(0);
    assert_eq!(names(&program.inbox()), ["enrols.csv.done", "enrols.csv.report.json"]);
    once(&program.at(NOW + 100 * 365 * 86_400)).set("tasks.flatfile.enabled=false").run(&["run", "--once"]).ends(0);
    assert_eq!(names(&program.inbox()), [""; 0]);
}
