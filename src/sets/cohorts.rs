//! A full set of cohort memberships: in the cohorts that it names, the named users become members, and users no longer
//! named leave. It must not enrol users: cohort sync follows.

use crate::change::cohorts::{self, NEW_COHORT};
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::config::UnknownProtects;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::outcome::{RunError, RunResult};
use crate::problem::PlaceKind;
use crate::sets::Terms;
use crate::staging::likeness::NewNames;
use crate::staging::lines::WRITTEN;

/// The cohorts that a set names.
const STAGE_COHORT: Table = Table::new(
    "stage_cohort",
    &[text("ckey", 255), int("cohortid").or_null(), int("contextid").or_null(), text("component", 100), int("found")],
)
.primary("ckey");
/// The site's cohorts by the key that the set uses.
const KNOWN_COHORT: Table =
    Table::new("known_cohort", &[int("id"), int("contextid"), text("component", 100), text("label", 255)])
        .joined_by(&["label"]);
/// The cohorts that the set fills.
const SET_COHORT: Table = Table::new("set_cohort", &[int("cohortid"), int("contextid")]).primary("cohortid");
/// The users whom the set names in these cohorts.
const SET_MEMBER: Table = Table::new("set_member", &[int("cohortid"), int("userid")]).primary("cohortid, userid");
/// Cohorts in which no user loses a membership.
const SET_SPARED_COHORT: Table = Table::new("set_spared_cohort", &[int("cohortid")]).primary("cohortid");

/// Keys for which no cohort is made.
const SET_WITHHELD: Table = Table::new("set_withheld", &[text("ckey", 255)]).primary("ckey");

const REFUSED: &str = statement(include_str!("cohorts.sql"), "refused rows");
const NAMED: &str = statement(include_str!("cohorts.sql"), "named cohorts");
const MISSING: &str = statement(include_str!("cohorts.sql"), "missing cohorts");
const UNUSABLE_NAMES: &str = statement(include_str!("cohorts.sql"), "unusable names");
const COHORTS: &str = statement(include_str!("cohorts.sql"), "cohorts of the set");
const MEMBERS: &str = statement(include_str!("cohorts.sql"), "members of the set");
const JOINING: &str = statement(include_str!("cohorts.sql"), "joining members");
const OWN_MEMBERSHIPS: &str = statement(include_str!("cohorts.sql"), "own memberships");
const FORMER_MEMBERSHIPS: &str = statement(include_str!("cohorts.sql"), "former memberships");
/// Members of the named cohorts whom this source has added, and whom neither its set nor another source names any more,
/// without spared ones.
pub(super) const LEAVING: &str = statement(include_str!("cohorts.sql"), "leaving members");
/// A condition that holds for nothing.
const NEVER: &str = "1 = 0";

/// A row names one account that may be written, and one cohort that no other component fills: of no component, or of
/// the source's.
const RESOLVED: &str =
    "u.found = 1 AND u.userid NOT IN (:never) AND k.found = 1 AND k.component IN ('', :own_component)";

/// Gives a statement over rows with their `u` and `k` the fragment `:resolved`.
pub(super) fn resolved(params: Params, terms: &Terms, never: &[i64]) -> Params {
    params
        .with("own_component", terms.cohort_component.as_str())
        .fragment("never", id_list(never))
        .fragment("resolved", RESOLVED)
}

/// Finds the cohorts of the staged rows, and makes the missing ones if the terms say so.
///
/// # Errors
/// The database's error.
pub async fn resolve(ctx: &mut RunContext<'_>, terms: &Terms) -> RunResult<()> {
    prepare(ctx, terms).await?;
    if terms.create_cohorts && terms.cohort_key != "id" && make(ctx, terms).await? > 0 {
        ctx.conn.exec("DELETE FROM [stage_cohort]", &Params::new()).await?;
        find(ctx).await?;
    }
    Ok(())
}

