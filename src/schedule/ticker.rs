//! The ticker: once a minute it wakes the worker, which checks what is due.
//! It must not know tasks; a tick carries no data, and ticks without a waiter become one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Each full minute; the scheduler's expressions begin with the second.
const EACH_MINUTE: &str = "0 * * * * *";
/// The longest time without a tick before the job is set up again.
const SILENCE: Duration = Duration::from_secs(90);

/// The ticker cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the scheduler cannot start: {0}")]
pub struct TickerError(#[from] JobSchedulerError);

/// A running ticker; it ticks until it is stopped.
///
/// The scheduler keeps its next tick as a moment of the wall clock: after a clock that was far ahead is corrected, it
/// would wait for that moment. So a silence by the monotonic clock is a tick as well, and the job is set up again.
pub struct Ticker {
    scheduler: JobScheduler,
    watch: JoinHandle<()>,
}

impl Ticker {
    /// Starts to tick; `ticks` keeps one tick until a task waits for it ([`Notify::notify_one`]).
    ///
    /// # Errors
    /// [`TickerError`].
    pub async fn start(ticks: Arc<Notify>) -> Result<Self, TickerError> {
        Self::at(EACH_MINUTE, SILENCE, ticks).await
    }

    async fn at(cron: &'static str, silence: Duration, ticks: Arc<Notify>) -> Result<Self, TickerError> {
        let mut scheduler = JobScheduler::new().await?;
        scheduler.init().await?;
        let heard = Arc::new(Notify::new());
        let mut job = scheduler.add(posting(cron, &heard)?).await?;
        scheduler.start().await?;
        let watched = scheduler.clone();
        let watch = tokio::spawn(async move {
            loop {
                let silent = tokio::time::timeout(silence, heard.notified()).await.is_err();
                ticks.notify_one();
                if !silent {
                    continue;
                }
                let anew = async {
                    watched.remove(&job).await?;
                    watched.add(posting(cron, &heard)?).await
                };
                match tokio::time::timeout(silence, anew).await {
                    Ok(Ok(fresh)) => job = fresh,
                    Ok(Err(error)) => tracing::warn!("the scheduler is silent and cannot be set up anew: {error}"),
                    Err(_) => tracing::warn!("the scheduler is silent and does not answer; ticks go on without it"),
                }
            }
        });
        Ok(Self { scheduler, watch })
    }

    /// Ends the ticker; a tick that was posted stays posted.
    ///
    /// # Errors
    /// [`TickerError`].
    pub async fn stop(mut self) -> Result<(), TickerError> {
        self.watch.abort();
        Ok(self.scheduler.shutdown().await?)
    }
}

/// The job only posts a tick, so that no two of its runs can overlap.
fn posting(cron: &str, heard: &Arc<Notify>) -> Result<Job, JobSchedulerError> {
    let heard = Arc::clone(heard);
    Job::new(cron, move |_, _| heard.notify_one())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for ticks, as the daemon does; a ticker that does not tick lets the test run into the runner's time limit.
    async fn ticks(cron: &'static str, silence: Duration) {
        let ticks = Arc::new(Notify::new());
        let ticker = Ticker::at(cron, silence, Arc::clone(&ticks)).await.unwrap();
        for _ in 0..2 {
            ticks.notified().await;
        }
        ticker.stop().await.unwrap();
    }

    #[tokio::test]
    async fn the_job_ticks_again_and_again() {
        ticks("* * * * * *", Duration::from_secs(3600)).await;
    }

    #[tokio::test]
    async fn a_silent_scheduler_is_a_tick_too() {
        ticks("0 0 0 29 2 *", Duration::from_millis(10)).await;
    }

    #[tokio::test]
    async fn the_real_one_starts_and_stops() {
        Ticker::start(Arc::new(Notify::new())).await.unwrap().stop().await.unwrap();
    }
}
