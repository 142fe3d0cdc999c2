//! The outcome of a file and the files beside it: report, list of errors, retry file.
//! It must not test names that already exist.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::json;

use crate::inbox::{HEADER, good, half_good, powerless, report};
use crate::program::on_the_sample;
use crate::running::names;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(failed_lines_are_listed_and_tried_again, held_then_rejected_or_approved);

/// The list has exactly the failed lines; the retry file becomes input under a new name.
async fn failed_lines_are_listed_and_tried_again(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.lead();
    let text = "operation;username;course;role\r\nadd;nobody1;L1-MATH-101;student\r\nadd;moreaul26;L1-MATH-101;student\r\n\
                add;\"moreaul26\";\"NO;COURSE\";student\r\n";
    program.drop_file("a.csv", text);
    daemon.until_there("a.csv.done");
    let read = |name: &str| fs::read_to_string(daemon.inbox.join(name)).unwrap();
    assert_eq!(
        read("a.csv.errors.csv"),
        "line,code,message,raw\n\
         2,user-unknown,line 2: no account matches username=nobody1; create the account or correct the line,add;nobody1;L1-MATH-101;student\n\
         4,course-unknown,line 4: no course matches shortname=NO;COURSE; create the course or correct the line,\"add;\"\"moreaul26\"\";\"\"NO;COURSE\"\";student\"\n"
    );
    let retry =
        "operation;username;course;role\nadd;nobody1;L1-MATH-101;student\nadd;\"moreaul26\";\"NO;COURSE\";student\n";
    assert_eq!(read("a.csv.retry.csv"), retry);
    assert_eq!(read("a.csv.done"), text, "the file itself is as it was");
    let report = report(&daemon.inbox, "a.csv.report.json");
    assert_eq!((&report["state"], &report["same_bytes_as"]), (&json!("done-with-errors"), &json!(null)));
    assert_eq!(report["lines"]["records"], 3);
    assert_eq!(report["source"], program.inbox().join("a.csv").display().to_string());
    // The account exists now: one line of the retry file is applied, the other fails again.
    fs::write(daemon.inbox.join("a.csv.retry.csv"), retry.replace("nobody1", "laurentn26")).unwrap();
    fs::rename(daemon.inbox.join("a.csv.retry.csv"), daemon.inbox.join("again.csv")).unwrap();
    daemon.until_there("again.csv.done");
    assert_eq!(
        fs::read_to_string(daemon.inbox.join("again.csv.retry.csv")).unwrap(),
        "operation;username;course;role\nadd;\"moreaul26\";\"NO;COURSE\";student\n"
    );
    assert_eq!(site.told_runs().await, ["a.csv done-with-errors", "again.csv done-with-errors"]);
}

/// Every raw line is copied in UTF-8, and every message is French.
#[test]
fn lists_in_french_of_a_file_in_another_encoding() {
    on_the_sample(async |_, program| {
        let program = program.set("locale=fr");
        let mut daemon = program.lead();
        let bytes =
            [HEADER.as_bytes(), b"add,moreaul26,M\xe9decine-P9,student\nadd,moreaul26,L1-MATH-101,student\n"].concat();
        program.drop_file("a.csv", bytes);
        daemon.until_there("a.csv.done");
        let read = |name: &str| fs::read_to_string(daemon.inbox.join(name)).unwrap();
        let errors = read("a.csv.errors.csv");
        assert!(errors.starts_with("line,code,message,raw\n2,course-unknown,"), "{errors}");
        assert!(
            errors.contains("introuvable") && errors.ends_with("\"add,moreaul26,Médecine-P9,student\"\n"),
            "{errors}"
        );
        assert_eq!(read("a.csv.retry.csv"), format!("{HEADER}add,moreaul26,Médecine-P9,student\n"));
        assert!(read("a.csv.report.json").contains("introuvable"));
    });
}

