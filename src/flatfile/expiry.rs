//! Flat-file enrolments whose end has passed, under the method's `expiredaction` (spec enrol-core 14).
//! It must not reach other methods: each expires under its own setting.

use crate::db::DbError;
use crate::flatfile::{COMPONENT, METHOD};
use crate::moodle::site::{RemovalAction, id_list};
use crate::run::end;
use crate::run::error::RunResult;
use crate::run::take::{Pick, Taken};
use crate::run::work::{Place, Work};

const RANK_MANUAL_ROLES: i64 = end::RANK_OWNED_ROLES;
const RANK_OWNED: i64 = 42;
const RANK_BELOW: i64 = 43;

/// Ends the flat-file enrolments whose `timeend` lies before the run's clock.
///
/// # Errors
/// The engine's, or a limit of the guard.
pub async fn apply(work: &mut Work<'_>, wave: i64, action: RemovalAction, protected: &[i64]) -> RunResult<()> {
    let unenrol = match action {
        RemovalAction::Keep => return Ok(()),
        RemovalAction::Unenrol => true,
        RemovalAction::Suspend | RemovalAction::SuspendNoRoles => false,
    };
    if find(work, unenrol, protected).await? == 0 {
        return Ok(());
    }
    if unenrol {
        if end::unenrol(work, wave).await? > 0 {
            drop_instance_roles(work, wave).await?;
            end::clean_up(work, wave).await?;
        }
        return Ok(());
    }
    let place = Place { wave, rank: end::RANK_SUSPEND_LAST };
    if end::suspend(work, place).await? > 0 && action == RemovalAction::SuspendNoRoles {
        drop_roles(work, place).await?;
    }
    Ok(())
}

async fn find(work: &mut Work<'_>, unenrol: bool, protected: &[i64]) -> Result<u64, DbError> {
    let params = work
        .params()
        .with("method", METHOD)
        .with("component", COMPONENT)
        .fragment("protected", id_list(protected))
        .fragment("status", if unenrol { "1 = 1" } else { "x.status = 0" });
    work.conn.exec("DELETE FROM doomed", &params).await?;
    work.conn
        .exec(
            "INSERT INTO doomed (ueid, line, userid, courseid, contextid, enrolid, roleid, component, free)
             SELECT x.id, 0, x.userid, e.courseid, k.id, e.id, COALESCE(e.roleid, 0), :component, 1
               FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid AND e.enrol = :method
               JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
              WHERE x.timeend > 0 AND x.timeend < :now AND x.userid NOT IN (:protected) AND :status",
            &params,
        )
        .await
}

/// The manual role that the instance names goes with an expired enrolment.
async fn drop_instance_roles(work: &mut Work<'_>, wave: i64) -> Result<(), DbError> {
    let (from, to) = Place { wave, rank: end::RANK_REMOVE }.range();
    let pick = Pick::new(
        "SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid FROM {enrold_change} c
           JOIN {role_assignments} r ON r.userid = c.userid AND r.contextid + 0 = c.contextid AND r.roleid + 0 = c.roleid AND r.component || '' = '' AND r.itemid = 0
          WHERE c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0 AND c.roleid <> 0 GROUP BY r.id, c.courseid, c.contextid",
    );
    let place = Place { wave, rank: end::RANK_NAMED_ROLE };
    work.take(place, Taken::Role, pick.with("ended", from).with("ended_to", to)).await
}

/// With one role in the course that one goes if it is manual; with several the manual one that the instance names.
/// The instance's own roles always go, also below; if none is left in the course, manual ones below it go too.
async fn drop_roles(work: &mut Work<'_>, suspended: Place) -> Result<(), DbError> {
    let wave = suspended.wave;
    let (from, to) = suspended.range();
    let ended = "c.run = :run AND c.seq > :ended AND c.seq <= :ended_to AND c.state = 0";
    let pick = |select: &str| Pick::new(select).with("ended", from).with("ended_to", to).fragment("gone", ended);
    let manual = pick(
        "SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid FROM {enrold_change} c
           JOIN {role_assignments} r ON r.userid = c.userid AND r.contextid + 0 = c.contextid AND r.component || '' = '' AND r.itemid = 0
          WHERE :gone AND (r.roleid + 0 = c.roleid OR (SELECT COUNT(*) FROM {role_assignments} q WHERE q.userid = c.userid AND q.contextid + 0 = c.contextid) = 1)
          GROUP BY r.id, c.courseid, c.contextid",
    );
    work.take(Place { wave, rank: RANK_MANUAL_ROLES }, Taken::Role, manual).await?;
    let owned = pick(
        "SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid FROM {enrold_change} c JOIN {context} home ON home.id = c.contextid
           JOIN {role_assignments} r ON r.userid = c.userid AND r.component || '' = c.component AND r.itemid + 0 = c.enrolid
           JOIN {context} k ON k.id = r.contextid AND (k.id = home.id OR k.path LIKE home.path || '/%')
          WHERE :gone GROUP BY r.id, c.courseid, c.contextid",
    );
    work.take(Place { wave, rank: RANK_OWNED }, Taken::Role, owned).await?;
    let below = pick(
        "SELECT r.id, MIN(c.line) AS line, c.courseid, c.contextid FROM {enrold_change} c JOIN {context} home ON home.id = c.contextid
           JOIN {role_assignments} r ON r.userid = c.userid AND r.component || '' = '' AND r.itemid = 0
           JOIN {context} k ON k.id = r.contextid AND k.path LIKE home.path || '/%'
          WHERE :gone AND NOT EXISTS (SELECT 1 FROM {role_assignments} q WHERE q.userid = c.userid AND q.contextid + 0 = c.contextid)
          GROUP BY r.id, c.courseid, c.contextid",
    );
    work.take(Place { wave, rank: RANK_BELOW }, Taken::Role, below).await
}
