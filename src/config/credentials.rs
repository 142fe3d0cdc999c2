//! Secrets that systemd hands to the service as files (`LoadCredential=`): which of them a key names, and where each
//! lies. It must not know what a secret is for, nor read one that nobody asked for.

use std::path::{Path, PathBuf};

use config::ValueKind;

use super::load::Merged;
use super::problem::ConfigProblem;

/// What stands before the name of a credential, in place of the path of a file.
const PREFIX: &str = "credential:";

/// The credential with the address of Moodle's database, and the text by which the unit says that there is none.
const DATABASE_URL: &str = "database_url";
const NONE: &str = "none";

/// Puts the path of the file in place of each `credential:NAME`, in every key that names a file with a secret.
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

/// Where a credential lies.
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

/// The file with the address of Moodle's database, where the unit gives one.
pub(super) fn database_url(given: Option<&Path>) -> Option<PathBuf> {
    let path = given?.join(DATABASE_URL);
    // What cannot be read is an error of whoever reads it for good.
    let none = match std::fs::read(&path) {
        Ok(bytes) => bytes.trim_ascii() == NONE.as_bytes(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    (!none).then_some(path)
}
