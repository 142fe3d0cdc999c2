//! Checks whether the files of a full set are all present and complete: by a manifest, or by one `.ok` file each.
//! It must not know what the rows say, nor pass on an incomplete set.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

use serde::Deserialize;

use crate::config::Locale;
use crate::disk::{Dir, RegularFile, is_changed};
use crate::files::{FileProblem, Table, TableColumn, TableEntry, TableForm};
use crate::problem::{Code, Problem};

/// How the name of a manifest ends: `<set>.manifest.csv`.
pub const MANIFEST: &str = ".manifest.csv";

/// How the name of a seal ends: `NAME.ok` beside `NAME`.
pub const SEAL: &str = ".ok";

/// The largest manifest that is read, in bytes: it is read at every scan, and names at most thousands of files.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// How many bytes of a seal are read.
const LONGEST_SEAL: u64 = 4096;

/// A file that was found complete, and by what it is recognised again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The name under which it was dropped.
    pub name: String,
    /// The file, opened once.
    pub file: RegularFile,
    /// Records; the header and blank lines do not count.
    pub rows: u64,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A file of a set, with the name under which it was dropped; once claimed it has another one on disk.
#[derive(Clone, Debug)]
pub struct Sent {
    pub name: String,
    /// Opened once.
    pub file: RegularFile,
}

impl Sent {
    /// Opens a file of enrold's own.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn named(path: &Path) -> io::Result<Sent> {
        Sent::within(path, u64::MAX)
    }

    /// Opens a file that the command line names, of at most `limit` bytes.
    ///
    /// # Errors
    /// It cannot be opened, or is larger.
    pub fn within(path: &Path, limit: u64) -> io::Result<Sent> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Sent { name, file: Dir::open_within(path, limit)? })
    }
}

/// A file that a set should have.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name under which it is dropped.
    pub name: String,
    /// The open file; `None` if it is not there.
    pub file: Option<RegularFile>,
    pub announced: Announced,
}

impl Part {
    /// A file without an announcement.
    pub fn of(sent: Sent) -> Part {
        Part { name: sent.name, file: Some(sent.file), announced: Announced::default() }
    }

    /// A file that the command line names and that is not there.
    pub fn missing(path: &Path) -> Part {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Part { name, file: None, announced: Announced::default() }
    }
}

/// The state of the files of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All files are complete; in the order of the manifest or of the names given.
    Complete { files: Vec<Sealed> },
    /// A file is missing, or not yet as announced. It may still arrive.
    Incomplete { missing: Vec<Missing> },
    /// Waiting cannot complete this set.
    Broken { file: String, why: String },
    /// A file is a spreadsheet; the problem names it.
    Spreadsheet(Problem),
}

/// What is missing of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    File(String),
    Digest { file: String, announced: String, found: String },
    Rows { file: String, announced: u64, found: u64 },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::File(file) => write!(f, "{file} is not there"),
            Missing::Digest { file, announced, found } => {
                write!(f, "{file} has the sha256 {found}, announced is {announced}")
            }
            Missing::Rows { file, announced, found } => write!(f, "{file} has {found} rows, announced are {announced}"),
        }
    }
}

/// What a manifest or a seal announces about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Announced {
    pub rows: Option<u64>,
    pub sha256: Option<String>,
}

