//! `enrold approve RUN` and `enrold reject RUN`: the decision on a held run, carried out by the leading daemon or,
//! without one, here. It must not know why the run was held.

use std::io::IsTerminal;

use crate::cli::{Exit, Setting, import, operator, output, progress};
use crate::front::{Decided, Front};
use crate::outcome::{Observer, Past};
use crate::report::words::pick;

/// The arguments of both commands.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The number of the held run
    run: i64,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
}

pub(super) async fn approve(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let (front, who) = (setting.front()?, operator());
    if !options.yes && !setting.json && std::io::stdin().is_terminal() {
        let preview = front.rehearse_approval(&who, options.run).await?;
        progress::clear(setting.quiet);
        output::report(&preview, setting.locale());
        if !import::confirmed(setting)? {
            return Ok(Exit::Failed);
        }
    }
    let decided = front.approve(&who, options.run).await?;
    show(setting, &front, options.run, decided).await
}

pub(super) async fn reject(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let front = setting.front_observed(Observer::none())?;
    let decided = front.reject(&operator(), options.run).await?;
    show(setting, &front, options.run, decided).await
}

async fn show(setting: &Setting, front: &Front, run: i64, decided: Option<Decided>) -> anyhow::Result<Exit> {
    match decided {
        None => Ok(recorded(setting, run)),
        Some(Decided::Applied(report)) => {
            setting.show(&report);
            front.send_after().await;
            Ok(Exit::of_report(&report))
        }
        Some(Decided::Rejected(past)) => {
            progress::clear(setting.quiet || setting.json);
            Ok(rejected(setting, &past))
        }
    }
}

fn recorded(setting: &Setting, run: i64) -> Exit {
    if setting.json {
        output::json(&serde_json::json!({ "run": run, "state": "recorded" }));
    } else {
        let said = pick(
            setting.locale(),
            "the decision is recorded; the daemon carries it out",
            "la décision est enregistrée ; le démon l'exécutera",
        );
        output::line(&format!("run {run}: {said}"));
    }
    Exit::Done
}

fn rejected(setting: &Setting, past: &Past) -> Exit {
    if setting.json {
        output::json(past);
    } else {
        let done =
            pick(setting.locale(), "rejected: nothing of it will be applied", "rejeté : rien n'en sera appliqué");
        output::line(&format!("run {} ({}): {done}", past.run, past.source));
    }
    Exit::Done
}
