//! Files whose writer continues while they are read: nothing of them is applied, and no output claims that it was.
//! It must not test which account the writer has.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use enrold::db::Params;
use enrold::outcome::{Moment, Observer, RunError};
use enrold::run::Import;

use crate::dump::assert_same;
use crate::inbox::HEADER;
use crate::program::on_the_sample;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(a_line_that_changes_while_the_file_is_read, a_held_file_that_was_swapped_keeps_its_name);

/// More lines than one read takes.
fn many(last: &str) -> String {
    let lines = (0..2_500).map(|number| format!("add,nobody{number},L1-MATH-101,student\n"));
    std::iter::once(HEADER.to_owned()).chain(lines).chain([format!("add,{last},L1-MATH-101,student\n")]).collect()
}

/// Overwrites a file and resets its modification time.
fn write_unseen(path: &PathBuf, text: &str) {
    let stood = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, text).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(stood).unwrap();
}

async fn a_line_that_changes_while_the_file_is_read(mut site: Site) {
    let program = site.sampled().await;
    let path = program.write("a.csv", many("moreaul26"));
    let before = site.dump().await;
    let mut engine = site.engine();
    let (once, changed) = (Arc::new(AtomicBool::new(false)), path.clone());
    engine.observer = Observer::new(move |moment| {
        if matches!(moment, Moment::Read { .. }) && !once.swap(true, Ordering::SeqCst) {
            write_unseen(&changed, &many("robertz26"));
        }
        std::future::ready(())
    });
    let ended = engine.import(&Import { path, ..Import::default() }, false).await;
    assert!(matches!(&ended, Err(RunError::Changed(_))), "{ended:?}");
    assert!(ended.unwrap_err().to_string().contains("changed-while-read"));
    assert_same(&before, &site.dump().await, "after a file that changed");
}

async fn a_held_file_that_was_swapped_keeps_its_name(mut site: Site) {
    let program = site.sampled().await;
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.drop_file("a.csv", "operation,username,course,role\n");
    program.drop_file("b.csv", "operation,username,course,role\n");
    program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(3);
    // The same size and time, but bytes that no run has read.
    write_unseen(&program.inbox().join("b.csv.held"), "operation,username,course,rolf\n");
    let runs = site.conn.rows("SELECT id FROM {enrold_run} WHERE state = 'held' ORDER BY id", &Params::new()).await;
    for run in runs.unwrap() {
        program.run(&["--set", &inbox, "approve", &run.int(0).to_string()]);
    }
    assert!(program.inbox().join("a.csv.done").exists());
    assert!(program.inbox().join("b.csv.held").exists() && !program.inbox().join("b.csv.done").exists());
}

/// Content written after the run has read the file is read again, even if size and modification time are unchanged.
#[test]
fn a_file_that_changes_before_its_lists_are_written_is_read_again() {
    on_the_sample(async |mut site, program| {
        // The daemon is killed at the end of the run, and the writer continues before the next start.
        let killed = program.clone().env("ENROLD_KILL_AT", "run-ended");
        let mut daemon = killed.start();
        program.drop_file("a.csv", crate::inbox::half_good());
        assert!(!daemon.ended().success());
        let working = fs::read_dir(program.inbox()).unwrap().map(|entry| entry.unwrap().path());
        let working = working.into_iter().find(|path| path.to_string_lossy().ends_with(".work")).unwrap();
        write_unseen(&working, &crate::inbox::half_good().replace("moreaul26", "robertz26"));
        let mut daemon = program.lead();
        daemon.until_there("a.csv.done");
        daemon.stop();
        assert_eq!(site.told_runs().await, ["a.csv done-with-errors", "a.csv done-with-errors"]);
        let retry = fs::read_to_string(program.inbox().join("a.csv.retry.csv")).unwrap();
        assert!(retry.contains("nobody1"), "{retry}");
    });
}
