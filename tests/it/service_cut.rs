//! The daemon and a database that becomes unreachable: at its start, while it waits for files, in the middle of a run.
//! It must not test SQLite, whose database cannot become unreachable.

use crate::outside::{Cut, enrols, on_both_servers};
use crate::site::Site;

on_both_servers!(
    away_at_the_start,
    away_for_a_while,
    cut_before_anything_is_written,
    cut_while_changes_are_written,
    cut_before_the_commit,
    cut_before_the_answer_to_the_commit,
    cut_among_the_effects,
    lost_in_silence,
);

async fn away_at_the_start(mut site: Site) {
    let program = site.sampled().await;
    let (wire, program) = site.wire(&program);
    wire.cut();
    program.drop_file("enrols.csv", enrols(0));
    let program = program.set("run.lease_ttl=10");
    let mut daemon = program.start();
    daemon.until_logged("the database does not answer: cannot connect to the database");
    wire.mend();
    daemon.until_logged("the database answers again");
    daemon.until_there("enrols.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (1, 1));
}

async fn away_for_a_while(mut site: Site) {
    let program = site.sampled().await;
    let (wire, program) = site.wire(&program);
    let program = program.set("run.lease_ttl=10");
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    for (times, name) in [(1, "one.csv"), (2, "two.csv")] {
        wire.cut();
        program.drop_file(name, enrols(times));
        daemon.until_logged_often(times, "nothing is lost, trying again until it works");
        daemon.until_logged_often(times, "the database does not answer");
        wire.mend();
        daemon.until_there(&format!("{name}.done"));
        daemon.until_logged_often(times, "it works again");
        daemon.until_logged_often(times, "the database answers again");
    }
    daemon.stop();
    assert_eq!(site.applied().await, (2, 2));
}

async fn cut_before_anything_is_written(site: Site) {
    cut_in_mid_run(site, Cut::Before("enrold_run")).await;
}

async fn cut_while_changes_are_written(site: Site) {
    cut_in_mid_run(site, Cut::After("user_enrolments")).await;
}

async fn cut_before_the_commit(site: Site) {
    cut_in_mid_run(site, Cut::Before("COMMIT")).await;
}

async fn cut_before_the_answer_to_the_commit(site: Site) {
    cut_in_mid_run(site, Cut::After("COMMIT")).await;
}

async fn cut_among_the_effects(site: Site) {
    cut_in_mid_run(site, Cut::After("logstore_standard_log")).await;
}

/// Neither an answer nor a closed connection: after `run.lease_ttl` the daemon gives the run up, and others may lead.
async fn lost_in_silence(mut site: Site) {
    let direct = site.sampled().await.set("run.lease_ttl=10");
    let (wire, program) = site.wire(&direct);
    let program = program.set("database.connect_timeout=1");
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    wire.cut_at(Cut::Dead("user_enrolments"));
    program.drop_file("enrols.csv", enrols(0));
    daemon.until_logged("the database does not answer: ");
    let mut other = direct.start();
    other.until_logged("this daemon leads");
    other.until_there("enrols.csv.done");
    wire.mend();
    daemon.until_logged("standing by: ");
    other.stop();
    program.drop_file("two.csv", enrols(1));
    daemon.until_there("two.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (2, 2));
}

/// The file is applied once, wherever the connection is cut and for however long, and the process keeps running.
async fn cut_in_mid_run(mut site: Site, cut: Cut) {
    let program = site.sampled().await;
    let (wire, program) = site.wire(&program);
    let program = program.set("run.lease_ttl=10");
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    wire.cut_at(cut);
    program.drop_file("enrols.csv", enrols(0));
    daemon.until("the cut", || wire.is_cut());
    if cut != Cut::After("logstore_standard_log") {
        daemon.until_logged("nothing is lost, trying again until it works");
    }
    wire.mend();
    daemon.until_there("enrols.csv.done");
    // The next file is applied as usual.
    program.drop_file("two.csv", enrols(1));
    daemon.until_there("two.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (2, 2));
    assert_eq!(site.events().await.len(), 5, "{:?}", site.events().await);
}
