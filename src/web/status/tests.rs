use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{OLD_LOCK, Page, Role, Status};

fn working() -> Status {
    Status::new(|| Ok(()))
}

fn ready() -> Status {
    let status = working();
    status.role(Role::Leader);
    status.database(Ok(()));
    status.inbox(Ok(()));
    status
}

fn shown(page: &Page) -> Value {
    serde_json::to_value(page).expect("a page is JSON")
}

fn reasons(page: &Page) -> String {
    page.reasons.join("; ")
}

#[test]
fn a_daemon_that_starts_is_healthy_but_not_ready() {
    let status = working();
    assert!(status.health().good);
    let page = status.readiness();
    assert!(!page.good);
    assert_eq!(page.status, "not-ready");
    assert_eq!(page.reasons.len(), 3, "{}", reasons(&page));
}

#[test]
fn the_leader_with_database_and_directory_is_ready() {
    let page = ready().readiness();
    assert!(page.good, "{}", reasons(&page));
    assert_eq!((page.status, page.role), ("ready", "leader"));
}

#[test]
fn a_standby_is_healthy_and_says_who_leads() {
    let status = ready();
    status.role(Role::Standby("north:812".to_owned()));
    assert!(status.health().good);
    let page = status.readiness();
    assert!(!page.good);
    assert_eq!(page.status, "standby");
    assert_eq!(shown(&page)["leader"], "north:812");
    assert!(reasons(&page).contains("north:812"));
}

#[test]
fn a_standby_need_not_have_looked_at_the_directory() {
    let status = working();
    status.role(Role::Standby("north:812".to_owned()));
    assert_eq!(status.readiness().status, "standby");
    status.database(Err("connection refused".to_owned()));
    assert_eq!(status.readiness().status, "not-ready");
}

#[test]
fn what_is_broken_is_said_and_mends() {
    let status = ready();
    status.inbox(Err("/srv/drop: Permission denied".to_owned()));
    let page = status.readiness();
    assert!(!page.good);
    assert_eq!(reasons(&page), "the drop directory cannot be used: /srv/drop: Permission denied");
    assert!(status.health().good, "the process works all the same");
    status.inbox(Ok(()));
    assert!(status.readiness().good);
}

#[test]
fn an_old_lock_is_not_ready_and_a_young_one_is_shown() {
    let status = ready();
    assert_eq!(shown(&status.readiness())["lock"], json!(null));
    status.lock(Some(("alock.txt", OLD_LOCK - 60)));
    let page = status.readiness();
    assert!(page.good, "{}", reasons(&page));
    assert_eq!(shown(&page)["lock"], "alock.txt keeps all files waiting, for 10740 s");
    status.lock(Some(("alock.txt", OLD_LOCK + 60)));
    let page = status.readiness();
    assert_eq!((page.good, page.status), (false, "not-ready"));
    assert_eq!(reasons(&page), "alock.txt keeps all files waiting, for 10860 s: is its writer gone? Remove it then");
    assert!(status.health().good);
    status.lock(None);
    assert!(status.readiness().good);
}

#[test]
fn a_daemon_that_stops_is_not_ready() {
    let status = ready();
    status.role(Role::Stopping);
    assert_eq!(status.readiness().status, "not-ready");
}

#[test]
fn a_worker_without_progress_is_unhealthy_and_not_ready() {
    let stuck = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stuck);
    let status = Status::new(move || {
        if seen.load(Ordering::Relaxed) { Err("run 12 has not moved for 90 s".to_owned()) } else { Ok(()) }
    });
    assert!(status.health().good);
    stuck.store(true, Ordering::Relaxed);
    let page = status.health();
    assert!(!page.good);
    assert_eq!(page.status, "stuck");
    assert_eq!(reasons(&page), "the worker makes no progress: run 12 has not moved for 90 s");
    assert!(reasons(&status.readiness()).contains("90 s"));
}

#[test]
fn the_page_shows_what_was_pushed() {
    let status = ready();
    status.doing("applying a file");
    status.error("the database was away");
    status.waiting(3, Some(0));
    status.held(1);
    let page = shown(&status.health());
    assert_eq!(page["doing"], "applying a file");
    assert_eq!(page["last_error"]["message"], "the database was away");
    assert_eq!(page["waiting_files"], 3);
    assert_eq!(page["held_runs"], 1);
    assert_eq!(page["database"], "ok");
    assert_eq!(page["leader"], json!(null));
}

#[test]
fn one_push_reaches_the_metrics_too() {
    let status = ready();
    status.waiting(3, None);
    status.held(2);
    let text = status.metrics().text().expect("text");
    for line in ["enrold_leader 1", "enrold_database_up 1", "enrold_inbox_waiting_files 3", "enrold_held_runs 2"] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

#[test]
fn a_job_that_waits_for_the_state_directory_is_told() {
    let status = ready();
    status.state("a", Err("cannot use /state/held/7: No space left on device".to_owned()));
    status.state("task meta", Err("cannot use /state/held/8: No space left on device".to_owned()));
    let page = status.readiness();
    assert_eq!((page.good, page.status), (false, "not-ready"));
    assert!(reasons(&page).contains("the state directory cannot be used: cannot use /state/held/7"));
    assert!(shown(&page)["state"].as_str().unwrap().ends_with("No space left on device"));
    assert!(status.health().good);
    status.state("a", Ok(()));
    assert!(!status.readiness().good);
    status.state_of(|job| job != "task meta");
    let page = status.readiness();
    assert!(page.good, "{}", reasons(&page));
    assert_eq!((&shown(&page)["state"], status.state_problem()), (&json!("ok"), None));
}
