//! A full set of cohort memberships: whom its rows name is a member, and who is no longer named goes, in the cohorts that
//! it names. It must not enrol anybody: cohort sync follows.

use crate::change::kinds;
use crate::change::take::Pick;
use crate::change::work::{Place, Work};
use crate::db::{DbError, Params};
use crate::moodle::site::id_list;
use crate::outcome::{RunError, RunResult};
use crate::problem::PlaceKind;
use crate::sets::Terms;

/// A condition that holds for nothing.
const NEVER: &str = "1 = 0";

/// A row names one account that may be written, and one cohort that nobody else fills: of no component, or of the source's.
const RESOLVED: &str =
    "u.found = 1 AND u.userid NOT IN (:never) AND k.found = 1 AND k.component IN ('', :own_component)";

/// Gives a statement over rows with their `u` and `k` the fragment `:resolved`.
pub(super) fn resolved(params: Params, terms: &Terms, never: &[i64]) -> Params {
    params
        .with("own_component", terms.cohort_component.as_str())
        .fragment("never", id_list(never))
        .fragment("resolved", RESOLVED)
}

/// Finds the cohorts of the staged rows, makes those that are missing if the terms say so, and tells the rows that name
/// none; gives how many those are.
///
/// # Errors
/// The engine's.
pub async fn resolve(work: &mut Work<'_>, terms: &Terms, never: &[i64]) -> RunResult<u64> {
    look(work, terms).await?;
    if terms.create_cohorts && terms.cohort_key != "id" && make(work, terms).await? > 0 {
        work.conn.exec("DELETE FROM stage_cohort", &Params::new()).await?;
        find(work).await?;
    }
    let params = resolved(work.params(), terms, never)
        .with("userkey", terms.keys.user.as_str())
        .with("cohortkey", terms.cohort_key)
        .with("keycolumn", format!("cohort.{}", key_column(terms)))
        .fragment("unstorable", unstorable(work, key_column(terms), "l.ckey"))
        .fragment("usercount", work.conn.dialect().to_text("u.found"))
        .fragment("cohortcount", work.conn.dialect().to_text("k.found"));
    Ok(work
        .tell_problems(
            PlaceKind::Line,
            "SELECT l.line AS number,
                    CASE WHEN u.found = 0 THEN 'user-unknown' WHEN u.found > 1 THEN 'user-ambiguous'
                         WHEN u.userid IN (:never) THEN 'account-protected'
                         WHEN k.found = 0 AND :unstorable THEN 'value-charset' WHEN k.found = 0 THEN 'cohort-unknown' WHEN k.found > 1 THEN 'cohort-ambiguous' ELSE 'cohort-owned' END AS code,
                    CASE WHEN u.found <> 1 OR u.userid IN (:never) THEN l.ukey ELSE l.ckey END AS value,
                    CASE WHEN u.found = 0 THEN :userkey WHEN u.found > 1 THEN :usercount WHEN u.userid IN (:never) THEN :userkey
                         WHEN k.found = 0 AND :unstorable THEN :keycolumn WHEN k.found = 0 THEN :cohortkey WHEN k.found > 1 THEN :cohortcount ELSE k.component END AS hint
               FROM stage_line l JOIN stage_user u ON u.ukey = l.ukey JOIN stage_cohort k ON k.ckey = l.ckey
              WHERE NOT (:resolved)",
            params,
        )
        .await?)
}

/// Finds the cohorts of the staged rows that are there.
///
/// # Errors
/// The engine's.
pub async fn look(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    let columns = "ckey VARCHAR(255) NOT NULL PRIMARY KEY, cohortid BIGINT, contextid BIGINT, component VARCHAR(100) NOT NULL, found BIGINT NOT NULL";
    work.conn.temporary("stage_cohort", columns);
    know(work, terms).await?;
    find(work).await
}

