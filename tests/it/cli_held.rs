//! `enrold runs`, `approve` and `reject` as a child process, on runs that the guard holds.
//! It must not test the guard's arithmetic; the guard's own tests do.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use crate::program::{Program, on_the_sample, sample};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(held_shown_approved_and_rejected);

/// Nine of the sixteen users of a course leave; one line is wrong.
pub const LEAVERS: [&str; 9] = [
    "moreaul26",
    "simona26",
    "laurentn26",
    "lefebvrei26",
    "michelr26",
    "garciae26",
    "davidg26",
    "bertrandf26",
    "rouxs26",
];

/// Imports the users of the sample, and returns the file by which most users of a course leave.
pub fn departures(program: &Program) -> String {
    program.run(&["import", &sample("enrols-20261121.csv")]).ends(0);
    let leave: String = LEAVERS.iter().map(|name| format!("del,{name},L1-MATH-101,student\n")).collect();
    let text = format!("operation,username,course,role\n{leave}del,nobody99,L1-MATH-101,student\n");
    program.write("departures.csv", text);
    "departures.csv".to_owned()
}

async fn held_shown_approved_and_rejected(mut site: Site) {
    let program = site.sampled().await;
    let file = departures(&program);
    let before = site.dump().await;
    let (code, rehearsal) = program.json(&["import", "--simulate", &file]);
    assert_eq!((code, &rehearsal["state"], &rehearsal["would_hold"]), (3, &json!("simulated"), &json!(true)));
    assert_eq!(site.last_run().await, 1, "a rehearsal is not in the history");

    let (code, held) = program.json(&["import", &file]);
    assert_eq!((code, &held["state"], &held["run"]), (3, &json!("held"), &json!(2)));
    let breach =
        json!({"scope": "course", "name": "L1-MATH-101", "what": "suspensions", "count": 9, "of": 16, "limit": "50 %"});
    assert_eq!(held["breaches"][2], breach);
    let scopes: Vec<&Json> = held["breaches"].as_array().unwrap().iter().map(|breach| &breach["scope"]).collect();
    assert_eq!(scopes, ["run", "method", "course"]);
    assert_eq!(rehearsal["breaches"], held["breaches"]);
    assert_eq!(held["counts"], json!({"enrolment.suspend": 9}));
    program.run(&["import", &file]).ends(3).says(&["HELD", "9 (planned)", "enrold approve 3"]);
    site.nothing_changed(&before, "held").await;

    shown(&program);
    let (code, rejected) = program.json(&["reject", "3"]);
    assert_eq!((code, &rejected["run"], &rejected["state"]), (0, &json!(3), &json!("rejected")));
    site.nothing_changed(&before, "rejected").await;

    let (code, approved) = program.json(&["approve", "2"]);
    assert_eq!((code, &approved["kind"], &approved["errors"]), (4, &json!("approve"), &json!(1)));
    assert_eq!(approved["counts"], json!({"enrolment.suspend": 9, "role.remove": 9}));
    assert_eq!(approved["meanwhile"], json!({"held": 2, "planned": {"enrolment.suspend": 9}, "overtaken": 0}));
    decided(&program);
}

/// The held plan, as text and as JSON.
fn shown(program: &Program) {
    program.run(&["runs", "2"]).ends(0).says(&[
        "held",
        "! guard: 9 suspensions in course L1-MATH-101, of 16 (limit 50 %)",
        "user-unknown       line 11: no account matches username=nobody99",
        "line 2       suspended                  moreaul26            L1-MATH-101          student",
    ]);
    let (_, whole) = program.json(&["runs", "2"]);
    let users: Vec<&str> =
        whole["changes"].as_array().unwrap().iter().map(|change| change["username"].as_str().unwrap()).collect();
    assert_eq!(users, LEAVERS);
    assert_eq!((&whole["errors"][0]["line"], &whole["errors"][0]["code"]), (&json!(11), &json!("user-unknown")));
}

