//! Files of groups and groupings: the rows are read, decided about in their order, and applied as sets (spec files 7.1,
//! 7.2). It must not know bytes, nor enrol anybody.

mod decide;
mod items;
mod renames;
mod site;
mod stage;
mod usage;
mod write;

use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::outcome::{Moment, RunError, RunResult};

use items::Terms;

pub(super) use site::GROUP_COURSE;
pub(super) use write::{leave as take_out, over, purge};

/// Applies a file of groups or groupings. The number of statements does not depend on the number of its rows, except
/// for the chunks of the loads.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<()> {
    let staged = stage::load(ctx, settings, profile, file).await?;
    let custom = site::custom(ctx, &staged).await?;
    let places = site::places(ctx, profile, &staged.rows).await?;
    let messaging = ctx.site.columns.has_table("message_conversations") && ctx.site.number("messaging", 1) == 1;
    let terms = Terms::of(profile, messaging, custom);
    let items = site::named(ctx, &terms, &staged.rows).await?;
    let rows = staged.rows.into_iter().zip(places.iter().cloned()).collect();
    let decided = decide::decide(&terms, rows, items);
    let mut lines = staged.lines;
    lines.failed += decided.refused.len() as u64;
    write::report(ctx, decided.refused.iter().chain(&decided.told)).await?;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed);
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    let contexts = places.iter().flatten().map(|place| (place.courseid, place.contextid)).collect();
    write::apply(ctx, profile, decided, &contexts).await
}
