//! Makes the accounts of a step's rows, with their contexts. It must not decide which rows make one.

use crate::accounts::locks::Lock;
use crate::accounts::options::Options;
use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::db::{DbError, Params, Value, statement};
use crate::moodle::account::{Accepts, VALUES, default_value};
use crate::outcome::RunResult;
use crate::problem::PlaceKind;

const MADE: &str = statement(include_str!("create.sql"), "made");
const INSERTED: &str = statement(include_str!("create.sql"), "inserted");
const CONTEXTS: &str = statement(include_str!("create.sql"), "contexts");
/// What an account cannot do without, also if a directory locks it.
const NEEDED: [&str; 3] = ["firstname", "lastname", "email"];

const OVERTAKEN: &str = statement(include_str!("create.sql"), "overtaken");

/// Makes an account for each row with the verdict `create`; rows that another writer overtook are reported, and get the
/// verdict `overtaken`. A fixed number of statements.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, pass_no: i64, options: &Options<'_>) -> RunResult<()> {
    let to_make = "SELECT COUNT(*) FROM [account_now] n WHERE n.verdict = 'create'";
    let planned = ctx.conn.number(to_make, &Params::new()).await?;
    if planned == 0 {
        return Ok(());
    }
    ctx.guard_check().await?;
    insert(ctx, options).await?;
    let overtaken = set_aside(ctx).await?;
    contexts(ctx, Position { pass_no, rank: kinds::ACCOUNT_CONTEXT }).await?;
    // Only now the journal gets the ids: changing its rows would take as long as writing them.
    let position = Position { pass_no, rank: kinds::MAKE_ACCOUNT };
    let row = ctx.conn.dialect().json_given(&[("username", "s.username".to_owned())]);
    let columns = "line, state, userid, targetid, courseid, contextid, timestart, oldrow";
    let params = ctx.params().fragment("row", row);
    ctx.journal(position, columns, "planned.line", MADE, params).await?;
    ctx.book(position.rank.kind, planned, planned - overtaken as i64);
    Ok(())
}

/// Inserts the accounts whose names are still free, and finds their ids.
async fn insert(ctx: &mut RunContext<'_>, options: &Options<'_>) -> Result<(), DbError> {
    let before = ctx.conn.number("SELECT MAX(id) FROM {user}", &ctx.params()).await?;
    let mut names: Vec<&str> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    let mut params = ctx
        .params()
        .with("before", before)
        .with("host", ctx.site.local_host())
        .fragment("same", ctx.conn.exact("user", "u.username", "s.username"))
        .fragment("alike", ctx.conn.alike("user", "u.username", "s.username"));
    let given = VALUES.iter().map(|(column, accepts)| (*column, *accepts == Accepts::Number, true));
    let others = [("calendartype", false, false)];
    for (at, (column, number, staged)) in given.chain(others).enumerate() {
        let own = format!("v_{at}");
        let default = default_value(ctx.site, column);
        let given = format!("NULLIF(s.{column}, ''), NULLIF(d.{column}, '')");
        let dialect = ctx.conn.dialect();
        let given = if number { dialect.to_int(&format!("COALESCE({given})")) } else { given };
        let given = match Lock::of(ctx.site, options, column).filter(|_| !NEEDED.contains(&column)) {
            Some(lock) => {
                let opens = lock.opens(dialect, &Options::auth_of_new(dialect), "''");
                format!("CASE WHEN {opens} THEN COALESCE({given}) END")
            }
            None => given,
        };
        values.push(match (staged, default) {
            (true, Some(value)) => {
                params = params.with(own.clone(), value);
                format!("COALESCE({given}, :{own})")
            }
            (true, None) => format!("COALESCE({given})"),
            (false, value) => {
                params = params.with(own.clone(), value.unwrap_or(Value::Sql("''".to_owned())));
                format!(":{own}")
            }
        });
        names.push(column);
    }
    let params = params.fragment("names", names.join(", ")).fragment("values", values.join(", "));
    ctx.conn.exec(INSERTED, &params).await?;
    let (from, made) = (
        "[account_stage] s, {user} u",
        "n.verdict = 'create' AND s.line = n.line AND u.id > :before AND u.mnethostid = :host AND :same",
    );
    let update = ctx.conn.dialect().update_joined("[account_now]", "n", &[("userid", "u.id")], from, made);
    ctx.conn.exec(&update, &params).await.map(|_| ())
}

/// Reports the rows whose account was not made, because another writer used its name first.
async fn set_aside(ctx: &mut RunContext<'_>) -> Result<u64, DbError> {
    let overtaken = ctx.report_problems(PlaceKind::Line, OVERTAKEN, ctx.params()).await?;
    if overtaken > 0 {
        let sql = "UPDATE [account_now] SET verdict = 'overtaken' WHERE verdict = 'create' AND userid IS NULL";
        ctx.conn.exec(sql, &Params::new()).await?;
    }
    Ok(overtaken)
}

/// Makes the contexts, below that of the system; a path ends with the context's own id.
async fn contexts(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let params = ctx.at(position).with("system", ctx.site.system_context);
    let dialect = ctx.conn.dialect();
    let insert = dialect.insert_absent("{context}", "contextlevel, instanceid, depth", CONTEXTS);
    let applied = ctx.conn.exec(&insert, &params).await? as i64;
    let path = format!("'/' || {} || '/' || {}", dialect.to_text(":system"), dialect.to_text("x.id"));
    let own = "x.contextlevel = 30 AND x.instanceid = n.userid AND x.path IS NULL AND n.verdict = 'create'";
    let update = dialect.update_joined("{context}", "x", &[("path", &path)], "[account_now] n", own);
    ctx.conn.exec(&update, &params).await?;
    let own = "x.contextlevel = 30 AND x.instanceid = n.userid AND n.verdict = 'create'";
    let update = dialect.update_joined("[account_now]", "n", &[("contextid", "x.id")], "{context} x", own);
    ctx.conn.exec(&update, &params).await?;
    let made = "SELECT n.line, n.userid, 0 AS courseid, n.contextid FROM [account_now] n WHERE n.verdict = 'create'";
    let columns = "line, userid, courseid, contextid";
    let planned = ctx.journal(position, columns, "planned.line", made, ctx.params()).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
