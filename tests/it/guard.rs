//! The guard: limits that hold a run, the stored data of a held run, and decisions on it.
//! It must not test what a run does after the guard has passed it.

use std::path::PathBuf;

use enrold::outcome::{Breach, Report, RunError, State};
use enrold::run::hold::HeldStore;
use sha2::{Digest, Sha256};

use crate::servers::on_each_database;
use crate::site::{NOW, Site};

on_each_database!(
    removals_by_count,
    removals_by_percent,
    suspensions_by_count_and_percent,
    creations_by_count_and_percent,
    limits_of_a_course,
    limits_of_a_method,
    small_numbers_are_let_through,
    failed_lines,
    files_without_a_line,
    warn_and_off_apply,
    a_held_run_keeps_everything,
    approve_applies_once,
    reject_applies_nothing,
    an_altered_copy_is_refused,
    an_order_of_another_version_is_refused,
    a_line_that_another_run_touched_is_overtaken,
    a_held_sync_is_approved,
    a_simulation_shows_the_breach,
);

/// `u1…u9` in `c1` and `c2` by the flat file: 18 enrolments; `del` unenrols.
async fn full_campus(site: &mut Site) {
    site.campus().await;
    site.setting("unenrolaction", Some("0")).await;
    for whither in [1, 2] {
        site.instance("flatfile", whither, 0, "student").await;
        for who in 1..=9 {
            site.enrolled(who, whither, "flatfile").await;
            site.has_role(who, whither, "student", "flatfile").await;
        }
    }
    site.set("guard.mode", "hold");
    for scope in ["run", "course", "method"] {
        for what in ["removals", "suspensions", "creations"] {
            site.set(&format!("guard.{scope}.{what}_max"), "0");
            site.set(&format!("guard.{scope}.{what}_percent"), "0");
        }
    }
    for key in ["guard.run.at_least", "guard.method.at_least", "guard.course.min_members"] {
        site.set(key, "0");
    }
}

/// Lines for `u1…uN` in a course.
fn lines(operation: &str, until: i64, course: &str) -> String {
    (1..=until).map(|who| format!("{operation},student,u{who},{course}\n")).collect()
}

/// Breaches as `run removals 4 of 18 limit 3`, with the name of the scope where it has one.
fn breaches(report: &Report) -> Vec<String> {
    let line = |breach: &Breach| {
        let Breach { scope, name, what, count, of, limit } = breach;
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        format!("{scope}{name} {what} {count} of {of} limit {limit}")
    };
    report.breaches.iter().map(line).collect()
}

impl Site {
    /// A file that exceeds a limit: it is held, and no table changes.
    async fn is_held(&mut self, text: &str) -> Report {
        let before = self.dump().await;
        let report = self.import_once(text).await;
        assert_eq!(report.state, State::Held);
        self.nothing_changed(&before, "a held run").await;
        assert_eq!(self.last_state().await, "held");
        report
    }

    /// A file within the limits.
    async fn passes(&mut self, text: &str) {
        let report = self.import_once(text).await;
        assert_eq!((report.state, breaches(&report)), (State::Done, vec![]));
    }

    /// The stored data of a held run.
    fn store(&self, run: i64) -> HeldStore {
        HeldStore::of(&self.engine().settings.state.path, run)
    }
}

async fn removals_by_count(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.removals_max", "3");
    let report = site.is_held(&lines("del", 4, "c1")).await;
    assert_eq!(breaches(&report), ["run removals 4 of 18 limit 3"]);
    site.passes(&lines("del", 3, "c1")).await;
    assert_eq!(site.enrolments().await.len(), 15);
}

async fn removals_by_percent(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.removals_percent", "20");
    let report = site.is_held(&lines("del", 4, "c1")).await;
    assert_eq!(breaches(&report), ["run removals 4 of 18 limit 20 %"]);
    site.passes(&lines("del", 3, "c1")).await;
}

