//! Fetches the set of a source from its second database, or reads it from named or dropped files, and orders its run.
//! It must not apply a set itself or know schedules; a source that fails is a failed run that changed nothing.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::config::{SetFormat, Source};
use crate::db::Conn;
use crate::disk::{Dir, blocking, is_stopped};
use crate::files::{FileProblem, TableForm};
use crate::moodle::site::Site;
use crate::outcome::{Claim, Report, RunError};
use crate::problem::{Code, Problem};
use crate::run::{Dropped, Engine, history, require_ready};
use crate::sets::oneroster_base::BaseState;
use crate::sets::{Readiness, SetOrder, readiness};
use crate::source::bundle::{self, MANIFEST, Part, Sealed, Sent, Verdict};
use crate::source::{self, Destination, SetError, Snapshot, TakeError, Taken};

/// How often a set is prepared again because another run changed its base.
const TRIES: u32 = 3;

/// A set that came through the drop directory: one file, or the manifest of several.
#[derive(Clone, Debug)]
pub struct DroppedSet {
    /// The drop directory.
    pub dir: Dir,
    /// The name under which it was dropped; its seal and the files that it names are in the same directory.
    pub left: OsString,
    /// The drop and its open file.
    pub dropped: Dropped,
}

impl DroppedSet {
    /// Fails if the bytes of its file, which was read in several passes, have changed since the claim.
    fn is_still(&self, claim: &Claim) -> Result<(), RunError> {
        let Ok(file) = &self.dropped.file else { return Ok(()) };
        let verified = blocking(|| file.verify(&claim.sha256));
        verified.map_err(|error| FileProblem::Io(error).ends_run(&self.dropped.shown))
    }
}

/// Where the files of a set come from.
enum Given<'a> {
    Named(&'a [&'a Path]),
    Dropped(&'a DroppedSet),
}

impl Engine {
    /// Fetches the set of a source from its second database and applies it.
    ///
    /// # Errors
    /// [`RunError::NoSuchSource`], else as [`Engine::import`]; a database that cannot be read is a failed run.
    pub async fn sync_source(&self, name: &str, simulate: bool) -> Result<Report, RunError> {
        let source = self.source(name).await?;
        let state = &self.settings.state.path;
        let now = self.clock.now();
        let fetched = match &source {
            Err(problem) => Err(problem.clone()),
            Ok(source) if source.url.is_none() => {
                Err("its sets are files: drop them, or name them with 'enrold import --source'".to_owned())
            }
            Ok(source) => fetch(name, source, state, now).await,
        };
        let order = match fetched {
            Ok((snapshot, courses)) => SetOrder {
                snapshot: snapshot.path,
                courses: courses.map(|courses| courses.path),
                skipped_setup: snapshot.skipped_setup,
                ..SetOrder::of(name)
            },
            Err(reason) => SetOrder { refused: Some(refused(name, reason)), ..SetOrder::of(name) },
        };
        self.apply_set(&order, simulate).await
    }

    /// Applies the set in these files: CSV files that belong together, or one OneRoster archive.
    ///
    /// # Errors
    /// As [`Engine::sync_source`]; an incomplete set, or one that must wait for a decision, is a failed run.
    pub async fn import_set(&self, name: &str, files: &[&Path], simulate: bool) -> Result<Report, RunError> {
        let shown = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let order = SetOrder { shown, ..SetOrder::of(name) };
        match self.while_it_moves(order.clone(), &Given::Named(files), simulate).await {
            Err(RunError::SetWaits { source_name, run }) => {
                let problem = Problem::new(0, Code::SetWaits, source_name, run.to_string());
                self.apply_set(&SetOrder { refused: Some(problem), ..order }, simulate).await
            }
            ended => ended,
        }
    }

    /// Applies a dropped set; a drop that already has a run is not applied again.
    ///
    /// # Errors
    /// As [`Engine::import_set`]; [`RunError::Changed`] if the set is no longer complete (one that never can be is a
    /// failed run); [`RunError::SetWaits`] if a held set must be decided first.
    pub async fn drop_set(&self, name: &str, set: &DroppedSet) -> Result<Report, RunError> {
        let Dropped { shown, token, again, .. } = set.dropped.clone();
        let claim = set.dropped.claim()?;
        if let Some(claim) = claim.as_ref().filter(|_| again)
            && let Some(report) = self.applied_before(claim).await?
        {
            return Ok(report);
        }
        let order = SetOrder { shown, token, dropped: claim, ..SetOrder::of(name) };
        self.while_it_moves(order, &Given::Dropped(set), false).await
    }

