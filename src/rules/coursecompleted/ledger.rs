//! The ledger `enrold_completion`: which completions were seen at which instance, and what became of them.
//! It must not use a time watermark: a completion is new if the ledger has no row with its date.

use crate::change::context::RunContext;
use crate::db::table::{int, small, text};
use crate::db::{DbError, Params, Table, statement};
use crate::outcome::RunResult;
use crate::reconcile::Pass;

/// Completions that are new.
const NEWS: Table = Table::new(
    "news",
    &[int("enrolid"), int("courseid"), int("userid"), int("timecompleted"), small("known"), text("state", 20)],
)
.primary("enrolid, userid");
/// Completions that are due, each with its verdict: 0 is to be enrolled now.
const COMPLETED: Table = Table::new(
    "completed",
    &[
        int("enrolid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("source"),
        int("roleid"),
        int("timestart"),
        int("timeend"),
        small("verdict"),
    ],
)
.primary("enrolid, userid")
.indexed_not_on_postgres(&["userid, source"]);

const FOUND: &str = statement(include_str!("ledger.sql"), "news");
const FIRST_SEEN: &str = statement(include_str!("ledger.sql"), "completions of the ledger");
const WATCHED: &str = statement(include_str!("ledger.sql"), "watched instances");
const LEFT_OUT: &str = statement(include_str!("ledger.sql"), "those left out");
const JUDGED: &str = statement(include_str!("ledger.sql"), "judged completions");

/// Records new completions: those that the ledger does not have, or has with another date (spec 7). Completions that
/// existed when an instance was first seen are old and do nothing, like those first seen at a disabled instance.
///
/// # Errors
/// The database's error.
pub async fn take_in(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    find_news(ctx, pass).await?;
    let params = ctx.params();
    let news: [(&str, &str); 5] = [
        ("timecompleted", "n.timecompleted"),
        ("state", "n.state"),
        ("seen", ":now"),
        ("changed", ":now"),
        ("run", ":run"),
    ];
    let same = "n.known = 1 AND l.enrolid = n.enrolid AND l.courseid = n.courseid AND l.userid = n.userid";
    let again = ctx.conn.dialect().update_joined("{enrold_completion}", "l", &news, "[news] n", same);
    ctx.conn.exec(&again, &params).await?;
    ctx.conn.exec(FIRST_SEEN, &params).await?;
    watch(ctx, &params).await?;
    if ctx.backfill {
        ask(ctx, &params).await?;
    }
    Ok(())
}

async fn find_news(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&NEWS);
    ctx.conn.exec(FOUND, &pass.params(ctx)).await?;
    ctx.conn.analyse(NEWS.name).await
}

/// Marks instances as seen: a row of user 0 for each, with its source, and a row of instance 0 for enrold's first pass.
/// An instance whose source was changed in Moodle counts as new again.
async fn watch(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    let mark = |state: &'static str| [("state", state), ("changed", ":now"), ("run", ":run")];
    let dialect = ctx.conn.dialect();
    let left =
        "h.unknown = 1 AND l.enrolid = h.enrolid AND l.userid = 0 AND l.state = 'watched' AND l.courseid <> h.source";
    let left = dialect.update_joined("{enrold_completion}", "l", &mark("'left'"), "[chain] h", left);
    ctx.conn.exec(&left, params).await?;
    let back =
        "h.unknown = 1 AND l.enrolid = h.enrolid AND l.userid = 0 AND l.state = 'left' AND l.courseid = h.source";
    let back = dialect.update_joined("{enrold_completion}", "l", &mark("'watched'"), "[chain] h", back);
    ctx.conn.exec(&back, params).await?;
    ctx.conn.exec(WATCHED, params).await.map(|_| ())
}

/// Backfill: marks completions that an enabled instance left out as `asked`, unless the user is active in the target
/// already (spec 4). A user whom the instance enrolled once is not enrolled again, so that a removal lasts.
async fn ask(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    let set = [("state", "'asked'"), ("seen", ":now"), ("changed", ":now"), ("run", ":run")];
    let sql = ctx.conn.dialect().update_joined("{enrold_completion}", "l", &set, "[chain] h", LEFT_OUT);
    let params = params.clone().fragment("open", open(&moment(":now")));
    ctx.conn.exec(&sql, &params).await.map(|_| ())
}

/// Judges waiting completions that are due, in `completed`: 0 enrol, 1 window not open, 2 already enrolled.
///
/// The start is the instance's own date, else completion plus delay, else now. The window is judged when the completion
/// is seen, as in Moodle's event, or at the start if that is later; a completion whose own date (with the delay) lies
/// in the window also counts if it is seen too late. An enrolment of the instance that was written after the completion
/// was made by Moodle or a user, and stays.
///
/// # Errors
/// The database's error.
pub async fn judge(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    ctx.conn.declare(&COMPLETED);
    let params = pass
        .params(ctx)
        .fragment("moment", moment("l.seen"))
        .fragment("open", open("h.moment"))
        .fragment("was_open", open("h.reached"));
    ctx.conn.exec(JUDGED, &params).await?;
    ctx.conn.analyse(COMPLETED.name).await?;
    let outcome = "CASE WHEN t.verdict = 1 THEN 'closed' ELSE 'enrolled' END";
    Ok(settle(ctx, outcome, "t.verdict > 0").await?)
}

/// When a completion that was seen at `seen` takes effect: at the instance's own date or after the delay, but not
/// before it was seen.
fn moment(seen: &str) -> String {
    format!(
        "CASE WHEN h.fixed > {seen} THEN h.fixed
              WHEN h.fixed <= 0 AND h.delay > 0 AND l.timecompleted + h.delay > {seen} THEN l.timecompleted + h.delay
              ELSE {seen} END"
    )
}

/// The condition that the window of the instance contains this moment.
fn open(moment: &str) -> String {
    format!("(h.opens = 0 OR h.opens <= {moment}) AND (h.closes = 0 OR {moment} <= h.closes)")
}

/// Records the enrolments that were made. A completion that another writer overtook (verdict 3) keeps waiting for the
/// next run.
///
/// # Errors
/// The database's error.
pub async fn book(ctx: &mut RunContext<'_>) -> RunResult<()> {
    if ctx.overtaken > 0 {
        let overtaken = "o.run = :run AND o.state = 1 AND o.cause = 'coursecompleted'
            AND o.enrolid = t.enrolid AND o.userid = t.userid";
        let sql =
            ctx.conn.dialect().update_joined("[completed]", "t", &[("verdict", "3")], "{enrold_change} o", overtaken);
        let params = ctx.params();
        ctx.conn.exec(&sql, &params).await?;
    }
    let stands = "t.verdict = 0 AND EXISTS
        (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = t.enrolid AND x.userid = t.userid)";
    Ok(settle(ctx, "'enrolled'", stands).await?)
}

async fn settle(ctx: &mut RunContext<'_>, state: &str, which: &str) -> Result<(), DbError> {
    let set = [("state", state), ("changed", ":now"), ("run", ":run")];
    let same = format!("l.enrolid = t.enrolid AND l.courseid = t.source AND l.userid = t.userid AND {which}");
    let sql = ctx.conn.dialect().update_joined("{enrold_completion}", "l", &set, "[completed] t", &same);
    let params = ctx.params();
    ctx.conn.exec(&sql, &params).await.map(|_| ())
}
