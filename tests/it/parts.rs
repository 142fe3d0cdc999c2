//! A run that is cut by course: one guard for all parts, one journal, and the remaining parts after a crash.
//! It must not test what a part does; `parts_equal` does.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use enrold::db::{Database, Dialect, Params};
use enrold::outcome::{Moment, Note, Observer, Report, RunError, State};
use enrold::run::{Engine, SyncOrder, decision};

use crate::dump::{assert_same, without_ids};
use crate::meanwhile::When;
use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    parts_are_one_run,
    the_guard_weighs_the_whole,
    what_was_approved_may_be_cut,
    the_next_run_resumes,
    an_approved_run_is_resumed,
    a_part_that_meets_another_site_is_held,
    a_part_that_breaks_ends_the_run,
    a_part_that_lost_its_lease_is_left_to_the_next,
    a_conflict_repeats_one_part,
    a_lease_that_cannot_be_released_hides_no_outcome,
);

/// Cohort h1 (u1, u2, u3) is enrolled in c1 to c6, and c7 and c8 are linked to c1 and c4: three courses of six changes
/// each in a part.
async fn wide(site: &mut Site) {
    site.campus().await;
    site.courses_up_to(8).await;
    for plugin in ["enrol_cohort", "enrol_meta"] {
        site.plugin_setting(plugin, "unenrolaction", Some("0")).await;
    }
    site.cohort(1, &[1, 2, 3]).await;
    for number in 1..=6 {
        site.cohort_link(number, 1, "student").await;
    }
    site.link(7, 1).await;
    site.link(8, 4).await;
    site.set("run.part_rows", "18");
    site.set("run.lease_ttl", "10");
}

/// The complete result of `wide`.
async fn all_is_done_once(site: &mut Site) {
    let methods = |number: i64| if number > 6 { "meta" } else { "cohort" };
    let mut expected: Vec<String> =
        (1..=8).flat_map(|number| (1..=3).map(move |who| format!("u{who} c{number} {}", methods(number)))).collect();
    expected.sort();
    assert_eq!(site.enrolments().await, expected);
    assert_eq!(site.roles().await.len(), 24);
    let mut events = site.events().await;
    events.sort();
    let each = ["role assigned", "user_enrolment created"];
    let all: Vec<String> =
        (1..=3).flat_map(|who| each.map(|event| vec![format!("u{who} {event}"); 8]).concat()).collect();
    assert_eq!(events, all, "each event once");
    let unfinished = "SELECT COUNT(*) FROM {enrold_run} WHERE state = 'running' OR effects <> 0";
    assert_eq!(site.conn.number(unfinished, &Params::new()).await.unwrap(), 0);
}

async fn cohorts(site: &Site, observer: Observer) -> Result<Report, RunError> {
    Engine { observer, ..site.engine() }.sync(&SyncOrder::of("cohort"), false).await
}

fn added(report: &Report, rule: &str) -> (i64, bool) {
    let found = report.rules.iter().find(|found| found.rule == rule).unwrap();
    (found.added, found.consequence)
}

async fn committed(site: &mut Site) -> (i64, i64) {
    let sql = "SELECT partsdone, effects FROM {enrold_run} ORDER BY id DESC LIMIT 1";
    let row = site.conn.row(sql, &Params::new()).await.unwrap().unwrap();
    (row.int(0), row.int(1))
}

async fn parts_are_one_run(mut site: Site) {
    wide(&mut site).await;
    let report = site.rule("cohort").await;
    let [Note::InParts(parts)] = report.notes.as_slice() else { panic!("{:?}", report.notes) };
    assert!(*parts >= 3, "two for the cohorts, the rules that follow");
    assert_eq!((report.state, report.counts["enrolment.add"]), (State::Done, 24));
    assert_eq!((added(&report, "cohort"), added(&report, "meta")), ((18, false), (6, true)));
    all_is_done_once(&mut site).await;
    let runs = "SELECT COUNT(DISTINCT c.run) FROM {enrold_change} c";
    assert_eq!(site.conn.number(runs, &Params::new()).await.unwrap(), 1);
    let again = site.engine().recall(report.run).await.unwrap().unwrap();
    assert_eq!((again.state, again.counts, again.rules), (State::Done, report.counts, report.rules));
}

