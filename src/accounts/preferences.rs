//! The preferences by which Moodle generates passwords and has them changed at the next login. It must not decide which
//! accounts need them: the staged rows say so.

use crate::accounts::options::Options;
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::change::rewrite::Rewriting;
use crate::db::{DbError, Params, Value, statement};
use crate::outcome::RunResult;

const NEEDED: &str = statement(include_str!("preferences.sql"), "needed");
const WANTED: &str = statement(include_str!("preferences.sql"), "wanted");
const OTHER: &str = statement(include_str!("preferences.sql"), "other");
const UNWANTED: &str = statement(include_str!("preferences.sql"), "unwanted");

const ORDER: &str = "planned.line, planned.component";

/// Writes the preferences of the accounts that this pass has made, and of those whose row gives a password or another
/// authentication method.
///
/// # Errors
/// The database's error.
pub async fn write(ctx: &mut RunContext<'_>, pass_no: i64, options: &Options<'_>) -> RunResult<()> {
    let gives = Value::Sql(if options.change_password { "1 = 1" } else { "1 = 0" }.to_owned());
    let params = ctx
        .params()
        .with("gives", gives)
        .fragment("internal", options.internal_auths())
        .fragment("given", options.auth_given());
    let unwanted = Pick::new(UNWANTED).params(params.clone());
    ctx.remove_rows(Position { pass_no, rank: kinds::DROP_PREFERENCE }, unwanted).await?;
    let params = params.fragment("needed", NEEDED);
    change(ctx, Position { pass_no, rank: kinds::CHANGE_PREFERENCE }, params.clone()).await?;
    Ok(add(ctx, Position { pass_no, rank: kinds::SET_PREFERENCE }, params).await?)
}

async fn change(ctx: &mut RunContext<'_>, position: Position, params: Params) -> Result<(), DbError> {
    let value = Rewriting::of(ctx.conn.dialect(), "user_preferences", &[("value", "'1'".to_owned())], &[], &[]);
    let params = params
        .and(ctx.at(position))
        .fragment("oldrow", value.oldrow)
        .fragment("newrow", value.newrow)
        .fragment("differs", value.differs);
    let columns = "line, userid, courseid, contextid, component, targetid, oldrow, newrow";
    let planned = ctx.journal(position, columns, ORDER, OTHER, params).await?;
    ctx.rewrite_planned(position, planned, &["value"]).await.map(|_| ())
}

async fn add(ctx: &mut RunContext<'_>, position: Position, params: Params) -> Result<(), DbError> {
    let row = ctx.conn.dialect().json_given(&[("value", "'1'".to_owned())]);
    let params = params.and(ctx.at(position)).fragment("row", row);
    let columns = "line, userid, courseid, contextid, component, oldrow";
    let planned = ctx.journal(position, columns, ORDER, WANTED, params.clone()).await?;
    if planned == 0 {
        return Ok(());
    }
    let select = "SELECT c.userid, c.component, '1' FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let applied =
        ctx.conn.insert_missing("{user_preferences}", "userid, name, value", select, &params, planned).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
