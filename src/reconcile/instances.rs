//! Creates and removes the instances of a method that its rule manages. It must not unenrol users: enrolments in a
//! removed instance are extra, and have been removed before.

use crate::change::context::{Position, RunContext};
use crate::change::enrol::{self, Owned};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::db::table::int;
use crate::db::{DbError, Params, Table};
use crate::outcome::RunResult;
use crate::reconcile::{Pass, Rule, missing};

const DESIRED_COURSE: Table = Table::new("desired_course", &[int("courseid"), int("contextid")]).primary("courseid");

/// Creates an instance in each desired course that has none.
pub(super) async fn create(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let set = pass.section("instances").ok_or_else(|| missing(pass, "instances"))?;
    let params = pass.params(ctx).fragment("set", set);
    let conn = &mut *ctx.conn;
    conn.declare(&DESIRED_COURSE);
    conn.exec("INSERT INTO [desired_course] SELECT t.courseid, t.contextid FROM (:set) t", &params).await?;
    conn.analyse("desired_course").await?;
    let missing = "SELECT w.courseid, w.contextid, 0 AS line FROM [desired_course] w WHERE NOT EXISTS
        (SELECT 1 FROM {enrol} e WHERE e.courseid = w.courseid AND e.enrol = :method AND :own_instance)";
    if conn.number(&format!("SELECT COUNT(*) FROM ({missing}) m"), &params).await? > 0 {
        let position = Position { pass_no: pass.pass_no, rank: kinds::INSTANCE };
        let own =
            Owned { method: pass.rule.method, condition: &pass.policy.own_instance, mark: &pass.policy.instance_mark };
        enrol::add_instances(ctx, position, own, missing, params.clone()).await?;
    }
    if pass.filter.instances { also_new_ones(ctx, &params).await } else { Ok(()) }
}

/// Adds the new instances to a filter by instances, which was filled before they existed.
async fn also_new_ones(ctx: &mut RunContext<'_>, params: &Params) -> RunResult<()> {
    let sql = ctx.conn.dialect().insert_absent(
        "[only_instance]",
        "",
        "SELECT e.id FROM [desired_course] w JOIN {enrol} e ON e.courseid = w.courseid
          WHERE e.enrol = :method AND :own_instance",
    );
    ctx.conn.exec(&sql, params).await?;
    Ok(())
}

/// Removes the instances without enrolments in courses that are not desired, with all that they own, as Moodle does
/// (spec enrol-core 4).
pub(super) async fn delete(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<(), DbError> {
    let params = pass.params(ctx);
    let gone = "SELECT s.enrolid, s.courseid, s.contextid, 0 AS line FROM [scope] s
          LEFT JOIN [desired_course] w ON w.courseid = s.courseid
         WHERE w.courseid IS NULL AND NOT EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = s.enrolid)";
    remove_instances(ctx, pass.pass_no, gone, params).await
}

/// Settles the instances of the cohorts that this run has removed, as Moodle does (spec cohort 5): those without
/// enrolments are removed, or, where the site keeps the enrolments of former members, all are disabled.
///
/// # Errors
/// The database's error.
pub async fn of_removed_cohorts(ctx: &mut RunContext<'_>, rule: &Rule, disabled: bool) -> Result<(), DbError> {
    if ctx.booked(&kinds::COHORT_REMOVE) == 0 {
        return Ok(());
    }
    let pass_no = ctx.next_pass();
    let gone = "SELECT e.id AS enrolid, e.courseid, k.id AS contextid, 0 AS line FROM {enrol} e
          JOIN {context} k ON k.contextlevel = 50 AND k.instanceid = e.courseid
         WHERE e.enrol = :method AND :settled AND e.customint1 IN
               (SELECT c.itemid FROM {enrold_change} c WHERE c.run = :run AND c.state = 0 AND c.kind = :removed)";
    let params = ctx
        .params()
        .with("method", rule.method)
        .with("component", rule.component())
        .with("removed", &kinds::COHORT_REMOVE)
        .fragment("gone", gone);
    let before = std::mem::replace(&mut ctx.cause, rule.name);
    let settled = if disabled {
        disable(ctx, pass_no, params.fragment("settled", "e.status = 0")).await
    } else {
        let empty = "NOT EXISTS (SELECT 1 FROM {user_enrolments} x WHERE x.enrolid = e.id)";
        remove_instances(ctx, pass_no, gone, params.fragment("settled", empty)).await
    };
    ctx.cause = before;
    settled
}

/// Removes the instances that `gone` selects (enrolid, courseid, contextid, line), with all that they own; their
/// enrolments have ended before. `params` has the `component` of their method, a column of `gone` if there are several.
///
/// # Errors
/// The database's error.
pub async fn remove_instances(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    gone: &str,
    params: Params,
) -> Result<(), DbError> {
    if ctx.conn.number(&format!("SELECT COUNT(*) FROM ({gone}) s"), &params).await? == 0 {
        return Ok(());
    }
    let groups = format!(
        "SELECT m.id, s.line, s.courseid, s.contextid FROM {{groups_members}} m
           JOIN ({gone}) s ON s.enrolid = m.itemid
          WHERE m.component = :component"
    );
    let roles = format!(
        "SELECT r.id, s.line, s.courseid, s.contextid FROM ({gone}) s
           :then {{role_assignments}} r :by_item ON r.component = :component AND r.itemid = s.enrolid"
    );
    let position = |rank| Position { pass_no, rank };
    ctx.remove_rows(position(kinds::LEFT_GROUPS), Pick::new(&groups).params(params.clone())).await?;
    // Moodle deletes them without an event.
    ctx.remove_rows(position(kinds::LEFT_ROLES), Pick::new(&roles).params(params.clone())).await?;
    let instances = format!("SELECT s.enrolid AS id, s.line, s.courseid, s.contextid FROM ({gone}) s");
    ctx.remove_rows(position(kinds::UNMAKE), Pick::new(&instances).params(params)).await
}

/// Disables the instances that `:gone` selects.
async fn disable(ctx: &mut RunContext<'_>, pass_no: i64, params: Params) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::DISABLE };
    let oldrow = ctx.old_row("enrol", "x");
    let select = "SELECT x.id AS targetid, x.courseid, s.contextid, x.enrol AS component, 1 AS status,
                x.status AS oldstatus, :oldrow AS oldrow
           FROM (:gone) s JOIN {enrol} x ON x.id = s.enrolid";
    let columns = "targetid, courseid, contextid, component, status, oldstatus, oldrow";
    let params = params.fragment("oldrow", oldrow);
    let planned = ctx.journal(position, columns, "planned.targetid", select, params).await?;
    ctx.change_planned(position, planned).await
}
