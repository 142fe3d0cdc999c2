//! Merges the layers, checks every value of each of them, and builds the typed settings.
//! It must not know how a layer is read or what a key takes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use config::{Config, Map, Value, ValueKind};

use super::each_table;
use super::keys::named::{self, Named};
use super::keys::{self, KEYS, Key, Unset, sources};
use super::layers::{self, Entry};
use super::problem::{ConfigProblem, ConfigProblems, Place};
use super::{Effective, Loaded, Origin, Settings, Sources, credentials, forms};

/// The section of Moodle's database.
const DATABASE: &str = "database";
const STATE_PATH: &str = "state.path";

/// Shown in place of a secret.
pub(super) const MASK: &str = "********";

/// The file name of the embedded database under `state.path`.
const EMBEDDED: &str = "enrold.sqlite";

/// The accepted value of each key with the place of the highest layer that sets it.
pub(super) type Merged = HashMap<String, (ValueKind, Place)>;

/// Merges defaults, system file, named files, environment and `--set`; a later layer overrides an earlier one.
///
/// A layer that sets `database.url` discards a `database.url_file` of a lower layer, and the other way round.
///
/// # Errors
/// Every problem of every layer, including values that a higher layer overrides.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigProblems> {
    let mut problems = Vec::new();
    let mut merged = Merged::new();
    let layers = layers::read(sources, &mut problems);
    let tables = named::ALL.map(|section| (section, each_table::named(section, &layers)));
    for (section, name) in tables.iter().flat_map(|(section, names)| names.keys().map(move |name| (section, name))) {
        let defaults = each_table::defaults(section, name, &mut problems);
        merge_layer(defaults, &[], &mut merged, &mut problems);
    }
    let [_, (_, names)] = &tables;
    let of_source = |name: &String| sources::SECTION.table(name);
    let sections: Vec<String> = std::iter::once(DATABASE.to_owned()).chain(names.keys().map(of_source)).collect();
    for layer in layers {
        merge_layer(layer, &sections, &mut merged, &mut problems);
    }
    let given = sources.credentials.as_deref();
    problems.extend(credentials::resolve(given, &mut merged));
    problems.extend(sections.iter().filter_map(|section| resolve_url_file(section, &mut merged).err()));
    default_database(given, &mut merged, &mut problems);
    problems.extend(archive_in_reach(&merged));
    for (name, place) in names {
        each_table::check_source(name, place, &merged, &mut problems);
    }
    if !problems.is_empty() {
        return Err(ConfigProblems(problems));
    }
    let origins = tables.iter().flat_map(|(section, names)| origins_of(section, names.keys(), &merged));
    let origins = origins_of_reference(&merged).chain(origins).collect();
    let settings = settings(&merged).map_err(|error| {
        let defect = ConfigProblem::Defect(error.to_string());
        ConfigProblems(vec![defect])
    })?;
    for (name, profile) in &settings.profiles {
        each_table::check_profile(name, profile, &merged, &mut problems);
    }
    if problems.is_empty() { Ok(Loaded { settings, origins }) } else { Err(ConfigProblems(problems)) }
}

/// Merges one layer over the lower ones; `sections` are those that name a database.
fn merge_layer(layer: Vec<Entry>, sections: &[String], merged: &mut Merged, problems: &mut Vec<ConfigProblem>) {
    for section in sections {
        put_aside_lower_url(section, &layer, merged, problems);
    }
    for entry in layer {
        if let Err(problem) = merge(entry, merged) {
            problems.push(problem);
        }
    }
}

fn put_aside_lower_url(section: &str, layer: &[Entry], merged: &mut Merged, problems: &mut Vec<ConfigProblem>) {
    let (url, url_file) = url_keys(section);
    let entry_of = |key: &str| layer.iter().find(|entry| entry.key == key);
    match (entry_of(&url), entry_of(&url_file)) {
        (Some(_), Some(second)) => {
            problems.push(ConfigProblem::UrlTwice { place: second.place.clone(), section: section.to_owned() });
        }
        (Some(_), None) => drop(merged.remove(&url_file)),
        (None, Some(_)) => drop(merged.remove(&url)),
        (None, None) => {}
    }
}

fn url_keys(section: &str) -> (String, String) {
    (format!("{section}.url"), format!("{section}.url_file"))
}

fn merge(entry: Entry, merged: &mut Merged) -> Result<(), ConfigProblem> {
    let Entry { key, value, place } = entry;
    if let Some((section, reason)) = each_table::bad_name(&key) {
        return Err(ConfigProblem::Value { place, key: section.to_owned(), reason });
    }
    let Some(known) = keys::find(&key) else {
        return match (keys::example_in(&key), value) {
            (Some(_), ValueKind::Table(_)) => Ok(()),
            (Some(example), _) => Err(ConfigProblem::Section { place, key, example }),
            (None, _) => Err(ConfigProblem::UnknownKey { nearest: keys::nearest(&key), place, key }),
        };
    };
    let emptied = matches!(&value, ValueKind::String(text) if text.is_empty());
    if matches!(known.unset, Unset::Moodle | Unset::General) && emptied {
        merged.remove(&key);
        return Ok(());
    }
    match known.accept(&value) {
        Ok(accepted) => {
            merged.insert(key, (accepted, place));
            Ok(())
        }
        Err(reason) => Err(ConfigProblem::Value { place, key, reason }),
    }
}

