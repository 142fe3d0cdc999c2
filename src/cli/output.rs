//! What commands print: reports of runs as text in the configured language, or one JSON document.
//! It must not decide anything; the numbers come from the run.

use std::io::Write;

use crate::config::Locale;
use crate::front::runs::words_of_change;
use crate::outcome::{Report, State};
use crate::report::{set, table, words};

/// The most problems that are printed; the rest is counted.
const PRINTED: usize = 50;

/// Prints one JSON document.
pub fn json<T: serde::Serialize>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"message\":\"{error}\"}}"));
    line(&text);
}

/// Prints one line; a reader that went away (`| head`) is no error.
pub fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints the report of a run.
pub fn report(report: &Report, locale: Locale) {
    line(&words::headline(report, locale));
    let whole = table::is_whole(&report.rules);
    let rules = table::lines(&report.rules, locale);
    let table = || rules.iter().for_each(|row| line(&format!("  {row}")));
    if whole {
        table();
    }
    if let Some(account) = &report.set {
        set::lines(account, locale).iter().for_each(|row| line(&format!("  {row}")));
    }
    for (label, value) in words::facts(report, locale, words_of_change) {
        line(&format!("  {label:<24} {value}"));
    }
    if !whole {
        table();
    }
    for note in &report.notes {
        line(&format!("  ! {}", words::note(note, locale)));
    }
    for breach in &report.breaches {
        line(&format!("  ! {}", words::breach(breach, locale)));
    }
    for problem in report.problems.iter().take(PRINTED) {
        line(&format!("  {:<18} {}", problem.code, problem.text(locale)));
    }
    if report.errors > PRINTED as u64 {
        line(&words::more_problems(report.errors - PRINTED as u64, report.run, locale));
    }
    if report.state == State::Held {
        line(&words::held(report.run, locale));
    }
}