async fn the_guard_weighs_the_whole(mut site: Site) {
    wide(&mut site).await;
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "23");
    let before = site.dump().await;
    let report = cohorts(&site, Observer::none()).await.unwrap();
    assert_eq!((report.state, report.counts["enrolment.add"]), (State::Held, 24));
    site.nothing_changed(&before, "held before the first part").await;
    site.set("guard.run.creations_max", "24");
    let report = cohorts(&site, Observer::none()).await.unwrap();
    assert_eq!((report.state, report.breaches.len()), (State::Done, 0));
    all_is_done_once(&mut site).await;

    // Removals are measured against the state before the first part.
    site.sql("DELETE FROM {cohort_members} WHERE userid = 11").await;
    site.set("guard.run.removals_percent", "34");
    site.set("guard.method.removals_percent", "34");
    site.set("guard.course.removals_percent", "34");
    site.set("guard.run.at_least", "1");
    site.set("guard.method.at_least", "1");
    site.set("guard.course.min_members", "0");
    site.set("run.part_rows", "1");
    let report = cohorts(&site, Observer::none()).await.unwrap();
    assert_eq!((report.state, report.counts["enrolment.remove"]), (State::Done, 8), "{:?}", report.breaches);
}

async fn what_was_approved_may_be_cut(mut site: Site) {
    wide(&mut site).await;
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "5");
    let held = cohorts(&site, Observer::none()).await.unwrap();
    assert_eq!(held.state, State::Held);
    let report = site.engine().approve(held.run).await.unwrap();
    assert_eq!((report.state, report.meanwhile.unwrap().held), (State::Done, held.run));
    assert_eq!(site.state_of(held.run).await, "approved");
    all_is_done_once(&mut site).await;
    assert_eq!(decision::child(&mut site.conn, held.run).await.unwrap().unwrap().run, report.run);
}

impl Site {
    /// Runs until a moment at which the future is dropped, with all its connections; its lease expires.
    pub async fn dies<F, T>(&mut self, when: When, run: F)
    where
        F: FnOnce(Engine) -> T,
        T: Future<Output = Result<Report, RunError>>,
    {
        let (reached, mut reaches) = tokio::sync::mpsc::channel(1);
        let observer = when.watch(move || {
            let reached = reached.clone();
            async move {
                reached.send(()).await.unwrap();
                pending().await
            }
        });
        let engine = Engine { observer, ..self.engine() };
        tokio::select! {
            outcome = run(engine) => panic!("the run ended: {outcome:?}"),
            _ = reaches.recv() => {}
        }
        self.lease_runs_out().await;
    }
}

async fn the_next_run_resumes(mut site: Site) {
    wide(&mut site).await;
    let moments = [
        (When::Committing, 0),
        (When::PartCommitted(1), 1),
        (When::Planned(1), 1),
        (When::Committing, 1),
        (When::PartCommitted(1), 2),
    ];
    for (nth, (when, done)) in moments.into_iter().enumerate() {
        // The next holder of the lease continues with the parts, and may die too.
        let job = if nth == 0 { "cohort" } else { "flatfile" };
        site.dies(when, |engine| async move { engine.sync(&SyncOrder::of(job), false).await }).await;
        assert_eq!(committed(&mut site).await, (done, i64::from(done > 0)), "{nth}");
        assert_eq!(site.last_state().await, "running");
        let before = site.dump().await;
        site.engine().sync_flatfile(true).await.unwrap();
        site.nothing_changed(&before, "a simulation resumes nothing").await;
        // A run that is cut stays cut, even if the setting changes to one transaction.
        site.set("run.part_rows", "0");
    }
    let died = site.last_run().await;
    site.at(NOW + 3_600);
    let after = site.engine().sync_flatfile(false).await.unwrap();
    assert_ne!(after.run, died);
    assert_eq!(site.state_of(died).await, "done");
    all_is_done_once(&mut site).await;
    let late = "SELECT COUNT(*) FROM {user_enrolments} WHERE timecreated <> :now";
    assert_eq!(site.conn.number(late, &Params::new().with("now", NOW)).await.unwrap(), 0, "the clock of the run");
    let report = site.engine().recall(died).await.unwrap().unwrap();
    assert_eq!((report.counts["enrolment.add"], added(&report, "cohort")), (24, (18, false)));
}

