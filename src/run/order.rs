//! What a run is asked to do: a file, a task, or a held run that was approved.
//! It must not open the database; it opens the file once, so that what is scanned is what is read.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::{CourseKey, Settings, UserKey};
use crate::files::{self, Kind, Reading, Scan};
use crate::flatfile::stage::Keys;
use crate::moodle::site::Site;
use crate::run::error::{RunError, RunResult};
use crate::run::history::{Claim, Past};
use crate::run::hold::{Held, Shelf};

/// A file to import, with what its bytes cannot say.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The file.
    pub path: PathBuf,
    /// Its form; `None` to tell by its first line.
    pub kind: Option<Kind>,
    /// What the user column holds; `None` for the configured key of the form.
    pub user_key: Option<UserKey>,
    /// What the course column holds; `None` for the configured key of the form.
    pub course_key: Option<CourseKey>,
}

/// What a run does.
pub(super) enum Task {
    File { import: Import, shown: String },
    SyncFlatfile,
}

/// An order for one run.
pub(super) struct Order {
    pub task: Task,
    /// The held run that is approved by this order.
    pub held: Option<i64>,
}

/// An open and scanned file.
pub(super) struct Opened {
    pub file: File,
    pub scan: Scan,
    pub reading: Reading,
    pub keys: Keys,
    pub claim: Claim,
}

impl Order {
    pub fn import(import: Import) -> Self {
        let shown = import.path.display().to_string();
        Self { task: Task::File { import, shown }, held: None }
    }

    pub fn sync_flatfile() -> Self {
        Self { task: Task::SyncFlatfile, held: None }
    }

    /// The order of a held run, on the kept copy of its bytes.
    pub fn approve(past: &Past, state: &Path, run: i64) -> RunResult<Self> {
        let shelf = Shelf::of(state, run);
        let held = shelf.order()?;
        if held.kind != "import" {
            return Ok(Self { task: Task::SyncFlatfile, held: Some(run) });
        }
        let import = Import {
            path: shelf.bytes(),
            kind: held.form.as_deref().and_then(|text| Kind::from_str(text).ok()),
            user_key: held.user_key.as_deref().and_then(UserKey::from_word),
            course_key: held.course_key.as_deref().and_then(CourseKey::from_word),
        };
        Ok(Self { task: Task::File { import, shown: past.source.clone() }, held: Some(run) })
    }

    /// The kind of the run in the history.
    pub fn kind(&self) -> &'static str {
        match (&self.task, self.held) {
            (_, Some(_)) => "approve",
            (Task::File { .. }, None) => "import",
            (Task::SyncFlatfile, None) => "sync flatfile",
        }
    }

    /// The source of the run in the history.
    pub fn source(&self) -> String {
        match &self.task {
            Task::File { shown, .. } => shown.clone(),
            Task::SyncFlatfile => String::new(),
        }
    }

    /// What is kept of this order when the run is held.
    pub fn to_hold(&self, opened: Option<&Opened>) -> Held {
        let import = match &self.task {
            Task::File { import, .. } => Some(import),
            Task::SyncFlatfile => None,
        };
        Held {
            kind: if import.is_some() { "import" } else { "sync flatfile" }.to_owned(),
            source: self.source(),
            sha256: opened.map(|opened| opened.scan.sha256.clone()),
            form: opened.map(|opened| opened.scan.kind.as_str().to_owned()),
            user_key: opened.map(|opened| opened.keys.user.as_str().to_owned()),
            course_key: opened.map(|opened| opened.keys.course.as_str().to_owned()),
        }
    }
}

impl Opened {
    /// Opens and scans a file under the site's time zone.
    pub fn open(import: &Import, settings: &Settings, site: &Site) -> RunResult<Self> {
        let path = import.path.display().to_string();
        let unreadable = |error| RunError::Unreadable { path: path.clone(), error };
        let mut file = open_regular(&import.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let reading = Reading {
            kind: import.kind,
            fallback: settings.flatfile.encoding_fallback,
            zone: zone(settings, Some(site)),
        };
        let scan = files::scan(&mut file, &reading).map_err(|problem| RunError::from_file(problem, &path))?;
        let defaults = match scan.kind {
            Kind::Header => &settings.flatfile.header,
            Kind::Native => &settings.flatfile.native,
        };
        let keys = Keys {
            user: import.user_key.unwrap_or(defaults.user_key),
            course: import.course_key.unwrap_or(defaults.course_key),
        };
        let claim = Claim {
            sha256: scan.sha256.clone(),
            device: metadata.dev() as i64,
            inode: metadata.ino() as i64,
            size: scan.bytes as i64,
            mtime: metadata.mtime(),
        };
        Ok(Self { file, scan, reading, keys, claim })
    }
}

/// Opens a regular file and nothing else: a FIFO would wait for ever.
fn open_regular(path: &Path) -> std::io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file"));
    }
    File::open(path)
}

/// The zone of times written without one: enrold's setting, Moodle's, else UTC.
pub fn zone(settings: &Settings, site: Option<&Site>) -> chrono_tz::Tz {
    settings
        .site
        .timezone
        .or_else(|| site.and_then(|site| site.timezone()).and_then(|name| name.parse().ok()))
        .unwrap_or(chrono_tz::UTC)
}
