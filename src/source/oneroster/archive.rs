//! The zip file of a OneRoster export: expands entries by exact name to disk, with a size limit and verified checksums.
//! It must not know what an entry holds, nor write anything under a name that an archive gives.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::disk::{Cursor, is_stopped};
use crate::source::bundle::Sent;
use crate::source::canonical::nameless;
use crate::source::rows::SetError;

/// The limit, in bytes, for all expanded entries of an archive: ten million enrolments need less, a zip bomb more.
pub const EXPANDED_LIMIT: u64 = 2 * 1024 * 1024 * 1024;
/// How many entries it may have: the specification defines some twenty files. Their names are held in memory.
const MOST_ENTRIES: u16 = 200;
/// The signature of the end record of a zip file (APPNOTE 4.3.16); the length is without the comment behind it.
const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: usize = 22;
/// The longest comment.
const COMMENT: usize = 65_535;

/// An open archive.
pub(super) struct Archive {
    zip: ZipArchive<Cursor>,
    name: String,
    scratch: PathBuf,
    limit: u64,
    left: u64,
}

impl Archive {
    /// Opens an archive; entries are expanded in `scratch`, into unlinked files.
    pub fn open(sent: &Sent, scratch: &Path, limit: u64) -> Result<Archive, SetError> {
        let name = sent.name.clone();
        let claims = claims(&mut sent.file.cursor())?;
        if let Some(why) = claims.iter().find_map(Claim::is_too_much) {
            return Err(SetError::Archive { archive: name, why });
        }
        let zip = ZipArchive::new(sent.file.cursor()).map_err(|error| refused(&name, None, error))?;
        let archive = Archive { zip, name, scratch: scratch.to_owned(), limit, left: limit };
        if archive.zip.has_duplicate_names() {
            return Err(archive.refuse("two of its entries have the same name; make the archive again"));
        }
        Ok(archive)
    }

    /// The error with which this archive is refused; `why` says what to do.
    pub fn refuse(&self, why: impl Into<String>) -> SetError {
        SetError::Archive { archive: self.name.clone(), why: why.into() }
    }

    /// Whether there is an entry of exactly this name.
    pub fn has(&self, entry: &str) -> bool {
        self.zip.index_for_name_raw(entry.as_bytes()).is_some()
    }

    /// Its content, for a message: the number of entries, and whether one of this name is in a folder. Other names are
    /// not shown, as the archive may not be meant for enrold.
    pub fn holds(&self, entry: &str) -> String {
        let inside = format!("/{entry}");
        let deeper = self.zip.file_names_raw().any(|name| name.ends_with(inside.as_bytes()));
        let deeper = if deeper { format!(", {entry} in a folder") } else { String::new() };
        format!("entries: {}{deeper}", self.zip.len())
    }

    /// Expands the entry of exactly this name and verifies its checksum. `None` if there is none.
    pub fn take(&mut self, entry: &str) -> Result<Option<File>, SetError> {
        let Some(index) = self.zip.index_for_name_raw(entry.as_bytes()) else {
            return Ok(None);
        };
        let mut expanded = nameless(&self.scratch)?;
        let reader = self.zip.by_index(index).map_err(|error| refused(&self.name, Some(entry), error))?;
        let size = copy(reader.take(self.left.saturating_add(1)), &mut expanded).map_err(|fault| match fault {
            Fault::Reading(error) => refused(&self.name, Some(entry), ZipError::Io(error)),
            Fault::Writing(error) => SetError::Io(error),
        })?;
        let Some(left) = self.left.checked_sub(size) else {
            let why = format!(
                "{entry} expands beyond the {} bytes that all files together may have; look at what made the archive",
                self.limit
            );
            return Err(self.refuse(why));
        };
        self.left = left;
        expanded.seek(SeekFrom::Start(0))?;
        Ok(Some(expanded))
    }
}

/// What the end record of a zip file says about its directory.
struct Claim {
    entries: u16,
    bytes: u32,
    at: u32,
}

impl Claim {
    /// Why that directory must not be read: too many entries need too much memory, and so may a zip64 file, whose
    /// numbers are stored elsewhere.
    fn is_too_much(&self) -> Option<String> {
        if self.entries != u16::MAX && self.bytes != u32::MAX && self.at != u32::MAX {
            let entries = self.entries;
            let told =
                || format!("it has {entries} entries, more than {MOST_ENTRIES}; send the files of the export only");
            return (entries > MOST_ENTRIES).then(told);
        }
        Some(format!(
            "it is a zip64 file, for more than 4 GiB or 65534 entries; send a plain zip file of at most {MOST_ENTRIES}"
        ))
    }
}

/// The claims of all end records: the last record counts, but a reader could mistake one in the comment for it.
fn claims(file: &mut Cursor) -> io::Result<Vec<Claim>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub((COMMENT + END_LENGTH + END.len()) as u64)))?;
    file.by_ref().take((COMMENT + END_LENGTH + END.len()) as u64).read_to_end(&mut tail)?;
    file.seek(SeekFrom::Start(0))?;
    let ends = tail.windows(END_LENGTH).filter(|end| end.starts_with(&END));
    let claim = |end: &[u8]| Claim {
        entries: u16::from_le_bytes([end[8], end[9]]).max(u16::from_le_bytes([end[10], end[11]])),
        bytes: u32::from_le_bytes([end[12], end[13], end[14], end[15]]),
        at: u32::from_le_bytes([end[16], end[17], end[18], end[19]]),
    };
    Ok(ends.map(claim).collect())
}

/// Which side of a copy failed: a broken archive is the sender's problem, a full disk the operator's.
enum Fault {
    Reading(io::Error),
    Writing(io::Error),
}

fn copy(mut from: impl Read, to: &mut impl io::Write) -> Result<u64, Fault> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Reading(error)),
        };
        to.write_all(&buffer[..read]).map_err(Fault::Writing)?;
        copied += read as u64;
    }
}

fn refused(archive: &str, entry: Option<&str>, error: ZipError) -> SetError {
    let error = match error {
        ZipError::Io(error) if is_stopped(&error) => return SetError::Io(error),
        error => error,
    };
    let what = entry.map_or_else(String::new, |entry| format!("{entry}: "));
    let why = format!("{what}{error}; send it again, as a zip file with deflate and without a password");
    SetError::Archive { archive: archive.to_owned(), why }
}
