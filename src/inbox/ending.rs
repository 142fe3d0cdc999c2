//! The end of a file's way: its lists are written, then it gets the name that says what became of it.
//! It must not decide what became of it: the run's report says so.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::claim::rename_free;
use super::{Claimed, InboxError, followers, lists, names, sync_directory};
use crate::config::{DoneMode, Settings};
use crate::db::Database;
use crate::fault;
use crate::run::{Report, RunError, State, zone};
use crate::source::bundle;

/// What kept a file from getting its name: its run stands all the same, and its end is tried again.
#[derive(Debug, thiserror::Error)]
pub enum EndingError {
    /// The directory's word.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The failed lines could not be read from the database or from the file.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was applied.
    Done,
    /// It cannot be read at all.
    Failed,
    /// It waits for a decision.
    Held,
    /// Somebody has put it aside.
    Rejected,
}

impl Ending {
    /// The end of a run in this state; `None` if the file is to be tried again.
    pub fn of(state: State) -> Option<Self> {
        match state {
            State::Done | State::DoneWithErrors | State::Approved => Some(Self::Done),
            State::Failed => Some(Self::Failed),
            State::Held => Some(Self::Held),
            State::Rejected => Some(Self::Rejected),
            State::Running | State::Interrupted | State::Simulated | State::Skipped => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Done => ".done",
            Self::Failed => ".failed",
            Self::Held => ".held",
            Self::Rejected => ".rejected",
        }
    }
}

/// Ends the way of a file: report, list of errors, retry file, then its name. Every step may be done again after a crash.
///
/// # Errors
/// The directory's (read-only, full) or the database's; the file keeps its working name until it succeeds.
pub async fn finish(
    database: &Database,
    settings: &Settings,
    claimed: &Claimed,
    report: &Report,
    ending: Ending,
) -> Result<Option<PathBuf>, EndingError> {
    let stamp = names::stamp(report.clock, zone(settings, None));
    let stays = ending != Ending::Done || settings.inbox.done_mode == DoneMode::Rename;
    let named = stays.then(|| ending.word());
    let between = lists::write(database, settings, claimed, report, &stamp, named).await?;
    // The manifest comes last: as long as it is ours, the others are found again.
    followers::end(settings, claimed, ending, &stamp)?;
    consume_marker(claimed, &stamp)?;
    let sha256 = match &report.read_as {
        Some(read) => read.sha256.clone(),
        // The run has read the snapshot; a name in the archive tells the file.
        None if claimed.is_set => bundle::digest_of(&claimed.path).unwrap_or_default(),
        None => String::new(),
    };
    Ok(rename(settings, claimed, ending, &between, &stamp, &sha256)?)
}

/// Gives a file the name of its end, without lists; `between` stands behind its ending. `None` if it was deleted, or is gone.
///
/// # Errors
/// The directory's.
pub(super) fn rename(
    settings: &Settings,
    claimed: &Claimed,
    ending: Ending,
    between: &str,
    stamp: &str,
    sha256: &str,
) -> Result<Option<PathBuf>, InboxError> {
    let Claimed { dir, name, path, .. } = claimed;
    let renamed = match (ending, settings.inbox.done_mode) {
        (Ending::Done, DoneMode::Delete) => fs::remove_file(path).map(|()| None),
        (Ending::Done, DoneMode::Archive) => archive(settings, claimed, stamp, sha256).map(Some),
        _ => rename_free(path, dir, name, (ending.word(), between), stamp).map(Some),
    };
    let to = match renamed {
        Ok(to) => to,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.symlink_metadata().is_err() => None,
        Err(error) => return Err(InboxError::new("cannot rename", path, error)),
    };
    fault::step("renamed-not-synced");
    sync_directory(dir).map_err(|error| InboxError::new("cannot write down the new name of", path, error))?;
    fault::step("renamed");
    Ok(to)
}

/// `NAME.ok` has done its service: it must not call the next file of that name complete.
pub(super) fn consume_marker(claimed: &Claimed, stamp: &str) -> Result<(), InboxError> {
    let marker = names::fitted(&claimed.name, ".ok");
    let path = claimed.dir.join(&marker);
    match rename_free(&path, &claimed.dir, &marker, (".done", ""), stamp) {
        Ok(_) => {
            fault::step("marker-renamed");
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(InboxError::new("cannot rename", &path, error)),
    }
}

/// The archive's directory: a relative path begins at the drop directory.
pub(super) fn archive_root(settings: &Settings) -> PathBuf {
    settings.inbox.path.join(&settings.inbox.archive)
}

/// Moves a file into the archive, to `YYYY/MM/STAMP_DIGEST_NAME` (spec files 1.5).
fn archive(settings: &Settings, claimed: &Claimed, stamp: &str, sha256: &str) -> std::io::Result<PathBuf> {
    let dir = archive_root(settings).join(&stamp[..4]).join(&stamp[4..6]);
    fs::create_dir_all(&dir)?;
    let digest = sha256.get(..8).unwrap_or("unread");
    let name = [format!("{stamp}_{digest}_").as_bytes(), claimed.name.as_bytes()].concat();
    let to = match rename_free(&claimed.path, &dir, OsStr::from_bytes(&name), ("", ""), stamp) {
        Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
            copy_across(&claimed.path, &dir, OsStr::from_bytes(&name), stamp)?
        }
        other => other?,
    };
    sync_directory(&dir)?;
    Ok(to)
}

/// The archive lies on another file system: the file is copied there whole before it is removed here.
fn copy_across(from: &Path, dir: &Path, name: &OsStr, stamp: &str) -> std::io::Result<PathBuf> {
    let hidden = dir.join(names::fitted(name, ".part"));
    fs::copy(from, &hidden)?;
    fs::File::open(&hidden)?.sync_all()?;
    let to = rename_free(&hidden, dir, name, ("", ""), stamp)?;
    sync_directory(dir)?;
    fs::remove_file(from)?;
    Ok(to)
}

/// The old name of a file that waits for a decision, or nothing if its name says something else.
pub(super) fn held_name(name: &OsStr) -> Option<&OsStr> {
    let bytes = name.as_bytes();
    let at = bytes.windows(5).rposition(|part| part == b".held")?;
    let rest = &bytes[at + 5..];
    (rest.is_empty() || rest[0] == b'.').then(|| OsStr::from_bytes(&bytes[..at]))
}
