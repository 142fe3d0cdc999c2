//! The run lease: one row, one holder, a fencing number that grows with each change of holder.
//! It must not test what a run does beyond that it commits or does not.

use std::sync::Arc;
use std::time::Duration;

use enrold::db::Params;
use enrold::lease::{Lease, RUN};
use enrold::outcome::{RunError, State};
use enrold::run::Engine;

use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    one_holder_at_a_time,
    a_lease_without_heartbeat_is_taken,
    a_heartbeat_keeps_the_lease,
    a_dead_process_holds_nothing,
    who_comes_second_is_told_who_runs,
    a_lease_that_comes_free_is_waited_for,
    a_run_gives_the_lease_back,
    a_run_whose_lease_was_stolen_commits_nothing,
);

/// A process on another host takes the lease by changing the row.
const STEAL: &str =
    "UPDATE {enrold_lease} SET holder = 'thief:1:1', fence = fence + 1, since = heartbeat WHERE name = 'run'";

/// Moves the last heartbeat of the run lease this far into the past.
async fn silent_for(site: &mut Site, seconds: i64) {
    let sql = "UPDATE {enrold_lease} SET heartbeat = heartbeat - :seconds WHERE name = 'run'";
    site.conn.exec(sql, &Params::new().with("seconds", seconds)).await.unwrap();
}

async fn one_holder_at_a_time(mut site: Site) {
    let mut other = site.database(Duration::from_secs(1)).connect().await.unwrap();
    let first = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    assert!(Lease::take(&mut other, RUN, 60).await.unwrap().is_none());
    assert!(Lease::take(&mut site.conn, RUN, 60).await.unwrap().is_none(), "the same process is somebody else too");
    assert!(first.renew(&mut other).await.unwrap(), "the lease is a row, not a connection's");
    first.release(&mut other).await.unwrap();
    assert!(!first.renew(&mut other).await.unwrap());
    let second = Lease::take(&mut other, RUN, 60).await.unwrap().unwrap();
    assert!(second.fence() > first.fence());
    first.release(&mut site.conn).await.unwrap();
    assert!(second.renew(&mut other).await.unwrap(), "who has it no more cannot give it back");
}

async fn a_lease_without_heartbeat_is_taken(mut site: Site) {
    let mut other = site.database(Duration::from_secs(1)).connect().await.unwrap();
    let first = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    silent_for(&mut site, 50).await;
    assert!(Lease::take(&mut other, RUN, 60).await.unwrap().is_none());
    silent_for(&mut site, 50).await;
    let second = Lease::take(&mut other, RUN, 60).await.unwrap().unwrap();
    assert!(second.fence() > first.fence());
    assert!(!first.renew(&mut site.conn).await.unwrap());
    assert!(second.renew(&mut other).await.unwrap());
}

async fn a_heartbeat_keeps_the_lease(mut site: Site) {
    let mut other = site.database(Duration::from_secs(1)).connect().await.unwrap();
    let lease = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    silent_for(&mut site, 100).await;
    assert!(lease.renew(&mut site.conn).await.unwrap());
    assert!(Lease::take(&mut other, RUN, 60).await.unwrap().is_none());
}

/// A dead process of this host cannot continue: its lease is free at once. Processes of other hosts count as alive.
async fn a_dead_process_holds_nothing(mut site: Site) {
    site.campus().await;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let file = site.write("add,student,u1,c1\n");
    let engine = Engine { wait: Duration::ZERO, ..site.engine() };
    let (host, own) = (host.trim(), std::process::id());
    // The process number exceeds the maximum of 2^22; our own number belongs to an earlier process of this container.
    let holders = [
        ("elsewhere:4194305:a:1".to_owned(), false),
        (format!("{host}:1:a:1"), false),
        (format!("{host}:4194305:a:1"), true),
        (format!("{host}:{own}:a:1"), true),
    ];
    for (holder, free) in holders {
        let params = Params::new().with("holder", holder).fragment("clock", site.conn.dialect().clock());
        let sql = "UPDATE {enrold_lease} SET holder = :holder, fence = 7, heartbeat = :clock WHERE name = 'run'";
        site.conn.exec(sql, &params).await.unwrap();
        let report = engine.import(&file, false).await;
        assert_eq!(report.is_ok(), free, "{report:?}");
    }
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
}

