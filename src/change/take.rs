//! Taking rows away: picked by a query, journaled with their complete old row, deleted while they still stand.
//! It must not know why a row goes; it knows only how each table's row is named in the journal.

use crate::change::work::{Place, Work, journaled};
use crate::db::{DbError, Dialect, Params, Value};
use crate::moodle::tables::{self, Kind};
use crate::outcome::Moment;

/// In which order rows are taken.
const TAKEN_ORDER: &str = "planned.line, planned.targetid";

/// What kind of row is taken.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// `role_assignments`.
    Role,
    /// A duplicate in `role_assignments`: no event, Moodle prunes it silently too.
    DuplicateRole,
    /// `groups_members`.
    GroupMember,
    /// `message_conversation_members`.
    Conversation,
    /// `grade_grades`.
    Grade,
    /// `user_lastaccess`.
    LastAccess,
    /// `enrol_flatfile`, the buffer of future lines.
    Buffer,
    /// `enrol`: an instance.
    Instance,
    /// `cohort_members`.
    CohortMember,
    /// One of the forum tables.
    Forum(&'static str),
}

impl Taken {
    fn table(self) -> &'static str {
        match self {
            Self::Role | Self::DuplicateRole => "role_assignments",
            Self::GroupMember => "groups_members",
            Self::Conversation => "message_conversation_members",
            Self::Grade => "grade_grades",
            Self::LastAccess => "user_lastaccess",
            Self::Buffer => "enrol_flatfile",
            Self::Instance => "enrol",
            Self::CohortMember => "cohort_members",
            Self::Forum(table) => table,
        }
    }

    /// The name of this change in the journal and in reports.
    fn kind(self) -> String {
        match self {
            Self::Role => "role.remove".to_owned(),
            Self::DuplicateRole => "role.prune".to_owned(),
            Self::GroupMember => "group-member.remove".to_owned(),
            Self::Conversation => "conversation-member.remove".to_owned(),
            Self::Grade => "grade.remove".to_owned(),
            Self::LastAccess => "lastaccess.remove".to_owned(),
            Self::Buffer => "buffer.remove".to_owned(),
            Self::Instance => "instance.remove".to_owned(),
            Self::CohortMember => "cohort-member.remove".to_owned(),
            Self::Forum(table) => format!("{}.remove", table.replace('_', "-")),
        }
    }

    /// Journal columns and where they come from: `x` is the row, `p` the pick.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Role | Self::DuplicateRole => (
                "userid, courseid, contextid, roleid, component, itemid",
                "x.userid, :course, x.contextid, x.roleid, x.component, x.itemid",
            ),
            Self::GroupMember => (
                "userid, courseid, contextid, groupid, component, itemid",
                "x.userid, :course, :context, x.groupid, x.component, x.itemid",
            ),
            Self::Grade => ("userid, courseid, contextid, itemid", "x.userid, :course, :context, x.itemid"),
            Self::Buffer => ("userid, courseid, roleid", "x.userid, x.courseid, x.roleid"),
            Self::CohortMember => ("userid, courseid, contextid, itemid", "x.userid, :course, :context, x.cohortid"),
            Self::Instance => ("courseid, contextid, component", "x.courseid, :context, x.enrol"),
            Self::Conversation | Self::LastAccess | Self::Forum(_) => {
                ("userid, courseid, contextid", "x.userid, :course, :context")
            }
        }
    }
}

/// Which rows are taken, each once, with the line, course and context that they are taken for.
pub struct Pick {
    from: String,
    /// The condition under which a row `x` is picked.
    on: String,
    /// What is read instead of `from`, `x` and `on`, but on PostgreSQL.
    steps: Option<String>,
    at_once: bool,
    line: &'static str,
    course: &'static str,
    context: &'static str,
    params: Params,
}

impl Pick {
    /// A pick by a select of (id, line, courseid, contextid).
    pub fn new(select: &str) -> Self {
        Self::direct(["p.line", "p.courseid", "p.contextid"], &format!("({select}) p"), "x.id = p.id")
    }

    /// A pick of the rows `x` that join `from` under a condition on what they say themselves; the expressions give their
    /// line, course and context.
    pub fn direct([line, course, context]: [&'static str; 3], from: &str, on: &str) -> Self {
        let (from, on) = (from.to_owned(), on.to_owned());
        Self { from, on, steps: None, at_once: false, line, course, context, params: Params::new() }
    }

    /// The same rows as a chain of joins that names `x` itself, for MariaDB and SQLite, which do not hash: each table is read
    /// once and found by an index from the one before, where they would else read all that a person has for each of its rows.
    pub fn stepwise(self, steps: &str) -> Self {
        Self { steps: Some(steps.to_owned()), ..self }
    }

    /// Whether PostgreSQL, and it alone, may pick and delete in one statement, which reads each row once: if the condition
    /// says all that must hold of a row, however another writer may have changed it meanwhile.
    pub fn at_once(self, at_once: bool) -> Self {
        Self { at_once, ..self }
    }

    /// A parameter of the select.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.params = self.params.with(name, value);
        self
    }

