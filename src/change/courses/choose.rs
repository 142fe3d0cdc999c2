//! Which rows of `new_course` become courses; the others are told, or left out because the course is there.
//! It must not write any of Moodle's tables.

use crate::change::work::Work;
use crate::db::{Conn, DbError, Params};
use crate::problem::PlaceKind;

/// Finds the category of each row and a verdict: empty for a row that becomes a course, `exists`, `same` as another row, or
/// the code of what is wrong. Gives how many rows are told.
///
/// # Errors
/// The engine's.
pub(super) async fn rows(work: &mut Work<'_>, by_idnumber: bool, fallback: i64) -> Result<u64, DbError> {
    categories(work, by_idnumber).await?;
    let conn = &mut *work.conn;
    conn.temporary(
        "course_row",
        "line BIGINT NOT NULL PRIMARY KEY, fullname VARCHAR(1333) NOT NULL, shortname VARCHAR(255) NOT NULL, idnumber VARCHAR(255) NOT NULL,
         ckey VARCHAR(255) NOT NULL, category BIGINT NOT NULL, chosen BIGINT NOT NULL, verdict VARCHAR(40) NOT NULL",
    );
    let params = unstorable(conn, Params::new(), "n")
        .with("fallback", fallback)
        .fragment("same", conn.exact("course", "c.shortname", "n.shortname"))
        .fragment("alike_name", conn.alike("course", "c.shortname", "n.shortname"))
        .fragment("alike_number", conn.alike("course", "c.idnumber", "n.idnumber"))
        .fragment("by_name", format!("PARTITION BY a.verdict, {}", conn.grouped("course", "shortname", "a.shortname")))
        .fragment("by_number", format!("PARTITION BY b.verdict, {}", conn.grouped("course", "idnumber", "b.idnumber")))
        .fragment("judged", JUDGED)
        .fragment("named", NAMED);
    conn.exec(ROWS, &params).await?;
    conn.analyse("course_row").await?;
    tell(work).await
}

/// What the site says to each row by itself, in Moodle's order.
const JUDGED: &str = "SELECT n.line, n.fullname, n.shortname, n.idnumber, n.category AS ckey,
        CASE WHEN n.category = '' THEN :fallback ELSE COALESCE(k.category, 0) END AS category,
        CASE WHEN EXISTS (SELECT 1 FROM {course} c WHERE :same) THEN 'exists'
             WHEN EXISTS (SELECT 1 FROM {course} c WHERE :alike_name) THEN 'course-shortname-taken'
             WHEN n.idnumber <> '' AND EXISTS (SELECT 1 FROM {course} c WHERE :alike_number) THEN 'course-idnumber-taken'
             WHEN :unstorable_name OR :unstorable_full OR :unstorable_number THEN 'value-charset'
             WHEN k.found > 1 THEN 'category-ambiguous' WHEN x.id IS NULL THEN 'category-unknown' ELSE '' END AS verdict
   FROM new_course n LEFT JOIN stage_category k ON k.ckey = n.category
   LEFT JOIN {context} x ON x.contextlevel = 40 AND x.path IS NOT NULL
        AND x.instanceid = CASE WHEN n.category = '' THEN :fallback ELSE k.category END";

/// Of several good rows with one short name the last one counts; one that says the same is no problem.
const NAMED: &str =
    "SELECT t.line, t.fullname, t.shortname, t.idnumber, t.ckey, t.category, t.chosen,
        CASE WHEN t.verdict <> '' OR t.line = t.chosen THEN t.verdict WHEN t.alike = 1 THEN 'same' ELSE 'course-twice' END AS verdict
   FROM (SELECT a.*, FIRST_VALUE(a.line) OVER (:by_name ORDER BY a.line DESC) AS chosen,
                CASE WHEN a.fullname = FIRST_VALUE(a.fullname) OVER (:by_name ORDER BY a.line DESC)
                      AND a.shortname = FIRST_VALUE(a.shortname) OVER (:by_name ORDER BY a.line DESC)
                      AND a.idnumber = FIRST_VALUE(a.idnumber) OVER (:by_name ORDER BY a.line DESC)
                      AND a.ckey = FIRST_VALUE(a.ckey) OVER (:by_name ORDER BY a.line DESC) THEN 1 ELSE 0 END AS alike
           FROM (:judged) a) t";

/// And of those with one idnumber.
const ROWS: &str = "INSERT INTO course_row (line, fullname, shortname, idnumber, ckey, category, chosen, verdict)
    SELECT t.line, t.fullname, t.shortname, t.idnumber, t.ckey, t.category, CASE WHEN t.verdict = '' THEN t.first_line ELSE t.chosen END,
           CASE WHEN t.verdict = '' AND t.idnumber <> '' AND t.line <> t.first_line THEN 'course-twice' ELSE t.verdict END
      FROM (SELECT b.*, FIRST_VALUE(b.line) OVER (:by_number ORDER BY b.line DESC) AS first_line FROM (:named) b) t";

