//! Enrolments and roles that the orders of one wave give and end.
//! It must not know groups, nor more than one order of a person in a course at a time.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{end, enrol, kinds};
use crate::db::statement;
use crate::outcome::RunResult;

const PLANNED: &str = statement(include_str!("enrolments.sql"), "planned enrolments");
const MISSING_ROLES: &str = statement(include_str!("enrolments.sql"), "missing roles");
const ENDING_ROLES: &str = statement(include_str!("enrolments.sql"), "ending roles");
const ENDING: &str = statement(include_str!("enrolments.sql"), "ending enrolments");

/// Enrols, changes enrolments, and gives and takes roles, as a part of this pass.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn give(ctx: &mut RunContext<'_>, wave: i64, pass_no: i64) -> RunResult<()> {
    let params = ctx.params().with("wave", wave);
    let oldrow = ctx.old_row("user_enrolments", "x");
    let planning = params.clone().with("rank_add", kinds::ENROL.at).with("rank_update", kinds::UPDATE.at);
    let planned = ctx
        .journal_ranked(
            pass_no,
            &[kinds::ENROL, kinds::UPDATE],
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.line, planned.userid",
            PLANNED,
            planning.fragment("oldrow", oldrow),
        )
        .await?;
    enrol::apply_planned(ctx, pass_no, planned).await?;
    let position = Position { pass_no, rank: kinds::ROLE };
    let columns = "line, userid, courseid, contextid, roleid, component, itemid";
    ctx.conn.prefer_indexes(true).await?;
    let roles = ctx.journal(position, columns, "planned.line, planned.userid", MISSING_ROLES, params.clone()).await?;
    ctx.conn.prefer_indexes(false).await?;
    enrol::apply_roles(ctx, position, roles, None).await?;
    let ending = Pick::new(ENDING_ROLES).params(params);
    Ok(ctx.remove_rows(Position { pass_no, rank: kinds::NAMED_ROLE }, ending).await?)
}

/// Ends enrolments, in a pass of their own, if there are any; gives this pass.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn end(ctx: &mut RunContext<'_>, wave: i64) -> RunResult<Option<i64>> {
    let params = ctx.params().with("wave", wave);
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    if ctx.conn.exec(ENDING, &params).await? == 0 {
        return Ok(None);
    }
    let pass_no = ctx.next_pass();
    if end::unenrol(ctx, pass_no).await? > 0 {
        end::purge(ctx, pass_no).await?;
    }
    Ok(Some(pass_no))
}
