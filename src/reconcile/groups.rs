//! Groups that a rule wishes and a course does not have: they are made.
//! It must not know names' meaning; the rule's SQL leaves out what exists.

use crate::change::kinds;
use crate::change::work::{Place, Work};
use crate::db::table::{int, text};
use crate::db::{Conn, DbError, Table};
use crate::reconcile::Pass;

const NEW_GROUP: Table = Table::new(
    "new_group",
    &[
        int("n"),
        int("enrolid"),
        int("courseid"),
        int("contextid"),
        text("name", 255),
        text("idnumber", 255),
        text("description", 255),
    ],
)
.primary("n");
const KNOWN_GROUP: Table =
    Table::new("known_group", &[int("id"), int("courseid"), text("name", 255), text("idnumber", 255)])
        .primary("id")
        .joined_by(&["courseid, name, idnumber", "courseid, idnumber"]);

/// Makes the groups of the section `groups`.
pub(super) async fn make(work: &mut Work<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.wish(work, "groups") else { return Ok(()) };
    work.conn.declare(&NEW_GROUP);
    let params = pass.params(work).fragment("set", set);
    let wished = work
        .conn
        .exec(
            "INSERT INTO [new_group]
             SELECT ROW_NUMBER() OVER (ORDER BY t.courseid, t.name, t.idnumber),
                    t.enrolid, t.courseid, t.contextid, t.name, t.idnumber, t.description
               FROM (:set) t",
            &params,
        )
        .await?;
    if wished == 0 {
        return Ok(());
    }
    let place = Place { wave: pass.wave, rank: kinds::GROUP };
    let row = ["name", "idnumber"].map(str::to_owned);
    let row = work.conn.dialect().json_row("t", &row);
    let planned = work
        .journal(
            place,
            "line, courseid, contextid, itemid, oldrow",
            "planned.n",
            "SELECT 0 AS line, t.n, t.courseid, t.contextid, t.enrolid AS itemid, :row AS oldrow FROM [new_group] t",
            params.clone().fragment("row", row),
        )
        .await?;
    insert(work, place, planned).await
}

async fn insert(work: &mut Work<'_>, place: Place, planned: i64) -> Result<(), DbError> {
    let dialect = work.conn.dialect();
    let same = ["name", "idnumber"].map(|column| dialect.same_text(&format!("g.{column}"), &format!("t.{column}")));
    let params = work.at(place).fragment("same", same.join(" AND "));
    know_more(work).await?;
    let applied = work
        .conn
        .exec(
            "INSERT INTO {groups} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified)
             SELECT t.courseid, t.idnumber, t.name, t.description, 1, :now, :now FROM [new_group] t
               LEFT JOIN [known_group] g ON g.courseid = t.courseid AND :same WHERE g.id IS NULL ORDER BY t.n",
            &params,
        )
        .await? as i64;
    know_more(work).await?;
    // The n-th change of this place is the n-th group.
    let made = "(SELECT t.n, MIN(g.id) AS id
           FROM [new_group] t JOIN [known_group] g ON g.courseid = t.courseid AND :same GROUP BY t.n) m";
    let name = work.conn.dialect().update_joined(
        "{enrold_change}",
        "c",
        &[("groupid", "m.id")],
        made,
        ":here AND m.n = c.seq - :from",
    );
    work.conn.exec(&name, &params).await?;
    if applied < planned {
        work.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {groups} g WHERE g.id = c.groupid AND g.timecreated = :now)",
                &params,
            )
            .await?;
    }
    work.book(place.rank.kind, planned, applied);
    Ok(())
}

/// Declares `known_group`: Moodle has no index on the names of a course's groups, and would be asked for all of them
/// for each name that is looked for. Its texts are compared as ours are ([`crate::db::Dialect::same_text`]).
pub(super) fn prepare(conn: &mut Conn) {
    conn.declare(&KNOWN_GROUP);
}

/// Fills `known_group` with the groups of the courses that a select gives (`courseid`, each once), instead of what it
/// held; those that a pass makes are added. Grows with the groups of these courses; [`crate::reconcile::prepare`] comes
/// before.
///
/// # Errors
/// The engine's.
pub async fn know(work: &mut Work<'_>, courses: &str) -> Result<(), DbError> {
    let params = work.params().fragment("courses", courses);
    work.conn.exec("DELETE FROM [known_group]", &params).await?;
    work.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (:courses) k :then {groups} g ON g.courseid = k.courseid",
            &params,
        )
        .await?;
    work.conn.analyse("known_group").await
}

/// Adds to `known_group` what the courses of `new_group` have by now.
async fn know_more(work: &mut Work<'_>) -> Result<(), DbError> {
    let params = work.params();
    work.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (SELECT DISTINCT courseid FROM [new_group]) k
              :then {groups} g ON g.courseid = k.courseid LEFT JOIN [known_group] o ON o.id = g.id WHERE o.id IS NULL",
            &params,
        )
        .await?;
    work.conn.analyse("known_group").await
}
