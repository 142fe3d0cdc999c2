//! Processes one file, from its claim to its outcome.
//! It must not interpret the file; a run applies it.

use std::collections::HashSet;
use std::time::Duration;

use super::{Next, Worker};
use crate::daemon::tasks::Tasks;
use crate::daemon::{is_of_all, may_be_its_own};
use crate::disk::{Dir, blocking};
use crate::fault;
use crate::front::Who;
use crate::inbox::{self, Claimed, FileOutcome, Job, Scanned};
use crate::outcome::{Note, Report, RunError};

/// The longest pause of a file that waits for the state directory.
const ROOM: Duration = Duration::from_secs(60);

impl Worker {
    /// The files to process now; logs the files that begin to wait for others.
    ///
    /// # Errors
    /// Reading was stopped: the program ends.
    pub(super) fn sort_out(&mut self, scanned: &Scanned) -> Result<Vec<Job>, String> {
        let claims: HashSet<&String> =
            scanned.ready.iter().filter_map(|found| found.working.as_ref()).map(|(_, token)| token).collect();
        self.unnamed.retain(|token, _| claims.contains(token));
        self.shared.status.state_of(|job| claims.iter().any(|claim| claim.as_str() == job) || Tasks::is_job(job));
        let (mut jobs, told) = self.sets.jobs(&self.settings, scanned).map_err(|error| error.to_string())?;
        for (name, why) in told {
            tracing::warn!(file.name = name, "{name} waits: {why}");
        }
        let mut waiting = HashSet::new();
        jobs.retain(|job| {
            let claimed = job.found.working.as_ref().is_some_and(|(_, token)| self.later.left(token).is_some());
            let is_put_off = claimed || self.later.left(&inbox::shown(&job.found.name)).is_some();
            match &job.source {
                Some(source) if is_put_off => drop(waiting.insert(source.clone())),
                Some(source) => return !waiting.contains(source),
                None => {}
            }
            !is_put_off
        });
        Ok(jobs)
    }

