//! Creates the groups that a rule desires and a course lacks. It must not interpret their names; the rule's SQL leaves
//! out what exists.

use crate::change::context::{Position, RunContext};
use crate::change::groups::{self, NEW_GROUP};
use crate::change::kinds;
use crate::db::DbError;
use crate::reconcile::Pass;

/// Creates the groups of the section `groups`.
pub(super) async fn make(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.desired(ctx, "groups") else { return Ok(()) };
    ctx.conn.declare(&NEW_GROUP);
    let params = pass.params(ctx).fragment("set", set);
    let desired = ctx
        .conn
        .exec(
            "INSERT INTO [new_group]
             SELECT ROW_NUMBER() OVER (ORDER BY t.courseid, t.name, t.idnumber), 0,
                    t.enrolid, t.courseid, t.contextid, t.name, t.idnumber, t.description, 1
               FROM (:set) t",
            &params,
        )
        .await?;
    if desired == 0 {
        return Ok(());
    }
    groups::create(ctx, Position { pass_no: pass.pass_no, rank: kinds::GROUP }).await
}
