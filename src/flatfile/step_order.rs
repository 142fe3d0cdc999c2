//! Orders a file without a loop over its lines: steps on one (user, course) are numbered and run one after the other.
//! It must not apply a step; consecutive adds of a pair are one step.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::db::table::{int, small};
use crate::db::{DbError, Table, statement};
use crate::problem::PlaceKind;
use crate::staging::resolve::resolved;

/// The steps with their step order. PostgreSQL and SQLite hash, or make an index themselves, when the buffer is settled
/// against a large file.
const STEP: Table = Table::new(
    "step",
    &[
        int("line"),
        small("op"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("roleid"),
        int("timestart"),
        int("timeend"),
        int("step_order"),
    ],
)
.indexed_on_maria(&["userid, courseid"]);

/// Pairs with too many steps.
const OVERLONG: Table = Table::new("overlong", &[int("userid"), int("courseid")]).primary("userid, courseid");
/// Pairs that another run has changed.
const MOVED: Table = Table::new("moved", &[int("userid"), int("courseid"), int("byrun")]).primary("userid, courseid");

const OF_LINES: &str = statement(include_str!("step_order.sql"), "steps of lines");
const OF_DUE_ROWS: &str = statement(include_str!("step_order.sql"), "steps of due rows");
const OF_WAITING: &str = statement(include_str!("step_order.sql"), "steps of waiting lines");
const WITHOUT_ORDER: &str = statement(include_str!("step_order.sql"), "steps without order");
const OF_FUTURE: &str = statement(include_str!("step_order.sql"), "steps of the future");
const OF_TODAY: &str = statement(include_str!("step_order.sql"), "steps of today");
const LINES_OVERLONG: &str = statement(include_str!("step_order.sql"), "lines of overlong pairs");
const MOVED_PAIRS: &str = statement(include_str!("step_order.sql"), "moved pairs");
const LINES_MOVED: &str = statement(include_str!("step_order.sql"), "lines of moved pairs");
const DESIRED_PAIRS: &str = statement(include_str!("step_order.sql"), "desired pairs");
const DESIRED_ROLES: &str = statement(include_str!("step_order.sql"), "desired roles");

/// Makes the table `step`: the steps of resolved lines. Step order 0 is the future; 1, 2, … run one after the other.
pub fn prepare(ctx: &mut RunContext<'_>) {
    ctx.conn.declare(&STEP);
}

/// Fills `step` from the staged lines of a file and gives the number of step orders. If nothing is deleted, all adds of
/// a pair merge into step 1 and no window function is computed.
///
/// # Errors
/// The database's error.
pub async fn from_lines(ctx: &mut RunContext<'_>, protected: &[i64], any_del: bool) -> Result<i64, DbError> {
    fill(ctx, OF_LINES, protected, any_del).await
}

/// Fills `step` from the due rows of the buffer with an existing account, role and course that may be written, except
/// rows that are refused already.
///
/// # Errors
/// The database's error.
pub async fn from_buffer(ctx: &mut RunContext<'_>, protected: &[i64]) -> Result<i64, DbError> {
    fill(ctx, OF_DUE_ROWS, protected, true).await
}

/// Fills `step` from the lines that waited, each an add, in the order in which they came.
///
/// # Errors
/// The database's error.
pub async fn from_waiting(ctx: &mut RunContext<'_>, protected: &[i64]) -> Result<i64, DbError> {
    fill(ctx, OF_WAITING, protected, false).await
}

async fn fill(ctx: &mut RunContext<'_>, lines: &str, protected: &[i64], windows: bool) -> Result<i64, DbError> {
    let params = resolved(ctx.params().fragment("lines", lines), protected);
    if !windows {
        ctx.conn.exec(WITHOUT_ORDER, &params).await?;
        ctx.conn.analyse(STEP.name).await?;
        return Ok(1);
    }
    for statement in [OF_FUTURE, OF_TODAY] {
        ctx.conn.exec(statement, &params).await?;
    }
    ctx.conn.analyse(STEP.name).await?;
    ctx.conn.number("SELECT COALESCE(MAX(step_order), 0) FROM [step]", &params).await
}

/// How many lines each step order has: the adds, and the dels.
///
/// # Errors
/// The database's error.
pub async fn lines(ctx: &mut RunContext<'_>) -> Result<BTreeMap<i64, (u64, u64)>, DbError> {
    let sql = "SELECT s.step_order, COUNT(CASE WHEN s.op = 1 THEN 1 END), COUNT(CASE WHEN s.op = 2 THEN 1 END)
        FROM [step] s WHERE s.step_order > 0 GROUP BY s.step_order";
    let rows = ctx.conn.rows(sql, &ctx.params()).await?;
    Ok(rows.iter().map(|row| (row.int(0), (row.int(1) as u64, row.int(2) as u64))).collect())
}

/// Refuses all lines of pairs with more than `limit` steps; gives the number of these lines, and of the step orders
/// left. `kind` is the kind of the lines.
///
/// # Errors
/// The database's error.
pub async fn refuse_overlong(ctx: &mut RunContext<'_>, kind: PlaceKind, limit: i64) -> Result<(u64, i64), DbError> {
    ctx.conn.declare(&OVERLONG);
    let params = ctx.params().with("limit", limit).with("limittext", limit.to_string());
    let overlong = "INSERT INTO [overlong]
        SELECT userid, courseid FROM [step] GROUP BY userid, courseid HAVING MAX(step_order) > :limit";
    ctx.conn.exec(overlong, &params).await?;
    let refused = ctx.report_problems(kind, LINES_OVERLONG, params.clone()).await?;
    let overlong = "DELETE FROM [step] WHERE EXISTS
        (SELECT 1 FROM [overlong] o WHERE o.userid = step.userid AND o.courseid = step.courseid)";
    ctx.conn.exec(overlong, &params).await?;
    let passes = ctx.conn.number("SELECT COALESCE(MAX(step_order), 0) FROM [step]", &params).await?;
    Ok((refused, passes))
}

/// Refuses the lines whose (user, course) another run has changed since run `held`; gives their number.
///
/// # Errors
/// The database's error.
pub async fn refuse_overtaken(ctx: &mut RunContext<'_>, held: i64) -> Result<u64, DbError> {
    ctx.conn.declare(&MOVED);
    let params = ctx.params().with("held", held);
    ctx.conn.exec(MOVED_PAIRS, &params).await?;
    let params = params.fragment("byrun", ctx.conn.dialect().to_text("m.byrun"));
    let refused = ctx.report_problems(PlaceKind::Line, LINES_MOVED, params.clone()).await?;
    let moved = "DELETE FROM [step] WHERE EXISTS
        (SELECT 1 FROM [moved] m WHERE m.userid = step.userid AND m.courseid = step.courseid)";
    ctx.conn.exec(moved, &params).await?;
    Ok(refused)
}

/// Fills `pair` and `pair_role` from the adds of one step order: the window of the last line, all roles.
///
/// # Errors
/// The database's error.
pub async fn fill_pairs(ctx: &mut RunContext<'_>, step_order: i64) -> Result<u64, DbError> {
    let params = ctx.params().with("step_order", step_order);
    ctx.conn.exec("DELETE FROM [pair]", &params).await?;
    ctx.conn.exec("DELETE FROM [pair_role]", &params).await?;
    let pairs = ctx.conn.exec(DESIRED_PAIRS, &params).await?;
    if pairs == 0 {
        return Ok(0);
    }
    ctx.conn.exec(DESIRED_ROLES, &params).await?;
    ctx.conn.analyse("pair").await?;
    ctx.conn.analyse("pair_role").await?;
    Ok(pairs)
}
