//! The life cycle of the daemon: start, ready, reload and stop of the worker and of all that wakes it or reports on it.
//! It must not do a job itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{ConfigProblems, LogLevel, Settings};
use crate::daemon::progress::{Stage, watchdog};
use crate::daemon::shared::{Reporter, Shared};
use crate::daemon::signals::{Signal, Signals};
use crate::daemon::worker::Worker;
use crate::daemon::{leader, mailer};
use crate::db::{Database, DbError};
use crate::front::check_texts;
use crate::outcome::RunError;
use crate::schedule::ticker::{Ticker, TickerError};
use crate::web::{Serving, WebError, serve};

/// The time that the current job has to end on a stop; then it is rolled back.
const PATIENCE: Duration = Duration::from_secs(7);
/// The time for ending a mail, and for releasing the lease.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the daemon does not start, or ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The database answers and is not ready for enrold.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The health page cannot be opened.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The scheduler cannot start.
    #[error(transparent)]
    Ticker(#[from] TickerError),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// Another daemon leads, so that one pass is refused.
    #[error("another daemon leads this database ({0}): it does the work; stop it, or let it work")]
    Led(String),
    /// One pass could not do everything.
    #[error("{0}")]
    Undone(String),
    /// The worker ended: a defect.
    #[error("the worker ended by itself: {0}")]
    Worker(String),
}

/// The inputs of a daemon.
pub struct Daemon {
    /// The settings at the start.
    pub settings: Arc<Settings>,
    /// The site's database.
    pub database: Arc<Database>,
    /// The clock of runs and schedules.
    pub clock: Clock,
    /// How long a run waits for another one.
    pub wait: Duration,
    /// Reads the configuration again, on SIGHUP.
    pub reload: Box<dyn Fn() -> Result<Settings, ConfigProblems> + Send + Sync>,
    /// Sets the level of the log.
    pub log_level: Box<dyn Fn(LogLevel) + Send + Sync>,
    /// Receives the report of each run.
    pub reporter: Option<Box<Reporter>>,
}

impl Daemon {
    /// Works until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// What prevents the start: a port in use, a database without enrold's tables. A database that does not answer is
    /// waited for.
    pub async fn run(self) -> Result<(), DaemonError> {
        let mut signals = Signals::listen()?;
        let (shared, reload, log_level) = self.share();
        let mut reloads = false;
        let page = tokio::select! {
            opened = start(&shared) => opened?,
            () = told_to_stop(&mut signals, &mut reloads) => return Ok(()),
        };
        if reloads {
            reloaded(&shared, &reload, &log_level);
        }
        let ticker = Ticker::start(Arc::clone(&shared.wake)).await?;
        let leading = tokio::spawn(leader::keep(Arc::clone(&shared)));
        let mut worker = tokio::spawn(Worker::new(Arc::clone(&shared)).run());
        let mailing = tokio::spawn(mailer::keep(Arc::clone(&shared)));
        let fed = feed_watchdog(&shared);
        shared.systemd.ready();
        tracing::info!("enrold {} watches {}", env!("CARGO_PKG_VERSION"), shared.settings().inbox.path.display());
        let ended = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break None,
                    Signal::Reload => reloaded(&shared, &reload, &log_level),
                },
                ended = &mut worker => break Some(ended),
            }
        };
        shared.systemd.stopping();
        shared.stop.cancel();
        let outcome = match ended {
            Some(ended) => Err(DaemonError::Worker(ended.err().map(|error| error.to_string()).unwrap_or_default())),
            None => {
                finish(&shared, worker).await;
                Ok(())
            }
        };
        // A heartbeat that is under way would take the lease again.
        leading.abort();
        drop(leading.await);
        end_mailing(mailing).await;
        drop(tokio::time::timeout(FAREWELL, leader::give_back(&shared)).await);
        if let Some(fed) = fed {
            fed.abort();
        }
        // An error of the scheduler does not matter: the process ends.
        drop(ticker.stop().await);
        if let Some(page) = page {
            page.stopped().await;
        }
        tracing::info!("enrold has stopped");
        outcome
    }

    /// One pass over the drop directory and all due tasks.
    ///
    /// # Errors
    /// As [`Daemon::run`], and [`DaemonError::Led`].
    pub async fn once(self) -> Result<(), DaemonError> {
        let mut signals = Signals::listen()?;
        let (shared, _, _) = self.share();
        let lease = leader::take_once(&shared).await?;
        let mut worker = tokio::spawn(Worker::new(Arc::clone(&shared)).once());
        let ended = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break None,
                    Signal::Reload => {}
                },
                ended = &mut worker => break Some(ended),
            }
        };
        if let Some(Ok(_)) = &ended {
            mailer::once(&shared).await;
        }
        shared.stop.cancel();
        let outcome = match ended {
            Some(Err(error)) => Err(DaemonError::Worker(error.to_string())),
            Some(Ok(None)) => Ok(()),
            Some(Ok(Some(undone))) => Err(DaemonError::Undone(undone)),
            None => {
                finish(&shared, worker).await;
                Ok(())
            }
        };
        drop(lease);
        drop(tokio::time::timeout(FAREWELL, leader::give_back(&shared)).await);
        outcome
    }

    #[allow(clippy::type_complexity)]
    fn share(
        self,
    ) -> (
        Arc<Shared>,
        Box<dyn Fn() -> Result<Settings, ConfigProblems> + Send + Sync>,
        Box<dyn Fn(LogLevel) + Send + Sync>,
    ) {
        let shared = Shared::new(self.settings, self.database, self.clock, self.wait, self.reporter);
        (Arc::new(shared), self.reload, self.log_level)
    }
}

