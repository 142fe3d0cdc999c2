//! The context of a run inside its transaction: the connection, the site's settings, the clock, the counts so far. It
//! must not depend on what is planned: it gives every step the same parameters and the same journal.

use std::collections::BTreeMap;

use crate::change::guard::Guard;
use crate::change::kind::{Kind, Rank};
use crate::db::{Conn, DbError, Literal, Params};
use crate::moodle::site::Site;
use crate::outcome::{DefaultRoles, Lines, Moment, Note, Observer, RuleReport, SetReport};
use crate::problem::{Kept, PlaceKind};

/// How many sequence numbers of the journal one rank of one pass has.
pub const RANK_ROOM: i64 = 1_000_000_000;

/// From this number of planned rows on, PostgreSQL's statistics of the journal are refreshed.
const ANALYSED: i64 = 1_000;

/// The columns by which the journal is searched and joined.
const JOINED: &str =
    "run, seq, kind, state, userid, courseid, enrolid, contextid, roleid, component, itemid, groupid, targetid";

/// The position of a planning step in the journal. Sequence numbers grow by pass, then rank, then line, so that in
/// their order the events of one enrolment are in Moodle's order (spec enrol-core 13).
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The pass: steps on the same (user, course) have successive passes.
    pub pass_no: i64,
    /// The kind of the changes, and its order among all kinds within a pass.
    pub rank: Rank,
}

impl Position {
    /// The sequence numbers of this position: from (exclusive) and to (inclusive).
    pub fn range(self) -> (i64, i64) {
        let from = (self.pass_no * 100 + self.rank.at) * RANK_ROOM;
        (from, from + RANK_ROOM - 1)
    }

    /// The sequence numbers of the passes `first` to `last`: from (exclusive) and to (inclusive).
    pub fn of_passes(first: i64, last: i64) -> (i64, i64) {
        (first * 100 * RANK_ROOM, (last + 1) * 100 * RANK_ROOM - 1)
    }

    /// The pass of a sequence number.
    pub(crate) fn pass_of(seq: i64) -> i64 {
        seq / (100 * RANK_ROOM)
    }
}

/// The state of a run inside its transaction.
pub struct RunContext<'a> {
    /// The connection that holds the run's transaction.
    pub conn: &'a mut Conn,
    /// The site's own settings.
    pub site: &'a Site,
    /// `enrold_run.id`; 0 in a simulation.
    pub run: i64,
    /// The run's clock in Unix seconds.
    pub now: i64,
    /// The guard: its limits and its counts.
    pub guard: Guard,
    /// The held run that this run applies because it was approved, or 0.
    pub approves: i64,
    /// What is notified of the run's moments: a progress bar, a test.
    pub observer: Observer,
    /// How many changes of each kind were applied.
    pub counts: BTreeMap<&'static Kind, i64>,
    /// How many changes were overtaken by another writer between plan and apply.
    pub overtaken: i64,
    /// The counts of the file's lines so far.
    pub lines: Lines,
    /// Notes for the operator beside the counts.
    pub notes: Vec<Note>,
    /// The cause that the journal records for the changes: `import`, or the name of a rule.
    pub cause: &'static str,
    /// How many changes were planned so far.
    pub planned: i64,
    /// The last sequence number that an earlier part of this run has committed, or 0.
    pub committed: i64,
    /// The last pass that was used: see [`RunContext::next_pass`].
    pub passes: i64,
    /// Completions that are older than their instance count too.
    pub backfill: bool,
    /// The reports of the rules so far.
    pub rules: Vec<RuleReport>,
    /// The report of a full set, once it is counted.
    pub set: Option<SetReport>,
    /// Role values of a full set that match no role of the site.
    pub default_roles: DefaultRoles,
    /// The problems of the run: how many are kept, and the counts of the others.
    pub problems: Kept,
}

impl RunContext<'_> {
    /// The parameters that every statement of a run may use.
    pub fn params(&self) -> Params {
        Params::new().with("run", self.run).with("now", self.now).with("actor", self.site.actor)
    }

    /// A new pass: its changes come after all that were planned before.
    pub fn next_pass(&mut self) -> i64 {
        self.passes += 1;
        self.passes
    }

    /// [`RunContext::params`] with the journal range of a position.
    pub fn at(&self, position: Position) -> Params {
        let (from, to) = position.range();
        self.params()
            .with("pass_no", position.pass_no)
            .with("from", from)
            .with("to", to)
            .with("kind", position.rank.kind)
            .fragment("here", "c.run = :run AND c.seq > :from AND c.seq <= :to")
    }

    /// Writes the rows of `select` into the journal as changes of the position's kind. `columns` are its columns;
    /// `order` are columns that make the order of the sequence numbers deterministic.
    ///
    /// # Errors
    /// The database's error.
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

    /// [`RunContext::journal`] for several kinds at once: the column `rank_of` of `select` gives the rank of each row,
    /// one of `ranks`.
    ///
    /// # Errors
    /// The database's error.
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

    /// Runs a statement that writes into the journal, and gives the number of changes.
    pub(crate) async fn write_journal(&mut self, sql: &str, params: Params) -> Result<i64, DbError> {
        let planned = self.conn.exec(sql, &params.with("cause", self.cause)).await? as i64;
        self.planned += planned;
        if planned >= ANALYSED {
            // Without new statistics PostgreSQL expects one row of a new run.
            self.conn.analyse(&format!("enrold_change ({JOINED})")).await?;
        }
        Ok(planned)
    }

    /// Counts the applied changes of a plan; the others were overtaken.
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

    /// Counts the changes of a position that are not overtaken.
    ///
    /// # Errors
    /// The database's error.
    pub async fn still_valid(&mut self, position: Position) -> Result<i64, DbError> {
        let params = self.at(position);
        self.conn.number("SELECT COUNT(*) FROM {enrold_change} c WHERE :here AND c.state = 0", &params).await
    }

    /// Reports the rows (number, code, value, hint) of a select as problems of the run: see [`Kept::report`].
    ///
    /// # Errors
    /// The database's error.
    pub async fn report_problems(&mut self, kind: PlaceKind, select: &str, params: Params) -> Result<u64, DbError> {
        self.problems.report(self.conn, kind, select, params).await
    }

    /// The same, without places that already have a problem: see [`Kept::report_new`].
    ///
    /// # Errors
    /// The database's error.
    pub async fn report_new(&mut self, kind: PlaceKind, select: &str, params: Params) -> Result<(), DbError> {
        self.problems.report_new(self.conn, kind, select, params).await.map(|_| ())
    }

    /// Reports the lines whose changes another writer overtook as errors of the run; nothing was done for them. `kind`
    /// says what the lines of the journal count. Changes of the cause `spared` have other lines, which are tried again.
    ///
    /// # Errors
    /// The database's error.
    pub async fn report_overtaken(&mut self, kind: PlaceKind, spared: &str) -> Result<(), DbError> {
        if self.overtaken == 0 {
            return Ok(());
        }
        let params = self.params().with("spared", spared);
        let overtaken =
            "SELECT c.line AS number, 'overtaken' AS code, MIN(u.username || ', ' || k.shortname) AS value, '' AS hint
               FROM {enrold_change} c JOIN {user} u ON u.id = c.userid JOIN {course} k ON k.id = c.courseid
              WHERE c.run = :run AND c.state = 1 AND c.line > 0 AND c.cause <> :spared GROUP BY c.line";
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
