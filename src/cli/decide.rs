//! `enrold approve RUN` and `enrold reject RUN`: the decision on a held run.
//! It must not know why the run was held.

use std::io::IsTerminal;

use crate::cli::{Exit, Setting, import, output, progress};
use crate::report::words::pick;

/// The words of both commands.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The number of the held run
    run: i64,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
}

pub(super) async fn approve(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let engine = setting.engine(progress::watch(setting.quiet || setting.json))?;
    if !options.yes && !setting.json && std::io::stdin().is_terminal() {
        let preview = engine.rehearse_approval(options.run).await?;
        progress::clear(setting.quiet);
        output::report(&preview, setting.locale());
        if !import::confirmed(setting)? {
            return Ok(Exit::Failed);
        }
    }
    let report = engine.approve(options.run).await?;
    progress::clear(setting.quiet || setting.json);
    setting.show(&report);
    Ok(Exit::of_report(&report))
}

pub(super) async fn reject(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let past = setting.engine(crate::run::Observer::none())?.reject(options.run).await?;
    if setting.json {
        output::json(&past);
    } else {
        let done =
            pick(setting.locale(), "rejected: nothing of it will be applied", "rejeté : rien n'en sera appliqué");
        output::line(&format!("run {} ({}): {done}", past.run, past.source));
    }
    Ok(Exit::Done)
}
