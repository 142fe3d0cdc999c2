//! Attacks by accounts that can write to the drop directory: nothing of others is read, changed, removed or stopped.
//! It must not test the handling of regular files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use enrold::db::Params;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::inbox::{HEADER, good, half_good, report};
use crate::inbox_sets::{line, set, source};
use crate::program::{Program, on_the_sample};
use crate::running::{Running, names};
use crate::site::Site;

/// Must not appear in any output.
const SECRET: &str = "S3CRET";

impl Program {
    /// A file beside the drop directory that enrold can read and a feeder cannot.
    fn secret(&self) -> std::path::PathBuf {
        self.write("secret", format!("postgres://enrold:{SECRET}@db/moodle\nadd,student,{SECRET},x\n"))
    }

    fn pipe(&self, name: &str) {
        mknodat(CWD, self.inbox().join(name), FileType::Fifo, Mode::from_raw_mode(0o660), 0).unwrap();
    }

    /// No report or list in the drop directory contains the secret.
    #[track_caller]
    fn tells_nothing(&self) {
        let ours = [".report.json", ".errors.csv", ".retry.csv"];
        for name in names(&self.inbox()).iter().filter(|name| ours.iter().any(|ending| name.ends_with(ending))) {
            let path = self.inbox().join(name);
            if fs::symlink_metadata(&path).unwrap().is_file() {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                assert!(!text.contains(SECRET), "{name}: {text}");
            }
        }
    }
}

impl Running {
    /// The daemon processes the next file and stops on request.
    #[track_caller]
    fn goes_on(mut self) -> String {
        self.is_well("afterwards.csv");
        let log = self.stop();
        assert!(!log.contains(SECRET), "{log}");
        log
    }
}

impl Site {
    /// The token of the last run of a file; the file's working name contains it for a time.
    async fn token(&mut self) -> String {
        let sql = "SELECT token FROM {enrold_run} WHERE token IS NOT NULL ORDER BY id DESC";
        self.conn.row(sql, &Params::new()).await.unwrap().unwrap().text(0)
    }
}

/// A link, a pipe or a socket is not followed, under any name that is opened, and stops nothing.
#[test]
fn what_is_no_file_is_not_opened_under_any_name() {
    on_the_sample(async |mut site, program| {
        let secret = program.secret();
        let program = source(&mut site, &program, "night-*").await;
        let mut daemon = program.lead();
        let shapes = ["night-a.manifest.csv", "zzz.manifest.csv", "night-b.csv", "plain.csv", "lock.txt"];
        let token = "0123456789abcdef";
        for (number, name) in shapes.iter().enumerate() {
            symlink(&secret, program.inbox().join(format!("l{number}-{name}"))).unwrap();
            symlink(&secret, program.inbox().join(format!("{number}-{name}.{token}.work"))).unwrap();
            program.pipe(&format!("p{number}-{name}"));
            program.pipe(&format!("w{number}-{name}.{token}.work"));
        }
        symlink(&secret, program.inbox().join("night-m.manifest.csv")).unwrap();
        program.pipe("night-p.manifest.csv");
        program.pipe("night-c.csv.ok");
        symlink(&secret, program.inbox().join("night-d.csv.ok")).unwrap();
        program.drop_file("night-d.csv", set(1));
        let _socket = std::os::unix::net::UnixListener::bind(program.inbox().join("night-s.manifest.csv")).unwrap();
        symlink(&secret, program.inbox().join("x.csv.held")).unwrap();
        program.pipe("y.csv.held");
        daemon.until_there("night-p.manifest.csv.failed");
        daemon.until_there("night-m.manifest.csv.failed");
        daemon.goes_on();
        program.tells_nothing();
        let why = report(&program.inbox(), "night-m.manifest.csv.report.json");
        assert!(why["problems"][0]["message"].as_str().unwrap().contains("not a regular file"), "{why}");
        assert!(
            fs::symlink_metadata(&secret).unwrap().is_file() && fs::read_to_string(&secret).unwrap().contains(SECRET)
        );
    });
}

