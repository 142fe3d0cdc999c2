//! Course lists and course texts: the participants of one course, with their groups (spec files 5).
//! It must not know bytes; rules that follow do so in the run.

mod enrol;
mod groups;
mod leave;
mod place;
mod stage;

use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::outcome::{Moment, RunError, RunResult};

/// Applies a list or a text. The number of statements does not depend on the number of rows, except for the chunks of
/// the load.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<()> {
    let place = place::find(ctx, settings, profile, file).await?;
    let staged = stage::load(ctx, settings, profile, file).await?;
    let mut lines = staged.lines;
    lines.failed += enrol::judge(ctx, settings, (profile, &place), file.dropped).await?;
    lines.failed += groups::find(ctx, profile, &place).await?;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed.min(lines.records));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    let pass_no = ctx.next_pass();
    enrol::apply(ctx, settings, (profile, &place), pass_no).await?;
    groups::apply(ctx, profile, &place, pass_no).await?;
    if staged.unenrols { leave::apply(ctx, &place).await } else { Ok(()) }
}
