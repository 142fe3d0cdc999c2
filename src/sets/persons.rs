//! Resolved rows as sets: the users enrolled in each course, their roles and groups, and the spared users.
//! It must not compare with existing rows: the rule's sections do.

use crate::change::context::RunContext;
use crate::config::{CourseKey, UserKey};
use crate::db::table::{int, text};
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::sets::Terms;
use crate::staging::resolve::{self, resolved};

/// The rows that resolve, with ids instead of keys; two may be equal.
const SET_ROW: Table = Table::new(
    "set_row",
    &[
        int("courseid"),
        int("userid"),
        int("contextid"),
        int("roleid"),
        text("gkey", 255),
        int("enrolled"),
        int("status"),
        int("timestart"),
        int("timeend"),
    ],
)
.joined_by(&["courseid, userid"]);
/// One row per user and course, merged from the rows of the set.
const SET_PERSON: Table = Table::new(
    "set_person",
    &[
        int("courseid"),
        int("userid"),
        int("contextid"),
        int("enrolled"),
        int("status"),
        int("timestart"),
        int("timeend"),
    ],
)
.joined_by(&["courseid, userid"]);
/// The groups in which the rows name a user.
const SET_GROUP: Table = Table::new("set_group", &[int("courseid"), int("userid"), text("gkey", 255)]);
/// Courses in which no user loses anything.
const SET_SPARED_COURSE: Table = Table::new("set_spared_course", &[int("courseid")]).primary("courseid");
/// Users who lose nothing by the set.
const SET_SPARED: Table = Table::new("set_spared", &[int("userid")]).primary("userid");

const ROWS: &str = statement(include_str!("persons.sql"), "rows");
const PERSONS: &str = statement(include_str!("persons.sql"), "persons");
const SPARED: &str = statement(include_str!("persons.sql"), "spared accounts");

/// Makes `set_row`, `set_person`, `set_group`, `set_spared` and `set_spared_course` from `stage_line` and its keys.
/// Distinct keys name distinct accounts and courses, so if the pairs of keys are distinct (`each_once`), each user is
/// named once in a course. Gives how many accounts are spared.
///
/// # Errors
/// The database's error.
pub async fn gather(ctx: &mut RunContext<'_>, terms: &Terms, never: &[i64], each_once: bool) -> Result<i64, DbError> {
    for table in [SET_GROUP, SET_SPARED_COURSE] {
        ctx.conn.declare(&table);
    }
    rows(ctx, terms, never).await?;
    persons(ctx, terms, each_once).await?;
    let groups = "INSERT INTO [set_group]
        SELECT DISTINCT r.courseid, r.userid, r.gkey FROM [set_row] r WHERE r.gkey <> '' AND r.enrolled = 1";
    ctx.conn.exec(groups, &ctx.params()).await?;
    let spared = spare_users(ctx, terms).await?;
    spare_courses(ctx, terms).await?;
    for table in [SET_GROUP, SET_SPARED_COURSE] {
        ctx.conn.analyse(table.name).await?;
    }
    Ok(spared)
}

/// Makes `set_row`: the rows that resolve, with ids instead of keys; two may be equal.
async fn rows(ctx: &mut RunContext<'_>, terms: &Terms, never: &[i64]) -> Result<(), DbError> {
    ctx.conn.declare(&SET_ROW);
    let params = ctx.params().with("ignore_hidden", i64::from(terms.ignore_hidden));
    let params = resolved(params, never);
    ctx.conn.exec(ROWS, &params).await?;
    ctx.conn.analyse(SET_ROW.name).await
}

/// Makes `set_person`: one row per user and course, enrolled if one of the rows enrols; of those that do: active if one
/// is, from the first start to the last end.
async fn persons(ctx: &mut RunContext<'_>, terms: &Terms, each_once: bool) -> Result<(), DbError> {
    let params = ctx.params();
    // With a grace period, users who are back are found by an index, which a view does not have.
    if ctx.conn.dialect().has_temporary_views() && !terms.waits() {
        let twice = "SELECT COUNT(*) FROM
            (SELECT 1 FROM [set_row] r GROUP BY r.courseid, r.userid HAVING COUNT(*) > 1 LIMIT 1) t";
        if each_once || ctx.conn.number(twice, &params).await? == 0 {
            let select = format!("SELECT {} FROM [set_row]", SET_PERSON.columns());
            return ctx.conn.temporary_view(&SET_PERSON, &select).await;
        }
    }
    ctx.conn.declare(&SET_PERSON);
    ctx.conn.exec(PERSONS, &params).await?;
    if terms.waits() {
        ctx.conn.index_joined(&SET_PERSON, "courseid, userid").await?;
    }
    ctx.conn.analyse(SET_PERSON.name).await
}

/// The key of an account `a` as it is compared with keys that cannot be used: without regard to case and blanks.
pub(super) fn folded_key(ctx: &RunContext<'_>, terms: &Terms) -> String {
    match terms.keys.user {
        UserKey::Username => "LOWER(TRIM(a.username))".to_owned(),
        UserKey::Idnumber => "LOWER(TRIM(a.idnumber))".to_owned(),
        UserKey::Email => "LOWER(TRIM(a.email))".to_owned(),
        UserKey::Id => ctx.conn.dialect().to_text("a.id"),
    }
}

/// Gives a statement the fragments `:ids` and `:names` of the accounts that never lose anything.
///
/// # Errors
/// The database's error.
pub(super) async fn kept_accounts(ctx: &mut RunContext<'_>, terms: &Terms, params: Params) -> Result<Params, DbError> {
    let mut ids = ctx.site.protected(terms.protect_admins);
    ids.retain(|id| *id > 0);
    ids.extend(resolve::with_capitals(ctx, &terms.protected).await?);
    let mut params = params.fragment("ids", id_list(&ids));
    let mut names = vec!["''".to_owned()];
    let small = terms.protected.iter().map(|name| name.to_lowercase());
    for (at, name) in terms.protected.iter().cloned().chain(small).enumerate() {
        names.push(format!(":name{at}"));
        params = params.with(format!("name{at}"), name);
    }
    Ok(params.fragment("names", names.join(", ")))
}

/// Makes `set_spared`, the accounts that lose nothing by this set: protected ones, those of unusable rows, and those
/// that a key may mean which names none or several. Gives their number.
///
/// # Errors
/// The database's error.
pub async fn spare_users(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<i64, DbError> {
    ctx.conn.declare(&SET_SPARED);
    let params = ctx.params().fragment("field", folded_key(ctx, terms));
    let params = kept_accounts(ctx, terms, params).await?;
    let spared = ctx.conn.exec(SPARED, &params).await?;
    ctx.conn.analyse(SET_SPARED.name).await?;
    Ok(spared as i64)
}

/// Spares the courses that a key may mean which names none or several: no user loses anything there.
async fn spare_courses(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    let field = match terms.keys.course {
        CourseKey::Id => ctx.conn.dialect().to_text("a.id"),
        CourseKey::Shortname => "LOWER(TRIM(a.shortname))".to_owned(),
        CourseKey::Idnumber => "LOWER(TRIM(a.idnumber))".to_owned(),
    };
    let params = ctx.params().fragment("field", field);
    let sql = "INSERT INTO [set_spared_course]
        SELECT DISTINCT a.id FROM {course} a JOIN [stage_course] k ON k.found <> 1 AND LOWER(k.ckey) = :field";
    ctx.conn.exec(sql, &params).await.map(|_| ())
}