async fn suspensions_by_count_and_percent(mut site: Site) {
    full_campus(&mut site).await;
    site.setting("unenrolaction", Some("3")).await;
    site.set("guard.run.removals_max", "1");
    site.set("guard.run.suspensions_max", "3");
    let report = site.is_held(&lines("del", 4, "c1")).await;
    assert_eq!(breaches(&report), ["run suspensions 4 of 18 limit 3"]);
    site.set("guard.run.suspensions_max", "0");
    site.set("guard.method.suspensions_percent", "20");
    let report = site.is_held(&lines("del", 4, "c1")).await;
    assert_eq!(breaches(&report), ["method flatfile suspensions 4 of 18 limit 20 %"]);
    site.passes(&lines("del", 3, "c1")).await;
}

async fn creations_by_count_and_percent(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.creations_max", "3");
    let report = site.is_held(&lines("add", 4, "c3")).await;
    assert_eq!(breaches(&report), ["run creations 4 of 18 limit 3"]);
    site.set("guard.run.creations_max", "0");
    site.set("guard.run.creations_percent", "20");
    let report = site.is_held(&lines("add", 4, "c3")).await;
    assert_eq!(breaches(&report), ["run creations 4 of 18 limit 20 %"]);
    site.passes(&lines("add", 3, "c3")).await;
}

/// Each course is measured by itself, and named by its short name.
async fn limits_of_a_course(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.course.removals_max", "3");
    let report = site.is_held(&(lines("del", 4, "c2") + &lines("del", 3, "c1"))).await;
    assert_eq!(breaches(&report), ["course c2 removals 4 of 9 limit 3"]);
    site.set("guard.course.removals_max", "0");
    site.set("guard.course.removals_percent", "34");
    let report = site.is_held(&(lines("del", 4, "c2") + &lines("del", 3, "c1"))).await;
    assert_eq!(breaches(&report), ["course c2 removals 4 of 9 limit 34 %"]);
    site.passes(&(lines("del", 3, "c2") + &lines("del", 3, "c1"))).await;
}

/// A `del` ends manual enrolments too: each method is measured against its own members.
async fn limits_of_a_method(mut site: Site) {
    full_campus(&mut site).await;
    for who in 1..=4 {
        site.enrolled(who, 3, "manual").await;
    }
    site.set("guard.method.removals_percent", "25");
    let report = site.is_held(&lines("del", 2, "c3")).await;
    assert_eq!(breaches(&report), ["method manual removals 2 of 4 limit 25 %"]);
    site.passes(&(lines("del", 1, "c3") + &lines("del", 2, "c1"))).await;
}

/// A few removals are a large share of few members: percentages need `at_least` removals and `min_members` members.
async fn small_numbers_are_let_through(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.removals_percent", "1");
    site.set("guard.run.at_least", "4");
    site.passes(&lines("del", 3, "c1")).await;
    site.is_held(&lines("del", 4, "c2")).await;
    site.set("guard.run.removals_percent", "0");
    site.set("guard.course.removals_percent", "1");
    site.set("guard.course.min_members", "8");
    site.is_held(&lines("del", 1, "c2")).await;
    site.set("guard.course.min_members", "9");
    site.passes(&lines("del", 1, "c2")).await;
}

/// Unreadable lines and lines with an unknown user both count as failed.
async fn failed_lines(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.failed_lines_percent", "40");
    site.set("guard.failed_lines_min", "2");
    let bad = "add,student,nobody,c3\nadd,student,u1\n";
    let report = site.is_held(&(lines("add", 2, "c3") + bad)).await;
    assert_eq!(breaches(&report), ["file failed-lines 2 of 4 limit 40 %"]);
    assert_eq!(report.errors, 2);
    let report = site.import_once(&(lines("add", 3, "c3") + bad)).await;
    assert_eq!((report.state, breaches(&report)), (State::DoneWithErrors, vec![]));
    let report = site.import_once("add,student,nobody,c3\n").await;
    assert_eq!(report.state, State::DoneWithErrors, "one failed line is below failed_lines_min");
}

