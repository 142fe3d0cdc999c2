//! Compares the desired with the existing enrolments of a rule: which are missing, which differ, which are extra. It
//! must not change an enrolment: it counts, and fills temporary tables.

use crate::change::context::RunContext;
use crate::db::table::int;
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::moodle::site::RemovalAction;
use crate::reconcile::{Follow, Owner, Pass, comparing};

const DIFFERING: Table = Table::new(
    "differing",
    &[
        int("userid"),
        int("courseid"),
        int("enrolid"),
        int("contextid"),
        int("targetid").or_null(),
        int("status"),
        int("timestart"),
        int("timeend"),
        int("oldstatus").or_null(),
        int("oldtimestart").or_null(),
        int("oldtimeend").or_null(),
    ],
);

/// The difference between enrolments and desired state before anything is changed.
pub(super) struct Comparison {
    /// The enrolments in the rule's instances.
    pub there: i64,
    /// Desired ones that are missing or differ.
    pub wrong: i64,
    /// Whether some of them differ.
    pub has_differing: bool,
    /// Enrolments that are not desired.
    pub extra: i64,
}

/// The columns of a desired enrolment that is missing or differs: the desired values, and the old ones.
const COLUMNS: &str =
    "userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, oldtimestart, oldtimeend";

/// [`COLUMNS`] of a desired enrolment `d` and the enrolment `x` that it is compared with.
const DIFFERENCE: &str = "d.userid, d.courseid, d.enrolid, d.contextid, x.id AS targetid,
    CASE WHEN x.id IS NULL THEN d.status ELSE :newstatus END AS status,
    CASE WHEN x.id IS NULL THEN d.timestart ELSE :newstart END AS timestart,
    CASE WHEN x.id IS NULL THEN d.timeend ELSE :newend END AS timeend,
    x.status AS oldstatus, x.timestart AS oldtimestart, x.timeend AS oldtimeend";

/// Declares the table of what differs, on the database that joins both sides once.
pub(super) fn prepare(conn: &mut Conn) {
    if conn.dialect().compares_from_both_sides() {
        conn.declare(&DIFFERING);
    }
}

/// Compares desired state and enrolments; most passes find no difference.
pub(super) async fn compare(ctx: &mut RunContext<'_>, pass: &Pass<'_>, instances: i64) -> Result<Comparison, DbError> {
    let scope = ctx.conn.dialect().among("SELECT s.enrolid FROM [scope] s", instances);
    let there = format!("SELECT COUNT(*) FROM {{user_enrolments}} x WHERE x.enrolid {scope} AND x.userid :among_users");
    let there = ctx.conn.number(&there, &pass.params(ctx)).await?;
    let Some(params) = desired(ctx, pass) else {
        return Ok(Comparison { there, wrong: 0, has_differing: false, extra: 0 });
    };
    comparing(ctx, pass, true).await?;
    let comparison = match ctx.conn.dialect().compares_from_both_sides() {
        true => write_down(ctx, &params, there).await?,
        false => count(ctx, &params, there).await?,
    };
    comparing(ctx, pass, false).await?;
    Ok(comparison)
}

async fn count(ctx: &mut RunContext<'_>, params: &Params, there: i64) -> Result<Comparison, DbError> {
    let sql = "SELECT COUNT(CASE WHEN :wrong THEN 1 END), COUNT(x.id)
                 FROM (:set) d LEFT JOIN {user_enrolments} x ON x.enrolid = d.enrolid AND x.userid = d.userid";
    let row = ctx.conn.row(sql, params).await?;
    let (wrong, desired) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
    Ok(Comparison { there, wrong, has_differing: true, extra: there - desired })
}

const WRITTEN: &str = statement(include_str!("compare.sql"), "written");

/// Fills `differing` and `to_remove`.
async fn write_down(ctx: &mut RunContext<'_>, params: &Params, there: i64) -> Result<Comparison, DbError> {
    let params = &params.clone().fragment("difference", DIFFERENCE).fragment("columns", COLUMNS);
    for table in ["differing", "to_remove"] {
        ctx.conn.exec(&format!("DELETE FROM [{table}]"), params).await?;
    }
    let row = ctx.conn.row(WRITTEN, params).await?;
    let (wrong, has_differing, extra) = row.map_or((0, 0, 0), |row| (row.int(0), row.int(1), row.int(2)));
    Ok(Comparison { there, wrong, has_differing: has_differing > 0, extra })
}

