//! Who is unenrolled before the pass over the set: whose time between absence and unenrolment is over, and who keeps a role
//! without being enrolled any more. It must not suspend anybody: the pass does.

use crate::change::end;
use crate::change::work::Work;
use crate::config::Settings;
use crate::db::DbError;
use crate::moodle::method;
use crate::outcome::{RuleReport, RunResult};
use crate::reconcile::{self, Policy, tally};
use crate::sets::Terms;
use crate::sets::database::DATABASE;

/// Enrolments in the instances of `scope` that the set does not name, without those of spared accounts.
const ABSENT: &str = "FROM [scope] s JOIN {user_enrolments} x ON x.enrolid = s.enrolid
    LEFT JOIN [set_person] w ON w.courseid = s.courseid AND w.userid = x.userid AND w.enrolled = 1
    LEFT JOIN [set_spared] p ON p.userid = x.userid
    LEFT JOIN [set_spared_course] q ON q.courseid = s.courseid
   WHERE w.userid IS NULL AND p.userid IS NULL AND q.courseid IS NULL";

/// Those whose enrolment is over: with a time of grace, absent for so long; without, named as another user. The roles of an
/// instance go with the enrolment, and such a user gets his from the pass that follows.
fn over(terms: &Terms) -> &'static str {
    if terms.waits() {
        "JOIN {enrold_set_absent} a ON a.source = :source AND a.enrolid = t.enrolid AND a.userid = t.userid AND a.since <= :until"
    } else {
        "JOIN [set_person] n ON n.courseid = t.courseid AND n.userid = t.userid"
    }
}

/// Remembers who is absent since when, and unenrols those whose enrolment is over; gives what that came to. Costs six
/// statements where nobody goes.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn settle(
    work: &mut Work<'_>,
    terms: &Terms,
    settings: &Settings,
    policy: &Policy,
) -> RunResult<Option<RuleReport>> {
    reconcile::look(work, &DATABASE, settings, policy).await?;
    if terms.waits() {
        remember(work, terms).await?;
    }
    let params = work
        .params()
        .with("source", terms.source.as_str())
        .with("component", DATABASE.component())
        .with("until", work.now - terms.grace)
        .fragment("over", over(terms))
        .fragment("absent", ABSENT);
    work.conn.exec("DELETE FROM [doomed]", &params).await?;
    let over = work
        .conn
        .exec(
            "INSERT INTO [doomed]
             SELECT t.id, 0, t.userid, t.courseid, t.contextid, t.enrolid, 0, :component, 0, NULL
               FROM (SELECT x.id, x.userid, s.courseid, s.contextid, s.enrolid :absent) t :over",
            &params,
        )
        .await?;
    if over == 0 {
        return Ok(None);
    }
    work.conn.analyse("doomed").await?;
    let wave = work.next_wave();
    work.conn.prefer_indexes(true).await?;
    if end::unenrol(work, wave).await? > 0 {
        end::clean_up(work, wave).await?;
    }
    work.conn.prefer_indexes(false).await?;
    if terms.waits() {
        forget(work, terms, true).await?;
    }
    Ok(Some(tally::of_waves(work, method::DATABASE, wave, wave).await?))
}

/// Adds what [`settle`] came to to the report of the pass that followed.
pub fn tell(work: &mut Work<'_>, gone: &RuleReport) {
    if let Some(report) = work.rules.last_mut() {
        report.removed += gone.removed;
        report.roles_removed += gone.roles_removed;
        report.groups_removed += gone.groups_removed;
    }
}

async fn remember(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    forget(work, terms, false).await?;
    let params = work.params().with("source", terms.source.as_str()).fragment("absent", ABSENT);
    work.conn
        .exec(
            "INSERT INTO {enrold_set_absent} (source, enrolid, userid, since)
             SELECT :source, t.enrolid, t.userid, :now FROM (SELECT x.userid, s.enrolid :absent) t
               LEFT JOIN {enrold_set_absent} a ON a.source = :source AND a.enrolid = t.enrolid AND a.userid = t.userid
              WHERE a.userid IS NULL",
            &params,
        )
        .await
        .map(|_| ())
}

/// Drops what is known of those who are enrolled no more, and, unless they have just gone, of those who are back.
async fn forget(work: &mut Work<'_>, terms: &Terms, only_gone: bool) -> Result<(), DbError> {
    let back = if only_gone {
        ""
    } else {
        "OR EXISTS (SELECT 1 FROM [set_person] w JOIN {enrol} e ON e.courseid = w.courseid
             WHERE e.id = {enrold_set_absent}.enrolid AND w.userid = {enrold_set_absent}.userid AND w.enrolled = 1)"
    };
    let params = work.params().with("source", terms.source.as_str()).fragment("back", back);
    work.conn
        .exec(
            "DELETE FROM {enrold_set_absent} WHERE source = :source AND (NOT EXISTS (SELECT 1 FROM {user_enrolments} x
                 WHERE x.enrolid = {enrold_set_absent}.enrolid AND x.userid = {enrold_set_absent}.userid) :back)",
            &params,
        )
        .await
        .map(|_| ())
}
