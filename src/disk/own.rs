//! enrold's own files, in directories where no other account writes: created for its account only, whatever the umask.
//! It must not be used for files that a feeder may have put somewhere.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Read and written by enrold's account alone.
pub const PRIVATE: u32 = 0o600;
/// A directory for enrold's account alone.
pub const PRIVATE_DIR: u32 = 0o700;

/// Opens a file for reading.
///
/// # Errors
/// The file system's error, here and in all functions of this module.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Creates a new file, open for reading and writing, for enrold's account only.
///
/// # Errors
/// See [`open`]; a file or a link has that name.
pub fn create_new(path: &Path) -> io::Result<File> {
    create_with(path, PRIVATE)
}

/// Creates a new file of this mode, open for reading and writing.
///
/// # Errors
/// As [`create_new`].
pub fn create_with(path: &Path, mode: u32) -> io::Result<File> {
    // The file never has more than its mode; the second call restores the bits that the umask removed.
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Creates a file, or truncates an existing one, for enrold's account only.
///
/// # Errors
/// See [`open`].
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(true).mode(PRIVATE).open(path)?;
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    Ok(file)
}

/// Creates a directory and its missing parents, for enrold's account only.
///
/// # Errors
/// See [`open`].
pub fn make_directories(path: &Path) -> io::Result<()> {
    make_directories_with(path, PRIVATE_DIR)
}

/// The same with another mode; existing directories keep theirs.
///
/// # Errors
/// See [`open`]; something else has the name.
pub fn make_directories_with(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_directories_with(above, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(mode)),
        // Another process created it meanwhile.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Renames a file, replacing an existing one of the new name.
///
/// # Errors
/// See [`open`].
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a file, if it exists.
///
/// # Errors
/// See [`open`].
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes a directory with all that is in it.
///
/// # Errors
/// See [`open`].
pub fn remove_directory(path: &Path) -> io::Result<()> {
    std::fs::remove_dir_all(path)
}

/// Syncs a directory, so that changes of its names survive a power cut.
///
/// # Errors
/// See [`open`].
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The names in a directory; none if it does not exist.
///
/// # Errors
/// See [`open`].
pub fn names(path: &Path) -> io::Result<Vec<OsString>> {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether there is a file of this name.
pub fn is_there(path: &Path) -> bool {
    path.exists()
}