/// A decision is final, and the history contains it.
fn decided(program: &Program) {
    for words in [["approve", "2"], ["approve", "3"], ["reject", "2"]] {
        program.run(&words).ends(1).logs(&["is not held", "nothing to decide"]);
    }
    program.run(&["approve", "99"]).ends(1).logs(&["there is no run 99"]);
    let (_, runs) = program.json(&["runs"]);
    let states: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done-with-errors", "rejected", "approved", "done"]);
    assert_eq!(runs[0]["parent"], 2);
    assert_eq!(runs[2]["message"], "approved as run 4");
    applied(&program.json(&["runs", "4"]).1);
    program.run(&["runs", "--limit", "1"]).ends(0).says(&["done-with-errors"]);
    program.run(&["runs", "99"]).ends(1).logs(&["there is no run 99: see 'enrold runs'"]);
    program.run(&["runs", "0"]).ends(1).logs(&["run 0 is a simulation", "see 'enrold runs'"]);
    program.run(&["runs", "--limit", "0"]).ends(2).logs(&["--limit"]);
}

/// The journal of an applied run names users, courses and roles and holds the complete old rows.
fn applied(whole: &Json) {
    assert_eq!(
        whole["errors"][0]["message"],
        "line 11: no account matches username=nobody99; create the account or correct the line"
    );
    let changes = whole["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 18);
    let suspended = changes.iter().find(|change| change["kind"] == "enrolment.suspend" && change["line"] == 2).unwrap();
    assert_eq!((&suspended["username"], &suspended["course"]), (&json!("moreaul26"), &json!("L1-MATH-101")));
    assert_eq!((&suspended["oldrow"]["status"], &suspended["oldrow"]["id"]), (&json!(0), &suspended["targetid"]));
    let role = changes.iter().find(|change| change["kind"] == "role.remove" && change["line"] == 2).unwrap();
    assert_eq!((&role["role"], &role["oldrow"]["component"]), (&json!("student"), &json!("enrol_flatfile")));
}

/// A file without an applicable line waits for a decision, too.
#[test]
fn empty_files_are_held() {
    on_the_sample(async |_, program| {
        for (name, text) in [("empty.csv", ""), ("header.csv", "operation,username,course,role\n")] {
            program.write(name, text);
            program.run(&["import", "--simulate", name]).ends(3).says(&["holds no line to apply"]);
            let (code, held) = program.json(&["import", name]);
            assert_eq!((code, &held["breaches"][0]["what"]), (3, &json!("empty")), "{name}");
            program.run(&["--set", "guard.hold_empty=false", "import", name]).ends(0);
        }
        program.run(&["approve", "1"]).ends(0);
    });
}

/// Held copies contain personal data: only enrold's account can read them; a modified copy is refused.
#[test]
fn kept_copies_are_private_and_sealed() {
    on_the_sample(async |_, program| {
        let file = departures(&program);
        program.run(&["import", &file]).ends(3);
        let store = program.dir.join("state/held/2");
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store), 0o700);
        for name in ["bytes", "order.json", "plan.jsonl", "errors.jsonl", "people.jsonl"] {
            assert_eq!(mode(&store.join(name)), 0o600, "{name}");
        }
        std::fs::write(store.join("bytes"), "operation,username,course,role\n").unwrap();
        program.run(&["approve", "2"]).ends(1).logs(&["has changed (sha256 ", "drop the file again"]);
        program.run(&["reject", "2"]).ends(0).says(&["nothing of it will be applied"]);
    });
}

/// A file that was held before a later run does not undo the changes of that run.
#[test]
fn a_line_that_was_overtaken() {
    on_the_sample(async |_, program| {
        let file = departures(&program);
        program.run(&["import", &file]).ends(3);
        let later = "operation,username,course,role,timestart,timeend\nadd,simona26,L1-MATH-101,student,,2027-06-30\n";
        program.write("later.csv", later);
        program.run(&["import", "later.csv"]).ends(0);
        let (code, approved) = program.json(&["approve", "2"]);
        assert_eq!((code, &approved["counts"]["enrolment.suspend"]), (4, &json!(8)));
        assert_eq!(approved["meanwhile"]["overtaken"], 1);
        let overtaken = &approved["problems"][0];
        assert_eq!((&overtaken["line"], &overtaken["code"]), (&json!(3), &json!("overtaken")));
    });
}
