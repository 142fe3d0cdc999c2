//! Section `profiles`: defaults of the reference, options that fit the kind, keys that the operator chooses, and the
//! options of one run.

use super::*;
use crate::config::each_table::example;
use crate::config::keys::profiles::{OF_PROFILE, SECTION};

fn set(options: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs(options)
}

#[test]
fn there_is_no_profile_until_one_is_named() {
    let defaults = load(&Sources::default()).unwrap();
    assert!(defaults.settings.profiles.is_empty());
    let accounts = &defaults.settings.accounts;
    assert_eq!(accounts.password_mail, PasswordMail::Moodle);
    assert_eq!(accounts.foreign_auth, ["ldap", "cas", "shibboleth"]);
    assert!(accounts.protected.is_empty());
}

#[test]
fn a_profile_has_the_defaults_of_the_reference_and_so_has_a_kind_without_one() {
    let loaded =
        load(&from_sets(&[("profiles.promo.kind", "users"), ("profiles.promo.files", "promo-*.csv")])).unwrap();
    let profile = &loaded.settings.profiles["promo"];
    assert_eq!(*profile, Profile { files: vec!["promo-*.csv".to_owned()], ..Profile::of(FileKind::Users) });
    assert!(profile.enabled && profile.standardise && !profile.create_cohorts && !profile.email_duplicates);
    assert_eq!((profile.mode, profile.operation, profile.update), (ProfileMode::Apply, Operation::Add, Update::None));
    assert_eq!((profile.rename, profile.delete, profile.suspend, profile.locale), (None, None, None, None));
    assert_eq!((profile.password, profile.force_change), (PasswordFrom::Create, ForceChange::Weak));
    assert_eq!(effective(&loaded, "profiles.promo.operation"), ("add".to_owned(), "default".to_owned()));
    assert_eq!(Profile::of(FileKind::Cohorts).kind, FileKind::Cohorts);
}

