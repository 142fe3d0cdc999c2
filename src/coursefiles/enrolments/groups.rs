//! The groups that orders name: makes the missing ones where an order says so, and adds and removes members.
//! It must not enrol anybody, nor put somebody into a group who is not enrolled.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{groups, kinds};
use crate::coursefiles::groups::{over, take_out};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Table, statement};
use crate::outcome::RunResult;
use crate::problem::PlaceKind;

/// The groups of the orders; `gop` is the command.
const ORDER_MEMBER: Table = Table::new(
    "order_member",
    &[
        int("line"),
        int("wave"),
        small("gop"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        text("gname", 255),
        small("clean"),
        small("enrolled"),
    ],
)
.joined_by(&["line", "wave"]);
/// Each group once: `found` are those of that name in the course, `made` is the line that makes it, else 0.
const ORDER_NAME: Table = Table::new(
    "order_name",
    &[
        int("courseid"),
        int("contextid"),
        text("gname", 255),
        int("made"),
        small("clean"),
        int("groupid").or_null(),
        int("found"),
    ],
)
.joined_by(&["courseid, gname"]);

const MEMBERS: &str = statement(include_str!("enrolments.sql"), "members");
const NAMES: &str = statement(include_str!("enrolments.sql"), "names");
const REFUSED: &str = statement(include_str!("enrolments.sql"), "refused groups");
const MISSING: &str = statement(include_str!("enrolments.sql"), "missing groups");
const MADE: &str = statement(include_str!("enrolments.sql"), "made groups");
const OUTSIDE: &str = statement(include_str!("enrolments.sql"), "members outside");
const LEAVING: &str = statement(include_str!("enrolments.sql"), "leaving members");
const JOINING: &str = statement(include_str!("enrolments.sql"), "joining members");

/// Finds the groups of the orders, and reports those that do not exist and are not made; gives whether there are any.
///
/// # Errors
/// The database's error.
pub async fn find(ctx: &mut RunContext<'_>) -> Result<bool, DbError> {
    ctx.conn.declare(&ORDER_MEMBER);
    ctx.conn.declare(&ORDER_NAME);
    groups::prepare(ctx.conn);
    let params = ctx.params();
    if ctx.conn.exec(MEMBERS, &params).await? == 0 {
        return Ok(false);
    }
    ctx.conn.analyse(ORDER_MEMBER.name).await?;
    groups::load(ctx, "SELECT DISTINCT m.courseid FROM [order_member] m").await?;
    let same = ctx.conn.dialect().same_text("g.name", "t.gname");
    ctx.conn.exec(NAMES, &params.clone().fragment("same", same)).await?;
    ctx.conn.analyse(ORDER_NAME.name).await?;
    ctx.report_problems(PlaceKind::Line, REFUSED, params.clone()).await?;
    over(ctx, "SELECT DISTINCT m.courseid, m.contextid FROM [order_member] m", &params).await?;
    Ok(true)
}

/// Makes the missing groups, as a part of this pass.
///
/// # Errors
/// The database's error.
pub async fn create(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    ctx.conn.declare(&groups::NEW_GROUP);
    if ctx.conn.exec(MISSING, &ctx.params()).await? == 0 {
        return Ok(());
    }
    groups::create(ctx, Position { pass_no, rank: kinds::GROUP }).await?;
    let dialect = ctx.conn.dialect();
    let params = ctx.params().fragment("same", dialect.same_text("g.name", "t.name"));
    let same = format!("p.found = 0 AND p.courseid = m.courseid AND {}", dialect.same_text("p.gname", "m.name"));
    let found = [("groupid", "m.id"), ("found", "1")];
    let update = dialect.update_joined("[order_name]", "p", &found, MADE, &same);
    ctx.conn.exec(&update, &params).await.map(|_| ())
}

/// Adds and removes the members of a wave, as a part of this pass, and reports who is not enrolled.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, wave: i64, pass_no: i64) -> RunResult<()> {
    let params = ctx.params().with("wave", wave);
    ctx.report_problems(PlaceKind::Line, OUTSIDE, params.clone()).await?;
    let planned = ctx.planned;
    let leaving = Pick::new(LEAVING).params(params.clone());
    take_out(ctx, pass_no, leaving).await?;
    let position = Position { pass_no, rank: kinds::JOIN };
    let columns = "line, userid, courseid, contextid, groupid, component, itemid";
    let joining = ctx.journal(position, columns, "planned.line, planned.groupid", JOINING, params).await?;
    groups::join_planned(ctx, position, joining).await?;
    if ctx.planned > planned {
        groups::settle(ctx, pass_no).await?;
    }
    Ok(())
}