async fn who_comes_second_is_told_who_runs(mut site: Site) {
    site.campus().await;
    let before = site.dump().await;
    let lease = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    let (holder, _) = Lease::holder(&mut site.conn, RUN).await.unwrap().unwrap();
    let file = site.write("add,student,u1,c1\n");
    let engine = Engine { wait: Duration::ZERO, ..site.engine() };
    for simulate in [false, true] {
        let busy = engine.import(&file, simulate).await;
        let Err(RunError::Busy { holder: told, .. }) = &busy else { panic!("{busy:?}") };
        assert_eq!(*told, holder);
        assert!(told.contains(&std::process::id().to_string()));
    }
    site.nothing_changed(&before, "an import while another one runs").await;
    assert_eq!(site.last_run().await, 0);
    assert!(lease.renew(&mut site.conn).await.unwrap(), "the holder has not noticed");
}

async fn a_lease_that_comes_free_is_waited_for(mut site: Site) {
    site.campus().await;
    let lease = Lease::take(&mut site.conn, RUN, 60).await.unwrap().unwrap();
    let file = site.write("add,student,u1,c1\n");
    let database = site.database(Duration::from_secs(10));
    let engine = Engine { database: Arc::clone(&database), wait: Duration::from_secs(60), ..site.engine() };
    let impatient = Engine { wait: Duration::ZERO, ..engine.clone() };
    impatient.import(&file, false).await.unwrap_err();
    // The number of statements until the lease was refused; one more means that it was requested again.
    let again = 2 * database.statements() + 1;
    let run = tokio::spawn(async move { engine.import(&file, false).await });
    while database.statements() < again {
        assert!(!run.is_finished(), "{:?}", run.await);
        tokio::task::yield_now().await;
    }
    assert_eq!(site.last_run().await, 0);
    lease.release(&mut site.conn).await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().state, State::Done);
}

async fn a_run_gives_the_lease_back(mut site: Site) {
    site.campus().await;
    site.import_once("add,student,u1,c1\n").await;
    assert!(Lease::holder(&mut site.conn, RUN).await.unwrap().is_none());
    site.sql("ALTER TABLE {role_assignments} RENAME COLUMN sortorder TO elsewhere").await;
    let file = site.write("add,student,u2,c1\n");
    site.engine().import(&file, false).await.unwrap_err();
    assert!(Lease::holder(&mut site.conn, RUN).await.unwrap().is_none(), "a run that failed as well");
}

/// The fence: all rows are written except for the commit, when the lease gets another holder.
async fn a_run_whose_lease_was_stolen_commits_nothing(mut site: Site) {
    site.campus().await;
    let before = site.dump().await;
    let (observer, outcome) = site.writer(When::Committing, &[STEAL]);
    let file = site.write("add,student,u1,c1\n");
    let report = Engine { observer, ..site.engine() }.import(&file, false).await;
    if !outcome.settled(site.conn.dialect()) {
        // SQLite has only one lock, so the run that holds it cannot lose the lease.
        assert_eq!(report.unwrap().state, State::Done);
        return;
    }
    assert!(matches!(report, Err(RunError::Fenced)), "{report:?}");
    site.nothing_changed(&before, "a run whose lease was stolen").await;
    assert_eq!(site.last_state().await, "failed");
    let run = site.last_run().await;
    assert_eq!(site.journal(run).await, [""; 0]);
    let (holder, _) = Lease::holder(&mut site.conn, RUN).await.unwrap().unwrap();
    assert_eq!(holder, "thief:1:1", "the thief keeps it");
}
