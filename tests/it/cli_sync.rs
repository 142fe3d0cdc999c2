//! `enrold sync flatfile` as a child process, and how commands wait for the run lease.
//! It must not test replay and expirations; the flat file's own tests do.

use serde_json::json;

use crate::program::{on_the_sample, sample};
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(due_rows_by_sync, a_dead_holder_is_not_waited_for);

/// Lines of the sample that begin in January are applied after January, by the clock of `--now`.
async fn due_rows_by_sync(mut site: Site) {
    let program = site.sampled().await;
    program.run(&["import", &sample("enrols-20261121.csv")]).ends(0);
    let (code, early) = program.json(&["sync", "flatfile"]);
    assert_eq!((code, &early["counts"]), (0, &json!({})));
    let before = site.dump().await;
    let february = NOW + 75 * 86_400;
    let (code, rehearsal) = program.at(february).json(&["sync", "flatfile", "--simulate"]);
    assert_eq!((code, &rehearsal["state"]), (0, &json!("simulated")));
    site.nothing_changed(&before, "a simulated sync").await;
    let (code, due) = program.at(february).json(&["sync", "flatfile"]);
    assert_eq!((code, &due["counts"]), (0, &rehearsal["counts"]));
    assert_eq!((&due["counts"]["enrolment.add"], &due["counts"]["buffer.remove"]), (&json!(2), &json!(2)));
    assert_eq!(due["clock"], february);
}

/// A buffered row for an administrator is reported with its id and erased.
#[test]
fn a_due_row_of_an_administrator() {
    on_the_sample(async |mut site: Site, program| {
        let row = [
            ("id", 77.into()),
            ("action", "add".into()),
            ("roleid", 5.into()),
            ("userid", 2.into()),
            ("courseid", 2.into()),
            ("timestart", (NOW - 60).into()),
        ];
        site.insert("enrol_flatfile", &row).await;
        let (code, report) = program.json(&["sync", "flatfile"]);
        assert_eq!((code, &report["state"]), (4, &json!("done-with-errors")));
        let problem = &report["problems"][0];
        assert_eq!((&problem["line"], &problem["code"]), (&json!(77), &json!("account-protected")));
        assert_eq!(report["counts"], json!({"buffer.remove": 1}));
        program.run(&["sync", "flatfile"]).ends(0);
    });
}

/// After a kill on this host no command waits; a holder on another host is taken as alive.
async fn a_dead_holder_is_not_waited_for(mut site: Site) {
    let program = site.sampled().await.with("--wait", "0");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    // This process number exceeds the kernel's maximum.
    held_by(&mut site, &format!("{}:4194305:1", host.trim())).await;
    program.run(&["sync", "flatfile"]).ends(0);
    held_by(&mut site, "elsewhere.example.org:4194305:1").await;
    program.run(&["sync", "flatfile"]).ends(1).logs(&["another run is under way (elsewhere.example.org:4194305:1"]);
    program.run(&["import", "--simulate", &sample("flatfile-20261121.txt")]).ends(1);
    assert_eq!(site.last_run().await, 1, "what never ran is not in the history");
}

/// Gives the run lease to a holder with a current heartbeat.
async fn held_by(site: &mut Site, holder: &str) {
    let ahead = enrold::clock::real() + 3600;
    site.sql(&format!(
        "UPDATE {{enrold_lease}} SET holder = '{holder}', heartbeat = {ahead}, since = {ahead} WHERE name = 'run'"
    ))
    .await;
}
