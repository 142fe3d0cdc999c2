//! What happens to applied files: archive, deletion, and removal by age.
//! It must not test the names of files that stay.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::inbox::{good, half_good, report};
use crate::program::on_the_sample;
use crate::running::names;
use crate::site::NOW;

fn archived(text: &str, name: &str) -> String {
    let digest: String = Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("20261121-100000_{digest}_{name}")
}

/// `archive` moves files below the state directory, or below any other one; it overwrites nothing there, and other
/// accounts have no access.
#[test]
fn applied_files_are_archived() {
    on_the_sample(async |_, program| {
        let elsewhere = program.dir.join("elsewhere");
        for (setting, root) in
            [("archive".to_owned(), program.dir.join("state/archive")), (elsewhere.display().to_string(), elsewhere)]
        {
            let program = program.clone().set("inbox.done_mode=archive").set(&format!("inbox.archive={setting}"));
            let mut daemon = program.lead();
            let month = root.join("2026/11");
            let name = archived(&half_good(), "a.csv");
            for stamp in ["", ".20261121-100000", ".20261121-100000-2"] {
                program.drop_file("a.csv", half_good());
                let path = month.join(format!("{name}{stamp}"));
                daemon.until("the archive", || path.exists());
                assert_eq!(fs::read_to_string(path).unwrap(), half_good());
            }
            daemon.stop();
            assert_eq!(fs::metadata(&root).unwrap().mode() & 0o777, 0o700);
            assert_eq!(names(&month).len(), 3);
            let left = names(&program.inbox());
            assert!(!left.iter().any(|name| name.ends_with(".done") || name.ends_with(".work")), "{left:?}");
            assert!(left.contains(&"a.csv.report.json".to_owned()) && left.contains(&"a.csv.retry.csv".to_owned()));
        }
    });
}

/// An archive on another file system gets a complete copy before the file is removed.
#[test]
fn an_archive_on_another_file_system() {
    on_the_sample(async |_, program| {
        let archive = program.dir.join("archive");
        fs::create_dir(&archive).unwrap();
        let program = program.set("inbox.done_mode=archive").set(&format!("inbox.archive={}", archive.display()));
        let mut daemon = program.start_mounted("mount -t tmpfs none \"$1\"", &archive);
        let seen = crate::inbox::inside(&daemon, &archive);
        assert_ne!(fs::metadata(&seen).unwrap().dev(), fs::metadata(&daemon.inbox).unwrap().dev());
        program.drop_file("a.csv", good("moreaul26"));
        let path = seen.join("2026/11").join(archived(&good("moreaul26"), "a.csv"));
        daemon.until("the archive", || path.exists());
        assert_eq!(fs::read_to_string(&path).unwrap(), good("moreaul26"));
        daemon.until("the file is gone", || names(&program.inbox()) == ["a.csv.report.json"]);
    });
}

/// A kill between the copy and the end leaves one complete copy, and the file is applied once.
#[test]
fn a_kill_while_a_file_goes_to_another_file_system() {
    for step in enrold::fault::OF_THE_ARCHIVE.iter() {
        on_the_sample(async move |mut site, program| {
            let archive = program.dir.join("archive");
            fs::create_dir(&archive).unwrap();
            // A mount of its own, like the one of the unit's ReadWritePaths=.
            let bound = "mount --bind \"$1\" \"$1\"";
            let program = program.set("inbox.done_mode=archive").set(&format!("inbox.archive={}", archive.display()));
            let armed = format!("{bound}; export ENROLD_KILL_AT={step}");
            let mut daemon = program.start_mounted(&armed, &archive);
            program.drop_file("a.csv", half_good());
            assert!(!daemon.ended().success());
            let mut daemon = program.start_mounted(bound, &archive);
            daemon.until("the file is gone", || {
                let left = names(&program.inbox());
                left == ["a.csv.errors.csv", "a.csv.report.json", "a.csv.retry.csv"]
            });
            daemon.stop();
            let kept = archive.join("2026/11");
            assert_eq!(names(&kept), [archived(&half_good(), "a.csv")], "{step}");
            assert_eq!(fs::read_to_string(kept.join(archived(&half_good(), "a.csv"))).unwrap(), half_good());
            assert_eq!(site.told_runs().await, ["a.csv done-with-errors"]);
        });
    }
}

