//! The files of `systemd/` as systemd itself reads them: units, accounts, directories, and the level of sandboxing.
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

/// A unit in which the program under test replaces a program that is not installed on this machine.
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
        // An unknown key is only a warning for systemd. Output about other units of this machine is ignored.
        let text = said(&output);
        let about_us: Vec<&str> = text.lines().filter(|line| line.contains("enrold")).collect();
        assert!(about_us.is_empty(), "{about_us:?}");
        succeeded(&output);
    }
}

/// In tenths of a point; the documentation gives the numbers.
#[test]
fn no_service_is_exposed_more_than_the_documentation_says() {
    for path in delivered(&["service"]) {
        let words = ["security", "--offline=true", "--threshold=13", "--no-pager"];
        succeeded(&run("systemd-analyze", &words, &[&path]));
    }
}

/// The values of a key in a unit, in order; `%i` stands for the site `law`.
fn values(name: &str, key: &str) -> Vec<String> {
    let unit = std::fs::read_to_string(Path::new(DIR).join(name)).unwrap();
    let value = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.replace("%i", "law"));
    unit.lines().filter_map(value).collect()
}

/// Checks the lines on which the results of `systemd_booted` depend, where no machine can be booted.
#[test]
fn the_daemon_writes_nowhere_but_in_its_own_directories() {
    for (name, site, file) in [("enrold.service", "", "database_url"), ("enrold@.service", "-law", "law.database_url")]
    {
        let state = if site.is_empty() { "enrold" } else { "enrold/law" };
        for (key, expected) in [
            ("ProtectSystem", "strict".to_owned()),
            ("ReadOnlyPaths", "/run".to_owned()),
            ("InaccessiblePaths", "-/dev/shm -/dev/mqueue".to_owned()),
            ("ReadWritePaths", format!("-/var/spool/{state}")),
            ("StateDirectory", state.to_owned()),
            ("RuntimeDirectory", format!("enrold{site}")),
            ("PrivateTmp", "yes".to_owned()),
            ("PrivateDevices", "yes".to_owned()),
            ("MemoryMax", "1G".to_owned()),
            ("LimitCORE", "0".to_owned()),
            // The file is optional and readable for root only.
            ("LoadCredential", format!("database_url:/etc/enrold/{file}")),
            ("SetCredential", "database_url:none".to_owned()),
        ] {
            assert_eq!(values(name, key), [expected], "{name}: {key}=");
        }
        for key in ["ConfigurationDirectory", "BindPaths", "SupplementaryGroups", "CacheDirectory", "LogsDirectory"] {
            assert_eq!(values(name, key), [""; 0], "{name}: {key}=");
        }
        let socket = format!("/run/enrold{site}/http.sock");
        let given = &values(name, "ExecStartPost")[0];
        // With full privileges, but without following a link that the service may have created.
        assert!(given.starts_with("-+") && given.contains(&format!("chgrp -h enrold-metrics {socket}")), "{given}");
    }
}

/// Accounts that read metrics, feed files or run commands are in another group, or are root.
#[test]
fn nobody_is_sent_into_the_group_of_the_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![root.join("README.md")];
    for dir in ["docs", "systemd", "config"] {
        texts.extend(std::fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path()));
    }
    for path in texts.iter().filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(path).unwrap();
        for word in ["-aG enrold ", "-aG enrold`", "0640 -g enrold", "-g enrold -m 0640", "sudo -u enrold enrold"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        let joins = |line: &&str| line.starts_with("m ") && line.split_whitespace().nth(2) == Some("enrold");
        assert_eq!(text.lines().find(joins), None, "{}", path.display());
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

/// A root directory in which accounts can be created or looked up.
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
    let members = |group: &str| {
        let line = groups.lines().find(|line| line.starts_with(&format!("{group}:"))).unwrap();
        line.rsplit(':').next().unwrap().to_owned()
    };
    assert_eq!([members("enrold"), members("enrold-drop"), members("enrold-metrics")], ["", "enrold", ""]);
}

