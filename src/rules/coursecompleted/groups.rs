//! The groups that follow a user from the source to the target, by name, in the temporary table `copied_group`.
//! It must not make groups or memberships; the rule's sections and the engine do.

use crate::run::RunResult;
use crate::run::work::Work;

/// Reads the source's groups of those who are enrolled now, before anything takes them away (spec coursecompleted 5).
///
/// # Errors
/// The engine's.
pub async fn copy(work: &mut Work<'_>) -> RunResult<()> {
    work.conn
        .temporary(
            "copied_group",
            "enrolid BIGINT NOT NULL, userid BIGINT NOT NULL, courseid BIGINT NOT NULL, contextid BIGINT NOT NULL, name VARCHAR(254) NOT NULL",
        );
    let params = work.params();
    work.conn
        .exec(
            "INSERT INTO copied_group (enrolid, userid, courseid, contextid, name)
             SELECT t.enrolid, t.userid, t.courseid, t.contextid, g.name FROM completed t
               JOIN chain h ON h.enrolid = t.enrolid AND h.copies = 1
               JOIN {groups_members} m ON m.userid = t.userid
               JOIN {groups} g ON g.id = m.groupid AND g.courseid = t.source
              WHERE t.verdict = 0",
            &params,
        )
        .await?;
    Ok(work.conn.analyse("copied_group").await?)
}