async fn files_without_a_line(mut site: Site) {
    full_campus(&mut site).await;
    for text in ["operation,username,course,role\n", "", "\n  \n"] {
        let report = site.is_held(text).await;
        assert_eq!(breaches(&report), ["file empty 0 of 0 limit 1"], "{text:?}");
    }
    site.set("guard.hold_empty", "false");
    site.passes("operation,username,course,role\n").await;
}

async fn warn_and_off_apply(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.removals_max", "3");
    site.set("guard.mode", "warn");
    let report = site.import_once(&lines("del", 4, "c1")).await;
    assert_eq!((report.state, breaches(&report)), (State::Done, vec!["run removals 4 of 18 limit 3".to_owned()]));
    assert_eq!(site.enrolments().await.len(), 14);
    site.set("guard.mode", "off");
    site.passes(&lines("del", 4, "c2")).await;
    assert_eq!(site.enrolments().await.len(), 10);
}

/// `del` of `u1…u4` in `c1` and one bad line, over a limit of 3.
async fn held(site: &mut Site) -> (Report, String) {
    full_campus(site).await;
    site.set("guard.run.removals_max", "3");
    let text = lines("del", 4, "c1") + "del,student,nobody,c1\n";
    let report = site.is_held(&text).await;
    (report, text)
}

async fn a_held_run_keeps_everything(mut site: Site) {
    let (report, text) = held(&mut site).await;
    let store = site.store(report.run);
    assert_eq!(std::fs::read_to_string(store.bytes()).unwrap(), text);
    let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(store.order().unwrap().sha256, Some(digest.clone()));
    assert_eq!(report.read_as.unwrap().sha256, digest);
    let plan = store.lines(&store.plan()).unwrap();
    let removed: Vec<_> = plan
        .iter()
        .filter(|change| change["kind"] == "enrolment.remove")
        .map(|change| change["line"].as_i64())
        .collect();
    assert_eq!(removed, [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(store.planned().unwrap()["enrolment.remove"], 4);
    let errors = store.lines(&store.errors()).unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0]["line"].as_i64(), errors[0]["code"].as_str()), (Some(5), Some("user-unknown")));
    assert_eq!(site.journal(report.run).await, [""; 0], "the journal holds what was done");
    assert_eq!(report.problems.len(), 1);
}

async fn approve_applies_once(mut site: Site) {
    let (report, _) = held(&mut site).await;
    let approved = site.engine().approve(report.run).await.unwrap();
    assert_eq!((approved.state, approved.kind.as_str()), (State::DoneWithErrors, "approve"));
    assert_eq!(approved.counts["enrolment.remove"], 4);
    let meanwhile = approved.meanwhile.as_ref().unwrap();
    assert_eq!((meanwhile.held, meanwhile.overtaken, meanwhile.planned["enrolment.remove"]), (report.run, 0, 4));
    assert_eq!(site.errors(&approved).await, ["5 user-unknown"]);
    assert_eq!(site.enrolments().await.len(), 14);
    assert_eq!(site.state_of(report.run).await, "approved");
    let after = site.dump().await;
    undecidable(&mut site, report.run).await;
    site.nothing_changed(&after, "a second approval").await;
}

/// The run can be neither approved nor rejected.
async fn undecidable(site: &mut Site, run: i64) {
    let approved = site.engine().approve(run).await;
    assert!(matches!(approved, Err(RunError::Undecidable(_))), "{approved:?}");
    let rejected = site.engine().reject(run).await;
    assert!(matches!(rejected, Err(RunError::Undecidable(_))), "{rejected:?}");
}

async fn reject_applies_nothing(mut site: Site) {
    let (report, _) = held(&mut site).await;
    let before = site.dump().await;
    let past = site.engine().reject(report.run).await.unwrap();
    assert_eq!(past.state, "rejected");
    assert_eq!(site.state_of(report.run).await, "rejected");
    undecidable(&mut site, report.run).await;
    undecidable(&mut site, report.run + 1).await;
    site.nothing_changed(&before, "a rejected run").await;
    assert!(site.store(report.run).bytes().exists(), "kept for the record");
}

