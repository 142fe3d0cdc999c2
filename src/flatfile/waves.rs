//! The order of a file without a loop over its lines: steps on one (user, course) are numbered and run in waves.
//! It must not know what a step does; consecutive adds of a pair are one step.

use crate::change::work::Work;
use crate::db::{DbError, Dialect};
use crate::problem::PlaceKind;
use crate::staging::resolve::resolved;

/// Makes the table `step`: what resolved lines ask for. Wave 0 is the future, waves 1, 2, … follow each other.
pub fn prepare(work: &mut Work<'_>) {
    let columns = "line BIGINT NOT NULL, op SMALLINT NOT NULL, userid BIGINT NOT NULL, courseid BIGINT NOT NULL, contextid BIGINT NOT NULL,
        roleid BIGINT NOT NULL, timestart BIGINT NOT NULL, timeend BIGINT NOT NULL, wave BIGINT NOT NULL";
    match work.conn.dialect() {
        // The others hash, or index by themselves, when the buffer is settled against a large file.
        Dialect::Maria => work.conn.temporary_keyed("step", columns, "userid, courseid"),
        Dialect::Postgres | Dialect::Lite => work.conn.temporary("step", columns),
    }
}

/// Fills `step` from the staged lines of a file and gives the number of waves. Where nothing is deleted all adds
/// of a pair merge into wave 1 and no window is computed.
///
/// # Errors
/// The engine's.
pub async fn from_lines(work: &mut Work<'_>, protected: &[i64], any_del: bool) -> Result<i64, DbError> {
    let lines = "SELECT l.line, l.op, u.userid, k.courseid, k.contextid, l.roleid, l.timestart, l.timeend
        FROM stage_line l JOIN stage_user u ON u.ukey = l.ukey JOIN stage_course k ON k.ckey = l.ckey WHERE :resolved";
    fill(work, lines, protected, any_del).await
}

/// Fills `step` from the due rows of the buffer that name an account, a role and a course which may be written, and that are
/// not refused already.
///
/// # Errors
/// The engine's.
pub async fn from_buffer(work: &mut Work<'_>, protected: &[i64]) -> Result<i64, DbError> {
    let due = "SELECT b.id AS line, CASE WHEN b.action = 'del' THEN 2 ELSE 1 END AS op, b.userid, b.courseid, k.id AS contextid, b.roleid,
            b.timestart, b.timeend
        FROM {enrol_flatfile} b JOIN {user} u ON u.id = b.userid AND u.deleted = 0 JOIN {role} r ON r.id = b.roleid
        JOIN {course} s ON s.id = b.courseid AND s.category <> 0 JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = b.courseid
       WHERE b.timestart < :now AND b.userid NOT IN (:protected) AND NOT EXISTS (SELECT 1 FROM refused_row x WHERE x.id = b.id)";
    fill(work, due, protected, true).await
}

async fn fill(work: &mut Work<'_>, lines: &str, protected: &[i64], windows: bool) -> Result<i64, DbError> {
    let params = resolved(work.params().fragment("lines", lines), protected);
    let columns = "line, op, userid, courseid, contextid, roleid, timestart, timeend";
    if !windows {
        let sql = format!(
            "INSERT INTO step ({columns}, wave) SELECT {columns}, CASE WHEN s.timestart > :now THEN 0 ELSE 1 END FROM (:lines) s"
        );
        work.conn.exec(&sql, &params).await?;
        work.conn.analyse("step").await?;
        return Ok(1);
    }
    let later =
        format!("INSERT INTO step ({columns}, wave) SELECT {columns}, 0 FROM (:lines) s WHERE s.timestart > :now");
    work.conn.exec(&later, &params).await?;
    let now = format!(
        "INSERT INTO step ({columns}, wave)
         SELECT {columns}, 1 + SUM(turn) OVER (PARTITION BY userid, courseid ORDER BY line)
           FROM (SELECT {columns},
                        CASE WHEN LAG(op) OVER (PARTITION BY userid, courseid ORDER BY line) IS NULL THEN 0
                             WHEN op = 2 OR LAG(op) OVER (PARTITION BY userid, courseid ORDER BY line) = 2 THEN 1 ELSE 0 END AS turn
                   FROM (:lines) s WHERE s.timestart <= :now) t"
    );
    work.conn.exec(&now, &params).await?;
    work.conn.analyse("step").await?;
    work.conn.number("SELECT COALESCE(MAX(wave), 0) FROM step", &params).await
}

