//! Sorts new courses: first in their category, the newest before all others, as in Moodle. It must not renumber other
//! categories, although Moodle would.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::db::table::int;
use crate::db::{DbError, Table, statement};

const COURSE_ORDER: Table =
    Table::new("course_order", &[int("courseid"), int("contextid"), int("before_run"), int("place"), int("is_new")])
        .primary("courseid");

const ORDER: &str = statement(include_str!("place.sql"), "order");
const COUNTED: &str = statement(include_str!("place.sql"), "counted");

/// Renumbers the courses of the categories that have new ones.
///
/// # Errors
/// The database's error.
pub(super) async fn order(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let conn = &mut *ctx.conn;
    conn.declare(&COURSE_ORDER);
    let params = ctx.params();
    ctx.conn.exec(ORDER, &params).await?;
    ctx.conn.analyse("course_order").await?;
    let position = Position { pass_no, rank: kinds::SORT };
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, targetid, status, oldstatus",
            "planned.courseid",
            "SELECT 0 AS line, o.courseid, o.contextid, o.courseid AS targetid, o.place AS status,
                    o.before_run AS oldstatus
               FROM [course_order] o WHERE o.is_new = 0 AND o.place <> o.before_run",
            params.clone(),
        )
        .await?;
    let update = |is_new: &str| {
        let condition = format!(
            "x.id = o.courseid AND x.sortorder = o.before_run AND o.place <> o.before_run AND o.is_new = {is_new}"
        );
        ctx.conn.dialect().update_joined("{course}", "x", &[("sortorder", "o.place")], "[course_order] o", &condition)
    };
    let (new, known) = (update("1"), update("0"));
    ctx.conn.exec(&new, &params).await?;
    let applied = ctx.conn.exec(&known, &params).await? as i64;
    if applied < planned {
        let moved = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here
            AND NOT EXISTS (SELECT 1 FROM {course} x WHERE x.id = c.targetid AND x.sortorder = c.status)";
        ctx.conn.exec(moved, &ctx.at(position)).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Updates the course counts of those categories.
///
/// # Errors
/// The database's error.
pub(super) async fn count(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::COUNT };
    let params = ctx.at(position);
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, targetid, status, oldstatus",
            "planned.targetid",
            COUNTED,
            params.clone(),
        )
        .await?;
    let applied = ctx.change_rows(position).await?;
    if applied < planned {
        let counted = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here
            AND NOT EXISTS (SELECT 1 FROM {course_categories} k WHERE k.id = c.targetid AND k.coursecount = c.status)";
        ctx.conn.exec(counted, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
