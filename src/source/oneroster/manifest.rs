//! `manifest.csv` of a OneRoster export: which version it follows, and how each file is sent.
//! It must not know what the files hold.

use std::collections::BTreeMap;
use std::fs::File;

use super::archive::Archive;
use super::form;
use crate::config::Locale;
use crate::files::{Table, TableEntry};
use crate::source::rows::SetError;

/// The entry that every OneRoster export has.
pub(super) const MANIFEST: &str = "manifest.csv";

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All rows.
    Bulk,
    /// The changed rows only.
    Delta,
    /// Not sent.
    Absent,
}

impl Mode {
    /// Its word in the manifest.
    pub(super) fn word(self) -> &'static str {
        match self {
            Mode::Bulk => "bulk",
            Mode::Delta => "delta",
            Mode::Absent => "absent",
        }
    }
}

/// The version of the specification that an export follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1_1,
    V1_2,
}

pub(super) struct Manifest {
    pub version: Version,
    modes: BTreeMap<String, Mode>,
}

impl Manifest {
    /// Reads the manifest and checks its versions and modes.
    pub fn read(archive: &mut Archive) -> Result<Manifest, SetError> {
        let Some(file) = archive.take(MANIFEST)? else {
            let found = archive.holds(MANIFEST);
            return Err(archive.refuse(format!(
                "it has no {MANIFEST}, this is no OneRoster export ({found}); put the files at the top of the archive, \
                 under their exact names"
            )));
        };
        let properties = properties(file, archive)?;
        let version = match properties.get("oneroster.version").map(String::as_str) {
            Some("1.1") => Version::V1_1,
            Some("1.2") => Version::V1_2,
            other => return Err(unexpected(archive, "oneroster.version", other, "1.1 or 1.2")),
        };
        match properties.get("manifest.version").map(String::as_str) {
            Some("1.0") => {}
            other => return Err(unexpected(archive, "manifest.version", other, "1.0")),
        }
        let mut modes = BTreeMap::new();
        for (property, value) in &properties {
            let Some(file) = property.strip_prefix("file.") else {
                continue;
            };
            let known = [Mode::Bulk, Mode::Delta, Mode::Absent].into_iter().find(|mode| mode.word() == value);
            let mode = known.ok_or_else(|| unexpected(archive, property, Some(value), "bulk, delta or absent"))?;
            modes.insert(file.to_owned(), mode);
        }
        Ok(Manifest { version, modes })
    }

    /// How a file is sent; a file that the manifest does not name is absent. `file` is its name
    /// without `.csv`.
    ///
    /// # Errors
    /// The manifest and the archive disagree on whether the file exists.
    pub fn mode(&self, file: &str, archive: &Archive) -> Result<Mode, SetError> {
        let mode = self.modes.get(file).copied().unwrap_or(Mode::Absent);
        match (mode, archive.has(&format!("{file}.csv"))) {
            (Mode::Absent, true) => Err(archive.refuse(format!(
                "{file}.csv is there, but {MANIFEST} does not say how it is sent; write file.{file} as bulk or delta"
            ))),
            (Mode::Bulk | Mode::Delta, false) => Err(archive.refuse(format!(
                "{file}.csv is announced by {MANIFEST}, but not there; add it, or write file.{file} as absent"
            ))),
            _ => Ok(mode),
        }
    }
}

fn unexpected(archive: &Archive, property: &str, found: Option<&str>, expected: &str) -> SetError {
    let found = found.map_or_else(|| "missing".to_owned(), |found| format!("\"{}\"", found.escape_debug()));
    archive.refuse(format!("{MANIFEST}: {property} is {found}; it must be {expected}"))
}

fn properties(file: File, archive: &Archive) -> Result<BTreeMap<String, String>, SetError> {
    let refused = |problem| SetError::of_file(MANIFEST, problem);
    let mut table = Table::open(file, &form(&["propertyName", "value"], &[])).map_err(refused)?;
    let mut properties = BTreeMap::new();
    while let Some(entry) = table.next_entry().map_err(refused)? {
        if let TableEntry::Bad(problem, _) = entry {
            return Err(archive.refuse(format!("{MANIFEST}: {}", problem.text(Locale::En))));
        }
        let property = table.cell(0);
        if properties.insert(property.to_owned(), table.cell(1).to_owned()).is_some() {
            let property = property.escape_debug();
            return Err(archive.refuse(format!("{MANIFEST}: {property} stands there twice; keep one of them")));
        }
    }
    Ok(properties)
}
