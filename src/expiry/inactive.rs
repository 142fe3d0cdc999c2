//! Finds users who were inactive on the site or in the course for longer than the instance allows.
//! It must not use end dates.

use crate::change::context::RunContext;
use crate::config::InactiveSince;
use crate::db::{DbError, Literal, statement};
use crate::expiry::policy::Due;

const INACTIVE: &str = statement(include_str!("inactive.sql"), "inactive enrolments");

/// When the enrolment began: the later of its start and its creation.
const BEGAN: &str = "CASE WHEN x.timestart > x.timecreated THEN x.timestart ELSE x.timecreated END";

/// Fills the temporary table `to_remove` with the enrolments of inactive users, whatever `expiredaction`, status and
/// account say (spec autoenrol 7; self is the same with another column), and gives how many there are. A user who logs
/// in but never opened the course has no last access there and does not count as inactive in it.
pub(super) async fn find(
    ctx: &mut RunContext<'_>,
    due: &[Due],
    since: InactiveSince,
    reach: &str,
) -> Result<i64, DbError> {
    let limits: Vec<String> = due
        .iter()
        .filter_map(|due| due.policy.inactivity.map(|column| (due.policy.method, column)))
        .map(|(method, column)| format!("WHEN {} THEN e.{column}", Literal::word(method)))
        .collect();
    ctx.conn.exec("DELETE FROM [to_remove]", &ctx.params()).await?;
    if limits.is_empty() {
        return Ok(0);
    }
    let (site, course) = match since {
        InactiveSince::Moodle => ("u.lastaccess".to_owned(), "a.timeaccess".to_owned()),
        InactiveSince::Login => {
            (format!("CASE WHEN u.lastaccess > 0 THEN u.lastaccess ELSE {BEGAN} END"), "a.timeaccess".to_owned())
        }
        InactiveSince::Enrolment => (later("u.lastaccess"), later("a.timeaccess")),
    };
    let params = ctx
        .params()
        .fragment("reach", reach)
        .fragment("limit", format!("CASE e.enrol {} ELSE 0 END", limits.join(" ")))
        .fragment("seen", site)
        .fragment("looked", course);
    Ok(ctx.conn.exec(INACTIVE, &params).await? as i64)
}

/// A moment, but not before the enrolment began.
fn later(moment: &str) -> String {
    format!("CASE WHEN {moment} < {BEGAN} THEN {BEGAN} ELSE {moment} END")
}
