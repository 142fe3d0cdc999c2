//! Finishes a file: writes its lists, then gives it the name of its outcome.
//! It must not decide the outcome: the run's report contains it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::io::Errno;

use super::claim::Target;
use super::masked::Hiding;
use super::{Claimed, InboxError, lists, masked, names, set_files};
use crate::config::{DoneMode, Settings};
use crate::db::Database;
use crate::disk::{Dir, RegularFile, blocking, own};
use crate::fault;
use crate::moodle::site::zone;
use crate::outcome::{Report, RunError, State};

/// Why a file was not renamed: its run remains valid, and the renaming is tried again.
#[derive(Debug, thiserror::Error)]
pub enum FileOutcomeError {
    /// The directory's error.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The failed lines could not be read from the database or from the file.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// The outcome of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// It was applied.
    Done,
    /// It cannot be read at all.
    Failed,
    /// It waits for a decision.
    Held,
    /// An operator rejected it.
    Rejected,
    /// It was only simulated.
    Simulated,
}

impl FileOutcome {
    /// The outcome for a run in this state; `None` if the file is to be tried again.
    pub fn of(state: State) -> Option<Self> {
        match state {
            State::Done | State::DoneWithErrors | State::Approved => Some(Self::Done),
            State::Failed => Some(Self::Failed),
            State::Held => Some(Self::Held),
            State::Rejected => Some(Self::Rejected),
            State::Simulated => Some(Self::Simulated),
            State::Running | State::Interrupted | State::Skipped => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Done => ".done",
            Self::Failed => ".failed",
            Self::Held => ".held",
            Self::Rejected => ".rejected",
            Self::Simulated => ".simulated",
        }
    }
}

/// Finishes a file: report, list of errors, retry file, then its name. Every step can be repeated after a crash.
///
/// # Errors
/// The directory's error (read-only, full) or the database's; the file keeps its working name until this succeeds.
pub async fn finish(
    database: &Database,
    settings: &Settings,
    claimed: &Claimed,
    report: &Report,
    outcome: FileOutcome,
) -> Result<Option<PathBuf>, FileOutcomeError> {
    let stamp = names::stamp(report.clock, zone(settings, None));
    let stays = outcome != FileOutcome::Done || settings.inbox.done_mode == DoneMode::Rename;
    let named = stays.then(|| outcome.word());
    let between = lists::write(database, settings, claimed, report, &stamp, named).await?;
    let sha256 = read_sha256(report).unwrap_or_default();
    blocking(|| {
        // The manifest comes last: while it has its working name, the others can be found again.
        set_files::end(settings, claimed, outcome, &stamp)?;
        consume_marker(claimed, &stamp)?;
        let hiding = masked::hiding(claimed, settings)?;
        let last = LastName { settings, claimed, outcome, between: &between, stamp: &stamp, sha256 };
        Ok(last.give(hiding.as_ref().map(|hiding| (hiding, report.run)))?)
    })
}

/// The digest of the dropped file's own bytes, if its run has read them all.
pub fn read_sha256(report: &Report) -> Option<&str> {
    report.dropped.as_deref().or_else(|| report.read_as.as_ref().map(|read| read.sha256.as_str()))
}

/// Gives a file the name of its outcome, without lists; `between` follows its ending. `None` if it was deleted, or is
/// gone.
///
/// # Errors
/// The directory's error.
pub(super) fn rename(
    settings: &Settings,
    claimed: &Claimed,
    outcome: FileOutcome,
    between: &str,
    stamp: &str,
    sha256: &str,
) -> Result<Option<PathBuf>, InboxError> {
    LastName { settings, claimed, outcome, between, stamp, sha256 }.give(None)
}

/// The last name of a file.
struct LastName<'a> {
    settings: &'a Settings,
    claimed: &'a Claimed,
    outcome: FileOutcome,
    between: &'a str,
    stamp: &'a str,
    sha256: &'a str,
}

