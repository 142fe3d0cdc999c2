//! The files that a manifest names: when the way of their set ends, they get the same name as the manifest, before it.
//! It must not read the files beyond their digest.

use std::ffi::{OsStr, OsString};

use super::ending::{consume_marker, held_name, rename};
use super::{Claimed, Ending, InboxError};
use crate::config::{EncodingFallback, Settings};
use crate::disk::{Dir, RegularFile};
use crate::files::{Delimiter, TableForm};
use crate::source::bundle::{self, Announced, MANIFEST, Sent};

/// The files that a manifest names, under the names at which they are dropped; none if it cannot be read.
pub(super) fn named(manifest: &RegularFile, fallback: EncodingFallback) -> Vec<(String, Announced)> {
    let form = TableForm { columns: Vec::new(), exact: false, delimiters: &Delimiter::ALL, fallback: Some(fallback) };
    let manifest = Sent { name: String::new(), file: manifest.clone() };
    match bundle::named_by(&manifest, &form) {
        Ok(Ok(named)) => named,
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// Gives the files of a set the name of its end. Only those whose bytes are what the manifest says: another one of that
/// name may lie there by now, and is none of this set. May be done again after a crash.
///
/// # Errors
/// The directory's.
pub(super) fn end(settings: &Settings, claimed: &Claimed, ending: Ending, stamp: &str) -> Result<(), InboxError> {
    if !claimed.is_set || !claimed.name.to_string_lossy().ends_with(MANIFEST) {
        return Ok(());
    }
    let Ok(manifest) = &claimed.file else { return Ok(()) };
    for (own, announced) in named(manifest, settings.flatfile.encoding_fallback) {
        let sha256 = announced.sha256.unwrap_or_default();
        let own = OsStr::new(&own);
        for lying in candidates(&claimed.dir, own) {
            let Some(file) = Claimed::of(&claimed.dir, own, &lying, claimed.token.clone())? else { continue };
            let found = file.file.as_ref().ok().and_then(|file| file.digest().ok());
            if found.is_some_and(|(found, _)| found == sha256) {
                consume_marker(&file, stamp)?;
                rename(settings, &file, ending, "", stamp, &sha256)?;
                break;
            }
        }
    }
    Ok(())
}

/// Where a file of a set may lie: under its own name, or waiting for a decision.
fn candidates(dir: &Dir, own: &OsStr) -> Vec<OsString> {
    let listed = dir.names().unwrap_or_default().into_iter();
    let held = listed.filter(|name| held_name(name) == Some(own));
    std::iter::once(own.to_owned()).chain(held).collect()
}
