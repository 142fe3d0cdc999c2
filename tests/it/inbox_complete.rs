//! When a file of the drop directory is complete: renamed, closed and settled, or marked; and locks that stop all
//! files. It must not test what happens to a file afterwards.

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::inbox::{HEADER, good, report, unshare};
use crate::program::on_the_sample;
use crate::running::names;
use crate::service_web::Place;
use crate::site::NOW;

const NEVER: &str = "inbox.settle=3600";

/// Sets the modification time of a file, relative to the clock of the tests.
fn aged(path: &Path, seconds: i64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs((NOW - seconds) as u64);
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Creates a lock file of this age.
fn lock(inbox: &Path, name: &str, text: &str, seconds: i64) {
    let hidden = inbox.join(".lock");
    fs::write(&hidden, text).unwrap();
    aged(&hidden, seconds);
    fs::rename(hidden, inbox.join(name)).unwrap();
}

/// A file that is renamed into the directory is complete, wherever it comes from on the same file system.
#[test]
fn a_rename_into_place_is_complete_at_once() {
    on_the_sample(async |mut site, program| {
        let program = program.set(NEVER).set("inbox.rescan=3600");
        let mut daemon = program.lead();
        for (from, to) in [("sync/.a.sending", "a.csv"), ("sync/b.csv.part", "b.csv"), ("c.csv", "c.csv")] {
            let from = program.write(from, good("moreaul26"));
            fs::rename(from, daemon.inbox.join(to)).unwrap();
            daemon.until_there(&format!("{to}.done"));
        }
        let over = program.write("d.csv", good("moreaul26"));
        fs::write(daemon.inbox.join("d.csv"), "half a fi").unwrap();
        fs::rename(over, daemon.inbox.join("d.csv")).unwrap();
        daemon.until_there("d.csv.done");
        assert_eq!(site.told_runs().await, ["a.csv done", "b.csv done", "c.csv done", "d.csv done"]);
    });
}

/// A file that its writer keeps open is not complete, however long the writer pauses.
#[test]
fn an_open_file_is_not_taken() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=0").set("inbox.rescan=1");
        let mut daemon = program.lead();
        let path = daemon.inbox.join("slow.csv");
        let mut writer = File::create(&path).unwrap();
        daemon.is_well("one.csv");
        for (line, between) in [(HEADER, "two.csv"), ("add,moreaul26,L1-MATH-101,student\n", "three.csv")] {
            writer.write_all(line.as_bytes()).unwrap();
            daemon.is_well(between);
            assert!(path.exists(), "{}", daemon.log());
        }
        writer.write_all(b"add,laurentn26,L1-MATH-101,student\n").unwrap();
        drop(writer);
        daemon.until_there("slow.csv.done");
        assert_eq!(report(&daemon.inbox, "slow.csv.report.json")["lines"]["records"], 2);
        assert_eq!(site.told_runs().await.last().unwrap(), "slow.csv done");
    });
}

/// A closed file that does not change is complete: written, copied or linked.
#[test]
fn a_closed_file_settles() {
    on_the_sample(async |_, program| {
        let program = program.set("inbox.settle=1").set("inbox.rescan=3600");
        let mut daemon = program.lead();
        let outside = program.write("outside.csv", good("moreaul26"));
        fs::write(daemon.inbox.join("written.csv"), good("moreaul26")).unwrap();
        assert!(Command::new("cp").arg(&outside).arg(daemon.inbox.join("copied.csv")).status().unwrap().success());
        fs::hard_link(&outside, daemon.inbox.join("linked.csv")).unwrap();
        for name in ["written.csv", "copied.csv", "linked.csv"] {
            daemon.until_there(&format!("{name}.done"));
            let report = report(&daemon.inbox, &format!("{name}.report.json"));
            assert_eq!((&report["state"], &report["lines"]["records"]), (&"done".into(), &1.into()), "{name}");
        }
    });
}

