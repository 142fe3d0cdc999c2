//! Files of enrold's own, in directories where nobody else writes: made for its account alone, whatever the umask.
//! It must not be used for what a feeder may have put somewhere.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Opens a file to read it.
///
/// # Errors
/// The file system's, of this and of all functions here.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Makes a file that is not there yet, open for reading and writing, mode 0600.
///
/// # Errors
/// See [`open`].
pub fn create_new(path: &Path) -> io::Result<File> {
    private(File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?)
}

/// Makes a file, in the place of an earlier one of that name, mode 0600.
///
/// # Errors
/// See [`open`].
pub fn create(path: &Path) -> io::Result<File> {
    private(File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?)
}

/// An umask may have taken rights from the owner, too; an earlier file of the name may have had more.
fn private(file: File) -> io::Result<File> {
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes a directory and those above it that are missing, mode 0700.
///
/// # Errors
/// See [`open`].
pub fn make_directories(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
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
