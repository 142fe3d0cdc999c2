//! Reads OneRoster 1.1 and 1.2 exports, CSV files in a zip, bulk or delta; a delta is merged by `sourcedId` into what
//! was sent before.
//! It must not know a database, nor guess: a reference to nothing is reported with its file and line.
//!
//! Specification: 1EdTech OneRoster CSV tables 1.1.1 and CSV binding 1.2.1. Names of files, columns and values are
//! case-sensitive; the order of columns does not matter.

mod archive;
mod base;
mod enrolments;
mod key;
mod listing;
mod manifest;
mod merge;
mod status;
mod tables;

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};

use self::archive::Archive;
use self::enrolments::Enrolments;
use self::key::Of;
use self::listing::Listing;
use self::manifest::Manifest;
use self::merge::Sides;
use self::tables::{ALL, COURSE_OF_CLASS, ENABLED, ENROLLMENTS};
use super::bundle::Sent;
use super::canonical::{Canonical, Sorted};
use super::files::FileRead;
use super::rows::{SetError, SnapshotKind, Taker};
use crate::files::{Delimiter, TableColumn, TableForm};
use crate::outcome::OneRosterBase;
use crate::problem::{Code, Problem};

pub use archive::EXPANDED_LIMIT;
pub use base::{BaseKept, BaseWriter, forget_bases};
pub use key::OneRosterForm;
pub use manifest::{Mode, Version};
pub use merge::as_sent_before;

/// A table with these columns, as the specification requires: exact names, commas, Unicode.
fn form(required: &[&str], optional: &[&str]) -> TableForm {
    let required = required.iter().map(|name| TableColumn::required(name));
    TableForm {
        columns: required.chain(optional.iter().map(|name| TableColumn::optional(name))).collect(),
        exact: true,
        delimiters: &[Delimiter::Comma],
        fallback: None,
        comments: &[],
    }
}

/// What was read of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneRosterRead {
    pub version: Version,
    pub kind: SnapshotKind,
    /// `enrollments.csv` as it was sent.
    pub enrolments: FileRead,
    pub sorted: Sorted,
    /// The latest `dateLastModified` of a delta, Unix seconds; 0: none.
    pub newest: i64,
}

/// What a delta builds on.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The path of its file.
    pub path: &'a Path,
    pub oneroster_base: &'a OneRosterBase,
}

/// Whether an archive is a bulk set or a delta: it is a delta if any file that is read is sent as a delta.
///
/// # Errors
/// The archive or its manifest cannot be read, or it is a bulk set without enrolments.
pub fn kind_of(archive: &Sent, scratch: &Path) -> Result<SnapshotKind, SetError> {
    let mut archive = Archive::open(archive, scratch, EXPANDED_LIMIT)?;
    let manifest = Manifest::read(&mut archive)?;
    kind(&manifest, &archive)
}

fn kind(manifest: &Manifest, archive: &Archive) -> Result<SnapshotKind, SetError> {
    let modes = ALL.iter().map(|file| manifest.mode(file.name, archive)).collect::<Result<Vec<_>, _>>()?;
    if modes.contains(&Mode::Delta) {
        return Ok(SnapshotKind::Delta);
    }
    match manifest.mode(ENROLLMENTS.name, archive)? {
        Mode::Absent => {
            Err(archive.refuse("it has no enrollments.csv, so it says nothing about enrolments; add the file"))
        }
        _ => Ok(SnapshotKind::Full),
    }
}

/// Reads an archive. Passes the problems to `taker`, then the distinct rows that are desired after it, in canonical
/// order. A delta is merged into `base`; the result goes to `keep`. `scratch` is a directory for expanded files, and
/// for rows that do not fit in memory.
///
/// # Errors
/// [`SetError`]; what `taker` received before it must not be used.
pub fn read_archive(
    archive: &Sent,
    form: &OneRosterForm,
    scratch: &Path,
    base: Option<Base>,
    keep: Option<&mut BaseWriter>,
    taker: &mut dyn Taker,
) -> Result<OneRosterRead, SetError> {
    read_bounded((archive, EXPANDED_LIMIT), form, scratch, base, keep, taker)
}

