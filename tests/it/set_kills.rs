//! The daemon is killed at named steps while it applies sets, one from a view and one dropped: the next start completes
//! the work, and each set is applied once. It must not test the effects of a set.

use std::os::unix::process::ExitStatusExt;

use enrold::db::Params;

use crate::kill::at_once;
use crate::servers::run_on;
use crate::set_faults::night;
use crate::site::{NOW, Site};

/// Steps of a run: the first occurrence is in the run of the view, the second in that of the file.
const OF_RUNS: [&str; 6] = ["run-opened", "staged", "applied", "committing", "committed", "effects"];
/// Steps of the task alone.
const OF_TASKS: [&str; 3] = ["task-begun", "releasing", "task-ended"];

#[test]
fn a_kill_at_any_step_of_a_set() {
    run_on(enrold::db::Dialect::Lite, killed_at_any_step);
}

async fn killed_at_any_step(mut site: Site) {
    let program = night(&mut site).await;
    let program = program
        .set("tasks.flatfile.enabled=false")
        .set("sources.night.schedule=0 * * * *")
        .set("guard.mode=off")
        .set("sources.paper.files=x*.csv")
        .set("sources.paper.default_role=student")
        .set("inbox.settle=0");
    let traps = OF_TASKS.map(|step| format!("{step}:1"));
    let traps = traps.into_iter().chain(OF_RUNS.into_iter().flat_map(|step| [1, 2].map(|nth| format!("{step}:{nth}"))));
    for (round, trap) in (1..).zip(traps) {
        // Each of the two sets removes one user and adds one.
        let (a, b) = (round % 6 + 1, (round + 1) % 6 + 1);
        site.view(&format!("SELECT who, place FROM records WHERE who <> 'u{a}'")).await;
        let rows: String = (1..=6).filter(|who| *who != b).map(|who| format!("u{who},c2\n")).collect();
        program.drop_file(&format!("x{round}.csv"), format!("user,course\n{rows}"));
        let program = program.at(NOW + round * 3_600);
        let mut killed = program.clone().env("ENROLD_KILL_AT", &trap).start();
        assert_eq!(killed.ended().signal(), Some(9), "{trap}: {}", killed.log());
        let mut daemon = program.start();
        let done = daemon.inbox.join(format!("x{round}.csv.done"));
        daemon.until(&trap, || done.exists() && at_once(site.is_quiet()) && at_once(site.task_is_over("night", round)));
        daemon.stop();
        let mut expected: Vec<String> =
            (1..=6).filter(|who| *who != a).map(|who| format!("u{who} c1 database")).collect();
        expected.extend((1..=6).filter(|who| *who != b).map(|who| format!("u{who} c2 database")));
        expected.sort();
        assert_eq!(site.enrolments().await, expected, "{trap}");
        site.each_drop_once(round as usize).await;
        let changed = "SELECT COUNT(DISTINCT c.run) FROM {enrold_change} c JOIN {enrold_run} r ON r.id = c.run WHERE r.kind = 'sync night'";
        assert_eq!(
            site.conn.number(changed, &Params::new()).await.unwrap(),
            round + 1,
            "{trap}: runs that changed something"
        );
    }
}

impl Site {
    /// True if a task has ended within the hour of this round.
    pub async fn task_is_over(&mut self, name: &str, round: i64) -> bool {
        let sql = "SELECT COUNT(*) FROM {enrold_task} WHERE name = :name AND started >= :since AND result <> 'running'";
        let params = Params::new().with("name", name).with("since", NOW + round * 3_600);
        self.conn.number(sql, &params).await.unwrap() > 0
    }
}
