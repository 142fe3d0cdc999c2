//! The buffer of future lines, Moodle's table `enrol_flatfile`: what is kept for later, what a line of today erases.
//! It must not replay rows: due rows become steps like lines of a file.

use crate::change::kinds;
use crate::change::take::Pick;
use crate::change::work::{Place, Work};
use crate::db::{DbError, Dialect};
use crate::moodle::site::id_list;
use crate::problem::PlaceKind;
use crate::staging::AllowedRoles;

/// Settles the buffer for the steps of a file: rows of a (user, course, role) that a line of today names go, future
/// lines that no later line of today erases are kept. A row that is there already stays as it is, so that the same
/// file again changes nothing.
///
/// # Errors
/// The engine's.
pub async fn settle(work: &mut Work<'_>, any_future: bool) -> Result<(), DbError> {
    work.conn
        .temporary_indexed(
            "later",
            "line BIGINT NOT NULL, action VARCHAR(30) NOT NULL, roleid BIGINT NOT NULL, userid BIGINT NOT NULL, courseid BIGINT NOT NULL,
             timestart BIGINT NOT NULL, timeend BIGINT NOT NULL",
            "userid, courseid",
        );
    if any_future {
        keep_later(work).await?;
    }
    let erased = erased_by_file(work.conn.dialect());
    erase(work, &erased).await?;
    if any_future {
        add(work, Place { wave: 0, rank: kinds::KEEP }).await?;
    }
    Ok(())
}

/// Erases the due rows, whether they could be replayed or not (spec flatfile 5).
///
/// # Errors
/// The engine's.
pub async fn erase_due(work: &mut Work<'_>) -> Result<(), DbError> {
    erase(work, ERASED_BY_REPLAY).await
}

/// Due rows that a dropped file has left, with a role that such a file may not name: they are told as errors and put into
/// `refused_row`, so that nothing is done for them; they are erased like the others. A file of today is refused before it gets
/// here; this is for rows that came under another list, or before there was one. Whose row it is says the journal of the run
/// that kept it last; rows of Moodle's own task and of `enrold import` stand in no drop's journal. One statement, and where
/// there are due rows with such a role three more, one of which reads the journal once.
///
/// # Errors
/// The engine's.
pub async fn refuse_roles(work: &mut Work<'_>, allowed: &AllowedRoles) -> Result<(), DbError> {
    work.conn.temporary("refused_row", "id BIGINT NOT NULL PRIMARY KEY");
    let Some(ids) = allowed.ids() else { return Ok(()) };
    let params = work.params().fragment("allowed", id_list(ids)).with("key", allowed.key());
    let params = params.with("kept", &kinds::BUFFER_ADD);
    let due = "SELECT COUNT(*) FROM {enrol_flatfile} b JOIN {role} r ON r.id = b.roleid WHERE b.timestart < :now AND b.roleid NOT IN (:allowed)";
    if work.conn.number(due, &params).await? == 0 {
        return Ok(());
    }
    work.conn.temporary_keyed(
        "kept_row",
        "run BIGINT NOT NULL, userid BIGINT NOT NULL, courseid BIGINT NOT NULL, roleid BIGINT NOT NULL, op SMALLINT NOT NULL,
         timestart BIGINT NOT NULL, timeend BIGINT NOT NULL",
        "userid, courseid",
    );
    let of_journal = "INSERT INTO kept_row (run, userid, courseid, roleid, op, timestart, timeend)
         SELECT MAX(c.run), c.userid, c.courseid, c.roleid, CASE WHEN c.component = 'del' THEN 2 ELSE 1 END, c.timestart, c.timeend
           FROM {enrold_change} c WHERE c.kind = :kept AND c.state = 0 AND c.roleid NOT IN (:allowed)
          GROUP BY c.userid, c.courseid, c.roleid, c.component, c.timestart, c.timeend";
    let of_drops = "INSERT INTO refused_row (id)
         SELECT b.id FROM {enrol_flatfile} b JOIN {role} r ON r.id = b.roleid
           JOIN kept_row k ON k.userid = b.userid AND k.courseid = b.courseid AND k.roleid = b.roleid AND k.timestart = b.timestart
            AND k.timeend = b.timeend AND k.op = CASE WHEN b.action = 'del' THEN 2 ELSE 1 END
           JOIN {enrold_run} o ON o.id = k.run LEFT JOIN {enrold_run} p ON p.id = o.parent
          WHERE b.timestart < :now AND COALESCE(o.token, p.token, '') <> ''";
    let told = "SELECT b.id AS number, 'role-not-allowed' AS code, r.shortname AS value, :key AS hint
           FROM refused_row x JOIN {enrol_flatfile} b ON b.id = x.id JOIN {role} r ON r.id = b.roleid";
    for statement in [of_journal, of_drops] {
        work.conn.exec(statement, &params).await?;
    }
    work.tell_new(PlaceKind::Buffer, told, params).await
}

