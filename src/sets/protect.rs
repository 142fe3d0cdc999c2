//! Protects whom the rows of a set may mean whose keys do not resolve: finds the keys of the site that they are like,
//! and writes the spared places and pairs. It must not decide what is like what, nor report rows: `unresolved` and
//! `stage` do.

use std::collections::BTreeSet;

use crate::change::context::RunContext;
use crate::config::{CourseKey, UnknownProtects, UserKey};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::moodle::method;
use crate::moodle::site::id_list;
use crate::sets::database::{self, DATABASE};
use crate::sets::unresolved::{Places, Protected, Unresolved};
use crate::sets::{Terms, cohorts, persons};
use crate::staging::resolve::KEY_WIDTH;

/// Users who lose nothing in one course or cohort.
const SET_SPARED_PAIR: Table =
    Table::new("set_spared_pair", &[int("placeid"), int("userid")]).primary("placeid, userid");
/// Courses or cohorts in which a user is looked for who is like a key.
const SET_OPEN: Table = Table::new("set_open", &[int("placeid")]).primary("placeid");
/// Damaged keys of courses or cohorts.
const SET_DAMAGED: Table = Table::new("set_damaged", &[text("ckey", KEY_WIDTH)]);

const ROWS: &str = statement(include_str!("protect.sql"), "unresolved rows");
const COURSES: &str = statement(include_str!("protect.sql"), "places in courses");
const COHORTS: &str = statement(include_str!("protect.sql"), "places in cohorts");
const IN_COURSES: &str = statement(include_str!("protect.sql"), "accounts in courses");
const IN_COHORTS: &str = statement(include_str!("protect.sql"), "accounts in cohorts");
const DAMAGED: &str = statement(include_str!("protect.sql"), "accounts named with a damaged key");

/// Makes `set_spared_pair`, and adds to the spared courses or cohorts, and to `set_spared`, by the rows whose keys do
/// not resolve: the staged ones, and those that were `refused` before. Gives how many accounts were added to
/// `set_spared`.
///
/// Without such rows (`any`) it reads nothing; else the rows are read once, the places of the source if a course or
/// cohort is not known, and, if an account is not, those who would lose something in its courses or cohorts: six
/// queries at most, and the chunks of what is written.
///
/// # Errors
/// The database's error.
pub async fn protect(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    refused: Unresolved,
    never: &[i64],
    any: bool,
) -> Result<i64, DbError> {
    ctx.conn.declare(&SET_SPARED_PAIR);
    if terms.unknown_protects == UnknownProtects::Off || (!any && refused.is_empty()) {
        return Ok(0);
    }
    let params = params(ctx, terms, never);
    let rows = rows(ctx, terms, refused, &params).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut places = Places::of(&rows);
    if rows.has_keys() {
        let sql = if terms.cohorts { COHORTS } else { COURSES };
        let params = params.clone().fragment("key", place_key(ctx, terms));
        ctx.conn
            .each(sql, &params, |row| {
                places.add(&rows, row.int(0), &row.text(1), row.int(2) == 1);
                Ok(())
            })
            .await?;
    }
    let mut protected = Protected::of(rows, &places, terms.unknown_protects);
    let spared = spared(ctx, terms).await?;
    let open = protected.open(&spared);
    if !open.is_empty() {
        load_places(ctx, &SET_OPEN, &open).await?;
        let sql = if terms.cohorts { IN_COHORTS } else { IN_COURSES };
        let params = params.clone().fragment("key", user_key(ctx, terms));
        ctx.conn
            .each(sql, &params, |row| {
                protected.account(row.int(0), row.int(1), &row.text(2));
                Ok(())
            })
            .await?;
    }
    protected.finish();
    write(ctx, terms, &protected, &spared).await
}

/// The rows: the staged ones by one query, and those that were refused, without the users who have an account.
async fn rows(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    refused: Unresolved,
    params: &Params,
) -> Result<Unresolved, DbError> {
    let mut rows = refused;
    if rows.has_unseen() {
        let sql = "SELECT DISTINCT n.ukey FROM {user} a JOIN [set_unread] n ON n.ukey = :field WHERE a.deleted = 0";
        let params = ctx.params().fragment("field", persons::folded_key(ctx, terms));
        let mut accounts = BTreeSet::new();
        ctx.conn
            .each(sql, &params, |row| {
                accounts.insert(row.text(0));
                Ok(())
            })
            .await?;
        rows.exist(&accounts);
    }
    let (named, place) = if terms.cohorts { ("[stage_cohort]", "cohortid") } else { ("[stage_course]", "courseid") };
    let params = params.clone().fragment("named", named).fragment("place", place);
    ctx.conn
        .each(ROWS, &params, |row| {
            rows.staged(row.text(0), &row.text(1), row.int(2));
            Ok(())
        })
        .await?;
    Ok(rows)
}

