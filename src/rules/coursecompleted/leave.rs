//! Leaving the source: where an instance says so, who was enrolled in the target is unenrolled from the completed course.
//! It must not reach enrolments whose method would refuse an administrator (spec coursecompleted 6).

use crate::change::end;
use crate::change::work::Work;
use crate::db::{DbError, Literal};
use crate::moodle::method::{Unenrol, by_administrator};
use crate::moodle::site::id_list;
use crate::outcome::RunResult;
use crate::reconcile::{Pass, comparing};

/// Unenrols from the sources, after enrolments and groups of the whole pass. What this pass itself has just made stays, or
/// another writer in its place, so that a circle of courses never leaves anybody outside.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn unenrol_from_sources(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let leaving = "SELECT COUNT(*) FROM [completed] t JOIN [chain] h ON h.enrolid = t.enrolid WHERE t.verdict = 0 AND h.leaves = 1";
    if work.conn.number(leaving, &work.params()).await? == 0 {
        return Ok(());
    }
    comparing(work, pass, true).await?;
    let found = find(work, pass).await?;
    comparing(work, pass, false).await?;
    if found == 0 {
        return Ok(());
    }
    work.conn.prefer_indexes(true).await?;
    if end::unenrol(work, pass.wave).await? > 0 {
        end::clean_up(work, pass.wave).await?;
    }
    Ok(work.conn.prefer_indexes(false).await?)
}

async fn find(work: &mut Work<'_>, pass: &Pass<'_>) -> Result<u64, DbError> {
    let mut protected = vec![0, work.site.guest()];
    if pass.settings.guard.protect_admins {
        protected.extend(work.site.administrators());
    }
    let params = work.params().fragment("reach", reach()).fragment("protected", id_list(&protected));
    work.conn.exec("DELETE FROM [doomed]", &params).await?;
    let found = work
        .conn
        .exec(
            "INSERT INTO [doomed]
             SELECT x.id, 0, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), 'enrol_' || e.enrol, 0, NULL
               FROM (SELECT DISTINCT t.userid, t.source FROM [completed] t JOIN [chain] h ON h.enrolid = t.enrolid AND h.leaves = 1 AND h.courseid <> h.source
                       JOIN {enrold_completion} l ON l.enrolid = t.enrolid AND l.courseid = t.source AND l.userid = t.userid AND l.state = 'enrolled'
                      WHERE t.verdict = 0) g
               JOIN {enrol} e ON e.courseid = g.source
               JOIN {user_enrolments} x ON x.enrolid = e.id AND x.userid = g.userid
               JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
               LEFT JOIN [completed] n ON n.enrolid = x.enrolid AND n.userid = x.userid AND n.verdict IN (0, 3)
              WHERE n.enrolid IS NULL AND (:reach) AND x.userid NOT IN (:protected)",
            &params,
        )
        .await?;
    work.conn.analyse("doomed").await?;
    Ok(found)
}

/// Which enrolments may be ended, by their methods.
fn reach() -> String {
    let one = |(name, unenrol): (&'static str, Unenrol)| match unenrol {
        Unenrol::Any => format!("e.enrol = {}", Literal::word(name)),
        Unenrol::Suspended => format!("(e.enrol = {} AND x.status = 1)", Literal::word(name)),
    };
    by_administrator().map(one).collect::<Vec<_>>().join(" OR ")
}
