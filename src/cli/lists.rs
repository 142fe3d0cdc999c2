//! What commands share that print lists: how a course is named, and where a list goes.
//! It must not know what a list holds.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::cli::{Setting, output, terminal};
use crate::config::CourseKey;
use crate::disk::own;
use crate::front::Misuse;
use crate::report::sheet::Sheet;

/// How a course is named.
#[derive(Debug, clap::Args)]
pub struct Key {
    /// What names the course: shortname, idnumber, id
    #[arg(
        long,
        value_name = "K",
        default_value = "shortname",
        value_parser = |text: &str| CourseKey::from_word(text).ok_or("use shortname, idnumber or id")
    )]
    pub course_key: CourseKey,
}

/// Refuses another form beside JSON: only one goes to standard output.
pub(super) fn one_form(setting: &Setting, other: bool) -> Result<(), Misuse> {
    if setting.json && other {
        Err(Misuse("--json is a form of its own: leave the other out".to_owned()))
    } else {
        Ok(())
    }
}

/// Writes a list to a file for the account alone, or to standard output; bytes that are no text not to a terminal.
pub(super) fn put(bytes: &[u8], file: Option<&Path>, binary: bool) -> anyhow::Result<()> {
    if let Some(path) = file {
        let written = own::create(path).and_then(|mut out| out.write_all(bytes));
        return written.with_context(|| format!("cannot write {}", path.display()));
    }
    if binary && terminal::is_output() {
        return Err(anyhow!("a spreadsheet is no text for a terminal: name a file with --output"));
    }
    if !binary {
        output::list(&String::from_utf8_lossy(bytes));
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(bytes).and_then(|()| out.flush())?)
}

/// Prints a list as CSV or in columns.
pub(super) fn print(sheet: &Sheet, csv: bool) -> anyhow::Result<()> {
    if csv {
        return put(sheet.csv().as_bytes(), None, false);
    }
    columns(sheet);
    Ok(())
}

/// Prints a list in columns; a cell that says nothing is a dash.
pub(super) fn columns(sheet: &Sheet) {
    let dash = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
    let lines: Vec<Vec<String>> = sheet.lines().into_iter().map(|row| row.into_iter().map(dash).collect()).collect();
    let width = |column: usize| lines.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
    let widths: Vec<usize> = (0..sheet.headings.len()).map(|column| width(column).unwrap_or(0)).collect();
    for row in &lines {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        output::line(padded.join("  ").trim_end());
    }
}
