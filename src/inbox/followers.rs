//! The files that a manifest names: when the way of their set ends, they get the same name as the manifest, before it.
//! It must not read the files beyond their digest.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ending::{consume_marker, held_name, rename};
use super::{Claimed, Ending, InboxError};
use crate::config::{EncodingFallback, Settings};
use crate::files::{Delimiter, TableForm};
use crate::source::bundle::{self, MANIFEST, Part};

/// The files that a manifest names, under the names at which they are dropped; none if it cannot be read.
pub(super) fn named(manifest: &Path, fallback: EncodingFallback) -> Vec<Part> {
    let form = TableForm { columns: Vec::new(), exact: false, delimiters: &Delimiter::ALL, fallback: Some(fallback) };
    match bundle::parts_of(manifest, &form) {
        Ok(Ok(parts)) => parts,
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
    for part in named(&claimed.path, settings.flatfile.encoding_fallback) {
        let sha256 = part.announced.sha256.unwrap_or_default();
        let own = part.path.file_name().unwrap_or_default();
        let lying = candidates(&claimed.dir, own);
        let Some(path) = lying.into_iter().find(|path| digest(path).is_some_and(|found| found == sha256)) else {
            continue;
        };
        let file = Claimed { is_set: false, ..Claimed::of(&claimed.dir, own, path, claimed.token.clone()) };
        consume_marker(&file, stamp)?;
        rename(settings, &file, ending, "", stamp, &sha256)?;
    }
    Ok(())
}

/// Where a file of a set may lie: under its own name, or waiting for a decision.
fn candidates(dir: &Path, own: &std::ffi::OsStr) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let held = listed.filter(|name| held_name(name) == Some(own)).map(|name| dir.join(name));
    std::iter::once(dir.join(own)).chain(held).collect()
}

fn digest(path: &Path) -> Option<String> {
    path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path).ok()?, &mut digest).ok()?;
    Some(format!("{:x}", digest.finalize()))
}
