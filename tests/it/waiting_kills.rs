//! The daemon is killed at named steps while it imports a file whose lines wait, and while it applies what waited of
//! files, cohort files and sets:
//! the next start completes the work, and each line waits once and is applied once. It must not test other runs.

use std::os::unix::process::ExitStatusExt;

use enrold::config::{FileKind, Profile};
use enrold::db::{Dialect, Params};

use crate::kill::at_once;
use crate::program::Program;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(a_kill_at_any_step_of_waiting_lines);

/// Steps of a run: one occurrence is in the job, the other in the import.
const OF_RUNS: [&str; 7] = ["lease-taken", "run-opened", "staged", "planned", "committing", "committed", "effects"];
/// Steps of the task or of the file alone.
const OF_ONE: [&str; 6] = ["task-begun", "task-ended", "claimed", "run-ended", "report-written", "errors-written"];

async fn a_kill_at_any_step_of_waiting_lines(mut site: Site) {
    // Rows of a set and members of a cohort file wait, too, and are applied with the lines.
    site.records("apogee").await;
    site.instance("flatfile", 1, 0, "student").await;
    site.cohort(1, &[]).await;
    site.reset_sequences().await;
    site.set("waiting.days", "14");
    let program = Program::on(&site)
        .minding(&["waiting"])
        .set("tasks.flatfile.enabled=false")
        .set("tasks.waiting.schedule=0 * * * *")
        .set("waiting.days=14")
        .set("guard.mode=off")
        .set("sources.apogee.files=x*.csv")
        .set("sources.apogee.user_key=idnumber")
        .set("sources.apogee.course_key=idnumber")
        .set("inbox.settle=0");
    let mut set = "user,course\nu2,c2\n".to_owned();
    let on_a_server = site.conn.dialect() != Dialect::Lite;
    let every = OF_RUNS.into_iter().flat_map(|step| [1, 2].map(|nth| format!("{step}:{nth}")));
    let every = every.chain(OF_ONE.map(|step| format!("{step}:1")));
    // On the servers only the handling of the transaction differs.
    let traps = every
        .filter(|trap| !on_a_server || ["staged", "committing", "committed"].iter().any(|step| trap.starts_with(step)));
    for (round, trap) in (0..).zip([String::new()].into_iter().chain(traps)) {
        set += &format!("n-n{round},c2\n");
        site.set_once("apogee", &set).await;
        // The one of the round before has his account now: after the set, which would enrol him itself.
        let before = round - 1;
        if before >= 0 {
            site.new_account(900 + before, &format!("n{before}"), "manual").await;
        }
        let member =
            site.cohort_file(Profile::of(FileKind::CohortMembers), &format!("cmd;cidnumber;userid\nadd;h1;n{round}\n"));
        site.engine().import(&member, false).await.unwrap();
        site.new_account(1_000 + round, &format!("m{round}"), "manual").await;
        let lines = format!("add;student;n{round};c1\nadd;student;m{round};c1\n");
        program.drop_file(&format!("w{round}.csv"), format!("operation;role;username;course\n{lines}"));
        let program = program.at(NOW + round * 3_600);
        if !trap.is_empty() {
            eprintln!("round {round}, killed at {trap}");
            let mut killed = program.clone().env("ENROLD_KILL_AT", &trap).start();
            assert_eq!(killed.ended().signal(), Some(9), "{trap}: {}", killed.log());
        }
        let mut daemon = program.start();
        let done = daemon.inbox.join(format!("w{round}.csv.done"));
        let is_over = || done.exists() && at_once(site.is_quiet()) && at_once(site.task_is_over("waiting", round));
        daemon.until(&trap, is_over);
        daemon.stop();
        let mut enrolled: Vec<String> = (0..round).map(|n| format!("n{n} c1 student")).collect();
        enrolled.extend((0..=round).map(|n| format!("m{n} c1 student")));
        enrolled.sort();
        assert_eq!(site.enrolled_as().await, enrolled, "{trap}");
        let of_set = site.enrolments().await.into_iter().filter(|row| row.ends_with(" c2 database")).count();
        assert_eq!(of_set as i64, round + 1, "{trap}");
        let mut members: Vec<String> = (0..round).map(|n| format!("n{n} h1")).collect();
        members.sort();
        assert_eq!(site.members().await, members, "{trap}");
        let row = |n: i64, state| {
            [("n-", "c2"), ("", "h1"), ("", "c1")].map(|(of, at)| format!("{of}n{n} {at} user {state}"))
        };
        let mut waiting: Vec<String> = (0..round).flat_map(|n| row(n, "applied")).collect();
        waiting.extend(row(round, "waiting"));
        assert_eq!(site.waiting().await, waiting, "{trap}");
        site.each_drop_once(round as usize + 1).await;
        let errors = std::fs::read_to_string(program.inbox().join(format!("w{round}.csv.errors.csv"))).unwrap();
        assert_eq!(errors.lines().count(), 2, "{trap}: {errors}");
        let changed = "SELECT COUNT(DISTINCT c.run) FROM {enrold_change} c JOIN {enrold_run} r ON r.id = c.run
            WHERE r.kind = 'sync waiting'";
        assert_eq!(site.conn.number(changed, &Params::new()).await.unwrap(), round, "{trap}: runs that applied lines");
    }
}
