//! Ends enrolments: unenrols, suspends, and removes all that Moodle removes with them (spec enrol-core 7). It must not
//! depend on the reason: it reads the temporary table `to_remove`.

use crate::change::context::{Position, RunContext, journaled};
use crate::change::remove::Pick;
use crate::change::{kinds, purge};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Literal, Params, Table, statement};
use crate::outcome::{Moment, RunResult};

const TO_REMOVE: Table = Table::new(
    "to_remove",
    &[
        int("ueid"),
        int("line"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("roleid"),
        text("component", 100),
        small("free"),
        int("timeend").or_null(),
    ],
)
.primary("ueid")
.joined_by(&["userid, courseid"]);
const REMAINING: Table = Table::new("remaining", &[int("userid"), int("courseid")]).primary("userid, courseid");
const LAST_PAIR: Table = Table::new("last_pair", &[int("userid"), int("courseid"), int("contextid"), int("line")])
    .joined_by(&["userid, courseid"]);

const SUSPENDED: &str = statement(include_str!("end.sql"), "suspended");

/// Declares the temporary tables of enrolments that end: `free` is 1 if the method leaves manual roles to others; a row
/// with a `timeend` ends its enrolment only if that is still the end when the plan is made.
pub fn prepare(ctx: &mut RunContext<'_>) {
    ctx.conn.declare(&TO_REMOVE);
    ctx.conn.declare(&REMAINING);
    ctx.conn.declare(&LAST_PAIR);
}

/// Suspends the enrolments of `to_remove`; gives how many were planned.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn suspend(ctx: &mut RunContext<'_>, position: Position) -> RunResult<i64> {
    let oldrow = ctx.old_row("user_enrolments", "x");
    let params = ctx.at(position).fragment("oldrow", oldrow);
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, enrolid, contextid, roleid, component, targetid, status, timestart, timeend, \
             oldstatus, oldtimestart, oldtimeend, oldrow",
            "planned.line, planned.targetid",
            SUSPENDED,
            params,
        )
        .await?;
    if planned > 0 {
        ctx.guard_ending().await?;
    }
    ctx.change_planned(position, planned).await?;
    Ok(planned)
}

/// Adds the indexes for lookups to `to_remove` on PostgreSQL, which otherwise has none.
///
/// # Errors
/// The database's error.
pub async fn index_to_remove(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    // With the first alone PostgreSQL would scan the whole table for each user.
    for key in ["ueid", "userid, courseid"] {
        ctx.conn.index_joined(&TO_REMOVE, key).await?;
    }
    Ok(())
}

/// Removes the enrolments of `to_remove` and gives their number; [`purge`] removes what belongs to them. In between,
/// the caller removes the manual roles that its line or instance names, because their events come first in Moodle.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn unenrol(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<i64> {
    unenrol_in_turn(ctx, pass_no, &[]).await
}

/// [`unenrol`], where of several enrolments of a user in a course those of the first of these methods end first, and
/// those of the last method last: as if a task of each had run after the other.
///
/// # Errors
/// As [`unenrol`].
pub async fn unenrol_in_turn(ctx: &mut RunContext<'_>, pass_no: i64, methods: &[&str]) -> RunResult<i64> {
    index_to_remove(ctx).await?;
    remove(ctx, Position { pass_no, rank: kinds::UNENROL }, methods).await
}

/// The order of the enrolments of a pair in `alias`: by the turn of their method, then by instance.
fn turn(alias: &str, methods: &[&str]) -> String {
    let whens = methods.iter().zip(0..).filter_map(|(method, at)| {
        let component = Literal::plain(&format!("enrol_{method}"))?;
        Some(format!("WHEN {component} THEN {at}"))
    });
    match whens.collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => format!("{alias}.enrolid"),
        whens => format!("CASE {alias}.component {whens} ELSE {} END, {alias}.enrolid", methods.len()),
    }
}

/// Removes what belongs to the enrolments that [`unenrol`] removed in this pass; where it was the last one in the
/// course, all that the user has there: roles in all subcontexts, groups, grades (into history), last access, forum
/// rows.
///
/// # Errors
/// The database's error.
pub async fn purge(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let last = remove_given(ctx, pass_no, false).await?;
    ctx.conn.index_joined(&LAST_PAIR, "userid, courseid").await?;
    keep_only_last(ctx, pass_no).await?;
    if last > 0 {
        purge::roles(ctx, pass_no, false).await?;
    }
    purge_and_settle(ctx, pass_no, last).await
}

