//! `enrold hook` as a child process on a real spool, with real commands, and its systemd units.
//! It must not need a database: the command has none.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{Answer, Program};

/// Appends the input and the environment to a file.
const RECORD: &str = r#"{ printf '%s %s ' "$ENROLD_RUN" "$ENROLD_SPOOL_FILE"; cat; } >>../record"#;

/// A spool, with a shell as the site's command.
struct Spool {
    home: TempDir,
    dir: PathBuf,
}

impl Spool {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("spool");
        fs::create_dir(&dir).unwrap();
        Self { home, dir }
    }

    /// A spool with the files of these runs.
    fn of(runs: &[i64]) -> Self {
        let spool = Self::new();
        for run in runs {
            spool.write(&name(*run), &content(*run));
        }
        spool
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.dir.join(name), content).unwrap();
    }

    /// All names in the spool.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What the command recorded.
    fn record(&self) -> String {
        fs::read_to_string(self.home.path().join("record")).unwrap_or_default()
    }

    /// The expected record if the command got the files of these runs, in this order.
    fn record_of(&self, runs: &[i64]) -> String {
        runs.iter().map(|run| format!("{run} {} {}", self.dir.join(name(*run)).display(), content(*run))).collect()
    }

    fn words(&self, script: &str) -> Vec<String> {
        let dir = self.dir.display().to_string();
        ["hook", "--spool", &dir, "--timeout", "600", "--", "/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    /// Runs the hook in the spool with a script of the shell.
    fn hook(&self, script: &str) -> Answer {
        let words = self.words(script);
        Program::bare(&self.dir).run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts the hook with a script that prints a line once it works.
    fn start(&self, script: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
        command.args(self.words(script)).current_dir(&self.dir).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn name(run: i64) -> String {
    format!("{run:010}.json")
}

fn content(run: i64) -> String {
    format!(
        "{{\"version\":1,\"run\":{run},\"kind\":\"import\",\"source\":\"a.csv\",\"clock\":1,\"courses\":[2,3],\"users\":[4],\"groups\":[]}}\n"
    )
}

/// The remaining output of a child, complete when no process holds its output any more.
fn rest(child: &mut Child) -> String {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

#[test]
fn every_file_is_given_in_order_and_removed() {
    let spool = Spool::of(&[10, 2, 12_345_678_901, 9]);
    let others = [".0000000003.json", "17.json", "0000000001.json.bad", "0000000004.json~", "notes.txt"];
    for other in others {
        spool.write(other, "{");
    }
    let answer = spool.hook(RECORD).ends(0).logs(&["run 2: the command is done (courses: 2, users: 1, groups: 0)"]);
    assert_eq!(answer.out, "");
    assert!(!answer.log.contains("a.csv"), "no name of a file: {}", answer.log);
    assert_eq!(spool.record(), spool.record_of(&[2, 9, 10, 12_345_678_901]));
    let mut left = others.to_vec();
    left.sort_unstable();
    assert_eq!(spool.names(), left);
    spool.hook(RECORD).ends(0);
    assert_eq!(spool.record(), spool.record_of(&[2, 9, 10, 12_345_678_901]), "nothing is given twice");
}

#[test]
fn a_failure_keeps_the_order_for_the_next_try() {
    let spool = Spool::of(&[1, 2, 3]);
    let fails = format!("{RECORD}; test $ENROLD_RUN != 2 || exit 9");
    spool.hook(&fails).ends(1).logs(&["0000000002.json waits for the next try", "exit status: 9"]);
    assert_eq!(spool.names(), [name(2), name(3)]);
    assert_eq!(spool.record(), spool.record_of(&[1, 2]));
    spool.hook(RECORD).ends(0);
    assert_eq!(spool.record(), spool.record_of(&[1, 2, 2, 3]));
    assert_eq!(spool.names(), [""; 0]);
}

#[test]
fn a_file_that_comes_meanwhile_is_given_too() {
    let spool = Spool::of(&[5]);
    spool.write("next", &content(6));
    spool.hook(&format!("{RECORD}; test $ENROLD_RUN != 5 || mv next 0000000006.json")).ends(0);
    assert_eq!(spool.record(), spool.record_of(&[5, 6]));
    assert_eq!(spool.names(), [""; 0]);
}

/// The command returns only when no process holds its output any more: the child of the site's command is killed too.
#[test]
fn a_command_that_never_ends_is_killed_with_all_it_started() {
    let spool = Spool::of(&[1, 2]);
    let dir = spool.dir.display().to_string();
    let endless = ["hook", "--spool", &dir, "--timeout", "1", "--", "/bin/sh", "-c", "sleep 100000 & wait"];
    let answer = Program::bare(&spool.dir).run(&endless);
    answer.ends(1).logs(&["0000000001.json waits for the next try", "more than 1 s and was killed"]);
    assert_eq!(spool.names(), [name(1), name(2)]);
}

#[test]
fn a_hook_that_is_told_to_stop_takes_the_command_along() {
    for told in [Signal::TERM, Signal::INT] {
        let spool = Spool::of(&[1]);
        let mut hook = spool.start("echo at work; sleep 100000 & wait");
        let mut out = BufReader::new(hook.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        kill_process(Pid::from_child(&hook), told).unwrap();
        out.read_line(&mut String::new()).unwrap();
        let log = rest(&mut hook);
        assert_eq!(hook.wait().unwrap().code(), Some(1), "{log}");
        assert!(log.contains("told to stop"), "{log}");
        assert_eq!(spool.names(), [name(1)]);
    }
}

#[test]
fn of_two_hooks_one_works() {
    let spool = Spool::of(&[1, 2]);
    let mut first = spool.start("test -p ../gate || mkfifo ../gate; echo at work; cat ../gate >/dev/null");
    let mut out = BufReader::new(first.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    let second = spool.hook(RECORD).ends(0);
    assert_eq!((second.out.as_str(), second.log.as_str(), spool.record().as_str()), ("", "", ""));
    assert_eq!(spool.names(), [name(1), name(2)]);
    let gate = spool.home.path().join("gate");
    fs::write(&gate, "").unwrap();
    out.read_line(&mut String::new()).unwrap();
    fs::write(&gate, "").unwrap();
    let log = rest(&mut first);
    assert_eq!(first.wait().unwrap().code(), Some(0), "{log}");
    assert_eq!(spool.names(), [""; 0]);
}

#[test]
fn what_is_no_file_of_ours_is_put_aside_and_blocks_nobody() {
    let spool = Spool::of(&[8]);
    spool.write(&name(1), "{\"version\":1,\"run\":1,");
    spool.write(&name(2), "");
    spool.write(&name(3), "[]");
    spool.write(&name(4), &content(40));
    fs::create_dir(spool.dir.join(name(5))).unwrap();
    symlink("/etc/hostname", spool.dir.join(name(6))).unwrap();
    Command::new("mkfifo").arg(spool.dir.join(name(7))).status().unwrap();
    spool.write("0000000001.json.bad", "of yesterday");
    let answer = spool.hook(RECORD).ends(4);
    answer.logs(&["it is of run 40", "not a regular file", "a symbolic link", "it is now", "0000000001.json.2.bad"]);
    assert_eq!(spool.record(), spool.record_of(&[8]));
    let mut bad: Vec<String> = (1..=7).map(|run| format!("{run:010}.json.bad")).collect();
    bad.insert(0, "0000000001.json.2.bad".to_owned());
    assert_eq!(spool.names(), bad);
    assert_eq!(fs::read_to_string(spool.dir.join("0000000001.json.bad")).unwrap(), "of yesterday");
    spool.hook(RECORD).ends(0);
}

#[test]
fn a_file_of_a_newer_enrold_waits_for_it() {
    let spool = Spool::of(&[2]);
    spool.write(&name(1), "{\"version\":2,\"run\":1,\"changes\":[]}");
    spool.hook(RECORD).ends(1).logs(&["has version 2", "install the enrold that wrote it"]);
    assert_eq!((spool.record().as_str(), spool.names()), ("", vec![name(1), name(2)]));
}

#[test]
fn a_spool_or_command_that_is_not_there() {
    let spool = Spool::of(&[1]);
    let nowhere = spool.home.path().join("nowhere").display().to_string();
    let bare = Program::bare(&spool.dir);
    bare.run(&["hook", "--spool", &nowhere, "--", "true"]).ends(1).logs(&["cannot use the spool", &nowhere]);
    let file = spool.dir.join(name(1)).display().to_string();
    bare.run(&["hook", "--spool", &file, "--", "true"]).ends(1).logs(&["cannot use the spool", &file]);
    let dir = spool.dir.display().to_string();
    bare.run(&["hook", "--spool", &dir, "--", "/nowhere/php", "x"]).ends(1).logs(&["cannot start /nowhere/php"]);
    bare.run(&["hook", "--spool", &dir]).ends(2);
    bare.run(&["hook", "--spool", &dir, "--timeout", "0", "--", "true"]).ends(2);
    assert_eq!(spool.names(), [name(1)]);
}

/// The hook does not read the site's settings, so broken ones do not matter.
#[test]
fn no_configuration_is_read() {
    let spool = Spool::of(&[1]);
    let dir = spool.dir.display().to_string();
    let program = Program::bare(&spool.dir).env("ENROLD__DATABASE__URL_FILE", "/nowhere").env("ENROLD__NO__SUCH", "1");
    program.run(&["config"]).ends(2);
    program.run(&["hook", "--spool", &dir, "--", "/bin/sh", "-c", RECORD]).ends(0);
    assert_eq!(spool.record(), spool.record_of(&[1]));
}

/// The programs of this machine replace those of an installed system.
#[test]
fn the_units_are_well_formed() {
    let home = tempfile::tempdir().unwrap();
    let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let units = ["enrold-moodle-hook.path", "enrold-moodle-hook.service"].map(|unit| {
        let text = fs::read_to_string(systemd.join(unit)).unwrap();
        let text = text.replace("/usr/bin/enrold", env!("CARGO_BIN_EXE_enrold")).replace("/usr/bin/php", "/bin/true");
        let path = home.path().join(unit);
        fs::write(&path, text).unwrap();
        path
    });
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(units);
    let output = verify.output().expect("systemd-analyze, of systemd");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && log.is_empty(), "{log}");
}

/// The program accepts the options of the unit.
#[test]
fn the_command_of_the_unit_works() {
    let spool = Spool::of(&[1]);
    let unit = include_str!("../../systemd/enrold-moodle-hook.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/enrold ")).unwrap();
    let start = start.replace("/var/spool/enrold", &spool.dir.display().to_string());
    let (hook, command) = start.split_once(" -- ").unwrap();
    assert_eq!(command, "/usr/bin/php /usr/share/enrold/enrold-moodle-hook.php ${MOODLE}");
    let words: Vec<&str> = hook.split(' ').chain(["--", "/bin/sh", "-c", RECORD]).collect();
    Program::bare(&spool.dir).run(&words).ends(0);
    assert_eq!(spool.record(), spool.record_of(&[1]));
}