impl LastName<'_> {
    /// Gives it to the file; if the file has passwords, which run `masked.1` has read, to a masked copy.
    fn give(&self, masked: Option<(&Hiding, i64)>) -> Result<Option<PathBuf>, InboxError> {
        let Self { settings, claimed, outcome, between, stamp, .. } = *self;
        let Claimed { dir, name, working, .. } = claimed;
        let beside = Target { dir, name, ending: outcome.word(), behind: between, stamp };
        let moved = |target: &Target| match masked {
            Some((hiding, run)) => masked::replace(settings, claimed, hiding, outcome, target, run),
            None => move_to(claimed, target),
        };
        let renamed = claimed.lies_at(dir, working).and_then(|ours| match (ours, outcome, settings.inbox.done_mode) {
            // Another file was put in its place, which does not belong to this run: it is processed on its own.
            (false, ..) => Ok(None),
            (true, FileOutcome::Done, DoneMode::Delete) => dir.remove(working).map(|()| None),
            (true, FileOutcome::Done, DoneMode::Archive) => self.archive(&moved),
            (true, ..) => moved(&beside),
        });
        let to = match renamed {
            Ok(to) => to,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.has(working) => None,
            Err(error) => return Err(InboxError::new("cannot rename", &claimed.path(), error)),
        };
        fault::step("renamed-not-synced");
        dir.sync().map_err(|error| InboxError::new("cannot write down the new name of", &claimed.path(), error))?;
        fault::step("renamed");
        Ok(to)
    }

    /// Moves a file into the archive, to `YYYY/MM/STAMP_DIGEST_NAME` (spec files 1.5).
    fn archive(&self, moved: &dyn Fn(&Target) -> io::Result<Option<PathBuf>>) -> io::Result<Option<PathBuf>> {
        let Self { claimed, stamp, sha256, .. } = *self;
        let root = archive_root(self.settings);
        own::make_directories(&root)?;
        let dir = Dir::open(&root)?.make_dir(OsStr::new(&stamp[..4]))?.make_dir(OsStr::new(&stamp[4..6]))?;
        let digest = sha256.get(..8).unwrap_or("unread");
        let name = [format!("{stamp}_{digest}_").as_bytes(), claimed.name.as_bytes()].concat();
        let target = Target { dir: &dir, name: OsStr::from_bytes(&name), ending: "", behind: "", stamp };
        let moved = match (moved(&target), &claimed.file) {
            (Err(error), Ok(file)) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                copy_across(claimed, file, &target, sha256).map(Some)
            }
            (moved, _) => moved,
        }?;
        dir.sync()?;
        Ok(moved)
    }
}

/// Renames a file to the first free name of a target. If another file was put in its place meanwhile, that one is
/// renamed back, and the file is gone.
fn move_to(claimed: &Claimed, target: &Target) -> io::Result<Option<PathBuf>> {
    let to = target.take(&claimed.dir, &claimed.working)?;
    if claimed.lies_at(target.dir, &to)? {
        return Ok(Some(target.dir.join(&to)));
    }
    let back = Target { dir: &claimed.dir, name: &claimed.name, ending: "", behind: "", stamp: target.stamp };
    back.take(target.dir, &to)?;
    Ok(None)
}

/// Renames `NAME.ok`, as it must not mark the next file of that name as complete.
pub(super) fn consume_marker(claimed: &Claimed, stamp: &str) -> Result<(), InboxError> {
    let marker = names::fitted(&claimed.name, ".ok");
    let target = Target { dir: &claimed.dir, name: &marker, ending: ".done", behind: "", stamp };
    match target.take(&claimed.dir, &marker) {
        Ok(_) => {
            fault::step("marker-renamed");
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(InboxError::new("cannot rename", &claimed.dir.join(&marker), error)),
    }
}

/// The archive's directory: a relative path starts at the state directory, where no feeder writes.
pub(super) fn archive_root(settings: &Settings) -> PathBuf {
    settings.state.path.join(&settings.inbox.archive)
}

/// Archives across file systems or mounts: the file is copied completely, and the copy verified, before the file is
/// removed here. A copy that an earlier attempt has finished is used as it is.
fn copy_across(claimed: &Claimed, file: &RegularFile, target: &Target, sha256: &str) -> io::Result<PathBuf> {
    let Target { dir, name, .. } = target;
    let done = |name: &OsString| dir.open_file(name).is_ok_and(|copy| copy.verify(sha256).is_ok());
    let first = target.names().take_while(|name| dir.has(name)).find(done);
    let to = match first {
        Some(to) => to,
        None => {
            let hidden = names::fitted(name, ".part");
            if dir.has(&hidden) {
                dir.remove(&hidden)?;
            }
            let mut copy = dir.create_new(&hidden, 0o600)?;
            io::copy(&mut file.pass(sha256), &mut copy)?;
            copy.sync_all()?;
            fault::step("archive-copied");
            dir.open_file(&hidden)?.verify(sha256)?;
            target.take(dir, &hidden)?
        }
    };
    dir.sync()?;
    fault::step("archived-not-removed");
    if claimed.lies_at(&claimed.dir, &claimed.working)? {
        claimed.dir.remove(&claimed.working)?;
    }
    Ok(dir.join(&to))
}

/// The original name of a held file, or `None` for any other name.
pub(super) fn held_name(name: &OsStr) -> Option<&OsStr> {
    let bytes = name.as_bytes();
    let at = bytes.windows(5).rposition(|part| part == b".held")?;
    let rest = &bytes[at + 5..];
    (rest.is_empty() || rest[0] == b'.').then(|| OsStr::from_bytes(&bytes[..at]))
}
