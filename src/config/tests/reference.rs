//! The reference, the demonstration and the operators' page: complete, and at the safe defaults.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::config::keys::{self, KEYS, Unset};

/// The reference with its commented keys set, except the examples of named tables.
fn reference_in_full() -> String {
    let uncommented = |line: &str| {
        let rest = line.strip_prefix('#').filter(|rest| {
            rest.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        });
        rest.unwrap_or(line).to_owned() + "\n"
    };
    let mut text = REFERENCE.to_owned();
    for section in keys::named::ALL {
        let (before, rest) = text.split_once(&format!("{}\n", section.example)).unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        text = format!("{before}\n{after}");
    }
    text.lines().map(uncommented).collect()
}

pub(super) fn flat(table: &toml::Table, above: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => flat(inner, &format!("{above}{name}."), keys),
            _ => keys.push(format!("{above}{name}")),
        }
    }
}

fn sorted_keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    flat(&text.parse().unwrap(), "", &mut keys);
    keys.sort();
    keys
}

fn known(wanted: impl Fn(&keys::Key) -> bool) -> Vec<String> {
    let mut names: Vec<String> = KEYS.iter().filter(|key| wanted(key)).map(|key| key.name.to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_reference_names_every_known_key_and_no_other() {
    assert_eq!(sorted_keys(&reference_in_full()), known(|_| true));
    assert_eq!(sorted_keys(REFERENCE), known(|key| key.unset == Unset::Default));
}

#[test]
fn the_reference_in_full_is_accepted_but_for_the_second_url() {
    let dir = Dir::new();
    let text = reference_in_full().replace("\nurl_file =", "\n#url_file =");
    let path = dir.file("full.toml", &text);
    let settings = load(&from_files(&[&path])).unwrap().settings;
    assert_eq!(settings.site.timezone, Some(chrono_tz::Europe::Paris));
    assert_eq!(settings.flatfile.unenrolaction, Some(RemovalAction::SuspendNoRoles));
    assert_eq!(settings.flatfile.expiredaction, Some(RemovalAction::SuspendNoRoles));
}

#[test]
fn the_reference_alone_gives_the_defaults() {
    let dir = Dir::new();
    let path = dir.file("enrold.toml", REFERENCE);
    let defaults = load(&Sources::default()).unwrap();
    let read = load(&from_files(&[&path])).unwrap();
    assert_eq!(format!("{:?}", read.settings), format!("{:?}", defaults.settings));
    assert_eq!(url(&read), url(&defaults));
    let values = |loaded: &Loaded| -> Vec<(String, String)> {
        let pair = |one: &Effective| (one.key.clone(), one.value.clone());
        loaded.origins.iter().map(pair).collect()
    };
    assert_eq!(values(&read), values(&defaults));
}

#[test]
fn the_operators_page_names_every_key() {
    let page = include_str!("../../../docs/configuration.md");
    let told = |name: &str| page.contains(&format!("`{name}`"));
    // Keys that every task has appear once, as `tasks.NAME.KEY`.
    let of_tasks = |name: &str| {
        let key = name.strip_prefix("tasks.").and_then(|rest| rest.split_once('.')).map(|(_, key)| key);
        key.is_some_and(|key| told(&format!("tasks.NAME.{key}")))
    };
    let missing = KEYS.iter().map(|key| key.name).filter(|name| !told(name) && !of_tasks(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_defaults_are_the_safe_ones() {
    let settings = Settings::default();
    assert_eq!(settings.database.url.expose_secret(), "sqlite:///var/lib/enrold/enrold.sqlite");
    assert_eq!(settings.database.prefix, "mdl_");
    assert_eq!(settings.inbox.settle, Duration::from_secs(2));
    assert_eq!(settings.guard.mode, GuardMode::Hold);
    assert!(settings.guard.hold_empty && settings.guard.protect_admins);
    assert_eq!(
        settings.guard.run,
        Limits {
            removals_max: 0,
            removals_percent: 20,
            suspensions_max: 0,
            suspensions_percent: 20,
            creations_max: 0,
            creations_percent: 0,
            at_least: 5,
            min_members: 0,
        }
    );
    assert_eq!(settings.guard.method, settings.guard.run);
    assert_eq!(settings.guard.course.removals_percent, 50);
    assert_eq!(settings.guard.course.min_members, 10);
    assert_eq!(settings.flatfile.del_scope, DelScope::Moodle);
    let roles: Vec<String> = settings.flatfile.roles.entries().iter().map(ToString::to_string).collect();
    assert_eq!(roles, ["@student", "@teacher", "@editingteacher", "@none"]);
    assert_eq!(settings.flatfile.when_disabled, WhenDisabled::Wait);
    assert_eq!(settings.flatfile.unenrolaction, None);
    assert_eq!(settings.flatfile.expiredaction, None);
    assert_eq!(settings.site.timezone, None);
    assert_eq!(settings.flatfile.header.user_key, UserKey::Username);
    assert_eq!(settings.flatfile.native.course_key, CourseKey::Idnumber);
    assert_eq!(settings.tasks["flatfile"].schedule.as_str(), "15 * * * *");
    assert!(settings.tasks.values().all(|task| task.when_disabled == WhenOff::Skip && task.courses.is_empty()));
    assert!(settings.tasks.values().all(|task| task.guard == OwnLimits::default() && task.timezone.is_none()));
    assert!(!settings.tasks["autoenrol"].enabled, "as in Moodle");
}

#[test]
fn the_demonstration_stays_in_the_current_directory() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
    let loaded = load(&from_files(&[&path])).unwrap();
    assert_eq!(url(&loaded), "sqlite://demo/enrold.sqlite");
    assert_eq!(loaded.settings.state.path, Path::new("demo/state"));
    assert_eq!(loaded.settings.inbox.path, Path::new("demo/sync"));
}
