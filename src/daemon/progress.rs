//! Tracks what the worker does and whether it makes progress; the service manager's watchdog is fed only while it does.
//! It must not know the work itself: the worker reports each step.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::StopWatch;
use crate::daemon::notify::Notify;

/// How far the transaction of the current work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of it is committed.
    Open,
    /// Its commit is under way.
    Committing,
    /// It is committed; what follows it may not be written yet.
    Committed,
    /// Earlier parts of it are committed.
    InParts,
}

/// The progress of the worker, shared by all clones.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    watch: StopWatch,
    /// The last step, in milliseconds of `watch`.
    stepped: AtomicU64,
    idle: AtomicBool,
    what: Mutex<String>,
    stage: Mutex<Stage>,
}

impl Progress {
    /// A worker that has nothing to do yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            watch: StopWatch::start(),
            stepped: AtomicU64::new(0),
            idle: AtomicBool::new(true),
            what: Mutex::default(),
            stage: Mutex::new(Stage::Open),
        }))
    }

    /// Marks the worker as waiting for work.
    pub fn idle(&self) {
        self.0.idle.store(true, Ordering::SeqCst);
        self.text().clear();
    }

    /// Marks the worker as busy; `what` is shown in the service manager's status.
    pub fn working(&self, what: String) {
        // The step comes first: a busy worker must not be seen with the step of earlier work.
        self.step();
        self.0.idle.store(false, Ordering::SeqCst);
        *self.text() = what;
        *self.stage_now() = Stage::Open;
    }

    /// Records how far the transaction of the work is. Committed parts stay committed while the next one is open.
    pub fn reached(&self, stage: Stage) {
        let mut now = self.stage_now();
        if (*now, stage) != (Stage::InParts, Stage::Open) {
            *now = stage;
        }
    }

    /// How far the transaction of the current work is.
    pub fn stage(&self) -> Stage {
        *self.stage_now()
    }

    fn stage_now(&self) -> MutexGuard<'_, Stage> {
        self.0.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a step. The worker must also call this at each try while it waits for an unreachable database.
    pub fn step(&self) {
        self.0.stepped.store(self.0.watch.millis(), Ordering::SeqCst);
    }

    /// Whether the worker is idle, or took its last step less than `within` ago by the monotonic clock.
    pub fn alive(&self, within: Duration) -> bool {
        self.alive_at(self.0.watch.millis(), within)
    }

    fn alive_at(&self, now: u64, within: Duration) -> bool {
        let since = now.saturating_sub(self.0.stepped.load(Ordering::SeqCst));
        self.0.idle.load(Ordering::SeqCst) || u128::from(since) < within.as_millis()
    }

    /// What the worker does now; empty while it is idle.
    pub fn what(&self) -> String {
        self.text().clone()
    }

    fn text(&self) -> MutexGuard<'_, String> {
        // The text is valid even if a thread panicked while it held the lock.
        self.0.what.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Feeds the service manager's watchdog until `cancel`: a ping at once and then every half `interval`, each only if the
/// worker is alive within `interval`. `steps` counts work, such as the statements sent to the database; a change of it
/// is a step. A worker without progress is killed after one to two intervals.
pub async fn watchdog(
    notify: Notify,
    progress: Progress,
    interval: Duration,
    steps: impl Fn() -> u64,
    cancel: CancellationToken,
) {
    let mut ticks = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pulse = Pulse { notify, progress, interval, seen: steps(), steps };
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => pulse.beat(),
        }
    }
}

/// The state of the watchdog between two ticks.
struct Pulse<F> {
    notify: Notify,
    progress: Progress,
    interval: Duration,
    seen: u64,
    steps: F,
}

impl<F: Fn() -> u64> Pulse<F> {
    fn beat(&mut self) {
        let steps = (self.steps)();
        if steps != self.seen {
            self.seen = steps;
            self.progress.step();
        }
        if self.progress.alive(self.interval) {
            self.notify.ping();
        } else {
            tracing::error!(
                "no progress for {} s while {:?}: the watchdog is not fed any more",
                self.interval.as_secs(),
                self.progress.what()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn listening() -> (tempfile::TempDir, UnixDatagram, Notify) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let notify = Notify::new(Some(path.as_os_str()), None);
        (dir, socket, notify)
    }

    fn pings(socket: &UnixDatagram) -> usize {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
    }

    #[test]
    fn an_idle_worker_is_alive_for_ever() {
        let progress = Progress::new();
        assert!(progress.alive(Duration::ZERO));
        assert!(progress.alive_at(u64::MAX, HOUR));
        assert_eq!(progress.what(), "");
    }

    #[test]
    fn a_busy_worker_is_alive_for_a_time_after_its_last_step() {
        let progress = Progress::new();
        progress.working("applying enrols.csv".to_owned());
        assert_eq!(progress.what(), "applying enrols.csv");
        progress.0.stepped.store(1000, Ordering::SeqCst);
        assert!(progress.alive_at(1000, HOUR));
        assert!(progress.alive_at(1000 + 3_599_999, HOUR));
        assert!(!progress.alive_at(1000 + 3_600_000, HOUR));
        progress.0.stepped.store(5000, Ordering::SeqCst);
        assert!(progress.alive_at(1000 + 3_600_000, HOUR));
        progress.idle();
        assert!(progress.alive_at(u64::MAX, HOUR));
        assert_eq!(progress.what(), "");
    }

    #[test]
    fn a_worker_that_stands_still_is_not_vouched_for() {
        let (_dir, socket, notify) = listening();
        let progress = Progress::new();
        let steps = AtomicU64::new(7);
        let mut pulse = Pulse {
            notify,
            progress: progress.clone(),
            interval: HOUR,
            seen: 7,
            steps: || steps.load(Ordering::Relaxed),
        };
        pulse.beat();
        assert_eq!(pings(&socket), 1, "idle");
        progress.working("applying".to_owned());
        pulse.beat();
        assert_eq!(pings(&socket), 1, "just begun");
        pulse.interval = Duration::ZERO;
        pulse.beat();
        assert_eq!(pings(&socket), 0, "no step within no time at all");
        progress.idle();
        pulse.beat();
        assert_eq!(pings(&socket), 1, "idle again");
    }

    #[test]
    fn a_counter_that_moves_is_a_step() {
        let (_dir, _socket, notify) = listening();
        let progress = Progress::new();
        progress.working("applying".to_owned());
        let mut pulse = Pulse { notify, progress: progress.clone(), interval: HOUR, seen: 0, steps: || 1 };
        progress.0.stepped.store(u64::MAX, Ordering::SeqCst);
        pulse.beat();
        assert_ne!(progress.0.stepped.load(Ordering::SeqCst), u64::MAX, "the counter went from 0 to 1");
        progress.0.stepped.store(u64::MAX, Ordering::SeqCst);
        pulse.beat();
        assert_eq!(progress.0.stepped.load(Ordering::SeqCst), u64::MAX, "the counter stood still");
    }

    #[tokio::test]
    async fn the_watchdog_pings_until_it_is_cancelled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(Some(path.as_os_str()), None);
        let cancel = CancellationToken::new();
        let interval = Duration::from_millis(20);
        let task = tokio::spawn(watchdog(notify, Progress::new(), interval, || 0, cancel.clone()));
        let mut buffer = [0; 64];
        for _ in 0..3 {
            let length = socket.recv(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..length], b"WATCHDOG=1\n");
        }
        cancel.cancel();
        task.await.unwrap();
    }
}
