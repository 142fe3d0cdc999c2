//! The rows of one file after an archive: those that it sends and, for a delta, the rows of the base that it does not
//! change. It must not know what a row means, nor resolve references.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io;

use super::archive::Archive;
use super::base::{BaseTable, BaseWriter};
use super::listing::{LISTED, ROW, too_much};
use super::manifest::{Manifest, Mode};
use super::status::{Desired, StatusRule};
use super::tables::{ID, MODIFIED, OneRosterFile, STATUS};
use crate::files::{Scraps, Table, TableEntry, cut};
use crate::problem::{Code, Problem};
use crate::source::files::FileRead;
use crate::source::rows::{SetError, SetProblem, Taker};

/// A row, with its file and line.
pub(super) struct Row<'a> {
    table: &'a Table<File>,
    file: &'static OneRosterFile,
    pub line: u64,
    /// It is from the base: an earlier archive sent it.
    pub earlier: bool,
}

/// The name in messages of a file that an earlier archive sent.
pub fn as_sent_before(file: &str) -> String {
    format!("{file} (as sent before)")
}

impl Row<'_> {
    /// The cell, cut to the length that can matter; identifiers are compared by it, too.
    pub fn cell(&self, place: usize) -> &str {
        cut(self.table.cell(place))
    }

    /// A problem of this row, with the name of its file.
    pub fn problem(&self, problem: Problem) -> SetProblem {
        SetProblem::new(&self.shown(), problem)
    }

    /// The same, for a row that is used.
    pub fn warning(&self, problem: Problem) -> SetProblem {
        SetProblem::warning(&self.shown(), problem)
    }

    fn shown(&self) -> String {
        if self.earlier { as_sent_before(self.file.csv) } else { self.file.csv.to_owned() }
    }

    /// A hash of its content, without `status` and `dateLastModified`.
    fn mark(&self, desired: Desired) -> u64 {
        let mut hasher = DefaultHasher::new();
        (desired == Desired::Present).hash(&mut hasher);
        let says = (0..self.file.columns.len()).filter(|place| ![STATUS, MODIFIED].contains(place));
        says.for_each(|place| self.cell(place).hash(&mut hasher));
        hasher.finish()
    }
}

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays in the base.
    Kept,
    /// It stays in the base and was reported: what it refers to may still be sent.
    Bad,
    /// It leaves the base.
    Left,
}

/// Receives the rows of a file.
pub(super) trait Visitor {
    /// A row that is to exist.
    fn row(&mut self, row: &Row, taker: &mut dyn Taker) -> Result<Fate, SetError>;

    /// A row that cannot be used, and why; with scraps if its cells cannot be told apart.
    fn unusable(
        &mut self,
        row: &Row,
        problem: Problem,
        scraps: Option<Scraps>,
        taker: &mut dyn Taker,
    ) -> Result<(), SetError>;

    /// The row with this identifier is to be deleted; called before any row is passed on.
    fn gone(&mut self, _id: &str) {}
}

/// What a delta says about an identifier.
struct Touch {
    desired: Desired,
    mark: u64,
    line: u64,
    /// Two of its rows contradict each other: neither is used.
    contradicted: bool,
}

/// An archive and, for a delta, the base that it builds on.
pub(super) struct Sides<'a> {
    pub archive: Archive,
    pub manifest: Manifest,
    pub base: Option<(Archive, Manifest)>,
    /// Receives the rows for the next delta.
    pub keep: Option<&'a mut BaseWriter>,
    /// The latest `dateLastModified` of a delta, Unix seconds.
    pub newest: i64,
}

