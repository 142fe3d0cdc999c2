//! The instances of the method as links of a chain: source, target, role, window, delay, in the temporary table `chain`.
//! It must not know who has completed anything.

use crate::change::work::Work;
use crate::config::CourseDelay;
use crate::db::{Bulk, Field};
use crate::outcome::Note;
use crate::outcome::RunResult;
use crate::problem::{Code, PlaceKind};
use crate::reconcile::Pass;

/// Since when completions count for an instance that is seen for the first time and is older than enrold's first look.
const NEVER: i64 = i64::MAX;

/// Fills `chain` with every instance whose target and source exist, and tells of those that cannot work.
/// An instance without a role of its own gives the one that Moodle's setting names (spec 1).
///
/// # Errors
/// The engine's.
pub async fn read(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    read_delays(work, &pass.settings.coursecompleted.delays).await?;
    work.conn
        .temporary(
            "chain",
            "enrolid BIGINT NOT NULL PRIMARY KEY, courseid BIGINT NOT NULL, contextid BIGINT NOT NULL, source BIGINT NOT NULL,
             enabled SMALLINT NOT NULL, unknown SMALLINT NOT NULL, since BIGINT NOT NULL, roleid BIGINT NOT NULL,
             delay BIGINT NOT NULL, fixed BIGINT NOT NULL, period BIGINT NOT NULL, opens BIGINT NOT NULL, closes BIGINT NOT NULL,
             copies SMALLINT NOT NULL, leaves SMALLINT NOT NULL",
        );
    let begun = work
        .conn
        .number("SELECT MIN(l.seen) FROM {enrold_completion} l WHERE l.enrolid = 0 AND l.userid = 0", &work.params())
        .await?;
    let params = pass
        .params(work)
        .with("delay", pass.settings.coursecompleted.delay.as_secs() as i64)
        .with("defaultrole", default_role(work))
        // 0: enrold looks for the first time, and no instance is younger than that.
        .with("begun", if begun > 0 { begun } else { NEVER })
        .with("never", NEVER)
        .fragment("same_source", work.conn.exact("course", "a.shortname", "d.source"))
        .fragment("same_target", work.conn.exact("course", "b.shortname", "d.target"));
    work.conn
        .exec(
            "INSERT INTO chain (enrolid, courseid, contextid, source, enabled, unknown, since, roleid, delay, fixed, period, opens, closes,
                    copies, leaves)
             SELECT e.id, e.courseid, k.id, e.customint1, CASE WHEN e.status = 0 THEN 1 ELSE 0 END, CASE WHEN w.enrolid IS NULL THEN 1 ELSE 0 END,
                    CASE WHEN e.timecreated > :begun
                          AND NOT EXISTS (SELECT 1 FROM {enrold_completion} o WHERE o.enrolid = e.id AND o.userid = 0)
                         THEN e.timecreated ELSE :never END,
                    COALESCE(r.id, 0), COALESCE(d.seconds, :delay), COALESCE(e.customint4, 0), COALESCE(e.enrolperiod, 0),
                    COALESCE(e.enrolstartdate, 0), COALESCE(e.enrolenddate, 0),
                    CASE WHEN e.customint3 > 0 THEN 1 ELSE 0 END, CASE WHEN e.customint5 > 0 THEN 1 ELSE 0 END
               FROM {enrol} e
               JOIN {course} b ON b.id = e.courseid AND b.category <> 0
               JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = b.id
               JOIN {course} a ON a.id = e.customint1
               JOIN {context} q ON q.contextlevel = 50 AND q.instanceid = a.id
               LEFT JOIN {role} r ON r.id = COALESCE(e.roleid, :defaultrole)
               LEFT JOIN {enrold_completion} w ON w.enrolid = e.id AND w.courseid = e.customint1 AND w.userid = 0 AND w.state = 'watched'
               LEFT JOIN pair_delay d ON :same_source AND :same_target
              WHERE e.enrol = :method AND e.id :among_instances",
            &params,
        )
        .await?;
    work.conn.analyse("chain").await?;
    tell_broken(work, pass).await
}

/// The configured delays, in a table; one whose course does not exist is told, not guessed.
async fn read_delays(work: &mut Work<'_>, delays: &[CourseDelay]) -> RunResult<()> {
    work.conn
        .temporary("pair_delay", "source VARCHAR(255) NOT NULL, target VARCHAR(255) NOT NULL, seconds BIGINT NOT NULL");
    if delays.is_empty() {
        return Ok(());
    }
    let mut bulk = Bulk::new(work.conn.dialect(), "pair_delay", "source, target, seconds");
    for delay in delays {
        let row = [Field::Text(&delay.source), Field::Text(&delay.target), Field::Int(delay.seconds)];
        bulk.push(work.conn, &row).await?;
    }
    bulk.finish(work.conn).await?;
    let params = work
        .params()
        .fragment("same_source", work.conn.exact("course", "k.shortname", "d.source"))
        .fragment("same_target", work.conn.exact("course", "k.shortname", "d.target"));
    let unknown = work
        .conn
        .rows(
            "SELECT d.source FROM pair_delay d WHERE NOT EXISTS (SELECT 1 FROM {course} k WHERE :same_source)
              UNION SELECT d.target FROM pair_delay d WHERE NOT EXISTS (SELECT 1 FROM {course} k WHERE :same_target)
              ORDER BY 1",
            &params,
        )
        .await?;
    work.notes.extend(unknown.iter().map(|row| Note::DelayOfNoCourse(row.text(0))));
    Ok(())
}

/// The role of instances that name none: Moodle's setting, else its documented default (spec 1).
fn default_role(work: &Work<'_>) -> i64 {
    let set = work.site.plugin("enrol_coursecompleted", "roleid").and_then(|text| text.trim().parse().ok());
    let student = || work.site.roles.iter().find(|role| role.shortname == "student").map(|role| role.id);
    set.or_else(student).unwrap_or(0)
}

/// Enabled instances that do nothing, because their source or their role is gone.
async fn tell_broken(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let params = pass
        .params(work)
        .with("no_source", Code::SourceGone.as_str())
        .with("no_role", Code::InstanceRoleGone.as_str())
        .fragment("source", work.conn.dialect().to_text("COALESCE(e.customint1, 0)"))
        .fragment("role", work.conn.dialect().to_text("COALESCE(e.roleid, 0)"));
    work.tell_new(
            PlaceKind::Instance,
            "SELECT e.id AS number, CASE WHEN h.enrolid IS NULL THEN :no_source ELSE :no_role END AS code, b.shortname AS value,
                    CASE WHEN h.enrolid IS NULL THEN :source ELSE :role END AS hint
               FROM {enrol} e JOIN {course} b ON b.id = e.courseid LEFT JOIN chain h ON h.enrolid = e.id
              WHERE e.enrol = :method AND e.status = 0 AND e.id :among_instances AND (h.enrolid IS NULL OR h.roleid = 0)",
            params,
        )
        .await?;
    Ok(())
}
