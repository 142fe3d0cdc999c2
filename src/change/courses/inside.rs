//! Fills a new course: options of its format, empty sections, the first enrolment methods. It must not depend on how
//! the course was chosen or placed.

use crate::change::context::{Position, RunContext};
use crate::change::courses::{Columns, Template, shows_sections};
use crate::change::kinds;
use crate::db::table::{int, long_text, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::moodle::course::{self, FirstMethod};

const COURSE_OPTION: Table =
    Table::new("course_option", &[text("name", 100), long_text("value").or_null()]).primary("name");
const COURSE_NUMBER: Table = Table::new("course_number", &[int("section")]).primary("section");

/// Writes the options of the courses' formats: the template's, or the site's defaults.
///
/// # Errors
/// The database's error.
pub(super) async fn options(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    template: Option<&Template>,
) -> Result<(), DbError> {
    ctx.conn.declare(&COURSE_OPTION);
    let params = ctx.params().fragment("sections", shows_sections());
    let of_format = match template {
        Some(template) => {
            let lent = "INSERT INTO [course_option] SELECT o.name, MAX(o.value) FROM {course_format_options} o
                   JOIN {course} c ON c.id = o.courseid AND c.format = o.format
                  WHERE o.courseid = :template AND o.sectionid = 0 GROUP BY o.name";
            ctx.conn.exec(lent, &params.clone().with("template", template.id)).await?;
            "1 = 1"
        }
        None => {
            let mut bulk = Bulk::into(ctx.conn.dialect(), &COURSE_OPTION);
            for (name, value) in course::default_options(ctx.site) {
                bulk.push(ctx.conn, &[Field::Text(name), Field::Text(&value.to_string())]).await?;
            }
            bulk.finish(ctx.conn).await?;
            ":sections"
        }
    };
    let position = Position { pass_no, rank: kinds::OPTION };
    let row = ctx.conn.dialect().json_row("o", &["name".to_owned(), "value".to_owned()]);
    let wanted = "FROM [made_course] t JOIN {course} c ON c.id = t.courseid JOIN [course_option] o ON :of_format";
    let params = params.fragment("of_format", of_format).fragment("wanted", wanted).fragment("row", row);
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, component, oldrow",
            "planned.courseid, planned.name",
            "SELECT t.line, t.courseid, t.contextid, c.format AS component, o.name, :row AS oldrow :wanted",
            params.clone(),
        )
        .await?;
    let sql = ctx.conn.dialect().insert_absent(
        "{course_format_options}",
        "courseid, format, sectionid, name, value",
        "SELECT t.courseid, c.format, 0, o.name, o.value :wanted WHERE t.courseid > 0 ORDER BY t.n, o.name",
    );
    let applied = ctx.conn.exec(&sql, &params).await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Writes empty, visible sections, from 0 to the last one of the template or of the site's setting.
///
/// # Errors
/// The database's error.
pub(super) async fn sections(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    template: Option<&Template>,
) -> Result<(), DbError> {
    let last = template.map_or_else(|| course::default_sections(ctx.site), |template| template.sections);
    ctx.conn.declare(&COURSE_NUMBER);
    let mut bulk = Bulk::into(ctx.conn.dialect(), &COURSE_NUMBER);
    for section in 0..=last {
        bulk.push(ctx.conn, &[Field::Int(section)]).await?;
    }
    bulk.finish(ctx.conn).await?;
    let position = Position { pass_no, rank: kinds::SECTION };
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, itemid",
            "planned.courseid, planned.itemid",
            "SELECT t.line, t.courseid, t.contextid, s.section AS itemid
               FROM [made_course] t CROSS JOIN [course_number] s",
            ctx.params(),
        )
        .await?;
    let sql = ctx.conn.dialect().insert_absent(
        "{course_sections}",
        "course, section, summary, summaryformat, sequence, visible, timemodified",
        "SELECT c.courseid, c.itemid, '', 1, '', 1, :now FROM {enrold_change} c WHERE :here ORDER BY c.seq",
    );
    let applied = ctx.conn.exec(&sql, &ctx.at(position)).await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Writes an instance of each method that the site adds to new courses: one plan and one statement per method, of which
/// Moodle has three.
///
/// # Errors
/// The database's error.
pub(super) async fn methods(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    for first in course::first_methods(ctx.site) {
        method(ctx, Position { pass_no, rank: kinds::FIRST_METHOD.plus(first.place) }, first).await?;
    }
    Ok(())
}

async fn method(ctx: &mut RunContext<'_>, position: Position, first: FirstMethod) -> Result<(), DbError> {
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, component",
            "planned.courseid",
            "SELECT t.line, t.courseid, t.contextid, :method AS component FROM [made_course] t",
            ctx.params().with("method", first.method),
        )
        .await?;
    let base = ctx.at(position).with("method", first.method).with("place", first.place);
    let columns = first.columns.into_iter().map(|(column, value)| (column.to_owned(), value)).collect();
    let columns = Columns::with(ctx, base, columns);
    let params = columns.params.fragment("names", columns.names).fragment("values", columns.values);
    let applied = ctx
        .conn
        .exec(
            "INSERT INTO {enrol} (enrol, courseid, sortorder, enrolstartdate, enrolenddate, timecreated, timemodified,
                                  :names)
             SELECT :method, c.courseid, :place, 0, 0, :now, :now, :values FROM {enrold_change} c
              WHERE :here AND NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = c.courseid AND e.enrol = :method)
              ORDER BY c.seq",
            &params,
        )
        .await? as i64;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