/// Makes `known_cohort`: the site's cohorts by what the set names them by, for which Moodle has no index. Grows with the cohorts
/// of the site, one statement.
async fn know(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    let columns =
        "id BIGINT NOT NULL, contextid BIGINT NOT NULL, component VARCHAR(100) NOT NULL, label VARCHAR(255) NOT NULL";
    work.conn.temporary_joined("known_cohort", columns, "label");
    let label = match terms.cohort_key {
        "id" => work.conn.dialect().to_text("c.id"),
        "name" => "c.name".to_owned(),
        _ => "c.idnumber".to_owned(),
    };
    let params = work.params().fragment("label", label);
    work.conn
        .exec(
            "INSERT INTO known_cohort (id, contextid, component, label)
             SELECT c.id, c.contextid, c.component, :label FROM {cohort} c WHERE :label <> ''",
            &params,
        )
        .await?;
    work.conn.analyse("known_cohort").await
}

async fn find(work: &mut Work<'_>) -> Result<(), DbError> {
    let params = work.params().fragment("same", same(work, "k.ckey"));
    work.conn
        .exec(
            "INSERT INTO stage_cohort (ckey, cohortid, contextid, component, found)
             SELECT k.ckey, MIN(c.id), MIN(c.contextid), COALESCE(MAX(c.component), ''), COUNT(c.id)
               FROM (SELECT DISTINCT ckey FROM stage_line) k LEFT JOIN known_cohort c ON :same GROUP BY k.ckey",
            &params,
        )
        .await?;
    work.conn.analyse("stage_cohort").await
}

/// The cohort `c` of `known_cohort` is the one that a key names.
fn same(work: &Work<'_>, key: &str) -> String {
    work.conn.dialect().same_text("c.label", key)
}

/// The column of a cohort that a key names.
fn key_column(terms: &Terms) -> &'static str {
    if terms.cohort_key == "name" { "name" } else { "idnumber" }
}

/// The condition that a text has a character for which the column of the site's cohorts has no room.
fn unstorable(work: &Work<'_>, column: &str, text: &str) -> String {
    work.conn.unstorable("cohort", column, text).unwrap_or_else(|| NEVER.to_owned())
}

/// Makes the cohorts that no row finds, in the system context; gives how many.
async fn make(work: &mut Work<'_>, terms: &Terms) -> RunResult<i64> {
    work.conn.temporary(
        "new_cohort",
        "n BIGINT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, idnumber VARCHAR(255) NOT NULL",
    );
    let (name, idnumber) = match terms.cohort_key {
        "name" => ("l.ckey", "''"),
        _ => (":named", "l.ckey"),
    };
    let unnamed = unstorable(work, "name", "l.gkey");
    let params = work
        .params()
        .fragment("name", name)
        .fragment("named", "COALESCE(NULLIF(MAX(CASE WHEN :unnamed THEN '' ELSE l.gkey END), ''), l.ckey)")
        .fragment("unnamed", unnamed.as_str())
        .fragment("unstorable", unstorable(work, key_column(terms), "l.ckey"))
        .fragment("idnumber", idnumber)
        .with("system", work.site.system_context)
        .with("own_component", terms.cohort_component.as_str());
    let missing = work
        .conn
        .exec(
            "INSERT INTO new_cohort (n, name, idnumber)
             SELECT ROW_NUMBER() OVER (ORDER BY l.ckey), :name, :idnumber
               FROM stage_line l JOIN stage_cohort k ON k.ckey = l.ckey AND k.found = 0 WHERE NOT (:unstorable) GROUP BY l.ckey",
            &params,
        )
        .await? as i64;
    if unnamed != NEVER {
        // The cohort is made under its key: nobody loses a place by its name.
        let told = "SELECT ROW_NUMBER() OVER (ORDER BY t.ckey) AS number, 'value-charset' AS code, t.name AS value, 'cohort.name' AS hint
              FROM (SELECT l.ckey, MIN(l.gkey) AS name FROM stage_line l JOIN stage_cohort k ON k.ckey = l.ckey AND k.found = 0
                     WHERE :unnamed AND NOT (:unstorable) GROUP BY l.ckey) t";
        work.tell_problems(PlaceKind::Cohort, told, params.clone()).await?;
    }
    if missing == 0 {
        return Ok(0);
    }
    let place = Place { wave: work.next_wave(), rank: kinds::COHORT };
    let row = ["name", "idnumber"].map(str::to_owned);
    let row = work.conn.dialect().json_row("t", &row);
    let planned = work
        .journal(
            place,
            "line, courseid, contextid, oldrow",
            "planned.n",
            "SELECT 0 AS line, t.n, 0 AS courseid, :system AS contextid, :row AS oldrow FROM new_cohort t",
            params.clone().fragment("row", row),
        )
        .await?;
    let applied = work
        .conn
        .exec(
            "INSERT INTO {cohort} (contextid, name, idnumber, description, descriptionformat, visible, component, timecreated, timemodified)
             SELECT :system, t.name, t.idnumber, '', 1, 1, :own_component, :now, :now FROM new_cohort t ORDER BY t.n",
            &params,
        )
        .await? as i64;
    let key = if terms.cohort_key == "name" { "t.name" } else { "t.idnumber" };
    know(work, terms).await?;
    let params = work.at(place).fragment("same", same(work, key));
    let made = "(SELECT t.n, MIN(c.id) AS id FROM new_cohort t JOIN known_cohort c ON :same GROUP BY t.n) m";
    let ids = [("itemid", "m.id"), ("targetid", "m.id")];
    let update = work.conn.dialect().update_joined("{enrold_change}", "c", &ids, made, ":here AND m.n = c.seq - :from");
    work.conn.exec(&update, &params).await?;
    work.book(place.rank.kind, planned, applied);
    Ok(applied)
}

