//! The only writer of `enrold_error`: it stores the first problems of a run and counts the others by code. It must not
//! find problems: steps of a run do.

use std::collections::BTreeMap;

use crate::db::{Bulk, Conn, DbError, Dialect, Field, Params};
use crate::problem::{Code, PlaceKind, Problem};

/// The kept problems of a run, and the counts of the others.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `enrold_run.id`; 0 in a simulation.
    run: i64,
    /// The last number that was used. One run writes at a time, so no other process uses numbers of this run.
    last: i64,
    /// How many more may be kept.
    room: u64,
    /// The counts of the others, by code.
    beyond: BTreeMap<String, u64>,
}

impl Kept {
    /// For a run that keeps `room` more problems and whose earlier parts have used the numbers up to `last`.
    pub fn new(run: i64, last: i64, room: u64) -> Self {
        Self { run, last, room, beyond: BTreeMap::new() }
    }

    /// Takes out the counts of problems that are not kept, by code.
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

    /// Reports the rows (number, code, value, hint) of a select as problems at this kind of place, those of the first
    /// numbers if there is no room for all; gives the number of all. Numbers must be unique. Takes one statement, or
    /// two if there are too many.
    ///
    /// # Errors
    /// The database's error.
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
        // A list that is made once: SQLite would read all kept problems again for each other one.
        let rest = "SELECT p.code, COUNT(*) FROM (:problems) p WHERE p.number NOT IN
            (SELECT k.number FROM {enrold_error} k WHERE k.run = :run AND k.place = :place AND k.n > :last)
            GROUP BY p.code";
        let mut all = kept;
        for row in conn.rows(rest, &params).await? {
            let more = row.int(1).max(0) as u64;
            *self.beyond.entry(row.text(0)).or_default() += more;
            all += more;
        }
        Ok(all)
    }

    /// [`Kept::report`] without places that already have a problem in this run: the first one is more specific.
    ///
    /// # Errors
    /// The database's error.
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

/// A bulk insert of problems that are found row by row.
pub struct Rows(Bulk);

impl Rows {
    /// An empty bulk insert; [`Rows::finish`] must be called.
    pub fn new(dialect: Dialect) -> Self {
        Self(Bulk::new(dialect, "enrold_error", "run, n, place, number, code, value, hint, file, fileline"))
    }

    /// Keeps a problem, or counts it if there is no room. If it names a file, its line is the line in that file.
    ///
    /// # Errors
    /// The database's error.
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

    /// Sends the remaining rows.
    ///
    /// # Errors
    /// The database's error.
    pub async fn finish(self, conn: &mut Conn) -> Result<(), DbError> {
        self.0.finish(conn).await.map(|_| ())
    }
}

/// Replaces by `instead` the values that quote a line whose format was not understood. Lines and codes stay.
///
/// # Errors
/// The database's error.
pub async fn withhold(conn: &mut Conn, run: i64, instead: &str) -> Result<(), DbError> {
    let quoting = "UPDATE {enrold_error} SET value = :instead
        WHERE run = :run AND (code IN ('bad-verb', 'row-too-long') OR (code = 'row-ragged' AND hint = 'quote'))";
    conn.exec(quoting, &Params::new().with("run", run).with("instead", instead)).await.map(|_| ())
}

/// The next snapshot lines of a run, after a line, that have a problem without a file; at most `page`.
///
/// # Errors
/// The database's error.
pub async fn nameless(conn: &mut Conn, run: i64, after: i64, page: i64) -> Result<Vec<i64>, DbError> {
    let params = Params::new().with("run", run).with("after", after).with("page", page);
    let sql = "SELECT e.number FROM {enrold_error} e WHERE e.run = :run AND e.place = 'line' AND e.number > :after
        AND COALESCE(e.file, '') = '' ORDER BY e.number LIMIT :page";
    Ok(conn.rows(sql, &params).await?.iter().map(|row| row.int(0)).collect())
}

/// Sets file and line of the problems of snapshot lines, from the columns line, file and fileline of a table.
///
/// # Errors
/// The database's error.
pub async fn name_files(conn: &mut Conn, run: i64, table: &str) -> Result<(), DbError> {
    let set = [("file", "o.file"), ("fileline", "o.fileline")];
    let same = "e.run = :run AND e.place = 'line' AND e.number = o.line";
    let update = conn.dialect().update_joined("{enrold_error}", "e", &set, &format!("[{table}] o"), same);
    conn.exec(&update, &Params::new().with("run", run)).await.map(|_| ())
}

/// The kept problems of a run with an unknown key of this kind in a line, also of lines that wait: number, value and
/// hint.
///
/// # Errors
/// The database's error.
pub async fn unknown_keys(
    conn: &mut Conn,
    run: i64,
    code: Code,
    key: &str,
) -> Result<Vec<(i64, String, String)>, DbError> {
    let params = Params::new().with("run", run).with("code", code.as_str()).with("key", key);
    let params = params.with("waits", format!("% {} {key}", code.as_str()));
    let sql = "SELECT e.n, e.value, e.hint FROM {enrold_error} e
        WHERE e.run = :run AND e.place = 'line'
          AND ((e.code = :code AND e.hint = :key) OR (e.code = 'waiting' AND e.hint LIKE :waits))";
    Ok(conn.rows(sql, &params).await?.iter().map(|row| (row.int(0), row.text(1), row.text(2))).collect())
}

/// Sets file and line of the problems of lines that waited.
///
/// # Errors
/// The database's error.
pub async fn name_waiting(conn: &mut Conn, run: i64) -> Result<(), DbError> {
    let set = [("file", "CASE WHEN w.file = '' THEN w.source ELSE w.file END"), ("fileline", "w.line")];
    let same = "e.run = :run AND e.place = 'waiting' AND e.number = w.id";
    let update = conn.dialect().update_joined("{enrold_error}", "e", &set, "{enrold_waiting} w", same);
    conn.exec(&update, &Params::new().with("run", run)).await.map(|_| ())
}

/// Sets the hints of problems, from the columns n and hint of a table.
///
/// # Errors
/// The database's error.
pub async fn set_hints(conn: &mut Conn, run: i64, table: &str) -> Result<(), DbError> {
    let set = [("hint", "o.hint")];
    let update = conn.dialect().update_joined(
        "{enrold_error}",
        "e",
        &set,
        &format!("[{table}] o"),
        "e.run = :run AND e.n = o.n",
    );
    conn.exec(&update, &Params::new().with("run", run)).await.map(|_| ())
}
