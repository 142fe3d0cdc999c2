//! Adds missing enrolments, changes those that differ, ends extra ones. It must not handle roles or groups: they follow
//! the enrolments that were really changed.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{end, enrol, kinds};
use crate::db::{DbError, statement};
use crate::moodle::site::RemovalAction;
use crate::outcome::RunResult;
use crate::reconcile::compare::{self, Comparison};
use crate::reconcile::{Pass, comparing};

/// Stores the set in a table once, if the policy says that it costs more to compute than to write.
pub(super) async fn stage(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.section("enrolments").filter(|_| pass.policy.staged) else { return Ok(()) };
    let params = pass.params(ctx).fragment("set", set);
    ctx.conn.exec("DELETE FROM [desired]", &params).await?;
    comparing(ctx, pass, true).await?;
    let fill = "INSERT INTO [desired]
        SELECT enrolid, userid, courseid, contextid, presence, status, timestart, timeend FROM (:set) t";
    ctx.conn.exec(fill, &params).await?;
    comparing(ctx, pass, false).await?;
    ctx.conn.analyse("desired").await
}

const PLANNED: &str = statement(include_str!("enrolments.sql"), "planned");

/// Adds the desired enrolments that are missing and changes those that differ, as far as the policy allows.
pub(super) async fn add_and_change(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    comparison: &Comparison,
) -> RunResult<()> {
    let Some(params) = compare::differing(ctx, pass, comparison) else { return Ok(()) };
    let params = params
        .with("rank_add", kinds::ENROL.at)
        .with("rank_update", kinds::UPDATE.at)
        .with("rank_suspend", kinds::SUSPEND_AS_DESIRED.at);
    comparing(ctx, pass, true).await?;
    let planned = ctx
        .journal_ranked(
            pass.pass_no,
            &[kinds::ENROL, kinds::UPDATE, kinds::SUSPEND_AS_DESIRED],
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.courseid, planned.userid, planned.enrolid",
            PLANNED,
            params,
        )
        .await?;
    comparing(ctx, pass, false).await?;
    if planned == 0 {
        return Ok(());
    }
    let changed = enrol::apply_planned(ctx, pass.pass_no, planned).await?;
    if pass.reads_fresh() {
        remember_fresh(ctx, pass, changed > 0).await?;
    }
    Ok(())
}

/// Fills `fresh`: enrolments that were added, or are active again.
async fn remember_fresh(ctx: &mut RunContext<'_>, pass: &Pass<'_>, changed: bool) -> Result<(), DbError> {
    let (from, _) = Position { pass_no: pass.pass_no, rank: kinds::ENROL }.range();
    let last = if changed { kinds::UPDATE } else { kinds::ENROL };
    let (_, to) = Position { pass_no: pass.pass_no, rank: last }.range();
    let params = ctx.params().with("from", from).with("to", to);
    let params = params.with("added", &kinds::ENROLMENT_ADD).with("changed", &kinds::ENROLMENT_UPDATE);
    ctx.conn
        .exec(
            "INSERT INTO [fresh] SELECT c.enrolid, c.userid FROM {enrold_change} c
              WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.state = 0
                AND (c.kind = :added OR (c.kind = :changed AND c.oldstatus = 1 AND c.status = 0))",
            &params,
        )
        .await?;
    ctx.conn.analyse("fresh").await
}

/// Ends the extra enrolments in the rule's instances, those in `to_remove`, as its policy says.
pub(super) async fn end_extra(ctx: &mut RunContext<'_>, pass: &Pass<'_>, comparison: &Comparison) -> RunResult<()> {
    let to_remove = compare::find_extra(ctx, pass, comparison).await?;
    if to_remove == 0 {
        return Ok(());
    }
    ctx.conn.analyse("to_remove").await?;
    if pass.policy.on_extra == RemovalAction::Unenrol {
        return end::unenrol_and_purge(ctx, pass.pass_no, to_remove).await;
    }
    ctx.conn.prefer_indexes(true).await?;
    suspend(ctx, pass).await?;
    Ok(ctx.conn.prefer_indexes(false).await?)
}

/// Suspends the enrolments of `to_remove`, and removes the roles that their instances own if the policy says so.
async fn suspend(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let position = Position { pass_no: pass.pass_no, rank: kinds::SUSPEND_FIRST };
    if end::suspend(ctx, position).await? == 0 || pass.policy.on_extra != RemovalAction::SuspendNoRoles {
        return Ok(());
    }
    let (from, to) = position.range();
    let owned = Pick::new(
        "SELECT r.id, 0 AS line, c.courseid, c.contextid FROM {enrold_change} c
           :then {role_assignments} r :by_user ON r.userid = c.userid AND r.contextid :whole = c.contextid
                AND {~r.component} = c.component AND {#r.itemid} = c.enrolid
          WHERE c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0
          GROUP BY r.id, c.courseid, c.contextid",
    );
    let position = Position { pass_no: pass.pass_no, rank: kinds::OWNED_ROLES };
    Ok(ctx.remove_rows(position, owned.with("ended", from).with("ended_to", to)).await?)
}