/// Refuses all lines of pairs with more steps than `limit`; gives how many lines and how many waves are left. `kind` says what
/// the lines are.
///
/// # Errors
/// The engine's.
pub async fn refuse_overlong(work: &mut Work<'_>, kind: PlaceKind, limit: i64) -> Result<(u64, i64), DbError> {
    work.conn.temporary("overlong", "userid BIGINT NOT NULL, courseid BIGINT NOT NULL, PRIMARY KEY (userid, courseid)");
    let params = work.params().with("limit", limit).with("limittext", limit.to_string());
    work.conn
        .exec(
            "INSERT INTO overlong (userid, courseid) SELECT userid, courseid FROM step GROUP BY userid, courseid HAVING MAX(wave) > :limit",
            &params,
        )
        .await?;
    let refused = work
        .tell_problems(
            kind,
            "SELECT s.line AS number, 'too-many-steps' AS code, u.username || ', ' || k.shortname AS value, :limittext AS hint FROM step s
               JOIN overlong o ON o.userid = s.userid AND o.courseid = s.courseid JOIN {user} u ON u.id = s.userid JOIN {course} k ON k.id = s.courseid",
            params.clone(),
        )
        .await?;
    work.conn
        .exec(
            "DELETE FROM step WHERE EXISTS (SELECT 1 FROM overlong o WHERE o.userid = step.userid AND o.courseid = step.courseid)",
            &params,
        )
        .await?;
    let waves = work.conn.number("SELECT COALESCE(MAX(wave), 0) FROM step", &params).await?;
    Ok((refused, waves))
}

/// Refuses the lines whose (user, course) another run has changed since run `held`; gives their number.
///
/// # Errors
/// The engine's.
pub async fn refuse_overtaken(work: &mut Work<'_>, held: i64) -> Result<u64, DbError> {
    work.conn.temporary(
        "moved",
        "userid BIGINT NOT NULL, courseid BIGINT NOT NULL, byrun BIGINT NOT NULL, PRIMARY KEY (userid, courseid)",
    );
    let params = work.params().with("held", held);
    work.conn
        .exec(
            "INSERT INTO moved (userid, courseid, byrun) SELECT c.userid, c.courseid, MAX(c.run) FROM {enrold_change} c
              WHERE c.run > :held AND c.run <> :run AND c.state = 0 AND c.userid IS NOT NULL AND c.courseid IS NOT NULL GROUP BY c.userid, c.courseid",
            &params,
        )
        .await?;
    let params = params.fragment("byrun", work.conn.dialect().to_text("m.byrun"));
    let refused = work
        .tell_problems(
            PlaceKind::Line,
            "SELECT s.line AS number, 'overtaken' AS code, u.username || ', ' || k.shortname AS value, :byrun AS hint FROM step s
               JOIN moved m ON m.userid = s.userid AND m.courseid = s.courseid JOIN {user} u ON u.id = s.userid JOIN {course} k ON k.id = s.courseid",
            params.clone(),
        )
        .await?;
    work.conn
        .exec("DELETE FROM step WHERE EXISTS (SELECT 1 FROM moved m WHERE m.userid = step.userid AND m.courseid = step.courseid)", &params)
        .await?;
    Ok(refused)
}

/// Fills `pair` and `pair_role` with what the adds of a wave wish: the last window, all roles.
///
/// # Errors
/// The engine's.
pub async fn wish(work: &mut Work<'_>, wave: i64) -> Result<u64, DbError> {
    let params = work.params().with("wave", wave);
    work.conn.exec("DELETE FROM pair", &params).await?;
    work.conn.exec("DELETE FROM pair_role", &params).await?;
    let pairs = work
        .conn
        .exec(
            "INSERT INTO pair (userid, courseid, contextid, enrolid, line, timestart, timeend)
             SELECT t.userid, t.courseid, t.contextid, i.enrolid, t.first, t.timestart, t.timeend
               FROM (SELECT s.userid, s.courseid, s.contextid, s.timestart, s.timeend,
                            MIN(s.line) OVER (PARTITION BY s.userid, s.courseid) AS first,
                            ROW_NUMBER() OVER (PARTITION BY s.userid, s.courseid ORDER BY s.line DESC) AS place
                       FROM step s WHERE s.wave = :wave AND s.op = 1) t
               JOIN instance i ON i.courseid = t.courseid WHERE t.place = 1",
            &params,
        )
        .await?;
    if pairs == 0 {
        return Ok(0);
    }
    work.conn
        .exec(
            "INSERT INTO pair_role (userid, courseid, contextid, enrolid, roleid, line)
             SELECT s.userid, s.courseid, s.contextid, i.enrolid, s.roleid, MIN(s.line) FROM step s JOIN instance i ON i.courseid = s.courseid
              WHERE s.wave = :wave AND s.op = 1 GROUP BY s.userid, s.courseid, s.contextid, i.enrolid, s.roleid",
            &params,
        )
        .await?;
    work.conn.analyse("pair").await?;
    work.conn.analyse("pair_role").await?;
    Ok(pairs)
}