impl Sides<'_> {
    /// Whether all rows of a file are known.
    pub fn complete(&self, file: &OneRosterFile) -> Result<bool, SetError> {
        match (self.manifest.mode(file.name, &self.archive)?, &self.base) {
            (Mode::Bulk, _) => Ok(true),
            (_, Some((base, manifest))) => Ok(manifest.mode(file.name, base)? == Mode::Bulk),
            _ => Ok(false),
        }
    }

    /// Passes all rows of a file to `visitor`; what is sent must have the columns at the positions `required`.
    pub fn show(
        &mut self,
        file: &'static OneRosterFile,
        required: &[usize],
        visitor: &mut dyn Visitor,
        taker: &mut dyn Taker,
    ) -> Result<FileRead, SetError> {
        let mode = self.manifest.mode(file.name, &self.archive)?;
        let complete = self.complete(file)?;
        let sent = if mode == Mode::Absent { None } else { self.archive.take(file.csv)? };
        let earlier = match &mut self.base {
            Some((base, _)) if mode != Mode::Bulk => base.take(file.csv)?,
            _ => None,
        };
        let read = FileRead { file: file.csv.to_owned(), sha256: String::new(), rows: 0, bad: 0, ragged: 0 };
        if sent.is_none() && earlier.is_none() {
            return Ok(read);
        }
        let keep = Keep(self.keep.as_deref_mut().map(|keep| keep.table(file, complete)).transpose()?);
        let open = |content: File, required: &[usize]| {
            Table::open(content, &file.form(required)).map_err(|problem| SetError::of_file(file.csv, problem))
        };
        let touched = match &sent {
            Some(sent) if mode == Mode::Delta => touched(&mut open(sent.try_clone()?, required)?, file)?,
            _ => HashMap::new(),
        };
        let goes = |touch: &&Touch| touch.desired == Desired::Absent && !touch.contradicted;
        touched.iter().filter(|(_, touch)| goes(touch)).for_each(|(id, _)| visitor.gone(id));
        let mut showing = Showing { file, touched, delta: mode == Mode::Delta, visitor, taker, keep, read };
        if let Some(earlier) = earlier {
            showing.earlier(&mut open(earlier, &[])?)?;
        }
        if let Some(sent) = sent {
            let newest = showing.sent(&mut open(sent, required)?)?;
            self.newest = self.newest.max(newest);
        }
        showing.keep.finish()?;
        Ok(showing.read)
    }
}

/// One file, while its rows are passed on.
struct Showing<'a> {
    file: &'static OneRosterFile,
    delta: bool,
    touched: HashMap<String, Touch>,
    visitor: &'a mut dyn Visitor,
    taker: &'a mut dyn Taker,
    keep: Keep<'a>,
    read: FileRead,
}

impl Showing<'_> {
    /// Passes on the rows of the base that the archive does not change.
    fn earlier(&mut self, table: &mut Table<File>) -> Result<(), SetError> {
        let file = self.file;
        let mut status = StatusRule::new(false);
        while let Some(entry) = table.next_entry().map_err(|problem| SetError::of_file(file.csv, problem))? {
            let TableEntry::Row(line) = entry else { continue };
            if self.touched.get(cut(table.cell(ID))).is_some_and(|touch| !touch.contradicted) {
                continue;
            }
            let row = Row { table, file, line, earlier: true };
            match status.desired(line, row.cell(STATUS), "") {
                Ok(_) if self.visitor.row(&row, self.taker)? == Fate::Left => {}
                Ok(_) => self.keep.row(table, "")?,
                Err(problem) => {
                    self.visitor.unusable(&row, problem, None, self.taker)?;
                    self.keep.row(table, table.cell(STATUS))?;
                }
            }
        }
        Ok(())
    }

    /// Passes on the rows that are sent; returns the latest change among them.
    fn sent(&mut self, table: &mut Table<File>) -> Result<i64, SetError> {
        let file = self.file;
        self.read.sha256.clone_from(&table.sha256);
        let mut status = StatusRule::new(self.delta);
        while let Some(entry) = table.next_entry().map_err(|problem| SetError::of_file(file.csv, problem))? {
            self.read.rows += 1;
            match entry {
                TableEntry::Row(line) => self.one(&Row { table, file, line, earlier: false }, &mut status)?,
                TableEntry::Bad(problem, scraps) => {
                    self.read.bad += 1;
                    self.read.ragged += u64::from(problem.code == Code::RowRagged);
                    let row = Row { table, file, line: problem.line, earlier: false };
                    self.visitor.unusable(&row, problem, scraps, self.taker)?;
                }
            }
        }
        Ok(status.newest)
    }

    fn one(&mut self, row: &Row, status: &mut StatusRule) -> Result<(), SetError> {
        let usable = status.desired(row.line, row.cell(STATUS), row.cell(MODIFIED));
        let counts = |usable| match self.delta {
            true => one_of_a_delta(row, &self.touched).map(|counts| counts.then_some(usable)),
            false => Ok(Some(usable)),
        };
        let (desired, warning) = match usable.and_then(counts) {
            Ok(Some(usable)) => usable,
            Ok(None) => return Ok(()),
            Err(problem) => {
                self.read.bad += 1;
                self.visitor.unusable(row, problem, None, self.taker)?;
                // The row is kept, so that it protects its user after later deltas, too.
                return if self.delta { Ok(()) } else { Ok(self.keep.row(row.table, row.cell(STATUS))?) };
            }
        };
        if desired == Desired::Present {
            let fate = self.visitor.row(row, self.taker)?;
            self.read.bad += u64::from(fate == Fate::Bad);
            if fate != Fate::Left {
                self.keep.row(row.table, "")?;
            }
        }
        warning.map_or(Ok(()), |warning| Ok(self.taker.problem(row.warning(warning))?))
    }
}

