//! Reads each layer into a flat list of keys and values, with the place of each.
//! It must not know which keys exist or what they mean.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigProblem, Place};
use super::{Origin, REFERENCE, Sources};

/// Prefix of the environment variables that are settings.
const ENV_PREFIX: &str = "ENROLD__";

/// One key with its value, as a layer gives it.
#[derive(Clone)]
pub(super) struct Entry {
    /// Dotted path, not yet compared with the known keys.
    pub key: String,
    /// The value as it was written.
    pub value: ValueKind,
    /// The layer, and the line in a file.
    pub place: Place,
}

/// All layers, lowest first; a layer that cannot be read becomes a problem.
pub(super) fn read(sources: &Sources, problems: &mut Vec<ConfigProblem>) -> Vec<Vec<Entry>> {
    let mut layers = vec![from_toml(REFERENCE, &Origin::Default, problems)];
    if let Some(path) = &sources.system_file {
        layers.extend(from_file(path, true, problems));
    }
    for path in &sources.files {
        layers.extend(from_file(path, false, problems));
    }
    layers.push(from_environment(&sources.env, problems));
    layers.push(from_sets(&sources.sets));
    layers
}

fn from_file(path: &Path, may_be_missing: bool, problems: &mut Vec<ConfigProblem>) -> Option<Vec<Entry>> {
    let unreadable = |reason: String| ConfigProblem::Unreadable { path: path.to_owned(), reason };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if may_be_missing && error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            problems.push(unreadable(format!("cannot read this configuration file: {error}")));
            return None;
        }
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(from_toml(text, &Origin::File(path.to_owned()), problems)),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.push(unreadable(format!("line {line} is not UTF-8; save the file as UTF-8")));
            None
        }
    }
}

pub(super) fn from_toml(text: &str, origin: &Origin, problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
    let place = |line: Option<usize>| Place { origin: origin.clone(), line };
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        problems.extend(errors.iter().map(|error| ConfigProblem::Syntax {
            place: place(error.span().map(|span| line_of(text, span.start))),
            message: error.message().to_owned(),
        }));
        return Vec::new();
    }
    let mut lines = HashMap::new();
    find_lines(text, document.get_ref(), "", &mut lines);
    let tree = match File::from_str(text, FileFormat::Toml).collect() {
        Ok(tree) => tree,
        Err(_) => {
            // The error of the crate repeats the line, which may hold a password.
            problems.push(ConfigProblem::Syntax { place: place(None), message: "a value is out of range".to_owned() });
            return Vec::new();
        }
    };
    let mut entries = Vec::new();
    flatten(tree, "", &mut |key, value| {
        let place = place(lines.get(&key).copied());
        entries.push(Entry { key, value, place });
    });
    entries.sort_by(|a, b| (a.place.line, &a.key).cmp(&(b.place.line, &b.key)));
    entries
}

/// Text stays text (`00123`): the `config` crate must not parse values.
fn from_environment(env: &[(String, String)], problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)) {
        let place = Place { origin: Origin::Environment(name.clone()), line: None };
        let collected = Environment::with_prefix("ENROLD")
            .prefix_separator("__")
            .separator("__")
            .source(Some(Map::from([(name.clone(), value.clone())])))
            .collect();
        match collected {
            Ok(pairs) => entries.extend(pairs.into_iter().map(|(key, value)| Entry {
                key,
                value: value.kind,
                place: place.clone(),
            })),
            Err(error) => problems.push(ConfigProblem::Defect(error.to_string())),
        }
    }
    entries
}

fn from_sets(sets: &[(String, String)]) -> Vec<Entry> {
    let entry = |(key, value): &(String, String)| Entry {
        key: key.trim().to_owned(),
        value: ValueKind::String(value.clone()),
        place: Place { origin: Origin::Set, line: None },
    };
    sets.iter().map(entry).collect()
}

/// Calls `leaf` for every leaf of the tree with its dotted path; a list and an empty table count as leaves.
fn flatten(tree: Map<String, Value>, above: &str, leaf: &mut impl FnMut(String, ValueKind)) {
    for (name, value) in tree {
        let path = join(above, &name);
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(inner, &path, leaf),
            other => leaf(path, other),
        }
    }
}

fn find_lines(text: &str, table: &DeTable<'_>, above: &str, lines: &mut HashMap<String, usize>) {
    for (name, value) in table {
        let path = join(above, name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            find_lines(text, inner, &path, lines);
        }
        lines.insert(path, line_of(text, name.span().start));
    }
}

pub(super) fn join(above: &str, name: &str) -> String {
    match above {
        "" => name.to_owned(),
        _ => format!("{above}.{name}"),
    }
}

/// The line of a byte offset, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    text.get(..byte).unwrap_or(text).matches('\n').count() + 1
}
