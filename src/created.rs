//! Files and directories of enrold's own, made with a mode that does not depend on the umask of the process.
//! It must not know what they hold, and it changes no mode of what stood there before.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Read and written by enrold's account alone.
pub const PRIVATE: u32 = 0o600;
/// A directory for enrold's account alone.
pub const PRIVATE_DIR: u32 = 0o700;

/// Makes a new file of this mode, open for reading and writing; a file or a link of that name is an error.
///
/// # Errors
/// The directory's.
pub fn file(path: &Path, mode: u32) -> io::Result<File> {
    // Never wider than its mode, not for a moment; then as wide as its mode, where the umask takes from it.
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Makes a directory of this mode, and those above it that are missing.
///
/// # Errors
/// Something else has the name, or the directory above it refuses.
pub fn directory(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        directory(above, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        // Somebody else made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}
