//! The daemon is killed at named steps while it applies a course list, a file of methods and an approved conversion:
//! the next start completes the work, and each is applied once. It must not test the effects of a row.

use std::os::unix::process::ExitStatusExt;

use enrold::db::{Dialect, Params};
use enrold::run::decision::{self, Decision};

use crate::kill::at_once;
use crate::program::Program;
use crate::servers::run_on;
use crate::site::{NOW, Site};

/// The steps around a commit.
const STEPS: [&str; 3] = ["staged", "committing", "committed"];

impl Site {
    /// Whether a decision about a run has been carried out.
    async fn is_decided(&mut self, run: i64) -> bool {
        let sql = format!("SELECT COUNT(*) FROM {{enrold_run}} WHERE id = {run} AND state = 'approved'");
        self.conn.number(&sql, &Params::new()).await.unwrap() == 1
    }

    /// How many changes of a kind the journal has, in how many runs.
    async fn journaled(&mut self, kind: &str) -> Vec<String> {
        let sql = format!("SELECT COUNT(*), COUNT(DISTINCT run) FROM {{enrold_change}} WHERE kind = '{kind}'");
        self.lines(&sql, |row| format!("{} in {}", row.int(0), row.int(1))).await
    }
}

#[test]
fn a_kill_at_any_step_of_files_about_courses() {
    run_on(Dialect::Lite, killed_with_files);
}

async fn killed_with_files(mut site: Site) {
    site.cohort_campus().await;
    site.courses_up_to(2 * STEPS.len() as i64).await;
    site.cohort(1, &[1, 2]).await;
    site.reset_sequences().await;
    let program = Program::on(&site)
        .set("profiles.lists.kind=course-list")
        .set("profiles.lists.create_groups=yes")
        .set("profiles.methods.kind=methods")
        .set("tasks.flatfile.enabled=false")
        .set("guard.mode=off")
        .set("inbox.settle=0");
    // The first occurrence of a step is in the run of the methods, the second in that of the list.
    let traps = STEPS.into_iter().flat_map(|step| [1, 2].map(|nth| format!("{step}:{nth}")));
    for (round, trap) in (1..).zip(traps) {
        let header = "operation,method,shortname,metacohort,disabled,group,role";
        program.drop_file(&format!("m{round}.csv"), format!("{header}\nadd,cohort,c{round},h1,,,teacher\n"));
        program.drop_file(&format!("course-c{round}.csv"), "u1;TD\nu3;TD\n");
        let mut killed = program.clone().env("ENROLD_KILL_AT", &trap).start();
        assert_eq!(killed.ended().signal(), Some(9), "{trap}: {}", killed.log());
        let mut daemon = program.start();
        let done =
            [format!("m{round}.csv.done"), format!("course-c{round}.csv.done")].map(|name| daemon.inbox.join(name));
        daemon.until(&trap, || done.iter().all(|path| path.exists()) && at_once(site.is_quiet()));
        daemon.stop();
        let course = format!(" c{round} ");
        let own = |all: Vec<String>| all.into_iter().filter(|one| one.contains(&course)).collect::<Vec<_>>();
        assert_eq!(own(site.roles().await), [1, 3].map(|who| format!("u{who}{course}student manual")), "{trap}");
        let counts = [("instance.add", 1), ("enrolment.add", 2), ("group.add", 1), ("group-member.add", 2)];
        for (kind, each) in counts {
            assert_eq!(site.journaled(kind).await, [format!("{} in {round}", each * round)], "{trap} {kind}");
        }
    }
}

#[test]
fn a_kill_at_any_step_of_a_conversion() {
    run_on(Dialect::Lite, killed_while_converting);
}

async fn killed_while_converting(mut site: Site) {
    site.cohort_campus().await;
    site.cohort(1, &[1, 2]).await;
    let program = Program::on(&site)
        .set("tasks.flatfile.enabled=false")
        .set("guard.mode=hold")
        .set("guard.run.creations_max=1")
        .set("inbox.settle=0");
    for (number, step) in (1..).zip(["committing", "committed", "effects"]) {
        site.cohort_link(number, 1, "student").await;
        site.reset_sequences().await;
        site.rule_once("cohort").await;
        let course = format!("c{number}");
        program.run(&["convert", &course, "--from", "cohort"]).ends(3);
        let held = site.last_run().await;
        assert!(decision::record(&mut site.conn, held, Decision::Approve, NOW).await.unwrap());
        let mut killed = program.clone().env("ENROLD_KILL_AT", &format!("{step}:1")).start();
        assert_eq!(killed.ended().signal(), Some(9), "{step}: {}", killed.log());
        let mut daemon = program.start();
        daemon.until_logged("this daemon leads");
        daemon.until(step, || at_once(site.is_quiet()) && at_once(site.is_decided(held)));
        daemon.stop();
        let own: Vec<String> =
            site.roles().await.into_iter().filter(|one| one.contains(&format!(" {course} "))).collect();
        assert_eq!(own, [1, 2].map(|who| format!("u{who} {course} student manual")), "{step}");
        let changes = format!(
            "SELECT COUNT(*), COUNT(DISTINCT c.run) FROM {{enrold_change}} c
              WHERE c.kind = 'enrolment.add' AND c.run > {held}"
        );
        assert_eq!(site.lines(&changes, |row| format!("{} in {}", row.int(0), row.int(1))).await, ["2 in 1"], "{step}");
    }
}