    /// Prepares a set and applies it; starts again if another run has changed the base of the set meanwhile.
    async fn while_it_moves(&self, order: SetOrder, sent: &Given<'_>, simulate: bool) -> Result<Report, RunError> {
        let mut tried = 0;
        loop {
            let taken = match self.prepare(&order.source, sent, simulate).await? {
                Ok(taken) => Ok(taken),
                Err(Unread::Refused(problem)) => Err(problem),
                Err(Unread::Taken(error)) => Err(failed(error, &order, sent)?),
            };
            let order = match &taken {
                Ok(taken) => SetOrder {
                    snapshot: taken.snapshot.path.clone(),
                    origins: taken.origins(),
                    unread: taken.problems.clone(),
                    oneroster_base: taken.oneroster_base.as_ref().map(|(base, _)| base.clone()),
                    ..order.clone()
                },
                Err(problem) => SetOrder { refused: Some(problem.clone()), ..order.clone() },
            };
            if let (Given::Dropped(set), Some(claim)) = (sent, &order.dropped) {
                set.is_still(claim)?;
            }
            let ended = self.apply_set(&order, simulate).await;
            let is_archive = taken.is_ok_and(|taken| taken.oneroster_base.is_some());
            match ended {
                Err(RunError::SetMoved(_)) if tried < TRIES => tried += 1,
                Ok(report) if is_archive => {
                    self.forget_bases(&order.source).await;
                    return Ok(report);
                }
                ended => return ended,
            }
        }
    }

    /// Reads a set into a snapshot, or returns what is wrong with it.
    async fn prepare(&self, name: &str, sent: &Given<'_>, simulate: bool) -> Result<Result<Taken, Unread>, RunError> {
        let source = match self.source(name).await? {
            Ok(source) => source,
            Err(why) => return Ok(Err(unread(name, why))),
        };
        match (sent, source.format) {
            (Given::Dropped(set), _) => self.dropped(name, &source, set).await,
            (Given::Named([archive]), SetFormat::OneRoster) => match Sent::within(archive, self.largest()) {
                Ok(archive) => self.archive(name, &source, &archive, simulate).await,
                Err(error) => Ok(Err(unread(name, format!("{}: {error}", archive.display())))),
            },
            (Given::Named(_), SetFormat::OneRoster) => {
                Ok(Err(unread(name, "a OneRoster set is one archive: name one file".to_owned())))
            }
            (Given::Named(files), SetFormat::Csv) => Ok(self.files(name, &source, files)),
        }
    }

    fn files(&self, name: &str, source: &Source, files: &[&Path]) -> Result<Taken, Unread> {
        let form = source::files::FilesForm::of(source, self.fallback());
        let whole = blocking(|| whole(name, files, &form.table(), self.largest()))?;
        self.whole(name, source, &whole)
    }

    fn whole(&self, name: &str, source: &Source, files: &[Sealed]) -> Result<Taken, Unread> {
        blocking(|| source::take_files(self.destination(name), source, self.fallback(), files)).map_err(Unread::Taken)
    }

    /// Reads a dropped set into a snapshot.
    async fn dropped(&self, name: &str, source: &Source, set: &DroppedSet) -> Result<Result<Taken, Unread>, RunError> {
        let DroppedSet { dir, left, dropped } = set;
        let ready = blocking(|| readiness(source, self.fallback(), dropped.open(), dir, left));
        match ready.map_err(|_| RunError::Stopped)? {
            Readiness::Lacks(_) => Err(RunError::Changed(dropped.shown.clone())),
            Readiness::Broken(why) => Ok(Err(unread(name, why))),
            Readiness::Spreadsheet(problem) => Ok(Err(Unread::Refused(problem))),
            Readiness::Archive => match dropped.open() {
                Ok(file) => {
                    let archive = Sent { name: left.to_string_lossy().into_owned(), file };
                    self.archive(name, source, &archive, false).await
                }
                Err(error) => Ok(Err(unread(name, error.to_string()))),
            },
            Readiness::Whole(files) => Ok(self.whole(name, source, &files)),
        }
    }

    /// Merges a OneRoster archive into the base of the last good run; a simulation leaves no base for the next.
    async fn archive(
        &self,
        name: &str,
        source: &Source,
        sent: &Sent,
        simulate: bool,
    ) -> Result<Result<Taken, Unread>, RunError> {
        let base_state = self.base_state(name).await?;
        let delta = match blocking(|| source::is_delta(self.destination(name), sent)) {
            Ok(delta) => delta,
            Err(error) => return Ok(Err(Unread::Taken(error))),
        };
        if delta || !simulate {
            base_state.admit(delta, None)?;
        }
        let base = base_state.base.as_ref();
        let taken = blocking(|| source::take_archive(self.destination(name), source, sent, base, !simulate));
        Ok(taken.map_err(Unread::Taken))
    }

    /// Removes the bases on which no delta builds any more; if that fails, the next run does it.
    async fn forget_bases(&self, name: &str) {
        let path = self.settings.state.path.display().to_string();
        let forgotten = match self.base_state(name).await {
            Ok(base_state) => base_state.forget_others(&self.settings).map_err(|error| RunError::State { path, error }),
            Err(error) => Err(error),
        };
        if let Err(error) = forgotten {
            tracing::warn!(source.name = name, "what earlier archives of {name} have left is kept for now: {error}");
        }
    }

    fn destination<'a>(&'a self, name: &'a str) -> Destination<'a> {
        Destination { source: name, state: &self.settings.state.path, now: self.clock.now() }
    }