/// Makes the memberships true, and remembers which of them are this source's.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn apply(work: &mut Work<'_>, terms: &Terms) -> RunResult<()> {
    let params = work.params().with("source", terms.source.as_str());
    weigh(work, &params).await?;
    let wave = work.next_wave();
    work.take(Place { wave, rank: kinds::COHORT_LEAVE }, Pick::new(LEAVING).params(params.clone())).await?;
    join(work, Place { wave, rank: kinds::COHORT_JOIN }).await?;
    Ok(remember(work, &params).await?)
}

/// Makes `set_cohort` and `set_member` from `stage_line` and its keys.
///
/// # Errors
/// The engine's.
pub async fn gather(work: &mut Work<'_>, terms: &Terms, never: &[i64]) -> Result<(), DbError> {
    let conn = &mut *work.conn;
    conn.temporary("set_cohort", "cohortid BIGINT NOT NULL PRIMARY KEY, contextid BIGINT NOT NULL");
    conn.temporary("set_member", "cohortid BIGINT NOT NULL, userid BIGINT NOT NULL, PRIMARY KEY (cohortid, userid)");
    let params = resolved(work.params(), terms, never);
    let conn = &mut *work.conn;
    // A cohort is named even by a row whose account is unknown.
    conn.exec(
        "INSERT INTO set_cohort (cohortid, contextid) SELECT DISTINCT k.cohortid, k.contextid FROM stage_cohort k WHERE k.found = 1 AND k.component IN ('', :own_component)",
        &params,
    )
    .await?;
    conn.exec(
        "INSERT INTO set_member (cohortid, userid)
         SELECT DISTINCT k.cohortid, u.userid FROM stage_line l JOIN stage_user u ON u.ukey = l.ukey JOIN stage_cohort k ON k.ckey = l.ckey WHERE :resolved",
        &params,
    )
    .await?;
    conn.analyse("set_cohort").await?;
    conn.analyse("set_member").await?;
    spare(work, terms).await
}

/// From the cohorts that a key may mean which names none or several, nobody goes.
async fn spare(work: &mut Work<'_>, terms: &Terms) -> Result<(), DbError> {
    work.conn.temporary("set_spared_cohort", "cohortid BIGINT NOT NULL PRIMARY KEY");
    let field = match terms.cohort_key {
        "id" => work.conn.dialect().to_text("c.id"),
        column => format!("LOWER(TRIM(c.{column}))"),
    };
    let params = work.params().fragment("field", field);
    let sql = "INSERT INTO set_spared_cohort (cohortid) SELECT DISTINCT c.id FROM {cohort} c
                 JOIN stage_cohort k ON k.found <> 1 AND LOWER(k.ckey) = :field";
    work.conn.exec(sql, &params).await.map(|_| ())
}

