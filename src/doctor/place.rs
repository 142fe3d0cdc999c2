//! Checks enrold's directories, and gives the database's address without secrets.
//! It must not query the database, nor leave a change in the directories.

use std::fs;
use std::path::Path;

use crate::clock;
use crate::disk::own;
use crate::doctor::finding::{Finding, Level, words};

/// The state of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectoryState {
    Writable,
    Missing,
    NotADirectory,
    NotWritable,
}

fn directory_state(path: &Path) -> DirectoryState {
    match fs::metadata(path) {
        Err(_) => return DirectoryState::Missing,
        Ok(found) if !found.is_dir() => return DirectoryState::NotADirectory,
        Ok(_) => {}
    }
    // Permission bits do not cover ACLs, mounts and quotas. The watcher of drops ignores hidden names.
    let probe = path.join(format!(".enrold-doctor-{}", clock::nanos()));
    if own::create_new(&probe).is_err() {
        return DirectoryState::NotWritable;
    }
    // A file created a moment ago can be removed; if not, it is empty.
    drop(fs::remove_file(&probe));
    DirectoryState::Writable
}

/// The state directory: without it a held run cannot be kept.
pub(super) fn state(path: &Path) -> Finding {
    directory("state", "state.path", path, Level::Error)
}

/// The drop directory.
pub(super) fn inbox(path: &Path) -> Finding {
    directory("inbox", "inbox.path", path, Level::Warning)
}

/// The spool of the hook, where one is set.
pub(super) fn spool(path: &Path) -> Finding {
    directory("hook", "hook.spool", path, Level::Warning)
}

fn directory(code: &'static str, key: &str, path: &Path, unusable: Level) -> Finding {
    let shown = path.display();
    let give_en = "create it and give it to the account that runs enrold";
    let give_fr = "créez-le et donnez-le au compte qui exécute enrold";
    match directory_state(path) {
        DirectoryState::Writable => Finding::ok(
            code,
            words(format!("{key} = {shown} is writable"), ""),
            words(format!("{key} = {shown} est accessible en écriture"), ""),
        ),
        // enrold creates it if it can, which shows only then.
        DirectoryState::Missing => Finding::warning(
            code,
            words(format!("{key} = {shown} does not exist"), give_en),
            words(format!("{key} = {shown} n'existe pas"), give_fr),
        ),
        DirectoryState::NotADirectory => Finding {
            level: unusable,
            ..Finding::ok(
                code,
                words(format!("{key} = {shown} is not a directory"), format!("name a directory in {key}")),
                words(format!("{key} = {shown} n'est pas un répertoire"), format!("nommez un répertoire dans {key}")),
            )
        },
        DirectoryState::NotWritable => Finding {
            level: unusable,
            ..Finding::ok(
                code,
                words(format!("{key} = {shown} is not writable"), "give it to the account that runs enrold"),
                words(
                    format!("{key} = {shown} n'est pas accessible en écriture"),
                    "donnez-le au compte qui exécute enrold",
                ),
            )
        },
    }
}

/// Scheme and host of a database URL, never its user or password: the scheme alone if the URL is ambiguous.
pub(super) fn address(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split(':').next().unwrap_or_default().to_owned();
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match (rest.matches('@').count(), authority.rsplit_once('@')) {
        (0, _) => authority,
        (1, Some((_, host))) => host,
        _ => return scheme.to_owned(),
    };
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let is_plain = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
    if host.is_empty() || !is_plain || !port.trim_end_matches(']').chars().all(|c| c.is_ascii_hexdigit()) {
        return scheme.to_owned();
    }
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_holds_a_password() {
        let cases = [
            ("postgres://enrold:secret@db.example:5432/moodle", "postgres://db.example:5432"),
            ("mysql://enrold:secret@10.0.0.7/moodle", "mysql://10.0.0.7"),
            ("postgres://[::1]:5432/moodle", "postgres://[::1]:5432"),
            ("postgres://localhost/moodle?password=secret", "postgres://localhost"),
            ("postgres://enrold:sec/ret@host/moodle", "postgres"),
            ("postgres://enrold:sec?ret@host/moodle", "postgres"),
            ("postgres://enrold:s@cret@host/moodle", "postgres"),
            ("postgres://host/moodle?password=s@cret", "postgres"),
            ("postgres://enrold:secret", "postgres"),
            ("sqlite:/var/lib/enrold/enrold.sqlite", "sqlite"),
        ];
        for (url, expected) in cases {
            assert_eq!(address(url), expected, "{url}");
        }
    }

    #[test]
    fn directories_are_looked_at_and_left_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(state(dir.path()).level, Level::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(state(&dir.path().join("none")).level, Level::Warning);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(state(&file).level, Level::Error);
        assert_eq!(inbox(&file).level, Level::Warning);
    }
}