/// A feeder chooses the names in a manifest: they must not reach any file outside the drop directory.
#[test]
fn a_manifest_names_nothing_that_is_not_beside_it() {
    on_the_sample(async |mut site, program| {
        let secret = program.secret();
        let program = source(&mut site, &program, "night-*").await;
        symlink(&secret, program.inbox().join("linked.csv")).unwrap();
        program.pipe("piped.csv");
        let sets = [("night-1", "linked.csv"), ("night-2", "piped.csv"), ("night-3", "../secret")];
        for (name, part) in sets {
            program.drop_file(&format!("{name}.manifest.csv"), format!("file,rows,sha256\n{}", line(part, 1, "")));
        }
        let mut daemon = program.lead();
        for (name, _) in sets {
            daemon.until_there(&format!("{name}.manifest.csv.failed"));
        }
        daemon.goes_on();
        program.tells_nothing();
    });
}

/// The token of a finished run is no proof of identity: every reader of the directory can see it in names.
#[test]
fn an_old_token_brings_no_run_back() {
    on_the_sample(async |mut site, program| {
        let secret = program.secret();
        let mut daemon = program.lead();
        program.drop_file("x.csv", half_good());
        daemon.until_there("x.csv.done");
        daemon.until_there("x.csv.report.json");
        let token = site.token().await;
        for name in names(&program.inbox()) {
            let text = fs::read_to_string(program.inbox().join(&name)).unwrap();
            assert!(!text.contains(&token) && !name.contains(&token), "{name}");
        }
        symlink(&secret, program.inbox().join(format!("leak.csv.{token}.work"))).unwrap();
        daemon.until_there("leak.csv.failed");
        // Another file with that token is applied, once.
        program.drop_file(&format!("other.csv.{token}.work"), good("laurentn26"));
        daemon.until_there("other.csv.done");
        // The same size and modification time, but other bytes.
        let done = program.inbox().join("x.csv.done");
        let stood = fs::metadata(&done).unwrap().modified().unwrap();
        let swapped = half_good().replace("moreaul26", "robertz26");
        assert_eq!(swapped.len(), half_good().len());
        fs::write(&done, swapped).unwrap();
        fs::File::options().write(true).open(&done).unwrap().set_modified(stood).unwrap();
        fs::rename(&done, program.inbox().join(format!("z.csv.{token}.work"))).unwrap();
        daemon.until_there("z.csv.done");
        program.pipe(&format!("p.csv.{token}.work"));
        daemon.until_there("p.csv.failed");
        daemon.goes_on();
        program.tells_nothing();
        let runs = site.told_runs().await;
        let applied: Vec<&str> = runs.iter().map(String::as_str).filter(|run| run.contains(" done")).collect();
        assert_eq!(
            applied,
            ["x.csv done-with-errors", "other.csv done", "z.csv done-with-errors", "afterwards.csv done"],
            "{runs:?}"
        );
        let sql = "SELECT COUNT(*) FROM {user_enrolments} x JOIN {user} u ON u.id = x.userid
            JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = 'flatfile' WHERE u.username IN ('moreaul26', 'laurentn26', 'robertz26')";
        assert_eq!(site.conn.number(sql, &Params::new()).await.unwrap(), 3);
    });
}

/// The same file that a run has read, renamed back with its token, is recognised and not applied twice.
#[test]
fn the_same_file_under_its_own_token_is_only_renamed() {
    on_the_sample(async |mut site, program| {
        let mut daemon = program.lead();
        program.drop_file("x.csv", good("moreaul26"));
        daemon.until_there("x.csv.done");
        let token = site.token().await;
        daemon.until("the end", || !program.inbox().join("lock.txt").exists());
        fs::rename(program.inbox().join("x.csv.done"), program.inbox().join(format!("x.csv.{token}.work"))).unwrap();
        daemon.until_there("x.csv.done");
        daemon.goes_on();
        assert_eq!(site.told_runs().await, ["x.csv done", "afterwards.csv done"]);
    });
}