/// [`unenrol`] and [`purge`] for a rule. If `to_remove` is a large part of the site, enrolments and roles are found by
/// scanning whole tables, and journaled and deleted in one statement. What is purged beside them is always looked up by
/// index, because grades and forum rows may be far more.
///
/// # Errors
/// As [`unenrol`] and [`purge`].
pub async fn unenrol_and_purge(ctx: &mut RunContext<'_>, pass_no: i64, to_remove: i64) -> RunResult<()> {
    if !ctx.conn.is_good_part(to_remove, "role_assignments").await? {
        ctx.conn.prefer_indexes(true).await?;
        if unenrol(ctx, pass_no).await? > 0 {
            purge(ctx, pass_no).await?;
        }
        return Ok(ctx.conn.prefer_indexes(false).await?);
    }
    ctx.conn.prefer_hashes(true).await?;
    ctx.observer.reached(Moment::Planned { changes: to_remove }).await;
    let gone = remove_at_once(ctx, Position { pass_no, rank: kinds::UNENROL }).await?;
    let last = if gone > 0 { remove_given(ctx, pass_no, true).await? } else { 0 };
    // If each was the last of its pair, no `lastenrol` is wrong.
    if last != gone {
        keep_only_last(ctx, pass_no).await?;
    }
    if last > 0 {
        purge::roles(ctx, pass_no, true).await?;
    }
    ctx.conn.prefer_hashes(false).await?;
    if gone > 0 {
        ctx.conn.prefer_indexes(true).await?;
        purge_and_settle(ctx, pass_no, last).await?;
        ctx.conn.prefer_indexes(false).await?;
    }
    Ok(())
}

/// Removes the groups and roles that the removed enrolments own; gives how many were the last in their course.
async fn remove_given(ctx: &mut RunContext<'_>, pass_no: i64, at_once: bool) -> Result<i64, DbError> {
    let (removed_from, to) = Position { pass_no, rank: kinds::UNENROL }.range();
    // One enrolment owns each row, so none is picked twice.
    let pick = |on: &str| {
        let of_change = ["c.line", "c.courseid", "c.contextid"];
        let on = format!("{on} AND :gone");
        Pick::direct(of_change, "{enrold_change} c", &on)
            .with("removed", removed_from)
            .with("removed_to", to)
            .with("unenrolled", &kinds::ENROLMENT_REMOVE)
            .fragment("gone", REMOVED)
            .at_once(at_once)
    };
    let owned_groups = pick("x.userid = c.userid AND x.component = c.component AND x.itemid = c.enrolid")
        .stepwise(OWNED)
        .fragment("owned", "{groups_members} x");
    ctx.remove_rows(Position { pass_no, rank: kinds::OWNED_GROUPS }, owned_groups).await?;
    // Looked up by user, whatever the statistics say: otherwise whole courses may be joined with each other.
    let owned_roles = pick(
        "x.userid = c.userid AND {#x.contextid} = c.contextid AND {#x.itemid} = c.enrolid
         AND (x.component = c.component) IS TRUE",
    );
    let owned_roles = owned_roles
        .stepwise(&format!("{OWNED} AND c.contextid = x.contextid"))
        .fragment("owned", "{role_assignments} x :by_user");
    ctx.remove_rows(Position { pass_no, rank: kinds::OWNED_ROLES }, owned_roles).await?;
    let still = match (ctx.conn.dialect().joins_by_hash(), at_once) {
        (true, true) => STILL_AMONG_ALL,
        (true, false) => STILL_BY_USER,
        (false, _) => STILL_OF_USERS,
    };
    last_pairs(ctx, pass_no, still).await
}

/// The joins from removed enrolments `c` to the memberships or roles `x` that they own.
const OWNED: &str = statement(include_str!("end.sql"), "owned");

async fn purge_and_settle(ctx: &mut RunContext<'_>, pass_no: i64, last: i64) -> RunResult<()> {
    if last > 0 {
        purge::all_else(ctx, pass_no).await?;
    }
    Ok(settle_groups(ctx, pass_no).await?)
}

async fn remove(ctx: &mut RunContext<'_>, position: Position, methods: &[&str]) -> RunResult<i64> {
    find_remaining(ctx).await?;
    let params = ctx.at(position).fragment("turn", turn("t", methods));
    let select = format!("SELECT {} FROM [to_remove] d JOIN {{user_enrolments}} x ON {MEANT}", removed_row(ctx));
    let select = format!("SELECT t.*, {LAST} AS lastenrol FROM ({select}) t");
    let order = format!("planned.line, planned.userid, planned.courseid, {}", turn("planned", methods));
    let planned = ctx.journal(position, REMOVED_COLUMNS, &order, &select, params).await?;
    if planned == 0 {
        return Ok(0);
    }
    ctx.guard_ending().await?;
    let applied = ctx.delete_planned(position, planned).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(applied)
}

