//! Ends a drop that the database refuses repeatedly: its last failed run records why, for the history and the report.
//! It must not decide when to give up: the daemon counts the tries.

use std::sync::Arc;

use crate::outcome::{Claim, Report, RunResult, State};
use crate::problem::{Code, Problem};
use crate::run::life::{blank, require_ready};
use crate::run::order::{Dropped, Import, Order};
use crate::run::{Engine, history};
use crate::sets::SetOrder;

impl Engine {
    /// Records that a drop (a flat file, or a set of `source`) is not tried again after `tries` tries; `reason` is the
    /// last error of the database. Returns the report of its last failed run, which is created if there is none.
    ///
    /// # Errors
    /// As [`Engine::import`].
    pub async fn give_up(
        &self,
        dropped: &Dropped,
        source: Option<&str>,
        tries: u32,
        reason: &str,
    ) -> RunResult<Report> {
        let order = match source {
            Some(source) => Order::set(SetOrder {
                shown: dropped.shown.clone(),
                token: dropped.token.clone(),
                ..SetOrder::of(source)
            }),
            None => Order::import(Import { dropped: Some(dropped.clone()), ..Import::default() }),
        };
        let mut conn = self.connect(false).await?;
        require_ready(&mut conn).await?;
        let lease = self.take_lease(&mut conn).await?;
        let heart = lease.beat(Arc::clone(&self.database), self.settings.run.lease_ttl.as_secs());
        let written = async {
            let mut report = blank(&order.kind(), &order.source(), self.clock.now());
            report.run = match history::failed_of_drop(&mut conn, &dropped.token).await? {
                Some(run) => run,
                None => {
                    let claim = Claim { token: dropped.token.clone(), ..Claim::default() };
                    history::open(&mut conn, &order.kind(), &order.source(), report.clock, None, Some(&claim)).await?
                }
            };
            report.fail(Problem::new(0, Code::DatabaseRefuses, tries.to_string(), reason));
            let message = report.problems.first().map(|problem| problem.text(crate::config::Locale::En));
            self.close(&mut conn, &order, &report, &message.unwrap_or_default()).await?;
            Ok(report)
        };
        let written = written.await;
        drop(heart);
        self.release(conn, &lease).await;
        written
    }
}

impl Report {
    /// Marks the run as failed by this problem: nothing of its file is applied.
    pub(super) fn fail(&mut self, problem: Problem) {
        self.state = State::Failed;
        self.errors = 1;
        self.codes.insert(problem.code.as_str().to_owned(), 1);
        self.lines.failed = 1;
        self.problems.push(problem);
    }
}
