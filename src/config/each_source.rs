//! Checks that concern a source of full sets as a whole: its name, its defaults, and keys that must fit together.
//! It must not know what a source does, nor the Moodle settings that the source `database` falls back to.

use std::collections::{BTreeMap, BTreeSet};

use config::ValueKind;

use super::keys::sources::{OF_MOODLES_SETTINGS, SECTION, divided, name};
use super::layers::{Entry, from_toml};
use super::load::Merged;
use super::problem::{ConfigProblem, Place};
use super::{Origin, REFERENCE};

/// The line of the reference where the example of a source begins; each line of the example is a comment.
const EXAMPLE: &str = "#[sources.NAME]";

/// The sources that the layers configure, each with the place that names it first.
pub(super) fn named(layers: &[Vec<Entry>]) -> BTreeMap<String, Place> {
    let mut names = BTreeMap::new();
    for entry in layers.iter().flatten() {
        if let Some((text, _)) = divided(&entry.key).filter(|(text, _)| name(text).is_ok()) {
            names.entry(text.to_owned()).or_insert_with(|| entry.place.clone());
        }
    }
    names
}

/// What is wrong with the source name in this path; `None` if the name is valid or the path is not a source's.
pub(super) fn bad_name(path: &str) -> Option<String> {
    let (text, _) = divided(path)?;
    name(text).err()
}

/// The defaults of a source, read from the example in the reference.
pub(super) fn defaults(name: &str, problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
    from_toml(&example(name), &Origin::Default, problems)
}

/// The example in the reference as TOML text that sets every default of the source with this name.
pub(super) fn example(name: &str) -> String {
    let lines = REFERENCE.lines().skip_while(|line| *line != EXAMPLE).take_while(|line| line.starts_with('#'));
    let text: String = lines.flat_map(|line| [line.strip_prefix('#').unwrap_or(line), "\n"]).collect();
    text.replace("[sources.NAME", &format!("[{SECTION}{name}"))
}

/// The keys of a source that a layer above the defaults sets.
pub(super) fn given(name: &str, merged: &Merged) -> BTreeSet<String> {
    let set = merged.iter().filter(|(_, (_, place))| place.origin != Origin::Default);
    set.filter_map(|(path, _)| divided(path).filter(|(source, _)| *source == name))
        .map(|(_, rest)| rest.to_owned())
        .collect()
}

/// Reports contradictory and missing keys of a source, each with what to do; `place` is where it is first named.
pub(super) fn check(name: &str, place: &Place, merged: &Merged, problems: &mut Vec<ConfigProblem>) {
    let path = |rest: &str| format!("{SECTION}{name}.{rest}");
    let set = |rest: &str| merged.get(&path(rest)).filter(|(value, _)| !is_empty(value));
    let mut problem = |rest: &str, reason: String| {
        let place = set(rest).map_or(place, |(_, place)| place).clone();
        problems.push(ConfigProblem::Value { place, key: path(rest), reason });
    };
    if set("table").is_some() && set("query").is_some() {
        problem("query", format!("`{}` is set, too; keep one of them", path("table")));
    }
    if set("files").is_some() {
        for other in ["url", "table", "query", "courses.table"] {
            if set(other).is_some() {
                let reason = format!("`{}` makes it a source of files; keep one of them", path("files"));
                problem(other, reason);
            }
        }
        return;
    }
    if name == OF_MOODLES_SETTINGS {
        return;
    }
    if set("url").is_none() {
        let reason = "a source needs a second database or files; set this, or url_file, or files".to_owned();
        return problem("url", reason);
    }
    if set("table").is_none() && set("query").is_none() {
        problem("table", format!("what is to be read? Set this, or `{}`", path("query")));
    }
    let cohorts = set("target").is_some_and(|(target, _)| target.to_string() == "cohorts");
    let needed = ["columns.user", if cohorts { "columns.cohort" } else { "columns.course" }];
    for column in needed.into_iter().filter(|column| set(column).is_none()) {
        problem(column, "name the column of the table; without it no row says anything".to_owned());
    }
}

fn is_empty(value: &ValueKind) -> bool {
    match value {
        ValueKind::String(text) => text.trim().is_empty(),
        ValueKind::Array(list) => list.is_empty(),
        ValueKind::Nil => true,
        _ => false,
    }
}
