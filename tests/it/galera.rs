//! The run lease on a Galera cluster: two MariaDB servers that replicate rows but not named locks.
//! It must not test anything that one server can show.

use std::time::Duration;

use enrold::db::{Conn, Params};
use enrold::lease::{Lease, RUN};
use enrold::outcome::{RunError, State};
use enrold::run::Engine;

use crate::cluster::Cluster;
use crate::meanwhile::When;
use crate::servers::{connect, create_tables};
use crate::site::Site;

/// A connection whose statements wait until all commits of the other nodes are applied.
pub async fn causal(url: &str) -> Conn {
    let mut conn = connect(url).await;
    conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
    conn
}

async fn named_lock(conn: &mut Conn) -> i64 {
    conn.number("SELECT GET_LOCK('enrold_run', 0)", &Params::new()).await.unwrap()
}

#[test]
fn the_lease_is_one_for_the_cluster() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cluster = Cluster::start(2);
    runtime.block_on(async {
        connect(&cluster.url(0, ""))
            .await
            .command("CREATE DATABASE site CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
            .await
            .unwrap();
        let (first, second) = (cluster.url(0, "site"), cluster.url(1, "site"));
        create_tables(&mut connect(&first).await).await;
        let dir = tempfile::tempdir().unwrap();
        let mut site = Site::open(&first, dir.path()).await;
        site.campus().await;
        site.conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
        let mut other = causal(&second).await;

        one_holder_two_locks(&mut site, &mut other).await;
        let dir = tempfile::tempdir().unwrap();
        stolen_on_the_other_node(&mut site, Site::open(&second, dir.path()).await).await;
    });
}

/// Both nodes grant the named lock; only one holder gets the lease.
async fn one_holder_two_locks(site: &mut Site, other: &mut Conn) {
    assert_eq!((named_lock(&mut site.conn).await, named_lock(other).await), (1, 1));
    let lease = Lease::take(other, RUN, 60).await.unwrap().unwrap();
    assert!(Lease::take(&mut site.conn, RUN, 60).await.unwrap().is_none());
    let file = site.write("add,student,u1,c1\n");
    let busy = Engine { wait: Duration::ZERO, ..site.engine() }.import(&file, false).await;
    assert!(matches!(busy, Err(RunError::Busy { .. })), "{busy:?}");
    assert!(lease.renew(other).await.unwrap());
    lease.release(other).await.unwrap();
}

/// The first node has written all rows when the second takes the lease: the first must not commit, even if it has not
/// received that change yet. (Then its commit conflicts with the lease row, and the next attempt has lost the lease.)
async fn stolen_on_the_other_node(site: &mut Site, other: Site) {
    let before = site.dump().await;
    // Only once: repeated at every attempt, this would make each commit fail.
    let steal = "UPDATE {enrold_lease} SET holder = 'node-2:1:1', fence = fence + 1 WHERE name = 'run' AND holder <> 'node-2:1:1'";
    // Else the second node may not know the lease yet, and steals nothing.
    let (observer, outcome) = other.writer(When::Committing, &["SET SESSION wsrep_sync_wait = 15", steal]);
    let file = site.write("add,student,u1,c1\nadd,student,u2,c2\n");
    let report = Engine { observer, ..site.engine() }.import(&file, false).await;
    assert!(outcome.settled(site.conn.dialect()));
    assert!(matches!(report, Err(RunError::Fenced)), "{report:?}");
    site.nothing_changed(&before, "a run whose lease was taken on the other node").await;
    assert_eq!(site.last_state().await, "failed");

    site.sql("UPDATE {enrold_lease} SET holder = '' WHERE name = 'run'").await;
    let mut other = other;
    other.conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
    assert_eq!(other.last_state().await, "failed", "the second node has heard of all");
    assert_eq!(other.import_once("add,student,u1,c1\n").await.state, State::Done);
    assert_eq!(site.enrolments().await, ["u1 c1 flatfile"]);
}
