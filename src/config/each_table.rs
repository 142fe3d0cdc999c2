//! Checks that concern a source of full sets or a profile as a whole: its name, its defaults, keys that must fit
//! together. It must not know what they do, nor the Moodle settings that the source `database` falls back to.

use std::collections::{BTreeMap, BTreeSet};

use config::ValueKind;

use super::keys::named::{Named, divided};
use super::keys::profiles;
use super::keys::sources::{self, OF_MOODLES_SETTINGS};
use super::layers::{Entry, from_toml};
use super::load::Merged;
use super::problem::{ConfigProblem, Place};
use super::sections::{FileKind, Profile, Update};
use super::{Origin, REFERENCE};

/// The tables of a section that the layers configure, each with the place that names it first.
pub(super) fn named(section: &'static Named, layers: &[Vec<Entry>]) -> BTreeMap<String, Place> {
    let mut names = BTreeMap::new();
    for entry in layers.iter().flatten() {
        let path = divided(&entry.key).filter(|path| std::ptr::eq(path.section, section));
        if let Some(path) = path.filter(|path| section.check(path.name).is_ok()) {
            names.entry(path.name.to_owned()).or_insert_with(|| entry.place.clone());
        }
    }
    names
}

/// The section and what is wrong with the name in this path; `None` if the name is valid or there is none.
pub(super) fn bad_name(path: &str) -> Option<(&'static str, String)> {
    let path = divided(path)?;
    Some((path.section.title(), path.section.check(path.name).err()?))
}

/// The defaults of a table, read from the example in the reference.
pub(super) fn defaults(section: &Named, name: &str, problems: &mut Vec<ConfigProblem>) -> Vec<Entry> {
    from_toml(&example(section, name), &Origin::Default, problems)
}

/// The example in the reference as TOML text that sets every default of the table with this name.
pub(super) fn example(section: &Named, name: &str) -> String {
    let lines = REFERENCE.lines().skip_while(|line| *line != section.example).take_while(|line| line.starts_with('#'));
    let text: String = lines.flat_map(|line| [line.strip_prefix('#').unwrap_or(line), "\n"]).collect();
    text.replace(&format!("[{}NAME", section.prefix), &format!("[{}", section.table(name)))
}

/// The keys of a source that a layer above the defaults sets.
pub(super) fn given(name: &str, merged: &Merged) -> BTreeSet<String> {
    of_table(&sources::SECTION, name, merged).map(|(rest, _)| rest.to_owned()).collect()
}

/// The keys of a table that a layer above the defaults sets, each with its place.
fn of_table<'a>(
    section: &'static Named,
    name: &'a str,
    merged: &'a Merged,
) -> impl Iterator<Item = (&'a str, &'a Place)> {
    let set = merged.iter().filter(|(_, (_, place))| place.origin != Origin::Default);
    set.filter_map(move |(path, (_, place))| {
        let path = divided(path).filter(|path| std::ptr::eq(path.section, section) && path.name == name)?;
        Some((path.rest, place))
    })
}

/// Reports options of a profile that do not fit its kind or each other.
pub(super) fn check_profile(name: &str, profile: &Profile, merged: &Merged, problems: &mut Vec<ConfigProblem>) {
    let mut given: Vec<(&str, &Place)> = of_table(&profiles::SECTION, name, merged).collect();
    given.sort_unstable_by_key(|(rest, _)| *rest);
    for (rest, place) in given {
        if let Some(reason) = unfit(profile, rest) {
            let key = format!("{}.{rest}", profiles::SECTION.table(name));
            problems.push(ConfigProblem::Value { place: place.clone(), key, reason });
        }
    }
}

/// What is wrong with an option of a profile that somebody has set, beyond its own value.
pub(super) fn unfit(profile: &Profile, rest: &str) -> Option<String> {
    let writes = profile.update != Update::None;
    match rest {
        "update" if profile.kind != FileKind::Users => {
            let fits = matches!(profile.update, Update::None | Update::File);
            (!fits).then(|| format!("found {}, expected one of none, file for kind {}", profile.update, profile.kind))
        }
        "default.password" => Some("a password comes from the file or is generated; remove it".to_owned()),
        "update" if writes && !profile.operation.updates() => Some(format!(
            "found {}, but operation {} changes no account that exists; use operation add-update or update",
            profile.update, profile.operation
        )),
        _ => profiles::misfit(profile.kind, rest).or_else(|| profiles::no_default(rest)),
    }
}

/// Reports contradictory and missing keys of a source, each with what to do; `place` is where it is first named.
pub(super) fn check_source(name: &str, place: &Place, merged: &Merged, problems: &mut Vec<ConfigProblem>) {
    let path = |rest: &str| format!("{}.{rest}", sources::SECTION.table(name));
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