/// The conditions that a name in the row `alias` has a character for which the site's column has no room.
fn unstorable(conn: &Conn, params: Params, alias: &str) -> Params {
    let of = |column: &str| {
        conn.unstorable("course", column, &format!("{alias}.{column}")).unwrap_or_else(|| "1 = 0".to_owned())
    };
    params
        .fragment("unstorable_name", of("shortname"))
        .fragment("unstorable_full", of("fullname"))
        .fragment("unstorable_number", of("idnumber"))
}

async fn categories(work: &mut Work<'_>, by_idnumber: bool) -> Result<(), DbError> {
    let conn = &mut *work.conn;
    conn.temporary("stage_category", "ckey VARCHAR(255) NOT NULL PRIMARY KEY, category BIGINT, found BIGINT NOT NULL");
    let same = match by_idnumber {
        true => conn.exact("course_categories", "c.idnumber", "k.ckey"),
        false => format!("{} = k.ckey", conn.dialect().to_text("c.id")),
    };
    conn.exec(
        "INSERT INTO stage_category (ckey, category, found)
         SELECT k.ckey, MIN(c.id), COUNT(c.id) FROM (SELECT DISTINCT n.category AS ckey FROM new_course n WHERE n.category <> '') k
           LEFT JOIN {course_categories} c ON :same GROUP BY k.ckey",
        &Params::new().fragment("same", same),
    )
    .await?;
    conn.analyse("stage_category").await
}

async fn tell(work: &mut Work<'_>) -> Result<u64, DbError> {
    let dialect = work.conn.dialect();
    let alike = work.conn.alike("course", "c.shortname", "r.shortname");
    let params = unstorable(work.conn, work.params(), "r")
        .fragment("chosen", dialect.to_text("r.chosen"))
        .fragment("existing", "(SELECT MIN(c.shortname) FROM {course} c WHERE :alike)")
        .fragment("alike", alike);
    work.tell_problems(
            PlaceKind::Course,
            "SELECT r.line AS number, r.verdict AS code, r.shortname AS value,
                    CASE r.verdict WHEN 'value-charset' THEN CASE WHEN :unstorable_name THEN 'course.shortname' WHEN :unstorable_full THEN 'course.fullname'
                                                                    ELSE 'course.idnumber' END
                                   WHEN 'course-shortname-taken' THEN :existing WHEN 'course-idnumber-taken' THEN r.idnumber
                                   WHEN 'course-twice' THEN :chosen ELSE r.ckey END AS hint
               FROM course_row r WHERE r.verdict NOT IN ('', 'exists', 'same')",
            params,
        )
        .await
}

/// Makes `made_course`, the courses to come with the contexts of their categories, and gives how many they are.
///
/// # Errors
/// The engine's.
pub(super) async fn made(work: &mut Work<'_>) -> Result<u64, DbError> {
    let conn = &mut *work.conn;
    conn.temporary(
        "made_course",
        "n BIGINT NOT NULL PRIMARY KEY, line BIGINT NOT NULL, fullname VARCHAR(1333) NOT NULL, shortname VARCHAR(255) NOT NULL,
         idnumber VARCHAR(255) NOT NULL, category BIGINT NOT NULL, parentpath VARCHAR(255) NOT NULL, parentdepth BIGINT NOT NULL,
         courseid BIGINT NOT NULL, contextid BIGINT NOT NULL",
    );
    let made = conn
        .exec(
            "INSERT INTO made_course (n, line, fullname, shortname, idnumber, category, parentpath, parentdepth, courseid, contextid)
             SELECT ROW_NUMBER() OVER (ORDER BY r.line), r.line, r.fullname, r.shortname, r.idnumber, r.category, k.path, k.depth, 0, 0
               FROM course_row r JOIN {context} k ON k.contextlevel = 40 AND k.instanceid = r.category
              WHERE r.verdict = ''",
            &Params::new(),
        )
        .await?;
    conn.analyse("made_course").await?;
    Ok(made)
}

/// Whether a course to come has the category for rows that name none.
///
/// # Errors
/// The engine's.
pub(super) async fn without_category(work: &mut Work<'_>) -> Result<bool, DbError> {
    let sql = "SELECT COUNT(*) FROM course_row r WHERE r.verdict = '' AND r.ckey = ''";
    Ok(work.conn.number(sql, &Params::new()).await? > 0)
}
