//! Enrolments: what a rule wishes against what is there; what is missing, what differs, what is too much.
//! It must not know roles or groups: they follow what really became of the enrolments.

use crate::db::{DbError, Params};
use crate::moodle::site::RemovalAction;
use crate::rules::{Follow, Owner};
use crate::run::error::RunResult;
use crate::run::reconcile::{Pass, comparing};
use crate::run::take::{Pick, Taken};
use crate::run::work::{Place, Work};
use crate::run::{end, enrol};

const RANK_FOLLOW_SUSPEND: i64 = 26;

/// Writes the set down once, where the rule says that it costs more to compute than to keep.
pub(super) async fn stage(work: &mut Work<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.section("enrolments").filter(|_| pass.policy.staged) else { return Ok(()) };
    let params = pass.params(work).fragment("set", set);
    work.conn.exec("DELETE FROM wish", &params).await?;
    let columns = "enrolid, userid, courseid, contextid, want, status, timestart, timeend";
    comparing(work, pass, true).await?;
    work.conn.exec(&format!("INSERT INTO wish ({columns}) SELECT {columns} FROM (:set) t"), &params).await?;
    comparing(work, pass, false).await?;
    work.conn.analyse("wish").await
}

/// How the enrolments stand against the wish before anything is done.
pub(super) struct Standing {
    /// The enrolments in the rule's instances.
    pub there: i64,
    /// Wished ones that are missing or differ.
    pub wrong: i64,
    /// Enrolments that nobody wishes.
    pub surplus: i64,
}

/// Compares wish and enrolments without writing: most passes end here.
pub(super) async fn compare(work: &mut Work<'_>, pass: &Pass<'_>) -> Result<Standing, DbError> {
    let there =
        "SELECT COUNT(*) FROM scope s JOIN {user_enrolments} x ON x.enrolid = s.enrolid WHERE x.userid :among_users";
    let there = work.conn.number(there, &pass.params(work)).await?;
    let Some(params) = wished(work, pass) else { return Ok(Standing { there, wrong: 0, surplus: 0 }) };
    comparing(work, pass, true).await?;
    let row = work
        .conn
        .row(
            "SELECT COUNT(CASE WHEN :wrong THEN 1 END), COUNT(x.id)
               FROM (:set) d LEFT JOIN {user_enrolments} x ON x.enrolid = d.enrolid AND x.userid = d.userid",
            &params,
        )
        .await?;
    comparing(work, pass, false).await?;
    let (wrong, wished) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
    Ok(Standing { there, wrong, surplus: there - wished })
}

/// The parameters of a pass, with its set of enrolments as `:set` and what is `:wrong` about one; `None` if the rule has
/// none.
fn wished(work: &Work<'_>, pass: &Pass<'_>) -> Option<Params> {
    let set = pass.section("enrolments")?;
    let set = if pass.policy.staged { "SELECT w.* FROM wish w" } else { set };
    let status = match pass.policy.status {
        Follow::Never => "x.status",
        Follow::Reactivate => "CASE WHEN d.status = 0 THEN 0 ELSE x.status END",
        Follow::Always => "d.status",
    };
    let (timestart, timeend) =
        if pass.policy.dates { ("d.timestart", "d.timeend") } else { ("x.timestart", "x.timeend") };
    let wrong = "(x.id IS NULL AND d.want = 2)
                 OR (d.want > 0 AND (x.status <> :newstatus OR x.timestart <> :newstart OR x.timeend <> :newend))";
    let params = pass.params(work).fragment("set", set).fragment("wrong", wrong);
    Some(params.fragment("newstatus", status).fragment("newstart", timestart).fragment("newend", timeend))
}

