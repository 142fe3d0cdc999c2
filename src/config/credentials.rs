//! Replaces the names of credentials (`LoadCredential=`) in the settings by the paths where systemd puts the secrets.
//! It must not know what a secret is for, nor read a credential that no key names.

use std::path::{Path, PathBuf};

use config::ValueKind;

use super::load::Merged;
use super::problem::ConfigProblem;

/// Prefix of a credential name, in place of the path of a file.
const PREFIX: &str = "credential:";

/// The credential with the URL of Moodle's database, and the content by which the unit declares that there is none.
const DATABASE_URL: &str = "database_url";
const NONE: &str = "none";

/// Replaces each `credential:NAME` by the path of its file, in every key that names a file with a secret.
pub(super) fn resolve(given: Option<&Path>, merged: &mut Merged) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for (key, (value, place)) in merged.iter_mut().filter(|(key, _)| key.ends_with("_file")) {
        let ValueKind::String(text) = &*value else { continue };
        let Some(name) = text.strip_prefix(PREFIX) else { continue };
        match path(given, name) {
            Ok(path) => *value = ValueKind::String(path),
            Err(reason) => problems.push(ConfigProblem::Value { place: place.clone(), key: key.clone(), reason }),
        }
    }
    problems
}

/// The path of a credential's file.
fn path(given: Option<&Path>, name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(format!("{PREFIX} is followed by the name of a credential, as LoadCredential= of the unit has it"));
    }
    let Some(given) = given else {
        return Err(format!(
            "there are no credentials here (CREDENTIALS_DIRECTORY is not set): systemd gives them to the service, \
             enroldctl to a command by hand; {name} must stand in a LoadCredential= of the unit"
        ));
    };
    Ok(given.join(name).to_string_lossy().into_owned())
}

/// The file with the URL of Moodle's database, if the unit provides one.
pub(super) fn database_url(given: Option<&Path>) -> Option<PathBuf> {
    let path = given?.join(DATABASE_URL);
    // Any other read error is left to the caller that reads the URL.
    let none = match std::fs::read(&path) {
        Ok(bytes) => bytes.trim_ascii() == NONE.as_bytes(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    (!none).then_some(path)
}