/// [`remove`] in one PostgreSQL statement, which reads each row once and journals what it really deleted. If the guard
/// then holds the run, it is rolled back. A rule's rows have no lines to sort by.
async fn remove_at_once(ctx: &mut RunContext<'_>, position: Position) -> RunResult<i64> {
    find_remaining(ctx).await?;
    ctx.guard_open().await?;
    let delete = ctx.conn.dialect().delete_joined("{user_enrolments}", "x", "[to_remove] d", MEANT);
    let values = removed_row(ctx);
    let rows = format!("(SELECT t.*, {LAST} AS lastenrol FROM gone t) planned");
    let insert = journaled(REMOVED_COLUMNS, "planned.userid, planned.courseid, planned.enrolid", &rows);
    let sql = format!("WITH gone AS ({delete} RETURNING {values}) {insert}");
    let params = ctx.at(position).fragment("turn", turn("t", &[]));
    let gone = ctx.write_journal(&sql, params).await?;
    if gone > 0 {
        ctx.book(position.rank.kind, gone, gone);
        ctx.observer.reached(Moment::Applied).await;
        ctx.guard_ending().await?;
    }
    Ok(gone)
}

/// The condition that joins a row `d` of `to_remove` with its enrolment `x`.
const MEANT: &str = "x.id = d.ueid AND x.timeend = COALESCE(d.timeend, x.timeend)";

/// Whether a row `t` of [`removed_row`] is the last enrolment of its pair: no other row follows, and none remains.
const LAST: &str = "CASE WHEN LEAD(t.enrolid) OVER (PARTITION BY t.userid, t.courseid ORDER BY :turn) IS NULL
      AND NOT EXISTS (SELECT 1 FROM [remaining] s WHERE s.userid = t.userid AND s.courseid = t.courseid)
     THEN 1 ELSE 0 END";

const REMOVED_COLUMNS: &str = "line, userid, courseid, enrolid, contextid, roleid, component, targetid, oldstatus, \
    oldtimestart, oldtimeend, lastenrol, oldrow";

/// What the journal keeps of an enrolment `x` that a row `d` of `to_remove` removes.
fn removed_row(ctx: &RunContext<'_>) -> String {
    let oldrow = ctx.old_row("user_enrolments", "x");
    format!(
        "d.line, d.userid, d.courseid, d.enrolid, d.contextid, d.roleid, d.component, x.id AS targetid,
         x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend, {oldrow} AS oldrow"
    )
}

/// Finds the pairs of `to_remove` that keep another enrolment in the course.
async fn find_remaining(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let params = ctx.params();
    ctx.conn.exec("DELETE FROM [remaining]", &params).await?;
    let pairs = match ctx.conn.dialect().joins_by_hash() {
        true => {
            "SELECT DISTINCT d.userid, d.courseid FROM [to_remove] d
               JOIN {user_enrolments} y ON y.userid = d.userid
               JOIN {enrol} e ON e.id = y.enrolid AND e.courseid = d.courseid"
        }
        // All of these users in these courses: pairs outside `to_remove` do no harm, as they are never looked up.
        false => {
            "SELECT DISTINCT y.userid, e.courseid FROM (SELECT DISTINCT d.userid FROM [to_remove] d) u
              :then {user_enrolments} y ON y.userid = u.userid
              :then {enrol} e ON e.id = y.enrolid
              :then (SELECT DISTINCT d.courseid FROM [to_remove] d) q ON q.courseid = e.courseid"
        }
    };
    let sql = "INSERT INTO [remaining] :pairs LEFT JOIN [to_remove] k ON k.ueid = y.id WHERE k.ueid IS NULL";
    ctx.conn.exec(sql, &params.fragment("pairs", pairs)).await?;
    ctx.conn.analyse("remaining").await
}

/// The changes `c` by which [`unenrol`] removed enrolments in a pass.
const REMOVED: &str =
    "c.kind = :unenrolled AND c.state = 0 AND c.run = :run AND c.seq > :removed AND c.seq <= :removed_to";

fn of_removed(ctx: &RunContext<'_>, pass_no: i64) -> Params {
    let (from, to) = Position { pass_no, rank: kinds::UNENROL }.range();
    let params = ctx.params().with("removed", from).with("removed_to", to);
    params.with("unenrolled", &kinds::ENROLMENT_REMOVE).fragment("gone", REMOVED)
}

/// A `WITH` clause, and the condition that the pair of a change `c` still has an enrolment.
type Still = (&'static str, &'static str);

/// On PostgreSQL, looked up for each pair.
const STILL_BY_USER: Still = (
    "",
    "EXISTS (SELECT 1 FROM {user_enrolments} y JOIN {enrol} e ON e.id = y.enrolid
              WHERE y.userid = c.userid AND e.courseid = c.courseid)",
);

