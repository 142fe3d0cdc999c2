//! A drop directory that is missing, closed, replaced or not watched, and unusable files: nothing is lost, the daemon
//! keeps running. It must not test full disks or writers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::inbox::{good, powerless, unshare};
use crate::program::on_the_sample;
use crate::running::names;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Removed and recreated, with the daemon running and suspended: the new one is watched, so a rename is enough.
#[test]
fn a_directory_that_is_removed_and_made_again() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=3600").set("inbox.rescan=3600");
        let mut daemon = program.lead();
        daemon.is_well("a.csv");
        fs::remove_dir_all(&daemon.inbox).unwrap();
        daemon.until_logged("is not there: make it, or set inbox.path; nothing is lost, trying again until it works");
        fs::create_dir(&daemon.inbox).unwrap();
        daemon.until_logged("is watched again");
        daemon.is_well("b.csv");
        let log = daemon.log();
        assert_eq!(log.matches("is not there: make it").count(), 1, "said once:\n{log}");
        // The directory may exist again before the daemon has tried to watch it.
        assert!(log.matches("are not told by the system").count() <= 1, "said once:\n{log}");
        // Recreated at once, perhaps with the same inode number: the number that the file system assigns is irrelevant.
        daemon.stand_still();
        fs::remove_dir_all(&daemon.inbox).unwrap();
        fs::create_dir(&daemon.inbox).unwrap();
        daemon.signal("CONT");
        let log = |daemon: &crate::running::Running| daemon.log().matches("is watched again").count();
        let mut again = 0;
        while again < 2 {
            daemon.until("another line", || true);
            again = log(&daemon);
        }
        daemon.is_well("c.csv");
        assert_eq!(site.told_runs().await, ["a.csv done", "b.csv done", "c.csv done"]);
    });
}

/// Renamed, with another directory in its place: the one at the path is used, the other is left alone.
#[test]
fn a_directory_that_is_replaced() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=3600").set("inbox.rescan=3600");
        let mut daemon = program.lead();
        let (old, new) = (program.dir.join("old"), program.dir.join("new"));
        fs::create_dir(&new).unwrap();
        fs::write(program.dir.join("x"), good("moreaul26")).unwrap();
        daemon.stand_still();
        fs::rename(&daemon.inbox, &old).unwrap();
        fs::rename(&new, &daemon.inbox).unwrap();
        fs::rename(program.dir.join("x"), old.join("x.csv")).unwrap();
        daemon.signal("CONT");
        daemon.until_logged("is watched again");
        daemon.is_well("a.csv");
        assert_eq!(names(&old), ["x.csv"]);
        assert_eq!(site.told_runs().await, ["a.csv done"]);
    });
}

/// Missing at the start, then a file in its place, then the directory.
#[test]
fn a_directory_that_is_made_later() {
    on_the_sample(async |_, program| {
        let script = "rmdir sync; exec \"$@\"";
        let mut daemon = program.start_within(&["sh", "-c", script, "sh"]);
        daemon.until_logged("is not there: make it, or set inbox.path");
        fs::write(&daemon.inbox, "").unwrap();
        daemon.until_logged("is no directory: set inbox.path to the drop directory");
        fs::remove_file(&daemon.inbox).unwrap();
        fs::create_dir(&daemon.inbox).unwrap();
        daemon.is_well("a.csv");
    });
}

/// Permissions that are missing at the start or revoked later: for reading, then for writing.
#[test]
fn a_directory_without_permission() {
    on_the_sample(async |mut site, program| {
        let inbox = program.inbox();
        program.drop_file("a.csv", good("moreaul26"));
        allow(&inbox, 0o000);
        let program = program.set("inbox.settle=0");
        let mut daemon = program.start_within(powerless());
        daemon.until_logged("cannot read the drop directory");
        daemon.until_logged("the user that enrold runs as needs to read, write and enter it");
        allow(&inbox, 0o755);
        daemon.until_there("a.csv.done");
        daemon.stand_still();
        program.drop_file("b.csv", good("moreaul26"));
        allow(&inbox, 0o555);
        daemon.signal("CONT");
        daemon.until_logged("cannot claim (rename)");
        assert_eq!(site.told_runs().await, ["a.csv done"]);
        allow(&inbox, 0o755);
        daemon.until_there("b.csv.done");
        daemon.is_well("c.csv");
    });
}

/// Read-only, as after a file-system error: a file that could not be renamed afterwards is not applied.
#[test]
fn a_read_only_file_system() {
    on_the_sample(async |mut site, program| {
        let inbox = program.inbox();
        let path = inbox.display().to_string();
        let mut daemon = program.start_mounted("mount -t tmpfs none \"$1\"", &inbox);
        daemon.is_well("a.csv");
        fs::write(daemon.inbox.join(".b"), good("moreaul26")).unwrap();
        daemon.stand_still();
        fs::rename(daemon.inbox.join(".b"), daemon.inbox.join("b.csv")).unwrap();
        daemon.within(&["mount", "-o", "remount,ro", &path]);
        daemon.signal("CONT");
        daemon.until_logged("Read-only file system");
        assert_eq!(site.told_runs().await, ["a.csv done"]);
        daemon.within(&["mount", "-o", "remount,rw", &path]);
        daemon.until_there("b.csv.done");
        daemon.until_logged("it works again");
        daemon.is_well("c.csv");
    });
}

/// A file that cannot be renamed does not delay the others.
#[test]
fn a_file_that_cannot_be_claimed() {
    on_the_sample(async |mut site, program| {
        let inbox = program.inbox();
        let program = program.set("inbox.settle=0");
        program.drop_file("a.csv", good("moreaul26"));
        let script = "mount --bind \"$1/a.csv\" \"$1/a.csv\"";
        let mut daemon = program.start_mounted(script, &inbox);
        daemon.until_logged("cannot claim (rename)");
        daemon.is_well("b.csv");
        assert_eq!(site.told_runs().await, ["b.csv done"]);
        daemon.within(&["umount", &inbox.join("a.csv").display().to_string()]);
        daemon.until_there("a.csv.done");
    });
}

/// The inotify limits of the system: the log names the limit to raise; drops are found by scanning.
#[test]
fn limits_of_watches() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=1").set("inbox.rescan=1");
        for (limit, advice) in [("watches", "max_user_watches="), ("instances", "max_user_instances=")] {
            let none = format!("echo 0 > /proc/sys/user/max_inotify_{limit}; exec \"$@\"");
            let mut daemon = program.start_within(&[&unshare("--user")[..], &["sh", "-c", &none, "sh"]].concat());
            daemon.until_logged(&format!("raise it with sysctl fs.inotify.{advice}"));
            daemon.until_logged("it is looked through every 1 s");
            daemon.is_well(&format!("{limit}-1.csv"));
            daemon.is_well(&format!("{limit}-2.csv"));
            let log = daemon.stop();
            assert_eq!(log.matches("raise it with sysctl").count(), 1, "said once:\n{log}");
        }
        assert_eq!(site.told_runs().await.len(), 4);
    });
}
