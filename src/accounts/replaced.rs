//! Takes out of the rows of a step what later rows of the file say otherwise about the same account, so that a second
//! run changes nothing. It must not change an account, nor a row that makes one.

use crate::accounts::options::Options;
use crate::accounts::stage::Staged;
use crate::accounts::tables::ACCOUNT_INTEREST;
use crate::change::context::RunContext;
use crate::config::Update;
use crate::db::{DbError, Params, statement};
use crate::moodle::account;

const PAIRS: &str = statement(include_str!("replaced.sql"), "pairs");
const LATER: &str = statement(include_str!("replaced.sql"), "later values");
const DEFAULTS: &str = statement(include_str!("replaced.sql"), "later defaults");
const FIELDS: &str = statement(include_str!("replaced.sql"), "fields");
const INTERESTS: &str = statement(include_str!("replaced.sql"), "interests");

/// Makes the values NULL that a later row replaces; `params` are those of the statements that judge rows. At most four
/// statements.
///
/// # Errors
/// The database's error.
pub async fn forget(
    ctx: &mut RunContext<'_>,
    options: &Options<'_>,
    staged: &Staged<'_>,
    params: &Params,
) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let params = params
        .clone()
        .fragment("pairs", PAIRS)
        .fragment("key", if options.by_mail() { "'m:' || s.mail" } else { "'n:' || s.username" })
        .fragment("own_name", dialect.same_bytes(&dialect.lower("x.username"), "t.username"))
        .fragment("own_mail", dialect.same_bytes(&dialect.lower("x.email"), "t.mail"))
        .fragment("own_number", dialect.same_bytes("x.idnumber", "t.idnumber"));
    let mut columns = vec!["suspended"];
    if options.overwrites() {
        columns.push("newforces");
        columns.extend(&staged.given);
    }
    clear(ctx, "account_stage", &columns, LATER, &params).await?;
    if options.overwrites() {
        ctx.conn.exec(FIELDS, &params).await?;
        if !ctx.conn.is_unmade(ACCOUNT_INTEREST.name) {
            ctx.conn.exec(INTERESTS, &params).await?;
        }
    }
    columns.retain(|column| options.profile.default.contains_key(*column));
    if options.profile.update == Update::FileAndDefaults && !columns.is_empty() {
        clear(ctx, "account_default", &columns, DEFAULTS, &params).await?;
    }
    Ok(())
}

/// Makes the columns of the rows of a table NULL that a later row `t` gives.
async fn clear(
    ctx: &mut RunContext<'_>,
    table: &str,
    columns: &[&str],
    later: &str,
    params: &Params,
) -> Result<(), DbError> {
    let flag = |column: &&str| {
        let given = match account::is_never_empty(column) {
            true => format!("NULLIF(t.{column}, '')"),
            false => format!("t.{column}"),
        };
        format!("MAX(CASE WHEN {given} IS NULL THEN 0 ELSE 1 END) AS {column}")
    };
    let flags = columns.iter().map(flag).collect::<Vec<_>>().join(", ");
    let kept: Vec<String> =
        columns.iter().map(|column| format!("CASE WHEN r.{column} = 1 THEN NULL ELSE s.{column} END")).collect();
    let set: Vec<(&str, &str)> = columns.iter().copied().zip(kept.iter().map(String::as_str)).collect();
    let update = ctx.conn.dialect().update_joined(&format!("[{table}]"), "s", &set, later, "s.line = r.line");
    ctx.conn.exec(&update, &params.clone().fragment("flags", flags)).await.map(|_| ())
}
