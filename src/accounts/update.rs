//! Renames accounts and changes their values, as the rows of a step say. It must not make or delete accounts, nor
//! decide which row means which account.

use crate::accounts::fields;
use crate::accounts::locks::Lock;
use crate::accounts::options::Options;
use crate::accounts::stage::Staged;
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::rewrite::{NewValue, Rewriting};
use crate::config::Update;
use crate::db::{DbError, Dialect, Params, statement};
use crate::moodle::account::{self, Accepts, VALUES};
use crate::moodle::password::NOT_CACHED;
use crate::moodle::site::Site;
use crate::outcome::RunResult;

const RENAMED: &str = statement(include_str!("update.sql"), "renamed");
const CHANGED: &str = statement(include_str!("update.sql"), "changed");
const UNCHANGED: &str = statement(include_str!("update.sql"), "unchanged");

const COLUMNS: &str = "line, userid, courseid, contextid, targetid, oldrow, newrow";

/// Renames and changes the accounts of the rows with the verdict `update`; a row that changes nothing gets the verdict
/// `same`.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    options: &Options<'_>,
    staged: &Staged<'_>,
    params: &Params,
) -> RunResult<()> {
    if ctx.conn.number("SELECT COUNT(*) FROM [account_now] n WHERE n.verdict = 'update'", params).await? == 0 {
        return Ok(());
    }
    rename(ctx, Position { pass_no, rank: kinds::RENAME_ACCOUNT }, params).await?;
    change(ctx, pass_no, options, staged, params).await
}

async fn rename(ctx: &mut RunContext<'_>, position: Position, params: &Params) -> Result<(), DbError> {
    let name = Rewriting::of(ctx.conn.dialect(), "user", &[("username", "s.username".to_owned())], &[], &[]);
    let all = params.clone().and(ctx.at(position)).fragment("oldrow", name.oldrow).fragment("newrow", name.newrow);
    let planned =
        ctx.journal(position, COLUMNS, "planned.line", RENAMED, all.fragment("differs", name.differs)).await?;
    ctx.rewrite_planned(position, planned, &["username"]).await.map(|_| ())
}

async fn change(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    options: &Options<'_>,
    staged: &Staged<'_>,
    params: &Params,
) -> RunResult<()> {
    let dialect = ctx.conn.dialect();
    if options.changes_auths() && staged.given.contains(&"auth") {
        forget_passwords(ctx, options).await?;
    }
    let values = values(ctx.site, options, staged, dialect);
    let now = [("timemodified", ":now".to_owned())];
    let all = Rewriting::with(dialect, "user", &values, &now, "s.newpassword IS NOT NULL");
    let other = format!("NOT ({})", dialect.same_bytes("q.data", "f.value"));
    let params = params
        .clone()
        .and(ctx.params())
        .fragment("oldrow", all.oldrow)
        .fragment("newrow", all.newrow)
        .fragment("differs", all.differs)
        .fragment("fields", format!("(:writes AND {})", fields::CHANGES))
        .fragment("other", other)
        .fragment("fill", "(:from_file OR q.data = '')")
        .with("suspended_rank", kinds::SUSPEND_ACCOUNT.at)
        .with("changed_rank", kinds::UPDATE_ACCOUNT.at)
        .fragment("suspends", suspends(options));
    let ranks = [kinds::UPDATE_ACCOUNT, kinds::SUSPEND_ACCOUNT];
    let planned = ctx.journal_ranked(pass_no, &ranks, COLUMNS, "planned.line", CHANGED, params.clone()).await?;
    if planned > 0 {
        ctx.guard_check().await?;
        let mut columns: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
        columns.push("timemodified");
        for rank in ranks {
            let position = Position { pass_no, rank };
            let planned = ctx.still_valid(position).await?;
            ctx.rewrite_planned(position, planned, &columns).await?;
            set_passwords(ctx, position).await?;
            end_sessions(ctx, position).await?;
        }
    }
    let (from, _) = Position { pass_no, rank: kinds::UPDATE_ACCOUNT }.range();
    let (_, to) = Position { pass_no, rank: kinds::SUSPEND_ACCOUNT }.range();
    ctx.conn.exec(UNCHANGED, &params.with("from", from).with("to", to)).await?;
    Ok(())
}