/// Adds the wished enrolments that are missing and changes those that differ, as far as the policy lets it.
pub(super) async fn add_and_change(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let Some(params) = wished(work, pass) else { return Ok(()) };
    let oldrow = work.old_row("user_enrolments", "x");
    let params = params
        .fragment("oldrow", oldrow)
        .with("rank_add", enrol::RANK_ADD)
        .with("rank_update", enrol::RANK_UPDATE)
        .with("rank_suspend", RANK_FOLLOW_SUSPEND);
    comparing(work, pass, true).await?;
    let planned = work
        .journal_ranked(
            pass.wave,
            "kind, line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, oldtimestart, oldtimeend, oldrow",
            "planned.courseid, planned.userid, planned.enrolid",
            "SELECT CASE WHEN x.id IS NULL THEN 'enrolment.add' WHEN x.status = 0 AND :newstatus = 1 THEN 'enrolment.suspend' ELSE 'enrolment.update' END AS kind,
                    CASE WHEN x.id IS NULL THEN :rank_add WHEN x.status = 0 AND :newstatus = 1 THEN :rank_suspend ELSE :rank_update END AS rank_of,
                    0 AS line, d.userid, d.courseid, d.enrolid, d.contextid, x.id AS targetid,
                    CASE WHEN x.id IS NULL THEN d.status ELSE :newstatus END AS status,
                    CASE WHEN x.id IS NULL THEN d.timestart ELSE :newstart END AS timestart,
                    CASE WHEN x.id IS NULL THEN d.timeend ELSE :newend END AS timeend,
                    x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend,
                    CASE WHEN x.id IS NULL THEN NULL ELSE :oldrow END AS oldrow
               FROM (:set) d LEFT JOIN {user_enrolments} x ON x.enrolid = d.enrolid AND x.userid = d.userid
              WHERE :wrong",
            params,
        )
        .await?;
    comparing(work, pass, false).await?;
    if planned == 0 {
        return Ok(());
    }
    let added = enrol::apply_adds(work, Place { wave: pass.wave, rank: enrol::RANK_ADD }).await?;
    let mut changed = 0;
    for (at, kind) in [(enrol::RANK_UPDATE, "enrolment.update"), (RANK_FOLLOW_SUSPEND, "enrolment.suspend")] {
        let place = Place { wave: pass.wave, rank: at };
        let standing = if planned > added { work.standing(place).await? } else { 0 };
        if standing > 0 && at == RANK_FOLLOW_SUSPEND {
            work.guard_ending().await?;
        }
        work.change_enrolments(place, kind, standing).await?;
        changed += standing;
    }
    if pass.asks_who_is_fresh() {
        remember_fresh(work, pass, changed > 0).await?;
    }
    Ok(())
}

/// What is fresh: added, or active again.
async fn remember_fresh(work: &mut Work<'_>, pass: &Pass<'_>, changed: bool) -> Result<(), DbError> {
    let (from, _) = Place { wave: pass.wave, rank: enrol::RANK_ADD }.range();
    let last = if changed { enrol::RANK_UPDATE } else { enrol::RANK_ADD };
    let (_, to) = Place { wave: pass.wave, rank: last }.range();
    let params = work.params().with("from", from).with("to", to);
    work.conn
        .exec(
            "INSERT INTO fresh (enrolid, userid) SELECT c.enrolid, c.userid FROM {enrold_change} c
              WHERE c.run = :run AND c.seq > :from AND c.seq <= :to AND c.state = 0
                AND (c.kind = 'enrolment.add' OR (c.kind = 'enrolment.update' AND c.oldstatus = 1 AND c.status = 0))",
            &params,
        )
        .await?;
    work.conn.analyse("fresh").await
}

/// Ends the enrolments in the rule's instances that it does not wish, as its policy says.
pub(super) async fn end_surplus(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let Some(params) = wished(work, pass) else { return Ok(()) };
    let unenrol = match pass.policy.surplus {
        RemovalAction::Keep => return Ok(()),
        RemovalAction::Unenrol => true,
        RemovalAction::Suspend | RemovalAction::SuspendNoRoles => false,
    };
    let params = params
        .with("free", i64::from(pass.policy.roles == Owner::Nobody))
        .fragment("status", if unenrol { "1 = 1" } else { "x.status = 0" });
    work.conn.exec("DELETE FROM doomed", &params).await?;
    comparing(work, pass, true).await?;
    let doomed = work
        .conn
        .exec(
            "INSERT INTO doomed (ueid, line, userid, courseid, contextid, enrolid, roleid, component, free)
             SELECT x.id, 0, x.userid, s.courseid, s.contextid, s.enrolid, 0, :component, :free
               FROM scope s JOIN {user_enrolments} x ON x.enrolid = s.enrolid
               LEFT JOIN (:set) d ON d.enrolid = x.enrolid AND d.userid = x.userid
              WHERE d.userid IS NULL AND x.userid :among_users AND :status",
            &params,
        )
        .await?;
    comparing(work, pass, false).await?;
    if doomed == 0 {
        return Ok(());
    }
    work.conn.analyse("doomed").await?;
    if unenrol {
        return end::unenrol_and_clean_up(work, pass.wave, doomed as i64).await;
    }
    work.conn.prefer_indexes(true).await?;
    suspend(work, pass).await?;
    Ok(work.conn.prefer_indexes(false).await?)
}

/// Suspends what is doomed; the roles that the instance gave go with it where the policy says so.
async fn suspend(work: &mut Work<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let place = Place { wave: pass.wave, rank: end::RANK_SUSPEND_FIRST };
    if end::suspend(work, place).await? == 0 || pass.policy.surplus != RemovalAction::SuspendNoRoles {
        return Ok(());
    }
    let (from, to) = place.range();
    let owned = Pick::new(
        "SELECT r.id, 0 AS line, c.courseid, c.contextid FROM {enrold_change} c
           JOIN {role_assignments} r ON r.userid = c.userid AND r.component || '' = c.component AND r.itemid + 0 = c.enrolid
          WHERE c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0 AND r.contextid + 0 = c.contextid
          GROUP BY r.id, c.courseid, c.contextid",
    );
    let place = Place { wave: pass.wave, rank: end::RANK_OWNED_ROLES };
    Ok(work.take(place, Taken::Role, owned.with("ended", from).with("ended_to", to)).await?)
}