async fn an_altered_copy_is_refused(mut site: Site) {
    let (report, text) = held(&mut site).await;
    let before = site.dump().await;
    let bytes: PathBuf = site.store(report.run).bytes();
    std::fs::write(&bytes, text.replace("u1", "u9")).unwrap();
    let approved = site.engine().approve(report.run).await;
    assert!(matches!(approved, Err(RunError::Undecidable(_))), "{approved:?}");
    site.nothing_changed(&before, "an altered copy").await;
    assert_eq!(site.state_of(report.run).await, "held");
    std::fs::write(&bytes, text).unwrap();
    site.engine().approve(report.run).await.unwrap();
    assert_eq!(site.enrolments().await.len(), 14);
}

/// The settings of today never replace those with which the file was read when it was held.
async fn an_order_of_another_version_is_refused(mut site: Site) {
    let (report, _) = held(&mut site).await;
    let before = site.dump().await;
    let path = site.store(report.run).bytes().with_file_name("order.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for key in ["form", "user_key", "course_key"] {
        let mut order: serde_json::Value = serde_json::from_str(&text).unwrap();
        order[key] = "passport".into();
        std::fs::write(&path, order.to_string()).unwrap();
        let approved = site.engine().approve(report.run).await;
        let Err(RunError::Undecidable(reason)) = approved else { panic!("{key}: {approved:?}") };
        assert!(reason.contains("was held as \"passport\""), "{reason}");
    }
    site.nothing_changed(&before, "an order of another version").await;
    assert_eq!(site.state_of(report.run).await, "held");
}

/// Another run has since assigned `u1` a second role in `c1`: the held line for `u1` is overtaken.
async fn a_line_that_another_run_touched_is_overtaken(mut site: Site) {
    let (report, _) = held(&mut site).await;
    site.import_once("add,teacher,u1,c1\nadd,student,u2,c3\n").await;
    let approved = site.engine().approve(report.run).await.unwrap();
    assert_eq!(approved.state, State::DoneWithErrors);
    assert_eq!(site.errors(&approved).await, ["1 overtaken", "5 user-unknown"]);
    assert_eq!(approved.meanwhile.unwrap().overtaken, 1);
    assert_eq!(approved.counts["enrolment.remove"], 3);
    let left = site.enrolments().await;
    assert!(left.contains(&"u1 c1 flatfile".to_owned()) && !left.contains(&"u2 c1 flatfile".to_owned()), "{left:?}");
}

/// Four enrolments of the flat file have expired.
async fn a_held_sync_is_approved(mut site: Site) {
    full_campus(&mut site).await;
    site.setting("expiredaction", Some("0")).await;
    site.set("guard.run.removals_max", "3");
    site.sql(&format!("UPDATE {{user_enrolments}} SET timeend = {NOW} - 5 WHERE enrolid = 501 AND userid < 15")).await;
    let before = site.dump().await;
    let report = site.engine().sync_flatfile(false).await.unwrap();
    assert_eq!((report.state, breaches(&report)), (State::Held, vec!["run removals 4 of 18 limit 3".to_owned()]));
    site.nothing_changed(&before, "a held sync").await;
    let approved = site.engine().approve(report.run).await.unwrap();
    assert_eq!((approved.state, approved.counts["enrolment.remove"]), (State::Done, 4));
    assert_eq!(site.enrolments().await.len(), 14);
    assert_eq!(site.state_of(report.run).await, "approved");
}

async fn a_simulation_shows_the_breach(mut site: Site) {
    full_campus(&mut site).await;
    site.set("guard.run.removals_max", "3");
    let before = site.dump().await;
    let file = site.write(lines("del", 4, "c1"));
    let report = site.engine().import(&file, true).await.unwrap();
    assert_eq!(report.state, State::Simulated);
    assert_eq!(breaches(&report), ["run removals 4 of 18 limit 3"]);
    assert_eq!(report.counts["enrolment.remove"], 4, "the whole plan is shown");
    site.nothing_changed(&before, "a simulation").await;
    assert_eq!(site.last_run().await, 0);
}
