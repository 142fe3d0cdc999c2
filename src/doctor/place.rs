//! Checks enrold's directories, and gives the database's address without secrets.
//! It must not query the database, nor leave a change in the directories.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::clock;
use crate::disk::own;
use crate::doctor::finding::{Finding, Level, words};

/// The state of a directory.
enum DirectoryState {
    Writable,
    Missing,
    NotADirectory,
    /// With the system's error.
    NotWritable(std::io::Error),
}

fn directory_state(path: &Path) -> DirectoryState {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return DirectoryState::Missing,
        Err(error) => return DirectoryState::NotWritable(error),
        Ok(found) if !found.is_dir() => return DirectoryState::NotADirectory,
        Ok(_) => {}
    }
    // Permission bits do not cover ACLs, mounts and quotas. The watcher of drops ignores hidden names.
    let probe = path.join(format!(".enrold-doctor-{}", clock::nanos()));
    if let Err(error) = own::create_new(&probe) {
        return DirectoryState::NotWritable(error);
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

/// The archive of applied files, where it is used.
pub(super) fn archive(path: &Path) -> Finding {
    directory("archive", "inbox.archive", path, Level::Warning)
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
            words(format!("{key} = {shown} is writable for this account"), ""),
            words(format!("{key} = {shown} est accessible en écriture pour ce compte"), ""),
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
        DirectoryState::NotWritable(error) => {
            let (todo_en, todo_fr) = remedy(&error, path);
            Finding {
                level: unusable,
                ..Finding::ok(
                    code,
                    words(format!("{key} = {shown} is not writable: {error}"), todo_en),
                    words(format!("{key} = {shown} n'est pas accessible en écriture : {error}"), todo_fr),
                )
            }
        }
    }
}

/// What to do about a directory in which no file can be created, in English and in French.
fn remedy(error: &std::io::Error, path: &Path) -> (String, String) {
    let shown = path.display();
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => (
            format!(
                "mount it writable; of a service under systemd, name it: ReadWritePaths={shown} (docs/installation.md, \
                 What the service may do)"
            ),
            format!(
                "montez-le en écriture ; pour un service sous systemd, nommez-le : ReadWritePaths={shown} \
                 (docs/installation.md, What the service may do)"
            ),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ("make room there".to_owned(), "faites-y de la place".to_owned())
        }
        _ => {
            ("give it to the account that runs enrold".to_owned(), "donnez-le au compte qui exécute enrold".to_owned())
        }
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
        let below = state(&file.join("below"));
        assert_eq!(below.level, Level::Error, "it is not known whether it exists: {}", below.en.found);
        // Nobody creates a file there, not even root.
        let closed = inbox(Path::new("/proc/self"));
        assert!(closed.en.found.starts_with("inbox.path = /proc/self is not writable: "), "{}", closed.en.found);
    }

    #[test]
    fn what_to_do_depends_on_what_the_system_says() {
        let todo = |kind: ErrorKind| remedy(&kind.into(), Path::new("/srv/feeds"));
        let (en, fr) = todo(ErrorKind::ReadOnlyFilesystem);
        assert!(en.contains("ReadWritePaths=/srv/feeds ") && fr.contains("ReadWritePaths=/srv/feeds "), "{en} {fr}");
        assert_eq!(todo(ErrorKind::StorageFull).0, "make room there");
        assert_eq!(todo(ErrorKind::PermissionDenied).0, "give it to the account that runs enrold");
    }
}
