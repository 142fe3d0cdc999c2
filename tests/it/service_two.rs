//! Two daemons on one database and one drop directory: one leads, the other stands by and takes over.
//! It must not test leases by themselves.

use crate::outside::{enrols, on_both_servers};
use crate::program::Program;
use crate::running::{Running, names};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(one_leads_and_each_file_is_applied_once, the_other_takes_over);
on_both_servers!(a_leader_that_was_suspended_applies_nothing_twice);

/// One daemon that leads and one that stands by.
fn pair(program: &Program) -> (Running, Running) {
    let mut leader = program.start();
    leader.until_logged("run 1, sync flatfile");
    let mut other = program.start();
    other.until_logged("standing by: ");
    (leader, other)
}

/// True if every dropped file has its final name.
fn all_done(program: &Program, count: usize) -> bool {
    names(&program.inbox()).iter().filter(|name| name.ends_with(".csv.done")).count() == count
}

async fn one_leads_and_each_file_is_applied_once(mut site: Site) {
    let program = site.sampled().await.set("guard.mode=off").set("run.lease_ttl=10");
    let (mut leader, other) = pair(&program);
    for number in 0..50 {
        program.drop_file(&format!("enrols-{number:02}.csv"), enrols(number % 9));
    }
    leader.until("50 files", || all_done(&program, 50));
    assert!(!other.log().contains("import"), "{}", other.log());
    assert_eq!(site.applied().await, (9, 50));
    other.stop();
    leader.stop();
}

/// At once after SIGTERM; after SIGKILL, too, without waiting an hour until the lease expires.
async fn the_other_takes_over(mut site: Site) {
    let program = site.sampled().await.set("guard.mode=off");
    let patient = program.clone().set("run.lease_ttl=3600");
    let mut leader = patient.start();
    leader.until_logged("run 1, sync flatfile");
    let mut second = patient.start();
    second.until_logged("standing by: ");
    leader.stop();
    program.drop_file("one.csv", enrols(0));
    second.until_there("one.csv.done");
    let mut third = patient.start();
    third.until_logged("standing by: ");
    second.kill();
    program.drop_file("two.csv", enrols(1));
    third.until_there("two.csv.done");
    third.stop();
    assert_eq!(site.applied().await, (2, 2));
}

/// Suspended in the middle of a run, and resumed after another daemon has taken over and applied the file.
async fn a_leader_that_was_suspended_applies_nothing_twice(mut site: Site) {
    let program = site.sampled().await.set("guard.mode=off").set("run.lease_ttl=10").set("run.lock_timeout=60");
    let (mut leader, mut other) = pair(&program);
    let holder = site.hold_enrolments().await;
    program.drop_file("one.csv", enrols(0));
    site.until_somebody_waits(&leader).await;
    leader.signal("STOP");
    holder.close().await;
    // Simulates that the leases of the leader have expired.
    site.sql("UPDATE {enrold_lease} SET heartbeat = heartbeat - 20").await;
    other.until_logged("this daemon leads");
    program.drop_file("two.csv", enrols(1));
    // The suspended daemon may hold row locks of its transaction; the other waits for them or proceeds without.
    leader.signal("CONT");
    leader.until_logged("another daemon has taken the lead; standing by");
    other.until("both files", || all_done(&program, 2));
    leader.until("standing by again", || !names(&program.inbox()).iter().any(|name| name.ends_with(".work")));
    leader.stop();
    other.stop();
    assert_eq!(site.applied().await, (2, 2));
    let left: Vec<String> = names(&program.inbox()).into_iter().filter(|name| name.contains(".csv.done")).collect();
    assert_eq!(left, ["one.csv.done", "two.csv.done"]);
}
