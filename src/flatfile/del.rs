//! What a `del` line means: which enrolments of the user in the course it ends, by the role it names (spec flatfile 6).
//! It must not delete anything itself: it fills `to_remove`, and `change` does the rest.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{Rank, below, end, kinds};
use crate::config::DelScope;
use crate::db::table::{int, small, text};
use crate::db::{DbError, Literal, Table, statement};
use crate::moodle::method::{REACHABLE, Unenrol};
use crate::moodle::site::RemovalAction;
use crate::outcome::{Moment, RunResult};

/// The `del` steps of a step order.
const DEL_STEP: Table =
    Table::new("del_step", &[int("userid"), int("courseid"), int("line"), int("contextid"), int("roleid")])
        .primary("userid, courseid");
/// Enrolments that a `del` may end, with flags for the roles of their users.
const CANDIDATE: Table = Table::new(
    "candidate",
    &[
        int("ueid"),
        int("line"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("roleid"),
        text("component", 100),
        int("uestatus"),
        small("free"),
        small("owned"),
        small("ownedrole"),
        small("manualrole"),
        small("manualother"),
    ],
)
.primary("ueid");

const CANDIDATES: &str = statement(include_str!("del.sql"), "candidates");
const OWNED_ROLE: &str = statement(include_str!("del.sql"), "owned role");
const ROLE_BY_HAND: &str = statement(include_str!("del.sql"), "role by hand");
const CHOSEN: &str = statement(include_str!("del.sql"), "chosen enrolments");
const OWNED_ROLES: &str = statement(include_str!("del.sql"), "owned roles");
const NAMED_ROLES: &str = statement(include_str!("del.sql"), "named roles");
const LEFTOVER_ROLES: &str = statement(include_str!("del.sql"), "leftover roles");

/// Makes the temporary tables of `del` lines.
pub fn prepare(ctx: &mut RunContext<'_>) {
    // A step order has at most one step per pair.
    ctx.conn.declare(&DEL_STEP);
    ctx.conn.declare(&CANDIDATE);
}

/// Applies the `del` steps of a step order, as a pass of the journal.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    (step_order, pass_no): (i64, i64),
    action: RemovalAction,
    scope: DelScope,
    halfway: Moment,
) -> RunResult<()> {
    // 2 is not a choice of the flat file (spec flatfile 2): nothing is done, as in Moodle.
    let unenrol = match action {
        RemovalAction::Keep | RemovalAction::Suspend => return Ok(()),
        RemovalAction::Unenrol => true,
        RemovalAction::SuspendNoRoles => false,
    };
    if find_del_steps(ctx, step_order).await? == 0 {
        return Ok(());
    }
    if find_candidates(ctx, unenrol, scope).await? > 0 {
        choose(ctx, unenrol).await?;
        if unenrol {
            unenrol_chosen(ctx, pass_no, scope, halfway).await?;
        } else {
            suspend_chosen(ctx, pass_no, scope, halfway).await?;
        }
    } else {
        ctx.conn.exec("DELETE FROM [to_remove]", &ctx.params()).await?;
    }
    match scope {
        DelScope::Moodle => Ok(drop_leftover_roles(ctx, pass_no).await?),
        DelScope::Own => Ok(()),
    }
}

/// Copies the `del` steps of the step order to a small table, whose key gives every database a good plan.
async fn find_del_steps(ctx: &mut RunContext<'_>, step_order: i64) -> Result<u64, DbError> {
    let params = ctx.params().with("step_order", step_order);
    ctx.conn.exec("DELETE FROM [del_step]", &params).await?;
    let sql = "INSERT INTO [del_step]
        SELECT s.userid, s.courseid, s.line, s.contextid, s.roleid FROM [step] s
         WHERE s.step_order = :step_order AND s.op = 2";
    let del_steps = ctx.conn.exec(sql, &params).await?;
    ctx.conn.analyse(DEL_STEP.name).await?;
    Ok(del_steps)
}

/// Finds all enrolments that the `del` steps may reach, with flags for the roles of their users.
async fn find_candidates(ctx: &mut RunContext<'_>, unenrol: bool, scope: DelScope) -> Result<u64, DbError> {
    let params = ctx
        .params()
        .fragment("reach", reach(ctx, unenrol, scope))
        .fragment("free", free_methods())
        .fragment("owned", OWNED_ROLE)
        .fragment("manual", ROLE_BY_HAND);
    ctx.conn.exec("DELETE FROM [candidate]", &params).await?;
    ctx.conn.exec(CANDIDATES, &params).await
}

