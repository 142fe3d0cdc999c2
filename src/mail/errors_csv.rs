//! The list of problems that is attached to a mail for operators, as the list beside a dropped file has it.
//! It must not show lines of a file.

use crate::config::Locale;
use crate::outcome::Report;
use crate::problem::Problem;
use crate::report::{inert, visible};

/// How many problems the list has; the mail counts all.
pub(super) const LISTED: usize = 2_000;

/// A text that goes with a mail as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The name of the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The first problems of a run as `line,code,message`; `None` without any.
pub(super) fn of_run(report: &Report, name: &str, locale: Locale) -> Option<Attached> {
    if report.problems.is_empty() {
        return None;
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut written = out.write_record(["line", "code", "message"]);
    for problem in report.problems.iter().take(LISTED) {
        let (line, message) = (problem.line.to_string(), problem.text(locale));
        written = written.and_then(|()| out.write_record([&*line, problem.code.as_str(), &*inert(&message)]));
    }
    written.ok()?;
    Some(Attached { name: format!("{}.errors.csv", visible(name)), text: text_of(out)? })
}

/// The problems of several runs as `run,file,line,code,message`; each with the number of its run and the name of its
/// file.
pub(super) fn of_runs(problems: &[(i64, String, Problem)], locale: Locale) -> Option<Attached> {
    if problems.is_empty() {
        return None;
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut written = out.write_record(["run", "file", "line", "code", "message"]);
    for (run, file, problem) in problems {
        let (run, line, message) = (run.to_string(), problem.line.to_string(), problem.text(locale));
        let record = [&*run, &*inert(file), &*line, problem.code.as_str(), &*inert(&message)];
        written = written.and_then(|()| out.write_record(record));
    }
    written.ok()?;
    Some(Attached { name: "errors.csv".to_owned(), text: text_of(out)? })
}

fn text_of(out: csv::Writer<Vec<u8>>) -> Option<String> {
    String::from_utf8(out.into_inner().ok()?).ok()
}