    /// Processes one file, from its claim to its outcome.
    pub(super) async fn file(&mut self, dir: &Dir, job: &Job) -> Next {
        let shown = inbox::shown(&job.found.name);
        match self.waits(dir, job).await {
            Ok(Some(why)) => return self.leave(&shown, &why),
            Err(error) if is_of_all(&error) => return Next::Pause(error.to_string()),
            // The run reports any other error.
            Ok(None) | Err(_) => {}
        }
        let claimed = match Claimed::take(dir, &job.found, job.source.is_some()) {
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
                return Next::Later;
            }
            Err(error) => {
                let reason = error.of_directory(self.inbox.dir());
                self.shared.status.inbox(Err(reason.clone()));
                return Next::Pause(reason);
            }
        };
        if self.later.left(&claimed.token).is_some() {
            return Next::Later;
        }
        let name = inbox::shown(&claimed.name);
        self.shared.working(format!("applying {name}"));
        match self.shared.front().apply(&Who::Daemon, &claimed, job.source.as_deref()).await {
            Ok(report) => {
                fault::step("run-ended");
                self.shared.status.state(&claimed.token, Ok(()));
                // A run whose file could not be renamed is counted and logged already.
                if self.unnamed.get(&claimed.token).is_none_or(|(run, _)| *run != report.run) {
                    self.log(&report);
                }
                self.feeds.changed |= job.source.is_some();
                self.end(&claimed, &report).await
            }
            Err(error) => self.failed(job, &claimed, &name, error).await,
        }
    }

    /// Why a set must stay unclaimed, so that it keeps its position.
    async fn waits(&self, dir: &Dir, job: &Job) -> Result<Option<RunError>, RunError> {
        match (&job.source, &job.found.working) {
            (Some(source), None) => self.shared.front().waits(source, dir, &job.found.name).await,
            _ => Ok(None),
        }
    }

    fn leave(&mut self, name: &str, why: &RunError) -> Next {
        let left = self.later.put_off(name);
        let message = format!("{name} waits: {why}; looking again in {} s", left.as_secs());
        tracing::warn!(file.name = name, "{message}");
        self.undone(message);
        Next::Later
    }

    async fn end(&mut self, claimed: &Claimed, report: &Report) -> Next {
        let Some(outcome) = FileOutcome::of(report.state) else {
            let waits = [Note::MethodDisabled, Note::SetsDisabled].iter().any(|note| report.notes.contains(note));
            let reason = if waits { "the enrolment method is not enabled in Moodle" } else { "the run was skipped" };
            if claimed.is_set {
                // Only the set waits, because flat files use another method.
                return self.give_back(claimed, &format!("waits: {reason}"));
            }
            return Next::Pause(match claimed.release() {
                Ok(_) => format!("{reason}: files wait"),
                Err(error) => error.to_string(),
            });
        };
        let written_to = match blocking(|| claimed.is_written_to(inbox::read_sha256(report))) {
            Ok(written_to) => written_to,
            // The program ends; the next start continues here.
            Err(_) => return Next::Go,
        };
        if written_to {
            let told = format!("it was written to after run {} had read it, and is read again whole", report.run);
            return self.written_to(claimed, &told);
        }
        match inbox::finish(&self.shared.database, &self.settings, claimed, report, outcome).await {
            Ok(_) => {
                self.unnamed.remove(&claimed.token);
                self.later.forget(&claimed.token);
                self.later.forget(&inbox::shown(&claimed.name));
            }
            Err(error) => {
                let left = self.later.put_off(&claimed.token);
                let reason = format!(
                    "run {} has ended, but its file keeps the name {}: {error}",
                    report.run,
                    claimed.path().display()
                );
                let told = self.unnamed.insert(claimed.token.clone(), (report.run, reason.clone()));
                if told.is_none_or(|(_, told)| told != reason) {
                    tracing::error!(run.id = report.run, "{reason}; trying again until it works");
                }
                self.undone(format!("{reason}; trying again in {} s", left.as_secs()));
            }
        }
        Next::Go
    }

    async fn failed(&mut self, job: &Job, claimed: &Claimed, name: &str, error: RunError) -> Next {
        self.shared.status.metrics().run_broke("import");
        if may_be_its_own(&error) && self.shared.front().answers().await {
            return self.refused(job, claimed, name, &error).await;
        }
        if is_of_all(&error) {
            return Next::Pause(error.to_string());
        }
        if let RunError::Stopped = error {
            return Next::Go;
        }
        if let RunError::Changed(_) = error {
            return self.written_to(claimed, "it was written to while it was read; nothing was applied");
        }
        if let RunError::SetWaits { .. } = error {
            return self.give_back(claimed, &format!("waits: {error}"));
        }
        let mut left = self.later.put_off(&claimed.token);
        if let RunError::State { .. } = error {
            // Somebody makes room for it, and nothing tells when.
            left = left.min(ROOM);
            self.later.put_off_for(&claimed.token, left);
            self.shared.status.state(&claimed.token, Err(error.to_string()));
        }
        let message =
            format!("{name} cannot be applied: {error}; nothing was applied, trying again in {} s", left.as_secs());
        tracing::error!(file.name = name, "{message}");
        self.undone(message);
        Next::Later
    }

    /// Handles a file that the database refuses while it answers otherwise: it is tried again, and given up after
    /// enough tries over enough time. The first loss of a connection may have any cause, so it pauses all jobs and
    /// keeps the order of files.
    async fn refused(&mut self, job: &Job, claimed: &Claimed, name: &str, error: &RunError) -> Next {
        let tries = self.later.tried(&claimed.token);
        let (most, over) = (self.settings.limits.tries, self.settings.limits.tries_over);
        if tries.are_enough(most, over) {
            return self.given_up(job, claimed, name, tries.times, error).await;
        }
        if tries.times == 1 && is_of_all(error) {
            return Next::Pause(error.to_string());
        }
        let left = tries.pause(most, over);
        self.later.put_off_for(&claimed.token, left);
        let message = format!(
            "{name} cannot be applied: {error}; nothing was applied, trying again in {} s (try {} of {most})",
            left.as_secs(),
            tries.times
        );
        tracing::error!(file.name = name, "{message}");
        self.undone(message);
        Next::Later
    }

    /// Ends the file as failed, so that later files and sets of its source no longer wait for it.
    async fn given_up(&mut self, job: &Job, claimed: &Claimed, name: &str, tries: u32, error: &RunError) -> Next {
        let (front, source) = (self.shared.front(), job.source.as_deref());
        match front.give_up(&Who::Daemon, claimed, source, tries, &error.to_string()).await {
            Ok(report) => {
                self.log(&report);
                self.feeds.changed |= job.source.is_some();
                self.end(claimed, &report).await
            }
            Err(error) if is_of_all(&error) => Next::Pause(error.to_string()),
            Err(error) => {
                let left = self.later.put_off(&claimed.token);
                let message = format!("{name} cannot be given up: {error}; trying again in {} s", left.as_secs());
                tracing::error!(file.name = name, "{message}");
                self.undone(message);
                Next::Later
            }
        }
    }

    /// Gives a file back whose writer was not done; it waits under its name until it is complete.
    fn written_to(&mut self, claimed: &Claimed, told: &str) -> Next {
        self.give_back(claimed, &format!("was not complete: {told}"))
    }

    /// Gives a file back that cannot be processed now: it gets its name again and is put off.
    fn give_back(&mut self, claimed: &Claimed, told: &str) -> Next {
        let name = inbox::shown(&claimed.name);
        let left = self.later.put_off(&name);
        let message = format!("{name} {told}; trying again in {} s", left.as_secs());
        tracing::warn!(file.name = name, "{message}");
        self.undone(message);
        match claimed.release() {
            Ok(kept) => {
                kept.map(|token| self.later.put_off(&token));
                Next::Later
            }
            Err(error) => Next::Pause(error.to_string()),
        }
    }
}
