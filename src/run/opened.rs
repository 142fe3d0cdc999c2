//! Opens and scans the file of a run once, and identifies it by its attributes in the file system and its digest.
//! It must not know why the file is applied.

use crate::accounts::hashed::Hashed;
use crate::config::{FileKind, Settings};
use crate::disk::{Dir, RegularFile, blocking};
use crate::files::{self, FileProblem, Kind, Reading, Scan};
use crate::moodle::site::{Site, zone};
use crate::outcome::{Claim, ReadAs, RunError, RunResult};
use crate::run::hold::HeldStore;
use crate::run::order::Import;
use crate::sets::SetOrder;
use crate::staging::resolve::Keys;

/// An open and scanned file.
pub(super) struct Opened {
    pub file: RegularFile,
    /// How a flat file is read; `None` for any other file.
    pub flat: Option<Flat>,
    /// How a file of a kind that has options seems to be written.
    pub table: Option<(FileKind, Scan)>,
    pub claim: Claim,
    /// What attempts leave of the passwords of a users file.
    pub hashed: Hashed,
    /// How many bytes were read.
    bytes: u64,
}

/// How an open flat file is read.
pub(super) struct Flat {
    pub scan: Scan,
    pub reading: Reading,
    pub keys: Keys,
}

impl Opened {
    /// Scans a file in the site's time zone: a dropped one by its descriptor, the copy of the held run `held` from its
    /// store, any other by its path.
    pub fn open(import: &Import, held: Option<i64>, settings: &Settings, site: &Site) -> RunResult<Self> {
        if let Some(problem) = &import.refused {
            return Err(RunError::Rejected((**problem).clone()));
        }
        let path = import.path.display().to_string();
        let unreadable = |error| FileProblem::Io(error).ends_run(&path);
        let limit = settings.limits.file_bytes();
        let opened = match (&import.dropped, held) {
            (Some(dropped), _) => dropped.open(),
            (None, Some(run)) => HeldStore::of(&settings.state.path, run).open_bytes(limit),
            (None, None) => Dir::open_within(&import.path, limit),
        };
        let file = opened.map_err(unreadable)?;
        let token = import.dropped.as_ref().map(|dropped| dropped.token.clone()).unwrap_or_default();
        if let Some(profile) = &import.profile {
            let fallback = settings.flatfile.encoding_fallback;
            let scan = blocking(|| files::scan_kind(&mut file.cursor(), fallback, profile.kind));
            let scan = scan.map_err(|problem| FileProblem::ends_run(problem, &path))?;
            let opened = Self::claimed(file, None, scan.sha256.clone(), scan.bytes, token);
            return Ok(Self { table: Some((profile.kind, scan)), ..opened });
        }
        let reading = Reading {
            kind: import.kind,
            fallback: settings.flatfile.encoding_fallback,
            zone: zone(settings, Some(site)),
            small_times: settings.flatfile.small_times,
        };
        let scan = blocking(|| files::scan(&mut file.cursor(), &reading));
        let scan = scan.map_err(|problem| FileProblem::ends_run(problem, &path))?;
        let defaults = match scan.kind {
            Kind::Header => &settings.flatfile.header,
            Kind::Native => &settings.flatfile.native,
        };
        let keys = Keys {
            user: import.user_key.unwrap_or(defaults.user_key),
            course: import.course_key.unwrap_or(defaults.course_key),
        };
        let (sha256, bytes) = (scan.sha256.clone(), scan.bytes);
        Ok(Self::claimed(file, Some(Flat { scan, reading, keys }), sha256, bytes, token))
    }

    /// Opens the snapshot of a set.
    pub fn snapshot(order: &SetOrder) -> RunResult<Self> {
        let unreadable = |error| RunError::Unreadable { path: order.snapshot.display().to_string(), error };
        if let Some(problem) = &order.refused {
            return Err(RunError::Rejected(problem.clone()));
        }
        let file = Dir::open_named(&order.snapshot).map_err(unreadable)?;
        let (sha256, bytes) = blocking(|| file.digest()).map_err(unreadable)?;
        let mut opened = Self::claimed(file, None, sha256, bytes, order.token.clone());
        if let Some(dropped) = &order.dropped {
            opened.claim = Claim { sha256: opened.claim.sha256, token: opened.claim.token, ..dropped.clone() };
        }
        Ok(opened)
    }

    fn claimed(file: RegularFile, flat: Option<Flat>, sha256: String, bytes: u64, token: String) -> Self {
        let claim = Claim { sha256, size: bytes as i64, token, ..Claim::of(file.opened()) };
        Self { file, flat, table: None, claim, hashed: Hashed::default(), bytes }
    }

    /// How the file was read, for the report.
    pub fn read_as(&self) -> Option<ReadAs> {
        let flat = self.flat.as_ref().map(|flat| (flat.scan.kind.as_str(), &flat.scan));
        let (kind, scan) = flat.or_else(|| self.table.as_ref().map(|(kind, scan)| (kind.as_str(), scan)))?;
        Some(ReadAs {
            kind: kind.to_owned(),
            encoding: scan.encoding.to_string(),
            delimiter: scan.delimiter.map(|delimiter| delimiter.to_string()).unwrap_or_default(),
            sha256: scan.sha256.clone(),
            bytes: scan.bytes,
        })
    }

    /// Fails if the file was written to since it was opened, because only a part of it would be applied.
    pub fn unchanged(&self, path: &str) -> RunResult<()> {
        let now = self.file.now().map_err(|error| RunError::Unreadable { path: path.to_owned(), error })?;
        let stands = now.stands_as(self.file.opened()) && now.size == self.bytes;
        if stands { Ok(()) } else { Err(RunError::Changed(path.to_owned())) }
    }
}
