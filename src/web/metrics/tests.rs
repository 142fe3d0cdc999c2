use std::collections::BTreeMap;

use super::{Metrics, UNLISTED};
use crate::outcome::{Lines, Report, State};
use crate::problem::{Code, Problem};

fn report(state: State) -> Report {
    Report {
        run: 7,
        kind: "import".to_owned(),
        source: "students.csv".to_owned(),
        state,
        clock: 0,
        lines: Lines { physical: 12, blank: 2, records: 10, failed: 3, waiting: 0 },
        read_as: None,
        rules: Vec::new(),
        set: None,
        people: None,
        counts: BTreeMap::from([("enrolment.add".to_owned(), 7)]),
        overtaken: 0,
        would_hold: false,
        errors: 3,
        codes: BTreeMap::from([(Code::UserUnknown.as_str().to_owned(), 2)]),
        unkept: BTreeMap::new(),
        problems: vec![
            Problem::new(2, Code::UserUnknown, "jdoe", ""),
            Problem::new(3, Code::UserUnknown, "asmith", ""),
        ],
        breaches: Vec::new(),
        notes: Vec::new(),
        same_bytes_as: None,
        dropped: None,
        locale: None,
        meanwhile: None,
        commit_ms: 200,
        total_ms: 300,
        statements: 40,
    }
}

fn fresh() -> Metrics {
    Metrics::new(1_000)
}

#[track_caller]
fn has(metrics: &Metrics, line: &str) {
    let text = metrics.text_at(2_000).expect("text");
    assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
}

