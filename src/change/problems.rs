//! The failed lines of a run as they are kept: the first so many of them, the rest counted; read back, page by page.
//! It must not find any: steps of a run do.

use std::collections::BTreeMap;

use crate::change::work::Work;
use crate::db::{Conn, DbError, Params, Row};
use crate::outcome::{PROBLEMS_SHOWN, RunResult};
use crate::problem::{Code, Problem};

/// The problems of a run on their way into `enrold_error`: the first ones are kept there, those beyond are counted by
/// code.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many more are kept.
    room: u64,
    /// Those beyond, by code.
    beyond: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::with_room(PROBLEMS_SHOWN as u64)
    }
}

impl Tally {
    /// A run that keeps so many problems (`limits.problems`), without those that earlier parts of it have kept.
    pub fn with_room(room: u64) -> Self {
        Self { room, beyond: BTreeMap::new() }
    }

    /// Counts a problem of this code; true if it is to be kept.
    pub fn keeps(&mut self, code: Code) -> bool {
        let keeps = self.room > 0;
        match keeps {
            true => self.room -= 1,
            false => *self.beyond.entry(code.as_str().to_owned()).or_default() += 1,
        }
        keeps
    }

    /// The problems that are counted only, by code.
    pub fn into_beyond(self) -> BTreeMap<String, u64> {
        self.beyond
    }
}

impl Work<'_> {
    /// Tells the rows (line, code, value, hint) of a select as problems of the run, those of the first lines if there
    /// is no room for all; gives how many there are. One statement, and one more where they are too many.
    ///
    /// # Errors
    /// The engine's.
    pub async fn tell_problems(&mut self, select: &str, params: Params) -> Result<u64, DbError> {
        let room = self.problems.room;
        let params = params.fragment("problems", select).with("room", i64::try_from(room).unwrap_or(i64::MAX));
        let mut kept = 0;
        if room > 0 {
            let sql = "INSERT INTO {enrold_error} (run, line, code, value, hint)
                SELECT :run, p.line, p.code, p.value, p.hint FROM (:problems) p ORDER BY p.line LIMIT :room";
            kept = self.conn.exec(sql, &params).await?;
            self.problems.room -= kept;
        }
        if kept < room {
            return Ok(kept);
        }
        let rest = "SELECT p.code, COUNT(*) FROM (:problems) p
            WHERE NOT EXISTS (SELECT 1 FROM {enrold_error} k WHERE k.run = :run AND k.line = p.line) GROUP BY p.code";
        let mut all = kept;
        for row in self.conn.rows(rest, &params).await? {
            let more = row.int(1).max(0) as u64;
            *self.problems.beyond.entry(row.text(0)).or_default() += more;
            all += more;
        }
        Ok(all)
    }
}

/// How many kept problems of a run there are of each code.
///
/// # Errors
/// The engine's.
pub async fn kept_by_code(conn: &mut Conn, run: i64) -> RunResult<BTreeMap<String, u64>> {
    let sql = "SELECT code, COUNT(*) FROM {enrold_error} WHERE run = :run GROUP BY code";
    let rows = conn.rows(sql, &Params::new().with("run", run)).await?;
    Ok(rows.iter().map(|row| (row.text(0), row.int(1).max(0) as u64)).collect())
}

/// The columns of a kept problem, for [`of_row`].
pub const COLUMNS: &str =
    "line, code, COALESCE(value, ''), COALESCE(hint, ''), COALESCE(file, ''), COALESCE(fileline, 0)";

/// The first problems of a run, by line; before the lines come those that have none in what the run applied.
///
/// # Errors
/// The engine's.
pub async fn problems(conn: &mut Conn, run: i64, limit: i64) -> RunResult<Vec<Problem>> {
    let page = problems_after(conn, run, i64::MIN, limit).await?;
    Ok(page.into_iter().map(|(_, problem)| problem).collect())
}

/// The problems of a run that follow a key, each with its own.
///
/// # Errors
/// The engine's.
pub async fn problems_after(conn: &mut Conn, run: i64, key: i64, limit: i64) -> RunResult<Vec<(i64, Problem)>> {
    let params = Params::new().with("run", run).with("after", key).with("limit", limit);
    let sql =
        format!("SELECT {COLUMNS} FROM {{enrold_error}} WHERE run = :run AND line > :after ORDER BY line LIMIT :limit");
    let rows = conn.rows(&sql, &params).await?;
    Ok(rows.iter().map(|row| (row.int(0), of_row(row))).collect())
}

/// The problem of a row of [`COLUMNS`]. One of another file has its line there. A code that this version does not know
/// was written by a newer one; its words are lost, the line is not.
pub fn of_row(row: &Row) -> Problem {
    let file = row.text(4);
    let line = if file.is_empty() { row.int(0) } else { row.int(5) };
    let code = Code::parse(&row.text(1)).unwrap_or(Code::FileUnreadable);
    Problem::new(line.max(0) as u64, code, row.text(2), row.text(3)).in_file(file)
}
