//! Enrolment files of tool_sync: orders about one person in one course each, applied in their order (spec files 2.3).
//! It must not know bytes; rules that follow do so in the run.

mod groups;
mod orders;
mod places;
mod stage;

use crate::change::context::RunContext;
use crate::change::end;
use crate::config::{Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::mail;
use crate::moodle::method;
use crate::outcome::{Moment, RunError, RunResult};

/// Applies a file. The first orders of all pairs of person and course are applied as one set, then the second ones, and
/// so on: the number of statements grows with the most orders that a pair has, not with the rows.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<()> {
    let mut lines = stage::load(ctx, settings, profile, file).await?;
    let orders = orders::find(ctx, settings, profile, file.dropped).await?;
    lines.failed += orders.refused;
    let grouped = groups::find(ctx).await?;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed.min(lines.records));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    end::prepare(ctx);
    let first = ctx.next_pass();
    if grouped {
        groups::create(ctx, first).await?;
    }
    let mut last = first;
    for wave in 1..=orders.waves {
        last = ctx.next_pass();
        places::give(ctx, wave, last).await?;
        if grouped {
            groups::apply(ctx, wave, last).await?;
        }
        last = places::end(ctx, wave).await?.unwrap_or(last);
    }
    mail::welcome(ctx, settings, first..=last, method::MANUAL).await?;
    Ok(())
}
