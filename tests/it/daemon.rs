//! The daemon from the drop to the final name of a file, as a feeding system sees it.
//! It must not test what a run does with lines.

use crate::program::Program;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(a_drop_is_applied_and_renamed, one_pass_ends_by_itself, copies_of_decided_runs_go);

const FILE: &str = "operation,username,course,role\nadd,dupontm12,L1-MATH-101,student\n";

async fn a_drop_is_applied_and_renamed(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.start();
    daemon.until_logged("this daemon leads");
    program.drop_file("enrols.csv", FILE);
    daemon.until_there("enrols.csv.done");
    assert_eq!(site.last_state().await, "done-with-errors");
    daemon.stop();
    assert_eq!(
        names(&program.inbox()),
        ["enrols.csv.done", "enrols.csv.errors.csv", "enrols.csv.report.json", "enrols.csv.retry.csv"]
    );
}

async fn one_pass_ends_by_itself(mut site: Site) {
    let program = site.sampled().await;
    program.drop_file("enrols.csv", FILE);
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(4);
    assert!(program.inbox().join("enrols.csv.done").exists());
}

/// The copies of a held run are removed with the reports after the decision, not before.
async fn copies_of_decided_runs_go(mut site: Site) {
    let program = site.sampled().await;
    let once = |program: &Program, code: i32| {
        let inbox = format!("inbox.path={}", program.inbox().display());
        program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(code)
    };
    let kept = |run: i64| site.engine().settings.state.path.join("held").join(run.to_string()).exists();
    program.drop_file("first.csv", "");
    program.drop_file("second.csv", "");
    // The first run is the task, because it has never run.
    once(&program, 3);
    program.run(&["reject", "3"]).ends(0);
    // Decisions have the real time: this moment is later, whenever the test runs.
    let later = program.at(NOW + 100 * 365 * 86_400);
    once(&later, 0);
    assert_eq!((kept(2), kept(3)), (true, false));
    later.run(&["runs", "3"]).ends(0).says(&["rejected"]);
    let inbox = format!("inbox.path={}", program.inbox().display());
    later.run(&["--set", &inbox, "reject", "2"]).ends(0);
    let left: Vec<String> = names(&program.inbox()).into_iter().filter(|name| !name.contains("report")).collect();
    assert_eq!(
        left,
        ["first.csv.rejected", "second.csv.rejected"],
        "the next pass renames what the command did not find"
    );
}
