//! What commands print: reports of runs as text in the language of the operator, or one JSON document.
//! It must not decide anything; the numbers come from the run.

use std::io::Write;

use anyhow::anyhow;

use crate::cli::terminal::{self, Tone, painted};
use crate::cli::{Setting, log};
use crate::config::Locale;
use crate::front::runs::words_of_change;
use crate::outcome::{Breach, Report, State};
use crate::report::width::wrapped;
use crate::report::{people, set, table as rules_table, visible, words};

/// The most problems that are printed; the rest is counted.
pub const PRINTED: usize = 50;
/// The most passed limits that are printed; the rest is counted.
const BREACHES: usize = 20;
/// The characters of a code and the blanks around it.
const CODE: usize = 21;
/// The characters of a label of a fact and the blanks around it.
const LABEL: usize = 27;

/// Prints one JSON document.
pub fn json<T: serde::Serialize>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"message\":\"{error}\"}}"));
    // JSON escapes what moves the cursor, except in its second range; such characters stand in texts only.
    let escaped = |letter: char| match letter {
        '\n' => letter.to_string(),
        letter if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    };
    put(&text.chars().map(escaped).collect::<String>());
}

/// Prints one line; on a terminal a longer one is broken at blanks.
pub fn line(text: &str) {
    told(text, 4, Tone::Plain);
}

/// Prints some lines, each as [`line`] does.
pub fn lines(text: &str) {
    text.split('\n').for_each(line);
}

/// Prints rows of cells as columns.
pub fn columns<const N: usize>(rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(padded.join("  ").trim_end());
    }
}

/// Prints a list for programs; its bytes stay as they are, except on a terminal.
pub fn list(text: &str) {
    if terminal::is_output() {
        text.trim_end().split('\n').for_each(|row| put(&visible(row)))
    } else {
        put(text.trim_end())
    }
}

/// Prints one line in a tone; on a terminal a longer one goes on in lines that begin with `indent` blanks.
pub fn told(text: &str, indent: usize, tone: Tone) {
    fitted(&visible(text), indent).iter().for_each(|row| put(&painted(row, tone)));
}

/// Prints a line whose first `length` characters have a tone.
pub fn marked(text: &str, length: usize, indent: usize, tone: Tone) {
    for (at, row) in fitted(&visible(text), indent).iter().enumerate() {
        let end = if at > 0 { 0 } else { row.char_indices().nth(length).map_or(row.len(), |(end, _)| end) };
        let (mark, rest) = row.split_at(end);
        put(&format!("{}{rest}", painted(mark, tone)));
    }
}

/// The lines of a text, of which every foreign character is harmless.
fn fitted(text: &str, indent: usize) -> Vec<String> {
    match terminal::width() {
        Some(width) => wrapped(text, indent, width),
        None => vec![text.to_owned()],
    }
}

/// A reader that went away (`| head`) is no error.
fn put(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints a message on standard error: `enrold: …`, in lines of its own. In the journal each has the priority of an
/// error (sd-daemon(3)): why a service does not start is written before there is a log.
pub fn error(text: &str) {
    let priority = if log::is_journal() { "<3>" } else { "" };
    for (at, row) in text.split('\n').enumerate() {
        let row = format!("{priority}{}{}", if at == 0 { "enrold: " } else { "" }, visible(row));
        eprintln!("{}", terminal::painted_error(&row));
    }
}

/// The tables of a report.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Table {
    /// The users concerned, by course or cohort
    People,
    /// The courses or cohorts of a full set
    Places,
}

/// Prints one table of a report as CSV.
pub fn table(setting: &Setting, table: Table, report: &Report) -> anyhow::Result<()> {
    match table {
        Table::Places => {
            let account = report.set.as_ref().ok_or_else(|| anyhow!("this is no run of a full set"))?;
            list(&set::csv(account));
        }
        Table::People => {
            let concerned = report.people.clone().unwrap_or_default();
            list(&people::csv(&concerned));
            if concerned.unnamed() > 0 {
                error(&people::more_people(concerned.unnamed(), setting.locale()));
            }
        }
    }
    Ok(())
}

/// Prints the report of a run.
pub fn report(report: &Report, locale: Locale) {
    told(&words::headline(report, locale), 4, tone(report.state));
    let whole = rules_table::is_whole(&report.rules);
    let rules = rules_table::lines(&report.rules, locale, terminal::width_within());
    let table = || rules.iter().for_each(|row| line(&format!("  {row}")));
    if whole {
        table();
    }
    if let Some(account) = &report.set {
        account_of_set(account, locale);
    }
    for (label, value) in words::facts(report, locale, words_of_change) {
        told(&format!("  {label:<24} {value}"), LABEL, Tone::Plain);
    }
    if !whole {
        table();
    }
    if let Some(concerned) = &report.people {
        people::lines(concerned, locale).iter().for_each(|row| line(&format!("  {row}")));
    }
    for note in &report.notes {
        told(&format!("  ! {}", words::note(note, locale)), 4, Tone::Warning);
    }
    breaches(&report.breaches, locale);
    for found in report.problems.iter().take(PRINTED) {
        problem(found.code.as_str(), &found.text(locale));
    }
    if report.errors > PRINTED as u64 {
        line(&words::more_problems(report.errors - PRINTED as u64, report.run, locale));
    }
    if report.state == State::Held {
        words::held(report.run, locale).split('\n').for_each(|row| told(row, 4, Tone::Held));
    }
}

/// Prints the report of a full set, with its table.
pub fn account_of_set(account: &crate::outcome::SetReport, locale: Locale) {
    for row in set::fitted_lines(account, locale, terminal::width_within()) {
        let tone = if row.starts_with('!') { Tone::Warning } else { Tone::Plain };
        told(&format!("  {row}"), 4, tone);
    }
}

/// Prints the first passed limits, then how many there are.
pub fn breaches(breaches: &[Breach], locale: Locale) {
    for breach in breaches.iter().take(BREACHES) {
        told(&format!("  ! {}", words::breach(breach, locale)), 4, Tone::Held);
    }
    if breaches.len() > BREACHES {
        told(&format!("  ! {}", words::more_breaches(breaches.len(), BREACHES, locale)), 4, Tone::Held);
    }
}

/// Prints what is wrong with a line.
pub fn problem(code: &str, message: &str) {
    marked(&format!("  {code:<18} {message}"), CODE, CODE, Tone::Error);
}

/// The tone of a run that ended in this state.
pub fn tone(state: State) -> Tone {
    match state {
        State::Failed | State::Interrupted => Tone::Error,
        State::DoneWithErrors => Tone::Warning,
        State::Held => Tone::Held,
        _ => Tone::Plain,
    }
}
