//! The hook spool: one small JSON file per run that changed something, written after its commit.
//! It must not depend on the reader, and a file must hold ids only, no names.

#![allow(clippy::disallowed_methods, reason = "the spool of the hook, a directory of the operator")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::db::{Conn, DbError, Params};
use crate::disk::own;

/// The version of the file format that this program writes and reads.
pub const VERSION: u32 = 1;

/// The web user reads and deletes the files, through the group that they inherit from the directory.
const MODE: u32 = 0o660;

/// The content of a run's file: what the run changed. The ids are distinct and ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spooled {
    /// [`VERSION`].
    pub version: u32,
    /// The run's number.
    pub run: i64,
    /// `import`, `sync flatfile`, `approve`.
    pub kind: String,
    /// The file, or the task.
    pub source: String,
    /// The run's clock in Unix seconds.
    pub clock: i64,
    /// `course.id` of every course in which something was changed.
    pub courses: Vec<i64>,
    /// `user.id` of every user for whom something was changed.
    pub users: Vec<i64>,
    /// `groups.id` of every group that lost members.
    pub groups: Vec<i64>,
}

impl Spooled {
    /// Reads the applied changes of a run from the journal, in three statements.
    ///
    /// # Errors
    /// The database's error.
    pub async fn of(conn: &mut Conn, run: i64, kind: String, source: String, clock: i64) -> Result<Self, DbError> {
        let courses = ids(conn, run, "c.courseid").await?;
        let users = ids(conn, run, "c.userid").await?;
        let groups = ids(conn, run, "c.groupid").await?;
        Ok(Self { version: VERSION, run, kind, source, clock, courses, users, groups })
    }

    /// True if the run changed nothing.
    pub fn is_empty(&self) -> bool {
        self.courses.is_empty() && self.users.is_empty() && self.groups.is_empty()
    }

    /// Writes the file into the spool atomically; a repetition replaces it with the same content.
    ///
    /// # Errors
    /// An I/O error of the spool.
    pub fn write(&self, spool: &Path) -> io::Result<()> {
        let name = file_name(self.run);
        let draft = spool.join(format!(".{name}"));
        let written = self.draft(&draft).and_then(|()| fs::rename(&draft, spool.join(name)));
        if written.is_err() {
            // The first error is more useful than one of the removal.
            drop(fs::remove_file(&draft));
        }
        written.and_then(|()| File::open(spool)?.sync_all())
    }

    /// The web user may write into the directory: a link under the draft's name is removed, never followed.
    fn draft(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut out = BufWriter::new(own::create_with(path, MODE)?);
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// The name of a run's file; names sort in the order of the runs.
pub fn file_name(run: i64) -> String {
    format!("{run:010}.json")
}

/// The run whose file has this name; `None` for any other name.
pub fn run_of(name: &str) -> Option<i64> {
    let run = name.strip_suffix(".json")?.parse::<i64>().ok()?;
    (run > 0 && file_name(run) == name).then_some(run)
}

/// The distinct values above 0 of a column of the run's applied changes.
async fn ids(conn: &mut Conn, run: i64, column: &'static str) -> Result<Vec<i64>, DbError> {
    let params = Params::new().with("run", run).fragment("id", column);
    let sql = "SELECT DISTINCT :id FROM {enrold_change} c WHERE c.run = :run AND c.state = 0 AND :id > 0 ORDER BY :id";
    let mut ids = Vec::new();
    conn.each(sql, &params, |row| {
        ids.push(row.int(0));
        Ok(())
    })
    .await?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::{file_name, run_of};

    #[test]
    fn names_are_runs_in_order() {
        assert_eq!(file_name(17), "0000000017.json");
        assert_eq!(file_name(12_345_678_901), "12345678901.json", "more than ten digits are kept");
        for run in [1, 17, 9_999_999_999, 12_345_678_901] {
            assert_eq!(run_of(&file_name(run)), Some(run));
        }
        for name in
            ["17.json", "0000000017.json.bad", ".0000000017.json", "-000000017.json", "+000000017.json", "x.json"]
        {
            assert_eq!(run_of(name), None, "{name}");
        }
    }
}
