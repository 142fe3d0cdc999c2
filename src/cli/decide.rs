//! `enrold approve RUN` and `enrold reject RUN`: the decision on a held run, carried out by the leading daemon or,
//! without one, here. It must not know why the run was held.

use std::io::IsTerminal;

use crate::cli::{Exit, Setting, import, operator, output};
use crate::front::{Decided, Front};
use crate::outcome::{Observer, Past};
use crate::report::words::pick;

/// The arguments of `reject`, and some of `approve`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The number of the held run
    run: i64,
    /// Do not ask on a terminal
    #[arg(long)]
    yes: bool,
}

/// The arguments of `approve`.
#[derive(Debug, clap::Args)]
pub struct Approval {
    #[command(flatten)]
    options: Options,
    /// Walk the whole way and roll back: nothing is changed, the run stays held
    #[arg(long)]
    simulate: bool,
    /// With --simulate, one table as CSV, nothing else: the users concerned, or the courses or cohorts
    #[arg(
        long,
        value_name = "TABLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "people",
        requires = "simulate",
        conflicts_with = "json"
    )]
    csv: Option<output::Table>,
}

pub(super) async fn approve(setting: &Setting, approval: &Approval) -> anyhow::Result<Exit> {
    let (front, who) = (setting.front()?, operator());
    let options = &approval.options;
    if approval.simulate {
        let report = front.rehearse_approval(&who, options.run).await?;
        match approval.csv {
            Some(table) => output::table(setting, table, &report)?,
            None => setting.show(&report),
        }
        return Ok(Exit::of_report(&report));
    }
    if !options.yes && !setting.json && std::io::stdin().is_terminal() {
        let preview = front.rehearse_approval(&who, options.run).await?;
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
        Some(Decided::Rejected(past)) => Ok(rejected(setting, &past)),
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
