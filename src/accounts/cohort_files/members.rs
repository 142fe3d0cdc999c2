//! The members that a cohort file gives and takes: the last row of a user in a cohort counts.
//! It must not know what rows say of cohorts themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::cohort_files::decide::Decided;
use crate::accounts::cohort_files::write;
use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{cohorts, kinds};
use crate::config::{Profile, UserKey};
use crate::db::table::{int, small};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::lines::WRITTEN;
use crate::staging::{hints, likeness, resolve};

/// The last row of each user in each cohort: whether the user is a member then.
const FILE_MEMBER: Table = Table::new("file_member", &[int("cohortid"), int("userid"), int("line"), small("stays")])
    .primary("cohortid, userid");
/// Members who stay although the file does not name them.
const FILE_SPARED: Table = Table::new("file_spared", &[int("cohortid"), int("userid")]).primary("cohortid, userid");

const REFUSED: &str = statement(include_str!("members.sql"), "refused rows");
const MEMBERS: &str = statement(include_str!("members.sql"), "members");
const UNRESOLVED: &str = statement(include_str!("members.sql"), "unresolved in full cohorts");
const ABSENT: &str = statement(include_str!("members.sql"), "absent members");
const LEAVING: &str = statement(include_str!("members.sql"), "leaving members");
const JOINING: &str = statement(include_str!("members.sql"), "joining members");
const REMOVED: &str = statement(include_str!("members.sql"), "removed cohorts");

/// Resolves the users of the rows, reports the rows that are not applied, and gives their number.
///
/// # Errors
/// The database's error.
pub async fn resolve(
    ctx: &mut RunContext<'_>,
    decided: &Decided,
    profile: &Profile,
    protected: &[i64],
) -> Result<u64, DbError> {
    write::keys(ctx, decided).await?;
    resolve::users(ctx, profile.user_key).await?;
    let params = ctx
        .params()
        .with("userkey", profile.user_key.as_str())
        .with("cohortkey", profile.cohort_key.as_str())
        .with("line", PlaceKind::Line.as_str())
        .fragment("written", WRITTEN)
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"));
    let refused = ctx.report_problems(PlaceKind::Line, REFUSED, usable(params, protected)).await?;
    if refused > 0 {
        hints::users(ctx, profile.user_key).await?;
    }
    Ok(refused)
}

/// Gives a statement over rows with their `u` and `k` the fragment `:usable`: the row names one account that may be
/// written, and a cohort that exists at this line.
fn usable(params: Params, protected: &[i64]) -> Params {
    let usable = "u.found = 1 AND u.userid NOT IN (:protected) AND k.code = '' AND l.line >= k.since
        AND l.line <= k.until";
    params.fragment("protected", id_list(protected)).fragment("usable", usable)
}

/// Makes `file_member` and `file_spared`; `unread` says that some rows of the file may mean anybody.
///
/// # Errors
/// The database's error.
pub async fn gather(ctx: &mut RunContext<'_>, key: UserKey, protected: &[i64], unread: bool) -> Result<(), DbError> {
    ctx.conn.declare(&FILE_MEMBER);
    ctx.conn.declare(&FILE_SPARED);
    let params = usable(ctx.params(), protected);
    ctx.conn.exec(MEMBERS, &params).await?;
    ctx.conn.analyse(FILE_MEMBER.name).await?;
    spare(ctx, key, unread).await
}

/// Makes `file_spared`: in the cohorts of which the file names all members, those whom a row may mean whose user does
/// not resolve; all of them, if a row could not be read. Without such rows it is one query.
async fn spare(ctx: &mut RunContext<'_>, key: UserKey, unread: bool) -> Result<(), DbError> {
    let params = ctx.params().fragment("written", WRITTEN);
    let mut meant: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut damaged = BTreeSet::new();
    ctx.conn
        .each(UNRESOLVED, &params, |row| {
            let (cohortid, text) = (row.int(0), row.text(1));
            meant.entry(cohortid).or_default().extend(likeness::forms(&text));
            if likeness::is_damaged(&text) {
                damaged.insert(cohortid);
            }
            Ok(())
        })
        .await?;
    let unknown = ctx.conn.number("SELECT COUNT(*) FROM [file_cohort] k WHERE k.cohortid = 0", &params).await?;
    if meant.is_empty() && !unread && unknown == 0 {
        return Ok(());
    }
    let key = match key {
        UserKey::Id => ctx.conn.dialect().to_text("a.id"),
        UserKey::Username => "a.username".to_owned(),
        UserKey::Idnumber => "a.idnumber".to_owned(),
        UserKey::Email => "a.email".to_owned(),
    };
    let mut spared: Vec<(i64, i64)> = Vec::new();
    let mut kept: BTreeMap<(i64, String), i64> = BTreeMap::new();
    ctx.conn
        .each(ABSENT, &params.fragment("key", key), |row| {
            let (cohortid, text) = (row.int(0), likeness::fold(&row.text(2)));
            let is_meant = meant.get(&cohortid).is_some_and(|forms| forms.contains(&text));
            if unread || damaged.contains(&cohortid) || is_meant || row.int(4) == 1 {
                spared.push((cohortid, row.int(1)));
                *kept.entry((cohortid, row.text(3))).or_default() += 1;
            }
            Ok(())
        })
        .await?;
    let mut rows = Bulk::into(ctx.conn.dialect(), &FILE_SPARED);
    for (cohortid, userid) in spared {
        rows.push(ctx.conn, &[Field::Int(cohortid), Field::Int(userid)]).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(FILE_SPARED.name).await?;
    let mut problems = Rows::new(ctx.conn.dialect());
    for (at, ((_, name), count)) in kept.iter().enumerate() {
        let problem = Problem::new(0, Code::CohortKept, shown(name), count.to_string());
        problems.add(ctx.conn, &mut ctx.problems, (PlaceKind::Cohort, at as i64 + 1), &problem).await?;
    }
    problems.finish(ctx.conn).await
}

/// Makes the memberships true, and removes cohorts.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, pass_no: i64, protected: &[i64]) -> RunResult<()> {
    let params = ctx.params().fragment("protected", id_list(protected));
    let removed = ctx.conn.number("SELECT COUNT(*) FROM [file_cohort] k WHERE k.deleted = 1", &params).await?;
    if removed > 0 {
        let all = ctx.conn.number("SELECT COUNT(*) FROM {cohort} c", &params).await?;
        ctx.guard.check_cohorts(removed, all);
    }
    cohorts::weigh(ctx, "[file_cohort]", LEAVING, &params, true).await?;
    let leave = Position { pass_no, rank: kinds::COHORT_LEAVE };
    ctx.remove_rows(leave, Pick::new(LEAVING).params(params.clone())).await?;
    cohorts::join(ctx, pass_no, JOINING, params).await?;
    if removed > 0 {
        ctx.remove_rows(Position { pass_no, rank: kinds::COHORT_GONE }, Pick::new(REMOVED)).await?;
    }
    // Held with the whole plan, which shows whom it concerns.
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}
