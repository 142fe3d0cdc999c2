//! Merges the layers, checks every value of each of them, and builds the typed settings.
//! It must not know how a layer is read or what a key takes.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, ValueKind};

use super::keys::{self, KEYS, Key, Unset};
use super::layers::{self, Entry};
use super::problem::{ConfigProblem, ConfigProblems, Place};
use super::{Effective, Loaded, Origin, Settings, Sources, forms};

const URL: &str = "database.url";
const URL_FILE: &str = "database.url_file";
const STATE_PATH: &str = "state.path";

/// What is shown in place of a secret.
const MASK: &str = "********";

/// The name of the embedded database under `state.path`.
const EMBEDDED: &str = "enrold.sqlite";

/// The accepted value of each key with the place of the highest layer that sets it.
type Merged = HashMap<&'static str, (ValueKind, Place)>;

/// Merges defaults, system file, named files, environment and `--set`, the later over the earlier.
///
/// A layer that sets `database.url` puts aside a `database.url_file` of a lower one, and the other way round.
///
/// # Errors
/// Every problem of every layer, also of values that a higher layer overrides.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigProblems> {
    let mut problems = Vec::new();
    let mut merged = Merged::new();
    for layer in layers::read(sources, &mut problems) {
        put_aside_lower_url(&layer, &mut merged, &mut problems);
        for entry in layer {
            if let Err(problem) = merge(entry, &mut merged) {
                problems.push(problem);
            }
        }
    }
    if let Err(problem) = resolve_url(&mut merged) {
        problems.push(problem);
    }
    if !problems.is_empty() {
        return Err(ConfigProblems(problems));
    }
    let origins = KEYS.iter().filter_map(|key| effective(key, &merged)).collect();
    match settings(merged) {
        Ok(settings) => Ok(Loaded { settings, origins }),
        Err(error) => {
            let defect = ConfigProblem::Defect(error.to_string());
            Err(ConfigProblems(vec![defect]))
        }
    }
}

fn put_aside_lower_url(layer: &[Entry], merged: &mut Merged, problems: &mut Vec<ConfigProblem>) {
    let entry_of = |key: &str| layer.iter().find(|entry| entry.key == key);
    match (entry_of(URL), entry_of(URL_FILE)) {
        (Some(_), Some(second)) => problems.push(ConfigProblem::UrlTwice { place: second.place.clone() }),
        (Some(_), None) => drop(merged.remove(URL_FILE)),
        (None, Some(_)) => drop(merged.remove(URL)),
        (None, None) => {}
    }
}

fn merge(entry: Entry, merged: &mut Merged) -> Result<(), ConfigProblem> {
    let Entry { key, value, place } = entry;
    let Some(known) = keys::find(&key) else {
        return match (keys::example_in(&key), value) {
            (Some(_), ValueKind::Table(_)) => Ok(()),
            (Some(example), _) => Err(ConfigProblem::Section { place, key, example }),
            (None, _) => Err(ConfigProblem::UnknownKey { nearest: keys::nearest(&key), place, key }),
        };
    };
    let emptied = matches!(&value, ValueKind::String(text) if text.is_empty());
    if matches!(known.unset, Unset::Moodle | Unset::General) && emptied {
        merged.remove(known.name);
        return Ok(());
    }
    match known.accept(&value) {
        Ok(accepted) => {
            merged.insert(known.name, (accepted, place));
            Ok(())
        }
        Err(reason) => Err(ConfigProblem::Value { place, key, reason }),
    }
}

/// Gives `database.url` its value: as set, from the file that `url_file` names, or the embedded database.
fn resolve_url(merged: &mut Merged) -> Result<(), ConfigProblem> {
    let resolved = match (merged.get(URL), merged.get(URL_FILE)) {
        (Some(_), _) => return Ok(()),
        (None, Some((path, place))) => {
            let url = read_url(Path::new(&path.to_string()));
            let url =
                url.map_err(|reason| ConfigProblem::Value { place: place.clone(), key: URL_FILE.to_owned(), reason })?;
            (url, place.clone())
        }
        (None, None) => {
            let Some((state, _)) = merged.get(STATE_PATH) else {
                return Ok(());
            };
            let file = Path::new(&state.to_string()).join(EMBEDDED);
            let place = Place { origin: Origin::Default, line: None };
            (forms::sqlite_url(&file.to_string_lossy()), place)
        }
    };
    let (url, place) = resolved;
    merged.insert(URL, (ValueKind::String(url), place));
    Ok(())
}

/// The URL in a file, without the blanks and line ends around it; no message repeats what the file holds.
fn read_url(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let url = text.trim();
    if url.is_empty() {
        return Err(format!("{shown} is empty; it must hold the database URL"));
    }
    forms::database_url(url).map_err(|reason| format!("in {shown}: {reason}"))?;
    Ok(url.to_owned())
}

fn effective(key: &Key, merged: &Merged) -> Option<Effective> {
    let (value, origin) = match merged.get(key.name) {
        Some((value, place)) => {
            let shown = value.to_string();
            let hidden = key.is_secret() && place.origin != Origin::Default && !shown.is_empty();
            let value = if hidden { MASK.to_owned() } else { shown };
            (value, place.origin.clone())
        }
        None if key.unset == Unset::Moodle => (String::new(), Origin::Moodle),
        None => return None,
    };
    Some(Effective { key: key.name.to_owned(), value, origin })
}

fn settings(mut merged: Merged) -> Result<Settings, config::ConfigError> {
    merged.remove(URL_FILE);
    let mut builder = Config::builder();
    for (key, (value, _)) in merged {
        builder = builder.set_override(key, config::Value::new(None, value))?;
    }
    builder.build()?.try_deserialize()
}