/// Members of the named cohorts whom this source has brought, and its set does not name any more, nor any other source. Who
/// is spared stays.
pub(super) const LEAVING: &str = "SELECT m.id, 0 AS line, 0 AS courseid, c.contextid FROM {cohort_members} m
    JOIN set_cohort c ON c.cohortid = m.cohortid
    LEFT JOIN set_member w ON w.cohortid = m.cohortid AND w.userid = m.userid
    LEFT JOIN set_spared p ON p.userid = m.userid
    LEFT JOIN set_spared_cohort q ON q.cohortid = m.cohortid
    LEFT JOIN {enrold_set_member} o ON o.source = :source AND o.cohortid = m.cohortid AND o.userid = m.userid
   WHERE w.userid IS NULL AND p.userid IS NULL AND q.cohortid IS NULL AND o.userid IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM {enrold_set_member} t WHERE t.cohortid = m.cohortid AND t.userid = m.userid AND t.source <> :source)";

/// The guard's look at each cohort before anybody leaves it.
async fn weigh(work: &mut Work<'_>, params: &Params) -> RunResult<()> {
    let sql = "SELECT g.id, g.name, COUNT(*), COUNT(l.id) FROM {cohort_members} m JOIN set_cohort c ON c.cohortid = m.cohortid
            JOIN {cohort} g ON g.id = m.cohortid LEFT JOIN (:leaving) l ON l.id = m.id GROUP BY g.id, g.name";
    let rows = work.conn.rows(sql, &params.clone().fragment("leaving", LEAVING)).await?;
    let mut run = (0, 0);
    for row in &rows {
        work.guard.check_cohort(&row.text(1), row.int(3), row.int(2));
        run = (run.0 + row.int(3), run.1 + row.int(2));
    }
    work.guard.check_memberships(run.0, run.1);
    if work.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

async fn join(work: &mut Work<'_>, place: Place) -> Result<(), DbError> {
    let params = work.at(place);
    let planned = work
        .journal(
            place,
            "line, userid, courseid, contextid, itemid",
            "planned.itemid, planned.userid",
            "SELECT 0 AS line, w.userid, 0 AS courseid, c.contextid, w.cohortid AS itemid
               FROM set_member w JOIN set_cohort c ON c.cohortid = w.cohortid
               LEFT JOIN {cohort_members} m ON m.cohortid = w.cohortid AND m.userid = w.userid WHERE m.id IS NULL",
            params.clone(),
        )
        .await?;
    if planned == 0 {
        return Ok(());
    }
    let select = "SELECT c.itemid, c.userid, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let columns = "cohortid, userid, timeadded";
    let applied = work.conn.insert_missing("{cohort_members}", columns, select, &params, planned).await?;
    if applied < planned {
        work.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {cohort_members} m WHERE m.cohortid = c.itemid AND m.userid = c.userid AND m.timeadded = :now)",
                &params,
            )
            .await?;
    }
    work.book(place.rank.kind, planned, applied);
    Ok(())
}

/// What the set names is this source's from now on, whoever made it; what it no longer names is not, unless it was spared.
async fn remember(work: &mut Work<'_>, params: &Params) -> Result<(), DbError> {
    work.conn
        .exec(
            "INSERT INTO {enrold_set_member} (source, cohortid, userid, since)
             SELECT :source, w.cohortid, w.userid, :now FROM set_member w
               LEFT JOIN {enrold_set_member} o ON o.source = :source AND o.cohortid = w.cohortid AND o.userid = w.userid
              WHERE o.userid IS NULL",
            params,
        )
        .await?;
    work.conn
        .exec(
            "DELETE FROM {enrold_set_member} WHERE source = :source AND EXISTS (SELECT 1 FROM set_cohort c WHERE c.cohortid = {enrold_set_member}.cohortid)
                AND NOT EXISTS (SELECT 1 FROM set_member w WHERE w.cohortid = {enrold_set_member}.cohortid AND w.userid = {enrold_set_member}.userid)
                AND NOT EXISTS (SELECT 1 FROM set_spared p WHERE p.userid = {enrold_set_member}.userid)
                AND NOT EXISTS (SELECT 1 FROM set_spared_cohort q WHERE q.cohortid = {enrold_set_member}.cohortid)",
            params,
        )
        .await
        .map(|_| ())
}