/// If the archive cannot be written, the file stays, applied once, until it can.
#[test]
fn an_archive_that_is_not_there() {
    on_the_sample(async |mut site, program| {
        let archive = program.write("archive", "a file");
        let program = program.set("inbox.done_mode=archive").set(&format!("inbox.archive={}", archive.display()));
        let mut daemon = program.lead();
        program.drop_file("a.csv", good("moreaul26"));
        daemon.until_logged("has ended, but its file keeps the name");
        // A new daemon finds the committed run, and only moves the file.
        daemon.kill();
        fs::remove_file(&archive).unwrap();
        let mut daemon = program.lead();
        let path = archive.join("2026/11");
        daemon.until("the archive", || path.exists() && names(&path).len() == 1);
        daemon.stop();
        assert_eq!(site.told_runs().await, ["a.csv done"]);
    });
}

/// `delete` removes what was applied, and nothing else.
#[test]
fn applied_files_are_deleted() {
    on_the_sample(async |_, program| {
        let program = program.set("inbox.done_mode=delete");
        let mut daemon = program.lead();
        program.drop_file("empty.csv", "");
        program.drop_file("nul.csv", "a\0b");
        program.drop_file("a.csv", good("moreaul26"));
        let inbox = program.inbox();
        daemon.until("three ends", || {
            let names = names(&inbox);
            names.iter().filter(|name| name.ends_with(".report.json")).count() == 3
                && !names.iter().any(|name| name.ends_with(".work") || name == "lock.txt")
        });
        daemon.stop();
        assert_eq!(
            names(&inbox),
            ["a.csv.report.json", "empty.csv.held", "empty.csv.report.json", "nul.csv.failed", "nul.csv.report.json"]
        );
        assert_eq!(report(&inbox, "a.csv.report.json")["state"], "done");
    });
}

/// Applied files and lists are removed by age; files that were not applied or have other names never are.
#[test]
fn what_is_removed_by_age() {
    on_the_sample(async |_, program| {
        let inbox = program.inbox();
        let kept = [
            "_input.csv",
            "a.csv.failed",
            "a.csv.held",
            "a.csv.rejected",
            "a.csv.part",
            "alock.txt",
            "input.csv",
            "strange.done.csv",
        ];
        let gone = ["a.csv.done", "a.csv.done.20261121-100000", "a.csv.ok.done"];
        let lists = ["a.csv.report.json", "a.csv.errors.csv", "a.csv.20261121-100000.retry.csv"];
        for name in kept.iter().chain(&gone).chain(&lists) {
            fs::write(inbox.join(name), "x").unwrap();
        }
        let directories = ["b.csv.done", "b.csv.report.json", "_archive/2026/11"];
        for name in directories {
            fs::create_dir_all(inbox.join(name)).unwrap();
        }
        // The archive is enrold's own; a feeder's directory of that name is not.
        let theirs = inbox.join("_archive/2026/11/20261121-100000_00000000_a.csv");
        fs::write(&theirs, "x").unwrap();
        let archive = program.dir.join("state/archive");
        for (place, name) in [("2026/11", "20261121-100000_00000000_a.csv"), ("other/11", "mine")] {
            fs::create_dir_all(archive.join(place)).unwrap();
            fs::write(archive.join(place).join(name), "x").unwrap();
        }
        let real = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let later = |days: i64| program.at(real.max(NOW) + days * 86_400);
        let inbox_path = format!("inbox.path={}", inbox.display());
        let pass = |days, set: &str| {
            later(days).run(&["--set", &inbox_path, "--set", set, "run", "--once"]).ends(0);
        };
        // The archive is never removed unless configured; reports are removed after 90 days.
        pass(89, "retention.archives_days=0");
        assert!(lists.iter().all(|name| inbox.join(name).exists()));
        pass(92, "retention.archives_days=0");
        assert!(lists.iter().all(|name| !inbox.join(name).exists()), "{:?}", names(&inbox));
        assert!(gone.iter().all(|name| inbox.join(name).exists()));
        pass(94, "retention.archives_days=93");
        assert!(gone.iter().all(|name| !inbox.join(name).exists()), "{:?}", names(&inbox));
        assert_eq!(names(&archive.join("2026/11")), Vec::<String>::new());
        assert!(theirs.exists());
        let left = |name: &&str| Path::exists(&inbox.join(name));
        assert!(kept.iter().all(left) && directories.iter().all(left), "{:?}", names(&inbox));
        assert!(archive.join("other/11/mine").exists());
    });
}
