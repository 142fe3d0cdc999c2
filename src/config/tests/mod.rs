//! Tests of the configuration, with their shared helpers.
//! They pass every source as a value: no test reads the environment or /etc.

mod credentials;
mod database;
mod layers;
mod profiles;
mod reference;
mod sources;
mod values;

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::*;

/// A directory for configuration files that is removed at the end of the test.
struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    list.iter().map(owned).collect()
}

fn from_files(files: &[&Path]) -> Sources {
    Sources { files: files.iter().map(|path| path.to_path_buf()).collect(), ..Sources::default() }
}

fn from_sets(sets: &[(&str, &str)]) -> Sources {
    Sources { sets: pairs(sets), ..Sources::default() }
}

fn from_env(env: &[(&str, &str)]) -> Sources {
    Sources { env: pairs(env), ..Sources::default() }
}

fn problems(sources: &Sources) -> Vec<String> {
    let ConfigProblems(list) = load(sources).expect_err("the configuration should be refused");
    list.iter().map(ToString::to_string).collect()
}

fn effective(loaded: &Loaded, key: &str) -> (String, String) {
    let one = loaded.origins.iter().find(|one| one.key == key).unwrap();
    (one.value.clone(), one.origin.to_string())
}

fn url(loaded: &Loaded) -> &str {
    loaded.settings.database.url.expose_secret()
}
