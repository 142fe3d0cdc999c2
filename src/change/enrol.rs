//! Creates instances, enrolments and role assignments, and changes enrolments. It must not depend on the source of the
//! desired state: it reads the temporary tables `pair` and `pair_role`.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::db::table::int;
use crate::db::{DbError, Params, Table, statement};
use crate::outcome::RunResult;

const INSTANCE: Table = Table::new("instance", &[int("courseid"), int("enrolid")]).primary("courseid");
const PAIR: Table = Table::new(
    "pair",
    &[int("userid"), int("courseid"), int("contextid"), int("enrolid"), int("line"), int("timestart"), int("timeend")],
);
const PAIR_ROLE: Table = Table::new(
    "pair_role",
    &[int("userid"), int("courseid"), int("contextid"), int("enrolid"), int("roleid"), int("line")],
);

const INSTANCES: &str = statement(include_str!("enrol.sql"), "instances");
const OVERTAKEN: &str = statement(include_str!("enrol.sql"), "overtaken");
const DIFFERING: &str = statement(include_str!("enrol.sql"), "differing");
const MISSING_ROLES: &str = statement(include_str!("enrol.sql"), "missing roles");
const DOUBLED_ROLES: &str = statement(include_str!("enrol.sql"), "doubled roles");

/// Declares the temporary tables of desired enrolments.
pub fn prepare(ctx: &mut RunContext<'_>) {
    ctx.conn.declare(&INSTANCE);
    ctx.conn.declare(&PAIR);
    ctx.conn.declare(&PAIR_ROLE);
}

/// Creates the instances of `method` that are missing in the courses of `wanted`, a select of
/// (courseid, contextid, line), and fills the temporary table `instance` with the first instance of each course.
///
/// # Errors
/// The database's error.
pub async fn instances(
    ctx: &mut RunContext<'_>,
    position: Position,
    method: &str,
    wanted: &str,
) -> Result<(), DbError> {
    add_instances(ctx, position, Owned { method, condition: "1 = 1", mark: "" }, wanted, Params::new()).await?;
    let params = ctx.params().with("method", method).fragment("wanted", wanted);
    ctx.conn
        .exec(
            "INSERT INTO [instance]
             SELECT w.courseid, MIN(e.id)
               FROM (:wanted) w JOIN {enrol} e ON e.courseid = w.courseid AND e.enrol = :method
              GROUP BY w.courseid",
            &params,
        )
        .await?;
    ctx.conn.analyse("instance").await
}

/// Which instances count, and how new ones are marked.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    /// The method.
    pub method: &'a str,
    /// A condition on the instance `e`.
    pub condition: &'a str,
    /// The `customchar1` of new ones; empty for none.
    pub mark: &'a str,
}

/// Creates the instances that are missing in the courses of `wanted`, a select of (courseid, contextid, line) with its
/// parameters.
///
/// # Errors
/// The database's error.
pub async fn add_instances(
    ctx: &mut RunContext<'_>,
    position: Position,
    own: Owned<'_>,
    wanted: &str,
    params: Params,
) -> Result<(), DbError> {
    let params = params
        .and(ctx.at(position))
        .with("method", own.method)
        .with("mark", own.mark)
        .fragment("own", own.condition)
        .fragment("wanted", wanted);
    let planned = ctx
        .journal(
            position,
            "line, courseid, contextid, component",
            "planned.line, planned.courseid",
            "SELECT w.line, w.courseid, w.contextid, :method AS component FROM (:wanted) w
              WHERE NOT EXISTS (SELECT 1 FROM {enrol} e WHERE e.courseid = w.courseid AND e.enrol = :method AND :own)",
            params.clone(),
        )
        .await?;
    if planned > 0 {
        let applied = ctx.conn.exec(INSTANCES, &params).await? as i64;
        if applied < planned {
            ctx.conn
                .exec(
                    "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                        (SELECT 1 FROM {enrol} e WHERE e.courseid = c.courseid AND e.enrol = :method AND :own
                            AND e.timecreated = :now)",
                    &params,
                )
                .await?;
        }
        ctx.book(position.rank.kind, planned, applied);
    }
    Ok(())
}

/// Adds the missing enrolments of `pair`; gives the others status active and the desired dates.
///
/// # Errors
/// The database's error.
pub async fn enrolments(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    add(ctx, Position { pass_no, rank: kinds::ENROL }).await?;
    Ok(update(ctx, Position { pass_no, rank: kinds::UPDATE }).await?)
}

async fn add(ctx: &mut RunContext<'_>, position: Position) -> RunResult<()> {
    let params = ctx.at(position);
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, enrolid, contextid, status, timestart, timeend",
            "planned.line",
            "SELECT p.line, p.userid, p.courseid, p.enrolid, p.contextid, 0 AS status, p.timestart, p.timeend
               FROM [pair] p LEFT JOIN {user_enrolments} x ON x.enrolid = p.enrolid AND x.userid = p.userid
              WHERE x.id IS NULL",
            params.clone(),
        )
        .await?;
    if planned > 0 {
        apply_adds(ctx, position).await?;
    }
    Ok(())
}

