//! Cohort files: the rows are read, decided about in their order, and applied as sets.
//! It must not know bytes; cohort sync follows in the run.

mod decide;
mod members;
mod places;
mod site;
mod stage;
mod waiting;
mod write;

use crate::accounts::AccountsFile;
use crate::accounts::cohort_files::decide::Terms;
use crate::accounts::cohort_files::places::Places;
use crate::change::context::RunContext;
use crate::config::{FileKind, Profile, Settings};
use crate::outcome::{Moment, RunError, RunResult};
use crate::problem::{Code, Problem};

/// Applies a cohort file of either kind.
///
/// # Errors
/// The error of the reader or of the database, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &AccountsFile<'_>,
) -> RunResult<()> {
    let (places, contextid) = places(ctx, profile).await?;
    let staged = stage::load(ctx, settings, profile, file, &places).await?;
    let terms = Terms::of(profile, contextid, file.dropped);
    let cohorts = site::named(ctx, &terms, &staged.told).await?;
    let decided = decide::decide(&terms, staged.told, cohorts);
    let waiting = profile.waiting(&settings.waiting);
    let mut lines = staged.lines;
    lines.failed += decided.problems.len() as u64;
    write::report(ctx, &decided.problems).await?;
    let members = profile.kind == FileKind::CohortMembers;
    let protected = ctx.site.protected(settings.guard.protect_admins);
    if members {
        let (source, dropped, unread) = (file.path, file.dropped, staged.unread);
        let told = waiting::Contents { source, dropped, decided: &decided, unread };
        members::resolve(ctx, &waiting, profile, &told, (protected.as_slice(), &mut lines)).await?;
    }
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.counted(waiting.expected));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    let pass_no = ctx.next_pass();
    write::create(ctx, pass_no, &decided, (members, staged.idnumbers)).await?;
    write::change(ctx, pass_no, &decided, members).await?;
    if members {
        members::gather(ctx, profile.user_key, &protected, staged.unread).await?;
        members::apply(ctx, pass_no, &protected).await?;
    }
    Ok(())
}

/// The places of the site, and the context of new cohorts that name none.
///
/// # Errors
/// `context-unknown`: the profile names another. The database's error.
pub async fn places(ctx: &mut RunContext<'_>, profile: &Profile) -> RunResult<(Places, i64)> {
    let places = Places::read(ctx).await?;
    let contextid = if profile.context_id == 0 { ctx.site.system_context } else { profile.context_id };
    if !places.has(contextid) {
        let problem = Problem::new(0, Code::ContextUnknown, contextid.to_string(), "context_id");
        return Err(RunError::Rejected(problem));
    }
    Ok((places, contextid))
}