/// Reports the rows of a condition (with `:resolved`) at their kind of place, with why they do not resolve; gives their
/// number.
///
/// # Errors
/// The database's error.
pub async fn refuse(
    ctx: &mut RunContext<'_>,
    terms: &Terms,
    (place, condition): (PlaceKind, &str),
    never: &[i64],
) -> Result<u64, DbError> {
    let params = resolved(ctx.params(), terms, never)
        .with("userkey", terms.keys.user.as_str())
        .with("cohortkey", terms.cohort_key)
        .with("keycolumn", format!("cohort.{}", key_column(terms)))
        .fragment("unstorable", unstorable(ctx, key_column(terms), "l.ckey"))
        .fragment("written", WRITTEN)
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"))
        .fragment("cohortcount", ctx.conn.dialect().to_text("k.found"))
        .fragment("refused", condition);
    ctx.report_problems(place, REFUSED, params).await
}

/// Finds the existing cohorts of the staged rows.
///
/// # Errors
/// The database's error.
pub async fn prepare(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&STAGE_COHORT);
    load(ctx, terms).await?;
    find(ctx).await
}

/// Makes `known_cohort`: the site's cohorts by the key that the set uses, for which Moodle has no index. Grows with the
/// cohorts of the site, one statement.
async fn load(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&KNOWN_COHORT);
    let label = match terms.cohort_key {
        "id" => ctx.conn.dialect().to_text("c.id"),
        "name" => "c.name".to_owned(),
        _ => "c.idnumber".to_owned(),
    };
    let params = ctx.params().fragment("label", label);
    let sql = "INSERT INTO [known_cohort]
        SELECT c.id, c.contextid, c.component, :label FROM {cohort} c WHERE :label <> ''";
    ctx.conn.exec(sql, &params).await?;
    ctx.conn.analyse(KNOWN_COHORT.name).await
}

async fn find(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let params = ctx.params().fragment("same", same(ctx, "k.ckey"));
    ctx.conn.exec(NAMED, &params).await?;
    ctx.conn.analyse(STAGE_COHORT.name).await
}

/// The condition that the cohort `c` of `known_cohort` is the one that a key names.
fn same(ctx: &RunContext<'_>, key: &str) -> String {
    ctx.conn.dialect().same_text("c.label", key)
}

/// The column of a cohort that a key names.
fn key_column(terms: &Terms) -> &'static str {
    if terms.cohort_key == "name" { "name" } else { "idnumber" }
}

/// The condition that a text has a character that the column of the site's cohorts cannot store.
fn unstorable(ctx: &RunContext<'_>, column: &str, text: &str) -> String {
    ctx.conn.unstorable("cohort", column, text).unwrap_or_else(|| NEVER.to_owned())
}

/// Makes the missing cohorts in the system context; gives how many.
async fn make(ctx: &mut RunContext<'_>, terms: &Terms) -> RunResult<i64> {
    ctx.conn.declare(&NEW_COHORT);
    let (name, idnumber) = match terms.cohort_key {
        "name" => ("l.ckey", "''"),
        _ => (":named", "l.ckey"),
    };
    let unnamed = unstorable(ctx, "name", "l.gkey");
    let params = ctx
        .params()
        .fragment("name", name)
        .fragment("named", "COALESCE(NULLIF(MAX(CASE WHEN :unnamed THEN '' ELSE l.gkey END), ''), l.ckey)")
        .fragment("unnamed", unnamed.as_str())
        .fragment("unstorable", unstorable(ctx, key_column(terms), "l.ckey"))
        .fragment("idnumber", idnumber)
        .with("system", ctx.site.system_context)
        .with("own_component", terms.cohort_component.as_str());
    withhold(ctx, terms).await?;
    let missing = ctx.conn.exec(MISSING, &params).await?;
    if unnamed != NEVER {
        // The cohort gets its key as its name, so that no membership is lost.
        ctx.report_problems(PlaceKind::Cohort, UNUSABLE_NAMES, params.clone()).await?;
    }
    if missing == 0 {
        return Ok(0);
    }
    let pass_no = ctx.next_pass();
    let made = cohorts::create(ctx, pass_no).await?;
    load(ctx, terms).await?;
    Ok(made)
}

