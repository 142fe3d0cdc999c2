//! Replaces a dropped file with passwords by a copy in which they are masked, when it gets its last name.
//! It must not choose the name, nor know what else the file holds.
//!
//! The copy is complete and on the disk under a hidden name before it gets its own; only then the file is removed. A
//! note in the state directory says which file the copy is, so that after a crash it is found again, and so that the
//! copy of a held file is found once its run is decided.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::claim::Target;
use super::{Claimed, FileOutcome, FileOutcomeError, InboxError, names};
use crate::config::Settings;
use crate::disk::{Dir, RegularFile, TooLarge, own};
use crate::fault;
use crate::files::names::{PASSWORD, same};
use crate::files::{FileProblem, MASK, Masking, may_name};
use crate::outcome::Claim;

/// The directory of the notes below the state directory.
const NOTES: &str = "masked";

/// How many bytes of a file that is no text, or is larger than its limit, are searched for the name of a password.
const NEAR: u64 = 64 * 1024;

/// A masked copy of a dropped file, as its note describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MaskedCopy {
    /// The token of the drop.
    pub token: String,
    /// The run that has read the file.
    pub run: i64,
    device: i64,
    inode: i64,
    size: i64,
    mtime: i64,
    /// The digest of the copy.
    pub sha256: String,
}

impl MaskedCopy {
    fn is(&self, claim: &Claim) -> bool {
        let own =
            Claim { device: self.device, inode: self.inode, size: self.size, mtime: self.mtime, ..Claim::default() };
        own.stands_as(claim)
    }

    /// The copies that are noted.
    ///
    /// # Errors
    /// The state directory's error; here and in all functions of this type. A note that says nothing is left out: it
    /// was being written when the process died, and its copy had no name yet.
    pub fn noted(state: &Path) -> io::Result<Vec<Self>> {
        let notes = state.join(NOTES);
        let read = |name: OsString| match own::open(&notes.join(name)) {
            Ok(file) => Ok(serde_json::from_reader(file).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        own::names(&notes)?.into_iter().filter_map(|name| read(name).transpose()).collect()
    }

    fn note(&self, state: &Path) -> io::Result<()> {
        let notes = state.join(NOTES);
        own::make_directories(&notes)?;
        let mut file = own::create(&notes.join(&self.token))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        own::sync_directory(&notes)
    }

    /// Removes the note of a drop, if there is one.
    pub fn forget(state: &Path, token: &str) -> io::Result<()> {
        own::remove(&state.join(NOTES).join(token))
    }

    /// The copy that this file is.
    pub fn of<'a>(noted: &'a [Self], claimed: &Claimed) -> Option<&'a Self> {
        noted.iter().find(|copy| copy.is(&claimed.claim()))
    }
}

/// How the passwords of a dropped file are masked.
#[derive(Debug)]
pub(super) enum Hiding {
    /// In the cells that hold them.
    Cells(Box<Masking>),
    /// As a whole, because the file is no text and names a password all the same; its digest.
    All(String),
}

impl Hiding {
    /// Writes the whole file without its passwords.
    fn copy(&self, file: &RegularFile, out: &mut impl Write) -> io::Result<()> {
        let copied = match self {
            Self::Cells(masking) => masking.copy(file.pass(masking.sha256()), out),
            Self::All(sha256) => {
                io::copy(&mut file.pass(sha256), &mut io::sink())?;
                return writeln!(out, "{MASK}");
            }
        };
        copied.map_err(|problem| match problem {
            FileProblem::Io(error) => error,
            FileProblem::Rejected(_) => io::Error::other(problem.to_string()),
        })
    }
}

/// How the passwords of a dropped file are masked; `None` if it has none. A spreadsheet has no columns that could be
/// masked.
pub(super) fn hiding(claimed: &Claimed, settings: &Settings) -> Result<Option<Hiding>, FileOutcomeError> {
    let unreadable = |error| InboxError::new("cannot read again", &claimed.path(), error);
    let is_too_large = claimed.file.as_ref().is_err_and(|error| TooLarge::of(error).is_some());
    if claimed.is_set || claimed.original.is_some() || (claimed.file.is_err() && !is_too_large) {
        return Ok(None);
    }
    let file = &open(claimed).map_err(unreadable)?;
    let names_one =
        || Ok::<_, InboxError>(may_name(&file.beginning(NEAR).map_err(unreadable)?, &password_names(settings)));
    if is_too_large && !names_one()? {
        return Ok(None);
    }
    if let Some(masking) = masking_of(file, settings, &claimed.path())? {
        return Ok(masking.hides().then(|| Hiding::Cells(Box::new(masking))));
    }
    if !names_one()? {
        return Ok(None);
    }
    let (sha256, _) = file.digest().map_err(unreadable)?;
    Ok(Some(Hiding::All(sha256)))
}

/// The file, also if it is larger than its limit: then its run has not read it.
fn open(claimed: &Claimed) -> io::Result<RegularFile> {
    match claimed.open() {
        Err(error) if TooLarge::of(&error).is_some() => unbounded(&claimed.dir).open_file(&claimed.working),
        opened => opened,
    }
}

