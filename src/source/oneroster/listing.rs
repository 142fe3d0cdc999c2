//! The files that others refer to (users, classes, courses, orgs): by `sourcedId`, the one value of each that is asked for.
//! It must not know enrolments, nor what the value is used for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::archive::Archive;
use super::manifest::{Manifest, Mode};
use super::status::{StatusRule, Wish};
use super::{SOURCED_ID, form};
use crate::files::{Table, TableEntry};
use crate::report::codes::{Code, Problem};
use crate::source::rows::{SetError, SetProblem, Taker};

/// A row that others may refer to.
#[derive(PartialEq, Eq)]
struct Listed {
    value: String,
    gone: bool,
    /// Another row has the same identifier and says something else.
    contradicted: bool,
}

/// One file, by identifier. In memory: it is as long as a university has people or classes.
pub(super) struct Listing {
    /// With `.csv`.
    file: String,
    column: &'static str,
    mode: Mode,
    listed: HashMap<String, Listed>,
}

impl Listing {
    /// Reads `file` (without `.csv`) and keeps `column` of each row.
    pub fn read(
        archive: &mut Archive,
        manifest: &Manifest,
        file: &str,
        column: &'static str,
        taker: &mut dyn Taker,
    ) -> Result<Listing, SetError> {
        let mode = manifest.mode(file, archive)?;
        let mut listing = Listing { file: format!("{file}.csv"), column, mode, listed: HashMap::new() };
        if mode != Mode::Absent
            && let Some(content) = archive.take(&listing.file)?
        {
            listing.fill(content, taker)?;
        }
        Ok(listing)
    }

    fn fill(&mut self, content: std::fs::File, taker: &mut dyn Taker) -> Result<(), SetError> {
        let file = self.file.clone();
        let refused = |problem| SetError::of_file(&file, problem);
        let columns = [SOURCED_ID, "status", "dateLastModified", self.column];
        let own = if self.column == SOURCED_ID { &columns[..3] } else { &columns[..] };
        let mut table = Table::open(content, &form(own, &[])).map_err(refused)?;
        let mut status = StatusRule::new(self.mode);
        while let Some(entry) = table.next_entry().map_err(refused)? {
            let added = match entry {
                TableEntry::Row(line) => self.add(&table, line, &mut status),
                TableEntry::Bad(problem) => Err(problem),
            };
            match added {
                Ok(None) => {}
                Ok(Some(warning)) => taker.problem(SetProblem::warning(&self.file, warning))?,
                Err(problem) => taker.problem(SetProblem::new(&self.file, problem))?,
            }
        }
        Ok(())
    }

    fn add<R: std::io::Read>(
        &mut self,
        table: &Table<R>,
        line: u64,
        status: &mut StatusRule,
    ) -> Result<Option<Problem>, Problem> {
        let id = table.cell(0);
        if id.is_empty() {
            return Err(Problem::new(line, Code::EmptyIdentifier, SOURCED_ID, ""));
        }
        let (wish, warning) = status.wish(line, table.cell(1), table.cell(2))?;
        let value = if self.column == SOURCED_ID { id } else { table.cell(3) };
        let new = Listed { value: value.to_owned(), gone: wish == Wish::NotBe, contradicted: false };
        match self.listed.entry(id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(new);
            }
            Entry::Occupied(taken) if *taken.get() == new => {}
            Entry::Occupied(mut taken) => {
                taken.get_mut().contradicted = true;
                return Err(Problem::new(line, Code::ReferenceAmbiguous, id, &self.file));
            }
        }
        Ok(warning)
    }

    /// The value of the row of this identifier. A row that is itself to be deleted has one only
    /// for what is to be deleted too. What a delta or a missing file does not list was sent
    /// before; then only the identifier itself is known.
    pub fn value(&self, line: u64, id: &str, wish: Wish) -> Result<String, Problem> {
        let problem = |code, value: &str, hint: &str| Err(Problem::new(line, code, value, hint));
        match self.listed.get(id) {
            Some(listed) if listed.contradicted => problem(Code::ReferenceAmbiguous, id, &self.file),
            Some(listed) if listed.gone && wish == Wish::Be => {
                problem(Code::StatusUnusable, "tobedeleted", &format!("active, for {id} in {}", self.file))
            }
            Some(listed) if listed.value.is_empty() => {
                problem(Code::EmptyIdentifier, &format!("{} ({}, {id})", self.column, self.file), "")
            }
            Some(listed) => Ok(listed.value.clone()),
            None if self.mode != Mode::Bulk && self.column == SOURCED_ID => Ok(id.to_owned()),
            None => problem(Code::ReferenceUnknown, id, &self.file),
        }
    }

    /// Whether a reference to this identifier leads nowhere.
    pub fn lacks(&self, id: &str) -> bool {
        self.mode == Mode::Bulk && !self.listed.contains_key(id)
    }
}
