//! The worker: decisions, due tasks, then the files of the drop directory, one job after the other.
//! It must not know how a file is applied or what systemd is told; it never gives up and never dies of a file.

mod unfinished;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::daemon::is_of_all;
use crate::daemon::later::Later;
use crate::daemon::shared::Shared;
use crate::daemon::tasks::Tasks;
use crate::inbox::{Claimed, Ending, Found, Inbox, Look, Marks, ReaderLock, Watch};
use crate::run::{Note, Report, RunError};
use crate::{fault, inbox};

/// The age at which a lock is told to the operator, seconds (spec files 1.1).
const OLD_LOCK: i64 = 3 * 3_600;

/// What the worker does after a job.
enum Next {
    /// The next one.
    Go,
    /// Nothing for a time: what failed would fail for every job.
    Pause(String),
}

/// The one who takes jobs in turn.
pub struct Worker {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    inbox: Inbox,
    marks: Marks,
    watch: Option<Watch>,
    /// There was a watch before.
    watched: bool,
    tasks: Tasks,
    later: Later,
    pause: Later,
    said: HashMap<&'static str, String>,
    undone: Option<String>,
    begun: bool,
    /// A run may have lost its connection.
    cut_off: bool,
}

/// The key under which the pause of the whole worker is kept.
const ALL: &str = "";