/// On databases that do not join by hashing.
const STILL_OF_USERS: Still = ("", statement(include_str!("end.sql"), "still of users"));

/// On PostgreSQL, for a large part of all pairs: the enrolments are read once and joined with a hash of `to_remove`.
const STILL_AMONG_ALL: Still = (
    "WITH still AS MATERIALIZED (SELECT d.userid, d.courseid FROM [to_remove] d
        JOIN {user_enrolments} y ON y.userid = d.userid
        JOIN {enrol} e ON e.id = y.enrolid AND e.courseid = d.courseid)",
    "EXISTS (SELECT 1 FROM still s WHERE s.userid = c.userid AND s.courseid = c.courseid)",
);

/// Finds the pairs that have no enrolment in the course now, whatever removed the others; gives their number.
async fn last_pairs(ctx: &mut RunContext<'_>, pass_no: i64, (first, still): Still) -> Result<i64, DbError> {
    let params = of_removed(ctx, pass_no);
    ctx.conn.exec("DELETE FROM [last_pair]", &params).await?;
    let sql = format!(
        "INSERT INTO [last_pair]
         {first} SELECT c.userid, c.courseid, c.contextid, MIN(c.line) FROM {{enrold_change}} c
          WHERE :gone AND NOT {still} GROUP BY c.userid, c.courseid, c.contextid"
    );
    Ok(ctx.conn.exec(&sql, &params).await? as i64)
}

/// Resets `lastenrol` where Moodle enrolled the user meanwhile, because the event must not claim a last enrolment.
async fn keep_only_last(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let sql = "UPDATE {enrold_change} AS c SET lastenrol = 0 WHERE :gone AND c.lastenrol = 1
                AND NOT EXISTS (SELECT 1 FROM [last_pair] l WHERE l.userid = c.userid AND l.courseid = c.courseid)";
    ctx.conn.exec(sql, &of_removed(ctx, pass_no)).await.map(|_| ())
}

/// Sets `timemodified` of groups that lost members, and removes these from the conversations (spec enrol-core 9). Comes
/// last, because page views write `groups` too.
async fn settle_groups(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let (from, _) = Position { pass_no, rank: kinds::OWNED_GROUPS }.range();
    let (_, to) = Position { pass_no, rank: kinds::REST_GROUPS }.range();
    let left = "c.kind = :left_group AND c.state = 0 AND c.run = :run AND c.seq > :left AND c.seq <= :left_to";
    let params = ctx.params().with("left", from).with("left_to", to).fragment("gone", left);
    let params = params.with("left_group", &kinds::GROUP_MEMBER_REMOVE);
    if ctx.booked(&kinds::GROUP_MEMBER_REMOVE) == 0
        || ctx.conn.number("SELECT COUNT(*) FROM {enrold_change} c WHERE :gone", &params).await? == 0
    {
        return Ok(());
    }
    if ctx.site.columns.has_table("message_conversation_members") {
        leave_conversations(ctx, Position { pass_no, rank: kinds::CONVERSATIONS }, &params).await?;
    }
    touch_groups(ctx, Position { pass_no, rank: kinds::TOUCH }, params).await
}

const CONVERSATION_MEMBERS: &str = statement(include_str!("end.sql"), "conversation members");

/// Removes the users who left a group by the changes `:gone` from its conversation.
pub(crate) async fn leave_conversations(
    ctx: &mut RunContext<'_>,
    position: Position,
    left: &Params,
) -> Result<(), DbError> {
    let members = Pick::new(CONVERSATION_MEMBERS);
    let members = members.params(left.clone()).with("left_group", &kinds::GROUP_MEMBER_REMOVE);
    ctx.remove_rows(position, members).await
}

/// Sets `timemodified` of the groups of the changes `:gone`.
pub(crate) async fn touch_groups(ctx: &mut RunContext<'_>, position: Position, left: Params) -> Result<(), DbError> {
    let oldrow = ctx.old_row("groups", "g");
    let params = left.fragment("oldrow", oldrow);
    let planned = ctx
        .journal(
            position,
            "line, courseid, groupid, targetid, oldrow",
            "planned.groupid",
            "SELECT t.line, g.courseid, g.id AS groupid, g.id AS targetid, :oldrow AS oldrow
               FROM (SELECT c.groupid, MIN(c.line) AS line FROM {enrold_change} c WHERE :gone GROUP BY c.groupid) t
               JOIN {groups} g ON g.id = t.groupid WHERE g.timemodified <> :now",
            params,
        )
        .await?;
    let applied = ctx.change_rows(position).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}
