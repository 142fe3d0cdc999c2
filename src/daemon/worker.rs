//! The worker: handles decisions, due tasks, then the files of the drop directory, one job after the other.
//! It must not know how a file is applied or what systemd is told, and must not give up or stop because of a file.

mod feeds;
mod file;
mod unfinished;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::daemon::later::Later;
use crate::daemon::shared::Shared;
use crate::daemon::tasks::Tasks;
use crate::daemon::worker::feeds::Feeds;
use crate::disk::blocking;
use crate::inbox::{Inbox, Marks, ReaderLock, Scanned, Sets, Watch};
use crate::outcome::{Note, Report};
use crate::web::OLD_LOCK;

/// What the worker does after a job.
enum Next {
    /// Continue with the next job.
    Go,
    /// The job is put off; later jobs of the same source wait behind it.
    Later,
    /// Pause all jobs, because each would fail for the same reason.
    Pause(String),
}

/// Executes jobs one after the other.
pub struct Worker {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    inbox: Inbox,
    sets: Sets,
    feeds: Feeds,
    marks: Marks,
    watch: Option<Watch>,
    /// True if there was a watch before.
    watched: bool,
    tasks: Tasks,
    later: Later,
    pause: Later,
    said: HashMap<&'static str, String>,
    /// The runs whose file keeps its working name, by the token of the file, with the reason as it was logged.
    unnamed: HashMap<String, (i64, String)>,
    undone: Option<String>,
    begun: bool,
    /// True if a run may have lost its connection.
    cut_off: bool,
}

/// The key of the pause of the whole worker.
const ALL: &str = "";

impl Worker {
    /// A worker that has done nothing yet.
    pub fn new(shared: Arc<Shared>) -> Self {
        let settings = shared.settings();
        let inbox = Inbox::new(&settings, &shared.cut_off);
        let tasks = Tasks::new(Arc::clone(&shared));
        let now = shared.clock.now();
        Self {
            shared,
            settings,
            inbox,
            sets: Sets::default(),
            feeds: Feeds::new(now),
            marks: Marks::default(),
            watch: None,
            watched: false,
            tasks,
            later: Later::between(Duration::from_secs(5), Duration::from_secs(3_600)),
            pause: Later::between(Duration::from_secs(1), Duration::from_secs(30)),
            said: HashMap::new(),
            unnamed: HashMap::new(),
            undone: None,
            begun: false,
            cut_off: false,
        }
    }

