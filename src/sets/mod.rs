//! Applies a full set: stages and resolves its rows, checks it as a whole, and makes it true by `reconcile`.
//! It must not depend on the origin of the snapshot, nor begin or end transactions: `run` does.

pub mod account;
mod cohorts;
pub mod courses;
pub mod database;
mod feed;
mod grace;
mod groups;
pub mod oneroster_base;
mod order;
pub mod origins;
mod persons;
mod protect;
mod readiness;
mod rooms;
mod stage;
pub mod terms;
pub mod trend;
mod unresolved;
pub mod waiting;

pub use feed::{Feed, feeds};
pub use order::SetOrder;
pub use readiness::{Readiness, readiness};
pub use terms::Terms;

use std::path::Path;

use crate::change::context::RunContext;
use crate::change::kinds;
use crate::config::{Settings, UnknownProtects};
use crate::disk::{Dir, RegularFile};
use crate::moodle::method;
use crate::moodle::site::RemovalAction;
use crate::outcome::{Lines, Moment, Note, RunError, RunResult};
use crate::reconcile::{self, Filter, Follow, Policy};
use crate::sets::database::DATABASE;
use crate::sets::unresolved::Unresolved;
use crate::staging::{hints, resolve};

/// Makes a full set of enrolments true. Its cost grows with the rows to load and compare; the number of statements is
/// fixed except for the chunks of the load, and rows that match the set are read and not written.
///
/// # Errors
/// A snapshot that cannot be read, the database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    terms: &Terms,
    order: &SetOrder,
    file: &RegularFile,
) -> RunResult<()> {
    ctx.cause = DATABASE.name;
    ctx.notes.extend(order.skipped_setup.iter().cloned().map(Note::SetupSkipped));
    let (header, mut lines, refused) = stage::load(ctx, terms, order, file).await?;
    if terms.cohorts {
        return apply_cohorts(ctx, terms, lines, refused, header.has_incomplete).await;
    }
    if let Some(path) = &order.courses {
        lines.failed += new_courses(ctx, terms, path).await?;
    }
    resolve::keys(ctx, terms.keys).await?;
    // Protected accounts may still be enrolled; only the guest account may not.
    let never = [0, ctx.site.guest()];
    lines.waiting = waiting::keep(ctx, terms, header.has_status).await?;
    let refused_rows = if lines.waiting > 0 { resolve::NOT_WAITING } else { resolve::UNRESOLVED_LINES };
    lines.failed += lines.waiting;
    lines.failed += resolve::refuse_unresolved(ctx, refused_rows, terms.keys, &never, method::DATABASE).await?;
    if lines.failed > 0 {
        hints::suggest(ctx, terms.keys).await?;
    }
    let spared = persons::gather(ctx, terms, &never, header.each_once).await?;
    let spared = spared + protect::protect(ctx, terms, refused, &never, lines.failed > 0).await?;
    reconcile::prepare(ctx);
    groups::report_unusable(ctx, terms).await?;
    if header.has_incomplete {
        rooms::report(ctx).await?;
        rooms::keep_groups(ctx, &never).await?;
    }
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    weigh_or_foresee(ctx, terms, lines).await?;
    let policy = policy(ctx, terms, (header.has_status, header.has_dates), spared);
    if !terms.waits() {
        grace::forget_all(ctx, terms).await?;
    }
    let first = terms.waits() || (header.has_others && terms.on_extra == RemovalAction::Unenrol);
    let gone = if first { grace::settle(ctx, terms, settings, &policy).await? } else { None };
    reconcile::run_under(ctx, &DATABASE, policy, settings, Filter::ALL, false).await?;
    if let Some(gone) = gone {
        grace::report(ctx, &gone);
    }
    Ok(())
}

/// Makes the courses that the source describes and the site does not have; gives how many of its rows were refused.
async fn new_courses(ctx: &mut RunContext<'_>, terms: &Terms, path: &Path) -> RunResult<u64> {
    let shown = path.display().to_string();
    let file = Dir::open_named(path).map_err(|error| RunError::Unreadable { path: shown.clone(), error })?;
    let read = courses::load(ctx, &file, &shown, terms.new_courses.zone, terms.small_times).await?;
    let doubtful = match terms.unknown_protects {
        UnknownProtects::Off => 0,
        _ => courses::withhold(ctx).await?,
    };
    let refused = crate::change::courses::create(ctx, &terms.new_courses).await?;
    let made = ctx.booked(&kinds::COURSE_ADD);
    ctx.guard.check_courses(&terms.source, made, terms.limits.courses_max);
    Ok(read.failed + doubtful + refused)
}

