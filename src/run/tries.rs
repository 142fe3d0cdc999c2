//! Repeats the attempt of a run or a part after transient errors, until it commits, is held or fails.
//! It must not know what an attempt does.

use std::time::Duration;

use crate::clock::StopWatch;
use crate::config::Locale;
use crate::db::{Conn, DbError};
use crate::outcome::{Moment, Note, Report, RunError, RunResult, State};
use crate::run::attempt::Attempt;
use crate::run::order::{Order, Task};
use crate::run::{Engine, history, parts};

impl Engine {
    /// Tries until the run commits, is held, or fails for good; a transient error starts a new attempt. The report of a
    /// failed attempt is discarded, and so is that of the plan of a run that is then cut.
    pub(super) async fn attempts(
        &self,
        conn: &mut Conn,
        attempt: &Attempt<'_>,
        report: &mut Report,
        watch: StopWatch,
    ) -> RunResult<()> {
        let before = report.clone();
        let mut tried = 0;
        loop {
            let mut outcome = attempt.once(conn, report, watch).await;
            if matches!(outcome, Err(RunError::ToBeHashed)) {
                self.observer.reached(Moment::Hashing).await;
                report.clone_from(&before);
                match attempt.hash_passwords().await {
                    Ok(()) => continue,
                    Err(error) => outcome = Err(error),
                }
            }
            match outcome {
                Ok(()) => break,
                Err(error) if error.is_transient() && tried < self.settings.run.retries => {
                    tried += 1;
                    tracing::warn!(run.id = attempt.run, attempt = tried, "run {}: {error}; trying again", attempt.run);
                    tokio::time::sleep(Duration::from_millis(200 << tried.min(6))).await;
                    if self.reconnected(conn, attempt, report).await? {
                        tried -= 1;
                        break;
                    }
                    report.clone_from(&before);
                }
                // A header or an option that only the site can refuse: the file is read, and failed.
                Err(RunError::Rejected(problem)) if matches!(attempt.order.task, Task::File { .. }) => {
                    report.clone_from(&before);
                    let message = problem.text(Locale::En);
                    report.fail(problem);
                    if attempt.run > 0 {
                        self.close(conn, attempt.order, report, &message).await?;
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.failed(conn, attempt, report, &error).await;
                    return Err(error);
                }
            }
        }
        if attempt.current.is_none() && report.state == State::Running {
            *report = before;
        }
        if tried > 0 {
            report.notes.push(Note::Retried(tried));
        }
        Ok(())
    }

    /// Opens a new connection; true if the lost one had committed after all.
    async fn reconnected(&self, conn: &mut Conn, attempt: &Attempt<'_>, report: &mut Report) -> RunResult<bool> {
        let fresh = self.connect(attempt.simulate).await.map_err(|error| DbError::Lost(error.to_string()))?;
        std::mem::replace(conn, fresh).close().await;
        if attempt.run == 0 {
            return Ok(false);
        }
        let state = history::find(conn, attempt.run).await?.map(|past| past.state).unwrap_or_default();
        report.state = match state.as_str() {
            "done" => State::Done,
            "done-with-errors" => State::DoneWithErrors,
            "running" if self.moved_on(conn, attempt).await? => State::Running,
            _ => return Ok(false),
        };
        Ok(true)
    }

    /// True if the lost attempt stored the parts or finished its part.
    async fn moved_on(&self, conn: &mut Conn, attempt: &Attempt<'_>) -> RunResult<bool> {
        let before = attempt.current.map_or(-1, |current| current.done as i64);
        Ok(parts::done(conn, attempt.run).await?.is_some_and(|done| done > before))
    }

    async fn failed(&self, conn: &mut Conn, attempt: &Attempt<'_>, report: &Report, error: &RunError) {
        // The process that took the lease resumes a run that is cut.
        let resumed = attempt.current.is_some() && matches!(error, RunError::Fenced);
        if attempt.run == 0 || resumed {
            return;
        }
        let message = match attempt.current {
            Some(current) => format!("{}; {error}", current.applied()),
            None => error.to_string(),
        };
        let report = Report { state: State::Failed, ..report.clone() };
        if self.close(conn, attempt.order, &report, &message).await.is_err()
            && let Ok(mut fresh) = self.database.connect().await
        {
            // If this fails as well, the row stays "running" and the next run marks it as interrupted.
            drop(self.close(&mut fresh, attempt.order, &report, &message).await);
        }
    }

    /// Closes the row of a run whose changes were rolled back, and queues the mail about it.
    pub(super) async fn close(
        &self,
        conn: &mut Conn,
        order: &Order,
        report: &Report,
        message: &str,
    ) -> Result<(), DbError> {
        if !self.settings.smtp.enabled {
            return history::close(conn, report.run, report.state, report, message, false).await;
        }
        conn.begin().await?;
        let closing = async {
            history::close(conn, report.run, report.state, report, message, false).await?;
            self.mail(conn, order, report, message).await?;
            conn.commit().await
        };
        let outcome = closing.await;
        if outcome.is_err() {
            // The first error is more useful than one of the rollback.
            drop(conn.rollback().await);
        }
        outcome
    }
}