/// Which enrolments may be ended at all: the method's code and the site decide (spec enrol-core 2).
fn reach(ctx: &RunContext<'_>, unenrol: bool, scope: DelScope) -> String {
    let mut reach = "e.enrol = 'flatfile'".to_owned();
    if scope == DelScope::Moodle {
        for method in REACHABLE.iter().filter(|method| ctx.site.is_enabled(method.name)) {
            match method.unenrol {
                Unenrol::Any => reach.push_str(&format!(" OR e.enrol = {}", Literal::word(method.name))),
                Unenrol::Suspended if unenrol => {
                    reach.push_str(&format!(" OR (e.enrol = {} AND x.status = 1)", Literal::word(method.name)));
                }
                // Suspending a suspended enrolment changes nothing.
                Unenrol::Suspended => {}
            }
        }
    }
    reach
}

/// Methods that leave their users' manual roles to others, as an SQL list.
fn free_methods() -> String {
    let mut names = vec!["'flatfile'".to_owned()];
    let free = REACHABLE.iter().filter(|method| !method.roles_protected);
    names.extend(free.map(|method| Literal::word(method.name).to_string()));
    names.join(", ")
}

/// Fills `to_remove` from the candidates, which the role that the line names restricts (spec flatfile 6.3).
async fn choose(ctx: &mut RunContext<'_>, unenrol: bool) -> Result<(), DbError> {
    let params = ctx.params().with("unenrol", i64::from(unenrol));
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    ctx.conn.exec(CHOSEN, &params).await?;
    end::index_to_remove(ctx).await
}

async fn unenrol_chosen(ctx: &mut RunContext<'_>, step_order: i64, scope: DelScope, halfway: Moment) -> RunResult<()> {
    if end::unenrol(ctx, step_order).await? == 0 {
        return Ok(());
    }
    ctx.observer.reached(halfway).await;
    if scope == DelScope::Moodle {
        drop_named_roles(ctx, step_order, kinds::UNENROL).await?;
    }
    end::purge(ctx, step_order).await
}

async fn suspend_chosen(ctx: &mut RunContext<'_>, step_order: i64, scope: DelScope, halfway: Moment) -> RunResult<()> {
    let position = Position { pass_no: step_order, rank: kinds::SUSPEND_FIRST };
    if end::suspend(ctx, position).await? == 0 {
        return Ok(());
    }
    ctx.observer.reached(halfway).await;
    let (from, to) = position.range();
    let owned = of_changes(ctx, Pick::new(OWNED_ROLES)).with("ended", from).with("ended_to", to);
    ctx.remove_rows(Position { pass_no: step_order, rank: kinds::OWNED_ROLES }, owned).await?;
    if scope == DelScope::Moodle {
        drop_named_roles(ctx, step_order, kinds::SUSPEND_FIRST).await?;
    }
    Ok(())
}

/// Removes the manual role that the line names, in the course and below, where an unprotected enrolment ended.
async fn drop_named_roles(ctx: &mut RunContext<'_>, step_order: i64, ended_rank: Rank) -> Result<(), DbError> {
    let (from, to) = Position { pass_no: step_order, rank: ended_rank }.range();
    let position = Position { pass_no: step_order, rank: kinds::NAMED_ROLE };
    let pick = of_changes(ctx, Pick::new(NAMED_ROLES)).with("ended", from).with("ended_to", to);
    ctx.remove_rows(position, pick).await
}

/// Gives a pick over changes `c` the fragments `:gone`, those between `:ended` and `:ended_to`, and `:roles_there`, the
/// joins to the roles `r` that the users have in their courses and below.
fn of_changes(ctx: &RunContext<'_>, pick: Pick) -> Pick {
    let users = "SELECT DISTINCT c.userid FROM {enrold_change} c WHERE :gone";
    pick.fragment("gone", "c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0")
        .fragment("roles_there", &below::roles_in(ctx.conn.dialect(), "c", users))
}

/// Removes manual roles below the course if nothing was ended and the user has no role in it (spec flatfile 6.4).
async fn drop_leftover_roles(ctx: &mut RunContext<'_>, step_order: i64) -> Result<(), DbError> {
    let there = below::roles_in(ctx.conn.dialect(), "s", "SELECT DISTINCT s.userid FROM [del_step] s");
    let pick = Pick::new(LEFTOVER_ROLES).fragment("roles_there", &there);
    ctx.remove_rows(Position { pass_no: step_order, rank: kinds::LEFTOVER_ROLES }, pick).await
}
