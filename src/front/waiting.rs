//! Requests about the lines that wait for an account or a course: list them, drop them, let them wait longer or again.
//! It must not apply a line: the next pass does.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::db::{Conn, DbError, Params};
use crate::front::{Front, Misuse, Who};
use crate::lease::Lease;
use crate::moodle::site::id_list;
use crate::outcome::{RunError, RunResult};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// How many numbers of rows an error lists.
const NAMED: usize = 20;

/// A line that waits, or waited. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingRow {
    /// The number by which commands name it.
    pub id: i64,
    /// `enrolment`, `member` of a cohort, or `set-enrolment` and `set-member` of a full set.
    pub kind: String,
    /// `waiting`, `applied`, `superseded` by a later line, `cancelled` or `expired`.
    pub state: String,
    /// Since when it waits.
    pub since: i64,
    /// Until when it waits or waited.
    pub until: i64,
    /// What names the user: `username`, `idnumber` or `email`.
    pub user_key: String,
    /// The user as the line names him.
    pub user: String,
    /// What names the place: `shortname`, `idnumber` or `name`.
    pub place_key: String,
    /// The course, or the cohort.
    pub place: String,
    /// The short name of the role, its id if the site has lost it; empty for a member of a cohort.
    pub role: String,
    /// What was missing when it began to wait: `user`, `course` (or cohort) or `both`.
    pub lacks: String,
    /// The file that it comes from, or the source of the set.
    pub source: String,
    /// The file of the set; empty if it came from a database, and for lines of files.
    pub file: String,
    /// Its line there, or its row in the set.
    pub line: i64,
    /// The run of that file.
    pub run: i64,
    /// When it got its state.
    pub changed: i64,
    /// The run that applied or replaced it, or 0.
    pub by_run: i64,
    /// The code of the problem for which it was cancelled, `dropped` by an operator, `told` if it expired and a report
    /// said so, or empty.
    pub note: String,
}

/// The lines that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingLines {
    /// By their numbers.
    Ids(BTreeSet<i64>),
    /// Those of the file that this run read.
    OfRun(i64),
}

impl WaitingLines {
    /// The condition on rows `alias`, whose run is `:of`.
    fn condition(&self, alias: &str) -> String {
        match self {
            Self::Ids(ids) => format!("{alias}.id IN ({})", id_list(&ids.iter().copied().collect::<Vec<_>>())),
            Self::OfRun(_) => format!("{alias}.run = :of"),
        }
    }

    fn run(&self) -> i64 {
        match self {
            Self::Ids(_) => 0,
            Self::OfRun(run) => *run,
        }
    }
}

/// What a request does to rows.
struct Change {
    /// For messages: "dropped".
    word: &'static str,
    /// The states that a row may have before, as SQL.
    from: &'static str,
    /// A further condition on a row `w`.
    fits: &'static str,
    set: &'static [(&'static str, &'static str)],
    /// How many lines may wait afterwards.
    most: Option<i64>,
}

const DROP: Change = Change {
    word: "dropped",
    from: "'waiting'",
    fits: "1 = 1",
    set: &[("state", "'cancelled'"), ("changed", ":now"), ("byrun", "0"), ("note", "'dropped'")],
    most: None,
};

const EXTEND: Change = Change { word: "extended", from: "'waiting'", fits: OPEN, set: &[EXPIRES], most: None };

/// A row waits again unless another row for the same user, place and role waits, or a later one was applied or is among
/// those that shall wait again.
const RETRY: Change = Change {
    word: "retried",
    from: "'expired', 'cancelled'",
    fits: "(w.timeend = 0 OR w.timeend > :now) AND NOT EXISTS (SELECT 1 FROM {enrold_waiting} o
        WHERE o.state IN ('waiting', 'applied', 'expired', 'cancelled') AND o.userkey = w.userkey AND o.ukey = w.ukey
          AND o.kind = w.kind AND o.placekey = w.placekey AND o.pkey = w.pkey AND o.roleid = w.roleid
          AND o.gkey = w.gkey AND o.id <> w.id
          AND (o.state = 'waiting' OR (o.id > w.id AND (o.state = 'applied' OR (:among_others)))))",
    set: &[("state", "'waiting'"), ("changed", ":now"), ("byrun", "0"), ("note", "''"), EXPIRES],
    most: None,
};