/// Without inotify, size and modification time decide: the writer opens the file for each line.
#[test]
fn a_growing_file_is_waited_for_without_inotify() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=3").set("inbox.rescan=1");
        let none = "echo 0 > /proc/sys/user/max_inotify_instances; exec \"$@\"";
        let mut daemon = program.start_within(&[&unshare("--user")[..], &["sh", "-c", none, "sh"]].concat());
        daemon.until_logged("sysctl fs.inotify.max_user_instances");
        let path = daemon.inbox.join("growing.csv");
        fs::write(&path, HEADER).unwrap();
        let begun = Instant::now();
        for line in 1..=16 {
            let mut writer = File::options().append(true).open(&path).expect("not taken yet");
            writer.write_all(b"add,moreaul26,L1-MATH-101,student\n").unwrap();
            drop(writer);
            daemon.until("the next line", || begun.elapsed() > Duration::from_millis(250 * line));
        }
        daemon.until_there("growing.csv.done");
        assert_eq!(report(&daemon.inbox, "growing.csv.report.json")["lines"]["records"], 16);
        assert_eq!(site.told_runs().await, ["growing.csv done"]);
        fs::write(daemon.inbox.join("next.csv"), good("moreaul26")).unwrap();
        daemon.until_there("next.csv.done");
    });
}

/// `NAME.ok` completes the file of that name once; without the file it stays.
#[test]
fn a_marker_completes_its_file() {
    on_the_sample(async |_, program| {
        let program = program.set(NEVER).set("inbox.rescan=3600");
        let mut daemon = program.lead();
        fs::write(daemon.inbox.join("lonely.csv.ok"), "").unwrap();
        fs::write(daemon.inbox.join("a.csv"), good("moreaul26")).unwrap();
        daemon.is_well("between.csv");
        assert!(daemon.inbox.join("a.csv").exists() && daemon.inbox.join("lonely.csv.ok").exists());
        fs::write(daemon.inbox.join("a.csv.ok"), "").unwrap();
        daemon.until_there("a.csv.done");
        daemon.until_there("a.csv.ok.done");
        fs::write(daemon.inbox.join("a.csv"), good("moreaul26")).unwrap();
        daemon.is_well("after.csv");
        assert!(daemon.inbox.join("a.csv").exists(), "a marker serves once");
        fs::write(daemon.inbox.join("a.csv.ok"), "").unwrap();
        daemon.until_there("a.csv.done.20261121-100000");
        daemon.until_there("a.csv.ok.done.20261121-100000");
        fs::rename(program.write("l.csv", good("moreaul26")), daemon.inbox.join("lonely.csv")).unwrap();
        daemon.until_there("lonely.csv.ok.done");
    });
}

/// The remote writer's lock stops all files, which is logged; its removal takes effect at once.
#[test]
fn the_writers_lock() {
    on_the_sample(async |mut site, program| {
        let place = Place::socket(&program.dir);
        let program = program.set("inbox.rescan=3600").set(&place.setting());
        let ready = |code: u16, text: &str| {
            place.get("/readyz").is_some_and(|(found, page)| found == code && page.contains(text))
        };
        program.drop_file("early.csv", good("moreaul26"));
        lock(&program.inbox(), "alock.txt", "", 10);
        let mut daemon = program.start();
        daemon.until_logged("alock.txt keeps 1 file(s) waiting for 10 s");
        daemon.until("a page with the lock", || ready(200, "\"lock\":\"alock.txt keeps all files waiting, for 1"));
        program.drop_file("late.csv", good("moreaul26"));
        assert_eq!(names(&daemon.inbox), ["alock.txt", "early.csv", "late.csv"]);
        assert_eq!(site.told_runs().await, Vec::<String>::new());
        fs::remove_file(daemon.inbox.join("alock.txt")).unwrap();
        daemon.until_there("early.csv.done");
        daemon.until_there("late.csv.done");
        // A second lock is logged again; an old one gets a hint about its writer and still holds.
        lock(&daemon.inbox, "alock.txt", "", 4 * 3_600);
        program.drop_file("later.csv", good("moreaul26"));
        daemon.until_logged("alock.txt keeps 1 file(s) waiting for 14400 s, which is old: is its writer gone?");
        daemon.until("the end of readiness", || ready(503, "alock.txt keeps all files waiting, for 1440"));
        assert!(ready(503, "is its writer gone? Remove it then") && place.get("/healthz").unwrap().0 == 200);
        assert!(daemon.inbox.join("later.csv").exists());
        fs::rename(daemon.inbox.join("alock.txt"), daemon.inbox.join(".gone")).unwrap();
        daemon.until_there("later.csv.done");
        daemon.until("readiness", || ready(200, "\"lock\":null"));
    });
}

