//! Makes the active participants of a course participants of another. It must not change anything in the first course.

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::mail;
use crate::moodle::{method, named};
use crate::outcome::RunResult;
use crate::verbs::manual::Target;
use crate::verbs::order::VerbOrder;
use crate::verbs::people::{self, Choice};

/// The enrolments that give access now or later.
pub(super) fn with_access(ctx: &RunContext<'_>) -> Choice<'static> {
    Choice {
        instances: "e.status = 0",
        enrolments: "x.status = 0 AND (x.timeend = 0 OR x.timeend > :now)",
        params: ctx.params(),
    }
}

/// Enrols them as manual participants with their dates and roles.
pub(super) async fn apply(ctx: &mut RunContext<'_>, settings: &Settings, order: &VerbOrder, to: &str) -> RunResult<()> {
    let to = named::course(ctx.conn, order.place.key(), to).await?;
    let target = Target::of(ctx, &to).await?;
    let choice = with_access(ctx);
    people::choose(ctx, order, choice).await?;
    let pass_no = ctx.next_pass();
    target.enrol(ctx, pass_no, order).await?;
    mail::welcome(ctx, settings, pass_no..=pass_no, method::MANUAL).await?;
    Ok(())
}