#[test]
fn a_committed_run_counts_its_lines_changes_and_errors() {
    let metrics = fresh();
    metrics.run_ended(&report(State::DoneWithErrors));
    metrics.run_ended(&report(State::DoneWithErrors));
    has(&metrics, r#"enrold_runs_total{kind="import",state="done-with-errors"} 2"#);
    has(&metrics, r#"enrold_lines_total{result="applied"} 14"#);
    has(&metrics, r#"enrold_lines_total{result="failed"} 6"#);
    has(&metrics, r#"enrold_lines_total{result="blank"} 4"#);
    has(&metrics, r#"enrold_changes_total{kind="enrolment.add"} 14"#);
    has(&metrics, r#"enrold_errors_total{code="user-unknown"} 4"#);
    has(&metrics, r#"enrold_run_duration_seconds_count{kind="import"} 2"#);
    has(&metrics, r#"enrold_run_duration_seconds_sum{kind="import"} 0.6"#);
    has(&metrics, r#"enrold_run_duration_seconds_bucket{le="0.25",kind="import"} 0"#);
    has(&metrics, r#"enrold_run_duration_seconds_bucket{le="0.5",kind="import"} 2"#);
}

#[test]
fn errors_beyond_the_listed_ones_are_counted_without_a_code() {
    let metrics = fresh();
    metrics.run_ended(&report(State::DoneWithErrors));
    has(&metrics, &format!(r#"enrold_errors_total{{code="{UNLISTED}"}} 1"#));
}

#[test]
fn a_held_run_applied_nothing() {
    let metrics = fresh();
    metrics.run_ended(&report(State::Held));
    has(&metrics, r#"enrold_runs_total{kind="import",state="held"} 1"#);
    has(&metrics, r#"enrold_lines_total{result="applied"} 0"#);
    has(&metrics, r#"enrold_lines_total{result="failed"} 0"#);
    has(&metrics, r#"enrold_errors_total{code="user-unknown"} 0"#);
    assert!(!metrics.text_at(0).expect("text").contains("enrolment.add"));
}

#[test]
fn a_failed_run_tells_its_errors_but_no_changes() {
    let metrics = fresh();
    metrics.run_ended(&report(State::Failed));
    metrics.run_broke("import");
    has(&metrics, r#"enrold_runs_total{kind="import",state="failed"} 2"#);
    has(&metrics, r#"enrold_lines_total{result="failed"} 3"#);
    has(&metrics, r#"enrold_lines_total{result="applied"} 0"#);
    has(&metrics, r#"enrold_errors_total{code="user-unknown"} 2"#);
}

#[test]
fn a_skipped_run_is_counted_but_has_no_duration() {
    let metrics = fresh();
    metrics.run_ended(&report(State::Skipped));
    has(&metrics, r#"enrold_runs_total{kind="import",state="skipped"} 1"#);
    has(&metrics, r#"enrold_run_duration_seconds_count{kind="import"} 0"#);
}

#[test]
fn the_lag_is_computed_when_it_is_asked_for() {
    let metrics = fresh();
    has(&metrics, "enrold_inbox_oldest_waiting_seconds 0");
    metrics.waiting(2, Some(1_900));
    has(&metrics, "enrold_inbox_waiting_files 2");
    has(&metrics, "enrold_inbox_oldest_waiting_seconds 100");
    assert!(metrics.text_at(2_500).expect("text").contains("enrold_inbox_oldest_waiting_seconds 600\n"));
    assert!(metrics.text_at(0).expect("text").contains("enrold_inbox_oldest_waiting_seconds 0\n"), "clock set back");
    metrics.waiting(0, None);
    has(&metrics, "enrold_inbox_oldest_waiting_seconds 0");
}

#[test]
fn waiting_lines_and_the_age_of_the_oldest() {
    let metrics = fresh();
    has(&metrics, "enrold_waiting_lines 0");
    metrics.waiting_lines(3, Some(1_900));
    has(&metrics, "enrold_waiting_lines 3");
    has(&metrics, "enrold_waiting_oldest_seconds 100");
    has(&metrics, "enrold_inbox_oldest_waiting_seconds 0");
    metrics.waiting_lines(0, None);
    has(&metrics, "enrold_waiting_oldest_seconds 0");
}

#[test]
fn a_task_has_one_last_result_and_keeps_its_last_success() {
    let metrics = fresh();
    metrics.task_known("flatfile", None);
    has(&metrics, r#"enrold_task_last_success_timestamp_seconds{task="flatfile"} 0"#);
    metrics.task_ended("flatfile", State::Done, 1_500);
    metrics.task_ended("flatfile", State::Failed, 1_600);
    has(&metrics, r#"enrold_task_last_success_timestamp_seconds{task="flatfile"} 1500"#);
    has(&metrics, r#"enrold_task_last_result{task="flatfile",result="failed"} 1"#);
    has(&metrics, r#"enrold_task_last_result{task="flatfile",result="done"} 0"#);
    metrics.task_ended("flatfile", State::Skipped, 1_700);
    has(&metrics, r#"enrold_task_last_success_timestamp_seconds{task="flatfile"} 1700"#);
}

#[test]
fn what_stands_now_is_shown_as_told_last() {
    let metrics = fresh();
    has(&metrics, "enrold_leader 0");
    has(&metrics, "enrold_database_up 0");
    let same = metrics.clone();
    same.leader(true);
    same.database(true);
    same.inbox(true);
    same.held(3);
    same.effects_pending(4);
    has(&metrics, "enrold_leader 1");
    has(&metrics, "enrold_database_up 1");
    has(&metrics, "enrold_inbox_up 1");
    has(&metrics, "enrold_held_runs 3");
    has(&metrics, "enrold_effects_pending 4");
    has(&metrics, "enrold_start_time_seconds 1000");
    has(&metrics, concat!(r#"enrold_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#));
}

#[test]
fn nothing_of_a_file_or_a_person_is_in_the_text() {
    let metrics = fresh();
    metrics.run_ended(&report(State::DoneWithErrors));
    let text = metrics.text_at(0).expect("text");
    for word in ["students", "jdoe", "asmith"] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
}

#[test]
fn every_help_ends_with_one_full_stop() {
    for help in fresh().text_at(0).expect("text").lines().filter(|line| line.starts_with("# HELP ")) {
        assert!(help.ends_with('.') && !help.ends_with(".."), "{help}");
    }
}

#[test]
fn a_source_tells_its_last_good_set_and_whether_it_is_stale() {
    let metrics = fresh();
    metrics.source("night", None, true);
    has(&metrics, r#"enrold_source_stale{source="night"} 1"#);
    has(&metrics, r#"enrold_source_last_success_timestamp_seconds{source="night"} 0"#);
    metrics.source("night", Some(1_500), false);
    has(&metrics, r#"enrold_source_stale{source="night"} 0"#);
    has(&metrics, r#"enrold_source_last_success_timestamp_seconds{source="night"} 1500"#);
}
