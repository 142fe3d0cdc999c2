//! The state that the parts of the daemon share: the settings in force, the wake-up of the worker, the role, the stop.
//! It must not do any work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Settings;
use crate::daemon::notify::Notify as Systemd;
use crate::daemon::progress::{Progress, Stage};
use crate::db::Database;
use crate::fault;
use crate::front::Front;
use crate::outcome::{Moment, Observer, Report};
use crate::web::{Role, Status};

/// Receives the report of each run: a command that shows it to the operator.
pub type Reporter = dyn Fn(&Report) + Send + Sync;

/// The state that the parts of the daemon share.
pub struct Shared {
    settings: RwLock<Arc<Settings>>,
    /// The site's database.
    pub database: Arc<Database>,
    /// The clock of runs and schedules.
    pub clock: Clock,
    /// How long a run waits for another one.
    pub wait: Duration,
    /// Wakes the worker: there may be work.
    pub wake: Arc<Notify>,
    /// Wakes the mailer: a run may have queued mails.
    pub mail: Arc<Notify>,
    /// Stops the daemon: no new job starts.
    pub stop: CancellationToken,
    /// Ends the reading of files, when a job does not finish in time on a stop.
    pub cut_off: CancellationToken,
    /// What the worker does, for the watchdog.
    pub progress: Progress,
    /// The connection to systemd.
    pub systemd: Systemd,
    /// The status that is served over HTTP.
    pub status: Arc<Status>,
    /// Receives the report of each run.
    pub reporter: Option<Box<Reporter>>,
    leads: watch::Sender<bool>,
    awaits: Mutex<String>,
    decisions: AtomicBool,
}

impl Shared {
    /// The state at the start of the daemon.
    pub fn new(
        settings: Arc<Settings>,
        database: Arc<Database>,
        clock: Clock,
        wait: Duration,
        reporter: Option<Box<Reporter>>,
    ) -> Self {
        let progress = Progress::new();
        let watched = progress.clone();
        let status = Status::new(move || {
            if watched.alive(STUCK) { Ok(()) } else { Err(format!("no progress while {}", watched.what())) }
        });
        Self {
            settings: RwLock::new(settings),
            database,
            clock,
            wait,
            wake: Arc::new(Notify::new()),
            mail: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
            cut_off: CancellationToken::new(),
            progress,
            systemd: Systemd::from_env(),
            status: Arc::new(status),
            reporter,
            leads: watch::Sender::new(false),
            awaits: Mutex::new("asking for the lead".to_owned()),
            decisions: AtomicBool::new(false),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts new settings in force, from the next job on.
    pub fn adopt(&self, settings: Arc<Settings>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        self.wake.notify_one();
    }

    /// True while this daemon holds the leader lease.
    pub fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    /// Waits until this daemon does not hold the leader lease (any more).
    pub async fn not_leading(&self) {
        // The sender lives as long as `self`.
        drop(self.leads.subscribe().wait_for(|leads| !leads).await);
    }

    /// Records that the lease was taken, lost or released.
    pub fn set_leads(&self, leads: bool) {
        if self.leads.send_replace(leads) != leads {
            self.wake.notify_one();
            self.mail.notify_one();
        }
    }

    /// What a daemon that does not lead waits for; the worker reports it.
    pub fn awaits(&self) -> String {
        self.awaits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what this daemon waits for while it does not lead.
    pub fn set_awaits(&self, what: String) {
        let mut awaits = self.awaits.lock().unwrap_or_else(PoisonError::into_inner);
        if *awaits != what {
            *awaits = what;
            self.wake.notify_one();
        }
    }

    /// Records that there are decisions on held runs, and wakes the worker.
    pub fn decisions_wait(&self) {
        self.decisions.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// True once after [`Shared::decisions_wait`].
    pub fn take_decisions(&self) -> bool {
        self.decisions.swap(false, Ordering::SeqCst)
    }

    /// Reports what the daemon does now: to systemd's status line, the health page, the watchdog.
    pub fn working(&self, what: String) {
        self.systemd.status(&what);
        self.status.doing(what.clone());
        self.progress.working(what);
    }

    /// Reports that the worker waits, and for what.
    pub fn idle(&self, what: &str) {
        self.systemd.status(what);
        self.status.doing(what);
        self.progress.idle();
    }

    /// Sets the role for the health page and the metrics.
    pub fn role(&self, role: Role) {
        self.status.role(role);
    }

    /// The front under the settings in force; its runs feed the watchdog.
    pub fn front(&self) -> Front {
        let (progress, mail) = (self.progress.clone(), Arc::clone(&self.mail));
        let observer = Observer::new(move |moment| {
            progress.step();
            if let Some(stage) = stage_of(moment) {
                progress.reached(stage);
            }
            if moment == Moment::Ended {
                mail.notify_one();
            }
            step(moment);
            std::future::ready(())
        });
        let (database, stop) = (Arc::clone(&self.database), self.cut_off.clone());
        Front::new(database, self.settings(), self.clock, self.wait, observer, stop)
    }
}

/// The time without a step after which a worker is stuck: longer than any statement of a large file.
const STUCK: Duration = Duration::from_secs(600);

/// How far a transaction is at a moment of its run; `None` if that does not change there.
fn stage_of(moment: Moment) -> Option<Stage> {
    match moment {
        Moment::Read { .. } | Moment::Staged | Moment::Planned { .. } => Some(Stage::Open),
        Moment::Committing => Some(Stage::Committing),
        Moment::PartCommitted { .. } => Some(Stage::InParts),
        Moment::Committed => Some(Stage::Committed),
        Moment::Hashing
        | Moment::Applying { .. }
        | Moment::Applied
        | Moment::Effects { .. }
        | Moment::Spooled
        | Moment::Ended => None,
    }
}

fn step(moment: Moment) {
    match moment {
        Moment::Read { .. } | Moment::Hashing | Moment::Applying { .. } | Moment::Ended => {}
        Moment::Staged => fault::step("staged"),
        Moment::Planned { .. } => fault::step("planned"),
        Moment::Applied => fault::step("applied"),
        Moment::Committing => fault::step("committing"),
        Moment::PartCommitted { .. } => fault::step("part-committed"),
        Moment::Committed => fault::step("committed"),
        Moment::Effects { .. } => fault::step("effects"),
        Moment::Spooled => fault::step("spooled"),
    }
}
