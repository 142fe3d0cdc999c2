//! Files of enrold's own, in directories where nobody else writes: made for its account alone, whatever the umask.
//! It must not be used for what a feeder may have put somewhere.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Read and written by enrold's account alone.
pub const PRIVATE: u32 = 0o600;
/// A directory for enrold's account alone.
pub const PRIVATE_DIR: u32 = 0o700;

/// Opens a file to read it.
///
/// # Errors
/// The file system's, of this and of all functions here.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Makes a file that is not there yet, open for reading and writing, for enrold's account alone.
///
/// # Errors
/// See [`open`]; a file or a link of that name.
pub fn create_new(path: &Path) -> io::Result<File> {
    create_with(path, PRIVATE)
}

/// Makes a file of this mode that is not there yet, open for reading and writing.
///
/// # Errors
/// As [`create_new`].
pub fn create_with(path: &Path, mode: u32) -> io::Result<File> {
    // Never wider than its mode, not for a moment; then as wide as its mode, where the umask takes from it.
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Makes a file, in the place of an earlier one of that name, for enrold's account alone.
///
/// # Errors
/// See [`open`].
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(true).mode(PRIVATE).open(path)?;
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    Ok(file)
}

/// Makes a directory and those above it that are missing, for enrold's account alone.
///
/// # Errors
/// See [`open`].
pub fn make_directories(path: &Path) -> io::Result<()> {
    make_directories_with(path, PRIVATE_DIR)
}

/// The same with another mode; what stood there before keeps its own.
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
        // Somebody else made it meanwhile.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Renames, over an earlier file of that name.
///
/// # Errors
/// See [`open`].
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a file, if it is there.
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

/// Makes what happened to the names of a directory survive a power cut.
///
/// # Errors
/// See [`open`].
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The names in a directory; none if it is not there.
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
