//! Takes people out of the course whom a text names so (`!`), as far as their enrolments were made by hand.
//! It must not end what another source gives, nor delete anything itself: `change` does.

use crate::change::context::RunContext;
use crate::change::end;
use crate::coursefiles::participants::enrol::in_course;
use crate::coursefiles::participants::place::Place;
use crate::db::statement;
use crate::outcome::RunResult;
use crate::problem::PlaceKind;

const ENDING: &str = statement(include_str!("participants.sql"), "ending enrolments");
const KEPT: &str = statement(include_str!("participants.sql"), "kept enrolments");

/// Ends the enrolments, in a pass of their own, and reports who stays in the course by another method.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, place: &Place) -> RunResult<()> {
    let params = in_course(ctx, place);
    let kept = ctx.report_problems(PlaceKind::Line, KEPT, params.clone()).await?;
    ctx.lines.failed += kept;
    end::prepare(ctx);
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    if ctx.conn.exec(ENDING, &params).await? == 0 {
        return Ok(());
    }
    let pass_no = ctx.next_pass();
    if end::unenrol(ctx, pass_no).await? > 0 {
        end::purge(ctx, pass_no).await?;
    }
    Ok(())
}
