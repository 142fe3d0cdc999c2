//! Whether a dropped set is complete: a file with its seal, a manifest with its files, or an archive.
//! It must not rename anything, nor wait: the drop directory is scanned again.

use std::ffi::OsStr;
use std::io;

use crate::config::{EncodingFallback, SetFormat, Source};
use crate::disk::{Dir, RegularFile, is_changed, is_stopped};
use crate::problem::Problem;
use crate::source::bundle::{self, Announced, MANIFEST, Part, SEAL, Sealed, Sent, Verdict};
use crate::source::files::FilesForm;

/// The state of a dropped set at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All its files are complete.
    Whole(Vec<Sealed>),
    /// An archive that matches its seal, if it has one.
    Archive,
    /// A file is missing or is not as announced; it may still come.
    Lacks(String),
    /// The set cannot become complete by waiting.
    Broken(String),
    /// A file is a spreadsheet; the problem names it.
    Spreadsheet(Problem),
}

/// Checks a set of a source. `file` is the dropped file, wherever it is now, or the error of opening it; `left` is the
/// name under which it was dropped in `dir`, beside its seal and the files that it names. Reads all files completely.
///
/// # Errors
/// Reading was stopped: the program ends.
pub fn readiness(
    source: &Source,
    fallback: EncodingFallback,
    file: io::Result<RegularFile>,
    dir: &Dir,
    left: &OsStr,
) -> io::Result<Readiness> {
    let name = left.to_string_lossy().into_owned();
    let sent = match file {
        Ok(file) => Sent { name, file },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Readiness::Lacks(format!("{name} is not there")));
        }
        Err(error) => return Ok(Readiness::Broken(format!("{name}: {}", bundle::odd(&error)))),
    };
    let looked = match source.format {
        SetFormat::OneRoster => archive(&sent, dir, left),
        SetFormat::Csv => table(source, fallback, sent, dir, left),
    };
    match looked {
        Err(error) if is_stopped(&error) => Err(error),
        // The file is still being written.
        Err(error) if is_changed(&error) => Ok(Readiness::Lacks(format!("{}: {error}", left.to_string_lossy()))),
        Err(error) => Ok(Readiness::Broken(format!("{}: {error}", left.to_string_lossy()))),
        looked => looked,
    }
}

fn table(source: &Source, fallback: EncodingFallback, sent: Sent, dir: &Dir, left: &OsStr) -> io::Result<Readiness> {
    let form = FilesForm::of(source, fallback).table();
    if sent.name.ends_with(MANIFEST) {
        return bundle::by_manifest(&sent, dir, &form).map(told);
    }
    match seal(dir, left)? {
        Ok(announced) => bundle::check(&[Part { announced, ..Part::of(sent) }], &form).map(told),
        Err(why) => Ok(Readiness::Broken(why)),
    }
}

fn archive(sent: &Sent, dir: &Dir, left: &OsStr) -> io::Result<Readiness> {
    let announced = match seal(dir, left)? {
        Ok(announced) => announced.sha256,
        Err(why) => return Ok(Readiness::Broken(why)),
    };
    let Some(announced) = announced else { return Ok(Readiness::Archive) };
    let (found, _) = sent.file.digest()?;
    Ok(match found == announced {
        true => Readiness::Archive,
        false => Readiness::Lacks(format!("{} has the sha256 {found}, announced is {announced}", sent.name)),
    })
}

/// The content of the seal beside a file, empty if there is none. A seal that cannot be read is the inner error.
fn seal(dir: &Dir, left: &OsStr) -> io::Result<Result<Announced, String>> {
    let mut seal = left.to_owned();
    seal.push(SEAL);
    let told = |why: String| format!("{}: {why}", seal.to_string_lossy());
    match bundle::read_seal(dir, &seal) {
        Ok(announced) => Ok(announced.map_err(told)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ok(Announced::default())),
        Err(error) if is_stopped(&error) => Err(error),
        Err(error) => Ok(Err(told(error.to_string()))),
    }
}

fn told(verdict: Verdict) -> Readiness {
    match verdict {
        Verdict::Complete { files } => Readiness::Whole(files),
        Verdict::Incomplete { missing } => {
            Readiness::Lacks(missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Verdict::Broken { file, why } => Readiness::Broken(format!("{file}: {why}")),
        Verdict::Spreadsheet(problem) => Readiness::Spreadsheet(problem),
    }
}