/// The file of the new base, if one is written.
struct Keep<'a>(Option<BaseTable<'a>>);

impl Keep<'_> {
    fn row(&mut self, table: &Table<File>, status: &str) -> io::Result<()> {
        let cell = |place| match place {
            STATUS => status,
            MODIFIED => "",
            _ => cut(table.cell(place)),
        };
        self.0.as_mut().map_or(Ok(()), |out| out.row(cell))
    }

    fn finish(self) -> io::Result<()> {
        self.0.map_or(Ok(()), BaseTable::finish)
    }
}

/// What a delta says, by identifier, without unusable rows. Held in memory, as a delta contains only changes.
fn touched(table: &mut Table<File>, file: &'static OneRosterFile) -> Result<HashMap<String, Touch>, SetError> {
    let mut touched: HashMap<String, Touch> = HashMap::new();
    let mut status = StatusRule::new(true);
    let mut bytes = 0;
    while let Some(entry) = table.next_entry().map_err(|problem| SetError::of_file(file.csv, problem))? {
        let TableEntry::Row(line) = entry else { continue };
        let row = Row { table, file, line, earlier: false };
        let Ok((desired, _)) = status.desired(line, row.cell(STATUS), row.cell(MODIFIED)) else { continue };
        let mark = row.mark(desired);
        match touched.entry(row.cell(ID).to_owned()) {
            Entry::Vacant(free) => {
                bytes += ROW + free.key().len();
                if bytes > LISTED {
                    return Err(too_much(file));
                }
                free.insert(Touch { desired, mark, line, contradicted: false });
            }
            Entry::Occupied(mut before) => {
                let before = before.get_mut();
                let same = before.desired == desired && (desired == Desired::Absent || before.mark == mark);
                before.contradicted |= !same;
            }
        }
    }
    touched.remove("");
    Ok(touched)
}

/// Whether a row of a delta is used: of several equal ones, only the first is.
fn one_of_a_delta(row: &Row, touched: &HashMap<String, Touch>) -> Result<bool, Problem> {
    let id = row.cell(ID);
    match touched.get(id) {
        None => Err(Problem::new(row.line, Code::EmptyIdentifier, row.file.columns[ID], "")),
        Some(touch) if touch.contradicted => Err(Problem::new(row.line, Code::ReferenceAmbiguous, id, row.file.csv)),
        Some(touch) => Ok(touch.line == row.line),
    }
}
