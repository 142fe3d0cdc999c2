//! Removes files by age: applied files and the lists beside them, never a file that was not applied.
//! It must not remove a file whose name enrold did not give.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::file_outcome::archive_root;
use super::{InboxError, names};
use crate::config::Settings;
use crate::disk::Dir;

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

/// Removes what is older than `retention` allows. The age counts from the last renaming of a file, not from the last
/// change of its content; `now` in Unix seconds.
///
/// # Errors
/// The first file or directory that cannot be read or removed; the next call processes the rest.
pub fn retain(settings: &Settings, now: i64) -> Result<Removed, InboxError> {
    let days = |days: u32| (days > 0).then(|| now - i64::from(days) * DAY);
    let (archives, reports) = (days(settings.retention.archives_days), days(settings.retention.reports_days));
    let mut removed = Removed::default();
    if let Some(inbox) = opened(&settings.inbox.path)? {
        each_file(&inbox, &mut |name, named| {
            if names::is_beside(name.as_bytes()) {
                removed.reports += u64::from(remove_older(&inbox, name, named, reports)?);
            } else if names::is_done_by_us(name.as_bytes()) {
                removed.archives += u64::from(remove_older(&inbox, name, named, archives)?);
            }
            Ok(())
        })?;
    }
    if let Some(archive) = opened(&archive_root(settings))? {
        for month in numbered(&archive)?.iter().map(numbered).collect::<Result<Vec<_>, _>>()?.iter().flatten() {
            each_file(month, &mut |name, named| {
                removed.archives += u64::from(remove_older(month, name, named, archives)?);
                Ok(())
            })?;
        }
    }
    Ok(removed)
}

/// Opens a configured directory. If it is temporarily absent, there is nothing to remove now.
fn opened(path: &Path) -> Result<Option<Dir>, InboxError> {
    match Dir::open(path) {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(InboxError::new("cannot read", path, error)),
    }
}

fn remove_older(dir: &Dir, name: &OsStr, named: i64, before: Option<i64>) -> Result<bool, InboxError> {
    if before.is_none_or(|before| named >= before) {
        return Ok(false);
    }
    dir.remove(name).map_err(|error| InboxError::new("cannot remove", &dir.join(name), error))?;
    Ok(true)
}

/// The directories of the archive: digits for year and month; other names and links are not enrold's.
fn numbered(dir: &Dir) -> Result<Vec<Dir>, InboxError> {
    let cannot = |error| InboxError::new("cannot read", dir.path(), error);
    let is_number = |name: &OsString| name.as_bytes().iter().all(u8::is_ascii_digit);
    let names = dir.names().map_err(cannot)?.into_iter().filter(is_number);
    let ours = names.filter(|name| dir.status(name).is_ok_and(|status| status.is_dir()));
    ours.map(|name| dir.open_dir(&name).map_err(cannot)).collect()
}

/// Visits each regular file of a directory with the time of its last renaming, Unix seconds.
fn each_file(dir: &Dir, visit: &mut impl FnMut(&OsStr, i64) -> Result<(), InboxError>) -> Result<(), InboxError> {
    let names = dir.names().map_err(|error| InboxError::new("cannot read", dir.path(), error))?;
    for name in names {
        if let Ok(status) = dir.status(&name)
            && status.is_file()
        {
            visit(&name, status.ctime.0)?;
        }
    }
    Ok(())
}
