//! A file beside a drop that is complete or absent: written under a hidden name, synced before it gets its own.
//! It must not know what is written.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};

use super::{InboxError, names};
use crate::disk::Dir;
use crate::fault;

/// Readable for the feeders, whose group the directory gives it, and for no other account; the umask does not apply.
const MODE: u32 = 0o640;

/// A file that is being written; if it is dropped unfinished, nothing of it is left.
pub struct Draft {
    out: BufWriter<File>,
    dir: Dir,
    hidden: OsString,
    name: OsString,
    finished: bool,
}

impl Draft {
    /// Begins a file; `mark` distinguishes its hidden name from others.
    ///
    /// # Errors
    /// The directory's error.
    pub fn begin(dir: &Dir, name: &OsStr, mark: &str) -> Result<Self, InboxError> {
        let hidden = OsString::from(format!(".enrold-{mark}.draft"));
        let made = create(dir, &hidden).or_else(|error| match error.kind() {
            // Something with this name cannot be removed, for example a directory.
            ErrorKind::AlreadyExists => {
                let other = OsString::from(format!(".enrold-{mark}-{}.draft", names::new_token(name)));
                create(dir, &other)
            }
            _ => Err(error),
        });
        let (file, hidden) = made.map_err(|error| InboxError::new("cannot write", &dir.join(name), error))?;
        Ok(Self { out: BufWriter::new(file), dir: dir.clone(), hidden, name: name.to_owned(), finished: false })
    }

    /// Renames the file to its own name, replacing an earlier one of that name.
    ///
    /// # Errors
    /// The directory's error, for example a full disk.
    pub fn finish(mut self) -> Result<(), InboxError> {
        let whole = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        fault::step("draft-written");
        let named = whole.and_then(|()| self.dir.rename_over(&self.hidden, &self.name));
        self.finished = named.is_ok();
        named.map_err(|error| self.cannot(error))
    }

    /// The error of a write, with the file that cannot be written.
    pub fn cannot(&self, error: impl Into<std::io::Error>) -> InboxError {
        InboxError::new("cannot write", &self.dir.join(&self.name), error.into())
    }
}

/// Creates the hidden file. A leftover of an earlier attempt, or a link that was put here, is not written through.
fn create(dir: &Dir, hidden: &OsStr) -> std::io::Result<(File, OsString)> {
    drop(dir.remove(hidden));
    Ok((dir.create_new(hidden, MODE)?, hidden.to_owned()))
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // The next attempt replaces what stays.
            drop(self.dir.remove(&self.hidden));
        }
    }
}