impl Announced {
    /// Reads the content of a seal: nothing, `rows=N sha256=…` in any order, or JSON.
    ///
    /// # Errors
    /// A sentence that says what is wrong and where; it quotes nothing, as the file may not be a seal at all.
    pub fn parse(text: &str) -> Result<Announced, String> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut announced = Announced::default();
        if text.starts_with('{') {
            announced = serde_json::from_str(text).map_err(|error| {
                format!(
                    "this is no JSON of a seal (line {}, column {}): expected {{\"rows\": \
                     NUMBER, \"sha256\": \"DIGEST\"}}",
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

/// Checks a set whose manifest names its files, which are in `dir`. `form` is the table form of each file.
///
/// # Errors
/// A file cannot be read.
pub fn by_manifest(manifest: &Sent, dir: &Dir, form: &TableForm) -> io::Result<Verdict> {
    match named_by(manifest, form)?.and_then(|named| parts(named, dir)) {
        Ok(parts) => check(&parts, form),
        Err(verdict) => Ok(verdict),
    }
}

/// The files that a manifest names, and what it announces; or the verdict on a set whose manifest is invalid.
///
/// # Errors
/// The manifest cannot be read.
pub fn named_by(manifest: &Sent, form: &TableForm) -> io::Result<Result<Vec<(String, Announced)>, Verdict>> {
    match read_manifest(&manifest.file, form) {
        Err(Reading::Io(error)) => Err(error),
        Err(Reading::Broken(why)) => Ok(Err(Verdict::Broken { file: manifest.name.clone(), why })),
        Err(Reading::Spreadsheet(problem)) => Ok(Err(Verdict::Spreadsheet(problem.in_file(manifest.name.as_str())))),
        Ok(named) => Ok(Ok(named)),
    }
}

/// Opens the files that a manifest names.
pub fn parts(named: Vec<(String, Announced)>, dir: &Dir) -> Result<Vec<Part>, Verdict> {
    let open = |(name, announced): (String, Announced)| match dir.open_file(OsStr::new(&name)) {
        Ok(file) => Ok(Part { name, file: Some(file), announced }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Part { name, file: None, announced }),
        Err(error) => Err(Verdict::Broken { why: odd(&error), file: name }),
    };
    named.into_iter().map(open).collect()
}

/// Why a file that was dropped cannot be opened, with what to do.
pub fn odd(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidInput => "not a regular file; put the file itself here".to_owned(),
        _ => error.to_string(),
    }
}

/// Checks whether the files exist and are as announced. A file without an announcement only has to exist: it was
/// renamed into place, or was unchanged for long enough.
///
/// # Errors
/// A file cannot be read.
pub fn check(parts: &[Part], form: &TableForm) -> io::Result<Verdict> {
    let (mut whole, mut missing) = (Vec::new(), Vec::new());
    for part in parts {
        let Some(file) = &part.file else {
            missing.push(Missing::File(part.name.clone()));
            continue;
        };
        match inspect(part, file, form) {
            Ok(Ok(sealed)) => whole.push(sealed),
            Ok(Err(lack)) => missing.push(lack),
            Err(Reading::Io(error)) => return Err(error),
            Err(Reading::Broken(why)) => return Ok(Verdict::Broken { file: part.name.clone(), why }),
            Err(Reading::Spreadsheet(problem)) => return Ok(Verdict::Spreadsheet(problem.in_file(part.name.as_str()))),
        }
    }
    Ok(if missing.is_empty() { Verdict::Complete { files: whole } } else { Verdict::Incomplete { missing } })
}

/// Why a file cannot be used.
enum Reading {
    Io(io::Error),
    Broken(String),
    Spreadsheet(Problem),
}

impl From<FileProblem> for Reading {
    fn from(problem: FileProblem) -> Reading {
        match problem {
            FileProblem::Io(error) => Reading::Io(error),
            FileProblem::Rejected(problem) if problem.code == Code::Spreadsheet => Reading::Spreadsheet(problem),
            FileProblem::Rejected(problem) => Reading::Broken(problem.text(Locale::En)),
        }
    }
}

/// The content of the seal of this name; the inner error is a sentence about an invalid seal.
///
/// # Errors
/// It cannot be read, or does not exist.
pub fn read_seal(dir: &Dir, seal: &OsStr) -> io::Result<Result<Announced, String>> {
    match dir.open_file(seal) {
        // A seal is short; the beginning of a longer file is enough to refuse it.
        Ok(file) => Ok(Announced::parse(&String::from_utf8_lossy(&file.beginning(LONGEST_SEAL)?))),
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(Err("not a regular file".to_owned())),
        Err(error) => Err(error),
    }
}

/// Checks the digest first: if a file is only half written, its records mean nothing.
fn inspect(part: &Part, file: &RegularFile, form: &TableForm) -> Result<Result<Sealed, Missing>, Reading> {
    let name = part.name.clone();
    let (found, _) = file.digest().map_err(Reading::Io)?;
    if let Some(announced) = part.announced.sha256.clone().filter(|announced| *announced != found) {
        return Ok(Err(Missing::Digest { file: name, announced, found }));
    }
    let mut table = Table::open(file.pass(&found), form)?;
    let mut rows = 0;
    let counted = loop {
        match table.next_entry() {
            Ok(Some(_)) => rows += 1,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    match counted {
        // Its writer has not finished.
        Err(FileProblem::Io(error)) if is_changed(&error) => {
            let announced = part.announced.sha256.clone().unwrap_or_else(|| found.clone());
            return Ok(Err(Missing::Digest { file: name, announced, found: "another one now".to_owned() }));
        }
        counted => counted?,
    }
    Ok(match part.announced.rows {
        Some(announced) if announced != rows => Err(Missing::Rows { file: name, announced, found: rows }),
        _ => Ok(Sealed { name, file: file.clone(), rows, sha256: found }),
    })
}

/// The files that a manifest names, each a plain name.
fn read_manifest(file: &RegularFile, form: &TableForm) -> Result<Vec<(String, Announced)>, Reading> {
    let layout = TableForm {
        columns: ["file", "rows", "sha256"].map(TableColumn::required).to_vec(),
        exact: false,
        ..form.clone()
    };
    let broken = |line: u64, why: String| Reading::Broken(format!("line {line}: {why}; write the manifest again"));
    if file.opened().size > LARGEST_MANIFEST {
        let most = LARGEST_MANIFEST >> 20;
        return Err(Reading::Broken(format!(
            "it is larger than a manifest may be, {most} MiB; write the manifest again"
        )));
    }
    let (sha256, _) = file.digest().map_err(Reading::Io)?;
    let mut table = Table::open(file.pass(&sha256), &layout)?;
    if let Some(title) = table.titles.first() {
        return Err(broken(title.line, "this is not the header".to_owned()));
    }
    let mut named = Vec::new();
    let mut names = HashSet::new();
    while let Some(entry) = table.next_entry()? {
        let line = match entry {
            TableEntry::Row(line) => line,
            TableEntry::Bad(problem, _) => return Err(Reading::Broken(problem.text(Locale::En))),
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

#[cfg(test)]
mod tests;
