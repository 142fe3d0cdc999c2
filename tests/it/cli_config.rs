//! The layers of the configuration as the program reads them, and its output: usage, `config`, `--json`, the log.
//! It must not test every key; the configuration's own tests do.

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::program::{Program, sample};

fn bare() -> (TempDir, Program) {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    (dir, program)
}

/// Value and origin of a key.
fn effective(settings: &Json, key: &str) -> (String, Json) {
    let found = settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    (found["value"].as_str().unwrap().to_owned(), found["origin"].clone())
}

#[test]
fn each_layer_is_above_the_one_before() {
    let (_dir, program) = bare();
    program.write("a.toml", "locale = \"fr\"\n[guard]\nmode = \"warn\"\n[run]\nretries = 1\n[inbox]\nsettle = 9\n");
    program.write("b.toml", "[guard]\nmode = \"off\"\n[run]\nretries = 2\n");
    let program = program
        .with("--config", "a.toml")
        .with("--config", "b.toml")
        .env("ENROLD__RUN__RETRIES", "3")
        .env("ENROLD__GUARD__RUN__REMOVALS_MAX", "7")
        .set("guard.run.removals_max=8");
    let (code, settings) = program.json(&["config"]);
    assert_eq!(code, 0);
    let expected = [
        ("run.lease_ttl", "30"),
        ("inbox.settle", "9"),
        ("guard.mode", "off"),
        ("run.retries", "3"),
        ("guard.run.removals_max", "8"),
    ];
    for (key, value) in expected {
        assert_eq!(effective(&settings, key).0, value, "{key}");
    }
    let shown = program.run(&["config"]).ends(0);
    for (key, origin) in [
        ("run.lease_ttl", "default"),
        ("inbox.settle", "file a.toml"),
        ("guard.mode", "file b.toml"),
        ("run.retries", "environment ENROLD__RUN__RETRIES"),
        ("guard.run.removals_max", "--set"),
        ("flatfile.unenrolaction", "moodle"),
    ] {
        let line = shown.out.lines().find(|line| line.starts_with(&format!("{key} "))).unwrap();
        let told = line.rsplit_once("# ").unwrap().1.to_lowercase();
        assert!(told.contains(&origin.to_lowercase()), "{line}");
    }
}

#[test]
fn the_password_is_never_shown() {
    let (_dir, program) = bare();
    let program = program.set("database.url=postgres://enrold:geheim@db.example.org/moodle");
    for words in [&["config"][..], &["--json", "config"], &["-v", "config"], &["--json", "runs"], &["-vv", "runs"]] {
        let answer = program.run(&[&["--set", "database.connect_timeout=1"], words].concat());
        assert!(!answer.out.contains("geheim") && !answer.log.contains("geheim"), "{words:?}");
    }
    program.run(&["config"]).says(&["********"]);
    let file = program.write("bad.toml", "[database]\nurl = \"nosql://enrold:geheim@host/x\"\nlocale geheim\n");
    let wrong = program.run(&["--config", file.to_str().unwrap(), "config"]).ends(2);
    assert!(!wrong.log.contains("geheim"), "{}", wrong.log);
}

#[test]
fn all_problems_at_once_with_file_line_key_and_the_nearest() {
    let (_dir, program) = bare();
    program.write("wrong.toml", "locale = \"de\"\n\n[guard]\nmod = \"warn\"\n");
    let program = program.with("--config", "wrong.toml").env("ENROLD__INBOX__SETTLE", "soon").set("run.retrys=2");
    let problems = [
        "the configuration has 4 problems",
        "file wrong.toml, line 4: unknown key `guard.mod`; the nearest known key is `guard.mode`",
        "`locale`: found \"de\", expected one of en, fr",
        "environment ENROLD__INBOX__SETTLE: `inbox.settle`: found \"soon\"",
        "--set: unknown key `run.retrys`; the nearest known key is `run.retries`",
    ];
    program.run(&["config"]).ends(2).logs(&problems);
    let (code, document) = program.json(&["runs"]);
    assert_eq!((code, &document["state"]), (2, &json!("failed")));
    for problem in problems {
        assert!(document["message"].as_str().unwrap().contains(problem), "{document}");
    }
}

#[test]
fn a_named_file_that_is_absent() {
    let (_dir, program) = bare();
    program.run(&["--config", "absent.toml", "config"]).ends(2).logs(&["file absent.toml", "No such file"]);
}

#[test]
fn wrong_words() {
    let (_dir, program) = bare();
    for words in [
        &["frobnicate"][..],
        &[],
        &["import"],
        &["sync", "everything"],
        &["runs", "last"],
        &["--set", "locale", "config"],
        &["--wait", "long", "config"],
        &["check", "--kind", "xml", "file"],
    ] {
        let answer = program.run(words).ends(2);
        assert!(answer.out.is_empty() && !answer.log.is_empty(), "{words:?}");
    }
    program
        .run(&["--help"])
        .ends(0)
        .says(&["import", "sync", "check", "runs", "approve", "reject", "config", "doctor"]);
    program.run(&["--version"]).ends(0).says(&[env!("CARGO_PKG_VERSION")]);
}

/// Options are accepted before and after the command; the configuration takes effect in the command.
#[test]
fn settings_reach_the_command() {
    let (_dir, program) = bare();
    let file = sample("flatfile-erreurs-20261121.txt");
    program.run(&["check", &file, "--set", "locale=fr"]).ends(4).says(&["ligne 9 : commande « inscrire » inconnue"]);
    let french = program.env("ENROLD__LOCALE", "fr");
    french.run(&["check", &file]).ends(4).says(&["forme", "ligne 11 : 3 colonnes au lieu de 4-6"]);
}