/// The lock of another reader is respected for at most three hours, and is never removed.
#[test]
fn another_readers_lock() {
    on_the_sample(async |_, program| {
        let program = program.set("inbox.rescan=1");
        let theirs = "1795255200";
        lock(&program.inbox(), "lock.txt", theirs, 3 * 3_600 - 60);
        program.drop_file("a.csv", good("moreaul26"));
        let mut daemon = program.start();
        daemon.until_logged("lock.txt keeps 1 file(s) waiting");
        assert!(daemon.inbox.join("a.csv").exists());
        aged(&daemon.inbox.join("lock.txt"), 3 * 3_600 + 60);
        daemon.until_there("a.csv.done");
        daemon.is_well("after.csv");
        assert_eq!(fs::read_to_string(daemon.inbox.join("lock.txt")).unwrap(), theirs);
    });
}

/// The lock of a dead daemon of our own does not block; a pipe or a link in its place neither hangs nor is written.
#[test]
fn our_own_lock_and_strange_ones() {
    on_the_sample(async |_, program| {
        let program = program.set("inbox.rescan=1");
        lock(&program.inbox(), "lock.txt", "enrold 4711 1795255200\n", 10);
        let mut daemon = program.lead();
        daemon.is_well("a.csv");
        daemon.until("our lock is removed", || !program.inbox().join("lock.txt").exists());
        let elsewhere = program.dir.join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, daemon.inbox.join("lock.txt")).unwrap();
        fs::rename(program.write("b", good("moreaul26")), daemon.inbox.join("b.csv")).unwrap();
        daemon.until_logged("lock.txt keeps 1 file(s) waiting");
        fs::remove_file(daemon.inbox.join("lock.txt")).unwrap();
        daemon.until_there("b.csv.done");
        assert!(!elsewhere.exists());
        let fifo = daemon.inbox.join("lock.txt");
        // Our own lock may still be there for a moment.
        daemon.until("the pipe is made", || Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        fs::rename(program.write("c", good("moreaul26")), daemon.inbox.join("c.csv")).unwrap();
        daemon.until("the pipe is seen", {
            let inbox = daemon.inbox.clone();
            move || inbox.join("c.csv").exists()
        });
        fs::remove_file(fifo).unwrap();
        daemon.until_there("c.csv.done");
    });
}

/// Hidden names, names with an underscore and names of unfinished files are never touched.
#[test]
fn names_that_are_not_complete() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=0").set("inbox.rescan=1");
        let left = [".hidden.csv", "_x.csv", "a.csv.part", "b.TMP", "c.filepart", "d.csv.Incomplete", "e.csv.fIlEpArT"];
        for name in left {
            program.drop_file(name, good("moreaul26"));
        }
        let mut daemon = program.lead();
        daemon.is_well("x.csv");
        for name in left {
            program.drop_file(name, good("moreaul26"));
        }
        daemon.is_well("y.csv");
        daemon.stop();
        let there = names(&program.inbox());
        assert!(left.iter().all(|name| there.iter().any(|there| there == name)), "{there:?}");
        assert_eq!(site.told_runs().await, ["x.csv done", "y.csv done"]);
    });
}
