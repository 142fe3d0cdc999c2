//! Adds the desired group memberships that are missing, and removes a rule's own extra ones. It must not take over a
//! membership that another writer has added.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{Rank, groups, kinds};
use crate::db::{DbError, statement};
use crate::reconcile::{Owner, Pass, comparing, owner};

/// The memberships that the rule's instances own.
pub(super) const OWNED: &str = statement(include_str!("members.sql"), "owned");

/// Adds and removes memberships until they are as in the section `group members`.
pub(super) async fn join_and_leave(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.desired(ctx, "group members") else { return Ok(()) };
    let groups =
        "SELECT COUNT(*) FROM (SELECT g.id FROM [scope] s JOIN {groups} g ON g.courseid = s.courseid LIMIT 1) t";
    if ctx.conn.number(groups, &pass.params(ctx)).await? == 0 {
        return Ok(());
    }
    let planned = ctx.planned;
    comparing(ctx, pass, true).await?;
    leave(ctx, pass, set).await?;
    if pass.policy.newcomers_join_first {
        join(ctx, pass, set, kinds::NEWCOMERS).await?;
    }
    join(ctx, pass, set, kinds::JOIN).await?;
    comparing(ctx, pass, false).await?;
    if ctx.planned > planned { groups::settle(ctx, pass.pass_no).await } else { Ok(()) }
}

async fn join(ctx: &mut RunContext<'_>, pass: &Pass<'_>, set: &str, rank: Rank) -> Result<(), DbError> {
    let position = Position { pass_no: pass.pass_no, rank };
    let (component, item) = owner(pass.policy.groups, "p");
    let newcomers = rank == kinds::NEWCOMERS;
    let who = if newcomers { "JOIN [fresh] f ON f.enrolid = p.enrolid AND f.userid = p.userid" } else { "" };
    let params = pass.params(ctx).fragment("set", set).fragment("who", who);
    let params = params.fragment("owner", component).fragment("item", item);
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, contextid, groupid, component, itemid",
            "planned.courseid, planned.userid, planned.groupid",
            // If two instances desire the same membership, the first owns it.
            "SELECT 0 AS line, p.userid, p.courseid, p.contextid, p.groupid, :owner AS component, MIN(:item) AS itemid
               FROM (:set) p :who LEFT JOIN {groups_members} m ON m.groupid = p.groupid AND m.userid = p.userid
              WHERE m.id IS NULL AND p.presence = 2 GROUP BY p.userid, p.courseid, p.contextid, p.groupid",
            params,
        )
        .await?;
    groups::join_planned(ctx, position, planned).await
}

async fn leave(ctx: &mut RunContext<'_>, pass: &Pass<'_>, set: &str) -> Result<(), DbError> {
    let own = match (pass.section("owned group members"), pass.policy.groups) {
        (Some(own), _) => own,
        (None, Owner::Instance) => OWNED,
        (None, Owner::Nobody) => return Ok(()),
    };
    let extra = Pick::new(
        "SELECT o.id, 0 AS line, o.courseid, o.contextid FROM (:own) o
           LEFT JOIN (:set) d ON d.enrolid = o.enrolid AND d.userid = o.userid AND d.groupid = o.groupid
          WHERE d.userid IS NULL AND o.userid :among_users GROUP BY o.id, o.courseid, o.contextid",
    );
    let position = Position { pass_no: pass.pass_no, rank: kinds::LEAVE };
    let extra = extra.params(pass.params(ctx)).fragment("own", own).fragment("set", set);
    ctx.remove_rows(position, extra).await
}