fn params(ctx: &RunContext<'_>, terms: &Terms, never: &[i64]) -> Params {
    let (own_instance, own) = database::own_instance(&terms.source);
    ctx.params()
        .and(own)
        .with("method", method::DATABASE)
        .with("component", DATABASE.component())
        .with("source", terms.source.as_str())
        .fragment("own_instance", own_instance)
        .fragment("never", id_list(never))
        .fragment("leaving", cohorts::LEAVING)
}

/// The key of a course or cohort `c`, as the set names it.
fn place_key(ctx: &RunContext<'_>, terms: &Terms) -> String {
    match (terms.cohorts, terms.cohort_key, terms.keys.course) {
        (true, "id", _) | (false, _, CourseKey::Id) => ctx.conn.dialect().to_text("c.id"),
        (true, column, _) => format!("c.{column}"),
        (false, _, CourseKey::Shortname) => "c.shortname".to_owned(),
        (false, _, CourseKey::Idnumber) => "c.idnumber".to_owned(),
    }
}

/// The key of an account `a`, as the set names it.
fn user_key(ctx: &RunContext<'_>, terms: &Terms) -> String {
    match terms.keys.user {
        UserKey::Id => ctx.conn.dialect().to_text("a.id"),
        UserKey::Username => "a.username".to_owned(),
        UserKey::Idnumber => "a.idnumber".to_owned(),
        UserKey::Email => "a.email".to_owned(),
    }
}

/// The courses or cohorts that are spared already.
async fn spared(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<BTreeSet<i64>, DbError> {
    let sql = match terms.cohorts {
        true => "SELECT q.cohortid FROM [set_spared_cohort] q",
        false => "SELECT q.courseid FROM [set_spared_course] q",
    };
    let mut spared = BTreeSet::new();
    ctx.conn
        .each(sql, &Params::new(), |row| {
            spared.insert(row.int(0));
            Ok(())
        })
        .await?;
    Ok(spared)
}

async fn load_places(ctx: &mut RunContext<'_>, table: &Table, places: &BTreeSet<i64>) -> Result<(), DbError> {
    ctx.conn.declare(table);
    let mut rows = Bulk::into(ctx.conn.dialect(), table);
    for place in places {
        rows.push(ctx.conn, &[Field::Int(*place)]).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(table.name).await
}

async fn write(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    protected: &Protected,
    spared: &BTreeSet<i64>,
) -> Result<i64, DbError> {
    let dialect = ctx.conn.dialect();
    let mut pairs = Bulk::into(dialect, &SET_SPARED_PAIR);
    for (place, user) in &protected.pairs {
        pairs.push(ctx.conn, &[Field::Int(*place), Field::Int(*user)]).await?;
    }
    pairs.finish(ctx.conn).await?;
    ctx.conn.analyse(SET_SPARED_PAIR.name).await?;
    let (table, column) =
        if terms.cohorts { ("set_spared_cohort", "cohortid") } else { ("set_spared_course", "courseid") };
    let mut places = Bulk::new(dialect, table, column);
    for place in protected.places.difference(spared) {
        places.push(ctx.conn, &[Field::Int(*place)]).await?;
    }
    places.finish(ctx.conn).await?;
    ctx.conn.analyse(table).await?;
    let storable = |key: &&String| key.chars().count() <= KEY_WIDTH && !key.contains('\0');
    let damaged: Vec<&String> = protected.damaged.iter().filter(storable).collect();
    if damaged.is_empty() {
        return Ok(0);
    }
    ctx.conn.declare(&SET_DAMAGED);
    let mut keys = Bulk::into(dialect, &SET_DAMAGED);
    for key in damaged {
        keys.push(ctx.conn, &[Field::Text(key)]).await?;
    }
    keys.finish(ctx.conn).await?;
    ctx.conn.analyse(SET_DAMAGED.name).await?;
    let sql = dialect.insert_absent("[set_spared]", "", DAMAGED);
    let added = ctx.conn.exec(&sql, &Params::new()).await?;
    ctx.conn.analyse("set_spared").await?;
    Ok(added as i64)
}
