//! Whether the files of a full set are all there and whole: by a manifest, or by one `.ok` file each.
//! It must not know what the rows say; an incomplete set is never given on.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::files::{FileProblem, Table, TableColumn, TableEntry, TableForm};
use crate::report::codes::Locale;

/// How the name of a manifest ends: `<set>.manifest.csv`.
pub const MANIFEST: &str = ".manifest.csv";

/// How the name of a seal ends: `NAME.ok` beside `NAME`.
pub const SEAL: &str = ".ok";

/// A file that was found whole, and by what it is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The name under which it was dropped.
    pub name: String,
    /// Where it is read.
    pub path: PathBuf,
    /// Records; the header and blank lines are none.
    pub rows: u64,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A file that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name under which it is dropped.
    pub name: String,
    /// Where it is read: a file at work may lie under another name.
    pub path: PathBuf,
    pub announced: Announced,
}

impl Part {
    /// A file where it was dropped.
    pub fn dropped(path: &Path, announced: Announced) -> Part {
        Part { name: name_of(path), path: path.to_owned(), announced }
    }
}

/// What the files of a set are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All there, in the order of the manifest or of the names given.
    Complete { files: Vec<Sealed> },
    /// Something is not there, or not yet as announced. It may still come.
    Incomplete { missing: Vec<Missing> },
    /// This cannot become a set by waiting.
    Broken { file: String, why: String },
}

/// What a set lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    File(String),
    /// The seal of this name.
    Seal(String),
    Digest {
        file: String,
        announced: String,
        found: String,
    },
    Rows {
        file: String,
        announced: u64,
        found: u64,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::File(file) => write!(f, "{file} is not there"),
            Missing::Seal(file) => write!(f, "{file} is not there"),
            Missing::Digest { file, announced, found } => {
                write!(f, "{file} has the sha256 {found}, announced is {announced}")
            }
            Missing::Rows { file, announced, found } => write!(f, "{file} has {found} rows, announced are {announced}"),
        }
    }
}

/// What is announced about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Announced {
    pub rows: Option<u64>,
    pub sha256: Option<String>,
}

impl Announced {
    /// Reads the content of a seal: nothing, `rows=N sha256=…` in any order, or JSON.
    ///
    /// # Errors
    /// A sentence that says what is wrong and where; it quotes nothing, as what lies there may be no seal at all.
    pub fn parse(text: &str) -> Result<Announced, String> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut announced = Announced::default();
        if text.starts_with('{') {
            announced = serde_json::from_str(text).map_err(|error| {
                format!(
                    "this is no JSON of a seal (line {}, column {}): expected {{\"rows\": NUMBER, \"sha256\": \"DIGEST\"}}",
                    error.line(),
                    error.column()
                )
            })?;
        } else {
            for (at, word) in (1..).zip(text.split_whitespace()) {
                match word.split_once('=') {
                    Some(("rows", rows)) => announced.rows = Some(parse_rows(rows)?),
                    Some(("sha256", digest)) => announced.sha256 = Some(digest.to_owned()),
                    _ => return Err(format!("word {at} is neither rows=N nor sha256=DIGEST")),
                }
            }
        }
        announced.sha256 = announced.sha256.as_deref().map(parse_digest).transpose()?;
        Ok(announced)
    }
}

fn parse_rows(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "its rows are no whole number".to_owned())
}

fn parse_digest(text: &str) -> Result<String, String> {
    let hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal { Ok(text.to_lowercase()) } else { Err("its sha256 is not 64 hexadecimal digits".to_owned()) }
}

/// A set whose manifest names its files, which lie beside it. `form` is the table that each is.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn by_manifest(manifest: &Path, form: &TableForm) -> io::Result<Verdict> {
    match parts_of(manifest, form)? {
        Ok(parts) => check(&parts, form),
        Err(verdict) => Ok(verdict),
    }
}

/// The files that a manifest names, as if they lay beside it; or the verdict on a set whose
/// manifest is not there or makes no sense.
///
/// # Errors
/// When the manifest cannot be read.
pub fn parts_of(manifest: &Path, form: &TableForm) -> io::Result<Result<Vec<Part>, Verdict>> {
    let name = name_of(manifest);
    let file = match File::open(manifest) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Err(Verdict::Incomplete { missing: vec![Missing::File(name)] }));
        }
        Err(error) => return Err(error),
    };
    match read_manifest(file, form) {
        Err(Reading::Io(error)) => Err(error),
        Err(Reading::Broken(why)) => Ok(Err(Verdict::Broken { file: name, why })),
        Ok(named) => {
            let part = |(file, announced)| Part::dropped(&manifest.with_file_name(file), announced);
            Ok(Ok(named.into_iter().map(part).collect()))
        }
    }
}