/// Applies the planned additions of a position that are still missing; gives how many were planned.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply_adds(ctx: &mut RunContext<'_>, position: Position) -> RunResult<i64> {
    let planned = ctx.still_valid(position).await?;
    if planned == 0 {
        return Ok(0);
    }
    let params = ctx.at(position);
    ctx.guard_check().await?;
    let columns = "enrolid, status, userid, timestart, timeend, modifierid, timecreated, timemodified";
    let select = "SELECT c.enrolid, c.status, c.userid, c.timestart, c.timeend, :actor, :now, :now
         FROM {enrold_change} c WHERE :here ORDER BY c.seq";
    let applied = ctx.conn.insert_missing("{user_enrolments}", columns, select, &params, planned).await?;
    if applied < planned {
        ctx.conn.exec(OVERTAKEN, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(planned)
}

/// Applies the `planned` changes of a pass at the ranks ENROL, UPDATE and SUSPEND_AS_DESIRED that are still valid;
/// gives how many of them change an enrolment.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply_planned(ctx: &mut RunContext<'_>, pass_no: i64, planned: i64) -> RunResult<i64> {
    if planned == 0 {
        return Ok(0);
    }
    let added = apply_adds(ctx, Position { pass_no, rank: kinds::ENROL }).await?;
    let mut changed = 0;
    for rank in [kinds::UPDATE, kinds::SUSPEND_AS_DESIRED] {
        let position = Position { pass_no, rank };
        let still_valid = if planned > added { ctx.still_valid(position).await? } else { 0 };
        if still_valid > 0 && rank == kinds::SUSPEND_AS_DESIRED {
            ctx.guard_ending().await?;
        }
        ctx.change_planned(position, still_valid).await?;
        changed += still_valid;
    }
    Ok(changed)
}

async fn update(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let oldrow = ctx.old_row("user_enrolments", "x");
    let params = unless_overtaken(ctx, position).fragment("oldrow", oldrow);
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.line",
            DIFFERING,
            params,
        )
        .await?;
    ctx.change_planned(position, planned).await
}

/// The parameters of a position, with a condition that leaves out users whose enrolment was overtaken in this pass.
fn unless_overtaken(ctx: &RunContext<'_>, position: Position) -> Params {
    let (first, _) = Position { pass_no: position.pass_no, rank: kinds::ENROL }.range();
    let condition = if ctx.overtaken > 0 {
        "AND (p.enrolid, p.userid) NOT IN (SELECT o.enrolid, o.userid FROM {enrold_change} o
            WHERE o.run = :run AND o.seq > :first AND o.state = 1 AND o.enrolid IS NOT NULL AND o.userid IS NOT NULL)"
    } else {
        ""
    };
    ctx.at(position).with("first", first).fragment("unless_overtaken", condition)
}

/// Assigns the roles of `pair_role` with `component`; a user whose enrolment was overtaken gets none.
///
/// # Errors
/// The database's error.
pub async fn roles(ctx: &mut RunContext<'_>, pass_no: i64, component: &str) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::ROLE };
    let params = unless_overtaken(ctx, position).with("component", component);
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, contextid, roleid, component, itemid",
            "planned.line, planned.roleid",
            MISSING_ROLES,
            params.clone(),
        )
        .await?;
    apply_roles(ctx, position, planned, Some(component).filter(|component| !component.is_empty())).await
}

/// Applies the `planned` roles of a position that are still missing; `component` is given if instances own them.
///
/// # Errors
/// The database's error.
pub async fn apply_roles(
    ctx: &mut RunContext<'_>,
    position: Position,
    planned: i64,
    component: Option<&str>,
) -> Result<(), DbError> {
    if planned == 0 {
        return Ok(());
    }
    let same = match component.filter(|_| ctx.conn.dialect().finds_roles_by_item()) {
        Some(_) => {
            ":by_item WHERE r.component = :owner AND r.itemid = c.itemid AND r.userid = c.userid
                AND {#r.contextid} = c.contextid AND {#r.roleid} = c.roleid"
        }
        None => {
            ":by_user WHERE r.userid = c.userid AND r.contextid :whole = c.contextid
                AND r.roleid :whole = c.roleid AND {~r.component} = c.component AND {#r.itemid} = c.itemid"
        }
    };
    let params = ctx.at(position).with("owner", component.unwrap_or_default()).fragment("same", same);
    ctx.conn.prefer_indexes(true).await?;
    let applied = ctx
        .conn
        .exec(
            "INSERT INTO {role_assignments} (roleid, contextid, userid, timemodified, modifierid, component, itemid,
                                             sortorder)
             SELECT c.roleid, c.contextid, c.userid, :now, :actor, c.component, c.itemid, 0 FROM {enrold_change} c
              WHERE :here AND NOT EXISTS (SELECT 1 FROM {role_assignments} r :same)
              ORDER BY c.seq",
            &params,
        )
        .await? as i64;
    if applied < planned {
        ctx.conn
            .exec(
                "UPDATE {enrold_change} AS c SET state = 1 WHERE :here AND NOT EXISTS
                    (SELECT 1 FROM {role_assignments} r :same AND r.timemodified = :now AND r.modifierid = :actor)",
                &params,
            )
            .await?;
    }
    ctx.conn.prefer_indexes(false).await?;
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

/// Removes duplicate roles of this component in the instances of `instance`, which a race between two writers leaves
/// (`role_assignments` has no unique key): the lowest id stays, as in Moodle, and no event is written.
///
/// # Errors
/// The database's error.
pub async fn prune_roles(ctx: &mut RunContext<'_>, position: Position, component: &str) -> Result<(), DbError> {
    let doubles = Pick::new(DOUBLED_ROLES);
    ctx.remove_rows(position, doubles.with("component", component)).await?;
    Ok(())
}