    /// Many parameters of the select.
    pub fn params(mut self, params: Params) -> Self {
        self.params = self.params.and(params);
        self
    }

    /// A fragment of the select.
    pub fn fragment(self, name: &'static str, sql: &str) -> Self {
        self.with(name, Value::Sql(sql.to_owned()))
    }
}

impl Work<'_> {
    /// Plans and applies the removal of the picked rows.
    ///
    /// # Errors
    /// The engine's.
    pub async fn take(&mut self, place: Place, taken: Taken, pick: Pick) -> Result<(), DbError> {
        if pick.at_once {
            return self.take_at_once(place, taken, pick).await;
        }
        let planned = self.plan_take(place, taken, pick).await?;
        if planned == 0 {
            return Ok(());
        }
        self.apply_take(place, taken, planned).await
    }

    /// [`Work::take`] in one statement, which journals what it really deleted.
    async fn take_at_once(&mut self, place: Place, taken: Taken, pick: Pick) -> Result<(), DbError> {
        let (columns, values) = self.taken_columns(taken, &pick);
        let table = format!("{{{}}}", taken.table());
        let delete = self.conn.dialect().delete_joined(&table, "x", &pick.from, &pick.on);
        let insert = journaled(&columns, TAKEN_ORDER, "planned");
        let sql = format!("WITH planned AS ({delete} RETURNING {values}) {insert}");
        let params = self.take_params(place, taken, pick);
        let gone = self.write_journal(&sql, params).await?;
        self.book(&taken.kind(), gone, gone);
        if gone > 0 {
            self.observer.reached(Moment::Applied).await;
        }
        Ok(())
    }

    /// Plans the removal of the picked rows and gives their number.
    pub(super) async fn plan_take(&mut self, place: Place, taken: Taken, pick: Pick) -> Result<i64, DbError> {
        let (columns, values) = self.taken_columns(taken, &pick);
        let select = match &pick.steps {
            Some(steps) if self.conn.dialect() != Dialect::Postgres => format!("SELECT {values} FROM {steps}"),
            _ => format!("SELECT {values} FROM {}, {{{}}} x WHERE {}", pick.from, taken.table(), pick.on),
        };
        let params = self.take_params(place, taken, pick);
        self.journal(place, &columns, TAKEN_ORDER, &select, params).await
    }

    /// The journal's columns for a row `x` that is taken, and their values.
    fn taken_columns(&self, taken: Taken, pick: &Pick) -> (String, String) {
        let (columns, sources) = taken.columns();
        let aliased = columns.split(", ").zip(sources.split(", "));
        let aliased = aliased.map(|(column, source)| format!("{source} AS {column}")).collect::<Vec<_>>().join(", ");
        let oldrow = self.old_row(taken.table(), "x");
        let values = format!(":kind AS kind, {} AS line, x.id AS targetid, {aliased}, {oldrow} AS oldrow", pick.line);
        (format!("kind, line, targetid, {columns}, oldrow"), values)
    }

    fn take_params(&self, place: Place, taken: Taken, pick: Pick) -> Params {
        let params = pick.params.and(self.at(place)).with("kind", taken.kind());
        params.fragment("course", pick.course).fragment("context", pick.context)
    }

    /// Deletes the rows that [`Work::plan_take`] `planned`, where they still stand as they were.
    pub(super) async fn apply_take(&mut self, place: Place, taken: Taken, planned: i64) -> Result<(), DbError> {
        let same = match taken {
            // A page view moves the last access all the time; it goes whatever it says now.
            Taken::LastAccess => "x.id = c.targetid".to_owned(),
            // What an assignment says stands in the journal's columns; the rest is when and by whom.
            Taken::Role | Taken::DuplicateRole => {
                "x.id = c.targetid AND x.userid = c.userid AND x.contextid = c.contextid
                AND x.roleid = c.roleid AND x.component = c.component AND x.itemid = c.itemid"
                    .to_owned()
            }
            _ => format!("x.id = c.targetid AND {} = c.oldrow", self.old_row(taken.table(), "x")),
        };
        let applied = self.delete_planned(place, planned, taken.table(), &same).await?;
        self.book(&taken.kind(), planned, applied);
        Ok(())
    }

    /// Deletes the `planned` rows of a place's plan and marks as overtaken those that no longer stand as planned.
    pub(super) async fn delete_planned(
        &mut self,
        place: Place,
        planned: i64,
        table: &str,
        same: &str,
    ) -> Result<i64, DbError> {
        let name = format!("{{{table}}}");
        let condition = format!(":here AND c.state = 0 AND {same}");
        if self.conn.worth_a_savepoint(planned) && self.delete_all(place, planned, table, &condition).await? {
            return Ok(planned);
        }
        let unless = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND c.state = 0 AND c.targetid NOT IN";
        let applied = match self.conn.dialect().delete_or(&name, "x", "{enrold_change} c", &condition, unless) {
            Some(sql) => planned - self.conn.exec(&sql, &self.at(place)).await? as i64,
            None => {
                self.hold(place, &name).await?;
                self.mark_overtaken(place, &name, same).await?;
                let sql = self.conn.dialect().delete_joined(&name, "x", "{enrold_change} c", &condition);
                self.conn.exec(&sql, &self.at(place)).await? as i64
            }
        };
        self.observer.reached(Moment::Applied).await;
        Ok(applied)
    }

    /// Deletes the rows of a place's plan, or none if not all of them stand as planned: false.
    async fn delete_all(&mut self, place: Place, planned: i64, table: &str, condition: &str) -> Result<bool, DbError> {
        let sql = self.conn.dialect().delete_joined(&format!("{{{table}}}"), "x", "{enrold_change} c", condition);
        let params = self.at(place);
        self.conn.savepoint("planned").await?;
        let all = self.conn.exec(&sql, &params).await? as i64 == planned;
        self.conn.end_savepoint("planned", all).await?;
        if all {
            self.observer.reached(Moment::Applied).await;
        }
        Ok(all)
    }

    /// Applies planned changes of status and window, where the old values still stand.
    pub async fn change_enrolments(&mut self, place: Place, kind: &str, planned: i64) -> Result<(), DbError> {
        if planned == 0 {
            return Ok(());
        }
        let name = "{user_enrolments}";
        let same = "x.id = c.targetid AND x.status = c.oldstatus AND x.timestart = c.oldtimestart AND x.timeend = c.oldtimeend";
        self.hold(place, name).await?;
        self.mark_overtaken(place, name, same).await?;
        let sql = self.conn.dialect().update_joined(
            name,
            "x",
            &[
                ("status", "c.status"),
                ("timestart", "c.timestart"),
                ("timeend", "c.timeend"),
                ("modifierid", ":actor"),
                ("timemodified", ":now"),
            ],
            "{enrold_change} c",
            &format!(":here AND c.state = 0 AND {same}"),
        );
        let applied = self.conn.exec(&sql, &self.at(place)).await? as i64;
        self.book(kind, planned, applied);
        Ok(())
    }

    /// Holds the rows of a place's plan, so that what is marked next and what is written then are the same rows.
    async fn hold(&mut self, place: Place, table: &str) -> Result<(), DbError> {
        let condition = ":here AND c.state = 0 AND x.id = c.targetid";
        if let Some(sql) = self.conn.dialect().hold_joined(table, "x", "{enrold_change} c", condition) {
            self.conn.number(&sql, &self.at(place)).await?;
        }
        Ok(())
    }

    async fn mark_overtaken(&mut self, place: Place, table: &str, same: &str) -> Result<(), DbError> {
        let sql = format!(
            "UPDATE {{enrold_change}} AS c SET state = 1 WHERE :here AND c.state = 0 AND NOT EXISTS (SELECT 1 FROM {table} x WHERE {same})"
        );
        self.conn.exec(&sql, &self.at(place)).await.map(|_| ())
    }

    /// The complete row of a table as JSON text, with the columns that the site really has. Of an instance the columns of
    /// Moodle's own, without its enrolment key: the account need not see those.
    pub fn old_row(&self, table: &str, alias: &str) -> String {
        let columns = self.site.columns.of(table);
        let known = |name: &str| tables::table(table).and_then(|known| known.column(name));
        if table != "enrol" {
            let is_int = |name: &str| known(name).is_some_and(|column| matches!(column.kind, Kind::Int(_)));
            return self.conn.dialect().json_whole_row(alias, columns, is_int);
        }
        let seen: Vec<String> =
            columns.iter().filter(|name| known(name).is_some()).filter(|name| *name != "password").cloned().collect();
        self.conn.dialect().json_row(alias, &seen)
    }
}
