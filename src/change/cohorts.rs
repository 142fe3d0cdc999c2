//! Cohorts and their members: creates the cohorts of the table `new_cohort`, adds members, weighs those who leave. It
//! must not depend on what names them: full sets, cohort files and users files do.

use crate::change::context::{Position, RunContext};
use crate::change::guard::AccountChanges;
use crate::change::kinds;
use crate::change::rewrite::{NewValue, Rewriting};
use crate::db::table::{int, long_text, small, text};
use crate::db::{DbError, Params, Table, statement};

/// Cohorts to make, in the order of `n`; `cohortid` is 0 until they are made.
pub const NEW_COHORT: Table = Table::new(
    "new_cohort",
    &[
        int("n"),
        int("line"),
        int("contextid"),
        text("name", 255),
        text("idnumber", 255).or_null(),
        long_text("description").or_null(),
        small("descriptionformat"),
        small("visible"),
        text("component", 255),
        text("theme", 50).or_null(),
        int("cohortid"),
    ],
)
.primary("n");

/// Cohorts that change, with all values that they are to have.
pub const CHANGED_COHORT: Table = Table::new(
    "changed_cohort",
    &[
        int("cohortid"),
        int("line"),
        int("contextid"),
        text("name", 255),
        text("idnumber", 255),
        long_text("description"),
        small("descriptionformat"),
        small("visible"),
        text("theme", 50),
    ],
)
.primary("cohortid");

/// The columns of a cohort that may change.
pub const VALUES: [&str; 8] =
    ["contextid", "name", "idnumber", "description", "descriptionformat", "visible", "theme", "timemodified"];

const COHORTS: &str = statement(include_str!("cohorts.sql"), "cohorts");
const MADE: &str = statement(include_str!("cohorts.sql"), "made cohorts");
const MEMBERS_AND_LEAVING: &str = statement(include_str!("cohorts.sql"), "members and leaving");

/// Makes the cohorts of `new_cohort`, in four statements, and gives their number.
///
/// # Errors
/// The database's error.
pub async fn create(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<i64, DbError> {
    let position = Position { pass_no, rank: kinds::COHORT };
    let dialect = ctx.conn.dialect();
    let row = dialect.json_row("t", &["name", "idnumber"].map(str::to_owned));
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, oldrow",
            "planned.n",
            "SELECT t.line, t.n, 0 AS courseid, t.contextid, :row AS oldrow FROM [new_cohort] t",
            ctx.params().fragment("row", row),
        )
        .await?;
    if planned == 0 {
        return Ok(0);
    }
    let applied = ctx.conn.exec(COHORTS, &ctx.params()).await? as i64;
    let params = ctx.at(position);
    let made = dialect.update_joined("[new_cohort]", "t", &[("cohortid", "m.id")], MADE, "t.n = m.n");
    ctx.conn.exec(&made, &params).await?;
    let ids = [("itemid", "t.cohortid"), ("targetid", "t.cohortid")];
    let update = dialect.update_joined("{enrold_change}", "c", &ids, "[new_cohort] t", ":here AND t.n = c.seq - :from");
    ctx.conn.exec(&update, &params).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(applied)
}

/// Gives the cohorts of `changed_cohort` the values that differ; with `keeps_time` their `timemodified` stays.
///
/// # Errors
/// The database's error.
pub async fn change(ctx: &mut RunContext<'_>, pass_no: i64, keeps_time: bool) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::COHORT_CHANGE };
    let values: Vec<NewValue> = VALUES
        .into_iter()
        .filter(|column| *column != "timemodified")
        // What has no value stays so.
        .map(|column| match column {
            "idnumber" | "description" | "theme" => {
                (column, format!("CASE WHEN t.{column} <> '' OR COALESCE(x.{column}, '') <> '' THEN t.{column} END"))
            }
            _ => (column, format!("t.{column}")),
        })
        .collect();
    let also = if keeps_time { Vec::new() } else { vec![("timemodified", ":now".to_owned())] };
    let new = Rewriting::of(ctx.conn.dialect(), "cohort", &values, &also, &[]);
    let params =
        ctx.params().fragment("differs", new.differs).fragment("oldrow", new.oldrow).fragment("newrow", new.newrow);
    let select = "SELECT t.line, x.id AS targetid, x.id AS itemid, 0 AS courseid, t.contextid, :oldrow AS oldrow,
                :newrow AS newrow
           FROM [changed_cohort] t JOIN {cohort} x ON x.id = t.cohortid
          WHERE :differs";
    let columns = "line, targetid, itemid, courseid, contextid, oldrow, newrow";
    let planned = ctx.journal(position, columns, "planned.line, planned.itemid", select, params).await?;
    ctx.rewrite_planned(position, planned, &VALUES).await.map(|_| ())
}

/// Adds the members that a select of (line, userid, courseid, contextid, itemid) names, `itemid` being the cohort.
///
/// # Errors
/// The database's error.
pub async fn join(ctx: &mut RunContext<'_>, pass_no: i64, joining: &str, params: Params) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::COHORT_JOIN };
    let params = params.and(ctx.at(position));
    let columns = "line, userid, courseid, contextid, itemid";
    let order = "planned.itemid, planned.userid";
    let planned = ctx.journal(position, columns, order, joining, params.clone()).await?;
    if planned == 0 {
        return Ok(());
    }
    let select = "SELECT c.itemid, c.userid, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let columns = "cohortid, userid, timeadded";
    let applied = ctx.conn.insert_missing("{cohort_members}", columns, select, &params, planned).await?;
    if applied < planned {
        let overtaken = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
            (SELECT 1 FROM {cohort_members} m
              WHERE m.cohortid = c.itemid AND m.userid = c.userid AND m.timeadded = :now)";
        ctx.conn.exec(overtaken, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Checks with the guard how many members leave each of the `cohorts`, a table with a column `cohortid`, and all of
/// them together, also against the limits for accounts if a `file` takes them; `leaving` selects the rows of
/// `cohort_members`.
///
/// # Errors
/// The database's error.
pub async fn weigh(
    ctx: &mut RunContext<'_>,
    cohorts: &str,
    leaving: &str,
    params: &Params,
    file: bool,
) -> Result<(), DbError> {
    let params = params.clone().fragment("cohorts", cohorts).fragment("leaving", leaving);
    let rows = ctx.conn.rows(MEMBERS_AND_LEAVING, &params).await?;
    let (mut all, mut losing) = ((0, 0), 0);
    for row in &rows {
        let (members, leave) = (row.int(2), row.int(3));
        ctx.guard.check_cohort(&row.text(1), leave, members);
        all = (all.0 + leave, all.1 + members);
        losing += if leave > 0 { members } else { 0 };
    }
    ctx.guard.check_memberships(all.0, all.1);
    if file {
        let changes = AccountChanges { members_removed: all.0, ..AccountChanges::default() };
        ctx.guard.check_accounts(&changes, 0, losing);
    }
    Ok(())
}
