//! `enrold import` as a child process: exit codes, counts, refusals, simulations.
//! It must not test what a line does to the tables; the flat file's own tests do.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::program::{Program, on_the_sample, sample};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(the_sample_directory_and_again, the_method_is_not_enabled);

/// The table of `sample-sync-dir/README.md`: lines and failed lines; and the changes of the first import.
const SAMPLES: [(&str, u64, u64, &str); 5] = [
    (
        "enrols-20261121.csv",
        25,
        0,
        r#"{"buffer.add": 2, "enrolment.add": 20, "enrolment.suspend": 2, "instance.add": 6, "role.add": 21, "role.remove": 2}"#,
    ),
    ("enrols-erreurs-20261121.csv", 21, 16, r#"{"enrolment.add": 5, "instance.add": 1, "role.add": 5}"#),
    (
        "enrols_scolarite-20261121.csv",
        10,
        0,
        r#"{"buffer.add": 1, "enrolment.add": 8, "enrolment.suspend": 1, "instance.add": 1, "role.add": 8, "role.remove": 1}"#,
    ),
    (
        "flatfile-20261121.txt",
        13,
        0,
        r#"{"buffer.add": 1, "enrolment.add": 10, "enrolment.suspend": 1, "enrolment.update": 1, "instance.add": 2, "role.add": 10, "role.remove": 1}"#,
    ),
    ("flatfile-erreurs-20261121.txt", 13, 11, r#"{"enrolment.add": 2, "role.add": 2}"#),
];

async fn the_sample_directory_and_again(mut site: Site) {
    let program = site.sampled().await;
    for (name, lines, failed, counts) in SAMPLES {
        let path = sample(name);
        let bytes = std::fs::read(&path).unwrap();
        let (code, report) = program.json(&["import", &path]);
        assert_eq!(code, if failed > 0 { 4 } else { 0 }, "{name}: {report}");
        assert_eq!(report["lines"]["records"], lines, "{name}");
        assert_eq!(report["lines"]["failed"], failed, "{name}");
        assert_eq!(report["errors"], failed, "{name}");
        assert_eq!(report["problems"].as_array().unwrap().len() as u64, failed, "{name}");
        assert_eq!(report["counts"], serde_json::from_str::<Json>(counts).unwrap(), "{name}");
        let before = site.dump().await;
        let (_, again) = program.json(&["import", &path]);
        assert_eq!(again["counts"], json!({}), "{name} again");
        assert_eq!(again["errors"], failed, "{name} again");
        assert_eq!(again["same_bytes_as"], report["run"], "{name} again");
        site.nothing_changed(&before, name).await;
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} is left as it is");
    }
}

/// The enrolment method is disabled: a file that is not applied is a failure, a skipped task is not.
async fn the_method_is_not_enabled(mut site: Site) {
    let program = site.sampled().await;
    site.sql("UPDATE {config} SET value = 'manual,cohort' WHERE name = 'enrol_plugins_enabled'").await;
    let before = site.dump().await;
    let file = program.write("one.csv", ONE);
    let file = file.to_str().unwrap();
    let (code, report) = program.json(&["import", file]);
    assert_eq!((code, &report["state"], &report["notes"]), (1, &json!("skipped"), &json!(["method-disabled"])));
    program.run(&["sync", "flatfile"]).ends(0).says(&["'flatfile' is not enabled", "flatfile.when_disabled"]);
    site.nothing_changed(&before, "a method that is not enabled").await;
    let (code, report) = program.json(&["--set", "flatfile.when_disabled=apply", "import", file]);
    assert_eq!((code, &report["counts"]["enrolment.add"]), (0, &json!(1)));
}

const ONE: &str = "operation,username,course,role\nadd,oharas26,L1-ECO-101,student\n";

/// The time of `--now` is used for the run, the rows and the log.
#[test]
fn now_freezes_the_clock() {
    on_the_sample(async |mut site: Site, program| {
        let file = program.write("one.csv", ONE);
        let now = "1800000000";
        let (_, report) = program.at(1_800_000_000).json(&["import", file.to_str().unwrap()]);
        assert_eq!(report["clock"].to_string(), now);
        let (_, past) = program.json(&["runs", "1"]);
        assert_eq!(past["clock"].to_string(), now);
        let dump = site.dump().await;
        let enrolled = dump["user_enrolments"].iter().find(|row| row["timecreated"].as_deref() == Some(now));
        assert!(enrolled.is_some(), "the enrolment is of that moment");
        let logged = dump["logstore_standard_log"].iter().all(|row| row["timecreated"].as_deref() == Some(now));
        assert!(logged, "so are its events");
    });
}

/// `del` lines that the settings of the site turn into no-ops are reported.
#[test]
fn del_lines_that_end_nothing() {
    on_the_sample(async |_, program| {
        let program = program.set("flatfile.unenrolaction=keep");
        let (code, report) = program.json(&["import", &sample("enrols-20261121.csv")]);
        assert_eq!((code, &report["notes"]), (0, &json!(["del-ignored"])));
        assert!(report["counts"].get("enrolment.suspend").is_none());
    });
}

#[test]
fn a_report_speaks_french() {
    on_the_sample(async |_, program| {
        program
            .set("locale=fr")
            .run(&["import", &sample("flatfile-erreurs-20261121.txt")])
            .ends(4)
            .says(&["terminée, mais des lignes ont échoué", "inscrits", "ligne 4 : valeur d'identification"])
            .says(&["rôle « assistant » introuvable", "end-before-start"]);
    });
}

#[test]
fn quiet_says_nothing_of_a_run_that_is_done() {
    on_the_sample(async |_, program| {
        let file = program.write("one.csv", ONE);
        let quiet = program.run(&["-q", "import", file.to_str().unwrap()]).ends(0);
        assert_eq!((quiet.out.as_str(), quiet.log.as_str()), ("", ""));
        program.run(&["-q", "import", &sample("enrols-erreurs-20261121.csv")]).ends(4).says(&["line 21:"]);
        program.run(&["-v", "import", file.to_str().unwrap()]).ends(0).says(&["everything stood already"]);
        program.run(&["-q", "-v", "runs"]).ends(2).logs(&["cannot be used with"]);
    });
}

/// What changed nothing because it failed did not stand already.
#[test]
fn a_run_in_which_every_line_failed() {
    on_the_sample(async |_, program| {
        let file = "operation,username,course,role\nadd,nobody1,L1-MATH-101,student\nadd,nobody2,L1-MATH-101,student\n";
        program.write("none.csv", file);
        let none = program.run(&["import", "none.csv"]).ends(4).says(&["none: every line failed"]);
        assert!(!none.out.contains("stood already"), "{}", none.out);
        let french = program.clone().set("locale=fr");
        french.run(&["import", "--simulate", "none.csv"]).ends(4).says(&["aucune : toutes les lignes ont échoué"]);
        program.write("one.csv", ONE);
        program.run(&["import", "one.csv"]).ends(0);
        program.write("some.csv", format!("{ONE}add,nobody1,L1-MATH-101,student\n"));
        program.run(&["import", "some.csv"]).ends(4).says(&["none: what did not fail stood already"]);
        french.run(&["import", "some.csv"]).ends(4).says(&["aucune : ce qui n'a pas échoué y était déjà"]);
    });
}

#[test]
fn a_key_for_this_file_alone() {
    on_the_sample(async |_, program| {
        let file = program.write("keys.csv", "operation,username,course,role\nadd,22612023,ELP7201,student\n");
        let file = file.to_str().unwrap();
        program.run(&["import", file]).ends(4).says(&["no account matches username=22612023"]);
        program.run(&["import", "--user-key", "idnumber", "--course-key", "idnumber", file]).ends(0);
        let named_native = program.run(&["import", "--kind", "native", file]).ends(4);
        named_native.says(&["bad-verb           line 1:"]);
        program.run(&["import", "--user-key", "name", file]).ends(2).logs(&["use username, idnumber, email or id"]);
    });
}

/// A file that cannot be read at all fails as a whole with a clear message, and appears in the history.
#[test]
fn files_that_cannot_be_read() {
    on_the_sample(async |mut site: Site, program| {
        std::fs::create_dir(program.dir.join("folder.csv")).unwrap();
        let made = Command::new("mkfifo").arg(program.dir.join("pipe.csv")).status().unwrap();
        assert!(made.success());
        program.write("nul.txt", b"add,student,22612011,ELP5210\nadd,\0,x,y\n");
        program.write("column.csv", "operation,username,role\nadd,oharas26,student\n");
        let before = site.dump().await;
        let cases = [
            ("absent.csv", "file-unreadable", "No such file or directory"),
            ("folder.csv", "file-unreadable", "not a regular file"),
            ("pipe.csv", "file-unreadable", "not a regular file"),
            ("nul.txt", "encoding-invalid", "NUL byte on line 2"),
            ("column.csv", "column-missing", "required column missing: course"),
        ];
        for (run, (name, code, words)) in (1..).zip(cases) {
            program.run(&["import", "--simulate", name]).ends(1).says(&[code, words]);
            let (exit, report) = program.json(&["import", name]);
            assert_eq!((exit, &report["state"], &report["run"]), (1, &json!("failed"), &json!(run)), "{name}");
            let problem = &report["problems"][0];
            assert_eq!(problem["code"], code, "{name}");
            assert!(problem["message"].as_str().unwrap().contains(words), "{name}: {problem}");
            let (_, past) = program.json(&["runs", &run.to_string()]);
            assert_eq!((&past["state"], &past["source"]), (&json!("failed"), &json!(name)));
            assert!(past["message"].as_str().unwrap().contains(words), "{name}: {past}");
        }
        site.nothing_changed(&before, "files that cannot be read").await;
    });
}

/// Control characters of a file never reach a terminal.
#[test]
fn control_characters_are_not_shown() {
    on_the_sample(async |_, program| {
        let file = program.write("escape.txt", b"add,student,\x1b[2J,ELP5210\n");
        let answer = program.run(&["import", file.to_str().unwrap()]).ends(4).says(&["\u{fffd}[2J"]);
        assert!(!answer.out.contains('\x1b'));
    });
}

#[test]
fn nothing_to_work_on() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path()).set("database.url=sqlite:nowhere.sqlite");
    let (code, failed) = program.json(&["import", &sample("flatfile-20261121.txt")]);
    assert_eq!((code, &failed["state"]), (1, &json!("failed")));
    program.run(&["runs"]).ends(1).logs(&["enrold: cannot connect to the database"]);
    assert!(!dir.path().join("nowhere.sqlite").exists());
}
