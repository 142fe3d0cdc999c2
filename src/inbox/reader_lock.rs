//! `lock.txt`, which tells feeders that the directory is being read (spec files 1.1).
//! It must not keep anybody out by itself: claims do that.

use std::ffi::OsStr;
use std::io::Write;

use super::names::READER_LOCK;
use crate::disk::Dir;
use crate::fault;

/// How our lock begins; another reader's begins otherwise.
const OURS: &[u8] = b"enrold ";
/// Its name until it is written.
const DRAFT: &str = ".enrold-lock.draft";
/// Readable for those who may list the directory.
const MODE: u32 = 0o640;

/// Our `lock.txt`, until it is dropped.
pub struct ReaderLock(Option<Dir>);

impl ReaderLock {
    /// Writes the lock. It is a courtesy: where it cannot be written (a full disk), work goes on.
    pub fn set(dir: &Dir, clock: i64) -> Self {
        let (lock, draft) = (OsStr::new(READER_LOCK), OsStr::new(DRAFT));
        if Self::is_ours(dir) {
            // Left over; if it stays, so be it.
            drop(dir.remove(lock));
        }
        // An empty lock, if we died now or the power were cut, would be another reader's.
        // A link that somebody put here is not written through.
        drop(dir.remove(draft));
        let written = dir.create_new(draft, MODE).and_then(|mut file| {
            file.write_all(OURS)?;
            writeln!(file, "{} {clock}", std::process::id())?;
            file.sync_all()
        });
        fault::step("lock-written");
        // Another reader's lock stays as it is.
        let named = written.and_then(|()| dir.rename_new(draft, dir, lock));
        if named.is_err() {
            drop(dir.remove(draft));
        }
        Self(named.is_ok().then(|| dir.clone()))
    }

    /// Removes the lock that an enrold left when it died: feeders would wait for it until the next file comes.
    pub fn remove_left(dir: &Dir) {
        // If it is not there, all is well.
        drop(dir.remove(OsStr::new(DRAFT)));
        if Self::is_ours(dir) {
            drop(Self(Some(dir.clone())));
        }
    }

    /// True if the lock was left by an enrold: only one reads the directory, so it died.
    pub fn is_ours(dir: &Dir) -> bool {
        let beginning = dir.open_file(OsStr::new(READER_LOCK)).and_then(|file| file.beginning(64));
        beginning.is_ok_and(|bytes| bytes.starts_with(OURS))
    }
}

impl Drop for ReaderLock {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            // What cannot be removed is recognised as ours at the next look.
            drop(dir.remove(OsStr::new(READER_LOCK)));
        }
    }
}
