//! Creates the courses that a set describes and the site lacks, with all that Moodle creates for a new course. It must
//! not depend on the source of the rows: it reads the temporary table `new_course`.

mod choose;
mod inside;
mod place;
mod rows;

use chrono_tz::Tz;

use crate::change::context::RunContext;
use crate::clock::midnight;
use crate::db::table::{int, long_text, text};
use crate::db::{DbError, Params, Table, Value};
use crate::moodle::course::{self, SECTION_FORMATS};
use crate::outcome::{Note, RunResult};

/// The rows that describe courses: their lines, three names that fit into Moodle's columns, the category as the row
/// names it; the dates (0 for none) and how the row writes them, and what is wrong with them (`flaw`, the code); the
/// names as Moodle logs them.
pub const NEW_COURSE: Table = Table::new(
    "new_course",
    &[
        int("line"),
        text("fullname", 1333),
        text("shortname", 255),
        text("idnumber", 255),
        text("category", 255),
        int("startdate"),
        int("enddate"),
        text("starttext", 255),
        text("endtext", 255),
        text("flaw", 40),
        long_text("logged"),
    ],
)
.primary("line");

/// How courses are created.
#[derive(Clone, Debug)]
pub struct NewCourses {
    /// `course_categories.id` for rows that name no category.
    pub default_category: i64,
    /// Rows name a category by its idnumber, not by its id.
    pub category_by_idnumber: bool,
    /// Short name of the course whose settings the new ones get; empty for the site's defaults.
    pub template: String,
    /// The time zone of the day: a course starts at the beginning of the day on which it is created.
    pub zone: Tz,
}

/// Declares the empty table `new_course`. Its names must fit into Moodle's columns, full and short name must not be
/// empty; an empty category means none.
pub fn stage(ctx: &mut RunContext<'_>) {
    ctx.conn.declare(&NEW_COURSE);
}

/// Creates the courses of `new_course` that the site lacks (spec database 8), and gives how many rows are refused. A
/// row whose short name exists is left out silently: existing courses keep their settings. The number of statements
/// does not depend on the number of courses.
///
/// # Errors
/// The database's error.
pub async fn create(ctx: &mut RunContext<'_>, settings: &NewCourses) -> RunResult<u64> {
    if ctx.conn.number("SELECT COUNT(*) FROM [new_course]", &Params::new()).await? == 0 {
        return Ok(0);
    }
    let fallback = fallback(ctx, settings.default_category).await?;
    let template = Template::find(ctx, &settings.template).await?;
    let dates =
        course::Dates::of(ctx.site, midnight(settings.zone, ctx.now), template.as_ref().map(|found| found.dates));
    let refused = choose::rows(ctx, settings, fallback, dates).await?;
    if choose::made(ctx).await? == 0 {
        return Ok(refused);
    }
    if fallback != settings.default_category && choose::without_category(ctx).await? {
        ctx.notes.push(Note::CategoryGone(settings.default_category));
    }
    if template.is_none() && !settings.template.is_empty() {
        ctx.notes.push(Note::TemplateGone(settings.template.clone()));
    }
    let pass_no = ctx.next_pass();
    let overtaken = rows::make(ctx, pass_no, template.as_ref()).await?;
    inside::options(ctx, pass_no, template.as_ref()).await?;
    inside::sections(ctx, pass_no, template.as_ref()).await?;
    inside::methods(ctx, pass_no).await?;
    place::order(ctx, pass_no).await?;
    place::count(ctx, pass_no).await?;
    Ok(refused + overtaken)
}

/// The category for rows that name none: that of the settings, else the site's first, as in Moodle; 0 without any.
async fn fallback(ctx: &mut RunContext<'_>, category: i64) -> Result<i64, DbError> {
    let sql = "SELECT k.id FROM {course_categories} k
        ORDER BY CASE WHEN k.id = :category THEN 0 ELSE 1 END, k.sortorder, k.id LIMIT 1";
    let row = ctx.conn.row(sql, &ctx.params().with("category", category)).await?;
    Ok(row.map_or(0, |row| row.int(0)))
}

/// The course whose settings new courses get.
struct Template {
    id: i64,
    /// The number of its last section.
    sections: i64,
    /// Its first and its last day.
    dates: (i64, i64),
}

impl Template {
    async fn find(ctx: &mut RunContext<'_>, shortname: &str) -> Result<Option<Self>, DbError> {
        if shortname.is_empty() {
            return Ok(None);
        }
        let same = ctx.conn.exact("course", "c.shortname", "n.shortname");
        // Sections of activities are numbered last (Moodle 4.5) and are not copied.
        let own = if ctx.site.columns.has("course_sections", "component") { "AND s.component IS NULL" } else { "" };
        let params = ctx.params().with("template", shortname).fragment("same", same).fragment("own", own);
        let sql =
            "SELECT c.id, (SELECT COALESCE(MAX(s.section), 0) FROM {course_sections} s WHERE s.course = c.id :own),
                    c.startdate, c.enddate
               FROM {course} c JOIN (SELECT :template AS shortname) n ON :same
             WHERE c.category <> 0 ORDER BY c.id LIMIT 1";
        let row = ctx.conn.row(sql, &params).await?;
        Ok(row.map(|row| Self { id: row.int(0), sections: row.int(1), dates: (row.int(2), row.int(3)) }))
    }
}

/// Columns and values of an insert, with the values' parameters.
struct Columns {
    names: String,
    values: String,
    params: Params,
}

impl Columns {
    /// `base` and these columns; a value's parameter has the column's number, because the column may have any name.
    fn with(ctx: &RunContext<'_>, base: Params, columns: Vec<(String, Value)>) -> Self {
        let names = columns.iter().map(|(column, _)| ctx.conn.dialect().quote(column)).collect::<Vec<_>>().join(", ");
        let values = (0..columns.len()).map(|at| format!(":v_{at}")).collect::<Vec<_>>().join(", ");
        let add = |params: Params, (at, (_, value)): (usize, (String, Value))| params.with(format!("v_{at}"), value);
        Self { names, values, params: columns.into_iter().enumerate().fold(base, add) }
    }
}

/// The condition that the format of a course `c` is one of Moodle's two that show sections.
fn shows_sections() -> String {
    format!("c.format IN ({SECTION_FORMATS})")
}
