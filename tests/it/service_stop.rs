//! The daemon and its service manager: ready, status, reload, stop, watchdog; a stop in the middle of a run.
//! It must not test what a run does with lines.

use enrold::db::Dialect;

use crate::outside::{Manager, enrols, on_both_servers};
use crate::program::on_the_sample;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(the_service_manager_is_told, an_idle_daemon_gives_the_lead_back);
on_both_servers!(
    a_stop_in_mid_run_rolls_back,
    a_stop_after_the_commit_says_so,
    a_worker_that_stands_still_is_not_vouched_for,
);

async fn the_service_manager_is_told(mut site: Site) {
    let program = site.sampled().await;
    let manager = Manager::listen(&program.dir);
    let mut daemon = manager.of(&program).start();
    let ready = manager.until(&mut daemon, "READY=1");
    let watching = format!("STATUS=watching {}", daemon.inbox.display());
    assert!(manager.until(&mut daemon, &watching) > ready);
    program.drop_file("enrols.csv", enrols(0));
    daemon.until_there("enrols.csv.done");
    manager.until(&mut daemon, "STATUS=applying enrols.csv");
    daemon.until("the status after the run", || manager.words().last() == Some(&watching));
    daemon.signal("HUP");
    let reloading = manager.until(&mut daemon, "RELOADING=1\nMONOTONIC_USEC=");
    daemon.until("READY after RELOADING", || manager.words()[reloading..].iter().any(|word| word == "READY=1"));
    daemon.stop();
    // The dialogue ends with this message, and no ping was requested.
    assert_eq!(manager.words().iter().filter(|word| *word == "STOPPING=1").count(), 1);
    assert_eq!(manager.words().last().map(String::as_str), Some("STOPPING=1"));
    assert_eq!(manager.pings(), 0);
}

/// SIGTERM and SIGINT end it with code 0, and the next daemon need not wait until a lease expires.
async fn an_idle_daemon_gives_the_lead_back(mut site: Site) {
    let program = site.sampled().await;
    for signal in ["TERM", "INT"] {
        let mut daemon = program.start();
        daemon.until_logged("this daemon leads");
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0));
        assert!(daemon.log().contains("enrold has stopped"), "{}", daemon.log());
        assert_eq!(site.free_leases().await, 3);
    }
}

/// SIGTERM on one server, SIGINT on the other.
async fn a_stop_in_mid_run_rolls_back(mut site: Site) {
    let program = site.sampled().await;
    let signal = if site.conn.dialect() == Dialect::Maria { "INT" } else { "TERM" };
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    let holder = site.hold_enrolments().await;
    program.drop_file("enrols.csv", enrols(0));
    site.until_somebody_waits(&daemon).await;
    daemon.signal(signal);
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    let said = "applying enrols.csv takes too long: it is rolled back, the next start does it again";
    assert!(daemon.log().contains(said), "{}", daemon.log());
    assert_eq!(site.free_leases().await, 3);
    holder.close().await;
    assert_eq!(site.applied().await, (0, 0));
    daemon = program.start();
    daemon.until_there("enrols.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (1, 1));
}

/// The effects of a committed run wait for a lock.
async fn a_stop_after_the_commit_says_so(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    let holder = site.hold_table("cache_flags").await;
    program.drop_file("enrols.csv", enrols(0));
    site.until_somebody_waits(&daemon).await;
    assert_eq!(site.applied().await, (1, 1), "committed");
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("applying enrols.csv takes too long: it is committed, the next start does what"), "{log}");
    assert!(!log.contains("rolled back"), "{log}");
    holder.close().await;
    daemon = program.start();
    daemon.until_there("enrols.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (1, 1), "not again");
}

/// Heartbeats of leases continue while a run is stuck: they must not count as progress.
async fn a_worker_that_stands_still_is_not_vouched_for(mut site: Site) {
    let program = site.sampled().await;
    let manager = Manager::listen(&program.dir);
    let mut daemon = manager.of(&program).env("WATCHDOG_USEC", "500000").set("run.lease_ttl=10").start();
    daemon.until("pings of an idle daemon", || manager.pings() > 2);
    let holder = site.hold_enrolments().await;
    program.drop_file("enrols.csv", enrols(0));
    site.until_somebody_waits(&daemon).await;
    let refusal = "no progress for 0 s while \"applying enrols.csv\"";
    daemon.until_logged(refusal);
    let before = manager.pings();
    // Half an interval between two lines: together longer than the heartbeats of both leases.
    daemon.until_logged_often(14, refusal);
    assert_eq!(manager.pings(), before, "a heartbeat is no progress");
    holder.close().await;
    daemon.until("pings of a daemon that gets on", || manager.pings() > before);
    daemon.until_there("enrols.csv.done");
    daemon.stop();
}

/// A daemon that cannot reach its database reports READY anyway, logs what it waits for, and can be stopped.
#[test]
fn waiting_is_told_and_stopped() {
    on_the_sample(async |_, program| {
        let manager = Manager::listen(&program.dir);
        let away = manager.of(&program).set("database.url=postgres://enrold@127.0.0.1:1/moodle");
        let mut daemon = away.start();
        manager.until(&mut daemon, "READY=1");
        manager.until(&mut daemon, "STATUS=waiting for the database: cannot connect to the database");
        daemon.stop();
    });
}
