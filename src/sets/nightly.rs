//! A source from its second database, or from files that somebody names, to a run: fetched, then made true.
//! It must not run a set itself, nor know schedules; a source that fails is a failed run that changed nothing.

use std::path::{Path, PathBuf};

use crate::config::{SetFormat, Source};
use crate::db::Conn;
use crate::files::TableForm;
use crate::moodle::site::Site;
use crate::report::{Code, Problem};
use crate::run::{Dropped, Engine, Report, RunError, SetOrder, history, require_ready};
use crate::sets::readiness::{Readiness, readiness};
use crate::sets::roster::Standing;
use crate::source::bundle::{self, MANIFEST, Part, Sealed, Verdict};
use crate::source::{self, Destination, Snapshot, Taken};

/// How often a set is prepared anew because another run was faster.
const TRIES: u32 = 3;

/// A set that came through the drop directory: one file, or the manifest of several.
#[derive(Clone, Debug)]
pub struct DroppedSet {
    /// Where the claimed file lies.
    pub path: PathBuf,
    /// The path under which it was left; its seal and the files that it names lie beside that.
    pub left_at: PathBuf,
    /// Which drop it is.
    pub dropped: Dropped,
}

/// How a set in files comes.
enum Sent<'a> {
    Named(&'a [&'a Path]),
    Dropped(&'a DroppedSet),
}

impl Engine {
    /// Fetches the set of a source from its second database and makes it true.
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

    /// Makes the set true that stands in these files: CSV files that belong together, or one OneRoster archive.
    ///
    /// # Errors
    /// As [`Engine::sync_source`]; files that are no whole set, and sets that must wait for a decision, are failed runs.
    pub async fn import_set(&self, name: &str, files: &[&Path], simulate: bool) -> Result<Report, RunError> {
        let shown = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let order = SetOrder { shown, ..SetOrder::of(name) };
        match self.while_it_moves(order.clone(), &Sent::Named(files), simulate).await {
            Err(RunError::SetWaits { source_name, run }) => {
                let problem = Problem::new(0, Code::SetWaits, source_name, run.to_string());
                self.apply_set(&SetOrder { refused: Some(problem), ..order }, simulate).await
            }
            ended => ended,
        }
    }

    /// Makes a set true that was dropped; a drop that came to a run before is not applied again.
    ///
    /// # Errors
    /// As [`Engine::import_set`], and [`RunError::Changed`] if the set is not whole any more; one that never can be is a
    /// failed run. [`RunError::SetWaits`] if a held set must be decided first.
    pub async fn drop_set(&self, name: &str, set: &DroppedSet) -> Result<Report, RunError> {
        let Dropped { shown, token } = set.dropped.clone();
        if let Some(report) = self.applied_before(&token).await? {
            return Ok(report);
        }
        let order = SetOrder { shown, token, dropped: Some(set.path.clone()), ..SetOrder::of(name) };
        self.while_it_moves(order, &Sent::Dropped(set), false).await
    }

