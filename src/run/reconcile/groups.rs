//! Groups that a rule wishes and a course does not have: they are made.
//! It must not know names' meaning; the rule's SQL leaves out what exists.

use crate::db::DbError;
use crate::run::reconcile::Pass;
use crate::run::work::{Place, Work};

const RANK_MAKE: i64 = 31;

/// Makes the groups of the section `groups`.
pub(super) async fn make(work: &mut Work<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.wish(work, "groups") else { return Ok(()) };
    work.conn.temporary(
        "new_group",
        "n BIGINT NOT NULL PRIMARY KEY, enrolid BIGINT NOT NULL, courseid BIGINT NOT NULL, contextid BIGINT NOT NULL,
             name VARCHAR(255) NOT NULL, idnumber VARCHAR(255) NOT NULL, description VARCHAR(255) NOT NULL",
    );
    let params = pass.params(work).fragment("set", set);
    let wished = work
        .conn
        .exec(
            "INSERT INTO new_group (n, enrolid, courseid, contextid, name, idnumber, description)
             SELECT ROW_NUMBER() OVER (ORDER BY t.courseid, t.name, t.idnumber), t.enrolid, t.courseid, t.contextid, t.name, t.idnumber, t.description
               FROM (:set) t",
            &params,
        )
        .await?;
    if wished == 0 {
        return Ok(());
    }
    let place = Place { wave: pass.wave, rank: RANK_MAKE };
    let row = ["name", "idnumber"].map(str::to_owned);
    let row = work.conn.dialect().json_row("t", &row);
    let planned = work
        .journal(
            place,
            "kind, line, courseid, contextid, itemid, oldrow",
            "planned.n",
            "SELECT 'group.add' AS kind, 0 AS line, t.n, t.courseid, t.contextid, t.enrolid AS itemid, :row AS oldrow FROM new_group t",
            params.clone().fragment("row", row),
        )
        .await?;
    insert(work, place, planned).await
}

async fn insert(work: &mut Work<'_>, place: Place, planned: i64) -> Result<(), DbError> {
    let exact = |column: &str, key: &str| work.conn.exact("groups", column, key);
    let same = format!("{} AND {}", exact("g.name", "t.name"), exact("g.idnumber", "t.idnumber"));
    let params = work.at(place).fragment("same", same);
    let applied = work
        .conn
        .exec(
            "INSERT INTO {groups} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified)
             SELECT t.courseid, t.idnumber, t.name, t.description, 1, :now, :now FROM new_group t
              WHERE NOT EXISTS (SELECT 1 FROM {groups} g WHERE g.courseid = t.courseid AND :same) ORDER BY t.n",
            &params,
        )
        .await? as i64;
    // The n-th change of this place is the n-th group.
    work.conn
        .exec(
            "UPDATE {enrold_change} AS c SET groupid = (SELECT MIN(g.id) FROM new_group t JOIN {groups} g ON g.courseid = t.courseid AND :same
                WHERE t.n = c.seq - :from) WHERE :here",
            &params,
        )
        .await?;
    if applied < planned {
        work.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {groups} g WHERE g.id = c.groupid AND g.timecreated = :now)",
                &params,
            )
            .await?;
    }
    work.book("group.add", planned, applied);
    Ok(())
}
