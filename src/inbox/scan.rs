//! Scans the drop directory: which files are complete, which are still being written, and in which order to process
//! them. It must not read or change a file.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::names::{self, READER_LOCK, Sort, WRITER_LOCK};
use super::reader_lock::ReaderLock;
use super::{InboxError, Marks};
use crate::clock::StopWatch;
use crate::config::{self, Settings};
use crate::disk::{Dir, Status};

/// A writer without a write for so long counts as gone, even if it left the file open.
const SILENCE: Duration = Duration::from_secs(3_600);
/// The longest time between a write and its event.
const HEARSAY: Duration = Duration::from_millis(250);
/// Seconds after which another reader's lock is left over (spec files 1.1: after 3 hours the capture goes on).
const STALE_LOCK: i64 = 3 * 3_600;

/// A file of the directory.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name in the directory.
    pub name: OsString,
    /// For a file that was claimed before: its own name and the token.
    pub working: Option<(OsString, String)>,
    /// When it was changed, nanoseconds since 1970.
    pub mtime_ns: i128,
}

/// The result of a scan.
#[derive(Debug)]
pub struct Scanned {
    /// The open drop directory, to which the names refer.
    pub dir: Dir,
    /// Files to process, in order; those claimed before a crash come first.
    pub ready: Vec<Found>,
    /// Files that are not complete.
    pub settling: Vec<OsString>,
    /// How many files wait: the ready ones and those that are not complete.
    pub waiting: usize,
    /// Since when the oldest file waits, Unix seconds: its last change, or when it was renamed into place.
    pub oldest: Option<i64>,
    /// After what time to scan again for a file that must stay unchanged a little longer.
    pub again: Option<Duration>,
    /// The lock that makes all files wait, with its age in seconds.
    pub lock: Option<(&'static str, i64)>,
}

struct Seen {
    status: Status,
    since: StopWatch,
}

/// The state between two scans.
pub struct Inbox {
    dir: PathBuf,
    settle: Duration,
    limit: u64,
    stop: CancellationToken,
    seen: HashMap<OsString, Seen>,
}

impl Inbox {
    /// Scans the directory of these settings; reading of its files ends when `stop` is cancelled.
    pub fn new(settings: &Settings, stop: &CancellationToken) -> Self {
        let config::Inbox { path, settle, .. } = &settings.inbox;
        let limit = settings.limits.file_bytes();
        Self { dir: path.clone(), settle: *settle, limit, stop: stop.clone(), seen: HashMap::new() }
    }

    /// The drop directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// True if the last scan saw files without a marker or a claim, whose completeness it had to judge.
    pub fn is_settling(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Scans the directory. `marks` holds the events about writers, `now` is the clock in Unix seconds. The cost grows
    /// with the number of names; only files that may be input are examined.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn scan(&mut self, marks: &Marks, now: i64) -> Result<Scanned, InboxError> {
        marks.scan_begins();
        let dir = super::open_at(&self.dir, self.limit, &self.stop)?;
        // A listing can miss a file that arrives meanwhile and yet show one that arrived later. The second listing has
        // every file of the first one, and every file that arrived before those.
        let before: HashSet<OsString> = names_in(&dir)?.into_iter().collect();
        let mut inputs = Vec::new();
        let mut markers = HashSet::new();
        let mut locks = Vec::new();
        for name in names_in(&dir)? {
            match names::sort(&name) {
                Sort::Input => inputs.push((name, None)),
                Sort::Working(original, token) => inputs.push((name, Some((original, token)))),
                Sort::Marker(of) => drop(markers.insert(of)),
                Sort::Lock => locks.push(name),
                Sort::Aside => {}
            }
        }
        // The marker of a file that was claimed before a crash does not apply to the next file of that name.
        for (own, _) in inputs.iter().filter_map(|(_, working)| working.as_ref()) {
            markers.remove(own);
        }
        let lock = lock(&dir, &locks, now);
        let (ready, settling) = (Vec::new(), Vec::new());
        let mut scanned = Scanned { dir, ready, settling, waiting: 0, oldest: None, again: None, lock };
        let mut seen = HashMap::new();
        for (name, working) in inputs {
            // A file that is gone by now, and a directory, are ignored.
            let status = match scanned.dir.status(&name) {
                Ok(status) => status,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // A defect of the file system: the other files do not wait for it.
                Err(error) => {
                    tracing::warn!("{} is left as it is: its status cannot be read: {error}", names::shown(&name));
                    continue;
                }
            };
            if status.is_dir() {
                continue;
            }
            // A link, a pipe or a socket does not become more complete; the run reports that it cannot be read.
            let complete = working.is_some() || markers.contains(&name) || !status.is_file();
            let left = if complete { None } else { self.left(&name, &status, marks, &mut seen) };
            let found = Found { mtime_ns: mtime_ns(&status), name, working };
            scanned.add(found, status.ctime.0, left);
        }
        self.seen = seen;
        marks.keep(|name| self.seen.contains_key(name));
        scanned.ready.sort_by_cached_key(|found| {
            let own = found.working.as_ref().map_or(&found.name, |(name, _)| name);
            (found.working.is_none(), names::order(own, found.mtime_ns))
        });
        while scanned.ready.pop_if(|last| !before.contains(&last.name)).is_some() {
            scanned.again = Some(Duration::ZERO);
        }
        Ok(scanned)
    }

