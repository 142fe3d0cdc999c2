//! A file beside a drop that is whole or not there: written under a hidden name, on the disk before it gets its own.
//! It must not know what is written.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::InboxError;
use crate::fault;

/// A file that is being written; dropped before it is finished, nothing of it is left.
pub struct Draft {
    out: BufWriter<File>,
    hidden: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl Draft {
    /// Begins a file; `mark` keeps its hidden name apart from others.
    ///
    /// # Errors
    /// The directory's.
    pub fn begin(path: PathBuf, mark: &str) -> Result<Self, InboxError> {
        let hidden = path.with_file_name(format!(".enrold-{mark}.draft"));
        // What an earlier try left, or a link that somebody put here, is not written through.
        drop(fs::remove_file(&hidden));
        let file = File::create_new(&hidden).map_err(|error| InboxError::new("cannot write", &path, error))?;
        Ok(Self { out: BufWriter::new(file), hidden, path, finished: false })
    }

    /// Gives the file its name, in the place of an earlier one of that name.
    ///
    /// # Errors
    /// The directory's, a full disk among them.
    pub fn finish(mut self) -> Result<(), InboxError> {
        let whole = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        fault::step("draft-written");
        let named = whole.and_then(|()| fs::rename(&self.hidden, &self.path));
        self.finished = named.is_ok();
        named.map_err(|error| self.cannot(error))
    }

    /// The error of a write, with the file that cannot be written.
    pub fn cannot(&self, error: impl Into<std::io::Error>) -> InboxError {
        InboxError::new("cannot write", &self.path, error.into())
    }
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
            // What stays is written over at the next try.
            drop(fs::remove_file(&self.hidden));
        }
    }
}
