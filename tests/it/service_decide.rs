//! Commands beside the daemon: decisions on held runs, and other commands that work meanwhile.
//! It must not test the decisions without a daemon; the command's own tests do.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::outside::{enrols, on_both_servers};
use crate::program::{Program, sample};
use crate::running::{Running, names};
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    the_daemon_carries_decisions_out,
    a_decision_that_cannot_be_done_is_told,
    a_suspended_leader_is_not_waited_for,
    of_two_decisions_one_counts,
    commands_work_beside_the_daemon,
    an_idle_daemon_decides_at_once,
    an_approval_by_the_daemon_names_its_rule,
);
on_both_servers!(commands_wait_for_a_run_of_the_daemon);

/// Nine of the sixteen users of a course leave; one line is wrong.
fn departures() -> String {
    let people = ["moreaul26", "simona26", "laurentn26", "lefebvrei26", "michelr26", "garciae26", "davidg26"];
    let leave: String = people.iter().map(|name| format!("del,{name},L1-MATH-101,student\n")).collect();
    format!(
        "operation,username,course,role\n{leave}del,bertrandf26,L1-MATH-101,student\ndel,nobody99,L1-MATH-101,student\n"
    )
}

/// A daemon with held runs from 3 on, one for each name, after run 2 enrolled the users of the sample.
fn holding(program: &Program, held: &[&str]) -> Running {
    program.drop_file("enrols.csv", std::fs::read(sample("enrols-20261121.csv")).unwrap());
    let mut daemon = program.start();
    daemon.until_there("enrols.csv.done");
    for name in held {
        program.drop_file(name, departures());
        daemon.until_there(&format!("{name}.held"));
    }
    daemon
}

async fn short(site: &mut Site) -> Program {
    // A daemon that was killed is not waited for.
    site.sampled().await.set("run.lease_ttl=10")
}

async fn the_daemon_carries_decisions_out(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = holding(&program, &["a.csv", "b.csv", "c.csv"]);
    let (code, approved) = program.json(&["approve", "3"]);
    assert_eq!((code, &approved["kind"], &approved["errors"]), (4, &json!("approve"), &json!(1)));
    assert_eq!(approved["counts"], json!({"enrolment.suspend": 8, "role.remove": 8}));
    assert_eq!(approved["meanwhile"], json!({"held": 3, "planned": {"enrolment.suspend": 8}, "overtaken": 0}));
    daemon.until_there("a.csv.done");
    let (code, rejected) = program.json(&["reject", "4"]);
    assert_eq!((code, &rejected["run"], &rejected["state"]), (0, &json!(4), &json!("rejected")));
    daemon.until_there("b.csv.rejected");
    daemon.until_logged("run 4 is rejected");
    program.run(&["approve", "3"]).ends(1).logs(&["is not held", "nothing to decide"]);
    let log = daemon.stop();
    assert_eq!(log.matches("INFO run 6, approve").count(), 1, "{log}");
    // Without a daemon the command records and applies the decision.
    program.clone().set(&format!("inbox.path={}", program.inbox().display())).run(&["approve", "5"]).ends(4);
    let left: Vec<String> = names(&program.inbox()).into_iter().filter(|name| name.starts_with("c.csv")).collect();
    assert_eq!(left, ["c.csv.done", "c.csv.errors.csv", "c.csv.report.json", "c.csv.retry.csv"]);
}

/// The leader does not wait for its next heartbeat, which would come after a quarter of an hour.
async fn an_idle_daemon_decides_at_once(mut site: Site) {
    let program = site.sampled().await.set("run.lease_ttl=3600");
    let mut daemon = holding(&program, &["a.csv", "b.csv"]);
    for (words, ended) in [(["reject", "3"], "a.csv.rejected"), (["approve", "4"], "b.csv.done")] {
        let begun = Instant::now();
        program.run(&words);
        assert!(begun.elapsed() < Duration::from_secs(5), "{words:?} took {:?}", begun.elapsed());
        daemon.until_there(ended);
    }
    daemon.stop();
}