/// Waits for the current mail; one that is cut off is sent again after the next start.
async fn end_mailing(mut mailing: JoinHandle<()>) {
    if tokio::time::timeout(FAREWELL, &mut mailing).await.is_err() {
        mailing.abort();
        drop(mailing.await);
    }
}

async fn start(shared: &Shared) -> Result<Option<Serving>, DaemonError> {
    check_database(shared).await?;
    Ok(open_page(shared).await?)
}

/// Waits for a stop and records a reload: a database that does not answer makes the start long, and the configuration
/// was read before it.
async fn told_to_stop(signals: &mut Signals, reloads: &mut bool) {
    while signals.next().await != Signal::Stop {
        *reloads = true;
    }
}

/// Requires a database that answers to be ready; one that does not answer is waited for later.
async fn check_database(shared: &Shared) -> Result<(), RunError> {
    match shared.front().ready().await {
        Err(RunError::Db(error @ (DbError::Connect(_) | DbError::Lost(_) | DbError::Transient { .. }))) => {
            tracing::error!("{error}; trying again until it answers");
            shared.status.database(Err(error.to_string()));
            Ok(())
        }
        other => other,
    }
}

async fn open_page(shared: &Shared) -> Result<Option<Serving>, WebError> {
    match &shared.settings().http.listen {
        Some(listen) => Ok(Some(serve(listen, Arc::clone(&shared.status), shared.stop.clone()).await?)),
        None => Ok(None),
    }
}

fn feed_watchdog(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let interval = shared.systemd.watchdog_interval()?;
    let database = Arc::clone(&shared.database);
    let feed = watchdog(
        shared.systemd.clone(),
        shared.progress.clone(),
        interval,
        move || database.statements(),
        shared.stop.clone(),
    );
    Some(tokio::spawn(feed))
}

/// Reads the configuration again. An invalid one changes nothing; settings that apply at the start need a restart.
fn reloaded(
    shared: &Shared,
    reload: &(dyn Fn() -> Result<Settings, ConfigProblems> + Send + Sync),
    log_level: &(dyn Fn(LogLevel) + Send + Sync),
) {
    shared.systemd.reloading();
    let read = reload().map_err(|problems| problems.to_string());
    match read.and_then(|settings| check_texts(&settings).map(|()| settings)) {
        Ok(mut settings) => {
            let kept = keep_fixed(&shared.settings(), &mut settings);
            if !kept.is_empty() {
                tracing::warn!("{} changed: this needs a restart, the old value stays", kept.join(", "));
            }
            log_level(settings.log.level);
            shared.adopt(Arc::new(settings));
            tracing::info!("the configuration is read anew");
        }
        Err(problems) => {
            tracing::error!("the configuration is not read anew, the old one stays in force: {problems}");
            shared.status.error(format!("the configuration was not read anew: {problems}"));
        }
    }
    shared.systemd.ready();
}

/// Keeps the settings that only a start can change; returns the keys of those that were changed.
fn keep_fixed(old: &Settings, new: &mut Settings) -> Vec<&'static str> {
    use secrecy::ExposeSecret;
    let url = |settings: &Settings| settings.database.url.expose_secret().to_owned();
    let changed = [
        ("database.url", url(old) != url(new)),
        ("database.prefix", old.database.prefix != new.database.prefix),
        ("database.connect_timeout", old.database.connect_timeout != new.database.connect_timeout),
        ("run.lock_timeout", old.run.lock_timeout != new.run.lock_timeout),
        ("http.listen", old.http != new.http),
        ("log.format", old.log.format != new.log.format),
    ];
    new.database = old.database.clone();
    new.run.lock_timeout = old.run.lock_timeout;
    new.http = old.http.clone();
    new.log.format = old.log.format;
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Lets the current job end; one that takes too long is dropped, and what it has not committed is rolled back.
async fn finish<T>(shared: &Shared, mut worker: JoinHandle<T>) {
    let what = shared.progress.what();
    if tokio::time::timeout(PATIENCE, &mut worker).await.is_ok() {
        return;
    }
    // A blocking read cannot be aborted: `cut_off` ends it at its next read.
    shared.cut_off.cancel();
    worker.abort();
    if worker.await.is_ok() {
        // It ended at the same moment.
        return;
    }
    tracing::warn!("{what} takes too long: {}", cut_short(shared.progress.stage()));
}

/// What becomes of a job that is dropped.
fn cut_short(stage: Stage) -> &'static str {
    match stage {
        Stage::Open => "it is rolled back, the next start does it again",
        Stage::Committing => "it is cut off during its commit, the next start finds out whether it is committed",
        Stage::Committed => "it is committed, the next start does what is left of it",
        Stage::InParts => {
            "the part under way is rolled back, the parts before it are committed, the next start goes on there"
        }
    }
}
