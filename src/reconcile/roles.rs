//! Assigns the desired roles that are missing, after a rule's enrolments are changed, and removes its own extra ones.
//! It must not depend on why a user has a role.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{enrol, kinds};
use crate::db::table::int;
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::reconcile::{Owner, Pass, comparing, owner};

const MISSING_ROLE: Table =
    Table::new("missing_role", &[int("enrolid"), int("userid"), int("courseid"), int("contextid"), int("roleid")]);

/// The roles of the rule's instances in their courses.
const OWNED: &str = "SELECT r.id, s.enrolid, r.userid, r.roleid, s.courseid, s.contextid FROM [scope] s
    :then {role_assignments} r :by_item
       ON r.component = :component AND r.itemid = s.enrolid AND r.contextid = s.contextid";

/// The condition that the role `r` is the desired `p`, for a join with `{role_assignments} r :by_user`.
const SAME: &str = "r.userid = p.userid AND r.contextid :whole = p.contextid AND r.roleid :whole = p.roleid
    AND {~r.component} = :owner AND {#r.itemid} = :item";

/// The same for a role that an instance owns, in a join with `{role_assignments} r :by_item`: in a course with many
/// instances a user has many roles, but few from each.
const SAME_OF_INSTANCE: &str = "r.component = :component AND r.itemid = p.enrolid AND r.userid = p.userid
    AND {#r.contextid} = p.contextid AND {#r.roleid} = p.roleid";

/// The desired roles that are missing, if [`compare`] has not written them into `missing_role`.
const MISSING: &str = "SELECT DISTINCT p.enrolid, p.userid, p.courseid, p.contextid, p.roleid
    FROM (:set) p LEFT JOIN {role_assignments} r :by_key ON :same WHERE r.id IS NULL AND p.presence = 2";

const COUNTED: &str = statement(include_str!("roles.sql"), "counted");
const WRITTEN: &str = statement(include_str!("roles.sql"), "written");
const DOUBLES: &str = statement(include_str!("roles.sql"), "doubles");

/// Declares the table of missing roles, on the database that joins both sides once.
pub(super) fn prepare(conn: &mut Conn) {
    if conn.dialect().compares_from_both_sides() {
        conn.declare(&MISSING_ROLE);
    }
}

/// Assigns the desired roles that are missing and removes those of the rule that are not desired.
pub(super) async fn add_and_remove(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let Some(set) = pass.section("roles") else { return Ok(()) };
    let (component, item) = owner(pass.policy.roles, "p");
    let params = pass.params(ctx).fragment("set", set).fragment("owner", component).fragment("item", item);
    let (by_key, same) = match (ctx.conn.dialect().finds_roles_by_item(), pass.policy.roles) {
        (false, _) | (_, Owner::Nobody) => (":by_user", SAME),
        (true, Owner::Instance) => (":by_item", SAME_OF_INSTANCE),
    };
    let params = params.fragment("by_key", by_key).fragment("same", same);
    comparing(ctx, pass, true).await?;
    let comparison = compare(ctx, pass, &params).await?;
    if comparison.missing > 0 {
        let missing = if comparison.written { "SELECT * FROM [missing_role]" } else { MISSING };
        add(ctx, pass, params.fragment("missing", missing)).await?;
    }
    if comparison.extra {
        comparing(ctx, pass, true).await?;
        remove(ctx, pass, set).await?;
        prune(ctx, pass).await?;
    }
    comparing(ctx, pass, false).await
}

/// The difference between roles and desired state.
struct Comparison {
    /// How many are missing; 1 if that was not counted.
    missing: i64,
    /// Whether they are in `missing_role`.
    written: bool,
    /// Whether some may be extra or duplicate.
    extra: bool,
}

/// Compares desired state and roles, if that may save the writing. If the rule's own roles are those of its instances,
/// the counts alone show whether some are extra: a desired one exists more than once, or there are more.
async fn compare(ctx: &mut RunContext<'_>, pass: &Pass<'_>, params: &Params) -> Result<Comparison, DbError> {
    if pass.policy.roles == Owner::Nobody {
        return Ok(Comparison { missing: 1, written: false, extra: true });
    }
    let writes = ctx.conn.dialect().compares_from_both_sides() && pass.section("owned roles").is_none();
    let own = match writes {
        true => {
            ctx.conn
                .number(&format!("SELECT COUNT(*) FROM (SELECT r.id FROM {GIVEN} LIMIT 1) any_given"), params)
                .await?
        }
        false => own(ctx, pass, params).await?,
    };
    if own == 0 {
        return Ok(Comparison { missing: 1, written: false, extra: false });
    }
    if writes {
        return write_down(ctx, params).await;
    }
    let row = ctx.conn.row(COUNTED, params).await?;
    let (missing, desired, most) = row.map_or((0, 0, 0), |row| (row.int(0), row.int(1), row.int(2)));
    Ok(Comparison { missing, written: false, extra: most > 1 || own > desired })
}

/// Fills `missing_role`, and checks whether a role is extra or duplicate.
async fn write_down(ctx: &mut RunContext<'_>, params: &Params) -> Result<Comparison, DbError> {
    ctx.conn.exec("DELETE FROM [missing_role]", params).await?;
    let row = ctx.conn.row(WRITTEN, &params.clone().fragment("own", OWNED)).await?;
    let (missing, wrong) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
    Ok(Comparison { missing, written: true, extra: wrong > 0 })
}

/// How many roles the rule owns.
async fn own(ctx: &mut RunContext<'_>, pass: &Pass<'_>, params: &Params) -> Result<i64, DbError> {
    let (own, section) = match pass.section("owned roles") {
        Some(section) => ("SELECT COUNT(*) FROM (:own) o WHERE o.userid :among_users".to_owned(), section),
        None => (format!("SELECT COUNT(*) FROM {GIVEN}"), ""),
    };
    ctx.conn.number(&own, &params.clone().fragment("own", section)).await
}

const GIVEN: &str = "[scope] s :then {role_assignments} r :by_item ON r.component = :component AND r.itemid = s.enrolid
    WHERE r.userid :among_users";

async fn add(ctx: &mut RunContext<'_>, pass: &Pass<'_>, params: Params) -> Result<(), DbError> {
    let position = Position { pass_no: pass.pass_no, rank: kinds::ROLE };
    let planned = ctx
        .journal(
            position,
            "line, userid, courseid, contextid, roleid, component, itemid",
            "planned.courseid, planned.userid, planned.roleid",
            "SELECT 0 AS line, p.userid, p.courseid, p.contextid, p.roleid, :owner AS component, :item AS itemid
               FROM (:missing) p",
            params,
        )
        .await?;
    comparing(ctx, pass, false).await?;
    let component = (pass.policy.roles == Owner::Instance).then(|| pass.rule.component());
    enrol::apply_roles(ctx, position, planned, component.as_deref()).await
}

/// Removes every role that the rule's method owns, in any context.
pub(super) async fn remove_all(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let all = Pick::new(
        "SELECT r.id, 0 AS line, CASE WHEN k.contextlevel = 50 THEN k.instanceid ELSE 0 END AS courseid, r.contextid
           FROM {role_assignments} r LEFT JOIN {context} k ON k.id = r.contextid WHERE r.component = :component",
    );
    ctx.remove_rows(Position { pass_no: pass.pass_no, rank: kinds::EXTRA_ROLES }, all.params(pass.params(ctx))).await
}

async fn remove(ctx: &mut RunContext<'_>, pass: &Pass<'_>, set: &str) -> Result<(), DbError> {
    let own = match (pass.section("owned roles"), pass.policy.roles) {
        (Some(own), _) => own,
        (None, Owner::Instance) => OWNED,
        (None, Owner::Nobody) => return Ok(()),
    };
    let extra = Pick::new(
        "SELECT o.id, 0 AS line, o.courseid, o.contextid FROM (:own) o
           LEFT JOIN (:set) d ON d.enrolid = o.enrolid AND d.userid = o.userid AND d.roleid = o.roleid
          WHERE d.userid IS NULL AND o.userid :among_users GROUP BY o.id, o.courseid, o.contextid",
    );
    let position = Position { pass_no: pass.pass_no, rank: kinds::EXTRA_ROLES };
    ctx.remove_rows(position, extra.params(pass.params(ctx)).fragment("own", own).fragment("set", set)).await
}

/// Removes duplicates that a race between two writers left: the lowest id stays, as in Moodle (spec cohort 1.4).
async fn prune(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    if pass.policy.roles == Owner::Nobody {
        return Ok(());
    }
    let doubles = Pick::new(DOUBLES);
    ctx.remove_rows(Position { pass_no: pass.pass_no, rank: kinds::PRUNE }, doubles.params(pass.params(ctx))).await
}
