//! Removes rows: picked by a query, journaled with their complete old row, deleted if they are still as planned. It
//! must not depend on the reason; the catalogue of kinds defines what the journal holds of a row.

use crate::change::context::{Position, RunContext, journaled};
use crate::change::inverse::old_columns;
use crate::change::kind::{Change, Kind};
use crate::db::{DbError, Params, Value};
use crate::moodle::tables;
use crate::outcome::Moment;

/// The order of removed rows in the journal.
const REMOVAL_ORDER: &str = "planned.line, planned.targetid";

/// The rows to remove, each once, with the line, course and context that they are removed for.
pub struct Pick {
    from: String,
    /// The condition under which a row `x` is picked.
    on: String,
    /// Joins that replace `from`, `x` and `on`, except on PostgreSQL.
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

    /// A pick of the rows `x` that join `from` under a condition `on` their own columns; the expressions give line,
    /// course and context.
    pub fn direct([line, course, context]: [&'static str; 3], from: &str, on: &str) -> Self {
        let (from, on) = (from.to_owned(), on.to_owned());
        Self { from, on, steps: None, at_once: false, line, course, context, params: Params::new() }
    }

    /// The same rows as a chain of joins that includes `x`, for MariaDB and SQLite, which do not join by hashing: each
    /// table is read once, by an index from the one before. Otherwise they would read all rows of a user for each of
    /// them.
    pub fn stepwise(self, steps: &str) -> Self {
        Self { steps: Some(steps.to_owned()), ..self }
    }

    /// Whether PostgreSQL, and it alone, may pick and delete in one statement, which reads each row once. The condition
    /// must then be complete, because another writer may have changed the row meanwhile.
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

impl RunContext<'_> {
    /// Plans and applies the removal of the picked rows of the table of the position's kind.
    ///
    /// # Errors
    /// The database's error.
    pub async fn remove_rows(&mut self, position: Position, pick: Pick) -> Result<(), DbError> {
        if pick.at_once {
            return self.remove_rows_at_once(position, pick).await;
        }
        let planned = self.plan_removal(position, pick).await?;
        if planned == 0 {
            return Ok(());
        }
        self.apply_removal(position, planned).await
    }

    /// [`RunContext::remove_rows`] in one statement, which journals what it really deleted.
    async fn remove_rows_at_once(&mut self, position: Position, pick: Pick) -> Result<(), DbError> {
        let kind = position.rank.kind;
        let (columns, values) = self.removed_columns(kind, &pick);
        let table = format!("{{{}}}", kind.table);
        let delete = self.conn.dialect().delete_joined(&table, "x", &pick.from, &pick.on);
        let insert = journaled(&columns, REMOVAL_ORDER, "planned");
        let sql = format!("WITH planned AS ({delete} RETURNING {values}) {insert}");
        let params = self.removal_params(position, pick);
        let gone = self.write_journal(&sql, params).await?;
        self.book(kind, gone, gone);
        if gone > 0 {
            self.observer.reached(Moment::Applied).await;
        }
        Ok(())
    }

    /// Plans the removal of the picked rows and gives their number.
    pub(crate) async fn plan_removal(&mut self, position: Position, pick: Pick) -> Result<i64, DbError> {
        let (columns, values) = self.removed_columns(position.rank.kind, &pick);
        let select = match &pick.steps {
            Some(steps) if !self.conn.dialect().joins_by_hash() => format!("SELECT {values} FROM {steps}"),
            _ => format!("SELECT {values} FROM {}, {{{}}} x WHERE {}", pick.from, position.rank.kind.table, pick.on),
        };
        let params = self.removal_params(position, pick);
        self.journal(position, &columns, REMOVAL_ORDER, &select, params).await
    }

    /// The journal's columns for a row `x` that is removed, and their values.
    fn removed_columns(&self, kind: &Kind, pick: &Pick) -> (String, String) {
        let given: &[&str] = if let Change::Removed { given, .. } = kind.change { given } else { &[] };
        let of_pick = |column: &&str| match *column {
            "courseid" => (":course".to_owned(), "courseid"),
            _ => (":context".to_owned(), "contextid"),
        };
        let of_row = kind.key.iter().map(|(own, journal)| (format!("x.{own}"), *journal));
        let (values, columns): (Vec<_>, Vec<_>) = of_row
            .chain(given.iter().map(of_pick))
            .map(|(value, column)| (format!("{value} AS {column}"), column))
            .unzip();
        let oldrow = self.old_row(kind.table, "x");
        let values = format!("{} AS line, x.id AS targetid, {}, {oldrow} AS oldrow", pick.line, values.join(", "));
        (format!("line, targetid, {}, oldrow", columns.join(", ")), values)
    }

    fn removal_params(&self, position: Position, pick: Pick) -> Params {
        let params = pick.params.and(self.at(position));
        params.fragment("course", pick.course).fragment("context", pick.context)
    }

    /// Deletes the rows that [`RunContext::plan_removal`] `planned`, if they are unchanged.
    pub(crate) async fn apply_removal(&mut self, position: Position, planned: i64) -> Result<(), DbError> {
        let applied = self.delete_planned(position, planned).await?;
        self.book(position.rank.kind, planned, applied);
        Ok(())
    }

    /// The condition that a row `x` is still as it was when the change `c` was planned.
    fn still(&self, kind: &Kind) -> String {
        let whole = || format!("{} = c.oldrow", self.old_row(kind.table, "x"));
        ["x.id = c.targetid".to_owned()].into_iter().chain(kind.still("x", whole)).collect::<Vec<_>>().join(" AND ")
    }

    /// Deletes the `planned` rows of a position and marks as overtaken those that are no longer as planned.
    pub(crate) async fn delete_planned(&mut self, position: Position, planned: i64) -> Result<i64, DbError> {
        let kind = position.rank.kind;
        let (name, same) = (format!("{{{}}}", kind.table), self.still(kind));
        let condition = format!(":here AND c.state = 0 AND {same}");
        if self.conn.worth_a_savepoint(planned) && self.delete_all(position, planned, &name, &condition).await? {
            return Ok(planned);
        }
        let unless = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND c.state = 0 AND c.targetid NOT IN";
        let applied = match self.conn.dialect().delete_or(&name, "x", "{enrold_change} c", &condition, unless) {
            Some(sql) => planned - self.conn.exec(&sql, &self.at(position)).await? as i64,
            None => {
                self.mark_overtaken(position, &same, planned).await?;
                let sql = self.conn.dialect().delete_joined(&name, "x", "{enrold_change} c", &condition);
                self.conn.exec(&sql, &self.at(position)).await? as i64
            }
        };
        self.observer.reached(Moment::Applied).await;
        Ok(applied)
    }

    /// Deletes the rows of a position, or gives false and deletes none if one of them is no longer as planned.
    async fn delete_all(
        &mut self,
        position: Position,
        planned: i64,
        table: &str,
        condition: &str,
    ) -> Result<bool, DbError> {
        let sql = self.conn.dialect().delete_joined(table, "x", "{enrold_change} c", condition);
        let params = self.at(position);
        self.conn.savepoint("planned").await?;
        let all = self.conn.exec(&sql, &params).await? as i64 == planned;
        self.conn.end_savepoint("planned", all).await?;
        if all {
            self.observer.reached(Moment::Applied).await;
        }
        Ok(all)
    }

    /// Applies planned changes to the rows that still have the old values.
    pub(crate) async fn change_planned(&mut self, position: Position, planned: i64) -> Result<(), DbError> {
        if planned == 0 {
            return Ok(());
        }
        let kind = position.rank.kind;
        let same = self.still(kind);
        self.mark_overtaken(position, &same, planned).await?;
        let applied = self.change_rows(position).await?;
        self.book(kind, planned, applied);
        Ok(())
    }

    /// Sets the new values of a position's rows that still have the old ones; gives their number.
    pub(crate) async fn change_rows(&mut self, position: Position) -> Result<i64, DbError> {
        let kind = position.rank.kind;
        let condition = format!(":here AND c.state = 0 AND {}", self.still(kind));
        let (table, set) = (format!("{{{}}}", kind.table), kind.new_values());
        let sql = self.conn.dialect().update_joined(&table, "x", &set, "{enrold_change} c", &condition);
        Ok(self.conn.exec(&sql, &self.at(position)).await? as i64)
    }

    /// Locks the rows of a position, so that those that are marked next and those that are written are the same.
    pub(super) async fn hold(&mut self, position: Position, table: &str) -> Result<(), DbError> {
        let condition = ":here AND c.state = 0 AND x.id = c.targetid";
        if let Some(sql) = self.conn.dialect().hold_joined(table, "x", "{enrold_change} c", condition) {
            self.conn.number(&sql, &self.at(position)).await?;
        }
        Ok(())
    }

    /// Locks the `planned` rows of a position and marks as overtaken those that are not the `same` as when they were
    /// planned: one statement where none is.
    async fn mark_overtaken(&mut self, position: Position, same: &str, planned: i64) -> Result<(), DbError> {
        let (table, params) = (format!("{{{}}}", position.rank.kind.table), self.at(position));
        let condition = format!(":here AND c.state = 0 AND {same}");
        if let Some(sql) = self.conn.dialect().hold_joined(&table, "x", "{enrold_change} c", &condition) {
            if self.conn.number(&sql, &params).await? == planned {
                return Ok(());
            }
            self.hold(position, &table).await?;
        }
        let sql = format!(
            "UPDATE {{enrold_change}} AS c SET state = 1
              WHERE :here AND c.state = 0 AND NOT EXISTS (SELECT 1 FROM {table} x WHERE {same})"
        );
        self.conn.exec(&sql, &params).await.map(|_| ())
    }

    /// The complete row of a table as JSON text, with the columns of [`old_columns`].
    pub fn old_row(&self, table: &str, alias: &str) -> String {
        let columns = old_columns(&self.site.columns, table);
        if table == "enrol" {
            return self.conn.dialect().json_row(alias, &columns);
        }
        let known = |name: &str| tables::table(table).and_then(|known| known.column(name));
        let is_int = |name: &str| known(name).is_some_and(|column| matches!(column.kind, tables::Kind::Int(_)));
        self.conn.dialect().json_whole_row(alias, &columns, is_int)
    }
}