fn read_bounded(
    (sent, limit): (&Sent, u64),
    form: &OneRosterForm,
    scratch: &Path,
    base: Option<Base>,
    keep: Option<&mut BaseWriter>,
    taker: &mut dyn Taker,
) -> Result<OneRosterRead, SetError> {
    let mut archive = Archive::open(sent, scratch, limit)?;
    let manifest = Manifest::read(&mut archive)?;
    let (version, kind) = (manifest.version, kind(&manifest, &archive)?);
    let opened = match (kind, base) {
        (SnapshotKind::Full, _) => None,
        (SnapshotKind::Delta, Some(base)) => Some(open_base(base, scratch)?),
        (SnapshotKind::Delta, None) => {
            return Err(SetError::NoBase { why: "no bulk set of this source was applied before it".to_owned() });
        }
    };
    let mut sides = Sides { archive, manifest, base: opened, keep, newest: 0 };
    let users = Listing::read(&mut sides, Of::Users.file(), &form.places(Of::Users), &[ENABLED], taker)?;
    let by_course = form.asks(Of::Courses);
    let of_class = if by_course { &[COURSE_OF_CLASS][..] } else { &[] };
    let in_classes = [form.places(Of::Classes), of_class.to_vec()].concat();
    let classes = Listing::read(&mut sides, Of::Classes.file(), &in_classes, &[], taker)?;
    let courses = match by_course {
        true => Listing::read(&mut sides, Of::Courses.file(), &form.places(Of::Courses), &[], taker)?,
        false => Listing::unread(Of::Courses.file()),
    };
    let orgs = Listing::read(&mut sides, Of::Orgs.file(), &form.places(Of::Orgs), &[], taker)?;
    let (canonical, schools_reported) = (Canonical::new(scratch), HashSet::new());
    let mut enrolments = Enrolments { form, users, classes, courses, orgs, canonical, schools_reported };
    let read = sides.show(&ENROLLMENTS, &enrolments::REQUIRED, &mut enrolments, taker)?;
    if read.rows == 0 && sides.manifest.mode(ENROLLMENTS.name, &sides.archive)? != Mode::Absent {
        let problem = Problem::new(0, Code::FileEmpty, "", "");
        return Err(SetError::Refused { file: read.file, problem });
    }
    if let Some(applied) =
        base.map(|base| base.oneroster_base.newest).filter(|applied| (1..*applied).contains(&sides.newest))
    {
        let [newest, applied] = [sides.newest, applied].map(shown);
        return Err(SetError::Outdated { newest, applied });
    }
    let newest = sides.newest;
    let sorted = enrolments.canonical.finish(&mut |row| taker.row(row))?;
    Ok(OneRosterRead { version, kind, enrolments: read, sorted, newest })
}

/// Opens a base, if its digest is the one that the run recorded.
fn open_base(base: Base, scratch: &Path) -> Result<(Archive, Manifest), SetError> {
    let lost = |why: String| SetError::NoBase { why: format!("what it builds on, {}, {why}", base.path.display()) };
    let opened = Sent::named(base.path).and_then(|sent| Ok((sent.file.digest()?.0, sent)));
    let (digest, sent) = opened.map_err(|error| lost(format!("cannot be read: {error}")))?;
    if digest != base.oneroster_base.sha256 {
        return Err(lost(format!("has changed (its sha256 is {digest})")));
    }
    let mut archive = Archive::open(&sent, scratch, EXPANDED_LIMIT)?;
    let manifest = Manifest::read(&mut archive)?;
    Ok((archive, manifest))
}

fn shown(moment: i64) -> String {
    DateTime::from_timestamp(moment, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
