//! The units under a real systemd that the test boots: what a shell can do in them, which host accounts have access,
//! and manual commands. It must not need anything but root, namespaces and what `tests/manager` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const MANAGER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manager");

/// The exit code of `tests/manager` if systemd cannot be booted.
const CANNOT: i32 = 125;

/// The lines with this first word in a file written by the machine, without the word.
fn told(dir: &Path, name: &str, word: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// One boot for all checks, because it is the most expensive step. If systemd cannot be booted (an ordinary account,
/// most containers), the test prints this; then only the tests of `systemd.rs` check the files of `systemd/`.
#[test]
fn the_units_under_a_real_systemd() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::copy(env!("CARGO_BIN_EXE_enrold"), dir.join("enrold")).unwrap();
    for (name, text) in [
        ("setup", include_str!("booted/setup")),
        ("probe", include_str!("booted/probe")),
        ("drive", include_str!("booted/drive")),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    let output = Command::new(MANAGER).arg(dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(CANNOT) {
        eprintln!("{said}the units were not probed: only what they say was looked at (tests of systemd.rs)");
        return;
    }
    let all: String = ["log", "probed", "probed@", "driven", "daemons"]
        .iter()
        .map(|name| format!("--- {name}\n{}", fs::read_to_string(dir.join(name)).unwrap_or_default()))
        .collect();
    assert!(output.status.success() && all.contains("\ndriven\n"), "{}: {said}{all}", output.status);
    what_a_shell_can_do(dir, &all);
    who_gets_at_what(dir, &all);
    what_doctor_says(dir, &all);
}

/// The process can write to its own directories only, and cannot read the file with the password.
fn what_a_shell_can_do(dir: &Path, all: &str) {
    let temporary = ["/tmp", "/var/tmp"];
    let single = ["/run/enrold", "/var/lib/enrold", "/var/lib/enrold/archive", "/var/lib/enrold/sync"];
    let shared = ["/var/lib/enrold/law", "/var/lib/enrold/law/sync", "/var/spool/enrold"];
    let of_law = ["/run/enrold-law", "/var/lib/enrold/law", "/var/lib/enrold/law/sync"];
    let expected = set(&[&temporary[..], &single, &shared].concat());
    assert_eq!(told(dir, "probed", "writes"), expected, "{all}");
    assert_eq!(told(dir, "probed@", "writes"), set(&[&temporary[..], &of_law].concat()), "{all}");
    for (file, secret) in [("probed", "sqlite:/var/lib/enrold/site.sqlite"), ("probed@", "none")] {
        assert_eq!(told(dir, file, "user"), set(&["enrold"]), "{all}");
        assert_eq!(told(dir, file, "reads"), set(&[]), "{all}");
        assert_eq!(told(dir, file, "credential"), set(&[&format!("database_url {secret}")]), "{all}");
        assert_eq!(told(dir, file, "connects"), set(&["answer"]), "{all}");
    }
}

/// The examination has the sandbox of the service, or says that it has not and how to get it.
fn what_doctor_says(dir: &Path, all: &str) {
    let level = |word: &str, code: &str| -> Option<String> {
        let found = told(dir, "driven", word);
        let mut levels =
            found.iter().filter_map(|line| line.split_once(' ')).filter(|(_, rest)| rest.starts_with(code));
        levels.next().map(|(level, _)| level.to_owned())
    };
    for (word, service, inbox, group) in [
        ("by-root", "WARNING", "ok", None),
        ("confined", "ok", "ok", None),
        ("law-confined", "ok", "ok", None),
        ("elsewhere", "ok", "WARNING", None),
        ("opened", "ok", "ok", None),
        ("given", "ok", "ok", Some("WARNING")),
        ("mended", "ok", "ok", None),
    ] {
        assert_eq!(level(word, "service ").as_deref(), Some(service), "{word}: {all}");
        assert_eq!(level(word, "state ").as_deref(), Some("ok"), "{word}: {all}");
        assert_eq!(level(word, "inbox ").as_deref(), Some(inbox), "{word}: {all}");
        assert_eq!(level(word, "inbox-group ").as_deref(), group, "{word}: {all}");
    }
    for text in [
        "as root: 'enroldctl doctor'\n",
        "sandbox of enrold@law.service\n",
        "elsewhere WARNING inbox inbox.path = /srv/feeds is not writable: Read-only file system",
        "\ngiven enrold enrold 2770 /var/lib/enrold/sync\n",
        "(enrold 2770) than /usr/lib/tmpfiles.d/enrold.conf gives it (enrold-drop 2770)",
    ] {
        assert!(all.contains(text), "{text}: {all}");
    }
}

/// Each account of the host has access to its own part and to no other.
fn who_gets_at_what(dir: &Path, all: &str) {
    let driven = |word: &str| told(dir, "driven", word);
    let by_hand = ["db init", "law db init", "runs in /root", "check", "exit-code 1"];
    assert_eq!(driven("by-hand"), set(&by_hand), "{all}");
    assert_eq!(driven("origin"), set(&["systemd's credential database_url"]), "{all}");
    assert_eq!(driven("ready"), set(&["/run/enrold/http.sock", "/run/enrold-law/http.sock"]), "{all}");
    assert_eq!(driven("not-ready"), set(&[]), "{all}");
    let socket = |site: &str| format!("enrold enrold-metrics 660 /run/enrold{site}/http.sock");
    assert_eq!(driven("socket"), set(&[&socket(""), &socket("-law")]), "{all}");
    assert_eq!(driven("reloaded"), set(&[&socket("")]), "{all}");
    assert_eq!((driven("refused"), driven("after-reload")), (set(&["reload"]), set(&["active"])), "{all}");
    assert_eq!(driven("may"), set(&[]), "{all}");
    assert_eq!(driven("may-not").len(), 15, "{all}");
    assert_eq!(driven("applied"), set(&["a.csv"]), "{all}");
    assert_eq!((driven("hook"), driven("spool")), (set(&["done"]), set(&["empty"])), "{all}");
    assert_eq!(driven("gone"), set(&["/run/enrold"]), "{all}");
    assert_eq!(driven("open"), set(&[]), "{all}");
    assert!(all.contains("MemoryMax=1073741824\n"), "{all}");
    assert!(!all.contains("\nfailed\n"), "{all}");
}
