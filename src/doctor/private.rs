//! Finds files that other accounts of this machine must not read: those with a password, and the embedded database.
//! It must not read their contents.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use secrecy::ExposeSecret;

use crate::config::{Effective, Loaded, Origin};
use crate::db::Database;
use crate::doctor::finding::{Finding, words};

/// Permissions of the group and of others.
const NOT_THE_OWNER: u32 = 0o077;
/// Permissions of others.
const EVERYBODY: u32 = 0o007;

/// One finding for each of these files that other accounts can access.
pub fn open_files(database: &Database, loaded: &Loaded) -> Vec<Finding> {
    let embedded = database.file().and_then(|file| of_database(file));
    let is_file = |setting: &&Effective| {
        let optional = ["smtp.password_file", "accounts.pepper_file"].contains(&setting.key.as_str());
        setting.key.ends_with("url_file") || optional && !setting.value.is_empty()
    };
    let named = loaded.origins.iter().filter(is_file);
    let named = named.filter_map(|setting| of_secret(&setting.key, Path::new(&setting.value), NOT_THE_OWNER));
    // The service reads its configuration under its own account, so a group may read it, but others may not.
    let is_elsewhere = |key: &str| {
        let file = format!("{key}_file");
        loaded.origins.iter().any(|setting| setting.key == file && !setting.value.is_empty())
    };
    let inline = loaded.origins.iter().filter_map(|setting| match &setting.origin {
        Origin::File(path) if setting.is_secret() && !is_elsewhere(&setting.key) && !is_path(loaded, &setting.key) => {
            of_secret(&setting.key, path, EVERYBODY)
        }
        _ => None,
    });
    embedded.into_iter().chain(named).chain(inline).collect()
}

/// True if this key names an embedded database, which has no password.
fn is_path(loaded: &Loaded, key: &str) -> bool {
    let url = match key.strip_prefix("sources.").and_then(|rest| rest.strip_suffix(".url")) {
        Some(name) => loaded.settings.sources.get(name).and_then(|source| source.url.as_ref()),
        None => (key == "database.url").then_some(&loaded.settings.database.url),
    };
    url.is_some_and(|url| url.expose_secret().starts_with("sqlite:"))
}

/// The mode and owner of a file with one of these permissions; `None` if it is missing, which is reported elsewhere.
fn open_to(path: &Path, rights: u32) -> io::Result<Option<String>> {
    let found = match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let mode = found.permissions().mode() & 0o7777;
    Ok((mode & rights != 0).then(|| format!("{mode:04o}, owner {}, group {}", found.uid(), found.gid())))
}

/// Nobody knows who can read this file.
fn unexamined(path: &Path, error: &io::Error) -> Finding {
    let shown = path.display();
    Finding::warning(
        "open-file",
        words(
            format!("whether other accounts of this machine can read {shown} is not known: {error}"),
            "let the account that runs enrold pass through the directories above it",
        ),
        words(
            format!("on ne sait pas si d'autres comptes de cette machine peuvent lire {shown} : {error}"),
            "laissez le compte qui exécute enrold traverser les répertoires au-dessus",
        ),
    )
}

fn of_database(file: &Path) -> Option<Finding> {
    let shown = file.display();
    let mode = match open_to(file, EVERYBODY) {
        Ok(mode) => mode?,
        Err(error) => return Some(unexamined(file, &error)),
    };
    Some(Finding::warning(
        "open-file",
        words(
            format!("every account of this machine can read the embedded database {shown} (mode {mode})"),
            format!("chmod 0640 {shown} {shown}-wal {shown}-shm"),
        ),
        words(
            format!("tous les comptes de cette machine peuvent lire la base embarquée {shown} (mode {mode})"),
            format!("chmod 0640 {shown} {shown}-wal {shown}-shm"),
        ),
    ))
}

fn of_secret(key: &str, path: &Path, rights: u32) -> Option<Finding> {
    let shown = path.display();
    let mode = match open_to(path, rights) {
        Ok(mode) => mode?,
        Err(error) => return Some(unexamined(path, &error)),
    };
    Some(Finding::warning(
        "open-file",
        words(
            format!("{key}: other accounts of this machine can read {shown} (mode {mode})"),
            "put the secret into a file for root alone (chown root:root, chmod 0600) and hand it to the service as a \
             credential (docs/installation.md, Configuration and password); change a password that others have read",
        ),
        words(
            format!("{key} : d'autres comptes de cette machine peuvent lire {shown} (mode {mode})"),
            "mettez le secret dans un fichier réservé à root (chown root:root, chmod 0600) et transmettez-le au \
             service comme « credential » (docs/installation.md) ; changez un mot de passe que d'autres ont pu lire",
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;
    use crate::config::{Sources, load};
    use crate::doctor::finding::Level;

    /// The findings with these settings.
    fn found(sources: &Sources) -> Vec<String> {
        let loaded = load(sources).unwrap();
        let settings = &loaded.settings.database;
        let url = settings.url.expose_secret();
        let database = Database::new(url, &settings.prefix, settings.connect_timeout, settings.connect_timeout);
        let findings = open_files(&database.unwrap(), &loaded);
        assert!(findings.iter().all(|finding| finding.level == Level::Warning && !finding.en.found.contains("geheim")));
        findings.into_iter().map(|finding| finding.en.found).collect()
    }

    #[test]
    fn what_others_can_read_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let set = |pairs: &[(&str, &str)]| Sources {
            sets: pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Sources::default()
        };
        for (mode, expected) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o660, 1)] {
            let url = file("url", "postgres://enrold:geheim@db/moodle", mode);
            assert_eq!(found(&set(&[("database.url_file", &url)])).len(), expected, "{mode:o}");
            let password = file("password", "geheim", mode);
            for key in ["smtp.password_file", "accounts.pepper_file"] {
                assert_eq!(found(&set(&[(key, &password)])).len(), expected, "{key} {mode:o}");
            }
            let source = file("source", "postgres://enrold:geheim@db/sis", mode);
            let sis = [
                ("sources.sis.url_file", &source[..]),
                ("sources.sis.table", "v_enrolments"),
                ("sources.sis.columns.user", "login"),
                ("sources.sis.columns.course", "course"),
                ("sources.sis.default_role", "student"),
            ];
            assert_eq!(found(&set(&sis)).len(), expected, "{mode:o}");
        }
        let below = format!("{}/below", file("secret", "", 0o600));
        let unknown = found(&set(&[("smtp.password_file", &below)]));
        assert!(unknown[0].contains("is not known: Not a directory"), "{unknown:?}");
        for (mode, expected) in [(0o640, 0), (0o600, 0), (0o644, 1)] {
            let lite = format!("sqlite:{}", file("site.sqlite", "", mode));
            assert_eq!(found(&set(&[("database.url", &lite)])).len(), expected, "{mode:o}");
            for (text, expected) in [
                ("database.url = \"postgres://enrold:geheim@db/moodle\"\n", expected),
                ("smtp.password = \"geheim\"\n", expected),
                ("locale = \"fr\"\n", 0),
            ] {
                let site = file("site.toml", text, mode);
                let sources = Sources { files: vec![site.into()], ..Sources::default() };
                assert_eq!(found(&sources).len(), expected, "{mode:o} {text}");
            }
        }
        assert_eq!(found(&Sources::default()), [""; 0]);
    }
}
