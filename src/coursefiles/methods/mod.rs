//! Enrolment methods of many courses: added, changed, disabled, enabled and removed by rows of a file (spec files 6).
//! It must not enrol members: the rules of the methods do so in the same run.

mod cycles;
mod decide;
mod facts;
mod patterns;
mod read;
mod remove;
mod write;

use crate::change::context::RunContext;
use crate::config::{Profile, Settings, UserKey};
use crate::coursefiles::CourseFile;
use crate::outcome::{Moment, Note, RunError, RunResult};
use crate::problem::{PlaceKind, Rows};
use crate::staging::hints;
use crate::staging::resolve::Keys;

pub use remove::Gone;

/// The most courses that all rows of a file together may mean.
const MOST_COURSES: usize = 200_000;

/// Adds and changes methods. The rest, which ends methods, is for [`Gone::apply`], after the rules have run: so nobody
/// loses a place who gets it by another method of the file. The number of statements does not depend on the number of
/// rows, except for the chunks of the load; the memory grows with the rows and the courses that they mean.
///
/// # Errors
/// The error of the reader or of the database, a file that is refused as a whole, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Gone> {
    let read::Read { rows, mut lines } = read::load(ctx, settings, profile, file).await?;
    let facts = facts::gather(ctx, settings, profile, (&rows, file.dropped)).await?;
    let mut decision = decide::Decision::of(&facts, profile, &rows);
    let mut problems = Rows::new(ctx.conn.dialect());
    for (line, row) in &rows {
        if let Err(problem) = decision.row(*line, row) {
            lines.failed += 1;
            problems.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, *line as i64), &problem).await?;
        }
    }
    problems.finish(ctx.conn).await?;
    if lines.failed > 0 {
        hints::suggest(ctx, Keys { user: UserKey::Id, course: profile.course_key }).await?;
    }
    let plan = decision.plan();
    ctx.notes.extend(plan.meant.iter().cloned());
    if plan.unchanged > 0 {
        ctx.notes.push(Note::MethodsUnchanged(plan.unchanged));
    }
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed.min(lines.records));
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    write::apply(ctx, &facts, &plan).await?;
    Ok(Gone::of(&facts, plan))
}
