//! `enrold config`: every setting in force and where it comes from, secrets masked; with `-q` only a check.
//! It must not connect to anything.

use crate::cli::{Exit, Setting, output};

pub(super) fn run(setting: &Setting) -> Exit {
    if setting.json {
        output::json(&setting.loaded.origins);
    } else if !setting.quiet {
        let width = setting.loaded.origins.iter().map(|effective| effective.key.len()).max().unwrap_or(0);
        for effective in &setting.loaded.origins {
            output::line(&format!("{:<width$} = {:<28} # {}", effective.key, effective.value, effective.origin));
        }
    }
    Exit::Done
}
