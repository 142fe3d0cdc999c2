//! The members that a cohort file gives and takes: the last row of a user in a cohort counts.
//! It must not know what rows say of cohorts themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::cohort_files::{waiting, write};
use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{cohorts, kinds};
use crate::config::{Profile, UserKey, Waiting};
use crate::db::table::{int, small};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::outcome::{Lines, RunError, RunResult};
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

/// The rows that are not said to wait.
const NOT_WAITING: &str = "NOT EXISTS (SELECT 1 FROM [waits] x WHERE x.line = l.line)";

/// Resolves the users of the rows, keeps and reports those that wait, reports the others that are not applied, and adds
/// their numbers to the counts.
///
/// # Errors
/// The database's error.
pub async fn resolve(
    ctx: &mut RunContext<'_>,
    waiting: &Waiting,
    profile: &Profile,
    told: &waiting::Contents<'_>,
    (protected, lines): (&[i64], &mut Lines),
) -> Result<(), DbError> {
    write::keys(ctx, told.decided).await?;
    resolve::users(ctx, profile.user_key).await?;
    lines.waiting = waiting::keep(ctx, waiting, profile, told).await?;
    let params = ctx
        .params()
        .with("userkey", profile.user_key.as_str())
        .with("cohortkey", profile.cohort_key.as_str())
        .with("line", PlaceKind::Line.as_str())
        .fragment("written", WRITTEN)
        .fragment("not_waiting", if lines.waiting > 0 { NOT_WAITING } else { "1 = 1" })
        .fragment("usercount", ctx.conn.dialect().to_text("u.found"));
    let refused = ctx.report_problems(PlaceKind::Line, REFUSED, usable(params, protected)).await? + lines.waiting;
    lines.failed += refused;
    if refused > 0 {
        hints::users(ctx, profile.user_key).await?;
    }
    Ok(())
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

/// Whom the rows of the file may mean whose user does not resolve, by the keys of the cohorts that it names in full.
pub struct Meant {
    /// The forms of what is written, as `likeness` folds them.
    forms: BTreeMap<String, BTreeSet<String>>,
    /// The cohorts of which a row may mean anybody.
    damaged: BTreeSet<String>,
}

impl Meant {
    /// Reads the rows.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(ctx: &mut RunContext<'_>) -> Result<Self, DbError> {
        let params = ctx.params().fragment("written", WRITTEN);
        let mut meant = Self { forms: BTreeMap::new(), damaged: BTreeSet::new() };
        ctx.conn
            .each(UNRESOLVED, &params, |row| {
                let (cohort, text) = (row.text(0), row.text(1));
                if likeness::is_damaged(&text) {
                    meant.damaged.insert(cohort.clone());
                }
                meant.forms.entry(cohort).or_default().extend(likeness::forms(&text));
                Ok(())
            })
            .await?;
        Ok(meant)
    }

    /// Whether a row may mean the user with this key as a member of this cohort.
    pub fn may_be(&self, cohort: &str, user: &str) -> bool {
        self.damaged.contains(cohort)
            || self.forms.get(cohort).is_some_and(|forms| forms.contains(&likeness::fold(user)))
    }
}

/// Makes `file_spared`: in the cohorts of which the file names all members, those whom a row may mean whose user does
/// not resolve; all of them, if a row could not be read. Without such rows it is one query.
async fn spare(ctx: &mut RunContext<'_>, key: UserKey, unread: bool) -> Result<(), DbError> {
    let params = ctx.params();
    let meant = Meant::read(ctx).await?;
    let unknown = ctx.conn.number("SELECT COUNT(*) FROM [file_cohort] k WHERE k.cohortid = 0", &params).await?;
    if meant.forms.is_empty() && !unread && unknown == 0 {
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
            let cohortid = row.int(0);
            if unread || meant.may_be(&row.text(5), &row.text(2)) || row.int(4) == 1 {
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