impl Worker {
    /// A worker that has done nothing yet.
    pub fn new(shared: Arc<Shared>) -> Self {
        let settings = shared.settings();
        let inbox = Inbox::new(&settings.inbox.path, settings.inbox.settle);
        let tasks = Tasks::new(Arc::clone(&shared));
        Self {
            shared,
            settings,
            inbox,
            marks: Marks::default(),
            watch: None,
            watched: false,
            tasks,
            later: Later::between(Duration::from_secs(5), Duration::from_secs(3_600)),
            pause: Later::between(Duration::from_secs(1), Duration::from_secs(30)),
            said: HashMap::new(),
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
                // A run that is under way is dropped: it could not commit, and its connection may be dead.
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

    /// Works until nothing is ready: one pass over the directory, with the time that its files need to settle. Gives what
    /// could not be done.
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

    /// Everything that is to do now; gives how long nothing will be.
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
        let look = self.look()?;
        let _lock = (!look.ready.is_empty()).then(|| ReaderLock::set(self.inbox.dir(), self.shared.clock.now()));
        for found in &look.ready {
            if self.shared.stop.is_cancelled() || !self.shared.leads() {
                break;
            }
            match self.file(found).await {
                Next::Go => {}
                Next::Pause(reason) => return Err(reason),
            }
            if self.shared.take_decisions() {
                self.decisions().await?;
            }
            self.tasks.run_due().await?;
        }
        if !look.ready.is_empty() {
            // What waits now is what this pass has left.
            self.look()?;
        }
        let next = [look.again, self.later.first(), Some(self.tasks.wait())];
        Ok(next.into_iter().flatten().min().unwrap_or(self.settings.inbox.rescan))
    }

    fn look(&mut self) -> Result<Look, String> {
        let look = self.inbox.look(&self.marks, self.shared.clock.now());
        self.shared.status.inbox(look.as_ref().map(|_| ()).map_err(ToString::to_string));
        let look = look.map_err(|error| error.of_directory(self.inbox.dir()))?;
        self.shared.status.waiting(look.waiting, look.oldest);
        match look.lock {
            Some((lock, age)) if look.waiting > 0 => {
                let old = if age > OLD_LOCK { ", which is old: is its writer gone? Remove it then" } else { "" };
                let text = format!("{lock} keeps {} file(s) waiting for {age} s{old}", look.waiting);
                self.say("lock", &format!("{lock}{old}"), &text);
            }
            Some(_) => {}
            None => drop(self.said.remove("lock")),
        }
        Ok(look)
    }

    /// One file, from its claim to its last name.
    async fn file(&mut self, found: &Found) -> Next {
        let shown = inbox::shown(&found.name);
        if self.later.left(&shown).is_some() {
            return Next::Go;
        }
        let claimed = match Claimed::take(self.inbox.dir(), found) {
            Ok(Some(claimed)) => claimed,
            Ok(None) => return Next::Go,
            Err(error) if error.is_of_one() => {
                let left = self.later.put_off(&shown);
                let message = format!(
                    "{error}: immutable, a mount, or somebody else's in a sticky directory; trying again in {} s",
                    left.as_secs()
                );
                tracing::error!(file.name = shown, "{message}");
                self.undone(message);
                return Next::Go;
            }
            Err(error) => {
                let reason = error.of_directory(self.inbox.dir());
                self.shared.status.inbox(Err(reason.clone()));
                return Next::Pause(reason);
            }
        };
        if self.later.left(&claimed.token).is_some() {
            return Next::Go;
        }
        let name = inbox::shown(&claimed.name);
        self.shared.working(format!("applying {name}"));
        match self.shared.engine().import(&claimed.import(), false).await {
            Ok(report) => {
                fault::step("run-ended");
                self.told(&report);
                self.end(&claimed, &report).await
            }
            Err(error) => self.failed(&claimed, &name, error),
        }
    }

    async fn end(&mut self, claimed: &Claimed, report: &Report) -> Next {
        let Some(ending) = Ending::of(report.state) else {
            let waits = report.notes.contains(&Note::MethodDisabled);
            let reason = if waits { "the enrolment method is not enabled in Moodle" } else { "the run was skipped" };
            return Next::Pause(match claimed.release() {
                Ok(_) => format!("{reason}: files wait"),
                Err(error) => error.to_string(),
            });
        };
        if claimed.is_written_to() {
            let told = format!("it was written to after run {} had read it, and is read again whole", report.run);
            return self.written_to(claimed, &told);
        }
        let settled = inbox::finish(&self.shared.database, &self.settings, claimed, report, ending).await.map(|_| ());
        match settled {
            Ok(()) => {
                self.later.forget(&claimed.token);
                self.later.forget(&inbox::shown(&claimed.name));
            }
            Err(error) => {
                let left = self.later.put_off(&claimed.token);
                let message = format!(
                    "run {} has ended, but its file keeps the name {}: {error}; trying again in {} s",
                    report.run,
                    claimed.path.display(),
                    left.as_secs()
                );
                tracing::error!(run.id = report.run, "{message}");
                self.undone(message);
            }
        }
        Next::Go
    }

    fn failed(&mut self, claimed: &Claimed, name: &str, error: RunError) -> Next {
        self.shared.status.metrics().run_broke("import");
        if is_of_all(&error) {
            return Next::Pause(error.to_string());
        }
        if let RunError::Changed(_) = error {
            return self.written_to(claimed, "it was written to while it was read; nothing was applied");
        }
        let left = self.later.put_off(&claimed.token);
        let message =
            format!("{name} cannot be applied: {error}; nothing was applied, trying again in {} s", left.as_secs());
        tracing::error!(file.name = name, "{message}");
        self.undone(message);
        Next::Go
    }

    /// A file whose writer was not done goes back to its name and waits until it is complete.
    fn written_to(&mut self, claimed: &Claimed, told: &str) -> Next {
        let name = inbox::shown(&claimed.name);
        // Whatever calls it complete was wrong: it is not taken again at once.
        let left = self.later.put_off(&name);
        let message = format!("{name} was not complete: {told}; trying again in {} s", left.as_secs());
        tracing::warn!(file.name = name, "{message}");
        self.undone(message);
        match claimed.release() {
            Ok(kept) => {
                kept.map(|token| self.later.put_off(&token));
                Next::Go
            }
            Err(error) => Next::Pause(error.to_string()),
        }
    }

    fn undone(&mut self, message: String) {
        self.shared.status.error(message.as_str());
        self.undone = Some(message);
    }

    /// One line in the log for each run, without names of people.
    fn told(&mut self, report: &Report) {
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

    /// Takes the settings in force; true if they are new.
    fn adopt_settings(&mut self) -> bool {
        let settings = self.shared.settings();
        if Arc::ptr_eq(&settings, &self.settings) {
            return false;
        }
        let (old, new) = (&self.settings.inbox, &settings.inbox);
        if (&old.path, old.settle) != (&new.path, new.settle) {
            self.inbox = Inbox::new(&new.path, new.settle);
            self.watch = None;
        }
        self.tasks.adopt();
        self.settings = settings;
        true
    }

    /// Watches the drop directory, anew when it was removed and made again.
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
                    "changes of the drop directory are not told by the system ({reason}); it is looked through every {} s",
                    self.settings.inbox.rescan.as_secs()
                ),
            ),
        }
    }

    /// Warns of a matter, once until it stands otherwise.
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
        self.shared.idle(&format!("watching {}", self.inbox.dir().display()));
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