/// Due rows whose account, role or course is gone, or that name a protected account, are told as errors: line is the
/// row's id in the buffer. They are erased like the others, as in Moodle; nothing is done for them.
///
/// # Errors
/// The engine's.
pub async fn refuse_unresolved(work: &mut Work<'_>, protected: &[i64]) -> Result<(), DbError> {
    let text = |expression: &str| work.conn.dialect().to_text(expression);
    let params = work
        .params()
        .fragment("protected", id_list(protected))
        .fragment("userid", text("b.userid"))
        .fragment("courseid", text("b.courseid"))
        .fragment("roleid", text("b.roleid"));
    work.tell_new(
            PlaceKind::Buffer,
            "SELECT b.id AS number,
                    CASE WHEN b.userid IN (:protected) THEN 'account-protected' WHEN u.id IS NULL THEN 'user-unknown'
                         WHEN r.id IS NULL THEN 'role-unknown' WHEN s.id IS NULL THEN 'course-unknown' ELSE 'no-method' END AS code,
                    CASE WHEN b.userid IN (:protected) OR u.id IS NULL THEN :userid WHEN r.id IS NULL THEN :roleid
                         WHEN s.id IS NULL THEN :courseid ELSE 'flatfile' END AS value,
                    CASE WHEN b.userid NOT IN (:protected) AND u.id IS NOT NULL AND r.id IS NULL THEN '' ELSE 'id' END AS hint
               FROM {enrol_flatfile} b LEFT JOIN {user} u ON u.id = b.userid AND u.deleted = 0 LEFT JOIN {role} r ON r.id = b.roleid
               LEFT JOIN {course} s ON s.id = b.courseid
              WHERE b.timestart < :now AND b.id NOT IN (SELECT t.line FROM step t)
                AND NOT EXISTS (SELECT 1 FROM refused_row x WHERE x.id = b.id)",
            params,
        )
        .await
}

/// What the steps of a file erase. PostgreSQL hashes the steps; the others read what these users have in the buffer once.
fn erased_by_file(dialect: Dialect) -> String {
    let same = "s.userid = b.userid AND s.courseid = b.courseid AND s.roleid = b.roleid";
    let pairs = match dialect {
        Dialect::Postgres => format!("step s JOIN {{enrol_flatfile}} b ON {same}"),
        _ => format!(
            "(SELECT DISTINCT s.userid FROM step s WHERE s.wave > 0) u
              :then {{enrol_flatfile}} b ON b.userid = u.userid :then step s ON {same}"
        ),
    };
    format!(
        "SELECT b.id, MIN(s.line) AS line, b.courseid, MIN(s.contextid) AS contextid FROM {pairs}
           LEFT JOIN later l ON l.action = b.action AND l.roleid = b.roleid AND l.userid = b.userid AND l.courseid = b.courseid
                AND l.timestart = b.timestart AND l.timeend = b.timeend
          WHERE s.wave > 0 AND l.line IS NULL GROUP BY b.id, b.courseid"
    )
}

/// Moodle would also erase the rows of the triple that are not due yet: a `del` kept for June would be lost when the
/// `add` kept for February is replayed. They stay.
const ERASED_BY_REPLAY: &str =
    "SELECT b.id, b.id AS line, b.courseid, 0 AS contextid FROM {enrol_flatfile} b WHERE b.timestart < :now";

async fn erase(work: &mut Work<'_>, which: &str) -> Result<(), DbError> {
    work.take(Place { wave: 0, rank: kinds::ERASE }, Pick::new(which)).await
}

async fn keep_later(work: &mut Work<'_>) -> Result<(), DbError> {
    work.conn
        .exec(
            "INSERT INTO later (line, action, roleid, userid, courseid, timestart, timeend)
             SELECT MIN(f.line), CASE WHEN f.op = 2 THEN 'del' ELSE 'add' END, f.roleid, f.userid, f.courseid, f.timestart, f.timeend FROM step f
              WHERE f.wave = 0 AND NOT EXISTS (SELECT 1 FROM step s WHERE s.wave > 0 AND s.userid = f.userid AND s.courseid = f.courseid
                    AND s.roleid = f.roleid AND s.line > f.line)
              GROUP BY f.op, f.roleid, f.userid, f.courseid, f.timestart, f.timeend",
            &work.params(),
        )
        .await?;
    work.conn.analyse("later").await
}

async fn add(work: &mut Work<'_>, place: Place) -> Result<(), DbError> {
    let params = work.at(place);
    let planned = work
        .journal(
            place,
            "line, userid, courseid, roleid, component, timestart, timeend",
            "planned.line",
            "SELECT l.line, l.userid, l.courseid, l.roleid, l.action AS component, l.timestart, l.timeend FROM later l
              WHERE (CASE l.action WHEN 'del' THEN 2 ELSE 1 END, l.roleid, l.userid, l.courseid, l.timestart, l.timeend) NOT IN
                    (SELECT CASE b.action WHEN 'add' THEN 1 WHEN 'del' THEN 2 ELSE 0 END, b.roleid, b.userid, b.courseid, b.timestart, b.timeend
                       FROM (SELECT DISTINCT userid FROM later) u :then {enrol_flatfile} b ON b.userid = u.userid)",
            params.clone(),
        )
        .await?;
    if planned > 0 {
        let applied = work
            .conn
            .exec(
                "INSERT INTO {enrol_flatfile} (action, roleid, userid, courseid, timestart, timeend, timemodified)
                 SELECT c.component, c.roleid, c.userid, c.courseid, c.timestart, c.timeend, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq",
                &params,
            )
            .await? as i64;
        work.book(place.rank.kind, planned, applied);
    }
    Ok(())
}
