//! Category enrolments: users with a synchronised role in a category are enrolled in every course below it (spec
//! category). It must not assign roles: courses inherit the category's role.

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::db::table::int;
use crate::db::{Params, Table};
use crate::moodle::site::{RemovalAction, Site};
use crate::outcome::{Note, RunError, RunResult};
use crate::reconcile::{Follow, Instances, Pass, Policy, Rule, Taking};

/// The rule.
pub const CATEGORY: Rule = Rule {
    name: "category",
    method: "category",
    twins: &[r"\enrol_category\task\enrol_category_sync"],
    sql: include_str!("category.sql"),
    policy,
    prepare: Some(prepare),
    follow_up: None,
};

/// The capability that marks the roles to follow (spec category 2).
const SYNCHRONISED: &str = "enrol/category:synchronised";

/// The method has no settings: instances come and go with the role assignments, users without one are unenrolled, and
/// an existing enrolment is never changed (spec category 3).
fn policy(site: &Site, _settings: &Settings) -> Policy {
    let params = Params::new().with("system", site.system_context).with("capability", SYNCHRONISED);
    Policy {
        status: Follow::Never,
        instances: Instances::CreatedAndDeleted,
        staged: true,
        params,
        ..Policy::new(RemovalAction::Unenrol)
    }
}

fn prepare<'a>(ctx: &'a mut RunContext<'_>, pass: &'a Pass<'a>) -> Taking<'a> {
    Box::pin(async move {
        hold_without_roles(ctx, pass).await?;
        fill(ctx, pass, &ASSIGNED).await?;
        fill(ctx, pass, &BELOW).await
    })
}

/// Users with a synchronised role, the category of each role, and since when.
const ASSIGNED: Table =
    Table::new("assigned", &[int("contextid"), int("userid"), int("timestart")]).primary("contextid, userid");
/// The courses below each category.
const BELOW: Table =
    Table::new("below", &[int("courseid"), int("contextid"), int("ancestor")]).primary("courseid, ancestor");

/// Where no role is synchronised, Moodle removes every instance of the site within a minute, and the grades of users
/// without another enrolment. The guard holds the run, so that one withdrawn capability does not cause this. Without
/// instances the rule does nothing, and a note says why.
async fn hold_without_roles(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<()> {
    let params = pass.params(ctx);
    let roles = "SELECT COUNT(*) FROM {role_capabilities} p JOIN {capabilities} c ON c.name = :capability
        WHERE p.contextid = :system AND p.permission = 1 AND p.capability = :capability";
    if ctx.conn.number(roles, &params).await? > 0 {
        return Ok(());
    }
    let instances = "SELECT COUNT(*) FROM {enrol} e WHERE e.enrol = :method AND e.courseid :among_courses";
    let instances = ctx.conn.number(instances, &params).await?;
    if instances > 0 {
        ctx.guard.check_roles(pass.rule.name, instances);
    } else if !pass.filter.users && !ctx.notes.contains(&Note::NoRoleSynchronised) {
        ctx.notes.push(Note::NoRoleSynchronised);
    }
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

/// Fills a temporary table from the section of the same name.
async fn fill(ctx: &mut RunContext<'_>, pass: &Pass<'_>, table: &Table) -> RunResult<()> {
    let Some(section) = pass.section(table.name) else { return Ok(()) };
    let params = pass.params(ctx).fragment("section", section);
    ctx.conn.declare(table);
    ctx.conn.prefer_indexes(true).await?;
    let sql = format!("INSERT INTO [{}] SELECT {} FROM (:section) t", table.name, table.columns());
    ctx.conn.exec(&sql, &params).await?;
    ctx.conn.prefer_indexes(false).await?;
    Ok(ctx.conn.analyse(table.name).await?)
}