/// The kind of an approval does not say what was approved; its source does, and the time is that until the commit.
async fn an_approval_by_the_daemon_names_its_rule(mut site: Site) {
    let program = short(&mut site).await;
    site.sql("DELETE FROM {cohort_members} WHERE cohortid = 2 AND userid < 28").await;
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    program.run(&["sync", "cohort"]).ends(3).says(&["run 2, sync cohort: HELD"]);
    let (code, approved) = program.json(&["approve", "2"]);
    assert_eq!((code, &approved["kind"], &approved["source"]), (0, &json!("approve"), &json!("sync cohort")));
    assert_eq!(approved["rules"][0]["rule"], "cohort");
    assert!(approved["commit_ms"].as_u64().unwrap() > 0, "{approved}");
    assert_eq!(approved["total_ms"], approved["commit_ms"]);
    daemon.until_logged("run 3, approve sync cohort: done");
    daemon.stop();
}

async fn a_decision_that_cannot_be_done_is_told(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = holding(&program, &["a.csv"]);
    std::fs::write(program.dir.join("state/held/3/bytes"), "operation,username,course,role\n").unwrap();
    program.run(&["approve", "3"]).ends(1).logs(&["has changed (sha256 ", "drop the file again"]);
    daemon.until_logged("run 3 cannot be decided");
    assert!(daemon.inbox.join("a.csv.held").exists());
    program.run(&["reject", "3"]).ends(0).says(&["nothing of it will be applied"]);
    daemon.until_there("a.csv.rejected");
    daemon.stop();
}

/// The decision is recorded, and applied as soon as a daemon leads again.
async fn a_suspended_leader_is_not_waited_for(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = holding(&program, &["a.csv"]);
    let (code, said) = loop {
        daemon.signal("STOP");
        let answer = program.json(&["--wait", "1", "reject", "3"]);
        daemon.signal("CONT");
        // An SQLite file whose writer is suspended cannot be written by any other process.
        if answer.1["message"] != "database is locked [5]" {
            break answer;
        }
    };
    assert_eq!((code, said), (0, json!({"run": 3, "state": "recorded"})));
    daemon.until_there("a.csv.rejected");
    daemon.stop();
}

async fn of_two_decisions_one_counts(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = holding(&program, &["a.csv"]);
    let other = program.clone();
    let second = std::thread::spawn(move || other.run(&["approve", "3"]));
    let first = program.run(&["approve", "3"]);
    let second = second.join().unwrap();
    let mut codes = [first.code, second.code];
    codes.sort_unstable();
    assert_eq!(codes, [1, 4], "{}\n{}", first.log, second.log);
    let refused = if first.code == 1 { first } else { second };
    assert!(refused.log.contains("decided by somebody else") || refused.log.contains("is not held"), "{}", refused.log);
    daemon.until_there("a.csv.done");
    daemon.stop();
    let approvals = "SELECT COUNT(*) FROM {enrold_run} WHERE kind = 'approve'";
    assert_eq!(site.conn.number(approvals, &enrold::db::Params::new()).await.unwrap(), 1);
}

async fn commands_work_beside_the_daemon(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    program.write("by-hand.csv", enrols(0));
    program.run(&["import", "by-hand.csv"]).ends(0);
    program.run(&["sync", "flatfile"]).ends(0);
    program.run(&["runs"]).ends(0).says(&["by-hand.csv"]);
    let (_, tasks) = program.json(&["tasks"]);
    assert_eq!(
        (&tasks[1]["name"], &tasks[1]["result"], &tasks[1]["run"]),
        (&json!("flatfile"), &json!("done"), &json!(1))
    );
    program.drop_file("two.csv", enrols(1));
    daemon.until_there("two.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (2, 2));
}

async fn commands_wait_for_a_run_of_the_daemon(mut site: Site) {
    let program = short(&mut site).await;
    let mut daemon = program.start();
    daemon.until_logged("run 1, sync flatfile");
    let holder = site.hold_enrolments().await;
    program.drop_file("one.csv", enrols(0));
    site.until_somebody_waits(&daemon).await;
    program.write("by-hand.csv", enrols(1));
    program.run(&["--wait", "0", "import", "by-hand.csv"]).ends(1).logs(&["another run is under way"]);
    program.run(&["--wait", "0", "sync", "flatfile"]).ends(1).logs(&["another run is under way"]);
    program.run(&["runs"]).ends(0).says(&["running"]);
    program.run(&["tasks"]).ends(0).says(&["flatfile"]);
    let waiting = program.clone();
    let import = std::thread::spawn(move || waiting.run(&["import", "by-hand.csv"]));
    holder.close().await;
    import.join().unwrap().ends(0);
    daemon.until_there("one.csv.done");
    daemon.stop();
    assert_eq!(site.applied().await, (2, 2));
}