#[test]
fn the_directories_can_be_made() {
    let root = root();
    // Names are looked up in this root; all of them are the account of the test, so that it needs no root privileges.
    let me = std::fs::metadata(root.path()).unwrap();
    let (user, group) = (me.uid(), me.gid());
    let etc = |name: &str, text: String| std::fs::write(root.path().join("etc").join(name), text).unwrap();
    etc("passwd", format!("enrold:x:{user}:{group}::/:/bin/false\n"));
    etc("group", ["enrold", "enrold-drop", "www-data"].map(|name| format!("{name}:x:{group}:\n")).concat());
    let file = Path::new(DIR).join("enrold.tmpfiles");
    let output = run("systemd-tmpfiles", &["--create", &rooted(&root)], &[&file]);
    succeeded(&output);
    assert_eq!(said(&output), "");
    for (path, mode) in [
        ("var/lib/enrold", 0o711),
        ("var/lib/enrold/sync", 0o2770),
        ("var/lib/enrold/archive", 0o700),
        ("var/spool/enrold", 0o2770),
    ] {
        let found = std::fs::metadata(root.path().join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
    }
}

/// `systemctl reload` fails for a configuration that the daemon would refuse: the first command checks it.
#[test]
fn a_reload_checks_the_configuration_first() {
    let dir = tempfile::tempdir().unwrap();
    for (name, config) in [("enrold.service", None), ("enrold@.service", Some("/etc/enrold/%i.toml"))] {
        let unit = std::fs::read_to_string(Path::new(DIR).join(name)).unwrap().replace("\\\n    ", "");
        let reloads: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
        let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        assert_eq!(reloads.len(), 2, "{name}");
        assert_eq!(reloads[1], "/bin/kill -HUP $MAINPID", "{name}");
        // With the host's file system, where the credentials of the service are; and with its account.
        let account = "+/usr/bin/nsenter --mount=/proc/1/ns/mnt /usr/bin/setpriv --reuid=${USER} --regid=${USER} \
                       --init-groups ";
        let check: Vec<&str> = reloads[0].strip_prefix(account).expect(name).split(' ').collect();
        assert_eq!(check.first(), started.split(' ').next().as_ref(), "{name}");
        assert_eq!(check.iter().skip_while(|word| **word != "--config").nth(1).copied(), config, "{name}");
        let file = dir.path().join("site.toml");
        for (text, ends) in [("inbox.settle = 3\n", 0), ("guard.mode = 'perhaps'\n", 2)] {
            std::fs::write(&file, text).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_enrold"));
            command.arg("--config").arg(&file);
            let output = command
                .args(check.iter().skip(1).filter(|word| **word != "--config" && config != Some(**word)))
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(ends), "{name}: {}", said(&output));
            assert!(output.stdout.is_empty(), "{name}: the journal gets no list of settings: {}", said(&output));
            assert_eq!(said(&output).contains("guard.mode"), ends == 2, "{name}");
        }
    }
}

/// What is left of an installation is named where it is removed.
#[test]
fn uninstalling_names_every_file_that_is_installed() {
    let page = std::fs::read_to_string(Path::new(DIR).parent().unwrap().join("docs/installation.md")).unwrap();
    let (_, removal) = page.split_once("\n## Uninstalling\n").unwrap();
    for name in ["enrold.service", "enrold@.service", "enrold-moodle-hook.path", "enrold-moodle-hook.service"] {
        assert!(removal.contains(&format!("/usr/lib/systemd/system/{name}")), "{name}");
    }
    for text in [
        "enrold@NAME.service",
        "systemctl list-units --all",
        ".wants/",
        "enrold-moodle-hook.php",
        "/usr/sbin/enroldctl",
    ] {
        assert!(removal.contains(text), "{text}");
    }
}
