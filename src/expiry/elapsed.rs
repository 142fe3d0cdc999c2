//! Enrolments with an elapsed `timeend`: found once for all methods, then unenrolled or suspended.
//! It must not know which roles go with them.

use crate::change::work::{Place, Work};
use crate::change::{end, kinds};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Table, statement};
use crate::expiry::policy::{Due, names};
use crate::expiry::roles;
use crate::moodle::site::RemovalAction;
use crate::outcome::RunResult;

/// Enrolments of all methods that have ended, with what becomes of them and of their roles.
const ELAPSED: Table = Table::new(
    "elapsed",
    &[
        int("ueid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("roleid"),
        text("component", 100),
        small("ending"),
        small("roles"),
        int("timeend"),
    ],
)
.primary("ueid");

const ENDED: &str = statement(include_str!("elapsed.sql"), "elapsed enrolments");

/// Fills the temporary table `elapsed` and gives how many there are: every one that is to be unenrolled, and the active
/// ones that are to be suspended (spec enrol-core 14). `ending` is 0 for unenrol, 1 for suspend.
pub(super) async fn find(work: &mut Work<'_>, due: &[Due], reach: &str) -> Result<i64, DbError> {
    let unenrol = |action| action == RemovalAction::Unenrol;
    let suspend = |action| matches!(action, RemovalAction::Suspend | RemovalAction::SuspendNoRoles);
    if !due.iter().any(|due| unenrol(due.action) || suspend(due.action)) {
        return Ok(0);
    }
    work.conn.declare(&ELAPSED);
    let params = work
        .params()
        .fragment("reach", reach)
        .fragment("unenrol", names(due, unenrol))
        .fragment("suspend", names(due, suspend))
        .fragment("roles", roles::fate(due));
    let found = work.conn.exec(ENDED, &params).await?;
    work.conn.analyse(ELAPSED.name).await?;
    Ok(found as i64)
}

/// Removes the enrolments that are to be unenrolled, with the roles that go before them and all that goes with them.
pub(super) async fn unenrol(work: &mut Work<'_>) -> RunResult<()> {
    let wave = work.next_wave();
    if doom(work, 0).await? > 0 && end::unenrol(work, wave).await? > 0 {
        roles::before_unenrol(work, wave).await?;
        end::clean_up(work, wave).await?;
    }
    Ok(())
}

/// Suspends the others, and takes roles where the action says so.
pub(super) async fn suspend(work: &mut Work<'_>) -> RunResult<()> {
    let place = Place { wave: work.next_wave(), rank: kinds::SUSPEND_LAST };
    if doom(work, 1).await? > 0 && end::suspend(work, place).await? > 0 {
        roles::before_suspend(work, place).await?;
    }
    Ok(())
}

async fn doom(work: &mut Work<'_>, ending: i64) -> Result<u64, DbError> {
    let params = work.params().with("ending", ending);
    work.conn.exec("DELETE FROM [doomed]", &params).await?;
    let sql = "INSERT INTO [doomed]
        SELECT d.ueid, 0, d.userid, d.courseid, d.contextid, d.enrolid, d.roleid, d.component, 1, d.timeend
          FROM [elapsed] d WHERE d.ending = :ending";
    work.conn.exec(sql, &params).await
}