async fn an_approved_run_is_resumed(mut site: Site) {
    wide(&mut site).await;
    site.set("guard.mode", "hold");
    site.set("guard.run.creations_max", "5");
    let held = cohorts(&site, Observer::none()).await.unwrap().run;
    site.dies(When::PartCommitted(1), |engine| async move { engine.approve(held).await }).await;
    assert_eq!(site.state_of(held).await, "approved");
    let died = site.last_run().await;
    assert_eq!(site.engine().finish_effects().await.unwrap(), None);
    assert_eq!(site.state_of(died).await, "done", "the guard is asked only once");
    all_is_done_once(&mut site).await;
}

/// Between two parts all users leave the cohort: committed parts stay, the rest waits for a decision.
async fn a_part_that_meets_another_site_is_held(mut site: Site) {
    wide(&mut site).await;
    cohorts(&site, Observer::none()).await.unwrap();
    site.cohort(2, &[4, 5, 6]).await;
    for number in 1..=6 {
        site.cohort_link(number, 2, "teacher").await;
    }
    site.set("guard.mode", "hold");
    site.set("guard.run.removals_max", "2");
    let (observer, outcome) = site.writer(When::PartCommitted(1), &["DELETE FROM {cohort_members} WHERE userid < 14"]);
    let report = cohorts(&site, observer).await.unwrap();
    assert!(outcome.settled(site.conn.dialect()));
    assert_eq!(report.state, State::Held, "{report:?}");
    let past = enrold::run::history::find(&mut site.conn, report.run).await.unwrap().unwrap();
    assert!(past.message.contains("1 of"), "{}", past.message);
    let there = site.enrolments().await;
    assert!(there.contains(&"u4 c1 cohort".to_owned()), "the first part stays: {there:?}");
    assert!(!there.contains(&"u4 c6 cohort".to_owned()) && there.contains(&"u1 c1 cohort".to_owned()), "{there:?}");
    let events = site.events().await;
    assert!(events.contains(&"u4 user_enrolment created".to_owned()), "its effects are written");
    let report = site.engine().approve(report.run).await.unwrap();
    assert_eq!(report.state, State::Done);
    let twin = site.dump().await;
    site.rule_once("cohort").await;
    assert_same(&without_ids(twin), &without_ids(site.dump().await), "nothing is left to do");
    let by_cohort = site.enrolments().await.iter().filter(|line| line.ends_with("cohort")).count();
    assert_eq!(by_cohort, 18, "u4, u5 and u6 in six courses");
}

async fn a_part_that_breaks_ends_the_run(mut site: Site) {
    wide(&mut site).await;
    let broken = ["ALTER TABLE {role_assignments} RENAME COLUMN sortorder TO elsewhere"];
    let (observer, outcome) = site.writer(When::PartCommitted(1), &broken);
    cohorts(&site, observer).await.unwrap_err();
    assert!(outcome.settled(site.conn.dialect()));
    // SQLite notices another connection's change of a table with its first statement on it.
    let run = site.last_run().await;
    site.sql("ALTER TABLE {role_assignments} RENAME COLUMN elsewhere TO sortorder").await;
    let past = enrold::run::history::find(&mut site.conn, run).await.unwrap().unwrap();
    assert_eq!(past.state, "failed");
    assert!(past.message.contains("1 of"), "{}", past.message);
    cohorts(&site, Observer::none()).await.unwrap();
    // The consequences of the first part were not reached; the task of that rule creates them.
    site.rule_once("meta").await;
    all_is_done_once(&mut site).await;
}

