//! Writes `lock.txt`, which shows feeders that the directory is being read (spec files 1.1).
//! It must not replace the claims, which alone keep other readers from a file.

use std::ffi::OsStr;
use std::io::Write;

use super::names::READER_LOCK;
use crate::disk::Dir;
use crate::fault;

/// How our lock begins; that of another reader begins differently.
const OURS: &[u8] = b"enrold ";
/// Its name until it is written.
const DRAFT: &str = ".enrold-lock.draft";
/// Readable for accounts that may list the directory.
const MODE: u32 = 0o640;

/// Our `lock.txt`, until it is dropped.
pub struct ReaderLock(Option<Dir>);

impl ReaderLock {
    /// Writes the lock. It is only a courtesy: if it cannot be written (a full disk), work goes on.
    pub fn set(dir: &Dir, clock: i64) -> Self {
        let (lock, draft) = (OsStr::new(READER_LOCK), OsStr::new(DRAFT));
        if Self::is_ours(dir) {
            // The lock is left over; if it cannot be removed, it stays.
            drop(dir.remove(lock));
        }
        // The hidden name comes first because an empty lock, after a crash, would count as another reader's. A link
        // that was put here is not written through.
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

    /// Removes the lock that a crashed enrold left: feeders would wait for it until the next file arrives.
    pub fn remove_left(dir: &Dir) {
        // Usually there is none.
        drop(dir.remove(OsStr::new(DRAFT)));
        if Self::is_ours(dir) {
            drop(Self(Some(dir.clone())));
        }
    }

    /// True if an enrold left the lock: only one reads the directory, so that process has ended.
    pub fn is_ours(dir: &Dir) -> bool {
        let beginning = dir.open_file(OsStr::new(READER_LOCK)).and_then(|file| file.beginning(64));
        beginning.is_ok_and(|bytes| bytes.starts_with(OURS))
    }
}

impl Drop for ReaderLock {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            // If it cannot be removed, the next scan recognises it as ours.
            drop(dir.remove(OsStr::new(READER_LOCK)));
        }
    }
}
