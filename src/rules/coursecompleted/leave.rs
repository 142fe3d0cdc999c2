//! Leaving the source: where an instance requires it, users enrolled in the target are unenrolled from the completed
//! course. It must not end enrolments whose method would refuse this to an administrator (spec coursecompleted 6).

use crate::change::context::RunContext;
use crate::change::end;
use crate::db::{DbError, Literal, statement};
use crate::moodle::method::{Unenrol, by_administrator};
use crate::moodle::site::id_list;
use crate::outcome::RunResult;
use crate::reconcile::{Pass, comparing};

const IN_SOURCES: &str = statement(include_str!("leave.sql"), "enrolments in sources");

/// Unenrols from the sources, after the enrolments and groups of the whole pass. Enrolments that this pass, or another
/// writer in its place, has just made stay, so that a circle of courses never leaves a user without one.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn unenrol_from_sources(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let leaving = "SELECT COUNT(*) FROM [completed] t JOIN [chain] h ON h.enrolid = t.enrolid
        WHERE t.verdict = 0 AND h.leaves = 1";
    if ctx.conn.number(leaving, &ctx.params()).await? == 0 {
        return Ok(());
    }
    comparing(ctx, pass, true).await?;
    let found = find(ctx, pass).await?;
    comparing(ctx, pass, false).await?;
    if found == 0 {
        return Ok(());
    }
    ctx.conn.prefer_indexes(true).await?;
    if end::unenrol(ctx, pass.pass_no).await? > 0 {
        end::purge(ctx, pass.pass_no).await?;
    }
    Ok(ctx.conn.prefer_indexes(false).await?)
}

async fn find(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<u64, DbError> {
    let mut protected = vec![0, ctx.site.guest()];
    if pass.settings.guard.protect_admins {
        protected.extend(ctx.site.administrators());
    }
    let params = ctx.params().fragment("reach", reach()).fragment("protected", id_list(&protected));
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    let found = ctx.conn.exec(IN_SOURCES, &params).await?;
    ctx.conn.analyse("to_remove").await?;
    Ok(found)
}

/// The condition for enrolments that may be ended, by method.
fn reach() -> String {
    let one = |(name, unenrol): (&'static str, Unenrol)| match unenrol {
        Unenrol::Any => format!("e.enrol = {}", Literal::word(name)),
        Unenrol::Suspended => format!("(e.enrol = {} AND x.status = 1)", Literal::word(name)),
    };
    by_administrator().map(one).collect::<Vec<_>>().join(" OR ")
}