/// Makes `set_withheld`: the unknown keys that are damaged or like the key of a cohort of the site. A cohort of such a
/// name would take the members of another. Grows with the unknown keys and the cohorts of the site, in two queries.
async fn withhold(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&SET_WITHHELD);
    if terms.unknown_protects == UnknownProtects::Off {
        return Ok(());
    }
    let unknown = ctx.conn.rows("SELECT k.ckey FROM [stage_cohort] k WHERE k.found = 0", &Params::new()).await?;
    if unknown.is_empty() {
        return Ok(());
    }
    let mut names = NewNames::default();
    unknown.iter().for_each(|row| names.add(0, &row.text(0)));
    ctx.conn
        .each("SELECT c.label FROM [known_cohort] c", &Params::new(), |row| {
            names.existing(0, &row.text(0));
            Ok(())
        })
        .await?;
    let mut rows = Bulk::into(ctx.conn.dialect(), &SET_WITHHELD);
    for (_, key) in &names.suspect() {
        rows.push(ctx.conn, &[Field::Text(key)]).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(SET_WITHHELD.name).await
}

/// Makes the memberships true, and records which of them are this source's.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, terms: &Terms) -> RunResult<()> {
    let params = ctx.params().with("source", terms.source.as_str());
    cohorts::weigh(ctx, "[set_cohort]", LEAVING, &params, false).await?;
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    let pass_no = ctx.next_pass();
    ctx.remove_rows(Position { pass_no, rank: kinds::COHORT_LEAVE }, Pick::new(LEAVING).params(params.clone())).await?;
    cohorts::join(ctx, pass_no, JOINING, params.clone()).await?;
    Ok(remember(ctx, &params).await?)
}

/// Adds the members of the set who are missing, and records them as this source's; nobody leaves.
///
/// # Errors
/// The database's error.
pub async fn join(ctx: &mut RunContext<'_>, terms: &Terms) -> RunResult<()> {
    let params = ctx.params().with("source", terms.source.as_str());
    let pass_no = ctx.next_pass();
    cohorts::join(ctx, pass_no, JOINING, params.clone()).await?;
    ctx.conn.exec(OWN_MEMBERSHIPS, &params).await?;
    Ok(())
}

/// Makes `set_cohort` and `set_member` from `stage_line` and its keys.
///
/// # Errors
/// The database's error.
pub async fn gather(ctx: &mut RunContext<'_>, terms: &Terms, never: &[i64]) -> Result<(), DbError> {
    let conn = &mut *ctx.conn;
    conn.declare(&SET_COHORT);
    conn.declare(&SET_MEMBER);
    let params = resolved(ctx.params(), terms, never);
    let conn = &mut *ctx.conn;
    conn.exec(COHORTS, &params).await?;
    conn.exec(MEMBERS, &params).await?;
    conn.analyse(SET_COHORT.name).await?;
    conn.analyse(SET_MEMBER.name).await?;
    spare(ctx, terms).await
}

/// Spares the cohorts that a key may mean which names none or several: no user leaves them.
async fn spare(ctx: &mut RunContext<'_>, terms: &Terms) -> Result<(), DbError> {
    ctx.conn.declare(&SET_SPARED_COHORT);
    let field = match terms.cohort_key {
        "id" => ctx.conn.dialect().to_text("c.id"),
        column => format!("LOWER(TRIM(c.{column}))"),
    };
    let params = ctx.params().fragment("field", field);
    let sql = "INSERT INTO [set_spared_cohort] SELECT DISTINCT c.id FROM {cohort} c
                 JOIN [stage_cohort] k ON k.found <> 1 AND LOWER(k.ckey) = :field";
    ctx.conn.exec(sql, &params).await.map(|_| ())
}

/// Records the memberships that the set names as this source's, whoever made them, and deletes the records of those
/// that it no longer names, except spared ones.
async fn remember(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    ctx.conn.exec(OWN_MEMBERSHIPS, params).await?;
    ctx.conn.exec(FORMER_MEMBERSHIPS, params).await.map(|_| ())
}
