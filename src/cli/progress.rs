//! A progress bar on a terminal's standard error while a run works.
//! It must not show anything if standard error is no terminal.

use std::io::{IsTerminal, Write};

use crate::outcome::{Moment, Observer};

const WIDTH: u64 = 30;

/// Draws the progress of a run; the observer does nothing if `quiet` or if standard error is no terminal.
pub fn watch(quiet: bool) -> Observer {
    if quiet || !std::io::stderr().is_terminal() {
        return Observer::none();
    }
    Observer::new(|moment| async move { draw(moment) })
}

fn draw(moment: Moment) {
    let text = match moment {
        Moment::Read { lines, of } => {
            let full = (WIDTH * lines.min(of.max(1)) / of.max(1)) as usize;
            format!("[{}{}] {lines} / {of}", "#".repeat(full), " ".repeat(WIDTH as usize - full))
        }
        Moment::Staged => "resolving…".to_owned(),
        Moment::Planned { changes } => format!("applying {changes} changes…"),
        Moment::Effects { done } => format!("flags and log events: {done}"),
        Moment::Applied | Moment::Spooled | Moment::Ended => return,
        Moment::Committing => "committing…".to_owned(),
        Moment::PartCommitted { part, of } => format!("part {part} of {of} committed"),
        Moment::Committed => "committed".to_owned(),
    };
    // If the terminal cannot be written to, there is no reader.
    drop(write!(std::io::stderr(), "\r\x1b[K{text}"));
}

/// Clears the bar before the report.
pub fn clear(quiet: bool) {
    if !quiet && std::io::stderr().is_terminal() {
        drop(write!(std::io::stderr(), "\r\x1b[K"));
    }
}
