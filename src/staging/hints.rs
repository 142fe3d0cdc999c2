//! Looks for the keys that unknown ones may have been, and adds them to the hints of the problems that are kept.
//! It must not resolve a line by them: whoever reads the problem decides.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::RunContext;
use crate::config::{CourseKey, UserKey};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::problem::{self, Code, hint};
use crate::staging::likeness::variants;
use crate::staging::resolve::{KEY_WIDTH, Keys};

/// What unknown keys may have been.
const STAGE_VARIANT: Table = Table::new("stage_variant", &[int("n"), text("vkey", KEY_WIDTH)]);
/// What is added to the hints of problems.
const STAGE_HINT: Table = Table::new("stage_hint", &[int("n"), text("hint", 255)]).primary("n");

/// The most keys that a hint names.
const SHOWN: usize = 3;
/// The longest value, in characters, for which like ones are searched: it has more spellings the longer it is.
const LONGEST: usize = 60;
/// The most problems for which they are searched, so that a damaged file costs no more than a good one.
const MOST: usize = 1_000;

/// Adds what is like it to the hint of each kept problem with an unknown account or course. Three queries for each of
/// the two, over the variants of the values and by the index of the key, and one update; none where no such problem is
/// kept. Addresses have no index.
///
/// # Errors
/// The database's error.
pub async fn suggest(ctx: &mut RunContext<'_>, keys: Keys) -> Result<(), DbError> {
    users(ctx, keys.user).await?;
    let exact = |column: &str| ctx.conn.exact("course", column, "v.vkey");
    let (column, same) = match keys.course {
        CourseKey::Shortname => ("x.shortname", exact("x.shortname")),
        CourseKey::Idnumber => ("x.idnumber", exact("x.idnumber")),
        CourseKey::Id => return Ok(()),
    };
    add(ctx, Code::CourseUnknown, keys.course.as_str(), ("{course}", column, &same)).await
}

/// [`suggest`] for accounts only.
///
/// # Errors
/// The database's error.
pub async fn users(ctx: &mut RunContext<'_>, key: UserKey) -> Result<(), DbError> {
    let exact = |column: &str| ctx.conn.exact("user", column, "v.vkey");
    let (column, same) = match key {
        UserKey::Username => {
            ("x.username", format!("{} AND x.mnethostid = :host AND x.deleted = 0", exact("x.username")))
        }
        UserKey::Idnumber => ("x.idnumber", format!("{} AND x.deleted = 0", exact("x.idnumber"))),
        UserKey::Email | UserKey::Id => return Ok(()),
    };
    add(ctx, Code::UserUnknown, key.as_str(), ("{user}", column, &same)).await
}

async fn add(
    ctx: &mut RunContext<'_>,
    code: Code,
    key: &str,
    (table, column, same): (&str, &str, &str),
) -> Result<(), DbError> {
    let problems = problem::unknown_keys(ctx.conn, ctx.run, code, key).await?;
    let dialect = ctx.conn.dialect();
    ctx.conn.declare(&STAGE_VARIANT);
    let mut rows = Bulk::into(dialect, &STAGE_VARIANT);
    for (n, value, _) in problems.iter().filter(|(_, value, _)| value.chars().count() <= LONGEST).take(MOST) {
        for variant in variants(value) {
            rows.push(ctx.conn, &[Field::Int(*n), Field::Text(&variant)]).await?;
        }
    }
    if rows.finish(ctx.conn).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse(STAGE_VARIANT.name).await?;
    let params = ctx.params().with("host", ctx.site.local_host());
    let params = params.fragment("things", table).fragment("key", column).fragment("same", same);
    let mut found: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    ctx.conn.prefer_indexes(true).await?;
    ctx.conn
        .each("SELECT v.n, :key FROM [stage_variant] v JOIN :things x ON :same", &params, |row| {
            found.entry(row.int(0)).or_default().insert(row.text(1));
            Ok(())
        })
        .await?;
    ctx.conn.prefer_indexes(false).await?;
    ctx.conn.declare(&STAGE_HINT);
    let mut rows = Bulk::into(dialect, &STAGE_HINT);
    for (n, _, hint) in &problems {
        let Some(keys) = found.get(n) else { continue };
        let keys: Vec<&str> = keys.iter().map(String::as_str).take(SHOWN).collect();
        let hint: String = hint::with_keys(hint, &keys).chars().take(KEY_WIDTH).collect();
        rows.push(ctx.conn, &[Field::Int(*n), Field::Text(&hint)]).await?;
    }
    if rows.finish(ctx.conn).await? > 0 {
        problem::set_hints(ctx.conn, ctx.run, STAGE_HINT.name).await?;
    }
    Ok(())
}
