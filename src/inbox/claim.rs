//! Claims a file: renames it to a working name with a token, which survives a power cut, and opens it once.
//! It must not overwrite anything, whatever other processes do in the directory meanwhile.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use super::kinds::{Told, of_dropped};
use super::{Found, InboxError, names};
use crate::config::Settings;
use crate::disk::{Dir, RegularFile, Status, TooLarge, is_stopped};
use crate::fault;
use crate::outcome::Claim;
use crate::run::{Dropped, DroppedSet, Import};

/// A file that enrold has claimed until its outcome is known.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The drop directory.
    pub dir: Dir,
    /// The name under which it was dropped.
    pub name: OsString,
    /// Its present name.
    pub working: OsString,
    /// The token of this claim. It is part of the working name, so other accounts can read it.
    pub token: String,
    /// The file, opened once; or why it cannot be read.
    pub file: Result<RegularFile, Arc<io::Error>>,
    /// Its status when it was claimed.
    stood: Status,
    /// It had a working name already: its run may have ended, or a feeder made up that name.
    again: bool,
    /// It is a full set, or the manifest of one.
    pub is_set: bool,
    /// The claim of the file with passwords that this one is the masked copy of.
    pub(super) original: Option<Claim>,
}

impl Claimed {
    /// Claims a file, which may be a full set, and opens it; a claim from before a crash is kept. `None` if the file is
    /// gone.
    ///
    /// # Errors
    /// The directory cannot be written. Then nothing may be applied, as the file could not show that it was.
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

    /// The file `working`, which was dropped as `name`. `None` if it is gone.
    ///
    /// # Errors
    /// An error of the system that is not about this file.
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
        Ok(Some(Self { dir, name, working, token, file, stood, again: false, is_set: false, original: None }))
    }

    /// The open file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn open(&self) -> io::Result<RegularFile> {
        self.dropped().open()
    }

    /// Its path, for messages.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.working)
    }

    /// Its identity on the file system, as the run history stores it: of a masked copy, that of the original.
    pub(super) fn claim(&self) -> Claim {
        self.original.clone().unwrap_or_else(|| Claim::of(&self.stood))
    }

    /// True if `name` is the file that was claimed, and not another one that was put in its place.
    ///
    /// # Errors
    /// The directory's error; also if the name does not exist.
    pub(super) fn lies_at(&self, dir: &Dir, name: &OsStr) -> io::Result<bool> {
        Ok(dir.status(name)?.is_same_file(&self.stood))
    }

    /// True if the file was written to since it was claimed, so that its run has not read all of it. `sha256` is the
    /// digest of what the run has read, if it has read all.
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

    /// Renames the file back to its own name, as if it had not been claimed; it must settle again. If another file has
    /// that name by now, this one gets a working name with a new token, which is returned, and is processed first.
    ///
    /// # Errors
    /// The directory's error.
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

    /// What the file is, by its name and its header; a file that cannot be read is a flat file, and its run says why.
    ///
    /// # Errors
    /// Reading was stopped.
    pub fn told(&self, settings: &Settings) -> io::Result<Told> {
        let Ok(file) = &self.file else { return Ok(Told::Flat) };
        match of_dropped(settings, &self.name.to_string_lossy(), file) {
            Err(error) if is_stopped(&error) => Err(error),
            told => Ok(told.unwrap_or(Told::Flat)),
        }
    }

    /// The input for the run of a file that is no full set.
    pub fn import(&self, told: Told) -> Import {
        let import = Import { path: self.path(), dropped: Some(self.dropped()), ..Import::default() };
        match told {
            Told::Flat => import,
            Told::Profiled(profile) => Import { profile: Some(profile), ..import },
            Told::Refused(problem) => Import { refused: Some(Box::new(problem)), ..import },
        }
    }

    /// The input for the run of a full set.
    pub fn set(&self) -> DroppedSet {
        DroppedSet { dir: self.dir.clone(), left: self.name.clone(), dropped: self.dropped() }
    }

    /// The identity of this drop, with its open file.
    pub fn dropped(&self) -> Dropped {
        Dropped {
            shown: self.dir.path().join(names::shown(&self.name)).display().to_string(),
            token: self.token.clone(),
            file: self.file.clone(),
            again: self.again,
        }
    }
}

/// True for an error that is about the file, and not about the machine or the directory.
fn is_its_own(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied | ErrorKind::WouldBlock)
        || TooLarge::of(error).is_some()
}

/// The target of a renaming: the directory, the name, the ending, and the text behind the ending.
pub struct Target<'a> {
    /// The directory.
    pub dir: &'a Dir,
    /// The name.
    pub name: &'a OsStr,
    /// The ending of the name.
    pub ending: &'a str,
    /// The text behind the ending, if that name is free.
    pub behind: &'a str,
    /// The text behind the ending otherwise.
    pub stamp: &'a str,
}

impl Target<'_> {
    /// The names in the order in which they are tried; from the third on they have a number.
    pub fn names(&self) -> impl Iterator<Item = OsString> {
        let Self { name, ending, behind, stamp, .. } = self;
        let first = [format!("{ending}{behind}"), format!("{ending}.{stamp}")];
        let more = (2..).map(move |number| format!("{ending}.{stamp}-{number}"));
        first.into_iter().chain(more).map(move |ending| names::fitted(name, &ending))
    }

    /// Renames to the first name that is free.
    ///
    /// # Errors
    /// An error of one of the directories.
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