/// Refuses an archive inside the drop directory: feeders can write there.
fn archive_in_reach(merged: &Merged) -> Option<ConfigProblem> {
    let path = |key: &str| Some(merged.get(key)?.0.to_string());
    let (inbox, state, archive) = (path("inbox.path")?, path(STATE_PATH)?, path("inbox.archive")?);
    let steps = |path: &Path| path.components().collect::<std::path::PathBuf>();
    let archive = steps(&Path::new(&state).join(archive));
    if !archive.starts_with(steps(Path::new(&inbox))) {
        return None;
    }
    let (_, place) = merged.get("inbox.archive")?.clone();
    let reason = format!(
        "{} lies in the drop directory {inbox}, where feeders write: name a directory outside it",
        archive.display()
    );
    Some(ConfigProblem::Value { place, key: "inbox.archive".to_owned(), reason })
}

/// Sets the `url` of a section from the file that its `url_file` names, if any.
fn resolve_url_file(section: &str, merged: &mut Merged) -> Result<(), ConfigProblem> {
    let (url, url_file) = url_keys(section);
    if merged.contains_key(&url) {
        return Ok(());
    }
    if let Some((path, place)) = merged.get(&url_file).cloned() {
        let read = read_url(Path::new(&path.to_string()));
        let text = read.map_err(|reason| ConfigProblem::Value { place: place.clone(), key: url_file, reason })?;
        merged.insert(url, (ValueKind::String(text), place));
    }
    Ok(())
}

/// Without a URL, Moodle's database is the one that a credential names, else the one under `state.path`.
fn default_database(given: Option<&Path>, merged: &mut Merged, problems: &mut Vec<ConfigProblem>) {
    let (url, url_file) = url_keys(DATABASE);
    if merged.contains_key(&url) || merged.contains_key(&url_file) {
        return;
    }
    if let Some(path) = credentials::database_url(given) {
        let place = Place { origin: Origin::Credential, line: None };
        match read_url(&path) {
            Ok(text) => drop(merged.insert(url, (ValueKind::String(text), place))),
            Err(reason) => problems.push(ConfigProblem::Value { place, key: url, reason }),
        }
    } else if let Some((state, _)) = merged.get(STATE_PATH) {
        let file = Path::new(&state.to_string()).join(EMBEDDED);
        let place = Place { origin: Origin::Default, line: None };
        merged.insert(url, (ValueKind::String(forms::sqlite_url(&file.to_string_lossy())), place));
    }
}

/// The URL in a file, trimmed; no message repeats the content of the file.
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

/// Every key of the reference that has a value or that Moodle decides.
fn origins_of_reference(merged: &Merged) -> impl Iterator<Item = Effective> {
    KEYS.iter().filter_map(|key| effective(key, key.name.to_owned(), false, merged))
}

/// The same for each table of a section, with the keys that the operator chose.
fn origins_of<'a>(
    section: &'static Named,
    names: impl Iterator<Item = &'a String>,
    merged: &Merged,
) -> impl Iterator<Item = Effective> {
    names.flat_map(move |name| {
        let table = section.table(name);
        let known = section.keys.iter().filter_map(|key| {
            let before_default = section.prefix == sources::SECTION.prefix && sources::moodle_decides(name, key.name);
            effective(key, format!("{table}.{}", key.name), before_default, merged)
        });
        let mut chosen: Vec<_> = merged.keys().filter_map(|path| Some((path, named::divided(path)?))).collect();
        chosen.retain(|(_, path)| path.table() == table && path.chosen().is_some());
        chosen.sort_unstable_by_key(|(path, _)| *path);
        let chosen = chosen.into_iter();
        let chosen = chosen.filter_map(|(path, key)| effective(key.find()?, path.clone(), false, merged));
        known.chain(chosen).collect::<Vec<_>>()
    })
}

/// One key for display; `before_default`: Moodle's setting takes precedence over the default.
fn effective(key: &Key, path: String, before_default: bool, merged: &Merged) -> Option<Effective> {
    let found = merged.get(&path).filter(|(_, place)| !(before_default && place.origin == Origin::Default));
    let (value, origin) = match found {
        Some((value, place)) => {
            let shown = value.to_string();
            let hidden = key.is_secret() && place.origin != Origin::Default && !shown.is_empty();
            let value = if hidden { MASK.to_owned() } else { shown };
            (value, place.origin.clone())
        }
        None if key.unset == Unset::Moodle || before_default => (String::new(), Origin::Moodle),
        None => return None,
    };
    Some(Effective { key: path, value, origin })
}

fn settings(merged: &Merged) -> Result<Settings, config::ConfigError> {
    let mut builder = Config::builder();
    // A key that the operator chose may hold any character, so its section is set as a whole.
    let mut chosen: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (path, (value, _)) in merged.iter().filter(|(path, _)| !path.ends_with(".url_file")) {
        let value = Value::new(None, value.clone());
        match named::divided(path).and_then(|path| Some((path.table(), path.chosen()?))) {
            Some((table, (section, key))) => {
                drop(chosen.entry(format!("{table}.{section}")).or_default().insert(key.to_owned(), value));
            }
            None => builder = builder.set_override(path, value)?,
        }
    }
    for (section, table) in chosen {
        builder = builder.set_override(section, table)?;
    }
    let mut settings: Settings = builder.build()?.try_deserialize()?;
    for (name, source) in &mut settings.sources {
        source.given = each_table::given(name, merged);
    }
    Ok(settings)
}