/// The condition that a row `s` keeps its account `x` from logging in, which the guard counts as a suspension.
fn suspends(options: &Options<'_>) -> String {
    let state = "(s.suspended = 1 AND x.suspended = 0)";
    let method = format!("({} = 'nologin' AND x.auth <> 'nologin')", options.auth_given());
    match (options.suspend, options.changes_auths()) {
        (true, true) => format!("{state} OR {method}"),
        (true, false) => state.to_owned(),
        (false, true) => method,
        (false, false) => "1 = 0".to_owned(),
    }
}

/// Gives accounts whose password another system checks from now on the word that stands for none.
async fn forget_passwords(ctx: &mut RunContext<'_>, options: &Options<'_>) -> Result<(), DbError> {
    let params = Params::new()
        .with("none", NOT_CACHED)
        .fragment("internal", options.internal_auths())
        .fragment("given", options.auth_given());
    let none = [("newpassword", ":none")];
    let from = "[account_now] n LEFT JOIN [account_default] d ON d.line = n.line, {user} x";
    let leaving = "n.line = s.line AND n.verdict = 'update' AND x.id = n.userid AND x.password <> :none
        AND :given NOT IN (:internal)";
    let sql = ctx.conn.dialect().update_joined("[account_stage]", "s", &none, from, leaving);
    ctx.conn.exec(&sql, &params).await.map(|_| ())
}

/// Stores the new passwords of the changed accounts. The journal holds neither these hashes nor the old ones.
async fn set_passwords(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let changed = ":here AND c.state = 0 AND x.id = c.userid AND s.line = c.line AND s.newpassword IS NOT NULL";
    let (password, from) = ([("password", "s.newpassword")], "{enrold_change} c, [account_stage] s");
    let sql = ctx.conn.dialect().update_joined("{user}", "x", &password, from, changed);
    ctx.conn.exec(&sql, &ctx.at(position)).await.map(|_| ())
}

/// Ends the sessions of the accounts that the changes of a position suspend or keep from logging in.
async fn end_sessions(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let closed = "(SELECT DISTINCT c.userid FROM {enrold_change} c JOIN {user} x ON x.id = c.userid
        WHERE :here AND c.state = 0 AND (x.suspended = 1 OR x.auth = 'nologin')) d";
    let sql = ctx.conn.dialect().delete_joined("{sessions}", "y", closed, "y.userid = d.userid");
    ctx.conn.exec(&sql, &ctx.at(position)).await.map(|_| ())
}

/// The new values of an account `x`, as a row `s`, its defaults `d` and the options say; NULL keeps the old one.
fn values(site: &Site, options: &Options<'_>, staged: &Staged<'_>, dialect: Dialect) -> Vec<NewValue> {
    let update = options.profile.update;
    let mut values: Vec<NewValue> = Vec::new();
    for (column, accepts) in VALUES {
        let is_given = staged.given.contains(&column);
        if update == Update::None || !is_given || (column == "auth" && !options.change_auth) {
            continue;
        }
        let number = accepts == Accepts::Number;
        let of_row = match account::is_never_empty(column) {
            true => format!("NULLIF(s.{column}, '')"),
            false => format!("s.{column}"),
        };
        let text = match update {
            Update::File => of_row,
            Update::FileAndDefaults => format!("COALESCE({of_row}, d.{column})"),
            // A number is never empty.
            Update::Missing if number => continue,
            Update::Missing | Update::None => {
                format!("CASE WHEN COALESCE(x.{column}, '') = '' THEN COALESCE(NULLIF(s.{column}, ''), d.{column}) END")
            }
        };
        let value = if number { dialect.to_int(&text) } else { text };
        if column == "email" && !options.change_email {
            continue;
        }
        // An address that differs in case only stays as it is.
        let own = (column == "email").then(|| "n.newmail = 1".to_owned());
        let lock = Lock::of(site, options, column);
        let opens = lock.map(|lock| {
            let old = if number { dialect.to_text(&format!("x.{column}")) } else { format!("x.{column}") };
            lock.opens(dialect, &options.auth_after(dialect), &old)
        });
        let conditions: Vec<String> = own.into_iter().chain(opens).collect();
        let value = match conditions.is_empty() {
            false => format!("CASE WHEN {} THEN {value} END", conditions.join(" AND ")),
            true => value,
        };
        values.push((column, value));
    }
    if options.suspend {
        values.push(("suspended", "s.suspended".to_owned()));
    }
    values
}
