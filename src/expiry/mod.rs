//! Ends enrolments whose end has passed, and those of inactive users, for all methods at once.
//! It must not have statements for one method: what differs between methods is data (`policy.rs`).

mod elapsed;
mod inactive;
mod policy;
mod roles;

use crate::change::context::RunContext;
use crate::clock::StopWatch;
use crate::config::Settings;
use crate::moodle::site::{Site, id_list};
use crate::outcome::RunResult;
use crate::reconcile::tally;

pub use policy::{POLICIES, Policy, Roles};

/// The name of the job, and the cause of its changes in the journal.
pub const EXPIRATIONS: &str = "expirations";

/// The methods whose expirations a run applies.
#[derive(Clone, Copy, Debug)]
pub enum Methods<'a> {
    /// Every method of [`POLICIES`] that the site has enabled; a note names the others.
    All,
    /// These, enabled or not: the caller decides.
    Only(&'a [&'static str]),
}

/// The job `expirations`: [`apply`] for every method, with its line in the report.
///
/// # Errors
/// As [`apply`].
pub async fn run(ctx: &mut RunContext<'_>, settings: &Settings, courses: Option<&[i64]>) -> RunResult<()> {
    let watch = StopWatch::start();
    let first = ctx.passes + 1;
    let before = std::mem::replace(&mut ctx.cause, EXPIRATIONS);
    let checked = apply(ctx, settings, Methods::All, courses).await?;
    ctx.cause = before;
    let mut report = tally::of_passes(ctx, EXPIRATIONS, first, ctx.passes).await?;
    report.checked = checked;
    report.millis = watch.millis();
    ctx.rules.push(report);
    Ok(())
}

/// Ends what is due at the run's clock, and gives how many enrolments were due: unenrols inactive users, and applies
/// the method's `expiredaction` to each other enrolment with an elapsed `timeend` (spec enrol-core 14 and 15, autoenrol
/// 7). Disabled instances expire too. `courses` are the only `course.id` to process; `None` for all. Unenrolling and
/// suspending are a pass of the journal each, with a fixed number of statements: so the enrolments of several methods
/// that end together end in the order of Moodle's tasks, and the last of them is the one that is logged as the last.
/// [`crate::change::end::prepare`] must come first.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    methods: Methods<'_>,
    courses: Option<&[i64]>,
) -> RunResult<i64> {
    let due = policy::due(ctx, settings, methods);
    let reach = reach(ctx.site, settings, courses);
    let inactive = inactive::find(ctx, &due, settings.expirations.inactive_since, &reach).await?;
    let elapsed = elapsed::find(ctx, &due, &reach).await?;
    if inactive + elapsed > 0 {
        ctx.conn.prefer_indexes(true).await?;
        elapsed::unenrol(ctx, inactive).await?;
        elapsed::suspend(ctx).await?;
        ctx.conn.prefer_indexes(false).await?;
    }
    Ok(inactive + elapsed)
}

/// A condition on an enrolment `x` of the instance `e`: in these courses, and not of a protected account.
fn reach(site: &Site, settings: &Settings, courses: Option<&[i64]>) -> String {
    let accounts = id_list(&site.protected(settings.guard.protect_admins));
    let courses = courses.map_or_else(String::new, |courses| format!(" AND e.courseid IN ({})", id_list(courses)));
    format!("x.userid NOT IN ({accounts}){courses}")
}
