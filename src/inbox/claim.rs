//! The claim on a file: it is renamed to a working name with a token before it is read, and that survives a power cut.
//! It must not overwrite anything, whatever others do in the directory meanwhile.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::look::Stand;
use super::{Found, InboxError, names, sync_directory};
use crate::fault;
use crate::run::{Dropped, Import};
use crate::sets::DroppedSet;

/// A file that is ours until its end is known.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The drop directory.
    pub dir: PathBuf,
    /// The name under which it was left.
    pub name: OsString,
    /// Where it lies now.
    pub path: PathBuf,
    /// The mark of this claim.
    pub token: String,
    /// How it stood when it was claimed.
    pub stood: Option<Stand>,
    /// It is a full set, or the manifest of one.
    pub is_set: bool,
}

impl Claimed {
    /// Claims a file; one that was claimed before a crash is ours already. `None` if it is gone.
    ///
    /// # Errors
    /// The directory's: it cannot be written. Then nothing may be applied, for nobody could see that it was.
    pub fn take(dir: &Path, found: &Found) -> Result<Option<Self>, InboxError> {
        if let Some((name, token)) = &found.working {
            return Ok(Some(Self::of(dir, name, dir.join(&found.name), token.clone())));
        }
        let token = names::new_token(&found.name);
        let from = dir.join(&found.name);
        let path = dir.join(names::working(&found.name, &token));
        match rename_new(&from, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(InboxError::new("cannot claim (rename)", &from, error)),
        }
        fault::step("claimed-not-synced");
        sync_directory(dir).map_err(|error| InboxError::new("cannot write down the claim on", &from, error))?;
        fault::step("claimed");
        Ok(Some(Self::of(dir, &found.name, path, token)))
    }

    pub(super) fn of(dir: &Path, name: &OsStr, path: PathBuf, token: String) -> Self {
        let stood = path.symlink_metadata().ok().as_ref().map(Stand::of);
        Self { dir: dir.to_owned(), name: name.to_owned(), path, token, stood, is_set: false }
    }

    /// True if somebody has written to the file since it was claimed: what its run has read is not all of it.
    pub fn is_written_to(&self) -> bool {
        let stands = self.path.symlink_metadata().ok().as_ref().map(Stand::of);
        stands.is_some() && stands != self.stood
    }

    /// Gives the file back under its own name, as if it had not been touched; it must settle anew. Under that name may lie
    /// another one by now: then it keeps a working name, as another claim whose token is given, and is taken first.
    ///
    /// # Errors
    /// The directory's.
    pub fn release(&self) -> Result<Option<String>, InboxError> {
        let cannot = |error| InboxError::new("cannot give back", &self.path, error);
        let mut kept = None;
        match rename_new(&self.path, &self.dir.join(&self.name)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let token = names::new_token(&self.name);
                rename_new(&self.path, &self.dir.join(names::working(&self.name, &token))).map_err(cannot)?;
                kept = Some(token);
            }
            Err(error) => return Err(cannot(error)),
        }
        sync_directory(&self.dir).map_err(cannot)?;
        Ok(kept)
    }

    /// The order for the run of a flat file.
    pub fn import(&self) -> Import {
        Import { path: self.path.clone(), dropped: Some(self.dropped()), ..Import::default() }
    }

    /// The order for the run of a full set.
    pub fn set(&self) -> DroppedSet {
        DroppedSet { path: self.path.clone(), left_at: self.dir.join(&self.name), dropped: self.dropped() }
    }

    /// What tells this drop from every other.
    pub fn dropped(&self) -> Dropped {
        Dropped { shown: self.dir.join(names::shown(&self.name)).display().to_string(), token: self.token.clone() }
    }
}

/// Renames to a name that does not exist; a name that exists is `AlreadyExists`.
pub fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // A file system that cannot promise it (some network mounts).
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        Err(error) => Err(error.into()),
    }
}

/// Renames to the first name that is free: the name with the ending and what is wanted behind it, then with the ending
/// and a stamp, then with a number too.
pub fn rename_free(
    from: &Path,
    dir: &Path,
    name: &OsStr,
    (ending, behind): (&str, &str),
    stamp: &str,
) -> std::io::Result<PathBuf> {
    let endings = std::iter::once(format!("{ending}{behind}"))
        .chain(std::iter::once(format!("{ending}.{stamp}")))
        .chain((2..).map(|number| format!("{ending}.{stamp}-{number}")));
    for ending in endings {
        let to = dir.join(names::fitted(name, &ending));
        match rename_new(from, &to) {
            Ok(()) => return Ok(to),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
