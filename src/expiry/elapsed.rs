//! Enrolments with an elapsed `timeend`: found once for all methods, then unenrolled or suspended.
//! It must not decide which roles are removed with them.

use crate::change::context::{Position, RunContext};
use crate::change::{end, kinds};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Table, statement};
use crate::expiry::policy::{Due, POLICIES, names};
use crate::expiry::roles;
use crate::moodle::site::RemovalAction;
use crate::outcome::RunResult;

/// Elapsed enrolments of all methods, with the action on them and on their roles.
const ELAPSED: Table = Table::new(
    "elapsed",
    &[
        int("ueid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("roleid"),
        text("component", 100),
        small("action"),
        small("roles"),
        int("timeend"),
    ],
)
.primary("ueid");

const ENDED: &str = statement(include_str!("elapsed.sql"), "elapsed enrolments");

/// Fills the temporary table `elapsed` and gives how many there are: every one that is to be unenrolled, and the active
/// ones that are to be suspended (spec enrol-core 14), without those of inactive users, which `to_remove` holds.
/// `action` is 0 for unenrol, 1 for suspend.
pub(super) async fn find(ctx: &mut RunContext<'_>, due: &[Due], reach: &str) -> Result<i64, DbError> {
    let unenrol = |action| action == RemovalAction::Unenrol;
    let suspend = |action| matches!(action, RemovalAction::Suspend | RemovalAction::SuspendNoRoles);
    ctx.conn.declare(&ELAPSED);
    if !due.iter().any(|due| unenrol(due.action) || suspend(due.action)) {
        return Ok(0);
    }
    let params = ctx
        .params()
        .fragment("reach", reach)
        .fragment("unenrol", names(due, unenrol))
        .fragment("suspend", names(due, suspend))
        .fragment("roles", roles::fate(due));
    let found = ctx.conn.exec(ENDED, &params).await?;
    ctx.conn.analyse(ELAPSED.name).await?;
    Ok(found as i64)
}

/// Unenrols the `inactive` enrolments that `to_remove` holds and those with `action` 0, removes the roles that go with
/// these, and purges what belongs to them all.
pub(super) async fn unenrol(ctx: &mut RunContext<'_>, inactive: i64) -> RunResult<()> {
    let pass_no = ctx.next_pass();
    let methods = POLICIES.each_ref().map(|policy| policy.method);
    let due = inactive + add_to_remove(ctx, 0).await?;
    if due > 0 && end::unenrol_in_turn(ctx, pass_no, &methods).await? > 0 {
        roles::before_unenrol(ctx, pass_no).await?;
        end::purge(ctx, pass_no).await?;
    }
    Ok(())
}

/// Suspends enrolments with `action` 1, and removes roles where their column `roles` requires it.
pub(super) async fn suspend(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let position = Position { pass_no: ctx.next_pass(), rank: kinds::SUSPEND_LAST };
    ctx.conn.exec("DELETE FROM [to_remove]", &ctx.params()).await?;
    if add_to_remove(ctx, 1).await? > 0 && end::suspend(ctx, position).await? > 0 {
        roles::before_suspend(ctx, position).await?;
    }
    Ok(())
}

async fn add_to_remove(ctx: &mut RunContext<'_>, action: i64) -> Result<i64, DbError> {
    let params = ctx.params().with("action", action);
    let sql = "INSERT INTO [to_remove]
        SELECT d.ueid, 0, d.userid, d.courseid, d.contextid, d.enrolid, d.roleid, d.component, 1, d.timeend
          FROM [elapsed] d WHERE d.action = :action";
    Ok(ctx.conn.exec(sql, &params).await? as i64)
}