/// The new holder of the lease finds a run with parts left; the old one does not mark it as failed.
async fn a_part_that_lost_its_lease_is_left_to_the_next(mut site: Site) {
    wide(&mut site).await;
    let stolen = ["UPDATE {enrold_lease} SET holder = 'thief', fence = fence + 1 WHERE name = 'run'"];
    let (observer, outcome) = site.writer(When::PartCommitted(1), &stolen);
    let report = cohorts(&site, observer).await;
    assert!(outcome.settled(site.conn.dialect()));
    assert!(matches!(report, Err(RunError::Fenced)), "{report:?}");
    assert_eq!((site.last_state().await.as_str(), committed(&mut site).await), ("running", (1, 1)));
    site.lease_runs_out().await;
    assert_eq!(site.engine().finish_effects().await.unwrap(), None);
    all_is_done_once(&mut site).await;
}

/// The database refuses to release the lease: what was done before is reported all the same, and the lease expires.
async fn a_lease_that_cannot_be_released_hides_no_outcome(mut site: Site) {
    wide(&mut site).await;
    site.dies(When::PartCommitted(1), |engine| async move { engine.sync(&SyncOrder::of("cohort"), false).await }).await;
    site.lease_runs_out().await;
    let refusals = match site.conn.dialect() {
        Dialect::Lite => vec![
            "CREATE TRIGGER refusal BEFORE UPDATE ON enrold_lease WHEN NEW.holder = ''
             BEGIN SELECT RAISE(ABORT, 'kept'); END",
        ],
        Dialect::Maria => vec![
            "CREATE TRIGGER refusal BEFORE UPDATE ON enrold_lease FOR EACH ROW
             IF NEW.holder = '' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF",
        ],
        Dialect::Postgres => vec![
            "CREATE FUNCTION refusal() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.holder = '' THEN RAISE EXCEPTION 'kept'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER refusal BEFORE UPDATE ON enrold_lease FOR EACH ROW EXECUTE FUNCTION refusal()",
        ],
    };
    for statement in refusals {
        site.conn.literal(statement).await.unwrap();
    }
    assert_eq!(site.engine().finish_effects().await.unwrap(), None);
    all_is_done_once(&mut site).await;
    site.lease_runs_out().await;
    assert_eq!(cohorts(&site, Observer::none()).await.unwrap().state, State::Done);
}

/// The server closes the connection just before the second part commits.
async fn a_conflict_repeats_one_part(mut site: Site) {
    wide(&mut site).await;
    let database = site.database(Duration::from_secs(1));
    let dialect = site.conn.dialect();
    let commits = Arc::new(AtomicU32::new(0));
    let observer = Observer::new(move |moment| {
        let (commits, database) = (Arc::clone(&commits), Arc::clone(&database));
        async move {
            if moment == Moment::Committing && commits.fetch_add(1, Ordering::Relaxed) == 1 {
                cut_off(&database, dialect).await;
            }
        }
    });
    let report = cohorts(&site, observer).await.unwrap();
    assert_eq!(report.state, State::Done);
    if dialect != Dialect::Lite {
        assert!(report.notes.contains(&Note::Retried(1)), "{:?}", report.notes);
    }
    assert_eq!((report.counts["enrolment.add"], added(&report, "cohort")), (24, (18, false)));
    all_is_done_once(&mut site).await;
}

/// Closes the one connection of this database with a transaction; SQLite has no server.
async fn cut_off(database: &Database, dialect: Dialect) {
    let mut conn = database.connect().await.unwrap();
    match dialect {
        Dialect::Postgres => {
            let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle in transaction'";
            assert_eq!(conn.number(sql, &Params::new()).await.unwrap(), 1);
        }
        Dialect::Maria => {
            let sql = "SELECT t.trx_mysql_thread_id FROM information_schema.innodb_trx t
                JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()";
            let id = conn.number(sql, &Params::new()).await.unwrap();
            conn.command(&format!("KILL {id}")).await.unwrap();
        }
        Dialect::Lite => {}
    }
    conn.close().await;
}