    /// Works until the daemon stops.
    pub async fn run(mut self) {
        while !self.shared.stop.is_cancelled() {
            let shared = Arc::clone(&self.shared);
            let wait = tokio::select! {
                biased;
                // The current run is dropped: it could not commit, and its connection may be dead.
                () = shared.not_leading() => {
                    self.begun = false;
                    self.shared.idle(&self.shared.awaits());
                    Duration::from_secs(60)
                }
                wait = self.pass() => wait,
            };
            let wake = Arc::clone(&self.shared.wake);
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Works until no file is ready: one pass over the directory, with the time that its files need to settle. Returns
    /// what could not be done.
    pub async fn once(mut self) -> Option<String> {
        loop {
            let wait = self.pass().await;
            let settling = wait <= self.settings.inbox.settle && self.inbox.is_settling();
            if self.shared.stop.is_cancelled() || !settling {
                return self.undone;
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that is due now; returns how long nothing will be due.
    async fn pass(&mut self) -> Duration {
        let anew = self.adopt_settings();
        if let Some(left) = self.pause.left(ALL).filter(|_| !anew) {
            return left;
        }
        self.keep_watch();
        match self.jobs().await {
            Ok(wait) => {
                if self.pause.forget(ALL) {
                    tracing::info!("it works again");
                    self.undone = None;
                    self.said.remove("blocked");
                }
                self.say_idle();
                wait
            }
            Err(reason) => {
                let left = self.pause.put_off(ALL);
                self.blocked(&reason, left);
                left
            }
        }
    }

    async fn jobs(&mut self) -> Result<Duration, String> {
        if !self.begun {
            self.begin().await?;
            self.begun = true;
        }
        if self.cut_off {
            self.pick_up().await?;
        }
        if self.shared.take_decisions() {
            self.decisions().await?;
        }
        self.tasks.run_due().await?;
        let scanned = self.scan()?;
        let jobs = blocking(|| self.sort_out(&scanned))?;
        let _lock = (!jobs.is_empty()).then(|| ReaderLock::set(&scanned.dir, self.shared.clock.now()));
        let mut waiting: HashSet<&str> = HashSet::new();
        for job in &jobs {
            if job.source.as_deref().is_some_and(|source| waiting.contains(source)) {
                continue;
            }
            if self.shared.stop.is_cancelled() || !self.shared.leads() {
                break;
            }
            match self.file(&scanned.dir, job).await {
                Next::Go => {}
                Next::Later => waiting.extend(job.source.as_deref()),
                Next::Pause(reason) => return Err(reason),
            }
            if self.shared.take_decisions() {
                self.decisions().await?;
            }
            self.tasks.run_due().await?;
        }
        self.check_feeds().await?;
        if !jobs.is_empty() {
            // Updates the status with the files that this pass has left.
            self.scan()?;
        }
        let next = [scanned.again, self.later.first(), Some(self.tasks.wait())];
        Ok(next.into_iter().flatten().min().unwrap_or(self.settings.inbox.rescan))
    }

    fn scan(&mut self) -> Result<Scanned, String> {
        let scanned = self.inbox.scan(&self.marks, self.shared.clock.now());
        self.shared.status.inbox(scanned.as_ref().map(|_| ()).map_err(ToString::to_string));
        let scanned = scanned.map_err(|error| error.of_directory(self.inbox.dir()))?;
        self.shared.status.waiting(scanned.waiting, scanned.oldest);
        self.shared.status.lock(scanned.lock);
        match scanned.lock {
            Some((lock, age)) if scanned.waiting > 0 => {
                let old = if age > OLD_LOCK { ", which is old: is its writer gone? Remove it then" } else { "" };
                let text = format!("{lock} keeps {} file(s) waiting for {age} s{old}", scanned.waiting);
                self.say("lock", &format!("{lock}{old}"), &text);
            }
            Some(_) => {}
            None => drop(self.said.remove("lock")),
        }
        Ok(scanned)
    }

    fn undone(&mut self, message: String) {
        self.shared.status.error(message.as_str());
        self.undone = Some(message);
    }

    /// Logs one line per run, without names of users.
    fn log(&mut self, report: &Report) {
        for note in &report.notes {
            if let Note::EffectsPending(reason) = note {
                tracing::warn!(run.id = report.run, "what follows run {} is not all written yet: {reason}", report.run);
                self.cut_off = true;
            }
        }
        self.shared.status.metrics().run_ended(report);
        crate::daemon::log_run(report);
        if let Some(reporter) = &self.shared.reporter {
            reporter(report);
        }
    }

    /// Adopts the settings in force; true if they are new.
    fn adopt_settings(&mut self) -> bool {
        let settings = self.shared.settings();
        if Arc::ptr_eq(&settings, &self.settings) {
            return false;
        }
        let (old, new) = (&self.settings.inbox, &settings.inbox);
        let limits = (self.settings.limits.file_mib, settings.limits.file_mib);
        if (&old.path, old.settle, limits.0) != (&new.path, new.settle, limits.1) {
            self.inbox = Inbox::new(&settings, &self.shared.cut_off);
            self.watch = None;
        }
        self.tasks.adopt();
        // A task that is off now would never report again; the others do at their next run.
        self.shared.status.state_of(|job| !Tasks::is_job(job));
        self.feeds.adopt();
        self.settings = settings;
        true
    }

    /// Watches the drop directory, again after it was removed and recreated.
    fn keep_watch(&mut self) {
        if self.watch.as_ref().is_some_and(Watch::is_alive) {
            return;
        }
        self.watch = None;
        match Watch::start(self.inbox.dir(), &self.marks, &self.shared.wake) {
            Ok(watch) => {
                let again = if std::mem::replace(&mut self.watched, true) { " again" } else { "" };
                tracing::info!("{} is watched{again}", self.inbox.dir().display());
                self.said.remove("watch");
                self.watch = Some(watch);
            }
            Err(reason) => self.say(
                "watch",
                &reason,
                &format!(
                    "changes of the drop directory are not told by the system ({reason}); it is looked through every \
                     {} s",
                    self.settings.inbox.rescan.as_secs()
                ),
            ),
        }
    }

    /// Logs a warning about a matter, once until its state `stands` changes.
    fn say(&mut self, matter: &'static str, stands: &str, text: &str) {
        if self.said.get(matter).is_none_or(|said| said != stands) {
            tracing::warn!("{text}");
            self.said.insert(matter, stands.to_owned());
        }
    }

    fn blocked(&mut self, reason: &str, left: Duration) {
        if self.said.get("blocked").is_none_or(|said| said != reason) {
            tracing::error!("{reason}; nothing is lost, trying again until it works");
            self.said.insert("blocked", reason.to_owned());
        }
        self.cut_off = true;
        self.undone(reason.to_owned());
        self.shared.idle(&format!("waiting {} s: {reason}", left.as_secs()));
    }

    fn say_idle(&mut self) {
        let dir = self.inbox.dir().display();
        self.shared.idle(&match self.shared.status.state_problem() {
            Some(why) => format!("watching {dir}; waiting for the state directory: {why}"),
            None => format!("watching {dir}"),
        });
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