/// A line does not wait beyond its own end.
const OPEN: &str = "(w.timeend = 0 OR w.timeend > :now)";
const EXPIRES: (&str, &str) =
    ("expires", "CASE WHEN w.timeend > 0 AND w.timeend < :until THEN w.timeend ELSE :until END");

impl Front {
    /// The lines that wait, in the order of their files, or with `all` also those that have ended.
    pub async fn waiting(&self, who: &Who, all: bool) -> RunResult<Vec<WaitingRow>> {
        who.asks("waiting");
        let mut conn = self.connect().await?;
        let rows = rows(&mut conn, all).await?;
        conn.close().await;
        Ok(rows)
    }

    /// Cancels lines that wait; gives their number. This and the methods below refuse rows that do not exist or are not
    /// in the right state, and then change nothing ([`RunError::Undecidable`]).
    pub async fn drop_waiting(&self, who: &Who, lines: &WaitingLines) -> RunResult<u64> {
        who.asks(format_args!("waiting drop {lines:?}"));
        self.change_waiting(&DROP, lines, 0).await
    }

    /// Lets lines wait for `days` from now; gives their number and until when.
    pub async fn extend_waiting(&self, who: &Who, lines: &WaitingLines, days: u32) -> RunResult<(u64, i64)> {
        who.asks(format_args!("waiting extend {lines:?}"));
        let until = self.engine.clock.now() + i64::from(days) * DAY;
        Ok((self.change_waiting(&EXTEND, lines, until).await?, until))
    }

    /// Lets lines that have expired or were cancelled wait again for `days` from now; gives their number and the end.
    pub async fn retry_waiting(&self, who: &Who, lines: &WaitingLines, days: u32) -> RunResult<(u64, i64)> {
        who.asks(format_args!("waiting retry {lines:?}"));
        let until = self.engine.clock.now() + i64::from(days) * DAY;
        let change = Change { most: Some(i64::from(self.engine.settings.waiting.max)), ..RETRY };
        Ok((self.change_waiting(&change, lines, until).await?, until))
    }

    /// The days of a request without any: `waiting.days`.
    pub fn waiting_days(&self, given: Option<u32>) -> Result<u32, Misuse> {
        match given.unwrap_or(self.engine.settings.waiting.days) {
            0 => Err(Misuse("waiting.days is 0, so no line waits: give --days".to_owned())),
            days => Ok(days),
        }
    }

    /// Changes rows under the lease of runs, so that no run works on them meanwhile.
    async fn change_waiting(&self, change: &Change, lines: &WaitingLines, until: i64) -> RunResult<u64> {
        let mut conn = self.connect().await?;
        let lease = self.engine.take_lease(&mut conn).await?;
        let params = Params::new()
            .with("now", self.engine.clock.now())
            .with("until", until)
            .with("of", lines.run())
            .fragment("which", lines.condition("w"))
            .fragment("from", change.from)
            .fragment("fits", change.fits)
            .fragment("among_others", format!("o.state IN ({}) AND {}", change.from, lines.condition("o")));
        let changed = carry_out(&mut conn, &lease, change, lines, &params).await;
        if changed.is_err() {
            // The first error is more useful than one of the rollback.
            drop(conn.rollback().await);
        }
        self.engine.release(conn, &lease).await;
        changed
    }
}