/// A directory that a feeder names like the archive is not the archive, and no link leads the removal by age elsewhere.
#[test]
fn no_directory_is_emptied_through_a_link() {
    on_the_sample(async |_, program| {
        let inbox = program.inbox();
        let victim = program.dir.join("victim");
        fs::create_dir(&victim).unwrap();
        for name in ["a", "b.done", ".hidden", "20261121-100000_00000000_a.csv"] {
            fs::write(victim.join(name), "x").unwrap();
        }
        // The same in the real archive, in case an attacker gets there.
        for above in [inbox.join("_archive/2020"), program.dir.join("state/archive/2020")] {
            fs::create_dir_all(&above).unwrap();
            symlink(&victim, above.join("01")).unwrap();
            symlink(&victim, above.parent().unwrap().join("2021")).unwrap();
        }
        symlink(victim.join("a"), inbox.join("linked.csv.done")).unwrap();
        let path = format!("inbox.path={}", inbox.display());
        let later = program.by_the_real_clock().at(4_000_000_000);
        later.run(&["--set", &path, "--set", "retention.archives_days=1", "run", "--once"]).ends(0);
        assert_eq!(names(&victim).len(), 4, "{:?}", names(&victim));
    });
}

/// An archive that feeders can write to is refused.
#[test]
fn an_archive_in_the_drop_directory_is_refused() {
    on_the_sample(async |_, program| {
        let inbox = program.inbox();
        for archive in [inbox.join("_archive"), inbox.clone(), inbox.join("./a/../b")] {
            let sets = [format!("inbox.path={}", inbox.display()), format!("inbox.archive={}", archive.display())];
            let answer = program.run(&["--set", &sets[0], "--set", &sets[1], "doctor"]).ends(2);
            answer.logs(&["inbox.archive", "lies in the drop directory"]);
        }
    });
}

/// A file that is too large is refused without reading; SIGTERM interrupts the reading of an accepted one.
#[test]
fn a_file_without_end_stops_nobody() {
    on_the_sample(async |_, program| {
        let sparse = |name: &str| {
            let hidden = program.inbox().join(format!(".{name}"));
            fs::File::create(&hidden).unwrap().set_len(1 << 40).unwrap();
            fs::rename(&hidden, program.inbox().join(name)).unwrap();
        };
        let mut daemon = program.lead();
        sparse("large.csv");
        daemon.until_there("large.csv.failed");
        let why = report(&program.inbox(), "large.csv.report.json");
        assert_eq!(why["problems"][0]["code"], "file-too-large", "{why}");
        daemon.goes_on();
        for name in ["a.csv", "a.manifest.csv", "night.csv"] {
            let program = program.clone().set("limits.file_mib=1048576").set("sources.night.files=night*.csv");
            let mut daemon = program.lead();
            sparse(name);
            let inode = fs::metadata(program.inbox().join(name)).unwrap().ino();
            let fds = format!("/proc/{}/fd", daemon.pid());
            daemon.until("it is read", || {
                fs::read_dir(&fds).unwrap().any(|fd| fs::metadata(fd.unwrap().path()).is_ok_and(|it| it.ino() == inode))
            });
            daemon.stop();
            for name in names(&program.inbox()).iter().filter(|lying| lying.starts_with(name)) {
                fs::remove_file(program.inbox().join(name)).unwrap();
            }
        }
    });
}

/// A spreadsheet executes nothing in a list of errors; the retry file keeps every byte.
#[test]
fn no_cell_of_a_list_of_errors_is_a_formula() {
    on_the_sample(async |_, program| {
        let wrong = ["=cmd|' /C calc'!A0", "@SUM(1+1)", "+1", "-2", "nobody;=HYPERLINK(1)"];
        let lines: Vec<String> = wrong.iter().map(|user| format!("add,{user},L1-MATH-101,student")).collect();
        let begins = "=1+1,x,L1-MATH-101,student";
        program.drop_file("a.csv", format!("{HEADER}{}\n{begins}\n", lines.join("\n")));
        let inbox = format!("inbox.path={}", program.inbox().display());
        program.run(&["--set", &inbox, "--set", "inbox.settle=0", "--set", "guard.mode=off", "run", "--once"]).ends(4);
        let mut errors = csv::Reader::from_path(program.inbox().join("a.csv.errors.csv")).unwrap();
        let cells: Vec<String> =
            errors.records().flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect();
        assert!(cells.len() >= 4 * 6, "{cells:?}");
        for part in cells.iter().flat_map(|cell| cell.split([';', ',', '\t', '\n'])) {
            assert!(!part.starts_with(['=', '+', '-', '@']), "{part} in {cells:?}");
        }
        let retry = fs::read_to_string(program.inbox().join("a.csv.retry.csv")).unwrap();
        assert_eq!(retry, format!("{HEADER}{}\n{begins}\n", lines.join("\n")));
    });
}