/// A set of files each of which has its seal beside it.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn by_seals(files: &[PathBuf], form: &TableForm) -> io::Result<Verdict> {
    let mut parts = Vec::new();
    let mut missing = Vec::new();
    for file in files {
        let seal = file.with_file_name(name_of(file) + SEAL);
        let text = match read_short(&seal) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                missing.push(Missing::Seal(name_of(&seal)));
                continue;
            }
            Err(error) => return Err(error),
        };
        match Announced::parse(&text) {
            Ok(announced) => parts.push(Part::dropped(file, announced)),
            Err(why) => return Ok(Verdict::Broken { file: name_of(&seal), why }),
        }
    }
    if missing.is_empty() { check(&parts, form) } else { Ok(Verdict::Incomplete { missing }) }
}

/// Whether the files are there and are what is announced. Of a file of which nothing is
/// announced, being there is enough: it was renamed into place, or left in peace long enough.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn check(parts: &[Part], form: &TableForm) -> io::Result<Verdict> {
    let (mut whole, mut missing) = (Vec::new(), Vec::new());
    for part in parts {
        match look(part, form) {
            Ok(Ok(sealed)) => whole.push(sealed),
            Ok(Err(lack)) => missing.push(lack),
            Err(Reading::Io(error)) if error.kind() == ErrorKind::NotFound => {
                missing.push(Missing::File(part.name.clone()));
            }
            Err(Reading::Io(error)) => return Err(error),
            Err(Reading::Broken(why)) => return Ok(Verdict::Broken { file: part.name.clone(), why }),
        }
    }
    Ok(if missing.is_empty() { Verdict::Complete { files: whole } } else { Verdict::Incomplete { missing } })
}

/// Why a file says nothing.
enum Reading {
    Io(io::Error),
    Broken(String),
}

impl From<FileProblem> for Reading {
    fn from(problem: FileProblem) -> Reading {
        match problem {
            FileProblem::Io(error) => Reading::Io(error),
            FileProblem::Rejected(problem) => Reading::Broken(problem.text(Locale::En)),
        }
    }
}

/// What a seal says; the inner error is a sentence about a seal that says nothing.
///
/// # Errors
/// When it cannot be read, which may mean that there is none.
pub fn read_seal(seal: &Path) -> io::Result<Result<Announced, String>> {
    // Whoever opens a pipe waits for its writer.
    if !seal.symlink_metadata()?.is_file() {
        return Ok(Err("not a regular file".to_owned()));
    }
    Ok(Announced::parse(&read_short(seal)?))
}

/// The sha256 of a file's bytes.
///
/// # Errors
/// When it cannot be read.
pub fn digest_of(path: &Path) -> io::Result<String> {
    digest(&mut File::open(path)?)
}

/// The digest comes first: of a file that is only half there nothing else is worth a look.
fn look(part: &Part, form: &TableForm) -> Result<Result<Sealed, Missing>, Reading> {
    let file = part.name.clone();
    let mut content = File::open(&part.path).map_err(Reading::Io)?;
    let found = digest(&mut content).map_err(Reading::Io)?;
    if let Some(announced) = part.announced.sha256.clone().filter(|announced| *announced != found) {
        return Ok(Err(Missing::Digest { file, announced, found }));
    }
    let mut table = Table::open(content, form)?;
    let mut rows = 0;
    while table.next_entry()?.is_some() {
        rows += 1;
    }
    Ok(match part.announced.rows {
        Some(announced) if announced != rows => Err(Missing::Rows { file, announced, found: rows }),
        _ => Ok(Sealed { name: file, path: part.path.clone(), rows, sha256: table.sha256 }),
    })
}

fn digest(file: &mut File) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(file, &mut digest)?;
    Ok(format!("{:x}", digest.finalize()))
}

/// The files that a manifest names, each a plain name.
fn read_manifest(file: File, form: &TableForm) -> Result<Vec<(String, Announced)>, Reading> {
    let layout = TableForm {
        columns: ["file", "rows", "sha256"].map(TableColumn::required).to_vec(),
        exact: false,
        ..form.clone()
    };
    let broken = |line: u64, why: String| Reading::Broken(format!("line {line}: {why}; write the manifest again"));
    let mut table = Table::open(file, &layout)?;
    let mut named = Vec::new();
    let mut names = HashSet::new();
    while let Some(entry) = table.next_entry()? {
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem) => return Err(Reading::Broken(problem.text(Locale::En))),
        };
        let name = table.cell(0).to_owned();
        if !is_plain(&name) {
            return Err(broken(line, format!("\"{name}\" is no name of a file beside the manifest")));
        }
        if !names.insert(name.clone()) {
            return Err(broken(line, format!("{name} is named twice")));
        }
        let rows = parse_rows(table.cell(1)).map_err(|why| broken(line, why))?;
        let sha256 = parse_digest(table.cell(2)).map_err(|why| broken(line, why))?;
        named.push((name, Announced { rows: Some(rows), sha256: Some(sha256) }));
    }
    if named.is_empty() {
        return Err(Reading::Broken("it names no file; write the manifest again".to_owned()));
    }
    Ok(named)
}

fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
        && !name.contains(['\\', '\0'])
        && !name.ends_with(MANIFEST)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A seal is short; of a longer file the beginning is enough to refuse it.
fn read_short(path: &Path) -> io::Result<String> {
    const LONGEST: u64 = 4096;
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