async fn rows(conn: &mut Conn, all: bool) -> Result<Vec<WaitingRow>, DbError> {
    let which = if all { "1 = 1" } else { "w.state = 'waiting'" };
    let sql = "SELECT w.id, w.kind, w.state, w.created, w.expires, w.userkey, w.ukey, w.written, w.placekey, w.pkey,
           w.roleid, r.shortname, w.lacks, w.source, w.line, w.run, w.changed, w.byrun, w.note,
           w.file
          FROM {enrold_waiting} w LEFT JOIN {role} r ON r.id = w.roleid WHERE :which ORDER BY w.id";
    let mut rows = Vec::new();
    conn.each(sql, &Params::new().fragment("which", which), |row| {
        let (ukey, written, roleid) = (row.text(6), row.text(7), row.int(10));
        rows.push(WaitingRow {
            id: row.int(0),
            kind: row.text(1),
            state: row.text(2),
            since: row.int(3),
            until: row.int(4),
            user_key: row.text(5),
            user: if written.is_empty() { ukey } else { written },
            place_key: row.text(8),
            place: row.text(9),
            role: match (row.is_null(11), roleid) {
                (false, _) => row.text(11),
                (true, 0) => String::new(),
                (true, id) => id.to_string(),
            },
            lacks: row.text(12),
            source: row.text(13),
            line: row.int(14),
            run: row.int(15),
            changed: row.int(16),
            by_run: row.int(17),
            note: row.text(18),
            file: row.text(19),
        });
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// Changes all rows of a request in one statement, or none.
async fn carry_out(
    conn: &mut Conn,
    lease: &Lease,
    change: &Change,
    lines: &WaitingLines,
    params: &Params,
) -> RunResult<u64> {
    const CHOSEN: &str =
        "(SELECT DISTINCT w.id FROM {enrold_waiting} w WHERE :which AND w.state IN (:from) AND :fits) p";
    conn.begin().await?;
    let chosen = conn.number(&format!("SELECT COUNT(*) FROM {CHOSEN}"), params).await?;
    match lines {
        WaitingLines::Ids(ids) if chosen != ids.len() as i64 => {
            return Err(refused(conn, change, ids, params).await?);
        }
        WaitingLines::OfRun(run) if chosen == 0 => {
            return Err(RunError::Undecidable(format!(
                "run {run} has no line that can be {}: see 'enrold waiting --all'",
                change.word
            )));
        }
        _ => {}
    }
    if let Some(most) = change.most {
        let waiting = "SELECT COUNT(*) FROM {enrold_waiting} w WHERE w.state = 'waiting'";
        let waiting = conn.number(waiting, params).await?;
        if waiting + chosen > most {
            return Err(RunError::Undecidable(format!(
                "{waiting} lines wait and at most {most} may (waiting.max): {chosen} more cannot; nothing was done"
            )));
        }
    }
    let update = conn.dialect().update_joined("{enrold_waiting}", "w", change.set, CHOSEN, "w.id = p.id");
    conn.exec(&update, params).await?;
    if !lease.renew(conn).await? {
        return Err(RunError::Fenced);
    }
    conn.commit().await?;
    Ok(chosen.unsigned_abs())
}

/// Why some of the rows that a request names cannot be changed.
async fn refused(conn: &mut Conn, change: &Change, ids: &BTreeSet<i64>, params: &Params) -> Result<RunError, DbError> {
    let sql = "SELECT w.id, w.state, CASE WHEN w.state IN (:from) THEN 1 ELSE 0 END, CASE WHEN :fits THEN 1 ELSE 0 END
          FROM {enrold_waiting} w WHERE :which ORDER BY w.id";
    let rows = conn.rows(sql, params).await?;
    let known: BTreeSet<i64> = rows.iter().map(|row| row.int(0)).collect();
    let mut reasons = Vec::new();
    let unknown: Vec<i64> = ids.difference(&known).copied().collect();
    if !unknown.is_empty() {
        reasons.push(format!("there is no line {}", named(&unknown)));
    }
    let mut others: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.int(2) == 0) {
        others.entry(row.text(1)).or_default().push(row.int(0));
    }
    reasons.extend(others.iter().map(|(state, ids)| format!("line {} is {state}", named(ids))));
    let unfit: Vec<i64> = rows.iter().filter(|row| row.int(2) == 1 && row.int(3) == 0).map(|row| row.int(0)).collect();
    if !unfit.is_empty() {
        let why = "has ended, or a later line for the same user, place and role takes its place";
        reasons.push(format!("line {} {why}", named(&unfit)));
    }
    let word = change.word;
    Ok(RunError::Undecidable(format!("{}: nothing was {word}; see 'enrold waiting --all'", reasons.join("; "))))
}

/// The first numbers of a list, and how many more there are.
fn named(ids: &[i64]) -> String {
    let first = ids.iter().take(NAMED).map(i64::to_string).collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