/// A file that cannot be read at all is set aside with its reason; links are not followed, and pipes not waited for.
#[test]
fn what_cannot_be_read_fails() {
    on_the_sample(async |mut site, program| {
        let program = program.set("inbox.settle=1").set("inbox.rescan=1");
        let inbox = program.inbox();
        let secret = program.write("secret", "root:x:0:0\n");
        let mut daemon = program.start_within(powerless());
        daemon.until_logged("this daemon leads");
        program.drop_file("nul.csv", b"operation,username\0,course,role\n");
        program
            .drop_file("header.csv", "operation,username,course,role,colour\nadd,moreaul26,L1-MATH-101,student,red\n");
        std::os::unix::fs::symlink(&secret, inbox.join("link.csv")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", inbox.join("nowhere.csv")).unwrap();
        assert!(Command::new("mkfifo").arg(inbox.join("fifo.csv")).status().unwrap().success());
        let _socket = UnixListener::bind(inbox.join("socket.csv")).unwrap();
        let sealed = program.write("sealed", good("moreaul26"));
        fs::set_permissions(&sealed, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        fs::rename(sealed, inbox.join("sealed.csv")).unwrap();
        fs::create_dir(inbox.join("directory.csv")).unwrap();
        for (name, words) in [
            ("nul.csv", "NUL"),
            ("header.csv", "colour"),
            ("link.csv", "symbolic link"),
            ("nowhere.csv", "symbolic link"),
            ("fifo.csv", "not a regular file"),
            ("socket.csv", "not a regular file"),
            ("sealed.csv", "ermission denied"),
        ] {
            daemon.until_there(&format!("{name}.report.json"));
            daemon.until("its end", || inbox.join(format!("{name}.failed")).symlink_metadata().is_ok());
            let report = report(&inbox, &format!("{name}.report.json"));
            assert_eq!(report["state"], "failed", "{name}");
            assert!(report["problems"].to_string().contains(words), "{name}: {report:#}");
            assert!(!report.to_string().contains("root:x"), "{name}");
        }
        daemon.is_well("after.csv");
        assert!(inbox.join("directory.csv").is_dir());
        assert!(names(&inbox).iter().all(|name| !name.ends_with(".work") && !name.ends_with(".errors.csv")));
        let runs = site.told_runs().await;
        assert_eq!(runs.iter().filter(|run| run.ends_with(" failed")).count(), 7, "{runs:?}");
    });
}

/// The guard holds an empty file; the daemon carries out the decision, and the file gets its name.
async fn held_then_rejected_or_approved(mut site: Site) {
    let program = site.sampled().await;
    let mut daemon = program.lead();
    for name in ["one.csv", "two.csv", "one.csv"] {
        program.drop_file(name, "");
        daemon.until("it is held", || !program.inbox().join(name).exists());
        daemon.is_well(&format!("after-{}", names(&program.inbox()).len()));
    }
    let held = |names: Vec<String>| names.into_iter().filter(|name| name.contains(".held")).collect::<Vec<_>>();
    assert_eq!(held(names(&daemon.inbox)), ["one.csv.held", "one.csv.held.20261121-100000", "two.csv.held"]);
    let report = report(&daemon.inbox, "one.csv.report.json");
    assert_eq!((&report["state"], &report["breaches"][0]["what"]), (&json!("held"), &json!("empty")));
    let run = |name: &str| crate::inbox::report(&daemon.inbox, name)["run"].to_string();
    let [first, second, third] =
        ["one.csv.report.json", "two.csv.report.json", "one.csv.20261121-100000.report.json"].map(run);
    program.run(&["reject", &first]).ends(0);
    daemon.until_there("one.csv.rejected");
    program.run(&["approve", &second]).ends(0);
    daemon.until_there("two.csv.done");
    program.run(&["reject", &third]).ends(0);
    daemon.until_there("one.csv.rejected.20261121-100000");
    daemon.is_well("after.csv");
    assert_eq!(held(names(&daemon.inbox)), Vec::<String>::new());
}

/// A held file has its lists; those of the approved run replace them.
#[test]
fn a_held_file_has_its_lists() {
    on_the_sample(async |_, program| {
        let program = program.set("guard.failed_lines_min=1");
        let mut daemon = program.lead();
        program.drop_file("a.csv", half_good());
        daemon.until_there("a.csv.held");
        for ending in ["report.json", "errors.csv", "retry.csv"] {
            assert!(daemon.inbox.join(format!("a.csv.{ending}")).exists(), "{ending}");
        }
        let run = report(&daemon.inbox, "a.csv.report.json")["run"].to_string();
        program.run(&["approve", &run]).ends(4);
        daemon.until_there("a.csv.done");
        assert_eq!(report(&daemon.inbox, "a.csv.report.json")["state"], "done-with-errors");
    });
}
