//! A process dies at any moment of a run: before the commit nothing is applied, after it nothing is lost or doubled.
//! It must not test what a run does.

use std::future::pending;
use std::time::Duration;

use enrold::outcome::{RunError, State};
use enrold::run::Engine;

use crate::campus::user;
use crate::dump::{EFFECTS, assert_same, text, without};
use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::Site;

on_each_database!(
    before_the_commit_nothing_is_applied,
    after_the_commit_effects_follow,
    within_the_effects_none_is_doubled,
    a_simulation_leaves_effects_alone,
);

const FILE: &str = "add,student,u1,c1\nadd,teacher,u1,c1\nadd,student,u2,c2\ndel,student,u3,c1\n";

/// The events in the log after the file was applied once.
const EVENTS: [&str; 8] = [
    "- enrol_instance created",
    "u1 user_enrolment created",
    "u2 user_enrolment created",
    "u1 role assigned",
    "u1 role assigned",
    "u2 role assigned",
    "u3 role unassigned",
    "u3 user_enrolment deleted",
];

impl Site {
    /// Imports a file until a moment at which the future of the run is dropped, with all its connections.
    pub async fn import_until(&mut self, when: When, text: &str) {
        let (reached, mut reaches) = tokio::sync::mpsc::channel(1);
        let observer = when.watch(move || {
            let reached = reached.clone();
            async move {
                reached.send(()).await.unwrap();
                pending().await
            }
        });
        let file = self.write(text);
        let engine = Engine { observer, ..self.engine() };
        tokio::select! {
            outcome = engine.import(&file, false) => panic!("the run ended: {outcome:?}"),
            _ = reaches.recv() => {}
        }
    }

    /// The dead process sends no heartbeat: its lease expires.
    pub async fn lease_runs_out(&mut self) {
        self.sql("UPDATE {enrold_lease} SET heartbeat = 0 WHERE name = 'run'").await;
    }

    async fn ready(&mut self) {
        self.campus().await;
        self.setting("unenrolaction", Some("0")).await;
        self.instance("flatfile", 1, 0, "student").await;
        self.enrolled(3, 1, "flatfile").await;
        self.has_role(3, 1, "student", "flatfile").await;
    }

    /// The state is the same as after an undisturbed import.
    async fn applied_once(&mut self) {
        assert_eq!(self.enrolments().await, ["u1 c1 flatfile", "u2 c2 flatfile"]);
        assert_eq!(self.roles().await, ["u1 c1 student flatfile", "u1 c1 teacher flatfile", "u2 c2 student flatfile"]);
        assert_eq!(self.events().await, EVENTS);
        let dump = self.dump().await;
        let mut flags: Vec<&str> = dump["cache_flags"].iter().map(|flag| text(flag, "name")).collect();
        flags.sort();
        assert_eq!(flags, [1, 2, 3].map(|who| user(who).to_string()));
    }
}

async fn before_the_commit_nothing_is_applied(mut site: Site) {
    site.ready().await;
    site.set("run.lease_ttl", "10");
    let before = site.dump().await;
    for when in [When::Staged, When::Planned(1), When::Planned(4), When::Applied(1), When::Applied(2), When::Committing]
    {
        site.import_until(when, FILE).await;
        site.nothing_changed(&before, "a run that died").await;
        assert_eq!(site.last_state().await, "running");
        let died = site.last_run().await;
        let file = site.write(FILE);
        let busy = Engine { wait: Duration::ZERO, ..site.engine() }.import(&file, true).await;
        assert!(matches!(busy, Err(RunError::Busy { .. })), "its lease holds on for a while: {busy:?}");
        site.lease_runs_out().await;
        site.engine().sync_flatfile(false).await.unwrap();
        site.nothing_changed(&before, "another run after one that died").await;
        assert_eq!(site.state_of(died).await, "interrupted");
    }
    let report = site.import_once(FILE).await;
    assert_eq!(report.state, State::Done);
    site.applied_once().await;
}

async fn after_the_commit_effects_follow(mut site: Site) {
    site.ready().await;
    site.import_until(When::Committed, FILE).await;
    let committed = site.dump().await;
    assert_eq!(site.events().await, [""; 0]);
    assert_eq!(site.last_state().await, "done");
    site.lease_runs_out().await;
    site.engine().sync_flatfile(false).await.unwrap();
    let after = site.dump().await;
    assert_same(&without(committed, &EFFECTS), &without(after.clone(), &EFFECTS), "the next run only writes effects");
    site.applied_once().await;
    site.engine().sync_flatfile(false).await.unwrap();
    site.nothing_changed(&after, "one more run").await;
}

/// One change per chunk, so that each chunk can be the last.
async fn within_the_effects_none_is_doubled(mut site: Site) {
    site.ready().await;
    site.set("run.effect_rows", "1");
    site.import_until(When::Effects(3), FILE).await;
    let run = site.last_run().await;
    let part = site.events().await;
    assert!(!part.is_empty() && part.len() < EVENTS.len(), "{part:?}");
    site.lease_runs_out().await;
    // The next run dies during the effects of the first run too.
    site.import_until(When::Effects(2), "add,student,u2,c2\n").await;
    site.lease_runs_out().await;
    site.import_once("add,student,u2,c2\n").await;
    assert_eq!(site.state_of(run).await, "done");
    site.applied_once().await;
}

async fn a_simulation_leaves_effects_alone(mut site: Site) {
    site.ready().await;
    site.import_until(When::Committed, FILE).await;
    site.lease_runs_out().await;
    let before = site.dump().await;
    let file = site.write(FILE);
    site.engine().import(&file, true).await.unwrap();
    site.nothing_changed(&before, "a simulation after a run without effects").await;
    site.import_once(FILE.lines().next().unwrap_or_default()).await;
    site.applied_once().await;
}
