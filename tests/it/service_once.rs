//! The log of the daemon, a single pass of it, and the demonstration that keeps running.
//! It must not test the form of the log's lines.

use std::fs::File;
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::outside::enrols;
use crate::program::{Program, on_the_sample, sample};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(one_pass_tells_its_outcome);

fn once(program: &Program, settle: u32) -> Program {
    let inbox = format!("inbox.path={}", program.inbox().display());
    program.clone().set(&inbox).set(&format!("inbox.settle={settle}"))
}

async fn one_pass_tells_its_outcome(mut site: Site) {
    let program = site.sampled().await;
    let pass = once(&program, 0);
    pass.run(&["run", "--once"]).ends(0);
    // A file that was just written in place has not settled yet.
    std::fs::write(program.inbox().join("one.csv"), enrols(0)).unwrap();
    once(&program, 1).run(&["run", "--once"]).ends(0).says(&["one.csv"]);
    assert!(program.inbox().join("one.csv.done").exists());
    program.drop_file("errors.csv", std::fs::read(sample("enrols-erreurs-20261121.csv")).unwrap());
    let (code, told) = pass.clone().set("guard.mode=off").json(&["run", "--once"]);
    assert_eq!((code, &told["message"], &told["reports"][0]["errors"]), (4, &Json::Null, &json!(16)));
    program.drop_file("empty.csv", "");
    program.drop_file("more-errors.csv", enrols(1) + "add,nobody99,L1-MATH-101,student\n");
    pass.run(&["run", "--once"]).ends(3);
    program.drop_file("unreadable.csv", "operation,username\nadd,simona26\n");
    pass.run(&["run", "--once"]).ends(1);
    assert!(program.inbox().join("unreadable.csv.failed").exists());
    assert_eq!(site.free_leases().await, 3);

    let mut daemon = program.start();
    daemon.until_logged("this daemon leads");
    pass.run(&["--wait", "0", "run", "--once"]).ends(1).logs(&["another daemon leads this database"]);
    let (code, told) = pass.json(&["--wait", "0", "run", "--once"]);
    assert_eq!((code, &told["reports"]), (1, &json!([])));
    assert!(told["message"].as_str().unwrap().contains("another daemon leads this database"));
    daemon.stop();
}

/// A missing directory, and a stop while a file settles.
#[test]
fn one_pass_that_cannot_do_its_work() {
    on_the_sample(async |_, program| {
        std::fs::write(program.inbox().join("one.csv"), enrols(0)).unwrap();
        let words = ["--set", "inbox.settle=3600", "-v", "run", "--once"];
        let mut pass = program.start_with(&words);
        pass.until_logged("run 1, sync flatfile");
        pass.signal("TERM");
        assert_eq!(pass.ended().code(), Some(0));
        assert!(!pass.log().contains("takes too long"), "{}", pass.log());
        program.clone().set("inbox.path=/nowhere").run(&["run", "--once"]).ends(1).logs(&["/nowhere is not there"]);
    });
}

/// A file whose lines have unknown users, by name and by mail address.
const STRANGERS: &str = "operation,username,course,role
add,strangername,L1-MATH-101,student
add,stranger@example.org,L1-MATH-101,student
add,moreaul26,L1-MATH-101,student
";

/// One line for each run, in both forms, without any user's name.
#[test]
fn one_line_for_each_run_without_people() {
    on_the_sample(async |_, program| {
        for (format, name) in [("text", "one.csv"), ("json", "two.csv")] {
            let mut daemon = program.clone().set(&format!("log.format={format}")).start();
            program.drop_file(name, STRANGERS);
            daemon.until_there(&format!("{name}.done"));
            program.drop_file("unreadable.csv", "operation,username\nadd,strangername\n");
            daemon.until("its end", || {
                let failed = daemon_names(&program, "unreadable.csv.failed");
                failed > usize::from(format == "json")
            });
            let log = daemon.stop();
            assert!(!log.contains("stranger") && !log.contains("example.org") && !log.contains("moreaul26"), "{log}");
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(name)).collect();
            assert_eq!(lines.len(), 1, "{log}");
            match format {
                "text" => {
                    let begin = "INFO run 2, import one.csv: done-with-errors, 3 lines, 2 errors, ";
                    assert!(lines[0].trim_start().starts_with(begin), "{log}");
                }
                _ => {
                    let line: Json = serde_json::from_str(lines[0]).unwrap();
                    assert_eq!(
                        (&line["level"], &line["run.id"], &line["file.name"]),
                        (&json!("INFO"), &json!(4), &json!(name))
                    );
                    assert_eq!((&line["lines"], &line["errors"]), (&json!(3), &json!(2)));
                    assert!(line["duration_ms"].is_u64() && line["changes"].is_i64());
                }
            }
        }
    });
}

fn daemon_names(program: &Program, begin: &str) -> usize {
    crate::running::names(&program.inbox()).iter().filter(|name| name.starts_with(begin)).count()
}

/// It keeps running, applies dropped files and shows them, and Ctrl-C ends it cleanly.
#[test]
fn the_demonstration_stays() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path());
    let files = format!("{}/sample-sync-dir", env!("CARGO_MANIFEST_DIR"));
    let shown = dir.path().join("shown");
    let mut demo = program.spawn(&["demo", "--files", &files], Stdio::from(File::create(&shown).unwrap()));
    let says = |text: &str| std::fs::read_to_string(&shown).unwrap().contains(text);
    demo.until("the summary", || says("until Ctrl-C"));
    let sync = dir.path().join("demo/sync");
    std::fs::write(sync.join("dropped.csv"), enrols(0)).unwrap();
    demo.until("the dropped file", || sync.join("dropped.csv.done").exists());
    demo.until("its report", || says("dropped.csv"));
    demo.signal("INT");
    assert_eq!(demo.ended().code(), Some(0), "{}", demo.log());
}