#[test]
fn the_example_and_the_operators_page_name_every_key_of_a_profile() {
    let in_full: String = example(&SECTION, "x")
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    let mut told = Vec::new();
    reference::flat(&in_full.parse().unwrap(), "", &mut told);
    told.retain(|path| !path.starts_with("profiles.x.columns.") && path != "profiles.x.default.city");
    told.sort();
    let mut known: Vec<String> = OF_PROFILE.iter().map(|key| format!("profiles.x.{}", key.name)).collect();
    known.sort();
    assert_eq!(told, known);
    let page = include_str!("../../../docs/configuration.md");
    let names = OF_PROFILE.iter().map(|key| key.name).chain(["columns.HEADER", "default.COLUMN"]);
    let missing = names.filter(|name| !page.contains(&format!("`profiles.NAME.{name}`")));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// The operator chooses these keys: a header may hold blanks, accents and dots.
#[test]
fn columns_and_defaults_have_any_name() {
    let dir = Dir::new();
    let text = "[profiles.parcoursup]\nkind = \"users\"\n[profiles.parcoursup.columns]\n\"N. de dossier (é)\" = \
                \"username\"\n[profiles.parcoursup.default]\ncity = \"Caen\"\n\"profile_field_x\" = \"%u\"\n";
    let path = dir.file("site.toml", text);
    let loaded = load(&from_files(&[&path])).unwrap();
    let profile = &loaded.settings.profiles["parcoursup"];
    assert_eq!(profile.columns["N. de dossier (é)"], "username");
    assert_eq!((profile.default["city"].as_str(), profile.default["profile_field_x"].as_str()), ("Caen", "%u"));
    assert_eq!(effective(&loaded, "profiles.parcoursup.default.city").0, "Caen");
}

#[test]
fn options_fit_the_kind_and_each_other() {
    let of = |sets: &[(&str, &str)]| problems(&from_sets(sets));
    assert_eq!(
        of(&[("profiles.c.kind", "cohorts"), ("profiles.c.rename", "yes")]),
        ["--set: `profiles.c.rename`: is an option of kind users, and the kind here is cohorts; remove it"]
    );
    assert_eq!(
        of(&[("profiles.c.kind", "cohort-members"), ("profiles.c.default.city", "x")]),
        ["--set: `profiles.c.default.city`: is an option of kind users, and the kind here is cohort-members; remove \
             it"]
    );
    assert_eq!(
        of(&[("profiles.u.kind", "users"), ("profiles.u.user_key", "id")]),
        ["--set: `profiles.u.user_key`: is an option of kinds cohorts, cohort-members, course-list, group-members, \
          enrolments, convert and renew, and the kind here is users; remove it"]
    );
    assert_eq!(
        of(&[("profiles.u.update", "file")]),
        ["--set: `profiles.u.update`: found file, but operation add changes no account that exists; use operation \
          add-update or update"]
    );
    assert_eq!(
        of(&[("profiles.u.default.password", "geheim")]),
        ["--set: `profiles.u.default.password`: a password comes from the file or is generated; remove it"]
    );
    assert_eq!(
        of(&[("profiles.u.kind", "enrolment")]),
        ["--set: `profiles.u.kind`: found \"enrolment\", expected one of users, cohorts, cohort-members, \
             course-list, course-text, methods, course-methods, groups, groupings, group-members, enrolments, \
             convert, renew"]
    );
    assert_eq!(
        of(&[("profiles", "x"), ("profiles.u", "x"), ("profiles.u.default", "x"), ("profiles.U.kind", "users")]),
        [
            "--set: `profiles` is a section and takes no value; it holds keys such as `profiles.NAME.kind`",
            "--set: `profiles.u` is a section and takes no value; it holds keys such as `profiles.u.kind`",
            "--set: `profiles.u.default` is a section and takes no value; it holds keys such as \
             `profiles.u.default.NAME`",
            "--set: `profiles`: found the name \"U\", expected at most 40 of a-z, 0-9, - and _, the first of them a \
             letter or digit",
        ]
    );
    assert_eq!(
        of(&[("profiles.u.operatoin", "add")]),
        ["--set: unknown key `profiles.u.operatoin`; the nearest known key is `profiles.u.operation`"]
    );
}

#[test]
fn one_run_sets_options_of_its_own() {
    let users = Profile::of(FileKind::Users);
    let profile = users
        .with(&set(&[
            ("operation", "add-update"),
            ("update", "file-and-defaults"),
            ("match", "email"),
            ("standardise", "no"),
            ("rename", "yes"),
            ("delete", "true"),
            ("suspend", "false"),
            ("password", "file"),
            ("default.username", "%-1f%-l"),
            ("create_cohorts", "yes"),
        ]))
        .unwrap();
    assert_eq!((profile.operation, profile.update), (Operation::AddUpdate, Update::FileAndDefaults));
    assert_eq!((profile.match_by, profile.standardise), (MatchBy::Email, false));
    assert_eq!((profile.rename, profile.delete, profile.suspend), (Some(true), Some(true), Some(false)));
    assert_eq!((profile.default["username"].as_str(), profile.create_cohorts), ("%-1f%-l", true));
    assert_eq!(profile.with(&set(&[("rename", "")])).unwrap().rename, None);
    let members = Profile::of(FileKind::CohortMembers);
    let keys = members.with(&set(&[("context_id", "7"), ("user_key", "idnumber"), ("cohort_key", "name")])).unwrap();
    assert_eq!(members.with(&set(&[("update", "file")])).unwrap().update, Update::File);
    let waits = members.with(&set(&[("waiting_days", "3"), ("waiting_expected", "yes")])).unwrap();
    assert_eq!((waits.waiting_days, waits.waiting_expected), (Some(3), Some(true)));
    assert_eq!(waits.with(&set(&[("waiting_days", "")])).unwrap().waiting_days, None);
    assert_eq!(users.with(&set(&[("rename", "oui"), ("suspend", "non")])).unwrap().suspend, Some(false));
    assert_eq!((keys.context_id, keys.user_key, keys.cohort_key), (7, UserKey::Idnumber, CohortKey::Name));
    for (profile, name, value, reason) in [
        (
            &users,
            "operation",
            "sync",
            "option operation: found \"sync\", expected one of add, add-all, add-update, update",
        ),
        (&users, "rename", "ja", "option rename: found \"ja\", expected true or false"),
        (
            &users,
            "renam",
            "yes",
            "unknown option renam; the nearest is rename; kind users has tell_teachers, operation, update",
        ),
        (&members, "waiting_days", "36501", "option waiting_days: found"),
        (&users, "waiting_days", "3", "option waiting_days: is an option of kinds cohorts and cohort-members"),
        (&members, "colour", "x", "unknown option colour; the nearest is"),
        (&users, "kind", "cohorts", "option kind is set by --kind"),
        (&users, "mode", "simulate", "option mode is about dropped files only"),
        (&users, "default", "x", "unknown option default; the nearest is"),
        (&users, "default.cohort1", "x", "option default.cohort1: there is no default for it, but for profile_field_"),
        (&members, "update", "missing", "option update: found missing, expected one of none, file"),
        (&users, "update", "file", "option update: found file, but operation add changes no account that exists"),
        (&members, "rename", "yes", "option rename: is an option of kind users, and the kind here is cohort-members"),
        (&users, "default.password", "x", "option default.password: a password comes from the file or is generated"),
    ] {
        let found = profile.with(&set(&[(name, value)])).unwrap_err();
        assert!(found.starts_with(reason), "{name}={value}: {found}");
    }
}
