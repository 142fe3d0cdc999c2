//! `enrold approve RUN` and `enrold reject RUN`: the decision on a held run, carried out by the daemon that leads or,
//! without one, here. It must not know why the run was held.

use std::io::IsTerminal;
use std::time::Duration;

use crate::cli::{Exit, Setting, import, mails, output, progress};
use crate::clock::StopWatch;
use crate::daemon::decide::{self, Decided};
use crate::lease::{LEADER, Lease};
use crate::outcome::{Observer, State};
use crate::report::words::pick;
use crate::run::Engine;
use crate::run::decision::{self, Decision};
use crate::run::history::{self, Past};

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
    decide(setting, &engine, options.run, Decision::Approve).await
}

pub(super) async fn reject(setting: &Setting, options: &Options) -> anyhow::Result<Exit> {
    let engine = setting.engine(Observer::none())?;
    decide(setting, &engine, options.run, Decision::Reject).await
}

async fn decide(setting: &Setting, engine: &Engine, run: i64, decision: Decision) -> anyhow::Result<Exit> {
    let decided = if is_led(engine).await? {
        match by_the_daemon(engine, run, decision).await? {
            Some(decided) => decided,
            None => return Ok(recorded(setting, run)),
        }
    } else {
        decide::carry_out(engine, run, decision).await?
    };
    progress::clear(setting.quiet || setting.json);
    match decided {
        Decided::Applied(report) => {
            setting.show(&report);
            mails::after(setting).await;
            Ok(Exit::of_report(&report))
        }
        Decided::Rejected(past) => Ok(rejected(setting, &past)),
    }
}

async fn is_led(engine: &Engine) -> anyhow::Result<bool> {
    let mut conn = engine.database.connect().await?;
    crate::run::require_ready(&mut conn).await?;
    let led = Lease::is_held(&mut conn, LEADER, engine.settings.run.lease_ttl.as_secs()).await?;
    conn.close().await;
    Ok(led)
}

/// Records the decision and waits until the daemon has carried it out; `None` if that takes longer than `--wait`.
async fn by_the_daemon(engine: &Engine, run: i64, decision: Decision) -> anyhow::Result<Option<Decided>> {
    engine.held(run).await?;
    let mut conn = engine.database.connect().await?;
    if !decision::record(&mut conn, run, decision, engine.clock.now()).await? {
        anyhow::bail!("run {run} was decided by somebody else just now");
    }
    let waiting = StopWatch::start();
    while u128::from(waiting.millis()) < engine.wait.as_millis() {
        let Some(past) = history::find(&mut conn, run).await? else {
            anyhow::bail!("run {run} is not in the history any more");
        };
        match State::parse(&past.state) {
            Some(State::Held) if past.decision.is_empty() => anyhow::bail!("{}", past.message),
            Some(State::Approved) if !decision::is_under_way(&mut conn, run).await? => {
                let child = decision::child(&mut conn, run).await?.map_or(run, |child| child.run);
                return Ok(engine.recall(child).await?.map(|report| Decided::Applied(Box::new(report))));
            }
            Some(State::Rejected) => return Ok(Some(Decided::Rejected(Box::new(past)))),
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    Ok(None)
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
