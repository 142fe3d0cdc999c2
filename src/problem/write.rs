//! The one writer of `enrold_error`: the first problems of a run are kept there, those beyond are counted by code.
//! It must not find problems: steps of a run do.

use std::collections::BTreeMap;

use crate::db::{Bulk, Conn, DbError, Dialect, Field, Params};
use crate::problem::{Code, PlaceKind, Problem};

/// What is kept of the problems of a run, and what is counted only.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `enrold_run.id`; 0 in a simulation.
    run: i64,
    /// The last number that was given. One run writes at a time, so nobody else gives numbers of this run.
    last: i64,
    /// How many more are kept.
    room: u64,
    /// Those beyond, by code.
    beyond: BTreeMap<String, u64>,
}

impl Kept {
    /// Of a run that keeps so many more problems and whose parts before have given the numbers up to `last`.
    pub fn new(run: i64, last: i64, room: u64) -> Self {
        Self { run, last, room, beyond: BTreeMap::new() }
    }

    /// Takes out how many problems are counted only, by code.
    pub fn take_beyond(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.beyond)
    }

    /// The number of a problem of this code, if it is to be kept; else it is counted.
    fn number(&mut self, code: Code) -> Option<i64> {
        if self.room == 0 {
            *self.beyond.entry(code.as_str().to_owned()).or_default() += 1;
            return None;
        }
        self.room -= 1;
        self.last += 1;
        Some(self.last)
    }

    /// Tells the rows (number, code, value, hint) of a select as problems at this kind of place, those of the first
    /// numbers if there is no room for all; gives how many there are. A number stands in one row at most. One
    /// statement, and one more where they are too many.
    ///
    /// # Errors
    /// The database's.
    pub async fn report(
        &mut self,
        conn: &mut Conn,
        kind: PlaceKind,
        select: &str,
        params: Params,
    ) -> Result<u64, DbError> {
        let (room, last) = (self.room, self.last);
        let params = params
            .fragment("problems", select)
            .fragment("sorted", kind.sorted("p.number"))
            .with("run", self.run)
            .with("place", kind.as_str())
            .with("last", last)
            .with("room", i64::try_from(room).unwrap_or(i64::MAX));
        let mut kept = 0;
        if room > 0 {
            let sql = "INSERT INTO {enrold_error} (run, n, place, number, code, value, hint)
                SELECT :run, :last + ROW_NUMBER() OVER (ORDER BY p.sorted), :place, p.number, p.code, p.value, p.hint
                  FROM (SELECT p.number, p.code, p.value, p.hint, :sorted AS sorted
                          FROM (:problems) p ORDER BY :sorted LIMIT :room) p";
            kept = conn.exec(sql, &params).await?;
            self.room -= kept;
            self.last += kept as i64;
        }
        if kept < room {
            return Ok(kept);
        }
        let rest = "SELECT p.code, COUNT(*) FROM (:problems) p WHERE NOT EXISTS
            (SELECT 1 FROM {enrold_error} k
              WHERE k.run = :run AND k.place = :place AND k.number = p.number AND k.n > :last)
            GROUP BY p.code";
        let mut all = kept;
        for row in conn.rows(rest, &params).await? {
            let more = row.int(1).max(0) as u64;
            *self.beyond.entry(row.text(0)).or_default() += more;
            all += more;
        }
        Ok(all)
    }

    /// [`Kept::report`], but not at places of which this run has told something already: what came first says more.
    ///
    /// # Errors
    /// The database's.
    pub async fn report_new(
        &mut self,
        conn: &mut Conn,
        kind: PlaceKind,
        select: &str,
        params: Params,
    ) -> Result<u64, DbError> {
        let new = "SELECT f.number, f.code, f.value, f.hint FROM (:found) f WHERE NOT EXISTS
            (SELECT 1 FROM {enrold_error} o WHERE o.run = :run AND o.place = :place AND o.number = f.number)";
        self.report(conn, kind, new, params.fragment("found", select)).await
    }
}

/// Problems that are found row by row, on their way into the table.
pub struct Rows(Bulk);

impl Rows {
    /// An empty load; [`Rows::finish`] must be called.
    pub fn new(dialect: Dialect) -> Self {
        Self(Bulk::new(dialect, "enrold_error", "run, n, place, number, code, value, hint, file, fileline"))
    }

    /// Keeps a problem, or counts it where there is no room. Of one with a file, its line is that in the file.
    ///
    /// # Errors
    /// The database's.
    pub async fn add(
        &mut self,
        conn: &mut Conn,
        kept: &mut Kept,
        (kind, number): (PlaceKind, i64),
        problem: &Problem,
    ) -> Result<(), DbError> {
        let Some(n) = kept.number(problem.code) else { return Ok(()) };
        let row = [
            Field::Int(kept.run),
            Field::Int(n),
            Field::Text(kind.as_str()),
            Field::Int(number),
            Field::Text(problem.code.as_str()),
            Field::Text(&problem.value),
            Field::Text(&problem.hint),
            Field::Text(&problem.file),
            Field::Int(if problem.file.is_empty() { 0 } else { problem.line as i64 }),
        ];
        self.0.push(conn, &row).await
    }

    /// Sends what is left.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish(self, conn: &mut Conn) -> Result<(), DbError> {
        self.0.finish(conn).await.map(|_| ())
    }
}

/// Puts `instead` for the text of those lines of a run of which the file itself was not understood. Lines and codes
/// stay.
///
/// # Errors
/// The database's.
pub async fn withhold(conn: &mut Conn, run: i64, instead: &str) -> Result<(), DbError> {
    let quoting = "UPDATE {enrold_error} SET value = :instead
        WHERE run = :run AND (code IN ('bad-verb', 'row-too-long') OR (code = 'row-ragged' AND hint = 'quote'))";
    conn.exec(quoting, &Params::new().with("run", run).with("instead", instead)).await.map(|_| ())
}

/// The next lines of the snapshot of a run with a problem that names no file, after a line; at most `page`.
///
/// # Errors
/// The database's.
pub async fn nameless(conn: &mut Conn, run: i64, after: i64, page: i64) -> Result<Vec<i64>, DbError> {
    let params = Params::new().with("run", run).with("after", after).with("page", page);
    let sql = "SELECT e.number FROM {enrold_error} e WHERE e.run = :run AND e.place = 'line' AND e.number > :after
        AND COALESCE(e.file, '') = '' ORDER BY e.number LIMIT :page";
    Ok(conn.rows(sql, &params).await?.iter().map(|row| row.int(0)).collect())
}

/// Names file and line of the problems with lines of a snapshot, from the columns line, file and fileline of a table.
///
/// # Errors
/// The database's.
pub async fn name_files(conn: &mut Conn, run: i64, table: &str) -> Result<(), DbError> {
    let set = [("file", "o.file"), ("fileline", "o.fileline")];
    let same = "e.run = :run AND e.place = 'line' AND e.number = o.line";
    let update = conn.dialect().update_joined("{enrold_error}", "e", &set, &format!("[{table}] o"), same);
    conn.exec(&update, &Params::new().with("run", run)).await.map(|_| ())
}