/// The parameters of a pass whose `:differing` are the desired enrolments that are missing or differ, with the old row
/// of one that differs; `None` if the rule has no enrolments.
pub(super) fn differing(ctx: &RunContext<'_>, pass: &Pass<'_>, comparison: &Comparison) -> Option<Params> {
    let params = desired(ctx, pass)?;
    let differing = match (ctx.conn.dialect().compares_from_both_sides(), comparison.has_differing) {
        (true, false) => format!("(SELECT {COLUMNS}, CAST(NULL AS TEXT) AS oldrow FROM [differing])"),
        (true, true) => format!(
            "(SELECT {}, CASE WHEN x.id IS NULL THEN NULL ELSE :oldrow END AS oldrow
                FROM [differing] t LEFT JOIN {{user_enrolments}} x ON x.id = t.targetid)",
            COLUMNS.split(", ").map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ")
        ),
        (false, _) => format!(
            "(SELECT {DIFFERENCE}, CASE WHEN x.id IS NULL THEN NULL ELSE :oldrow END AS oldrow
                FROM (:set) d
                LEFT JOIN {{user_enrolments}} x ON x.enrolid = d.enrolid AND x.userid = d.userid WHERE :wrong)"
        ),
    };
    Some(params.fragment("differing", differing))
}

/// Makes `to_remove` hold the extra enrolments that end; gives their number.
pub(super) async fn find_extra(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    comparison: &Comparison,
) -> Result<i64, DbError> {
    if ctx.conn.dialect().compares_from_both_sides() {
        return Ok(comparison.extra);
    }
    let Some(params) = desired(ctx, pass).filter(|_| pass.policy.on_extra != RemovalAction::Keep) else { return Ok(0) };
    ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
    comparing(ctx, pass, true).await?;
    let to_remove = ctx
        .conn
        .exec(
            "INSERT INTO [to_remove]
             SELECT x.id, 0, x.userid, s.courseid, s.contextid, s.enrolid, 0, :component, :free, NULL
               FROM [scope] s JOIN {user_enrolments} x ON x.enrolid = s.enrolid
               LEFT JOIN (:set) d ON d.enrolid = x.enrolid AND d.userid = x.userid
              WHERE d.userid IS NULL AND x.userid :among_users AND :ends",
            &params,
        )
        .await?;
    comparing(ctx, pass, false).await?;
    Ok(to_remove as i64)
}

/// The parameters of a pass, with its desired enrolments as `:set`, and the conditions that one is `:wrong` (missing or
/// different) and that an extra one `:ends`; `None` if the rule has no enrolments.
fn desired(ctx: &RunContext<'_>, pass: &Pass<'_>) -> Option<Params> {
    let set = pass.section("enrolments")?;
    let set = if pass.policy.staged { "SELECT w.* FROM [desired] w" } else { set };
    let status = match pass.policy.status {
        Follow::Never => "x.status",
        Follow::Reactivate => "CASE WHEN d.status = 0 THEN 0 ELSE x.status END",
        Follow::Always => "d.status",
    };
    let (timestart, timeend) =
        if pass.policy.dates { ("d.timestart", "d.timeend") } else { ("x.timestart", "x.timeend") };
    let wrong = "(x.id IS NULL AND d.presence = 2)
                 OR (d.presence > 0 AND (x.status <> :newstatus OR x.timestart <> :newstart OR x.timeend <> :newend))";
    let ends = match pass.policy.on_extra {
        RemovalAction::Keep => "1 = 0",
        RemovalAction::Unenrol => "1 = 1",
        RemovalAction::Suspend | RemovalAction::SuspendNoRoles => "x.status = 0",
    };
    let params = pass.params(ctx).fragment("set", set).fragment("wrong", wrong).fragment("ends", ends);
    let params = params.fragment("newstatus", status).fragment("newstart", timestart).fragment("newend", timeend);
    let params = params.with("free", i64::from(pass.policy.roles == Owner::Nobody));
    Some(params.fragment("oldrow", ctx.old_row("user_enrolments", "x")))
}
