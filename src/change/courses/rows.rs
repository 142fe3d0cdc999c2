//! Writes new courses and their contexts: journals them, inserts them if their names are still free, and finds their
//! ids. It must not choose which courses are created.

use crate::change::context::{Position, RunContext};
use crate::change::courses::{Columns, Template};
use crate::change::kinds;
use crate::db::{DbError, Value, statement};
use crate::moodle::course;
use crate::problem::PlaceKind;

const COURSES: &str = statement(include_str!("rows.sql"), "courses");

/// Creates the courses of `made_course` with their contexts; removes from it, counts and reports those that another
/// writer overtook.
///
/// # Errors
/// The database's error.
pub(super) async fn make(ctx: &mut RunContext<'_>, pass_no: i64, template: Option<&Template>) -> Result<u64, DbError> {
    let position = Position { pass_no, rank: kinds::COURSE };
    let planned = ctx
        .journal(
            position,
            "line, itemid, oldrow",
            "planned.n",
            "SELECT t.line, t.n, t.category AS itemid, t.logged AS oldrow FROM [made_course] t",
            ctx.params(),
        )
        .await?;
    insert(ctx, template).await?;
    let overtaken = set_aside(ctx, position).await?;
    contexts(ctx, Position { pass_no, rank: kinds::CONTEXT }).await?;
    name(ctx, position).await?;
    ctx.book(position.rank.kind, planned, planned - overtaken as i64);
    Ok(overtaken)
}

/// Inserts the courses whose short name and idnumber are still free, and finds their ids.
async fn insert(ctx: &mut RunContext<'_>, template: Option<&Template>) -> Result<(), DbError> {
    let before = ctx.conn.number("SELECT MAX(id) FROM {course}", &ctx.params()).await?;
    let params = ctx
        .params()
        .with("before", before)
        .with("template", template.map_or(0, |template| template.id))
        .fragment("same", ctx.conn.exact("course", "c.shortname", "made_course.shortname"))
        .fragment("alike_name", ctx.conn.alike("course", "c.shortname", "t.shortname"))
        .fragment("alike_number", ctx.conn.alike("course", "c.idnumber", "t.idnumber"));
    let settings = Columns::with(ctx, params, columns(ctx, template.is_some()));
    let params = settings.params.fragment("names", settings.names).fragment("values", settings.values);
    ctx.conn.exec(COURSES, &params).await?;
    ctx.conn
        .exec(
            "UPDATE [made_course]
                SET courseid = COALESCE((SELECT MAX(c.id) FROM {course} c WHERE c.id > :before AND :same), 0)",
            &params,
        )
        .await
        .map(|_| ())
}

fn columns(ctx: &RunContext<'_>, lent: bool) -> Vec<(String, Value)> {
    if !lent {
        return course::default_columns(ctx.site);
    }
    let quoted = |column: &str| match course::lent_otherwise(ctx.site, column) {
        Some(sql) => Value::Sql(sql),
        None => Value::Sql(format!("p.{}", ctx.conn.dialect().quote(column))),
    };
    let mut columns: Vec<_> =
        course::lent_columns(ctx.site).into_iter().map(|column| (column.clone(), quoted(&column))).collect();
    columns.push(("visibleold".to_owned(), quoted("visible")));
    columns
}

/// Reports and removes the courses that were not created, because another writer used their names first.
async fn set_aside(ctx: &mut RunContext<'_>, position: Position) -> Result<u64, DbError> {
    let params = ctx.at(position);
    let overtaken = ctx
        .report_problems(
            PlaceKind::Course,
            "SELECT t.line AS number, 'overtaken' AS code, t.shortname AS value, '' AS hint
               FROM [made_course] t WHERE t.courseid = 0",
            params.clone(),
        )
        .await?;
    if overtaken > 0 {
        let forgotten = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here
            AND NOT EXISTS (SELECT 1 FROM [made_course] t WHERE t.n = c.seq - :from AND t.courseid > 0)";
        ctx.conn.exec(forgotten, &params).await?;
        ctx.conn.exec("DELETE FROM [made_course] WHERE courseid = 0", &params).await?;
    }
    Ok(overtaken)
}

/// Creates the contexts below those of the categories; a path ends with the context's own id.
async fn contexts(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let planned = ctx
        .journal(
            position,
            "line, courseid",
            "planned.courseid",
            "SELECT t.line, t.courseid FROM [made_course] t",
            ctx.params(),
        )
        .await?;
    let sql = ctx.conn.dialect().insert_absent(
        "{context}",
        "contextlevel, instanceid, depth",
        "SELECT 50, t.courseid, t.parentdepth + 1 FROM [made_course] t WHERE t.courseid > 0 ORDER BY t.n",
    );
    let params = ctx.at(position);
    let applied = ctx.conn.exec(&sql, &params).await? as i64;
    let own = ctx.conn.dialect().to_text("x.id");
    let path = format!("t.parentpath || '/' || {own}");
    let update = ctx.conn.dialect().update_joined(
        "{context}",
        "x",
        &[("path", &path)],
        "[made_course] t",
        "x.contextlevel = 50 AND x.instanceid = t.courseid AND x.path IS NULL",
    );
    ctx.conn.exec(&update, &params).await?;
    ctx.conn
        .exec(
            "UPDATE [made_course] SET contextid = COALESCE(
                (SELECT x.id FROM {context} x
                  WHERE x.contextlevel = 50 AND x.instanceid = made_course.courseid), 0)",
            &params,
        )
        .await?;
    ctx.conn
        .exec(
            "UPDATE {enrold_change} AS c
                SET contextid = (SELECT t.contextid FROM [made_course] t WHERE t.courseid = c.courseid) WHERE :here",
            &params,
        )
        .await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Writes the ids of the new courses into the journal.
async fn name(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let of = |column: &str| format!("(SELECT t.{column} FROM [made_course] t WHERE t.n = c.seq - :from)");
    let params = ctx.at(position).fragment("course", of("courseid")).fragment("context", of("contextid"));
    ctx.conn
        .exec(
            "UPDATE {enrold_change} AS c SET courseid = :course, targetid = :course, contextid = :context
              WHERE :here AND c.state = 0",
            &params,
        )
        .await
        .map(|_| ())
}
