//! The database URL: its forms, its file, and that no output contains it.

use super::*;
use crate::config::forms;

#[test]
fn a_url_and_a_url_file_in_one_layer_are_refused() {
    let dir = Dir::new();
    let path = dir.file("site.toml", "[database]\nurl = \"sqlite:a\"\nurl_file = \"b\"\n");
    let found = problems(&from_files(&[&path]));
    assert_eq!(
        found[0],
        format!(
            "file {}, line 3: `database.url` and `database.url_file` are both set; keep one of them",
            path.display()
        )
    );
    let twice = [("database.url", "sqlite:a"), ("database.url_file", "b")];
    assert!(problems(&from_sets(&twice))[0].starts_with("--set: `database.url` and"));
}

#[test]
fn a_higher_layer_replaces_the_database_whichever_way_it_is_named() {
    let dir = Dir::new();
    let secret = dir.file("url", "sqlite:from-file");
    let site = dir.file("site.toml", &format!("database.url_file = {:?}\n", secret.display().to_string()));
    let mut sources = from_files(&[&site]);
    sources.sets = pairs(&[("database.url", "sqlite:from-set")]);
    assert_eq!(url(&load(&sources).unwrap()), "sqlite:from-set");

    let site = dir.file("other.toml", "database.url = \"sqlite:from-toml\"\n");
    let mut sources = from_files(&[&site]);
    sources.env = pairs(&[("ENROLD__DATABASE__URL_FILE", &secret.display().to_string())]);
    assert_eq!(url(&load(&sources).unwrap()), "sqlite:from-file");
}

#[test]
fn the_url_file_is_read_and_trimmed_and_its_content_never_shown() {
    let dir = Dir::new();
    let secret = dir.file("url", "\n  postgres://enrold:geheim@db/moodle \r\n");
    let path = secret.display().to_string();
    let loaded = load(&from_sets(&[("database.url_file", &path)])).unwrap();
    assert_eq!(url(&loaded), "postgres://enrold:geheim@db/moodle");
    assert_eq!(effective(&loaded, "database.url"), ("********".to_owned(), "--set".to_owned()));
    assert_eq!(effective(&loaded, "database.url_file").0, path);
    assert!(!format!("{loaded:?}").contains("geheim"));

    for (content, reason) in [
        ("", "is empty"),
        ("enrold:geheim@db", "not a database URL"),
        ("postgres://e:geheim@db/m\npostgres://x", "control character"),
    ] {
        let bad = dir.file("bad", content);
        let found = problems(&from_sets(&[("database.url_file", &bad.display().to_string())]));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(reason), "{found:?}");
        assert!(!found[0].contains("geheim"), "{found:?}");
    }
    let found = problems(&from_sets(&[("database.url_file", "/no/such/file")]));
    assert!(found[0].contains("cannot read /no/such/file"), "{found:?}");
}

#[test]
fn secrets_are_masked_and_no_message_repeats_a_url() {
    let secret = "postgres://enrold:geheim@db/moodle";
    let loaded = load(&from_env(&[("ENROLD__DATABASE__URL", secret)])).unwrap();
    assert_eq!(url(&loaded), secret);
    assert_eq!(
        effective(&loaded, "database.url"),
        ("********".to_owned(), "environment ENROLD__DATABASE__URL".to_owned())
    );
    assert!(!format!("{loaded:?}").contains("geheim"));

    let misplaced = [
        ("database.url", "postgre://enrold:geheim@db/moodle"),
        ("database.url", "enrold:geheim@db"),
        ("database.ulr", secret),
        ("database.url_file", secret),
        ("database.prefix", secret),
        ("inbox.settle", secret),
        ("locale", secret),
        ("site.timezone", secret),
        ("database", secret),
    ];
    for (key, value) in misplaced {
        let found = problems(&from_sets(&[(key, value)]));
        assert!(!found[0].contains("geheim"), "{key}: {found:?}");
    }
    let dir = Dir::new();
    for text in [
        "[database]\nurl = \"postgres://enrold:geheim@db/moodle\n",
        "[database]\nurl = postgres://enrold:geheim@db/moodle\n",
        "[database]\nurl = [\"postgres://enrold:geheim@db/moodle\"]\n",
    ] {
        let path = dir.file("site.toml", text);
        let found = problems(&from_files(&[&path])).join("\n");
        assert!(found.contains("line 2"), "{found}");
        assert!(!found.contains("geheim"), "{found}");
    }
}

#[test]
fn database_urls_have_known_forms() {
    for url in [
        "sqlite://demo/enrold.sqlite",
        "sqlite:///var/lib/enrold/enrold.sqlite",
        "sqlite:enrold.sqlite",
        "postgres://u:p@h/moodle",
        "postgresql://h/moodle",
        "postgres:///moodle?host=/run/postgresql",
        "mysql://u@h:3306/moodle",
        "mariadb://u@h/moodle",
    ] {
        assert_eq!(forms::database_url(url), Ok(()), "{url}");
    }
    for url in [
        "sqlite:",
        "sqlite://",
        "postgres:moodle",
        "postgres://",
        "mysql://?ssl-mode=disabled",
        "oracle://h/m",
        "/var/lib/moodle.sqlite",
        "",
    ] {
        assert!(forms::database_url(url).is_err(), "{url}");
    }
    assert_eq!(forms::sqlite_url("/a b/50%?#"), "sqlite:///a b/50%25%3F%23");
}

#[test]
fn the_embedded_database_follows_the_state_directory() {
    let loaded = load(&from_sets(&[("state.path", "elsewhere")])).unwrap();
    assert_eq!(url(&loaded), "sqlite://elsewhere/enrold.sqlite");
    assert_eq!(effective(&loaded, "database.url").1, "default");
}
