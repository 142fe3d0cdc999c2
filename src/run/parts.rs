//! Cuts a very large run into parts, each a job over some courses in its own transaction, and stores them in the
//! history before the first one, so that the run resumes after a crash.
//! It must not know what a job does; each part is planned again when it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::StopWatch;
use crate::db::{Conn, DbError, Params};
use crate::lease::Lease;
use crate::moodle::forum;
use crate::moodle::site::Site;
use crate::outcome::{Moment, Note, Report, RunError, RunResult, State};
use crate::run::attempt::Attempt;
use crate::run::hold::Held;
use crate::run::jobs::Step;
use crate::run::order::Order;
use crate::run::{Engine, history, life};

/// A job over the courses with an id above `above`, up to `upto`. The parts of a job together cover all courses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The job or rule.
    pub job: String,
    /// True for a rule that follows the changes of earlier parts.
    pub follows: bool,
    above: i64,
    upto: i64,
}

impl Part {
    /// True for the last part of its job.
    pub fn is_last(&self) -> bool {
        self.upto == i64::MAX
    }

    /// `course.id` of its courses; `None` for all.
    pub async fn courses(&self, conn: &mut Conn) -> Result<Option<Vec<i64>>, DbError> {
        if self.above == i64::MIN && self.is_last() {
            return Ok(None);
        }
        let params = Params::new().with("above", self.above).with("upto", self.upto);
        let sql = "SELECT k.id FROM {course} k WHERE k.id > :above AND k.id <= :upto
            UNION SELECT e.courseid FROM {enrol} e WHERE e.courseid > :above AND e.courseid <= :upto";
        let rows = conn.rows(sql, &params).await?;
        Ok(Some(rows.iter().map(|row| row.int(0)).collect()))
    }
}

/// What the history stores of a cut run: its order and all its parts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cut {
    order: Held,
    parts: Vec<Part>,
}

/// The part that is applied now.
#[derive(Clone, Copy, Debug)]
pub(super) struct CurrentPart<'a> {
    pub part: &'a Part,
    /// How many parts are committed.
    pub done: usize,
    /// How many parts there are.
    pub of: usize,
}

impl CurrentPart<'_> {
    pub fn is_last(&self) -> bool {
        self.done + 1 == self.of
    }

    /// The message for the history: how many parts are applied.
    pub fn applied(&self) -> String {
        format!("{} of {} parts are applied and stay", self.done, self.of)
    }
}

impl Cut {
    /// Packs the uncommitted changes in the journal into parts of at most `limit` changes; neither a course nor a job
    /// that needs all courses at once is divided. `None` if that leaves a single part.
    pub async fn of(
        conn: &mut Conn,
        run: i64,
        steps: Vec<Step>,
        order: Held,
        limit: i64,
    ) -> Result<Option<Self>, DbError> {
        let sql = "SELECT c.cause, COALESCE(c.courseid, 0), COUNT(*) FROM {enrold_change} c WHERE c.run = :run
            GROUP BY c.cause, COALESCE(c.courseid, 0)";
        let mut changes: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
        for row in conn.rows(sql, &Params::new().with("run", run)).await? {
            changes.entry(row.text(0)).or_default().insert(row.int(1), row.int(2));
        }
        let mut parts = Vec::new();
        for step in steps {
            let counts = if step.by_course { changes.remove(&step.job) } else { None };
            let ranges = pack(&counts.unwrap_or_default(), limit);
            let part = |(above, upto)| Part { job: step.job.clone(), follows: step.follows, above, upto };
            parts.extend(ranges.into_iter().map(part));
        }
        Ok((parts.len() > 1).then_some(Self { order, parts }))
    }

    /// Stores the parts in the row of their run, none of them done.
    pub async fn keep(&self, conn: &mut Conn, run: i64, report: &Report) -> RunResult<()> {
        let json = serde_json::to_string(self).map_err(|error| DbError::other(error.to_string()))?;
        let params = Params::new().with("run", run).with("parts", json).with("counts", history::counts(report));
        let sql = "UPDATE {enrold_run} SET parts = :parts, partsdone = 0, counts = :counts WHERE id = :run";
        conn.exec(sql, &params).await?;
        Ok(())
    }

    /// Reads the parts of a run and how many of them are done; `None` if the run is not cut.
    async fn read(conn: &mut Conn, run: i64) -> RunResult<Option<(Self, usize)>> {
        let sql = "SELECT parts, partsdone FROM {enrold_run} WHERE id = :run AND parts IS NOT NULL";
        let Some(row) = conn.row(sql, &Params::new().with("run", run)).await? else { return Ok(None) };
        let unreadable = |error| DbError::other(format!("the parts of run {run} cannot be read: {error}"));
        let cut = serde_json::from_str(&row.text(0)).map_err(unreadable)?;
        Ok(Some((cut, row.int(1).max(0) as usize)))
    }
}

/// Ascending ranges (above, up to) of course ids, each as long as its courses have at most `limit` changes.
fn pack(counts: &BTreeMap<i64, i64>, limit: i64) -> Vec<(i64, i64)> {
    let mut ranges = Vec::new();
    let (mut above, mut upto, mut sum) = (i64::MIN, i64::MIN, 0);
    for (course, count) in counts {
        if sum > 0 && sum + count > limit {
            ranges.push((above, upto));
            (above, sum) = (upto, 0);
        }
        (upto, sum) = (*course, sum + count);
    }
    ranges.push((above, i64::MAX));
    ranges
}

