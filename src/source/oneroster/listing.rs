//! Loads the files that others refer to (users, classes, courses, orgs): the used values of each row, by `sourcedId`.
//! It must not know enrolments, nor what the values are used for.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::merge::{Fate, Row, Sides, Visitor};
use super::tables::{ID, OneRosterFile};
use crate::files::Scraps;
use crate::problem::{Code, Problem};
use crate::source::rows::{SetError, Taker};

/// A row that rows of other files may refer to.
struct Listed {
    values: Box<[Box<str>]>,
    /// Another row has the same identifier and other values.
    contradicted: bool,
}

/// The error for a file whose rows exceed the memory limit.
pub(super) fn too_much(file: &OneRosterFile) -> SetError {
    let why = format!("its rows take more than {} MiB of memory; look at what made the export", LISTED >> 20);
    SetError::Archive { archive: file.csv.to_owned(), why }
}

/// Why a reference gives no value.
pub(super) enum Lack {
    /// The archive deletes the row that is referred to.
    Gone(Problem),
    Announced(Problem),
}

/// The memory limit for the rows of one file, in bytes, estimated: a million users need less.
pub(super) const LISTED: usize = 256 << 20;
/// The estimated bytes of a row besides its texts.
pub(super) const ROW: usize = 120;

/// One file, by identifier. Held in memory: its length is the number of users or classes of a university.
pub(super) struct Listing {
    file: &'static OneRosterFile,
    /// The positions of the columns that are used.
    wanted: Vec<usize>,
    complete: bool,
    listed: HashMap<String, Listed>,
    gone: HashSet<String>,
    /// The estimated bytes of `listed`.
    bytes: usize,
}

impl Listing {
    /// A file that is not used.
    pub fn unread(file: &'static OneRosterFile) -> Listing {
        Listing { file, wanted: Vec::new(), complete: false, listed: HashMap::new(), gone: HashSet::new(), bytes: 0 }
    }

    /// Reads these columns of a file; those in `optional` may be missing.
    pub fn read(
        sides: &mut Sides,
        file: &'static OneRosterFile,
        required: &[usize],
        optional: &[usize],
        taker: &mut dyn Taker,
    ) -> Result<Listing, SetError> {
        let mut wanted = [required, optional].concat();
        wanted.retain(|place| *place != ID);
        wanted.sort_unstable();
        wanted.dedup();
        let mut listing = Listing { wanted, complete: sides.complete(file)?, ..Listing::unread(file) };
        sides.show(file, required, &mut listing, taker)?;
        Ok(listing)
    }

    /// The value of a column of the row with this identifier. If the row is not listed and the file is incomplete, only
    /// the identifier itself is available.
    pub fn value(&self, line: u64, id: &str, place: usize) -> Result<String, Lack> {
        let told = |code| Err(Lack::Announced(Problem::new(line, code, id, self.file.csv)));
        if self.is_gone(id) {
            let expected = format!("active, for {id} in {}", self.file.csv);
            return Err(Lack::Gone(Problem::new(line, Code::StatusUnusable, "tobedeleted", expected)));
        }
        match self.listed.get(id) {
            Some(listed) if listed.contradicted => told(Code::ReferenceAmbiguous),
            Some(listed) if place != ID => Ok(self.of(listed, place).to_owned()),
            None if self.complete || place != ID => told(Code::ReferenceUnknown),
            _ => Ok(id.to_owned()),
        }
    }

    /// The same; an empty value is a problem.
    pub fn filled(&self, line: u64, id: &str, place: usize) -> Result<String, Lack> {
        let value = self.value(line, id, place)?;
        if value.is_empty() {
            let what = format!("{} ({}, {id})", self.file.columns[place], self.file.csv);
            return Err(Lack::Announced(Problem::new(line, Code::EmptyIdentifier, what, "")));
        }
        Ok(value)
    }

    /// A column of the row with this identifier; empty if there is none.
    pub fn cell(&self, id: &str, place: usize) -> &str {
        self.listed.get(id).map_or("", |listed| self.of(listed, place))
    }

    fn of<'a>(&self, listed: &'a Listed, place: usize) -> &'a str {
        let at = self.wanted.iter().position(|wanted| *wanted == place);
        at.and_then(|at| listed.values.get(at)).map_or("", |value| value)
    }

    /// Whether the archive deletes the row with this identifier.
    pub fn is_gone(&self, id: &str) -> bool {
        self.gone.contains(id)
    }

    /// Whether all rows are known and none has this identifier.
    pub fn lacks(&self, id: &str) -> bool {
        self.complete && !self.listed.contains_key(id)
    }
}

impl Visitor for Listing {
    fn row(&mut self, row: &Row, taker: &mut dyn Taker) -> Result<Fate, SetError> {
        let id = row.cell(ID);
        let values: Box<[Box<str>]> = self.wanted.iter().map(|place| row.cell(*place).into()).collect();
        let problem = match self.listed.entry(id.to_owned()) {
            _ if id.is_empty() => Problem::new(row.line, Code::EmptyIdentifier, self.file.columns[ID], ""),
            Entry::Vacant(free) => {
                self.bytes +=
                    ROW + id.len() + values.iter().map(|value| value.len() + size_of::<Box<str>>()).sum::<usize>();
                if self.bytes > LISTED {
                    return Err(too_much(self.file));
                }
                free.insert(Listed { values, contradicted: false });
                return Ok(Fate::Kept);
            }
            Entry::Occupied(taken) if taken.get().values == values && !taken.get().contradicted => {
                return Ok(Fate::Kept);
            }
            Entry::Occupied(mut taken) => {
                taken.get_mut().contradicted = true;
                Problem::new(row.line, Code::ReferenceAmbiguous, id, self.file.csv)
            }
        };
        taker.problem(row.problem(problem))?;
        Ok(Fate::Bad)
    }

    fn unusable(
        &mut self,
        row: &Row,
        problem: Problem,
        _scraps: Option<Scraps>,
        taker: &mut dyn Taker,
    ) -> Result<(), SetError> {
        Ok(taker.problem(row.problem(problem))?)
    }

    fn gone(&mut self, id: &str) {
        self.gone.insert(id.to_owned());
    }
}
