//! The rows of new courses and their contexts: journaled, written while their names are still free, and found again.
//! It must not choose which courses are made.

use chrono_tz::Tz;

use crate::change::courses::{Columns, Template};
use crate::change::kinds;
use crate::change::work::{Place, Work};
use crate::clock::midnight;
use crate::db::{DbError, Value, statement};
use crate::moodle::course;
use crate::problem::PlaceKind;

const COURSES: &str = statement(include_str!("rows.sql"), "courses");

/// Makes the courses of `made_course` with their contexts; leaves there what was made, and gives how many another
/// writer overtook.
///
/// # Errors
/// The engine's.
pub(super) async fn make(
    work: &mut Work<'_>,
    wave: i64,
    zone: Tz,
    template: Option<&Template>,
) -> Result<u64, DbError> {
    let place = Place { wave, rank: kinds::COURSE };
    let names = ["shortname", "fullname"].map(str::to_owned);
    let row = work.conn.dialect().json_row("t", &names);
    let planned = work
        .journal(
            place,
            "line, itemid, oldrow",
            "planned.n",
            "SELECT t.line, t.n, t.category AS itemid, :row AS oldrow FROM [made_course] t",
            work.params().fragment("row", row),
        )
        .await?;
    insert(work, zone, template).await?;
    let overtaken = set_aside(work, place).await?;
    contexts(work, Place { wave, rank: kinds::CONTEXT }).await?;
    name(work, place).await?;
    work.book(place.rank.kind, planned, planned - overtaken as i64);
    Ok(overtaken)
}

/// Writes the rows, where no course has taken the short name or the idnumber meanwhile, and finds their ids.
async fn insert(work: &mut Work<'_>, zone: Tz, template: Option<&Template>) -> Result<(), DbError> {
    let before = work.conn.number("SELECT MAX(id) FROM {course}", &work.params()).await?;
    let params = work
        .params()
        .with("before", before)
        .with("template", template.map_or(0, |template| template.id))
        .fragment("same", work.conn.exact("course", "c.shortname", "made_course.shortname"))
        .fragment("alike_name", work.conn.alike("course", "c.shortname", "t.shortname"))
        .fragment("alike_number", work.conn.alike("course", "c.idnumber", "t.idnumber"));
    let settings = Columns::with(work, params, columns(work, zone, template.is_some()));
    let params = settings.params.fragment("names", settings.names).fragment("values", settings.values);
    work.conn.exec(COURSES, &params).await?;
    work.conn
        .exec(
            "UPDATE [made_course]
                SET courseid = COALESCE((SELECT MAX(c.id) FROM {course} c WHERE c.id > :before AND :same), 0)",
            &params,
        )
        .await
        .map(|_| ())
}

fn columns(work: &Work<'_>, zone: Tz, lent: bool) -> Vec<(String, Value)> {
    if !lent {
        return course::default_columns(work.site, midnight(zone, work.now));
    }
    let quoted = |column: &str| Value::Sql(format!("p.{}", work.conn.dialect().quote(column)));
    let mut columns: Vec<_> =
        course::lent_columns(work.site).into_iter().map(|column| (column.clone(), quoted(&column))).collect();
    columns.push(("visibleold".to_owned(), quoted("visible")));
    columns
}

/// Courses that were not made are told and forgotten: another writer had their names first.
async fn set_aside(work: &mut Work<'_>, place: Place) -> Result<u64, DbError> {
    let params = work.at(place);
    let overtaken = work
        .tell_problems(
            PlaceKind::Course,
            "SELECT t.line AS number, 'overtaken' AS code, t.shortname AS value, '' AS hint
               FROM [made_course] t WHERE t.courseid = 0",
            params.clone(),
        )
        .await?;
    if overtaken > 0 {
        let forgotten = "UPDATE {enrold_change} AS c SET state = 1 WHERE :here
            AND NOT EXISTS (SELECT 1 FROM [made_course] t WHERE t.n = c.seq - :from AND t.courseid > 0)";
        work.conn.exec(forgotten, &params).await?;
        work.conn.exec("DELETE FROM [made_course] WHERE courseid = 0", &params).await?;
    }
    Ok(overtaken)
}

/// A context below that of the category, whose path ends with its own id.
async fn contexts(work: &mut Work<'_>, place: Place) -> Result<(), DbError> {
    let planned = work
        .journal(
            place,
            "line, courseid",
            "planned.courseid",
            "SELECT t.line, t.courseid FROM [made_course] t",
            work.params(),
        )
        .await?;
    let sql = work.conn.dialect().insert_absent(
        "{context}",
        "contextlevel, instanceid, depth",
        "SELECT 50, t.courseid, t.parentdepth + 1 FROM [made_course] t WHERE t.courseid > 0 ORDER BY t.n",
    );
    let params = work.at(place);
    let applied = work.conn.exec(&sql, &params).await? as i64;
    let own = work.conn.dialect().to_text("x.id");
    let path = format!("t.parentpath || '/' || {own}");
    let update = work.conn.dialect().update_joined(
        "{context}",
        "x",
        &[("path", &path)],
        "[made_course] t",
        "x.contextlevel = 50 AND x.instanceid = t.courseid AND x.path IS NULL",
    );
    work.conn.exec(&update, &params).await?;
    work.conn
        .exec(
            "UPDATE [made_course] SET contextid = COALESCE(
                (SELECT x.id FROM {context} x
                  WHERE x.contextlevel = 50 AND x.instanceid = made_course.courseid), 0)",
            &params,
        )
        .await?;
    work.conn
        .exec(
            "UPDATE {enrold_change} AS c
                SET contextid = (SELECT t.contextid FROM [made_course] t WHERE t.courseid = c.courseid) WHERE :here",
            &params,
        )
        .await?;
    work.book(place.rank.kind, planned, applied);
    Ok(())
}

/// The journal learns which course each of its rows has become.
async fn name(work: &mut Work<'_>, place: Place) -> Result<(), DbError> {
    let of = |column: &str| format!("(SELECT t.{column} FROM [made_course] t WHERE t.n = c.seq - :from)");
    let params = work.at(place).fragment("course", of("courseid")).fragment("context", of("contextid"));
    work.conn
        .exec(
            "UPDATE {enrold_change} AS c SET courseid = :course, targetid = :course, contextid = :context
              WHERE :here AND c.state = 0",
            &params,
        )
        .await
        .map(|_| ())
}
