//! Secrets that systemd provides: the database URL without any key, all others by name.

use super::*;

const URL: &str = "postgres://enrold:geheim@db/moodle";

/// The credentials of a service, and these settings above the defaults.
fn given(dir: &Dir, sets: &[(&str, &str)]) -> Sources {
    Sources { credentials: Some(dir.0.path().to_owned()), ..from_sets(sets) }
}

#[test]
fn the_address_of_the_database_is_a_credential_where_no_layer_names_one() {
    let dir = Dir::new();
    let embedded = "sqlite:///var/lib/enrold/enrold.sqlite";
    assert_eq!(url(&load(&given(&dir, &[])).unwrap()), embedded, "no such credential");
    for none in ["none", "none\n"] {
        dir.file("database_url", none);
        assert_eq!(url(&load(&given(&dir, &[])).unwrap()), embedded);
    }
    dir.file("database_url", &format!("{URL}\n"));
    let loaded = load(&given(&dir, &[])).unwrap();
    assert_eq!(url(&loaded), URL);
    let origin = "systemd's credential database_url".to_owned();
    assert_eq!(effective(&loaded, "database.url"), ("********".to_owned(), origin));
    assert_eq!(url(&load(&from_sets(&[])).unwrap()), embedded, "not under systemd");

    assert_eq!(url(&load(&given(&dir, &[("database.url", "sqlite:a")])).unwrap()), "sqlite:a");
    let file = dir.file("elsewhere", "sqlite:b").display().to_string();
    assert_eq!(url(&load(&given(&dir, &[("database.url_file", &file)])).unwrap()), "sqlite:b");
}

#[test]
fn a_credential_that_names_no_database_is_an_error_that_does_not_repeat_it() {
    let dir = Dir::new();
    for (content, reason) in [("", "is empty"), ("geheim", "not a database URL")] {
        dir.file("database_url", content);
        let found = problems(&given(&dir, &[]));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("systemd's credential database_url: `database.url`: "), "{found:?}");
        assert!(found[0].contains(reason) && !found[0].contains("geheim"), "{found:?}");
        load(&given(&dir, &[("database.url", "sqlite:a")])).unwrap();
    }
    std::fs::remove_file(dir.0.path().join("database_url")).unwrap();
    std::fs::create_dir(dir.0.path().join("database_url")).unwrap();
    assert!(problems(&given(&dir, &[]))[0].contains("cannot read"));
}

#[test]
fn every_file_with_a_secret_can_be_a_credential() {
    let dir = Dir::new();
    dir.file("main", "sqlite:main");
    dir.file("sis", "postgres://reader:geheim@sis/records");
    dir.file("mail", "geheim\n");
    dir.file("peppers", "new\nold\n");
    let sets = [
        ("database.url_file", "credential:main"),
        ("sources.sis.url_file", "credential:sis"),
        ("sources.sis.table", "v_enrolments"),
        ("sources.sis.columns.user", "login"),
        ("sources.sis.columns.course", "course"),
        ("sources.sis.default_role", "student"),
        ("smtp.password_file", "credential:mail"),
        ("accounts.pepper_file", "credential:peppers"),
    ];
    let loaded = load(&given(&dir, &sets)).unwrap();
    assert_eq!(url(&loaded), "sqlite:main");
    let sis = loaded.settings.sources["sis"].url.as_ref().unwrap().expose_secret().to_owned();
    assert_eq!(sis, "postgres://reader:geheim@sis/records");
    assert_eq!(loaded.settings.smtp.password().unwrap(), "geheim");
    assert_eq!(loaded.settings.accounts.peppers().unwrap().len(), 2);
    assert_eq!(effective(&loaded, "database.url_file").0, dir.0.path().join("main").display().to_string());

    let found = problems(&from_sets(&[("database.url_file", "credential:main")]));
    assert!(found[0].contains("CREDENTIALS_DIRECTORY is not set") && found[0].contains("enroldctl"), "{found:?}");
    for name in ["", "../main", "a/b", ".hidden"] {
        let found = problems(&given(&dir, &[("smtp.password_file", &format!("credential:{name}"))]));
        assert!(found[0].contains("the name of a credential"), "{found:?}");
    }
    let found = problems(&given(&dir, &[("database.url_file", "credential:missing")]));
    assert!(found[0].contains("cannot read"), "{found:?}");
}
