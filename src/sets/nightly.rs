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
use crate::source::bundle::{self, MANIFEST, Part, Sealed, Verdict};
use crate::source::{self, Snapshot, SnapshotKind, Taken};

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
            Ok((snapshot, courses)) => {
                SetOrder { snapshot: snapshot.path, courses: courses.map(|courses| courses.path), ..SetOrder::of(name) }
            }
            Err(reason) => SetOrder { refused: Some(refused(name, reason)), ..SetOrder::of(name) },
        };
        self.apply_set(&order, simulate).await
    }

    /// Makes the set true that stands in these files: CSV files that belong together, or one OneRoster archive.
    ///
    /// # Errors
    /// As [`Engine::sync_source`]; files that are no whole set are a failed run.
    pub async fn import_set(&self, name: &str, files: &[&Path], simulate: bool) -> Result<Report, RunError> {
        let shown = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let taken = match self.source(name).await? {
            Err(problem) => Err(problem),
            Ok(source) => take(name, &source, files, &self.settings.state.path, self.clock.now(), self.fallback()),
        };
        let order = match taken {
            Ok(taken) => {
                SetOrder { snapshot: taken.snapshot.path, unread: taken.problems, shown, ..SetOrder::of(name) }
            }
            Err(reason) => SetOrder { shown, refused: Some(refused(name, reason)), ..SetOrder::of(name) },
        };
        self.apply_set(&order, simulate).await
    }

    /// Makes a set true that was dropped; a drop that came to a run before is not applied again.
    ///
    /// # Errors
    /// As [`Engine::import_set`], and [`RunError::Changed`] if the set is not whole any more; one that never can be is a
    /// failed run.
    pub async fn drop_set(&self, name: &str, set: &DroppedSet) -> Result<Report, RunError> {
        let source = self.source(name).await?;
        let Dropped { shown, token } = set.dropped.clone();
        if let Some(report) = self.applied_before(&token).await? {
            return Ok(report);
        }
        let taken = match source {
            Err(problem) => Err(problem),
            Ok(source) => match readiness(&source, self.fallback(), &set.path, &set.left_at) {
                Readiness::Lacks(_) => return Err(RunError::Changed(shown)),
                Readiness::Broken(why) => Err(why),
                Readiness::Archive => {
                    full(source::take_archive(name, &source, &set.path, &self.settings.state.path, self.clock.now()))
                }
                Readiness::Whole(files) => {
                    let (state, now) = (&self.settings.state.path, self.clock.now());
                    full(source::take_files(name, &source, self.fallback(), &files, state, now))
                }
            },
        };
        let dropped = Some(set.path.clone());
        let order = SetOrder { shown, token, dropped, ..SetOrder::of(name) };
        let order = match taken {
            Ok(taken) => SetOrder { snapshot: taken.snapshot.path, unread: taken.problems, ..order },
            Err(reason) => SetOrder { refused: Some(refused(name, reason)), ..order },
        };
        self.apply_set(&order, false).await
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

fn refused(name: &str, reason: String) -> Problem {
    Problem::new(0, Code::SourceUnreadable, name, reason)
}

async fn fetch(name: &str, source: &Source, state: &Path, now: i64) -> Result<(Snapshot, Option<Snapshot>), String> {
    let failed = |error: source::SourceError| error.to_string();
    let snapshot = source::fetch(name, source, state, now).await.map_err(failed)?;
    let courses = source::fetch_courses(name, source, state, now).await.map_err(failed)?;
    Ok((snapshot, courses))
}

fn take(
    name: &str,
    source: &Source,
    files: &[&Path],
    state: &Path,
    now: i64,
    fallback: crate::config::EncodingFallback,
) -> Result<Taken, String> {
    let taken = match (source.format, files) {
        (SetFormat::OneRoster, [archive]) => source::take_archive(name, source, archive, state, now),
        (SetFormat::OneRoster, _) => return Err("a OneRoster set is one archive: name one file".to_owned()),
        (SetFormat::Csv, files) => {
            let form = source::files::FilesForm::of(source, fallback);
            let whole = whole(files, &form.table())?;
            source::take_files(name, source, fallback, &whole, state, now)
        }
    };
    full(taken)
}

/// Only a full set is one: what a delta does not name is not gone.
fn full(taken: Result<Taken, source::TakeError>) -> Result<Taken, String> {
    let taken = taken.map_err(|error| error.to_string())?;
    match taken.kind {
        SnapshotKind::Full => Ok(taken),
        SnapshotKind::Delta => Err("it is a delta: only full sets are applied".to_owned()),
    }
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
