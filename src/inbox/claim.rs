//! The claim on a file: it is renamed to a working name with a token and opened once, and that survives a power cut.
//! It must not overwrite anything, whatever others do in the directory meanwhile.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Found, InboxError, names};
use crate::disk::{Dir, RegularFile, Status, TooLarge, is_stopped};
use crate::fault;
use crate::outcome::Claim;
use crate::run::{Dropped, DroppedSet, Import};

/// A file that is ours until its end is known.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The drop directory.
    pub dir: Dir,
    /// The name under which it was left.
    pub name: OsString,
    /// The name under which it lies now.
    pub working: OsString,
    /// The mark of this claim. It stands in the working name, so others can know it.
    pub token: String,
    /// The file, opened once; or why it is none that can be read.
    pub file: Result<RegularFile, Arc<io::Error>>,
    /// How it stood when it was claimed.
    stood: Status,
    /// It lay under a working name already: a run may have come to its end, or somebody has made up that name.
    again: bool,
    /// It is a full set, or the manifest of one.
    pub is_set: bool,
}

impl Claimed {
    /// Claims a file, which may be a full set, and opens it; one that was claimed before a crash is ours already.
    /// `None` if it is gone.
    ///
    /// # Errors
    /// The directory's: it cannot be written. Then nothing may be applied, for nobody could see that it was.
    pub fn take(dir: &Dir, found: &Found, is_set: bool) -> Result<Option<Self>, InboxError> {
        if let Some((name, token)) = &found.working {
            let claimed = Self::of(dir, name, &found.name, token.clone())?;
            return Ok(claimed.map(|claimed| Self { again: true, is_set, ..claimed }));
        }
        let token = names::new_token(&found.name);
        let from = dir.join(&found.name);
        let working = names::working(&found.name, &token);
        match dir.rename_new(&found.name, dir, &working) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(InboxError::new("cannot claim (rename)", &from, error)),
        }
        fault::step("claimed-not-synced");
        dir.sync().map_err(|error| InboxError::new("cannot write down the claim on", &from, error))?;
        fault::step("claimed");
        Ok(Self::of(dir, &found.name, &working, token)?.map(|claimed| Self { is_set, ..claimed }))
    }

    /// A file of this name that was left under another one. `None` if it is gone.
    ///
    /// # Errors
    /// What the system refuses for a time, whichever file it were.
    pub(super) fn of(dir: &Dir, name: &OsStr, working: &OsStr, token: String) -> Result<Option<Self>, InboxError> {
        let cannot = |error| InboxError::new("cannot open", &dir.join(working), error);
        let file = match dir.open_file(working) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if is_its_own(&error) => Err(Arc::new(error)),
            Err(error) => return Err(cannot(error)),
        };
        let stood = match &file {
            Ok(file) => *file.opened(),
            Err(_) => match dir.status(working) {
                Ok(status) => status,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(cannot(error)),
            },
        };
        let (dir, name, working) = (dir.clone(), name.to_owned(), working.to_owned());
        Ok(Some(Self { dir, name, working, token, file, stood, again: false, is_set: false }))
    }

    /// The open file.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn open(&self) -> io::Result<RegularFile> {
        self.dropped().open()
    }

    /// Where it lies, for messages.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.working)
    }

    /// What the file system tells of it, as the history keeps it.
    pub(super) fn claim(&self) -> Claim {
        Claim::of(&self.stood)
    }

    /// True if what lies under its name is the file that was claimed; another one was put in its place otherwise.
    ///
    /// # Errors
    /// The directory's; nothing may lie there.
    pub(super) fn lies_at(&self, dir: &Dir, name: &OsStr) -> io::Result<bool> {
        Ok(dir.status(name)?.is_same_file(&self.stood))
    }

    /// True if somebody has written to the file since it was claimed: what its run has read is not all of it. `sha256`
    /// is the digest of what the run has read, where it has read all.
    ///
    /// # Errors
    /// Reading was stopped.
    pub fn is_written_to(&self, sha256: Option<&str>) -> io::Result<bool> {
        let Ok(file) = &self.file else { return Ok(false) };
        let still = match sha256 {
            Some(sha256) => file.is_still(sha256),
            None => file.now().map(|now| now.stands_as(file.opened())),
        };
        match still {
            Err(error) if is_stopped(&error) => Err(error),
            still => Ok(!still.unwrap_or(false)),
        }
    }

    /// Gives the file back under its own name, as if it had not been touched; it must settle anew. Under that name may
    /// lie another one by now: then it keeps a working name, as another claim whose token is given, and is taken first.
    ///
    /// # Errors
    /// The directory's.
    pub fn release(&self) -> Result<Option<String>, InboxError> {
        let cannot = |error| InboxError::new("cannot give back", &self.path(), error);
        let mut kept = None;
        match self.dir.rename_new(&self.working, &self.dir, &self.name) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let token = names::new_token(&self.name);
                let working = names::working(&self.name, &token);
                self.dir.rename_new(&self.working, &self.dir, &working).map_err(cannot)?;
                kept = Some(token);
            }
            Err(error) => return Err(cannot(error)),
        }
        self.dir.sync().map_err(cannot)?;
        Ok(kept)
    }

    /// The order for the run of a flat file.
    pub fn import(&self) -> Import {
        Import { path: self.path(), dropped: Some(self.dropped()), ..Import::default() }
    }

    /// The order for the run of a full set.
    pub fn set(&self) -> DroppedSet {
        DroppedSet { dir: self.dir.clone(), left: self.name.clone(), dropped: self.dropped() }
    }

    /// What tells this drop from every other, with its open file.
    pub fn dropped(&self) -> Dropped {
        Dropped {
            shown: self.dir.path().join(names::shown(&self.name)).display().to_string(),
            token: self.token.clone(),
            file: self.file.clone(),
            again: self.again,
        }
    }
}

/// True for an error that says something of the file, and not of the machine or the directory.
fn is_its_own(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied | ErrorKind::WouldBlock)
        || TooLarge::of(error).is_some()
}

/// Where a file is renamed to: the directory, its name, what is put behind it, and what stands behind that.
pub struct Target<'a> {
    /// The directory.
    pub dir: &'a Dir,
    /// The name.
    pub name: &'a OsStr,
    /// What comes behind the name.
    pub ending: &'a str,
    /// What comes behind the ending, if that is free.
    pub behind: &'a str,
    /// What comes behind the ending otherwise.
    pub stamp: &'a str,
}

impl Target<'_> {
    /// The names in the order in which they are tried: the last ones have a number.
    pub fn names(&self) -> impl Iterator<Item = OsString> {
        let Self { name, ending, behind, stamp, .. } = self;
        let first = [format!("{ending}{behind}"), format!("{ending}.{stamp}")];
        let more = (2..).map(move |number| format!("{ending}.{stamp}-{number}"));
        first.into_iter().chain(more).map(move |ending| names::fitted(name, &ending))
    }

    /// Renames to the first name that is free.
    ///
    /// # Errors
    /// The directories'.
    pub fn take(&self, from: &Dir, name: &OsStr) -> io::Result<OsString> {
        for to in self.names() {
            match from.rename_new(name, self.dir, &to) {
                Ok(()) => return Ok(to),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}
