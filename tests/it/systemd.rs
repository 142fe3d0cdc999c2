//! The files of `systemd/` as systemd itself reads them: units, accounts, directories, and how much is locked.
//! It must not need a running systemd, nor root.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");

/// The files of `systemd/` with one of these extensions, by name.
fn delivered(extensions: &[&str]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(DIR).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extensions.iter().any(|other| extension == *other)));
    paths.sort();
    paths
}

fn run(program: &str, words: &[&str], paths: &[&Path]) -> Output {
    let command = Command::new(program).args(words).args(paths).output();
    command.unwrap_or_else(|error| panic!("{program}: {error}; it is in the package systemd, which ./test installs"))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, said(output));
}

/// A unit where a program that is not installed on this machine is the one under test; all else as delivered.
fn with_programs(unit: &str) -> String {
    let line = |line: &str| {
        let Some((key, command)) = line.split_once('=').filter(|(key, _)| key.starts_with("Exec")) else {
            return line.to_owned();
        };
        let words = command.trim_start_matches(['@', '-', ':', '+', '!']);
        let program = words.split_whitespace().next().unwrap_or_default();
        if Path::new(program).exists() {
            return line.to_owned();
        }
        format!("{key}={}", command.replacen(program, env!("CARGO_BIN_EXE_enrold"), 1))
    };
    unit.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn each_unit_is_understood_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut copies = Vec::new();
    for path in delivered(&["service", "path", "timer", "socket"]) {
        let copy = dir.path().join(path.file_name().unwrap());
        std::fs::write(&copy, with_programs(&std::fs::read_to_string(&path).unwrap())).unwrap();
        copies.push(copy);
    }
    assert!(copies.len() >= 2, "{copies:?}");
    for copy in &copies {
        let output = run("systemd-analyze", &["verify", "--recursive-errors=no"], &[copy]);
        // An unknown key is only a warning to systemd. Other units of this machine are none of our business.
        let text = said(&output);
        let about_us: Vec<&str> = text.lines().filter(|line| line.contains("enrold")).collect();
        assert!(about_us.is_empty(), "{about_us:?}");
        succeeded(&output);
    }
}

#[test]
fn the_daemon_is_exposed_to_at_most_two_of_ten() {
    for name in ["enrold.service", "enrold@.service"] {
        let path = Path::new(DIR).join(name);
        let words = ["security", "--offline=true", "--threshold=20", "--no-pager"];
        succeeded(&run("systemd-analyze", &words, &[&path]));
    }
}

#[test]
fn the_template_is_as_locked_as_the_single_service() {
    let sandbox = |name: &str| -> Vec<String> {
        let unit = std::fs::read_to_string(Path::new(DIR).join(name)).unwrap();
        let (_, locked) = unit.split_once("# What an attacker inside the process would find locked.").unwrap();
        locked.lines().map(str::to_owned).collect()
    };
    assert_eq!(sandbox("enrold.service"), sandbox("enrold@.service"));
}

/// A root directory in which accounts can be made or looked up.
fn root() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    dir
}

fn rooted(dir: &TempDir) -> String {
    format!("--root={}", dir.path().display())
}

#[test]
fn the_accounts_can_be_made() {
    let root = root();
    let file = Path::new(DIR).join("enrold.sysusers");
    succeeded(&run("systemd-sysusers", &["--dry-run"], &[&file]));
    succeeded(&run("systemd-sysusers", &[&rooted(&root)], &[&file]));
    let etc = |name: &str| std::fs::read_to_string(root.path().join("etc").join(name)).unwrap();
    let account = etc("passwd").lines().find(|line| line.starts_with("enrold:")).map(str::to_owned).unwrap();
    assert!(account.contains(":/var/lib/enrold:") && account.ends_with("/nologin"), "{account}");
    let groups = etc("group");
    let drop = groups.lines().find(|line| line.starts_with("enrold-drop:")).unwrap();
    assert!(drop.ends_with(":enrold"), "{drop}");
}

#[test]
fn the_directories_can_be_made() {
    let root = root();
    // Names are looked up in this root: all of them are whoever runs the test, so that it needs no root.
    let me = std::fs::metadata(root.path()).unwrap();
    let (user, group) = (me.uid(), me.gid());
    let etc = |name: &str, text: String| std::fs::write(root.path().join("etc").join(name), text).unwrap();
    etc("passwd", format!("enrold:x:{user}:{group}::/:/bin/false\n"));
    etc("group", ["enrold", "enrold-drop", "www-data"].map(|name| format!("{name}:x:{group}:\n")).concat());
    let file = Path::new(DIR).join("enrold.tmpfiles");
    let output = run("systemd-tmpfiles", &["--create", &rooted(&root)], &[&file]);
    succeeded(&output);
    assert_eq!(said(&output), "");
    for (path, mode) in [("var/lib/enrold", 0o711), ("var/lib/enrold/sync", 0o2770), ("var/spool/enrold", 0o2770)] {
        let found = std::fs::metadata(root.path().join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
    }
}
