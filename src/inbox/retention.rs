//! What is removed by age: applied files and the lists beside them, never a file that was not applied.
//! It must not remove anything whose name is not ours to give.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ending::archive_root;
use super::{InboxError, names};
use crate::config::Settings;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// How many files were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Applied files.
    pub archives: u64,
    /// Reports, lists of errors, retry files.
    pub reports: u64,
}

/// Removes what is older than `retention` says. The age counts from when a file got its name, not from its content's
/// time of change; `now` in Unix seconds.
///
/// # Errors
/// The first file or directory that cannot be read or removed; the rest is looked at all the same at the next time.
pub fn retain(settings: &Settings, now: i64) -> Result<Removed, InboxError> {
    let days = |days: u32| (days > 0).then(|| now - i64::from(days) * DAY);
    let (archives, reports) = (days(settings.retention.archives_days), days(settings.retention.reports_days));
    let mut removed = Removed::default();
    each_file(&settings.inbox.path, &mut |path, named| {
        let name = path.file_name().unwrap_or_default().as_bytes();
        if names::is_beside(name) {
            removed.reports += u64::from(remove_older(path, named, reports)?);
        } else if names::is_done_by_us(name) {
            removed.archives += u64::from(remove_older(path, named, archives)?);
        }
        Ok(())
    })?;
    for year in directories(&archive_root(settings))? {
        for month in directories(&year)? {
            each_file(&month, &mut |path, named| {
                removed.archives += u64::from(remove_older(path, named, archives)?);
                Ok(())
            })?;
        }
    }
    Ok(removed)
}

fn remove_older(path: &Path, named: i64, before: Option<i64>) -> Result<bool, InboxError> {
    if before.is_none_or(|before| named >= before) {
        return Ok(false);
    }
    fs::remove_file(path).map_err(|error| InboxError::new("cannot remove", path, error))?;
    Ok(true)
}

/// The directories of the archive: four digits for the year, two for the month, nothing else is ours.
fn directories(dir: &Path) -> Result<Vec<std::path::PathBuf>, InboxError> {
    let numeric = |path: &Path| path.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(InboxError::new("cannot read", dir, error)),
    };
    Ok(listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir() && numeric(path)).collect())
}

/// Every regular file of a directory with the time at which it got its name, Unix seconds.
fn each_file(dir: &Path, visit: &mut impl FnMut(&Path, i64) -> Result<(), InboxError>) -> Result<(), InboxError> {
    let cannot = |error| InboxError::new("cannot read", dir, error);
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        // A directory that is away for a time has nothing to remove now.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    for entry in listed {
        let path = entry.map_err(cannot)?.path();
        if let Ok(metadata) = path.symlink_metadata()
            && metadata.is_file()
        {
            visit(&path, metadata.ctime())?;
        }
    }
    Ok(())
}
