//! Unenrols users before the pass over the set: those whose grace period is over, and those who now have only a role.
//! It must not suspend enrolments: the pass does.

use crate::change::context::RunContext;
use crate::change::end;
use crate::config::Settings;
use crate::db::{DbError, statement};
use crate::moodle::method;
use crate::outcome::{Note, RuleReport, RunResult};
use crate::reconcile::{self, Policy, tally};
use crate::sets::Terms;
use crate::sets::database::DATABASE;

const ABSENT: &str = statement(include_str!("grace.sql"), "absent people");
const OVER_BY_TIME: &str = statement(include_str!("grace.sql"), "over by time");
const OVER_AND_APPROVED: &str = statement(include_str!("grace.sql"), "over and approved");
const OVER_BY_PLACE: &str = statement(include_str!("grace.sql"), "over by another place");
const OVER: &str = statement(include_str!("grace.sql"), "enrolments that are over");
const NEW_ABSENCES: &str = statement(include_str!("grace.sql"), "new absences");
const PAST_ABSENCES: &str = statement(include_str!("grace.sql"), "past absences");
const BACK: &str = statement(include_str!("grace.sql"), "those who are back");

/// The enrolments that are over, for each pass: with a grace period, of users absent for that long, first those whose
/// absence was approved; without, of users named as "other users". The roles of an instance go with the enrolment; the
/// pass that follows gives such users theirs.
fn over(terms: &Terms) -> &'static [&'static str] {
    if terms.waits() { &[OVER_AND_APPROVED, OVER_BY_TIME] } else { &[OVER_BY_PLACE] }
}

/// Records since when users are absent, and unenrols those whose enrolment is over; gives the report of it. Takes eight
/// statements if no enrolment is over.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn settle(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    settings: &Settings,
    policy: &Policy,
) -> RunResult<Option<RuleReport>> {
    reconcile::load_scope(ctx, &DATABASE, settings, policy).await?;
    if terms.waits() {
        remember(ctx, terms).await?;
    }
    let before = ctx.passes;
    for over in over(terms) {
        unenrol(ctx, terms, over).await?;
    }
    if ctx.passes == before {
        return Ok(None);
    }
    if terms.waits() {
        forget(ctx, terms, true).await?;
    }
    Ok(Some(tally::of_passes(ctx, method::DATABASE, before + 1, ctx.passes).await?))
}

/// Unenrols, in a pass of its own, the absent users whose enrolments are `over`. The guard does not count those whose
/// absence was approved.
async fn unenrol(ctx: &mut RunContext<'_>, terms: &Terms, over: &'static str) -> RunResult<()> {
    let params = ctx
        .params()
        .with("source", terms.source.as_str())
        .with("component", DATABASE.component())
        .with("until", ctx.now - terms.grace)
        .fragment("over", over)
        .fragment("absent", ABSENT);
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    if ctx.conn.exec(OVER, &params).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse("to_remove").await?;
    let pass_no = ctx.next_pass();
    if over == OVER_AND_APPROVED {
        ctx.guard.leave_out(pass_no, ctx.cause);
    }
    ctx.conn.prefer_indexes(true).await?;
    let removed = end::unenrol(ctx, pass_no).await?;
    if removed > 0 {
        end::purge(ctx, pass_no).await?;
    }
    ctx.conn.prefer_indexes(false).await?;
    if over == OVER_AND_APPROVED && removed > 0 {
        ctx.notes.push(Note::ApprovedBefore(removed));
    }
    Ok(())
}

/// Adds the report of [`settle`] to that of the pass that followed.
pub fn report(ctx: &mut RunContext<'_>, gone: &RuleReport) {
    if let Some(report) = ctx.rules.last_mut() {
        report.removed += gone.removed;
        report.roles_removed += gone.roles_removed;
        report.groups_removed += gone.groups_removed;
    }
}

async fn remember(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    forget(ctx, terms, false).await?;
    let params = ctx.params().with("source", terms.source.as_str()).with("approves", ctx.approves);
    ctx.conn.exec(NEW_ABSENCES, &params.fragment("absent", ABSENT)).await.map(|_| ())
}

/// Deletes the absences of users who are no longer enrolled, and, without `only_gone`, of users who are back.
async fn forget(ctx: &mut RunContext<'_>, terms: &Terms, only_gone: bool) -> Result<(), DbError> {
    let back = if only_gone { "" } else { BACK };
    let params = ctx.params().with("source", terms.source.as_str()).fragment("back", back);
    ctx.conn.exec(PAST_ABSENCES, &params).await.map(|_| ())
}

/// Deletes all absences of a source whose set is applied without a grace period: a later one begins anew, because
/// nobody notes meanwhile who is back.
///
/// # Errors
/// The database's error.
pub async fn forget_all(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    let params = ctx.params().with("source", terms.source.as_str());
    ctx.conn.exec("DELETE FROM {enrold_set_absent} WHERE source = :source", &params).await.map(|_| ())
}
