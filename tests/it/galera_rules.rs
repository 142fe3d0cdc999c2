//! Golden cases on a Galera cluster of three nodes: a run on one, a conflicting writer on another, whole and in parts.
//! It must not test anything that one server can show.

use std::time::Duration;

use enrold::db::Params;
use enrold::outcome::{Note, State};
use enrold::run::{Engine, SyncOrder};

use crate::cluster::Cluster;
use crate::dump::assert_same;
use crate::galera::causal;
use crate::golden_case::{load, moodle_left};
use crate::golden_equal::{Clocks, assert_equal};
use crate::meanwhile::When;
use crate::servers::{connect, create_tables};
use crate::site::Site;

/// A golden case without differences, and a change of a row of the run by the writer on the other node, which does not
/// affect the result.
struct OnCluster {
    name: &'static str,
    job: &'static str,
    clocks: (i64, i64),
    conflict: &'static str,
}

const CASES: [OnCluster; 3] = [
    OnCluster {
        name: "c01",
        job: "cohort",
        clocks: (1_795_298_811, 1_795_298_811),
        conflict: "UPDATE {user_enrolments} SET modifierid = 0 WHERE id = 5006 AND modifierid = 2",
    },
    OnCluster {
        name: "c02",
        job: "cohort",
        clocks: (1_795_298_820, 1_795_298_821),
        conflict: "UPDATE {groups} SET timemodified = 5 WHERE id = 300 AND timemodified > 5",
    },
    OnCluster {
        name: "m06",
        job: "meta",
        clocks: (1_795_298_949, 1_795_298_949),
        conflict: "UPDATE {groups} SET timemodified = 5 WHERE id = 310 AND timemodified > 5",
    },
];

#[test]
fn goldens_on_three_nodes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cluster = Cluster::start(3);
    runtime.block_on(async {
        for case in &CASES {
            on_cluster(&cluster, case, false).await;
            on_cluster(&cluster, case, true).await;
        }
        too_large_for_the_cluster(&cluster).await;
    });
}

async fn on_cluster(cluster: &Cluster, case: &OnCluster, in_parts: bool) {
    let name = format!("{}_{}", case.name, if in_parts { "parts" } else { "whole" });
    let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci");
    connect(&cluster.url(0, "")).await.command(&create).await.unwrap();
    let mut first = connect(&cluster.url(0, &name)).await;
    create_tables(&mut first).await;
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::open(&cluster.url(0, &name), dir.path()).await;
    load(&mut site, case.name).await;
    site.at(case.clocks.0);
    let before = site.dump().await;
    let elsewhere = tempfile::tempdir().unwrap();
    // Opening migrates, and a node that lags behind would create enrold's tables a second time.
    let known = "SELECT COUNT(*) FROM information_schema.tables";
    causal(&cluster.url(1, "")).await.number(known, &Params::new()).await.unwrap();
    let mut other = Site::open(&cluster.url(1, &name), elsewhere.path()).await;
    other.conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
    other.dump().await;

    if in_parts {
        site.set("run.part_rows", "1");
    }
    let (observer, outcome) = other.writer(When::Committing, &[case.conflict]);
    let engine = Engine { observer, wait: Duration::from_secs(10), ..site.engine() };
    let report = engine.sync(&SyncOrder::of(case.job), false).await.unwrap();
    assert_eq!(report.state, State::Done, "{name}");
    let cut = report.notes.iter().any(|note| matches!(note, Note::InParts(parts) if *parts > 1));
    assert_eq!(cut, in_parts, "{name}");
    let retried = report.notes.iter().any(|note| matches!(note, Note::Retried(_)));
    assert!(outcome.settled(site.conn.dialect()), "{name}: the writer was first");
    assert!(retried, "{name}: the two met at one row");

    let clocks = Clocks::between(case.clocks.0, case.clocks.1);
    site.conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
    let after = site.dump().await;
    assert_equal(&before, &moodle_left(case.name), &after, clocks, &[]);
    let thither = tempfile::tempdir().unwrap();
    let mut third = Site::open(&cluster.url(2, &name), thither.path()).await;
    third.conn.command("SET SESSION wsrep_sync_wait = 15").await.unwrap();
    assert_same(&after, &third.dump().await, "the third node");
    site.engine().sync(&SyncOrder::of(case.job), false).await.unwrap();
    site.nothing_changed(&after, "a second sync").await;
}

/// A run that the cluster refuses as one transaction succeeds in parts.
async fn too_large_for_the_cluster(cluster: &Cluster) {
    let create = "CREATE DATABASE large CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci";
    connect(&cluster.url(0, "")).await.command(create).await.unwrap();
    create_tables(&mut connect(&cluster.url(0, "large")).await).await;
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::open(&cluster.url(0, "large"), dir.path()).await;
    site.campus().await;
    site.courses_up_to(8).await;
    site.cohort(1, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    for number in 1..=8 {
        site.cohort_link(number, 1, "student").await;
    }
    site.set("run.effect_rows", "10");
    site.set("run.retries", "0");
    site.conn.command("SET GLOBAL wsrep_max_ws_size = 16384").await.unwrap();
    let before = site.dump().await;
    let refused = site.engine().sync(&SyncOrder::of("cohort"), false).await;
    let refused = refused.expect_err("one write set of all").to_string();
    site.nothing_changed(&before, &refused).await;
    site.set("run.part_rows", "18");
    let report = site.engine().sync(&SyncOrder::of("cohort"), false).await.unwrap();
    assert_eq!((report.state, report.counts["enrolment.add"]), (State::Done, 72));
    assert!(report.notes.iter().any(|note| matches!(note, Note::InParts(parts) if *parts >= 8)), "{:?}", report.notes);
    let unwritten = report.notes.iter().find(|note| matches!(note, Note::EffectsPending(_)));
    assert_eq!(unwritten, None, "their effects too");
    let wait = "SET SESSION wsrep_sync_wait = 15";
    site.conn.command(wait).await.unwrap();
    assert_eq!(site.events().await.len(), 144);
}
