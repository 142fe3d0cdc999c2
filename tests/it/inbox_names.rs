//! Names in the drop directory: which are input, their order, arbitrary bytes, and the final names of files.
//! It must not test when a file is complete.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::inbox::{good, half_good, report};
use crate::program::on_the_sample;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(names_of_any_bytes, the_same_name_three_times);

/// One file for each of our own names, with content that could be applied.
#[test]
fn our_own_outputs_are_never_input() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=0").set("inbox.rescan=1");
        let ours = [
            "a.csv.done",
            "a.csv.done.20261121-100000",
            "a.csv.done.20261121-100000-2",
            "a.csv.errors.csv",
            "a.csv.failed",
            "a.csv.failed.20261121-100000",
            "a.csv.held",
            "a.csv.held.20261121-100000",
            "a.csv.rejected",
            "a.csv.report.json",
            "a.csv.retry.csv",
            "a.csv.work",
        ];
        for name in ours {
            program.drop_file(name, good("moreaul26"));
        }
        let mut daemon = program.lead();
        daemon.is_well("x.csv");
        for name in ours {
            program.drop_file(name, good("moreaul26"));
        }
        daemon.is_well("y.csv");
        daemon.stop();
        let kept = names(&program.inbox()).into_iter().filter(|name| name.starts_with("a.csv")).collect::<Vec<_>>();
        assert_eq!(kept, ours);
        assert_eq!(site.told_runs().await, ["x.csv done", "y.csv done"]);
    });
}

/// Ordered by kind, then stamp, then modification time, then name.
#[test]
fn the_order_of_files_that_lie_there() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=0");
        let time =
            |seconds: u64| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_255_200 + seconds);
        let expected = [
            ("users-20261122.csv", 9),
            ("cohorts.csv", 9),
            ("cohortscourses.csv", 0),
            ("groups.csv", 9),
            ("z.csv", 1),
            ("a.csv", 2),
            ("b.csv", 2),
            ("enrols-20261122.csv", 0),
            ("enrols-20261122-0900.csv", 0),
            ("groupmembers.csv", 0),
            ("course-x.csv", 0),
        ];
        for (name, changed) in expected.iter().rev() {
            let path = program.drop_file(name, good("moreaul26"));
            fs::File::options().write(true).open(path).unwrap().set_modified(time(*changed)).unwrap();
        }
        let mut daemon = program.lead();
        for (name, _) in expected {
            daemon.until_there(&format!("{name}.done"));
        }
        assert_eq!(site.told_runs().await, expected.map(|(name, _)| format!("{name} done")));
    });
}

/// A name is bytes: invalid UTF-8, line ends, maximum length; each file gets its outcome, and the log keeps its lines.
async fn names_of_any_bytes(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.lead();
    let long = ["é".repeat(125).as_bytes(), b".csv!"].concat();
    let odd = b"\x80\xbf".repeat(127);
    let given: [&[u8]; 9] = [
        b"\xff\xfe.csv",
        b"line\nrun 99 import done\x1b[2J.csv",
        &long,
        &odd,
        b"-rf",
        b"  two  spaces ",
        b"quo\"te's`$(x).csv",
        b"back\\slash;semi*?.csv",
        "Médecine – été.csv".as_bytes(),
    ];
    assert_eq!(long.len(), 255);
    for (number, name) in given.iter().enumerate() {
        let hidden = program.inbox().join(format!(".{number}"));
        let content = if number == 2 { half_good() } else { good("moreaul26") };
        fs::write(&hidden, content).unwrap();
        fs::rename(&hidden, program.inbox().join(OsStr::from_bytes(name))).unwrap();
    }
    let count = |ending: &str| names(&program.inbox()).iter().filter(|name| name.ends_with(ending)).count();
    daemon.until("every end", || count(".done") == given.len());
    assert_eq!((count(".report.json"), count(".errors.csv"), count(".retry.csv")), (given.len(), 1, 1));
    for name in given.iter().filter(|name| name.len() < 240) {
        assert!(program.inbox().join(OsStr::from_bytes(&[name, &b".done"[..]].concat())).exists(), "{name:?}");
    }
    daemon.is_well("after.csv");
    let log = daemon.stop();
    assert!(!log.contains("\nrun 99") && !log.contains("\x1b[2J"), "{log}");
    let runs = site.told_runs().await;
    assert_eq!(runs.len(), given.len() + 1, "{runs:?}");
    assert!(runs.iter().all(|run| run.ends_with(" done") || run.ends_with(" done-with-errors")), "{runs:?}");
}

/// Nothing is overwritten, and related files have the same stamp. The same bytes are applied again and reported.
async fn the_same_name_three_times(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.lead();
    let stamps = ["", ".20261121-100000", ".20261121-100000-2"];
    for (drop, stamp) in stamps.iter().enumerate() {
        program.drop_file("a.csv", half_good());
        daemon.until_there(&format!("a.csv.done{stamp}"));
        let report = report(&daemon.inbox, &format!("a.csv{stamp}.report.json"));
        let before = if drop == 0 { serde_json::Value::Null } else { 1.into() };
        assert_eq!(report["drop"]["name"], "a.csv");
        assert_eq!(
            (&report["state"], report["same_bytes_as"].is_null()),
            (&"done-with-errors".into(), before.is_null())
        );
    }
    // The lists were removed, the file was kept: a new report must not look like that of the old file.
    for (stamp, ending) in
        stamps.iter().flat_map(|stamp| ["report.json", "errors.csv", "retry.csv"].map(|e| (stamp, e)))
    {
        fs::remove_file(daemon.inbox.join(format!("a.csv{stamp}.{ending}"))).unwrap();
    }
    program.drop_file("a.csv", half_good());
    daemon.until_there("a.csv.done.20261121-100000-3");
    for ending in ["report.json", "errors.csv", "retry.csv"] {
        assert!(daemon.inbox.join(format!("a.csv.20261121-100000-3.{ending}")).exists(), "{ending}");
    }
    assert_eq!(site.told_runs().await, ["a.csv done-with-errors"; 4]);
}

/// Hundreds of files at once: each is applied once.
#[test]
fn hundreds_of_files_at_once() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.rescan=3600");
        let mut daemon = program.lead();
        for number in 0..300 {
            program.drop_file(&format!("e{number:03}.csv"), good("moreaul26"));
        }
        let inbox = daemon.inbox.clone();
        let count = |ending: &str| names(&inbox).iter().filter(|name| name.ends_with(ending)).count();
        daemon.until("all of them", || count(".done") == 300);
        assert_eq!(count(".report.json"), 300);
        daemon.is_well("after.csv");
        daemon.stop();
        assert_eq!(names(&inbox).len(), 602, "nothing else is left");
        let mut runs = site.told_runs().await;
        runs.sort();
        runs.dedup();
        assert_eq!(runs.len(), 301);
    });
}