/// Makes a full set of cohort memberships true.
async fn apply_cohorts(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    mut lines: Lines,
    refused: Unresolved,
    incomplete: bool,
) -> RunResult<()> {
    let never = [0, ctx.site.guest()];
    resolve::users(ctx, terms.keys.user).await?;
    // Cohorts are made only for a set that is not refused as a whole.
    ctx.lines = lines;
    if weigh_size(ctx, terms, lines).is_err() {
        cohorts::prepare(ctx, terms).await?;
        persons::spare_users(ctx, terms).await?;
        cohorts::gather(ctx, terms, &never).await?;
        protect::protect(ctx, terms, refused, &never, true).await?;
        account::foresee(ctx, terms).await?;
        return Err(RunError::Held);
    }
    cohorts::resolve(ctx, terms).await?;
    lines.waiting = waiting::keep(ctx, terms, false).await?;
    let refused_rows = if lines.waiting > 0 { resolve::NOT_WAITING } else { resolve::UNRESOLVED_LINES };
    lines.failed += lines.waiting;
    lines.failed += cohorts::refuse(ctx, terms, refused_rows, &never).await?;
    if lines.failed > 0 {
        hints::users(ctx, terms.keys.user).await?;
    }
    if incomplete {
        rooms::report(ctx).await?;
    }
    persons::spare_users(ctx, terms).await?;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    cohorts::gather(ctx, terms, &never).await?;
    protect::protect(ctx, terms, refused, &never, lines.failed > 0).await?;
    weigh_or_foresee(ctx, terms, lines).await?;
    reconcile::prepare(ctx);
    cohorts::apply(ctx, terms).await
}

/// What may be done to the source's enrolments, from its terms and whether its set has states and windows.
fn policy(ctx: &RunContext<'_>, terms: &Terms, (states, dates): (bool, bool), spared: i64) -> Policy {
    let (own_instance, own) = database::own_instance(&terms.source);
    let same_group = groups::same(ctx, terms);
    let on_extra = match terms.on_extra {
        _ if terms.waits() => RemovalAction::Suspend,
        // The section `roles` removes the roles that no row names; "other users" keep theirs, as rows name them.
        RemovalAction::SuspendNoRoles => RemovalAction::Suspend,
        action => action,
    };
    let keeps_roles = terms.waits() || matches!(terms.on_extra, RemovalAction::Keep | RemovalAction::Suspend);
    let base = Policy::new(on_extra);
    let params = base
        .params
        .and(own)
        .with("ignore_hidden", i64::from(terms.ignore_hidden))
        .with("keeps_roles", i64::from(keeps_roles))
        .with("waits", i64::from(terms.waits()))
        .with("create_groups", i64::from(terms.create_groups))
        .fragment("spared", ctx.conn.dialect().among("SELECT p.userid FROM [set_spared] p", spared))
        .fragment("same_group", same_group)
        .fragment("group_idnumber", if terms.group_by_idnumber { "t.gkey" } else { "''" });
    Policy {
        status: if states { Follow::Always } else { Follow::Reactivate },
        dates,
        instances: crate::reconcile::Instances::Created,
        own_instance,
        instance_mark: if terms.source == method::DATABASE {
            String::new()
        } else {
            format!("{}{}", database::MARK, terms.source)
        },
        params,
        ..base
    }
}

/// [`weigh`]; nothing is planned for a set that it refuses, so its account comes from [`account::foresee`].
async fn weigh_or_foresee(ctx: &mut RunContext<'_>, terms: &Terms, lines: Lines) -> RunResult<()> {
    let outcome = weigh(ctx, terms, lines);
    if outcome.is_err() {
        account::foresee(ctx, terms).await?;
    }
    outcome
}

/// Checks the size of the set with the guard before anything is planned: empty, or far from the last good one.
fn weigh_size(ctx: &mut RunContext<'_>, terms: &Terms, lines: Lines) -> RunResult<()> {
    let (fewer, more) = (terms.limits.rows_fewer_percent, terms.limits.rows_more_percent);
    ctx.guard.check_set(&terms.source, lines.records as i64, terms.last_rows, fewer, more);
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

/// Checks the number of rows that failed, once the keys are resolved, and the size as [`weigh_size`] does.
fn weigh(ctx: &mut RunContext<'_>, terms: &Terms, lines: Lines) -> RunResult<()> {
    let failed = lines.counted(terms.waiting.expected);
    ctx.guard.check_rows(&terms.source, lines.records as i64, failed as i64, terms.limits.unknown_percent);
    weigh_size(ctx, terms, lines)
}
