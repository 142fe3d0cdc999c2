//! The groups that follow a user from the source to the target, by name, in the temporary table `copied_group`.
//! It must not make groups or memberships; the rule's sections and the engine do.

use crate::change::work::Work;
use crate::db::Table;
use crate::db::table::{int, text};
use crate::outcome::RunResult;
use crate::reconcile::groups as known;

const COPIED_GROUP: Table =
    Table::new("copied_group", &[int("enrolid"), int("userid"), int("courseid"), int("contextid"), text("name", 254)]);

/// Reads the source's groups of those who are enrolled now, before anything takes them away (spec coursecompleted 5).
///
/// # Errors
/// The engine's.
pub async fn copy(work: &mut Work<'_>) -> RunResult<()> {
    work.conn.declare(&COPIED_GROUP);
    let params = work.params();
    let copied = work
        .conn
        .exec(
            "INSERT INTO [copied_group]
             SELECT t.enrolid, t.userid, t.courseid, t.contextid, g.name FROM (SELECT DISTINCT userid FROM [completed] WHERE verdict = 0) u
              :then {groups_members} m ON m.userid = u.userid
              :then {groups} g ON g.id = m.groupid
              :then [completed] t ON t.userid = m.userid AND t.source = g.courseid AND t.verdict = 0
               JOIN [chain] h ON h.enrolid = t.enrolid AND h.copies = 1",
            &params,
        )
        .await?;
    if copied > 0 {
        known::know(work, "SELECT DISTINCT courseid FROM [copied_group]").await?;
    }
    Ok(work.conn.analyse("copied_group").await?)
}