    /// Prepares a set and applies it; anew if another run has changed meanwhile what it was merged into.
    async fn while_it_moves(&self, order: SetOrder, sent: &Sent<'_>, simulate: bool) -> Result<Report, RunError> {
        let mut tried = 0;
        loop {
            let taken = self.prepare(&order.source, sent, simulate).await?;
            let order = match &taken {
                Ok(taken) => SetOrder {
                    snapshot: taken.snapshot.path.clone(),
                    origins: taken.origins(),
                    unread: taken.problems.clone(),
                    roster: taken.roster.as_ref().map(|(roster, _)| roster.clone()),
                    ..order.clone()
                },
                Err(problem) => SetOrder { refused: Some(problem.clone()), ..order.clone() },
            };
            let ended = self.apply_set(&order, simulate).await;
            let is_archive = taken.is_ok_and(|taken| taken.roster.is_some());
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

    /// A set as a snapshot, or what is wrong with it.
    async fn prepare(&self, name: &str, sent: &Sent<'_>, simulate: bool) -> Result<Result<Taken, Problem>, RunError> {
        let source = match self.source(name).await? {
            Ok(source) => source,
            Err(why) => return Ok(Err(refused(name, why))),
        };
        match (sent, source.format) {
            (Sent::Dropped(set), _) => self.dropped(name, &source, set).await,
            (Sent::Named([archive]), SetFormat::OneRoster) => self.archive(name, &source, archive, simulate).await,
            (Sent::Named(_), SetFormat::OneRoster) => {
                Ok(Err(refused(name, "a OneRoster set is one archive: name one file".to_owned())))
            }
            (Sent::Named(files), SetFormat::Csv) => Ok(self.files(name, &source, files)),
        }
    }

    fn files(&self, name: &str, source: &Source, files: &[&Path]) -> Result<Taken, Problem> {
        let form = source::files::FilesForm::of(source, self.fallback());
        let whole = whole(files, &form.table()).map_err(|why| refused(name, why))?;
        self.whole(name, source, &whole)
    }

    fn whole(&self, name: &str, source: &Source, files: &[Sealed]) -> Result<Taken, Problem> {
        let taken = source::take_files(self.destination(name), source, self.fallback(), files);
        taken.map_err(|error| error.problem(name))
    }

    /// A set that was dropped.
    async fn dropped(&self, name: &str, source: &Source, set: &DroppedSet) -> Result<Result<Taken, Problem>, RunError> {
        match readiness(source, self.fallback(), &set.path, &set.left_at) {
            Readiness::Lacks(_) => Err(RunError::Changed(set.dropped.shown.clone())),
            Readiness::Broken(why) => Ok(Err(refused(name, why))),
            Readiness::Archive => self.archive(name, source, &set.path, false).await,
            Readiness::Whole(files) => Ok(self.whole(name, source, &files)),
        }
    }

    /// A OneRoster archive, merged into what the last good run has left; a rehearsal leaves nothing for the next.
    async fn archive(
        &self,
        name: &str,
        source: &Source,
        path: &Path,
        simulate: bool,
    ) -> Result<Result<Taken, Problem>, RunError> {
        let standing = self.standing(name).await?;
        let delta = match source::is_delta(self.destination(name), path) {
            Ok(delta) => delta,
            Err(error) => return Ok(Err(error.problem(name))),
        };
        if delta || !simulate {
            standing.admit(delta, None)?;
        }
        let taken = source::take_archive(self.destination(name), source, path, standing.base.as_ref(), !simulate);
        Ok(taken.map_err(|error| error.problem(name)))
    }

    /// What no delta will build on any more is removed; if that fails, the next run does it.
    async fn forget_bases(&self, name: &str) {
        let path = self.settings.state.path.display().to_string();
        let forgotten = match self.standing(name).await {
            Ok(standing) => standing.forget_others(&self.settings).map_err(|error| RunError::State { path, error }),
            Err(error) => Err(error),
        };
        if let Err(error) = forgotten {
            tracing::warn!(source.name = name, "what earlier archives of {name} have left is kept for now: {error}");
        }
    }

    fn destination<'a>(&'a self, name: &'a str) -> Destination<'a> {
        Destination { source: name, state: &self.settings.state.path, now: self.clock.now() }
    }

    /// Why a dropped archive must be left where it lies for now: a held set of its source comes first. What is wrong with it
    /// otherwise is said by its run.
    ///
    /// # Errors
    /// As [`Engine::sync_source`].
    pub async fn waits(&self, name: &str, path: &Path) -> Result<Option<RunError>, RunError> {
        let Ok(source) = self.source(name).await? else { return Ok(None) };
        // Nothing else is opened: whoever opens a pipe waits for its writer.
        if readiness(&source, self.fallback(), path, path) != Readiness::Archive {
            return Ok(None);
        }
        match source::is_delta(self.destination(name), path) {
            Ok(delta) => Ok(self.standing(name).await?.admit(delta, None).err()),
            Err(_) => Ok(None),
        }
    }

    async fn standing(&self, name: &str) -> Result<Standing, RunError> {
        let mut conn = self.database.connect().await?;
        let standing = Standing::of(&mut conn, name).await?;
        conn.close().await;
        Ok(standing)
    }

    /// The report of the run to which a drop came.
    async fn applied_before(&self, token: &str) -> Result<Option<Report>, RunError> {
        let mut conn = self.database.connect().await?;
        let past = history::of_drop(&mut conn, token).await?;
        conn.close().await;
        match past {
            Some(past) => self.recall(past.run).await,
            None => Ok(None),
        }
    }

    /// A source under Moodle's settings, or what is wrong with those.
    async fn source(&self, name: &str) -> Result<Result<Source, String>, RunError> {
        let source = self.settings.sources.get(name).ok_or_else(|| RunError::no_such_source(name, &self.settings))?;
        let mut conn: Conn = self.database.connect().await?;
        require_ready(&mut conn).await?;
        let site = Site::read(&mut conn).await?;
        conn.close().await;
        Ok(source::with_moodles_settings(name, source, &site).map_err(|error| error.to_string()))
    }

    fn fallback(&self) -> crate::config::EncodingFallback {
        self.settings.flatfile.encoding_fallback
    }
}

/// A set that cannot be fetched or read, as the problem of its run.
fn refused(name: &str, reason: String) -> Problem {
    Problem::new(0, Code::SourceUnreadable, name, reason)
}

async fn fetch(name: &str, source: &Source, state: &Path, now: i64) -> Result<(Snapshot, Option<Snapshot>), String> {
    let failed = |error: source::SourceError| error.to_string();
    let snapshot = source::fetch(name, source, state, now).await.map_err(failed)?;
    let courses = source::fetch_courses(name, source, state, now).await.map_err(failed)?;
    Ok((snapshot, courses))
}

/// The files of a set, if it is whole: what a manifest names, else the files as they are named.
fn whole(files: &[&Path], form: &TableForm) -> Result<Vec<Sealed>, String> {
    let verdict = match files {
        [manifest] if manifest.to_string_lossy().ends_with(MANIFEST) => bundle::by_manifest(manifest, form),
        files => {
            let parts: Vec<Part> = files.iter().map(|path| Part::dropped(path, bundle::Announced::default())).collect();
            bundle::check(&parts, form)
        }
    };
    match verdict.map_err(|error| error.to_string())? {
        Verdict::Complete { files } => Ok(files),
        Verdict::Incomplete { missing } => {
            let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Err(format!("the set is not whole: {missing}"))
        }
        Verdict::Broken { file, why } => Err(format!("{file}: {why}")),
    }
}
