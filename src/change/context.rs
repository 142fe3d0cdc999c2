//! One run at work inside its transaction: the connection, the site's settings, the clock, the counts so far.
//! It must not know what is planned; it gives every step the same parameters and the same journal.

use std::collections::BTreeMap;

use crate::change::guard::Guard;
use crate::change::kind::{Kind, Rank};
use crate::db::{Conn, DbError, Literal, Params};
use crate::moodle::site::Site;
use crate::outcome::{DefaultRoles, Lines, Moment, Note, Observer, RuleReport, SetReport};
use crate::problem::{Kept, PlaceKind};

/// Room for the changes of one rank in one pass, in the journal's sequence numbers.
pub const RANK_ROOM: i64 = 1_000_000_000;

/// Planned rows from which on PostgreSQL is told about them.
const ANALYSED: i64 = 1_000;

/// The columns of the journal by which it is found and joined.
const JOINED: &str =
    "run, seq, kind, state, userid, courseid, enrolid, contextid, roleid, component, itemid, groupid, targetid";

/// Where a planning step stands in the journal. The sequence number grows with pass, then rank, then line, so that
/// reading the journal in order gives the events of one enrolment in Moodle's order (spec enrol-core 13).
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Steps on the same (user, course) follow each other in passes.
    pub pass_no: i64,
    /// The kind that is written there, and its order among all kinds within a pass.
    pub rank: Rank,
}

impl Position {
    /// The sequence numbers of this place: from (exclusive) and to (inclusive).
    pub fn range(self) -> (i64, i64) {
        let from = (self.pass_no * 100 + self.rank.at) * RANK_ROOM;
        (from, from + RANK_ROOM - 1)
    }

    /// The sequence numbers of some passes: from (exclusive) and to (inclusive).
    pub fn of_passes(first: i64, last: i64) -> (i64, i64) {
        (first * 100 * RANK_ROOM, (last + 1) * 100 * RANK_ROOM - 1)
    }

    /// The pass in which a sequence number stands.
    pub(crate) fn pass_of(seq: i64) -> i64 {
        seq / (100 * RANK_ROOM)
    }
}

/// A run at work.
pub struct RunContext<'a> {
    /// The connection that holds the run's transaction.
    pub conn: &'a mut Conn,
    /// The site's own settings.
    pub site: &'a Site,
    /// `enrold_run.id`; 0 in a simulation.
    pub run: i64,
    /// The run's clock in Unix seconds.
    pub now: i64,
    /// What the guard allows and what it has counted.
    pub guard: Guard,
    /// Who watches the run: a progress bar, a test.
    pub observer: Observer,
    /// How many changes of each kind were applied.
    pub counts: BTreeMap<&'static Kind, i64>,
    /// How many changes were overtaken by another writer between plan and apply.
    pub overtaken: i64,
    /// The lines of the file, as far as they are counted.
    pub lines: Lines,
    /// What a person should know beside the counts.
    pub notes: Vec<Note>,
    /// What the changes are made for: `import`, or the name of a rule; it stands in the journal.
    pub cause: &'static str,
    /// How many changes were planned so far.
    pub planned: i64,
    /// The last sequence number that an earlier part of this run has committed, or 0.
    pub committed: i64,
    /// The last pass that was used: see [`RunContext::next_pass`].
    pub passes: i64,
    /// Completions that were there before their instance count too.
    pub backfill: bool,
    /// What each rule came to so far.
    pub rules: Vec<RuleReport>,
    /// What a full set came to, once that is counted.
    pub set: Option<SetReport>,
    /// Role values of a full set that the site does not know.
    pub default_roles: DefaultRoles,
    /// Which of its problems are kept.
    pub problems: Kept,
}

