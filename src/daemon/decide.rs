//! The decision on a held run, carried out: the run is applied or put aside, and its file gets its last name.
//! It must not ask anybody; a command or the daemon calls it, whoever of the two leads.

use crate::fault;
use crate::inbox;
use crate::outcome::{Report, RunResult};
use crate::run::Engine;
use crate::run::decision::Decision;
use crate::run::history::Past;

/// What a decision came to.
#[derive(Debug)]
pub enum Decided {
    /// The run that applied what was held.
    Applied(Box<Report>),
    /// The run that was put aside.
    Rejected(Box<Past>),
}

/// Carries a decision out. A file that cannot be renamed now is renamed by the daemon's next start.
///
/// # Errors
/// See [`Engine::approve`] and [`Engine::reject`].
pub async fn carry_out(engine: &Engine, run: i64, decision: Decision) -> RunResult<Decided> {
    let held = engine.held(run).await?;
    let (decided, settled) = match decision {
        Decision::Approve => {
            let report = engine.approve(run).await?;
            fault::step("decided");
            let settled = inbox::settle_decided(engine, &held, Some(&report)).await;
            (Decided::Applied(Box::new(report)), settled)
        }
        Decision::Reject => {
            let past = engine.reject(run).await?;
            fault::step("decided");
            let settled = inbox::settle_decided(engine, &past, None).await;
            (Decided::Rejected(Box::new(past)), settled)
        }
    };
    if let Err(error) = settled {
        tracing::error!(run.id = run, "run {run} is decided, but its file keeps its name for now: {error}");
    }
    Ok(decided)
}
