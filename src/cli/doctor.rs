//! `enrold doctor`: shows whether enrold can work here, each finding with what to do; fails if it cannot.
//! It must not examine anything itself.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::terminal::Tone;
use crate::cli::{Exit, Setting, operator, output};
use crate::doctor::{self, Level};
use crate::front::Examined;
use crate::outcome::Observer;
use crate::report::words::pick;

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Also the statements that grant the least rights with which enrold works
    #[arg(long)]
    grants: bool,
}

pub(super) async fn run(setting: &Setting, options: &Options, files: &[PathBuf]) -> anyhow::Result<Exit> {
    let front = setting.front_observed(Observer::none())?;
    let Examined { findings, can_work } = front.doctor(&operator(), &setting.loaded, files).await;
    if setting.json {
        output::json(&json!({ "can_work": can_work, "findings": findings }));
        return Ok(if can_work { Exit::Done } else { Exit::Failed });
    }
    let locale = setting.locale();
    let asked = |finding: &&doctor::Finding| match doctor::is_of_least_rights(finding) {
        true => options.grants,
        false => !setting.quiet || finding.level > Level::Ok,
    };
    for finding in findings.iter().filter(asked) {
        let (mark, tone) = match finding.level {
            Level::Ok => ("ok", Tone::Plain),
            Level::Warning => ("WARNING", Tone::Warning),
            Level::Error => ("ERROR", Tone::Error),
        };
        let text = finding.text(locale);
        let mut rows = text.split('\n');
        let first = rows.next().unwrap_or_default();
        output::marked(&format!("{mark:<8} {:<22} {first}", finding.code), 8, 9, tone);
        rows.for_each(output::line);
    }
    if options.grants && !findings.iter().any(doctor::is_of_least_rights) {
        output::line(&pick(
            locale,
            "no rights to grant: the database was not reached, or has no accounts",
            "aucun droit à accorder : la base n'a pas été atteinte, ou n'a pas de comptes",
        ));
    }
    let tone = match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Error) => Tone::Error,
        Some(Level::Warning) => Tone::Warning,
        _ => Tone::Plain,
    };
    output::told(&doctor::verdict(&findings, locale), 2, tone);
    Ok(if can_work { Exit::Done } else { Exit::Failed })
}