impl RunContext<'_> {
    /// The parameters that every statement of a run may use.
    pub fn params(&self) -> Params {
        Params::new().with("run", self.run).with("now", self.now).with("actor", self.site.actor)
    }

    /// A pass that no step of this run has used yet: what is planned in it stands behind all that was planned before.
    pub fn next_pass(&mut self) -> i64 {
        self.passes += 1;
        self.passes
    }

    /// [`RunContext::params`] with the journal range of a place.
    pub fn at(&self, position: Position) -> Params {
        let (from, to) = position.range();
        self.params()
            .with("pass_no", position.pass_no)
            .with("from", from)
            .with("to", to)
            .with("kind", position.rank.kind)
            .fragment("here", "c.run = :run AND c.seq > :from AND c.seq <= :to")
    }

    /// Writes the rows of a plan into the journal as changes of the place's kind; `select` gives its columns after run
    /// and sequence number, which are made from `order` (columns of the select that make the order deterministic).
    ///
    /// # Errors
    /// The database's.
    pub async fn journal(
        &mut self,
        position: Position,
        columns: &str,
        order: &str,
        select: &str,
        params: Params,
    ) -> Result<i64, DbError> {
        let (from, to) = position.range();
        let sql = journaled(columns, order, &format!("({select}) planned"));
        self.write_plan(&sql, params.with("from", from).with("to", to).with("kind", position.rank.kind)).await
    }

    /// [`RunContext::journal`] of several kinds at once: each row of `select` names its rank itself, one of `ranks`, in a
    /// column `rank_of`.
    ///
    /// # Errors
    /// The database's.
    pub async fn journal_ranked(
        &mut self,
        pass_no: i64,
        ranks: &[Rank],
        columns: &str,
        order: &str,
        select: &str,
        params: Params,
    ) -> Result<i64, DbError> {
        let (base, _) = Position::of_passes(pass_no, pass_no);
        let rank = self.conn.dialect().to_int("planned.rank_of");
        let kinds = ranks
            .iter()
            .map(|rank| format!("WHEN {} THEN {}", rank.at, Literal::word(rank.kind.name)))
            .collect::<Vec<_>>();
        let kind = format!("CASE {rank} {} END", kinds.join(" "));
        let sql = format!(
            "INSERT INTO {{enrold_change}} (run, seq, cause, kind, {columns})
             SELECT :run, :base + {rank} * :room + ROW_NUMBER() OVER (ORDER BY {order}), :cause, {kind}, {columns}
               FROM ({select}) planned"
        );
        self.write_plan(&sql, params.with("base", base).with("room", RANK_ROOM)).await
    }

    async fn write_plan(&mut self, sql: &str, params: Params) -> Result<i64, DbError> {
        let planned = self.write_journal(sql, params).await?;
        if planned > 0 {
            self.observer.reached(Moment::Planned { changes: planned }).await;
        }
        Ok(planned)
    }

    /// Writes into the journal by a statement and gives the number of changes.
    pub(crate) async fn write_journal(&mut self, sql: &str, params: Params) -> Result<i64, DbError> {
        let planned = self.conn.exec(sql, &params.with("cause", self.cause)).await? as i64;
        self.planned += planned;
        if planned >= ANALYSED {
            // PostgreSQL knows nothing of the rows of a new run and would take them for one.
            self.conn.analyse(&format!("enrold_change ({JOINED})")).await?;
        }
        Ok(planned)
    }

    /// Books what was really applied of a plan.
    pub fn book(&mut self, kind: &'static Kind, planned: i64, applied: i64) {
        if applied > 0 {
            *self.counts.entry(kind).or_default() += applied;
        }
        self.overtaken += (planned - applied).max(0);
    }

    /// How many changes of a kind were applied so far.
    pub fn booked(&self, kind: &Kind) -> i64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    /// Counts the changes of a place that are not overtaken.
    ///
    /// # Errors
    /// The database's.
    pub async fn still_valid(&mut self, position: Position) -> Result<i64, DbError> {
        let params = self.at(position);
        self.conn.number("SELECT COUNT(*) FROM {enrold_change} c WHERE :here AND c.state = 0", &params).await
    }

    /// Tells the rows (number, code, value, hint) of a select as problems of the run: see [`Kept::report`].
    ///
    /// # Errors
    /// The database's.
    pub async fn report_problems(&mut self, kind: PlaceKind, select: &str, params: Params) -> Result<u64, DbError> {
        self.problems.report(self.conn, kind, select, params).await
    }

    /// The same for what may stand at a place of which something was told: see [`Kept::report_new`].
    ///
    /// # Errors
    /// The database's.
    pub async fn report_new(&mut self, kind: PlaceKind, select: &str, params: Params) -> Result<(), DbError> {
        self.problems.report_new(self.conn, kind, select, params).await.map(|_| ())
    }

    /// Lines whose changes another writer overtook are told as errors of the run; nothing was done for them. `kind`
    /// says what the lines of the journal are.
    ///
    /// # Errors
    /// The database's.
    pub async fn report_overtaken(&mut self, kind: PlaceKind) -> Result<(), DbError> {
        if self.overtaken == 0 {
            return Ok(());
        }
        let params = self.params();
        let overtaken =
            "SELECT c.line AS number, 'overtaken' AS code, MIN(u.username || ', ' || k.shortname) AS value, '' AS hint
               FROM {enrold_change} c JOIN {user} u ON u.id = c.userid JOIN {course} k ON k.id = c.courseid
              WHERE c.run = :run AND c.state = 1 AND c.line > 0 GROUP BY c.line";
        self.report_new(kind, overtaken, params).await
    }
}

/// The statement that writes the rows of `planned` into the journal, as changes of the kind `:kind`.
pub(crate) fn journaled(columns: &str, order: &str, planned: &str) -> String {
    format!(
        "INSERT INTO {{enrold_change}} (run, seq, cause, kind, {columns})
         SELECT :run, :from + ROW_NUMBER() OVER (ORDER BY {order}), :cause, :kind, {columns} FROM {planned}"
    )
}
