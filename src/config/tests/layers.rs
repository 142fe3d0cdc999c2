//! Precedence, origins, and files that are missing or broken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

#[test]
fn later_layers_win_and_each_value_names_its_origin() {
    let dir = Dir::new();
    // Each layer sets one key less than the one below it.
    let all = ["settle = 11", "prefix = \"a_\"", "retries = 11", "lock_timeout = 11", "lease_ttl = 11"];
    let file = |name: &str, keep: usize, number: &str| {
        let text: String = all
            .iter()
            .take(keep)
            .zip(["inbox", "database", "run", "run", "run"])
            .map(|(line, section)| format!("{section}.{}\n", line.replace("11", number)))
            .collect();
        dir.file(name, &text)
    };
    let system = file("system.toml", 5, "11");
    let first = file("first.toml", 4, "12");
    let second = file("second.toml", 3, "13");
    let loaded = load(&Sources {
        system_file: Some(system.clone()),
        files: vec![first.clone(), second.clone()],
        env: pairs(&[
            ("ENROLD__DATABASE__PREFIX", "b_"),
            ("ENROLD__INBOX__SETTLE", "14"),
            ("HOME", "/root"),
            ("ENROLD_OTHER", "not ours"),
        ]),
        sets: pairs(&[("inbox.settle", "1"), ("inbox.settle", "15")]),
        credentials: None,
    })
    .unwrap();
    let from = |path: &Path| format!("file {}", path.display());
    let expected = [
        ("inbox.settle", "15", "--set".to_owned()),
        ("database.prefix", "b_", "environment ENROLD__DATABASE__PREFIX".to_owned()),
        ("run.retries", "13", from(&second)),
        ("run.lock_timeout", "12", from(&first)),
        ("run.lease_ttl", "11", from(&system)),
        ("run.effect_rows", "20000", "default".to_owned()),
        ("flatfile.unenrolaction", "", "Moodle's own setting".to_owned()),
    ];
    for (key, value, origin) in expected {
        assert_eq!(effective(&loaded, key), (value.to_owned(), origin), "{key}");
    }
    assert_eq!(loaded.settings.inbox.settle, Duration::from_secs(15));
    assert_eq!(loaded.settings.run.retries, 13);
}

#[test]
fn a_named_file_must_exist_and_the_systems_file_need_not() {
    let missing = PathBuf::from("/no/such/enrold.toml");
    let sources = Sources { system_file: Some(missing.clone()), ..Sources::default() };
    assert!(load(&sources).is_ok());
    let found = problems(&from_files(&[&missing]));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("file /no/such/enrold.toml: cannot read this configuration file:"), "{found:?}");
}

#[test]
fn what_is_not_toml_names_file_and_line() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "locale = \"fr\"\n\n[guard\nmode = \"warn\"\n");
    let found = problems(&from_files(&[&path]));
    assert!(found[0].starts_with(&format!("file {}, line 3: this is not TOML: ", path.display())), "{found:?}");
    let path = dir.file("twice.toml", "locale = \"fr\"\r\nlocale = \"en\"\r\n");
    assert!(problems(&from_files(&[&path]))[0].contains("line 2: this is not TOML"));
    let path = dir.file("huge.toml", "run.retries = 99999999999999999999999999\n");
    assert_eq!(problems(&from_files(&[&path])).len(), 1);
    let latin = dir.0.path().join("latin.toml");
    std::fs::write(&latin, b"locale = \"fr\"\n# \xe9t\xe9\n").unwrap();
    assert!(problems(&from_files(&[&latin]))[0].contains("line 2 is not UTF-8"));
}

#[test]
fn a_byte_order_mark_is_no_obstacle() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "\u{feff}locale = \"fr\"\n");
    let settings = load(&from_files(&[&path])).unwrap().settings;
    assert_eq!(settings.locale, Locale::Fr);
}

#[test]
fn an_origin_is_one_text_in_json() {
    let one = Effective {
        key: "locale".to_owned(),
        value: "fr".to_owned(),
        origin: Origin::Environment("ENROLD__LOCALE".to_owned()),
    };
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        r#"{"key":"locale","value":"fr","origin":"environment ENROLD__LOCALE"}"#
    );
}
