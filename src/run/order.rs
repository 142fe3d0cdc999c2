//! The order of a run: a file, a task, a verb, or a held run that was approved.
//! It must not open the database or a file: dropped files arrive open, and `opened` opens the others.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::config::{CourseKey, Profile, UserKey};
use crate::disk::{RegularFile, TooLarge, blocking, is_stopped};
use crate::files::Kind;
use crate::moodle::method;
use crate::moodle::site::Site;
use crate::outcome::{Claim, Past, RunError, RunResult};
use crate::problem::Problem;
use crate::reconcile::Rule;
use crate::run::hold::{Held, HeldStore};
use crate::run::jobs;
use crate::run::opened::Opened;
use crate::sets::SetOrder;
use crate::sets::database::DATABASE;
use crate::source::Origins;
use crate::verbs::VerbOrder;

/// A file to import, with what its content does not state.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The file.
    pub path: PathBuf,
    /// Its form; `None` to detect it from the first line.
    pub kind: Option<Kind>,
    /// What the user column holds; `None` for the configured key of the form.
    pub user_key: Option<UserKey>,
    /// What the course column holds; `None` for the configured key of the form.
    pub course_key: Option<CourseKey>,
    /// The options of a users file or a cohort file; `None` for a flat file.
    pub profile: Option<Arc<Profile>>,
    /// Why the file is refused before it is read.
    pub refused: Option<Box<Problem>>,
    /// The drop, if the file came through the drop directory.
    pub dropped: Option<Dropped>,
}

/// A file in the drop directory, with its original name and the token of its claim.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The path under which it was dropped; the claimed file has a working name.
    pub shown: String,
    /// Identifies this drop, even among drops of the same bytes and inode, so that it is applied once.
    pub token: String,
    /// The file, opened once, or why it cannot be read.
    pub file: Result<RegularFile, Arc<io::Error>>,
    /// True if it was claimed before this attempt, so that a run of it may already have ended.
    pub again: bool,
}

impl Dropped {
    /// The claim by which a run of this drop is found; `None` if the file cannot be read, which its run reports.
    ///
    /// # Errors
    /// [`RunError::Stopped`].
    pub fn claim(&self) -> RunResult<Option<Claim>> {
        let Ok(file) = &self.file else { return Ok(None) };
        match blocking(|| file.digest()) {
            Ok((sha256, _)) => Ok(Some(Claim { sha256, token: self.token.clone(), ..Claim::of(file.opened()) })),
            Err(error) if is_stopped(&error) => Err(RunError::Stopped),
            Err(_) => Ok(None),
        }
    }

    /// The open file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn open(&self) -> io::Result<RegularFile> {
        let copy = |error: Arc<io::Error>| match TooLarge::of(&error) {
            Some(too_large) => io::Error::other(too_large),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        self.file.clone().map_err(copy)
    }
}

/// The order of a run without a file. A job is the name of a rule, `flatfile` (due lines of the buffer, expired
/// enrolments of the flat file) or `expirations` (of every method). Jobs run in the order of [`jobs::all`], not in the
/// given order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncOrder {
    /// The jobs.
    pub jobs: Vec<String>,
    /// The short name of the only course of the run; `None` for all.
    pub course: Option<String>,
    /// True if completions from before their instance was created count too.
    pub backfill: bool,
    /// True to return [`RunError::TwinRunning`] at once instead of waiting for a running task of Moodle.
    pub defers: bool,
}

impl SyncOrder {
    /// One job over all courses.
    pub fn of(job: &str) -> Self {
        Self { jobs: vec![job.to_owned()], ..Self::default() }
    }

    /// The kind of the run in the history: `sync cohort`, `sync all`, or `sync` for some jobs.
    pub(super) fn kind(&self) -> String {
        match self.jobs.as_slice() {
            [job] => format!("sync {job}"),
            jobs if jobs::of_all(jobs) => "sync all".to_owned(),
            _ => "sync".to_owned(),
        }
    }

