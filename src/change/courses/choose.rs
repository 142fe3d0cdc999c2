//! Chooses the rows of `new_course` that become courses; the others are reported, or left out because the course
//! exists. It must not write any of Moodle's tables.

use crate::change::context::RunContext;
use crate::change::courses::NewCourses;
use crate::db::table::{int, long_text, text};
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::files::times;
use crate::moodle::course::Dates;
use crate::problem::PlaceKind;
use crate::report::feed::moment;

const COURSE_ROW: Table = Table::new(
    "course_row",
    &[
        int("line"),
        text("fullname", 1333),
        text("shortname", 255),
        text("idnumber", 255),
        text("ckey", 255),
        int("category"),
        int("chosen"),
        text("verdict", 40),
        int("begins"),
        int("ends"),
        text("starttext", 255),
        text("endtext", 255),
        long_text("logged"),
    ],
)
.primary("line");
const STAGE_CATEGORY: Table =
    Table::new("stage_category", &[text("ckey", 255), int("category").or_null(), int("found")]).primary("ckey");
const MADE_COURSE: Table = Table::new(
    "made_course",
    &[
        int("n"),
        int("line"),
        text("fullname", 1333),
        text("shortname", 255),
        text("idnumber", 255),
        int("category"),
        text("parentpath", 255),
        int("parentdepth"),
        int("courseid"),
        int("contextid"),
        int("begins"),
        int("ends"),
        long_text("logged"),
    ],
)
.primary("n");

/// Finds the category and the days of each row and a verdict: empty for a row that becomes a course, `exists`, `same`
/// as another row, or the code of what is wrong. Gives how many rows are reported.
///
/// # Errors
/// The database's error.
pub(super) async fn rows(
    ctx: &mut RunContext<'_>,
    settings: &NewCourses,
    fallback: i64,
    dates: Dates,
) -> Result<u64, DbError> {
    categories(ctx, settings.category_by_idnumber).await?;
    let conn = &mut *ctx.conn;
    conn.declare(&COURSE_ROW);
    let params = unstorable(conn, Params::new(), "n")
        .with("fallback", fallback)
        .with("start", dates.start)
        .fragment("end", dates.end_after("d.begins"))
        .fragment("dated", DATED)
        .fragment("same", conn.exact("course", "c.shortname", "n.shortname"))
        .fragment("alike_name", conn.alike("course", "c.shortname", "n.shortname"))
        .fragment("alike_number", conn.alike("course", "c.idnumber", "n.idnumber"))
        .fragment("by_name", format!("PARTITION BY a.verdict, {}", conn.grouped("course", "shortname", "a.shortname")))
        .fragment("by_number", format!("PARTITION BY b.verdict, {}", conn.grouped("course", "idnumber", "b.idnumber")))
        .fragment("judged", JUDGED)
        .fragment("named", NAMED);
    conn.exec(ROWS, &params).await?;
    conn.analyse("course_row").await?;
    report_refused(ctx, settings, dates).await
}

const DATED: &str = statement(include_str!("choose.sql"), "dated");
const JUDGED: &str = statement(include_str!("choose.sql"), "judged");
const NAMED: &str = statement(include_str!("choose.sql"), "named");
const ROWS: &str = statement(include_str!("choose.sql"), "rows");
const REFUSED: &str = statement(include_str!("choose.sql"), "refused");

/// The conditions that a name in the row `alias` has a character that the site's column cannot store.
fn unstorable(conn: &Conn, params: Params, alias: &str) -> Params {
    let of = |column: &str| {
        conn.unstorable("course", column, &format!("{alias}.{column}")).unwrap_or_else(|| "1 = 0".to_owned())
    };
    params
        .fragment("unstorable_name", of("shortname"))
        .fragment("unstorable_full", of("fullname"))
        .fragment("unstorable_number", of("idnumber"))
}

async fn categories(ctx: &mut RunContext<'_>, by_idnumber: bool) -> Result<(), DbError> {
    let conn = &mut *ctx.conn;
    conn.declare(&STAGE_CATEGORY);
    let same = match by_idnumber {
        true => conn.exact("course_categories", "c.idnumber", "k.ckey"),
        false => format!("{} = k.ckey", conn.dialect().to_text("c.id")),
    };
    conn.exec(
        "INSERT INTO [stage_category]
         SELECT k.ckey, MIN(c.id), COUNT(c.id)
           FROM (SELECT DISTINCT n.category AS ckey FROM [new_course] n WHERE n.category <> '') k
           LEFT JOIN {course_categories} c ON :same GROUP BY k.ckey",
        &Params::new().fragment("same", same),
    )
    .await?;
    conn.analyse("stage_category").await
}

async fn report_refused(ctx: &mut RunContext<'_>, settings: &NewCourses, dates: Dates) -> Result<u64, DbError> {
    let dialect = ctx.conn.dialect();
    let alike = ctx.conn.alike("course", "c.shortname", "r.shortname");
    let params = unstorable(ctx.conn, ctx.params(), "r")
        .fragment("chosen", dialect.to_text("r.chosen"))
        .with("accepted", times::ACCEPTED)
        .with("start", moment(dates.start, settings.zone))
        .with("end", moment(dates.end, settings.zone))
        .fragment("existing", "(SELECT MIN(c.shortname) FROM {course} c WHERE :alike)")
        .fragment("alike", alike);
    ctx.report_problems(PlaceKind::Course, REFUSED, params).await
}

/// Fills `made_course` with the courses to create and the contexts of their categories; gives their number.
///
/// # Errors
/// The database's error.
pub(super) async fn made(ctx: &mut RunContext<'_>) -> Result<u64, DbError> {
    let conn = &mut *ctx.conn;
    conn.declare(&MADE_COURSE);
    let made = conn
        .exec(
            "INSERT INTO [made_course]
             SELECT ROW_NUMBER() OVER (ORDER BY r.line), r.line, r.fullname, r.shortname, r.idnumber, r.category,
                    k.path, k.depth, 0, 0, r.begins, r.ends, r.logged
               FROM [course_row] r JOIN {context} k ON k.contextlevel = 40 AND k.instanceid = r.category
              WHERE r.verdict = ''",
            &Params::new(),
        )
        .await?;
    conn.analyse("made_course").await?;
    Ok(made)
}

/// Whether a course to create goes into the category for rows that name none.
///
/// # Errors
/// The database's error.
pub(super) async fn without_category(ctx: &mut RunContext<'_>) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM [course_row] r WHERE r.verdict = '' AND r.ckey = ''";
    Ok(ctx.conn.number(sql, &Params::new()).await? > 0)
}
