//! The groups of rows (`groupN`): makes the missing ones, each once, and adds the accounts that are enrolled.
//! It must not enrol anybody.

use crate::accounts::gives::keys::{self, How, Plain};
use crate::accounts::gives::report;
use crate::change::context::{Position, RunContext};
use crate::change::{groups, kinds};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Params, Table, statement};

/// A plain number is `groups.id`, or a name if the course has no such group; any other text is a name.
const PLAIN: Plain = Plain { table: "groups", column: "group", digits: How::IdOrName, other: How::Name };

/// Who is to join which group.
const GIVEN_MEMBER: Table = Table::new(
    "given_member",
    &[int("line"), int("n"), int("userid"), int("courseid"), int("contextid"), text("given", 255), small("enrolled")],
);
/// The groups that cells name in their courses; `found` are those of that name.
const GIVEN_GROUP: Table = Table::new(
    "given_group",
    &[
        int("line"),
        int("courseid"),
        int("contextid"),
        text("given", 255),
        text("label", 255),
        small("how"),
        int("groupid").or_null(),
        int("found"),
    ],
)
.joined_by(&["courseid, given"]);

const MEMBERS: &str = statement(include_str!("groups.sql"), "members");
const NAMED: &str = statement(include_str!("groups.sql"), "named groups");
const MISSING: &str = statement(include_str!("groups.sql"), "missing groups");
const MADE: &str = statement(include_str!("groups.sql"), "made groups");
const REFUSED: &str = statement(include_str!("groups.sql"), "refused groups");
const JOINING: &str = statement(include_str!("groups.sql"), "joining members");

/// Puts the accounts of `given_place` into their groups, as a part of this pass. Grows with the groups of the courses.
///
/// # Errors
/// The database's error.
pub async fn apply(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    ctx.conn.declare(&GIVEN_MEMBER);
    if ctx.conn.exec(MEMBERS, &Params::new()).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse(GIVEN_MEMBER.name).await?;
    keys::load(ctx, PLAIN, "SELECT DISTINCT given FROM [given_member]").await?;
    groups::prepare(ctx.conn);
    groups::load(ctx, "SELECT DISTINCT courseid FROM [given_member]").await?;
    find(ctx).await?;
    ctx.conn.declare(&groups::NEW_GROUP);
    if ctx.conn.exec(MISSING, &Params::new()).await? > 0 {
        groups::create(ctx, Position { pass_no, rank: kinds::GROUP }).await?;
        find_made(ctx).await?;
    }
    report(ctx, REFUSED, ctx.params()).await?;
    let position = Position { pass_no, rank: kinds::JOIN };
    let columns = "line, userid, courseid, contextid, groupid, component, itemid";
    let planned = ctx.journal(position, columns, "planned.line, planned.groupid", JOINING, ctx.params()).await?;
    groups::join_planned(ctx, position, planned).await?;
    if planned > 0 { groups::settle(ctx, pass_no).await } else { Ok(()) }
}

/// Fills `given_group`.
async fn find(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&GIVEN_GROUP);
    let dialect = ctx.conn.dialect();
    let label = |column: &str| dialect.same_text(column, "p.label");
    let params = Params::new()
        .fragment("same_id", format!("p.how IN (0, 3) AND {}", label(&dialect.to_text("g.id"))))
        .fragment("same_idnumber", format!("p.how = 1 AND {}", label("g.idnumber")))
        .fragment("same_name", format!("p.how >= 2 AND {}", label("g.name")));
    ctx.conn.exec(NAMED, &params).await?;
    ctx.conn.analyse(GIVEN_GROUP.name).await
}

/// Completes `given_group` by the groups that were made.
async fn find_made(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let params = Params::new().fragment("same", dialect.same_text("g.name", "t.name"));
    let same = format!(
        "p.found = 0 AND p.how >= 2 AND p.courseid = m.courseid AND {}",
        dialect.same_text("p.label", "m.name")
    );
    let found = [("groupid", "m.id"), ("found", "1")];
    let update = dialect.update_joined("[given_group]", "p", &found, MADE, &same);
    ctx.conn.exec(&update, &params).await.map(|_| ())
}
