//! Creates the groups that a rule desires and a course lacks. It must not interpret their names; the rule's SQL leaves
//! out what exists.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
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

/// Creates the groups of the section `groups`.
pub(super) async fn make(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.desired(ctx, "groups") else { return Ok(()) };
    ctx.conn.declare(&NEW_GROUP);
    let params = pass.params(ctx).fragment("set", set);
    let desired = ctx
        .conn
        .exec(
            "INSERT INTO [new_group]
             SELECT ROW_NUMBER() OVER (ORDER BY t.courseid, t.name, t.idnumber),
                    t.enrolid, t.courseid, t.contextid, t.name, t.idnumber, t.description
               FROM (:set) t",
            &params,
        )
        .await?;
    if desired == 0 {
        return Ok(());
    }
    let position = Position { pass_no: pass.pass_no, rank: kinds::GROUP };
    let row = ["name", "idnumber"].map(str::to_owned);
    let row = ctx.conn.dialect().json_row("t", &row);
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, itemid, oldrow",
            "planned.n",
            "SELECT 0 AS line, t.n, t.courseid, t.contextid, t.enrolid AS itemid, :row AS oldrow FROM [new_group] t",
            params.clone().fragment("row", row),
        )
        .await?;
    insert(ctx, position, planned).await
}

async fn insert(ctx: &mut RunContext<'_>, position: Position, planned: i64) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let same = ["name", "idnumber"].map(|column| dialect.same_text(&format!("g.{column}"), &format!("t.{column}")));
    let params = ctx.at(position).fragment("same", same.join(" AND "));
    load_new(ctx).await?;
    let applied = ctx
        .conn
        .exec(
            "INSERT INTO {groups} (courseid, idnumber, name, description, descriptionformat, timecreated, timemodified)
             SELECT t.courseid, t.idnumber, t.name, t.description, 1, :now, :now FROM [new_group] t
               LEFT JOIN [known_group] g ON g.courseid = t.courseid AND :same WHERE g.id IS NULL ORDER BY t.n",
            &params,
        )
        .await? as i64;
    load_new(ctx).await?;
    // The n-th change of this position is the n-th group.
    let made = "(SELECT t.n, MIN(g.id) AS id
           FROM [new_group] t JOIN [known_group] g ON g.courseid = t.courseid AND :same GROUP BY t.n) m";
    let name = ctx.conn.dialect().update_joined(
        "{enrold_change}",
        "c",
        &[("groupid", "m.id")],
        made,
        ":here AND m.n = c.seq - :from",
    );
    ctx.conn.exec(&name, &params).await?;
    if applied < planned {
        ctx.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {groups} g WHERE g.id = c.groupid AND g.timecreated = :now)",
                &params,
            )
            .await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Declares `known_group`: Moodle has no index on group names, and each lookup of a name would scan all groups of its
/// course. Texts are compared by [`crate::db::Dialect::same_text`].
pub(super) fn prepare(conn: &mut Conn) {
    conn.declare(&KNOWN_GROUP);
}

/// Replaces the rows of `known_group` by the groups of the courses of a select (`courseid`, each once); a pass adds
/// those that it creates. The cost grows with the groups of these courses. Needs [`crate::reconcile::prepare`] before.
///
/// # Errors
/// The database's error.
pub async fn load(ctx: &mut RunContext<'_>, courses: &str) -> Result<(), DbError> {
    let params = ctx.params().fragment("courses", courses);
    ctx.conn.exec("DELETE FROM [known_group]", &params).await?;
    ctx.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (:courses) k :then {groups} g ON g.courseid = k.courseid",
            &params,
        )
        .await?;
    ctx.conn.analyse("known_group").await
}

/// Adds to `known_group` the groups that the courses of `new_group` have by now.
async fn load_new(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let params = ctx.params();
    ctx.conn
        .exec(
            "INSERT INTO [known_group]
             SELECT g.id, g.courseid, g.name, g.idnumber FROM (SELECT DISTINCT courseid FROM [new_group]) k
              :then {groups} g ON g.courseid = k.courseid LEFT JOIN [known_group] o ON o.id = g.id WHERE o.id IS NULL",
            &params,
        )
        .await?;
    ctx.conn.analyse("known_group").await
}
