//! The addresses and user names that rows of a file give free: rows that want one of them are judged after the rows
//! before them, and before the rows behind them. It must not decide what becomes of a row.

use crate::accounts::options::Options;
use crate::accounts::stage::Staged;
use crate::accounts::tables::ACCOUNT_KEY;
use crate::change::context::RunContext;
use crate::config::UserKey;
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Params, Table, Value, statement};
use crate::staging::lines::SET_LINES;
use crate::staging::resolve;

const KEYS: &str = statement(include_str!("freed.sql"), "keys");
const ADDRESSES: &str = statement(include_str!("freed.sql"), "addresses");
const NAMES: &str = statement(include_str!("freed.sql"), "names");
const PAIRS: &str = statement(include_str!("freed.sql"), "pairs");

/// What the row of a line gives free, in small letters.
const ACCOUNT_FREED: Table = Table::new("account_freed", &[text("name", 255), int("line")]).primary("name, line");

/// Adds a key to `account_key` for each row that frees something and each row about another account that wants it.
/// (Where names find accounts, rows about one name share a key already; so do rows about one address where addresses
/// do.) A fixed number of statements, none if no row can free anything.
///
/// # Errors
/// The database's error.
pub async fn link(ctx: &mut RunContext<'_>, options: &Options<'_>, staged: &Staged<'_>) -> Result<(), DbError> {
    let deletes = options.delete && staged.deletes;
    let by_mail = options.by_mail();
    let changes = match by_mail {
        true => options.rename,
        false => options.change_email && options.overwrites() && staged.given.contains(&"email"),
    };
    if !(deletes || changes) || (options.shares_addresses && !by_mail) {
        return Ok(());
    }
    let (frees, wanted, another) = match by_mail {
        true => {
            resolve::addresses(ctx).await?;
            (NAMES, "t.username", "t.mail <> f.mail")
        }
        false => {
            ctx.conn.declare(&SET_LINES);
            ctx.conn.exec(KEYS, &Params::new()).await?;
            resolve::users(ctx, UserKey::Username).await?;
            (ADDRESSES, "t.mail", "t.username <> f.username")
        }
    };
    let dialect = ctx.conn.dialect();
    let other = |own: &str, key: &str| format!("NOT ({})", dialect.same_bytes(&dialect.lower(own), key));
    let flag = |on: bool| Value::Sql(if on { "1 = 1" } else { "1 = 0" }.to_owned());
    let params = Params::new()
        .with("deletes", flag(deletes))
        .with("changes", flag(changes))
        .fragment("other_mail", other("x.email", "f.mail"))
        .fragment("other_name", other("x.username", "f.username"))
        .fragment("wanted", wanted)
        .fragment("another", another)
        .fragment("freeing", dialect.to_text("p.line"))
        .fragment("wanting", dialect.to_text("t.line"));
    let mut freed: Vec<(i64, String)> = Vec::new();
    ctx.conn
        .each(frees, &params, |row| {
            freed.push((row.int(0), row.text(1).to_lowercase()));
            Ok(())
        })
        .await?;
    // No row wants a longer one.
    freed.retain(|(_, name)| resolve::fits(name).is_ok());
    if freed.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&ACCOUNT_FREED);
    let mut rows = Bulk::into(dialect, &ACCOUNT_FREED);
    for (line, name) in &freed {
        rows.push(ctx.conn, &[Field::Text(name), Field::Int(*line)]).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(ACCOUNT_FREED.name).await?;
    if ctx.conn.exec(PAIRS, &params).await? > 0 {
        ctx.conn.analyse(ACCOUNT_KEY.name).await?;
    }
    Ok(())
}