    /// How long a file must still stay unchanged; `None` if it is complete.
    fn left(
        &self,
        name: &OsStr,
        status: &Status,
        marks: &Marks,
        seen: &mut HashMap<OsString, Seen>,
    ) -> Option<Duration> {
        let since = match self.seen.get(name) {
            Some(before) if before.status.stands_as(status) => before.since,
            _ => StopWatch::start(),
        };
        seen.insert(name.to_owned(), Seen { status: *status, since });
        let stood = Duration::from_millis(since.millis());
        if marks.is_moved(name) {
            return None;
        }
        if marks.is_open(name, status.size) {
            return SILENCE.checked_sub(stood).filter(|left| !left.is_zero());
        }
        // A write may be seen before its event arrives.
        let settle = if marks.is_new(name) { self.settle.max(HEARSAY) } else { self.settle };
        settle.checked_sub(stood).filter(|left| !left.is_zero())
    }
}

fn names_in(dir: &Dir) -> Result<Vec<OsString>, InboxError> {
    dir.names().map_err(|error| InboxError::new("cannot read the drop directory", dir.path(), error))
}

/// The lock that makes all files wait: the writer's as long as it exists, another reader's for three hours.
fn lock(dir: &Dir, locks: &[OsString], now: i64) -> Option<(&'static str, i64)> {
    let age = |name: &str| {
        // A modification time in the future would keep the lock for ever.
        let set = |status: Status| now - status.mtime.0.min(status.ctime.0);
        dir.status(OsStr::new(name)).map_or(0, set)
    };
    let present = |name: &str| locks.iter().any(|lock| lock == name);
    if present(WRITER_LOCK) {
        return Some((WRITER_LOCK, age(WRITER_LOCK)));
    }
    let left_over = age(READER_LOCK) > STALE_LOCK || ReaderLock::is_ours(dir);
    (present(READER_LOCK) && !left_over).then(|| (READER_LOCK, age(READER_LOCK)))
}

impl Scanned {
    fn add(&mut self, found: Found, since: i64, left: Option<Duration>) {
        self.waiting += 1;
        self.oldest = Some(self.oldest.map_or(since, |oldest| oldest.min(since)));
        // A lock makes all files wait but those that were claimed before it.
        match left {
            None if self.lock.is_none() || found.working.is_some() => self.ready.push(found),
            None => {}
            Some(left) => {
                self.settling.push(found.name);
                self.again = Some(self.again.map_or(left, |again| again.min(left)));
            }
        }
    }
}

fn mtime_ns(status: &Status) -> i128 {
    i128::from(status.mtime.0) * 1_000_000_000 + i128::from(status.mtime.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_beside_a_claimed_file_says_nothing_of_the_next_one_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let claimed = "a.csv.0123456789abcdef.work";
        for name in [claimed, "a.csv.ok", "a.csv", "b.csv.ok", "b.csv"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut settings = config::load(&config::Sources::default()).unwrap().settings;
        (settings.inbox.path, settings.inbox.settle) = (dir.path().to_owned(), Duration::from_secs(60));
        let mut inbox = Inbox::new(&settings, &CancellationToken::new());
        let scanned = inbox.scan(&Marks::default(), 0).unwrap();
        let ready: Vec<&OsString> = scanned.ready.iter().map(|found| &found.name).collect();
        assert_eq!(ready, [claimed, "b.csv"]);
        assert_eq!(scanned.waiting, 3);
    }
}
