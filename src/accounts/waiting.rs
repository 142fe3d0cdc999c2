//! The members of cohort files that have waited for their account: they join their cohorts when the account exists. It
//! must not know files, nor what follows a membership.

use crate::change::cohorts;
use crate::change::context::RunContext;
use crate::change::kind;
use crate::config::{CohortKey, Settings, UserKey};
use crate::db::table::{int, text};
use crate::db::{DbError, Table, statement};
use crate::moodle::site::id_list;
use crate::outcome::RunResult;
use crate::problem::PlaceKind;
use crate::staging::lines::{MEMBER_LINES, WRITTEN};
use crate::staging::resolve::{self, KEY_WIDTH};
use crate::staging::waiting::{self, CLOSED, WAITING, Waits};

/// The cohorts that the keys of found users name, and how many match.
const WAITING_COHORT: Table = Table::new(
    "waiting_cohort",
    &[text("ckey", KEY_WIDTH), int("cohortid"), int("contextid"), text("component", 255), int("found")],
)
.primary("ckey");
/// Rows whose account and cohort exist now.
const WAITING_MEMBER: Table =
    Table::new("waiting_member", &[int("line"), int("run"), int("userid"), int("cohortid"), int("contextid")])
        .primary("line");
/// The last run that has changed the membership of those users in those cohorts.
const LATER: Table =
    Table::new("waiting_joined", &[int("userid"), int("cohortid"), int("run")]).primary("userid, cohortid");

const AGAIN: &str = statement(include_str!("waiting.sql"), "rows as lines");
const COHORTS: &str = statement(include_str!("waiting.sql"), "named cohorts");
const FOUND: &str = statement(include_str!("waiting.sql"), "found members");
const UNUSABLE: &str = statement(include_str!("waiting.sql"), "unusable rows");
const CHANGED_LATER: &str = statement(include_str!("waiting.sql"), "changes of later runs");
const OVERTAKEN: &str = statement(include_str!("waiting.sql"), "rows that later runs have overtaken");
const JOINING: &str = statement(include_str!("waiting.sql"), "joining members");

/// Adds the members who wait and whose account exists now to their cohorts; the others go on waiting. One statement
/// where nobody waits; the number grows with the kinds of key in use, not with the members.
///
/// # Errors
/// The database's error.
pub async fn apply(ctx: &mut RunContext<'_>, settings: &Settings) -> RunResult<()> {
    let kinds = waiting::kinds_of_key(ctx, Waits::Member).await?;
    if kinds.is_empty() {
        return Ok(());
    }
    let (cause, protected) = (ctx.cause, ctx.site.protected(settings.guard.protect_admins));
    ctx.cause = WAITING;
    ctx.conn.declare(&WAITING_MEMBER);
    ctx.conn.declare(&CLOSED);
    for (user, place) in kinds {
        let cohort = CohortKey::from_word(&place).ok_or_else(waiting::unknown_key)?;
        find(ctx, settings, (user, cohort), &protected).await?;
    }
    waiting::close_reported(ctx).await?;
    refuse_overtaken(ctx).await?;
    let (pass_no, params) = (ctx.next_pass(), ctx.params());
    cohorts::join(ctx, pass_no, JOINING, params).await?;
    waiting::close_applied(ctx, WAITING_MEMBER.name).await?;
    waiting::close(ctx).await?;
    ctx.cause = cause;
    Ok(())
}

/// Takes out the rows that are reported, and those whose membership a later run has changed.
async fn refuse_overtaken(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let first = "SELECT COALESCE(MIN(f.run), 0) FROM [waiting_member] f";
    let first = ctx.conn.number(first, &ctx.params()).await?;
    if first == 0 {
        return Ok(());
    }
    let of_members = kind::names(|kind| kind.table == "cohort_members");
    let params = ctx.params().with("first", first).with("of_members", of_members);
    ctx.conn.declare(&LATER);
    if ctx.conn.exec(CHANGED_LATER, &params).await? > 0 {
        ctx.conn.exec(OVERTAKEN, &params).await?;
    }
    let closed = "DELETE FROM [waiting_member] WHERE line IN (SELECT c.line FROM [waiting_closed] c)";
    ctx.conn.exec(closed, &params).await?;
    ctx.conn.analyse(WAITING_MEMBER.name).await
}

/// Adds the rows of one kind of key whose account and cohort exist to `waiting_member`, and reports those that fail in
/// another way.
async fn find(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    (user, cohort): (UserKey, CohortKey),
    protected: &[i64],
) -> Result<(), DbError> {
    let key = match cohort {
        CohortKey::Idnumber => "c.idnumber",
        CohortKey::Name => "c.name",
        CohortKey::Id => return Err(waiting::unknown_key()),
    };
    ctx.conn.declare(&MEMBER_LINES);
    let params = ctx
        .params()
        .with("kindword", Waits::Member.as_str())
        .with("userkey", user.as_str())
        .with("cohortkey", cohort.as_str())
        .fragment("same", ctx.conn.exact("cohort", key, "k.ckey"))
        .fragment("protected", id_list(protected))
        .fragment("written", WRITTEN)
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"))
        .fragment("cohortcount", ctx.conn.dialect().to_text("k.found"))
        .fragment("usable", "u.found = 1 AND u.userid NOT IN (:protected) AND k.found = 1 AND k.component = ''");
    ctx.conn.exec(AGAIN, &params).await?;
    ctx.conn.analyse(MEMBER_LINES.name).await?;
    resolve::users_among(ctx, user, &waiting::eligible(user, &settings.waiting.not_auth)).await?;
    ctx.conn.declare(&WAITING_COHORT);
    if ctx.conn.exec(COHORTS, &params).await? == 0 {
        return Ok(());
    }
    ctx.conn.exec(FOUND, &params).await?;
    ctx.report_problems(PlaceKind::Waiting, UNUSABLE, params).await.map(|_| ())
}
