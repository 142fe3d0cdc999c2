//! Renames the files that a manifest names when their set has ended: like the manifest, and before it.
//! It must not read the files beyond their digest.

use std::ffi::{OsStr, OsString};
use std::io;

use super::file_outcome::{consume_marker, held_name, rename};
use super::{Claimed, FileOutcome, InboxError};
use crate::config::{EncodingFallback, Settings};
use crate::disk::{Dir, RegularFile};
use crate::files::{Delimiter, TableForm};
use crate::source::bundle::{self, Announced, MANIFEST, Sent};

/// The files that a manifest names, by the names under which they are dropped; none if the manifest is invalid.
///
/// # Errors
/// It cannot be read, or reading was stopped.
pub(super) fn named(manifest: &RegularFile, fallback: EncodingFallback) -> io::Result<Vec<(String, Announced)>> {
    let (columns, fallback) = (Vec::new(), Some(fallback));
    let form = TableForm { columns, exact: false, delimiters: &Delimiter::ALL, fallback, comments: &[] };
    let manifest = Sent { name: String::new(), file: manifest.clone() };
    Ok(bundle::named_by(&manifest, &form)?.unwrap_or_default())
}

/// Renames the files of a set to its outcome, but only those whose digest is in the manifest: another file may have
/// such a name by now, and does not belong to this set. It can be repeated after a crash.
///
/// # Errors
/// The directory's error, or that of a file that cannot be read: the manifest must not be renamed before the others.
pub(super) fn end(settings: &Settings, claimed: &Claimed, outcome: FileOutcome, stamp: &str) -> Result<(), InboxError> {
    if !claimed.is_set || !claimed.name.to_string_lossy().ends_with(MANIFEST) {
        return Ok(());
    }
    // A manifest that could never be opened has named nothing.
    let Ok(manifest) = &claimed.file else { return Ok(()) };
    let named = named(manifest, settings.flatfile.encoding_fallback);
    for (own, announced) in named.map_err(|error| InboxError::new("cannot read", &claimed.path(), error))? {
        let sha256 = announced.sha256.unwrap_or_default();
        let own = OsStr::new(&own);
        for lying in candidates(&claimed.dir, own)? {
            let Some(file) = Claimed::of(&claimed.dir, own, &lying, claimed.token.clone())? else { continue };
            // A link, or a file that may not be read, did not belong to the set either.
            let Ok(opened) = &file.file else { continue };
            let found = opened.digest().map_err(|error| InboxError::new("cannot read", &file.path(), error))?;
            if found.0 == sha256 {
                consume_marker(&file, stamp)?;
                rename(settings, &file, outcome, "", stamp, &sha256)?;
                break;
            }
        }
    }
    Ok(())
}

/// The names that a file of a set may have: its own, or that of a held file.
fn candidates(dir: &Dir, own: &OsStr) -> Result<Vec<OsString>, InboxError> {
    let listed = dir.names().map_err(|error| InboxError::new("cannot read the drop directory", dir.path(), error))?;
    let held = listed.into_iter().filter(|name| held_name(name) == Some(own));
    Ok(std::iter::once(own.to_owned()).chain(held).collect())
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config;
    use crate::disk::digest_of;
    use crate::inbox::Found;

    /// Otherwise the manifest would be renamed without its files, and these would be drops of their own.
    #[test]
    fn what_cannot_be_read_keeps_the_manifest_from_its_end() {
        let place = tempfile::tempdir().unwrap();
        let (part, _) = digest_of(&mut "user,course\n".as_bytes()).unwrap();
        std::fs::write(place.path().join("a.csv"), "user,course\n").unwrap();
        let manifest = format!("file,rows,sha256\na.csv,0,{part}\n");
        std::fs::write(place.path().join("night.manifest.csv"), manifest).unwrap();
        let stop = CancellationToken::new();
        let dir = Dir::open(place.path()).unwrap().bounded(u64::MAX, &stop);
        let found = Found { name: "night.manifest.csv".into(), working: None, mtime_ns: 0 };
        let claimed = Claimed::take(&dir, &found, true).unwrap().unwrap();
        let settings = config::load(&config::Sources::default()).unwrap().settings;
        stop.cancel();
        end(&settings, &claimed, FileOutcome::Done, "20261121-100000").unwrap_err();
        assert!(place.path().join("a.csv").exists());
        let dir = Dir::open(place.path()).unwrap();
        let again = Found { name: claimed.working.clone(), working: Some((found.name, claimed.token)), mtime_ns: 0 };
        let claimed = Claimed::take(&dir, &again, true).unwrap().unwrap();
        end(&settings, &claimed, FileOutcome::Done, "20261121-100000").unwrap();
        assert!(place.path().join("a.csv.done").exists() && !place.path().join("a.csv").exists());
    }
}