/// A file without any valid line may be confidential: its lists give the line numbers and none of the content.
#[test]
fn a_file_that_is_not_understood_is_not_quoted() {
    on_the_sample(async |_, program| {
        let key = "-----BEGIN KEY-----\nS3CRETS3CRETS3CRET\nS3CRET,S3CRET\nlogin:S3CRET:x\n-----END KEY-----\n";
        program.drop_file("key.pem", key);
        program.drop_file("names.csv", "S3CRET;b;c;d;e;f\n1;2;3;4;5;6\n");
        let inbox = format!("inbox.path={}", program.inbox().display());
        program.run(&["--set", &inbox, "--set", "inbox.settle=0", "--set", "guard.mode=off", "run", "--once"]);
        assert!(program.inbox().join("key.pem.report.json").exists());
        program.tells_nothing();
        assert!(!program.inbox().join("key.pem.retry.csv").exists());
    });
}

/// File modes do not depend on the umask of the caller: lists are readable for the group, the lock too.
#[test]
fn lists_have_their_modes_under_any_umask() {
    for umask in ["000", "077"] {
        on_the_sample(async move |_, program| {
            let script = format!("umask {umask}; exec \"$@\"");
            let mut daemon = program.start_within(&["sh", "-c", &script, "sh"]);
            daemon.until_logged("is watched");
            program.drop_file("a.csv", half_good());
            for name in ["a.csv.errors.csv", "a.csv.report.json", "a.csv.retry.csv"] {
                let path = daemon.until_there(name);
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640, "{name} {umask}");
            }
            daemon.until_there("a.csv.done");
            program.drop_file("held.csv", "");
            daemon.until_there("held.csv.held");
            daemon.stop();
            closed(&program.dir.join("state"));
        });
    }
}

/// Other accounts cannot read anything below a directory of enrold's own.
#[track_caller]
fn closed(dir: &Path) {
    for name in names(dir).iter().filter(|name| *name != "enrold.sqlite") {
        let path = dir.join(name);
        let status = fs::symlink_metadata(&path).unwrap();
        assert_eq!(status.mode() & 0o007, 0, "{}", path.display());
        if status.is_dir() {
            closed(&path);
        }
    }
}

/// A directory in place of a list prevents neither the renaming of the file nor the writing of the list.
#[test]
fn what_lies_in_the_way_of_a_list_stays_there() {
    on_the_sample(async |_, program| {
        let mut daemon = program.lead();
        for name in ["a.csv.report.json", "a.csv.errors.csv"] {
            fs::create_dir(program.inbox().join(name)).unwrap();
        }
        symlink(program.secret(), program.inbox().join("a.csv.retry.csv")).unwrap();
        program.drop_file("a.csv", half_good());
        daemon.until("its end", || names(&program.inbox()).iter().any(|name| name.starts_with("a.csv.done")));
        daemon.goes_on();
        program.tells_nothing();
        let lists = names(&program.inbox()).into_iter().filter(|name| name.ends_with(".retry.csv")).collect::<Vec<_>>();
        assert_eq!(lists.len(), 2, "{lists:?}");
        assert_eq!(
            OsStr::new("secret"),
            fs::read_link(program.inbox().join("a.csv.retry.csv")).unwrap().file_name().unwrap()
        );
    });
}

/// A list without room for all problems states this in its last record.
#[test]
fn a_list_that_is_cut_says_so() {
    on_the_sample(async |_, program| {
        let lines: String = (0..5).map(|number| format!("add,nobody{number},L1-MATH-101,student\n")).collect();
        program.drop_file("a.csv", format!("{HEADER}{lines}"));
        let inbox = format!("inbox.path={}", program.inbox().display());
        let program = program.set("limits.problems=2").set("guard.mode=off");
        program.run(&["--set", &inbox, "--set", "inbox.settle=0", "run", "--once"]).ends(4);
        let text = fs::read_to_string(program.inbox().join("a.csv.errors.csv")).unwrap();
        assert_eq!(text.lines().count(), 1 + 2 + 1, "{text}");
        let last = text.lines().last().unwrap();
        assert!(last.contains("of 5 problems the first 2 are kept"), "{last}");
    });
}
