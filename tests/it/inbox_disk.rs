//! Full disks, and writers that are not finished when their file is read: applied once and whole, or not yet.
//! It must not test permissions or directories.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use enrold::db::{Dialect, Params};

use crate::inbox::{HEADER, good, half_good, inside, report};
use crate::outside::Manager;
use crate::program::{Program, on_the_sample};
use crate::running::{Running, names};
use crate::servers::run_on;
use crate::service_web::Place;
use crate::site::Site;

/// Fills a file system to the last byte.
fn fill(dir: &Path) {
    let mut filler = File::create(dir.join(".filler")).unwrap();
    for size in [4096, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// No room for the report: the run is committed, and the file is renamed when there is room.
#[test]
fn no_room_in_the_drop_directory() {
    on_the_sample(async |mut site, program| {
        let inbox = program.inbox();
        let place = Place::socket(&program.dir);
        let program = program.set(&place.setting());
        let mut daemon = program.start_mounted("mount -t tmpfs -o size=64k none \"$1\"", &inbox);
        daemon.is_well("a.csv");
        for name in ["b.csv", "c.csv"] {
            fs::write(daemon.inbox.join(format!(".{name}")), half_good()).unwrap();
        }
        fill(&daemon.inbox);
        for name in ["b.csv", "c.csv"] {
            fs::rename(daemon.inbox.join(format!(".{name}")), daemon.inbox.join(name)).unwrap();
        }
        daemon.until_logged_often(2, "has ended, but its file keeps the name");
        daemon.until_logged("No space left on device");
        // They are tried again after 5 s, and each is counted and logged once.
        let full = Instant::now();
        daemon.until("the next try", || full.elapsed() > Duration::from_secs(7));
        assert_eq!(place.metric("enrold_lines_total", "failed"), 4.0);
        assert_eq!(daemon.log().matches("has ended, but its file keeps the name").count(), 2, "{}", daemon.log());
        let works = || names(&daemon.inbox).iter().filter(|name| name.ends_with(".work")).count();
        let seen = works();
        assert!(seen >= 1, "{:?}", names(&daemon.inbox));
        fs::remove_file(daemon.inbox.join(".filler")).unwrap();
        for name in ["b.csv", "c.csv"] {
            for ending in ["done", "report.json", "errors.csv", "retry.csv"] {
                daemon.until_there(&format!("{name}.{ending}"));
            }
            assert_eq!(report(&daemon.inbox, &format!("{name}.report.json"))["state"], "done-with-errors");
        }
        daemon.is_well("d.csv");
        assert_eq!(place.metric("enrold_lines_total", "failed"), 4.0);
        assert_eq!(daemon.log().matches(".csv: done-with-errors").count(), 2, "{}", daemon.log());
        assert_eq!(
            site.told_runs().await,
            ["a.csv done", "b.csv done-with-errors", "c.csv done-with-errors", "d.csv done"]
        );
    });
}

/// No room for the copy of a held file: it is not held and not applied yet; it is held when there is room.
#[test]
fn no_room_in_the_state_directory() {
    on_the_sample(async |mut site, program| {
        let state = program.dir.join("state");
        fs::create_dir_all(&state).unwrap();
        let (manager, place) = (Manager::listen(&program.dir), Place::socket(&program.dir));
        let served = manager.of(&program).set(&place.setting());
        let mut daemon = served.start_mounted("mount -t tmpfs -o size=64k none \"$1\"", &state);
        daemon.inbox = program.inbox();
        let seen = inside(&daemon, &state);
        daemon.until("readiness", || place.is(200, "ready"));
        assert_eq!(place.metric("enrold_state_up", ""), 1.0);
        fill(&seen);
        program.drop_file("a.csv", HEADER);
        daemon.until_logged("No space left on device");
        daemon.until_logged("nothing was applied, trying again in");
        daemon.is_well("b.csv");
        assert!(!program.inbox().join("a.csv.held").exists());
        daemon.until("the end of readiness", || place.is(503, "not-ready"));
        assert!(place.ready().unwrap().2.contains("the state directory cannot be used: cannot use "));
        assert_eq!((place.get("/healthz").unwrap().0, place.metric("enrold_state_up", "")), (200, 0.0));
        daemon.until("the status of an idle daemon", || {
            manager.words().last().is_some_and(|word| {
                word.starts_with("STATUS=watching ") && word.contains("; waiting for the state directory: cannot use ")
            })
        });
        fs::remove_file(seen.join(".filler")).unwrap();
        daemon.until_there("a.csv.held");
        daemon.until("readiness again", || place.is(200, "ready"));
        assert_eq!(place.metric("enrold_state_up", ""), 1.0);
        daemon.is_well("c.csv");
        let runs = site.told_runs().await;
        let state = |name: &str| runs.iter().rfind(|run| run.starts_with(name)).cloned().unwrap();
        assert_eq!((state("a.csv").as_str(), state("c.csv").as_str()), ("a.csv held", "c.csv done"));
    });
}

/// Makes a run wait in the middle, by a lock on a table that it needs.
async fn held_up(site: &mut Site, table: &str) {
    site.conn.begin().await.unwrap();
    site.sql(&format!("LOCK TABLE {{{table}}} IN ACCESS EXCLUSIVE MODE")).await;
}

/// Waits for a run in this state; by then the file is open.
async fn until_run(site: &mut Site, daemon: &Running, file: &str, state: &str) {
    let sql = "SELECT COUNT(*) FROM {enrold_run} WHERE source LIKE :file AND state = :state";
    let params = Params::new().with("file", format!("%{file}")).with("state", state);
    let begun = Instant::now();
    while site.conn.number(sql, &params).await.unwrap() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no run of {file} {state}; the log:\n{}", daemon.log());
        tokio::task::yield_now().await;
    }
}

async fn on_postgres(site: &mut Site) -> Program {
    site.sampled().await.set("inbox.settle=0").set("inbox.rescan=1")
}

/// Drops a file by a premature rename: its writer still has it open.
fn too_early(program: &Program, name: &str, content: &str) -> File {
    let hidden = program.write(&format!(".{name}"), content);
    let writer = File::options().write(true).open(&hidden).unwrap();
    fs::rename(hidden, program.inbox().join(name)).unwrap();
    writer
}

/// The file grows while it is read: no part is applied, and the whole only after its writer has closed it.
#[test]
fn a_file_that_grows_while_it_is_read() {
    run_on(Dialect::Postgres, async |mut site: Site| {
        let program = on_postgres(&mut site).await;
        let mut daemon = program.lead();
        daemon.is_well("first.csv");
        held_up(&mut site, "user_enrolments").await;
        let mut writer = too_early(&program, "a.csv", &good("moreaul26"));
        until_run(&mut site, &daemon, "a.csv", "running").await;
        writer.seek(SeekFrom::End(0)).unwrap();
        writer.write_all(b"add,laurentn26,L1-MATH-101,student\n").unwrap();
        site.conn.rollback().await.unwrap();
        daemon.until_logged("a.csv was not complete: it was written to while it was read; nothing was applied");
        daemon.until_there("a.csv");
        let put_back = Instant::now();
        daemon.until("the pause", || put_back.elapsed() > Duration::from_secs(6));
        daemon.is_well("b.csv");
        assert!(program.inbox().join("a.csv").exists(), "its writer has it open:\n{}", daemon.log());
        writer.write_all(b"add,lefebvrei26,L1-MATH-101,student\n").unwrap();
        drop(writer);
        daemon.until_there("a.csv.done");
        assert_eq!(report(&daemon.inbox, "a.csv.report.json")["lines"]["records"], 3);
        assert_eq!(site.told_runs().await, ["first.csv done", "a.csv failed", "b.csv done", "a.csv done"]);
    });
}

/// Truncated, or overwritten with as many bytes, while it is read; another file of that name is dropped meanwhile.
#[test]
fn a_file_that_is_cut_or_written_over_while_it_is_read() {
    run_on(Dialect::Postgres, async |mut site: Site| {
        let program = on_postgres(&mut site).await;
        let mut daemon = program.lead();
        daemon.is_well("first.csv");
        for (name, cut) in [("cut.csv", true), ("over.csv", false)] {
            held_up(&mut site, "user_enrolments").await;
            let mut writer = too_early(&program, name, &half_good());
            until_run(&mut site, &daemon, name, "running").await;
            if cut {
                writer.set_len(HEADER.len() as u64 + 4).unwrap();
                writer.seek(SeekFrom::Start(HEADER.len() as u64)).unwrap();
            }
            let whole = good("moreaul26");
            let rest = if cut { &whole[HEADER.len()..] } else { &whole };
            writer.write_all(rest.as_bytes()).unwrap();
            writer.set_len(whole.len() as u64).unwrap();
            drop(writer);
            program.drop_file(name, good("laurentn26"));
            site.conn.rollback().await.unwrap();
            daemon.until_logged(&format!("{name} was not complete"));
            daemon.until_there(&format!("{name}.done"));
            daemon.until_there(&format!("{name}.done.20261121-100000"));
        }
        daemon.stop();
        let mut runs = site.told_runs().await;
        runs.sort();
        let thrice = |name: &str| [format!("{name} done"), format!("{name} done"), format!("{name} failed")];
        let first = ["first.csv done".to_owned()];
        assert_eq!(runs, [&thrice("cut.csv")[..], &first, &thrice("over.csv")].concat());
        assert!(!names(&program.inbox()).iter().any(|name| name.ends_with(".work")));
    });
}

/// The file grows after it was read and before it is renamed: the whole file is applied again, nothing is lost.
#[test]
fn a_file_that_grows_after_its_commit() {
    run_on(Dialect::Postgres, async |mut site: Site| {
        let program = on_postgres(&mut site).await;
        let mut daemon = program.lead();
        daemon.is_well("first.csv");
        held_up(&mut site, "cache_flags").await;
        let mut writer = too_early(&program, "a.csv", &good("moreaul26"));
        until_run(&mut site, &daemon, "a.csv", "done").await;
        writer.seek(SeekFrom::End(0)).unwrap();
        writer.write_all(b"add,laurentn26,L1-MATH-101,student\n").unwrap();
        drop(writer);
        site.conn.rollback().await.unwrap();
        daemon.until_logged("and is read again whole");
        daemon.until_there("a.csv.done");
        assert_eq!(report(&daemon.inbox, "a.csv.report.json")["lines"]["records"], 2);
        daemon.is_well("b.csv");
        assert_eq!(site.told_runs().await, ["first.csv done", "a.csv done", "a.csv done", "b.csv done"]);
    });
}
