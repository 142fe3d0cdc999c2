//! `lock.txt`, which tells feeders that the directory is being read (spec files 1.1).
//! It must not keep anybody out by itself: claims do that.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::claim::rename_new;
use super::names::READER_LOCK;
use super::read_regular;
use crate::fault;

/// How our lock begins; another reader's begins otherwise.
const OURS: &str = "enrold ";
/// Its name until it is written.
const DRAFT: &str = ".enrold-lock.draft";

/// Our `lock.txt`, until it is dropped.
pub struct ReaderLock(Option<PathBuf>);

impl ReaderLock {
    /// Writes the lock. It is a courtesy: where it cannot be written (a full disk), work goes on.
    pub fn set(dir: &Path, clock: i64) -> Self {
        let path = dir.join(READER_LOCK);
        if Self::is_ours(dir) {
            // Left over; if it stays, so be it.
            drop(fs::remove_file(&path));
        }
        let text = format!("{OURS}{} {clock}\n", std::process::id());
        // An empty lock, if we died now or the power were cut, would be another reader's.
        let draft = dir.join(DRAFT);
        // A link that somebody put here is not written through.
        drop(fs::remove_file(&draft));
        let written = fs::File::create_new(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        fault::step("lock-written");
        // Another reader's lock stays as it is.
        let named = written.and_then(|()| rename_new(&draft, &path));
        if named.is_err() {
            drop(fs::remove_file(&draft));
        }
        Self(named.is_ok().then_some(path))
    }

    /// Removes the lock that an enrold left when it died: feeders would wait for it until the next file comes.
    pub fn remove_left(dir: &Path) {
        // If it is not there, all is well.
        drop(fs::remove_file(dir.join(DRAFT)));
        if Self::is_ours(dir) {
            drop(Self(Some(dir.join(READER_LOCK))));
        }
    }

    /// True if the lock was left by an enrold: only one reads the directory, so it died.
    pub fn is_ours(dir: &Path) -> bool {
        read_regular(&dir.join(READER_LOCK), 64).is_some_and(|bytes| bytes.starts_with(OURS.as_bytes()))
    }
}

impl Drop for ReaderLock {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed is recognised as ours at the next look.
            drop(fs::remove_file(path));
        }
    }
}
