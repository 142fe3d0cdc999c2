//! Writes the lines whose time to wait is over into the drop directory, as input that somebody drops again.
//! It must not know which lines wait: it gets records.

use std::ffi::OsString;

use chrono_tz::Tz;

use super::draft::Draft;
use super::{InboxError, names};
use crate::config::Settings;
use crate::disk::Dir;

/// Writes `waiting-expired-STAMP.retry.csv`, where the stamp is `at` (Unix seconds) by the clock of `zone`; `of` comes
/// before the ending and keeps files of one moment apart. Like each retry file it is no input under this name and keeps
/// its texts as they are. The same call writes the same file. Returns its name.
///
/// # Errors
/// The directory's error, for example a full disk.
pub fn write_expired(
    settings: &Settings,
    (at, zone): (i64, Tz),
    of: &str,
    records: &[Vec<String>],
) -> Result<String, InboxError> {
    let path = &settings.inbox.path;
    let dir = Dir::open(path).map_err(|error| InboxError::new("cannot open", path, error))?;
    let stem = format!("waiting-expired-{}{of}", names::stamp(at, zone));
    let name = format!("{stem}.retry.csv");
    let mut draft = Draft::begin(&dir, &OsString::from(&name), &stem)?;
    let mut out = csv::Writer::from_writer(&mut draft);
    let written = records.iter().try_for_each(|record| out.write_record(record)).map_err(std::io::Error::from);
    let written = written.and_then(|()| out.flush());
    drop(out);
    written.map_err(|error| draft.cannot(error))?;
    draft.finish()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::names::{self, Sort};

    #[test]
    fn the_file_is_no_input_until_it_is_renamed() {
        for name in
            ["waiting-expired-20261121-070000.retry.csv", "waiting-expired-20261121-070000-email-shortname.retry.csv"]
        {
            assert_eq!(names::sort(OsStr::new(name)), Sort::Aside, "{name}");
            assert!(names::is_beside(name.as_bytes()), "{name}");
        }
        assert_eq!(names::sort(OsStr::new("waiting-expired-20261121-070000.csv")), Sort::Input);
    }
}
