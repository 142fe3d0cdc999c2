//! A regular file that was opened once: every pass reads by its descriptor, whatever happens to its name, and fails if
//! its bytes are not those of the first pass. It must not know names, nor wait for anything but the disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, fchmod, fchown, fstat, futimens};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::sealed::{Opener, StateKey, content_size};

/// How many bytes are read at a time where a file is only digested or copied.
const CHUNK: usize = 1 << 16;

/// The bytes of a pass are not those of the first one: the file was written to.
#[derive(Debug, thiserror::Error)]
#[error("it was written to while it was read")]
pub struct Changed;

/// The process ends: nothing more is read.
#[derive(Debug, thiserror::Error)]
#[error("reading was stopped, the program ends")]
pub struct Stopped;

/// The file is larger than the limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it has {bytes} bytes, more than the {} MiB that one file may have (limits.file_mib)", limit >> 20)]
pub struct TooLarge {
    /// Its size in bytes, as far as it was read.
    pub bytes: u64,
    /// The limit in bytes.
    pub limit: u64,
}

impl TooLarge {
    /// The [`TooLarge`] that an error holds, if any.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).copied()
    }
}

/// True for an error that holds [`Changed`].
pub fn is_changed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Changed>())
}

/// True for an error that holds [`Stopped`].
pub fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

/// The status of a file, without following a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The device number.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// The time of the last change of the content, seconds and nanoseconds since 1970. Its owner can set it.
    pub mtime: (i64, i64),
    /// The time of the last change of content, owner, mode or name, likewise. It cannot be set.
    pub ctime: (i64, i64),
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Regular,
    Directory,
    Link,
    Other,
}

impl Status {
    pub(super) fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::Regular,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as i64),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as i64),
            kind,
        }
    }

    /// True for a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::Regular
    }

    /// True for a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// True if both are the same file, whatever was changed in it.
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// True if both are the same file with the same size and modification time: an active writer would change them.
    pub fn stands_as(&self, other: &Self) -> bool {
        self.is_same_file(other) && (self.size, self.mtime) == (other.size, other.mtime)
    }

    /// Refuses anything but a regular file, with a message for the feeder.
    pub(super) fn require_regular(&self) -> io::Result<()> {
        let odd = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        match self.kind {
            Kind::Regular => Ok(()),
            Kind::Link => odd("a symbolic link; put the file itself here"),
            Kind::Directory | Kind::Other => odd("not a regular file"),
        }
    }
}

/// A regular file, open for reading.
#[derive(Clone, Debug)]
pub struct RegularFile {
    file: Arc<File>,
    /// Its status when it was opened.
    opened: Status,
    limit: u64,
    stop: CancellationToken,
    /// Opens the content, if the file is sealed.
    opener: Option<Arc<Opener>>,
}

impl PartialEq for RegularFile {
    fn eq(&self, other: &Self) -> bool {
        self.opened == other.opened
    }
}

impl Eq for RegularFile {}

impl RegularFile {
    /// Wraps an open descriptor; refuses anything but a regular file of at most `limit` bytes.
    pub(super) fn new(fd: OwnedFd, limit: u64, stop: CancellationToken) -> io::Result<Self> {
        let opened = Status::of(&fstat(&fd)?);
        opened.require_regular()?;
        if opened.size > limit {
            return Err(io::Error::other(TooLarge { bytes: opened.size, limit }));
        }
        Ok(Self { file: Arc::new(File::from(fd)), opened, limit, stop, opener: None })
    }

    /// The content of a sealed file, with at most `limit` bytes.
    pub(super) fn opened_with(mut self, limit: u64, key: &StateKey, context: &str) -> io::Result<Self> {
        let opener = Opener::of_file(&self.file, self.opened.size, key, context)?;
        if opener.size > limit {
            return Err(io::Error::other(TooLarge { bytes: opener.size, limit }));
        }
        (self.opened.size, self.limit, self.opener) = (opener.size, limit, Some(Arc::new(opener)));
        Ok(self)
    }

    /// Its status when it was opened.
    pub fn opened(&self) -> &Status {
        &self.opened
    }

    /// Its present status.
    ///
    /// # Errors
    /// The file system's error.
    pub fn now(&self) -> io::Result<Status> {
        let mut status = Status::of(&fstat(&*self.file)?);
        if self.opener.is_some() {
            status.size = content_size(status.size).unwrap_or(0);
        }
        Ok(status)
    }

