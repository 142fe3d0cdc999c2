//! A directory by its descriptor: accounts that write there can create links, pipes and other files of any name, and
//! swap them at any moment; none of that leads out of it or blocks. It must not know what the names mean.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, fchmod, fstat, fsync, mkdirat, openat, openat2, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::file::{RegularFile, Status};
use super::sealed::StateKey;

/// How often opening a file is tried while another process releases it (a lease), or while its path is changing.
const TRIES: u32 = 20;
/// The time between two of these tries.
const BETWEEN: Duration = Duration::from_millis(20);

/// An open directory; cheap to share.
#[derive(Clone, Debug)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    path: Arc<Path>,
    limit: u64,
    stop: CancellationToken,
}

impl Dir {
    /// Opens a directory that the configuration or the command line names; links in its path are followed.
    ///
    /// # Errors
    /// The file system's error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())?;
        Ok(Self::new(fd, path.into(), u64::MAX, CancellationToken::new()))
    }

    /// Opens the directory of a file that the command line names.
    ///
    /// # Errors
    /// The file system's error.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        Self::open(above.unwrap_or(Path::new(".")))
    }

    fn new(fd: OwnedFd, path: Arc<Path>, limit: u64, stop: CancellationToken) -> Self {
        Self { fd: Arc::new(fd), path, limit, stop }
    }

    /// The same directory; a file with more than `limit` bytes is refused, and reading ends when `stop` is cancelled.
    pub fn bounded(self, limit: u64, stop: &CancellationToken) -> Self {
        Self { limit, stop: stop.clone(), ..self }
    }

    /// The path under which it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name in it as a path, for messages.
    pub fn join(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// The status of the directory itself.
    ///
    /// # Errors
    /// The file system's error.
    pub fn here(&self) -> io::Result<Status> {
        Ok(Status::of(&fstat(&*self.fd)?))
    }

    /// All names in it but `.` and `..`.
    ///
    /// # Errors
    /// The file system's error, here and in all functions of this type.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&*self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// The status of a name; a link is not followed.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn status(&self, name: &OsStr) -> io::Result<Status> {
        plain(name)?;
        Ok(Status::of(&statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Whether a name exists. On an error it counts as absent: the next operation on it reports the error.
    pub fn has(&self, name: &OsStr) -> bool {
        self.status(name).is_ok()
    }

    /// Opens a regular file; everything else is `InvalidInput`. It never blocks, not even for the writer of a pipe.
    ///
    /// # Errors
    /// See [`Dir::names`]; [`super::TooLarge`].
    pub fn open_file(&self, name: &OsStr) -> io::Result<RegularFile> {
        // A device is not even opened.
        self.status(name)?.require_regular()?;
        let fd = self.beneath(name, OFlags::RDONLY | OFlags::NOCTTY)?;
        RegularFile::new(fd, self.limit, self.stop.clone())
    }

    /// Opens a file of enrold's own, or one that the command line names; links are followed.
    ///
    /// # Errors
    /// See [`Dir::open_file`].
    pub fn open_named(path: &Path) -> io::Result<RegularFile> {
        Self::open_within(path, u64::MAX)
    }

    /// The same, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// See [`Dir::open_file`].
    pub fn open_within(path: &Path, limit: u64) -> io::Result<RegularFile> {
        Status::of(&rustix::fs::stat(path)?).require_regular()?;
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = patiently(|| openat(CWD, path, flags, Mode::empty()))?;
        RegularFile::new(fd, limit, CancellationToken::new())
    }

    /// Opens a sealed file of enrold's own whose content has at most `limit` bytes; it is read as if it were not
    /// sealed.
    ///
    /// # Errors
    /// See [`Dir::open_file`]; it was sealed with another key or for another context. Reading fails where it is
    /// damaged.
    pub fn open_sealed(path: &Path, limit: u64, key: &StateKey, context: &str) -> io::Result<RegularFile> {
        Self::open_named(path)?.opened_with(limit, key, context)
    }

    /// Opens a directory in it.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let fd = self.beneath(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Self::new(fd, self.join(name).into(), self.limit, self.stop.clone()))
    }

    /// Opens a directory in it, and creates it (0700) if it is missing.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn make_dir(&self, name: &OsStr) -> io::Result<Self> {
        plain(name)?;
        match mkdirat(&*self.fd, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => self.open_dir(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a new file with exactly this mode.
    ///
    /// # Errors
    /// See [`Dir::names`]; `AlreadyExists` for anything of that name, also a link.
    pub fn create_new(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        plain(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&*self.fd, name, flags, Mode::from_raw_mode(mode))?;
        fchmod(&fd, Mode::from_raw_mode(mode))?;
        Ok(File::from(fd))
    }

    /// Renames to a name that does not exist, perhaps in another directory; a name that exists is `AlreadyExists`.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn rename_new(&self, from: &OsStr, to_dir: &Self, to: &OsStr) -> io::Result<()> {
        plain(from)?;
        plain(to)?;
        match renameat_with(&*self.fd, from, &*to_dir.fd, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            // The file system does not support this (some network mounts).
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match to_dir.status(to) {
                Ok(_) => Err(ErrorKind::AlreadyExists.into()),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(renameat(&*self.fd, from, &*to_dir.fd, to)?),
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Renames a file, replacing an existing one of the new name.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn rename_over(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        plain(from)?;
        plain(to)?;
        Ok(renameat(&*self.fd, from, &*self.fd, to)?)
    }

    /// Removes a name that is no directory.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        plain(name)?;
        Ok(unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Syncs the directory, so that changes of its names survive a power cut.
    ///
    /// # Errors
    /// See [`Dir::names`].
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&*self.fd)?)
    }

    /// Opens a name without leaving the directory or following a link.
    fn beneath(&self, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        plain(name)?;
        let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let open = || match openat2(&*self.fd, name, flags, Mode::empty(), resolve) {
            // The kernel is older, or a filter of system calls refuses `openat2`.
            Err(Errno::NOSYS | Errno::PERM) => step(&*self.fd, name, flags),
            opened => opened,
        };
        patiently(open).map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => io::Error::new(ErrorKind::InvalidInput, "a symbolic link; put the file itself here"),
            Some(Errno::NXIO) => io::Error::new(ErrorKind::InvalidInput, "not a regular file"),
            _ => error,
        })
    }
}

/// Opens a single name without `openat2`: as it holds no path, only a link could lead out of the directory.
fn step(dir: impl AsFd, name: &OsStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat(dir, name, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// Tries again while the system reports a temporary error.
fn patiently(open: impl Fn() -> rustix::io::Result<OwnedFd>) -> io::Result<OwnedFd> {
    let mut tried = 1;
    loop {
        match open() {
            Err(Errno::AGAIN | Errno::INTR) if tried < TRIES => tried += 1,
            opened => return Ok(opened?),
        }
        std::thread::sleep(BETWEEN);
    }
}

/// Refuses a name that is not exactly one component of a path.
fn plain(name: &OsStr) -> io::Result<()> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "no name of a file in a directory"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