/// A directory whose files may be larger than the limit; a copy may be larger than its file, too.
fn unbounded(dir: &Dir) -> Dir {
    dir.clone().bounded(u64::MAX, &CancellationToken::new())
}

/// The names of columns with passwords: those that are known, and those of the profiles.
fn password_names(settings: &Settings) -> Vec<&str> {
    let is_password = |known: &str| PASSWORD.iter().any(|name| same(name, known));
    let all = settings.profiles.values().flat_map(|profile| &profile.columns);
    let own = all.filter(|(_, known)| is_password(known)).map(|(own, _)| own.as_str());
    PASSWORD.iter().copied().chain(own).collect()
}

/// The form of a file with a header; `None` if it is no text or has no line.
pub(super) fn masking_of(
    file: &RegularFile,
    settings: &Settings,
    path: &Path,
) -> Result<Option<Masking>, FileOutcomeError> {
    match Masking::find(&mut file.cursor(), &password_names(settings), settings.flatfile.encoding_fallback) {
        Ok(masking) => Ok(masking),
        Err(FileProblem::Rejected(_)) => Ok(None),
        Err(problem) => Err(problem.ends_run(&path.display().to_string()).into()),
    }
}

/// Gives a masked copy the first free name of a target, and removes the file. It can be repeated after a crash. `None`
/// if another file was put in the place of the file.
pub(super) fn replace(
    settings: &Settings,
    claimed: &Claimed,
    hiding: &Hiding,
    outcome: FileOutcome,
    target: &Target,
    run: i64,
) -> io::Result<Option<PathBuf>> {
    let Claimed { dir, working, token, .. } = claimed;
    if !claimed.lies_at(dir, working)? {
        return Ok(None);
    }
    let state = &settings.state.path;
    let noted = MaskedCopy::noted(state)?.into_iter().find(|copy| copy.token == *token);
    let is_copy = |name: &OsString| {
        let status = target.dir.status(name);
        noted.as_ref().is_some_and(|copy| status.is_ok_and(|status| copy.is(&Claim::of(&status))))
    };
    let earlier = target.names().take_while(|name| target.dir.has(name)).find(is_copy);
    let to = match earlier {
        Some(to) => to,
        None => {
            let hidden = copy(claimed, hiding, target.dir)?;
            fault::step("masked-written");
            let (written, sha256) =
                (target.dir.status(&hidden)?, unbounded(target.dir).open_file(&hidden)?.digest()?.0);
            let Claim { device, inode, size, mtime, .. } = Claim::of(&written);
            MaskedCopy { token: token.clone(), run, device, inode, size, mtime, sha256 }.note(state)?;
            fault::step("masked-noted");
            target.take(target.dir, &hidden)?
        }
    };
    target.dir.sync()?;
    fault::step("masked-not-removed");
    if claimed.lies_at(dir, working)? {
        dir.remove(working)?;
    }
    dir.sync()?;
    fault::step("masked-removed");
    if outcome != FileOutcome::Held {
        MaskedCopy::forget(state, token)?;
    }
    Ok(Some(target.dir.join(&to)))
}

/// Writes the copy under a hidden name, which it returns, with the attributes of the file.
fn copy(claimed: &Claimed, hiding: &Hiding, dir: &Dir) -> io::Result<OsString> {
    let file = open(claimed)?;
    let (mut out, hidden) = create(claimed, dir)?;
    let mut buffer = io::BufWriter::new(&mut out);
    hiding.copy(&file, &mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    file.lend_attributes(&out)?;
    out.sync_all()?;
    Ok(hidden)
}

/// A leftover of an earlier attempt is replaced; what cannot be removed, for example a directory, stays.
fn create(claimed: &Claimed, dir: &Dir) -> io::Result<(File, OsString)> {
    let hidden = OsString::from(format!(".enrold-{}.masked", claimed.token));
    drop(dir.remove(&hidden));
    match dir.create_new(&hidden, own::PRIVATE) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let other = OsString::from(format!(".enrold-{}.masked", names::new_token(OsStr::new(&claimed.token))));
            Ok((dir.create_new(&other, own::PRIVATE)?, other))
        }
        created => Ok((created?, hidden)),
    }
}

/// Removes the notes whose run is not held, once no file of theirs waits for its name. `is_held` says which runs are.
pub(super) fn forget_others(state: &Path, dir: &Dir, is_held: impl Fn(i64) -> bool) -> io::Result<()> {
    let noted = MaskedCopy::noted(state)?;
    let working = |copy: &MaskedCopy| OsString::from(format!(".{}.work", copy.token));
    let names = if noted.is_empty() { Vec::new() } else { dir.names()? };
    for copy in noted.iter().filter(|copy| !is_held(copy.run)) {
        let ending = working(copy);
        if !names.iter().any(|name| name.as_encoded_bytes().ends_with(ending.as_encoded_bytes())) {
            MaskedCopy::forget(state, &copy.token)?;
        }
    }
    Ok(())
}
