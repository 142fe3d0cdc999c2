//! The daemon from the drop to the last name of a file, as a feeding system sees it.
//! It must not test what a run does with lines.

use crate::running::names;
use crate::servers::on_each_engine;
use crate::site::Site;

on_each_engine!(a_drop_is_applied_and_renamed, one_pass_ends_by_itself);

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