/// Records a part as done, with the counts of the run so far; call it in the transaction of the part.
pub(super) async fn advance(conn: &mut Conn, run: i64, done: usize, report: &Report) -> Result<(), DbError> {
    let params = Params::new().with("run", run).with("done", done as i64).with("counts", history::counts(report));
    let sql = "UPDATE {enrold_run} SET partsdone = :done, counts = :counts, effects = 1 WHERE id = :run";
    conn.exec(sql, &params).await.map(|_| ())
}

/// How many parts of a run are done; `None` if it is not cut.
pub(super) async fn done(conn: &mut Conn, run: i64) -> Result<Option<i64>, DbError> {
    let sql = "SELECT partsdone FROM {enrold_run} WHERE id = :run AND parts IS NOT NULL";
    Ok(conn.row(sql, &Params::new().with("run", run)).await?.map(|row| row.int(0)))
}

/// The last sequence number in the journal of a run, without those of effects; 0 if there is none.
pub(super) async fn last_seq(conn: &mut Conn, run: i64) -> Result<i64, DbError> {
    let params = Params::new().with("run", run).with("effects", forum::FIRST_SEQ);
    let sql = "SELECT COALESCE(MAX(c.seq), 0) FROM {enrold_change} c WHERE c.run = :run AND c.seq < :effects";
    conn.number(sql, &params).await
}

impl Engine {
    /// Applies the remaining parts of a run, if it is cut; each part is retried on its own.
    pub(super) async fn carry_out(
        &self,
        conn: &mut Conn,
        whole: &Attempt<'_>,
        report: &mut Report,
        watch: StopWatch,
    ) -> RunResult<()> {
        if report.state != State::Running {
            return Ok(());
        }
        let Some((cut, mut done)) = Cut::read(conn, whole.run).await? else { return Ok(()) };
        let of = cut.parts.len();
        while let Some(part) = cut.parts.get(done) {
            let current = CurrentPart { part, done, of };
            let courses =
                if part.is_last() { "the last courses".to_owned() } else { format!("courses to {}", part.upto) };
            tracing::debug!(run.id = whole.run, "part {} of {of}: {}, {courses}", done + 1, part.job);
            self.attempts(conn, &Attempt { current: Some(current), ..*whole }, report, watch).await?;
            if report.state == State::Held {
                return Ok(());
            }
            done += 1;
            self.observer.reached(Moment::PartCommitted { part: done, of }).await;
        }
        report.notes.push(Note::InParts(of));
        Ok(())
    }

    /// Applies the remaining parts of cut runs that a crash interrupted, each under its own number and clock. A run
    /// that fails for good is closed as failed and does not block the others.
    ///
    /// # Errors
    /// A transient error of the database; [`RunError::Fenced`].
    pub(super) async fn resume(&self, conn: &mut Conn, lease: &Lease, site: &Site) -> RunResult<()> {
        let sql = "SELECT id FROM {enrold_run} WHERE state = 'running' AND parts IS NOT NULL ORDER BY id";
        for row in conn.rows(sql, &Params::new()).await? {
            let run = row.int(0);
            match self.resume_one(conn, lease, site, run).await {
                Ok(report) => {
                    let state = report.state.as_str();
                    tracing::info!(run.id = run, "run {run} was cut off and is resumed: {state}");
                }
                Err(error) if error.is_transient() || matches!(error, RunError::Fenced) => return Err(error),
                Err(error) => tracing::error!(run.id = run, "run {run} was cut off and cannot be resumed: {error}"),
            }
        }
        Ok(())
    }

    async fn resume_one(&self, conn: &mut Conn, lease: &Lease, site: &Site, run: i64) -> RunResult<Report> {
        let gone = || RunError::Undecidable(format!("run {run} has no parts any more"));
        let past = history::find(conn, run).await?.ok_or_else(gone)?;
        let (cut, _) = Cut::read(conn, run).await?.ok_or_else(gone)?;
        let held = (past.parent > 0).then_some(past.parent);
        let order = Order { held, ..Order::sync(cut.order.sync_order()) };
        let mut report = life::recall(conn, &past).await?;
        let whole = Attempt {
            engine: self,
            order: &order,
            opened: None,
            site,
            lease,
            run,
            now: past.clock,
            simulate: false,
            current: None,
        };
        self.carry_out(conn, &whole, &mut report, StopWatch::start()).await?;
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::pack;

    const FIRST: i64 = i64::MIN;
    const LAST: i64 = i64::MAX;

    fn packed(counts: &[(i64, i64)], limit: i64) -> Vec<(i64, i64)> {
        pack(&counts.iter().copied().collect::<BTreeMap<_, _>>(), limit)
    }

    #[test]
    fn parts_are_filled_and_leave_no_course_out() {
        assert_eq!(packed(&[], 3), [(FIRST, LAST)]);
        assert_eq!(packed(&[(4, 1), (7, 2)], 3), [(FIRST, LAST)]);
        assert_eq!(packed(&[(4, 1), (7, 3), (9, 1)], 3), [(FIRST, 4), (4, 7), (7, LAST)]);
        assert_eq!(packed(&[(4, 2), (7, 2), (9, 1), (11, 1)], 3), [(FIRST, 4), (4, 9), (9, LAST)]);
    }

    #[test]
    fn a_course_is_never_divided() {
        assert_eq!(packed(&[(4, 1), (7, 90), (9, 1)], 3), [(FIRST, 4), (4, 7), (7, LAST)]);
        assert_eq!(packed(&[(7, 90)], 3), [(FIRST, LAST)]);
    }
}
