//! Decisions on held runs: simulates them, carries them out here, or records them for the leading daemon.
//! It must not know why a run was held.

use std::time::Duration;

use crate::clock::StopWatch;
use crate::front::{Front, Who};
use crate::lease::{LEADER, Lease};
use crate::outcome::{Past, Report, RunError, RunResult, State};
use crate::run::decision::{self, Decision};
use crate::run::history;
use crate::{fault, inbox};

/// The result of a decision.
#[derive(Debug)]
pub enum Decided {
    /// The report of the run that applied the held run.
    Applied(Box<Report>),
    /// The rejected run.
    Rejected(Box<Past>),
}

impl Front {
    /// Simulates the approval of a held run and rolls back. This and the methods below refuse a run that is not held
    /// ([`RunError::Undecidable`]).
    pub async fn rehearse_approval(&self, who: &Who, run: i64) -> RunResult<Report> {
        who.asks(format_args!("rehearse the approval of run {run}"));
        self.engine.rehearse_approval(run).await
    }

    /// Applies a held run: in the leading daemon, or without one in this process. `None` if the daemon does not carry
    /// out the recorded decision within the time for which a run waits.
    pub async fn approve(&self, who: &Who, run: i64) -> RunResult<Option<Decided>> {
        self.decide(who, run, Decision::Approve).await
    }

    /// Rejects a held run for good, in the same process as [`Front::approve`].
    pub async fn reject(&self, who: &Who, run: i64) -> RunResult<Option<Decided>> {
        self.decide(who, run, Decision::Reject).await
    }

    async fn decide(&self, who: &Who, run: i64, decision: Decision) -> RunResult<Option<Decided>> {
        let mut conn = self.connect().await?;
        let led = Lease::is_held(&mut conn, LEADER, self.engine.settings.run.lease_ttl.as_secs()).await?;
        conn.close().await;
        if led {
            self.by_the_daemon(who, run, decision).await
        } else {
            self.carry_out(who, run, decision).await.map(Some)
        }
    }

    /// Records the decision and waits until the daemon has carried it out; `None` if that takes longer than a run
    /// waits.
    async fn by_the_daemon(&self, who: &Who, run: i64, decision: Decision) -> RunResult<Option<Decided>> {
        who.asks(format_args!("{} run {run}, by the daemon", decision.as_str()));
        let engine = &self.engine;
        engine.held(run).await?;
        let mut conn = engine.database.connect().await?;
        if !decision::record(&mut conn, run, decision, engine.clock.now()).await? {
            return Err(RunError::Undecidable(format!("run {run} was decided by somebody else just now")));
        }
        let waiting = StopWatch::start();
        while u128::from(waiting.millis()) < engine.wait.as_millis() {
            let Some(past) = history::find(&mut conn, run).await? else {
                return Err(RunError::Undecidable(format!("run {run} is not in the history any more")));
            };
            match State::parse(&past.state) {
                Some(State::Held) if past.decision.is_empty() => return Err(RunError::Undecidable(past.message)),
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

    /// The recorded decisions that are not carried out yet, in the order of recording.
    pub async fn recorded(&self) -> RunResult<Vec<(i64, Decision)>> {
        let mut conn = self.engine.database.connect().await?;
        let recorded = decision::recorded(&mut conn).await?;
        conn.close().await;
        Ok(recorded)
    }

    /// Carries a decision out in this process. A file that cannot be renamed now is renamed by the daemon's next start.
    pub async fn carry_out(&self, who: &Who, run: i64, decision: Decision) -> RunResult<Decided> {
        who.asks(format_args!("{} run {run}", decision.as_str()));
        let engine = &self.engine;
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

    /// Removes a recorded decision that cannot be carried out: the run stays held, with `reason` as its message.
    pub async fn take_back(&self, run: i64, reason: &str) -> RunResult<()> {
        let mut conn = self.engine.database.connect().await?;
        decision::unrecord(&mut conn, run, reason).await?;
        conn.close().await;
        Ok(())
    }
}