    /// Gives another file, a copy of this one, its owner and group as far as the system permits, its mode, and the time
    /// of the last change of its content.
    ///
    /// # Errors
    /// The file system's error.
    pub fn lend_attributes(&self, to: &File) -> io::Result<()> {
        let stat = fstat(&*self.file)?;
        // Only root may give a file away, and only a member may give it to a group.
        let _ = fchown(to, None, Some(Gid::from_raw(stat.st_gid)));
        let _ = fchown(to, Some(Uid::from_raw(stat.st_uid)), None);
        fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o777))?;
        let changed = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
        Ok(futimens(to, &Timestamps { last_access: changed, last_modification: changed })?)
    }

    /// A reader with free positions, from the beginning: for a first pass, and for formats that are not read
    /// sequentially.
    pub fn cursor(&self) -> Cursor {
        Cursor { file: self.clone(), at: 0 }
    }

    /// Reads it once more from beginning to end; the end is an error ([`Changed`]) if the bytes do not have the digest
    /// of an earlier pass. A caller that stops before the end calls [`Pass::finish`].
    pub fn pass(&self, sha256: &str) -> Pass {
        Pass { cursor: self.cursor(), digest: Sha256::new(), expected: sha256.to_owned(), ended: false }
    }

    /// The SHA-256 of its bytes, in hexadecimal digits, and their number.
    ///
    /// # Errors
    /// The file system's error, [`TooLarge`], [`Stopped`].
    pub fn digest(&self) -> io::Result<(String, u64)> {
        digest_of(&mut self.cursor())
    }

    /// Fails with [`Changed`] if its bytes do not have this digest.
    ///
    /// # Errors
    /// As [`RegularFile::digest`].
    pub fn verify(&self, sha256: &str) -> io::Result<()> {
        self.pass(sha256).finish()
    }

    /// True if its bytes still have this digest. They are read again only if its status has changed and its size has
    /// not.
    ///
    /// # Errors
    /// As [`RegularFile::digest`].
    pub fn is_still(&self, sha256: &str) -> io::Result<bool> {
        let now = self.now()?;
        if now == self.opened {
            return Ok(true);
        }
        if now.size != self.opened.size {
            return Ok(false);
        }
        match self.verify(sha256) {
            Err(error) if is_changed(&error) => Ok(false),
            verified => verified.map(|()| true),
        }
    }

    /// Its first bytes, at most `most`.
    ///
    /// # Errors
    /// The file system's error.
    pub fn beginning(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.cursor().take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other(Stopped));
        }
        let read = match &self.opener {
            Some(opener) => opener.read_at(|from, into| self.file.read_exact_at(into, from), at, buffer)?,
            None => self.file.read_at(buffer, at)?,
        };
        let bytes = at + read as u64;
        if bytes > self.limit {
            return Err(io::Error::other(TooLarge { bytes, limit: self.limit }));
        }
        Ok(read)
    }
}

/// A position in a file.
#[derive(Clone, Debug)]
pub struct Cursor {
    file: RegularFile,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.file.now()?.size, by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a position before the file's beginning");
        self.at = base.checked_add_signed(by).ok_or_else(before)?;
        Ok(self.at)
    }
}

/// A pass over a whole file whose digest is known ([`RegularFile::pass`]).
#[derive(Debug)]
pub struct Pass {
    cursor: Cursor,
    digest: Sha256,
    expected: String,
    ended: bool,
}

impl Pass {
    /// Reads the rest and compares the digest.
    ///
    /// # Errors
    /// [`Changed`], or the file system's error.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut rest = vec![0; CHUNK];
        while self.read(&mut rest)? > 0 {}
        Ok(())
    }
}

impl Read for Pass {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.cursor.read(buffer)?;
        self.digest.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && !self.ended {
            self.ended = true;
            if format!("{:x}", self.digest.clone().finalize()) != self.expected {
                return Err(io::Error::other(Changed));
            }
        }
        Ok(read)
    }
}

impl Seek for Pass {
    /// Restarts the pass; the bytes before the position count into the digest, too.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a pass is read from the beginning"));
        };
        self.cursor.at = 0;
        self.digest = Sha256::new();
        self.ended = false;
        io::copy(&mut self.by_ref().take(at), &mut io::sink())
    }
}

/// The SHA-256 of a reader's bytes, in hexadecimal digits, and their number.
///
/// # Errors
/// The reader's error.
pub fn digest_of(from: &mut impl Read) -> io::Result<(String, u64)> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok((format!("{:x}", hasher.finalize()), bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}
