//! Whether a set that was dropped is whole: a file with its seal, a manifest with its files, or an archive.
//! It must not rename anything, nor wait: the drop directory looks again.

use std::path::Path;

use crate::config::{EncodingFallback, SetFormat, Source};
use crate::source::bundle::{self, Announced, MANIFEST, Part, SEAL, Sealed, Verdict};
use crate::source::files::FilesForm;

/// What a dropped set is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All its files, whole.
    Whole(Vec<Sealed>),
    /// An archive that is as its seal says.
    Archive,
    /// Something is not there, or not as it is announced; it may still come.
    Lacks(String),
    /// This cannot become a set by waiting.
    Broken(String),
}

/// Looks into a set of a source. `path` is where the file lies, `left_at` where it was left: beside that lie its seal and
/// the files that it names.
pub fn readiness(source: &Source, fallback: EncodingFallback, path: &Path, left_at: &Path) -> Readiness {
    let shown = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = shown(left_at);
    if source.format == SetFormat::OneRoster {
        return archive(path, left_at, &name);
    }
    let form = FilesForm::of(source, fallback).table();
    let parts = if name.ends_with(MANIFEST) {
        match bundle::parts_of(path, &form) {
            Ok(Ok(parts)) => parts,
            Ok(Err(verdict)) => return told(verdict),
            Err(error) => return Readiness::Broken(format!("{name}: {error}")),
        }
    } else {
        match seal(left_at) {
            Ok(announced) => vec![Part { name, path: path.to_owned(), announced }],
            Err(why) => return Readiness::Broken(why),
        }
    };
    if let Some(odd) = parts.iter().find(|part| is_odd(&part.path)) {
        return Readiness::Broken(format!("{}: not a regular file; put the file itself here", odd.name));
    }
    match bundle::check(&parts, &form) {
        Ok(verdict) => told(verdict),
        Err(error) => Readiness::Broken(error.to_string()),
    }
}

fn archive(path: &Path, left_at: &Path, name: &str) -> Readiness {
    if is_odd(path) {
        return Readiness::Broken(format!("{name}: not a regular file; put the file itself here"));
    }
    let announced = match seal(left_at) {
        Ok(announced) => announced.sha256,
        Err(why) => return Readiness::Broken(why),
    };
    let Some(announced) = announced else { return Readiness::Archive };
    match bundle::digest_of(path) {
        Ok(found) if found == announced => Readiness::Archive,
        Ok(found) => Readiness::Lacks(format!("{name} has the sha256 {found}, announced is {announced}")),
        Err(error) => Readiness::Broken(format!("{name}: {error}")),
    }
}

/// What the seal beside a file says; nothing if there is none.
fn seal(left_at: &Path) -> Result<Announced, String> {
    let mut path = left_at.as_os_str().to_owned();
    path.push(SEAL);
    match bundle::read_seal(Path::new(&path)) {
        Ok(announced) => announced.map_err(|why| format!("{}: {why}", Path::new(&path).display())),
        Err(_) => Ok(Announced::default()),
    }
}

/// A link could lead anywhere, and whoever opens a pipe waits for its writer. What is not there is lacking, not odd.
fn is_odd(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file())
}

fn told(verdict: Verdict) -> Readiness {
    match verdict {
        Verdict::Complete { files } => Readiness::Whole(files),
        Verdict::Incomplete { missing } => {
            Readiness::Lacks(missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Verdict::Broken { file, why } => Readiness::Broken(format!("{file}: {why}")),
    }
}