    /// Why a dropped archive must wait in the drop directory: a held set of its source must be decided first. Its run
    /// reports any other problem.
    ///
    /// # Errors
    /// As [`Engine::sync_source`].
    pub async fn waits(&self, name: &str, dir: &Dir, left: &OsStr) -> Result<Option<RunError>, RunError> {
        let Ok(source) = self.source(name).await? else { return Ok(None) };
        let file = dir.open_file(left);
        let Ok(archive) = &file else { return Ok(None) };
        let archive = Sent { name: left.to_string_lossy().into_owned(), file: archive.clone() };
        let ready = blocking(|| readiness(&source, self.fallback(), file, dir, left)).map_err(|_| RunError::Stopped)?;
        if ready != Readiness::Archive {
            return Ok(None);
        }
        match blocking(|| source::is_delta(self.destination(name), &archive)) {
            Ok(delta) => Ok(self.base_state(name).await?.admit(delta, None).err()),
            Err(_) => Ok(None),
        }
    }

    async fn base_state(&self, name: &str) -> Result<BaseState, RunError> {
        let mut conn = self.database.connect().await?;
        let base_state = BaseState::of(&mut conn, name).await?;
        conn.close().await;
        Ok(base_state)
    }

    /// The report of the earlier run of a drop.
    async fn applied_before(&self, claim: &Claim) -> Result<Option<Report>, RunError> {
        let mut conn = self.database.connect().await?;
        let past = history::of_drop(&mut conn, claim).await?;
        conn.close().await;
        match past {
            Some(past) => self.recall(past.run).await,
            None => Ok(None),
        }
    }

    /// A source completed by Moodle's settings, or what is wrong with these.
    async fn source(&self, name: &str) -> Result<Result<Source, String>, RunError> {
        let source = self.settings.sources.get(name).ok_or_else(|| RunError::no_such_source(name, &self.settings))?;
        let mut conn: Conn = self.database.connect().await?;
        require_ready(&mut conn).await?;
        let site = Site::read(&mut conn).await?;
        conn.close().await;
        Ok(source::with_moodles_settings(name, source, &site).map_err(|error| error.to_string()))
    }

    fn largest(&self) -> u64 {
        self.settings.limits.file_bytes()
    }

    fn fallback(&self) -> crate::config::EncodingFallback {
        self.settings.flatfile.encoding_fallback
    }
}

/// Why there is no snapshot of a set.
enum Unread {
    /// For a problem that its run reports.
    Refused(Problem),
    /// Its files could not be read completely.
    Taken(TakeError),
}

/// The problem of a run whose set cannot be fetched or read.
fn refused(name: &str, reason: String) -> Problem {
    Problem::new(0, Code::SourceUnreadable, name, reason)
}

fn unread(name: &str, reason: String) -> Unread {
    Unread::Refused(refused(name, reason))
}

/// The problem of a run whose files could not be read; a dropped set that changed meanwhile has no run and comes again.
fn failed(error: TakeError, order: &SetOrder, sent: &Given<'_>) -> Result<Problem, RunError> {
    match (&error, sent) {
        (TakeError::Set(SetError::Io(io)), _) if is_stopped(io) => Err(RunError::Stopped),
        (TakeError::Set(SetError::Changed { .. }), Given::Dropped(_)) => Err(RunError::Changed(order.shown.clone())),
        _ => Ok(error.problem(&order.source)),
    }
}

async fn fetch(name: &str, source: &Source, state: &Path, now: i64) -> Result<(Snapshot, Option<Snapshot>), String> {
    let failed = |error: source::SourceError| error.to_string();
    let snapshot = source::fetch(name, source, state, now).await.map_err(failed)?;
    let courses = source::fetch_courses(name, source, state, now).await.map_err(failed)?;
    Ok((snapshot, courses))
}

/// The files of a set, if it is complete: those that a manifest names, else the given files.
fn whole(name: &str, files: &[&Path], form: &TableForm, largest: u64) -> Result<Vec<Sealed>, Unread> {
    let verdict = match files {
        [manifest] if manifest.to_string_lossy().ends_with(MANIFEST) => {
            let opened = Sent::within(manifest, largest).and_then(|sent| {
                let dir = Dir::of_file(manifest)?.bounded(largest, &CancellationToken::new());
                Ok((sent, dir))
            });
            opened.and_then(|(sent, dir)| bundle::by_manifest(&sent, &dir, form))
        }
        files => {
            let part = |path: &&Path| match Sent::within(path, largest) {
                Ok(sent) => Ok(Part::of(sent)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Part::missing(path)),
                Err(error) => Err(std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
            };
            let parts: std::io::Result<Vec<Part>> = files.iter().map(part).collect();
            parts.and_then(|parts| bundle::check(&parts, form))
        }
    };
    match verdict.map_err(|error| unread(name, error.to_string()))? {
        Verdict::Complete { files } => Ok(files),
        Verdict::Incomplete { missing } => {
            let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Err(unread(name, format!("the set is not whole: {missing}")))
        }
        Verdict::Broken { file, why } => Err(unread(name, format!("{file}: {why}"))),
        Verdict::Spreadsheet(problem) => Err(Unread::Refused(problem)),
    }
}
