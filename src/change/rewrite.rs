//! Changes any columns of rows: the journal holds the changed ones alone, with their old and new values. It must not
//! know which rows, nor why they change.

use crate::change::context::{Position, RunContext};
use crate::change::inverse::rewrite;
use crate::db::{DbError, Dialect};
use crate::moodle::tables::{self, Kind};
use crate::outcome::Moment;

/// The journaled changes of a position.
const HERE: &str = ":here AND c.state = 0";

/// A column of a row `x` with the expression of its new value; NULL keeps the old one.
pub type NewValue = (&'static str, String);

/// The expressions of a planned rewriting: of the journal's `oldrow` and `newrow`, and whether anything differs.
#[derive(Clone, Debug)]
pub struct Rewriting {
    /// The old values of the columns that change.
    pub oldrow: String,
    /// Their new values.
    pub newrow: String,
    /// The condition that a column changes.
    pub differs: String,
}

impl Rewriting {
    /// Of rows `x` of a table. `also` are columns that change with the others, but make no difference alone; `kept`
    /// columns are in `oldrow` without a change.
    pub fn of(dialect: Dialect, table: &str, values: &[NewValue], also: &[NewValue], kept: &[&str]) -> Self {
        Self::made(dialect, table, values, also, (kept, "1 = 0"))
    }

    /// The same, where the columns `also` change too under the condition `unseen`: something else changes.
    pub fn with(dialect: Dialect, table: &str, values: &[NewValue], also: &[NewValue], unseen: &str) -> Self {
        Self::made(dialect, table, values, also, (&[], unseen))
    }

    fn made(
        dialect: Dialect,
        table: &str,
        values: &[NewValue],
        also: &[NewValue],
        (kept, unseen): (&[&str], &str),
    ) -> Self {
        let is_int = |column: &str| {
            let known = tables::table(table).and_then(|table| table.column(column));
            known.is_some_and(|column| matches!(column.kind, Kind::Int(_)))
        };
        let own = |column: &str| format!("x.{}", dialect.quote(column));
        let typed = |(column, new): &NewValue| match is_int(column) {
            true => format!("({new})"),
            false => dialect.neutral(&format!("({new})")),
        };
        let old = |column: &str| match is_int(column) {
            true => own(column),
            false => dialect.neutral(&own(column)),
        };
        let differs = |value: &NewValue| {
            let (old, new) = (old(value.0), typed(value));
            // A text may be NULL, which is no value.
            format!("{new} IS NOT NULL AND ({old} IS NULL OR {})", other(dialect, is_int(value.0), &old, &new))
        };
        let changed = |value: &NewValue, then: String| format!("CASE WHEN {} THEN {then} END", differs(value));
        let mut before: Vec<(&str, String)> =
            values.iter().map(|value| (value.0, changed(value, old(value.0)))).collect();
        let mut after: Vec<(&str, String)> =
            values.iter().map(|value| (value.0, changed(value, typed(value)))).collect();
        let all: Vec<String> = values.iter().map(|value| format!("({})", differs(value))).collect();
        let differs = if all.is_empty() { "1 = 0".to_owned() } else { all.join(" OR ") };
        let with = |then: String| format!("CASE WHEN {differs} OR {unseen} THEN {then} END");
        before.extend(also.iter().map(|value| (value.0, with(old(value.0)))));
        before.extend(kept.iter().map(|column| (*column, old(column))));
        after.extend(also.iter().map(|value| (value.0, with(typed(value)))));
        Self { oldrow: dialect.json_given(&before), newrow: dialect.json_given(&after), differs }
    }
}

/// The condition that two values differ, by their bytes.
fn other(dialect: Dialect, int: bool, old: &str, new: &str) -> String {
    if int {
        return format!("{old} <> {new}");
    }
    format!("NOT ({})", dialect.same_bytes(&format!("({old})"), &format!("({new})")))
}

impl RunContext<'_> {
    /// Applies the `planned` changes of a position to those of its rows that still have the old values, and marks the
    /// others as overtaken. `columns` are all that may change. Gives the number applied.
    ///
    /// # Errors
    /// The database's error.
    pub async fn rewrite_planned(
        &mut self,
        position: Position,
        planned: i64,
        columns: &[&str],
    ) -> Result<i64, DbError> {
        if planned == 0 {
            return Ok(0);
        }
        let (kind, dialect) = (position.rank.kind, self.conn.dialect());
        self.hold(position, &format!("{{{}}}", kind.table)).await?;
        self.mark_rewritten(position, columns).await?;
        let sql = rewrite(kind, dialect, columns, "{enrold_change} c", HERE, ("newrow", "oldrow"), None);
        let applied = self.conn.exec(&sql, &self.at(position)).await? as i64;
        self.observer.reached(Moment::Applied).await;
        self.book(kind, planned, applied);
        Ok(applied)
    }

    /// Marks the changes of a position whose rows no longer have the old values.
    async fn mark_rewritten(&mut self, position: Position, columns: &[&str]) -> Result<(), DbError> {
        let kind = position.rank.kind;
        let dialect = self.conn.dialect();
        let old = |column: &str| dialect.json_text("c.oldrow", column);
        let new = |column: &str| dialect.json_text("c.newrow", column);
        let moved = columns.iter().filter(|column| **column != "timemodified").map(|column| {
            let own = dialect.to_text(&format!("x.{}", dialect.quote(column)));
            let same = dialect.same_bytes(&format!("COALESCE({own}, '')"), &format!("COALESCE({}, '')", old(column)));
            format!("AND ({} IS NULL OR {same})", new(column))
        });
        let sql = format!(
            "UPDATE {{enrold_change}} AS c SET state = 1 WHERE {HERE} AND NOT EXISTS
                (SELECT 1 FROM {{{}}} x WHERE x.id = c.targetid {})",
            kind.table,
            moved.collect::<Vec<_>>().join(" ")
        );
        self.conn.exec(&sql, &self.at(position)).await.map(|_| ())
    }
}