    /// The source of the run in the history: what its kind does not name.
    pub(super) fn source(&self) -> String {
        let jobs = if self.kind() == "sync" { self.jobs.join(" ") } else { String::new() };
        let course = self.course.as_ref().map(|course| format!("--course {course}"));
        let backfill = self.backfill.then(|| "--backfill".to_owned());
        [Some(jobs), course, backfill]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What a run does.
pub(super) enum Task {
    File { import: Import, shown: String },
    Sync(SyncOrder),
    Set(Box<SetOrder>),
    Verb(Box<VerbOrder>),
}

/// An order for one run.
pub(super) struct Order {
    pub task: Task,
    /// The held run that this order approves.
    pub held: Option<i64>,
    /// True if the file came through the drop directory, now or when it was held: its author may not assign every role.
    pub dropped: bool,
}

/// A word of a held order; one that this version does not know must not be replaced by a setting of today.
fn word<T>(run: i64, text: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> RunResult<Option<T>> {
    let unknown = |text: &str| {
        let reason = format!("run {run} was held as \"{text}\", which this version does not know: reject it");
        RunError::Undecidable(reason)
    };
    text.map(|text| parse(text).ok_or_else(|| unknown(text))).transpose()
}

impl Order {
    pub fn set(order: SetOrder) -> Self {
        let dropped = !order.token.is_empty();
        Self { task: Task::Set(Box::new(order)), held: None, dropped }
    }

    pub fn import(import: Import) -> Self {
        let shown =
            import.dropped.as_ref().map_or_else(|| import.path.display().to_string(), |dropped| dropped.shown.clone());
        let dropped = import.dropped.is_some();
        Self { task: Task::File { import, shown }, held: None, dropped }
    }

    pub fn sync(order: SyncOrder) -> Self {
        Self { task: Task::Sync(order), held: None, dropped: false }
    }

    pub fn verb(order: VerbOrder) -> Self {
        Self { task: Task::Verb(Box::new(order)), held: None, dropped: false }
    }

    /// The order that applies a held run from the copy of its bytes.
    pub fn approve(past: &Past, state: &Path, run: i64) -> RunResult<Self> {
        let dropped = !past.claim.token.is_empty();
        let store = HeldStore::of(state, run);
        let held = store.order()?;
        if let Some(source) = held.set {
            let set = SetOrder {
                source,
                snapshot: store.bytes(),
                courses: held.courses.is_some().then(|| store.courses()),
                origins: held.files.map(|files| Origins { list: store.origins(), files }),
                shown: past.source.clone(),
                unread: held.unread,
                oneroster_base: held.oneroster_base,
                ..SetOrder::default()
            };
            return Ok(Self { task: Task::Set(Box::new(set)), held: Some(run), dropped });
        }
        if let Some(verb) = held.verb {
            return Ok(Self { task: Task::Verb(Box::new(verb)), held: Some(run), dropped });
        }
        if held.kind != "import" {
            return Ok(Self { task: Task::Sync(held.sync_order()), held: Some(run), dropped });
        }
        let import = Import {
            path: store.bytes(),
            kind: word(run, held.form.as_deref(), |text| Kind::from_str(text).ok())?,
            user_key: word(run, held.user_key.as_deref(), UserKey::from_word)?,
            course_key: word(run, held.course_key.as_deref(), CourseKey::from_word)?,
            profile: held.profile.map(Arc::new),
            refused: None,
            dropped: None,
        };
        Ok(Self { task: Task::File { import, shown: past.source.clone() }, held: Some(run), dropped })
    }

    /// The kind of the run in the history.
    pub fn kind(&self) -> String {
        match (&self.task, self.held) {
            (_, Some(_)) => "approve".to_owned(),
            (Task::File { .. }, None) => "import".to_owned(),
            (Task::Sync(order), None) => order.kind(),
            (Task::Set(order), None) => format!("sync {}", order.source),
            (Task::Verb(order), None) => order.kind().to_owned(),
        }
    }

    /// Whether the run needs the method `flatfile`.
    pub fn needs_flatfile(&self) -> bool {
        match &self.task {
            Task::File { import, .. } => import.profile.is_none() && import.refused.is_none(),
            Task::Sync(order) => order.jobs == [jobs::FLATFILE],
            Task::Set(_) | Task::Verb(_) => false,
        }
    }

    /// Moodle's tasks that do the same work.
    pub fn twins(&self, rules: &[Rule], site: &Site) -> Vec<&'static str> {
        match &self.task {
            Task::File { .. } if self.needs_flatfile() => vec![method::FLATFILE_TWIN],
            Task::File { .. } => Vec::new(),
            Task::Sync(order) => jobs::twins(rules, site, &order.jobs),
            Task::Set(order) if order.source == DATABASE.name => DATABASE.twins.to_vec(),
            Task::Set(_) | Task::Verb(_) => Vec::new(),
        }
    }

    /// The job of a run without a file, if it has exactly one.
    pub fn only_job(&self) -> Option<&str> {
        match self.sync_order().map(|order| order.jobs.as_slice()) {
            Some([job]) => Some(job),
            _ => None,
        }
    }

    /// The order of a run without a file.
    pub fn sync_order(&self) -> Option<&SyncOrder> {
        match &self.task {
            Task::File { .. } | Task::Set(_) | Task::Verb(_) => None,
            Task::Sync(order) => Some(order),
        }
    }

    /// The options of the users file or cohort file of a run.
    pub fn profile(&self) -> Option<&Profile> {
        match &self.task {
            Task::File { import, .. } => import.profile.as_deref(),
            Task::Sync(_) | Task::Set(_) | Task::Verb(_) => None,
        }
    }

    /// The order of a run of a verb.
    pub fn verb_order(&self) -> Option<&VerbOrder> {
        match &self.task {
            Task::Verb(order) => Some(order),
            Task::File { .. } | Task::Sync(_) | Task::Set(_) => None,
        }
    }

    /// The order of a run of a full set.
    pub fn set_order(&self) -> Option<&SetOrder> {
        match &self.task {
            Task::Set(order) => Some(order),
            Task::File { .. } | Task::Sync(_) | Task::Verb(_) => None,
        }
    }

    /// The source of the run in the history. The kind of an approval does not name the job or source that was held.
    pub fn source(&self) -> String {
        let approves = self.held.is_some();
        match &self.task {
            Task::File { shown, .. } => shown.clone(),
            Task::Sync(order) if approves => format!("{} {}", order.kind(), order.source()).trim_end().to_owned(),
            Task::Sync(order) => order.source(),
            Task::Set(order) if approves && order.shown.is_empty() => format!("sync {}", order.source),
            Task::Set(order) => order.shown.clone(),
            Task::Verb(order) if approves => format!("{} {}", order.kind(), order.source()),
            Task::Verb(order) => order.source(),
        }
    }

    /// The claim by which an earlier run of this drop is found.
    pub fn drop_claim<'a>(&'a self, opened: &'a Opened) -> Option<&'a Claim> {
        let claim = match &self.task {
            Task::File { .. } => Some(&opened.claim),
            Task::Set(order) => order.dropped.as_ref(),
            Task::Sync(_) | Task::Verb(_) => None,
        };
        claim.filter(|claim| !claim.token.is_empty())
    }

    /// The claim of a flat file that was claimed before and can be read. `Engine::drop_set` checks that of a set.
    ///
    /// # Errors
    /// [`RunError::Stopped`].
    pub fn claimed_before(&self) -> RunResult<Option<Claim>> {
        match &self.task {
            Task::File { import: Import { dropped: Some(dropped), .. }, .. } if dropped.again => dropped.claim(),
            _ => Ok(None),
        }
    }

    /// This order in the form in which a held or cut run stores it.
    pub fn to_hold(&self, opened: Option<&Opened>) -> Held {
        let sync = self.sync_order();
        let set = self.set_order().map(|order| order.source.clone());
        let flat = opened.and_then(|opened| opened.flat.as_ref());
        let import = || set.as_ref().map_or_else(|| "import".to_owned(), |source| format!("sync {source}"));
        let verb = self.verb_order();
        Held {
            kind: verb
                .map(|order| order.kind().to_owned())
                .unwrap_or_else(|| sync.map_or_else(import, SyncOrder::kind)),
            jobs: sync.map(|order| order.jobs.clone()).unwrap_or_default(),
            course: sync.and_then(|order| order.course.clone()),
            backfill: sync.is_some_and(|order| order.backfill),
            source: self.source(),
            sha256: opened.map(|opened| opened.claim.sha256.clone()),
            form: flat.map(|flat| flat.scan.kind.as_str().to_owned()),
            user_key: flat.map(|flat| flat.keys.user.as_str().to_owned()),
            course_key: flat.map(|flat| flat.keys.course.as_str().to_owned()),
            profile: self.profile().cloned(),
            courses: None,
            files: None,
            unread: self.set_order().map(|order| order.unread.clone()).unwrap_or_default(),
            oneroster_base: self.set_order().and_then(|order| order.oneroster_base.clone()),
            set,
            verb: verb.cloned(),
        }
    }
}
