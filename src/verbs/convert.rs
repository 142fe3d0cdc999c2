//! Makes automatic enrolments manual ones: dates, roles and groups stay with the people. It must not leave anybody
//! without access in between: the manual enrolment is there before anything of the other ends.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{end, enrol, kinds};
use crate::db::table::{int, small, text};
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::moodle::method;
use crate::moodle::named::Course;
use crate::moodle::site::{Site, id_list};
use crate::outcome::{Note, RunError, RunResult};
use crate::reconcile;
use crate::verbs::manual::{self, BEST};
use crate::verbs::order::{SourceFate, VerbOrder};
use crate::verbs::people::{self, Choice};

/// The instances that have the enrolments.
const SOURCE: Table = Table::new(
    "verb_source",
    &[
        int("enrolid"),
        int("courseid"),
        int("contextid"),
        small("stays"),
        text("method", 20),
        text("component", 100),
        small("fate"),
    ],
)
.primary("enrolid");
/// The roles that they own.
const ROLE: Table = Table::new(
    "verb_role",
    &[
        int("id"),
        int("line"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("roleid"),
        int("enrolid"),
        small("stays"),
        int("nth"),
        small("manual"),
    ],
)
.primary("id");

const SOURCES: &str = statement(include_str!("convert.sql"), "sources");
const PLANNED: &str = statement(include_str!("convert.sql"), "planned");
const OWNED_ROLES: &str = statement(include_str!("convert.sql"), "owned roles");
const FURTHER_ROLES: &str = statement(include_str!("convert.sql"), "further roles");
const RELEASED_ROLES: &str = statement(include_str!("convert.sql"), "released roles");
const RELEASED_GROUPS: &str = statement(include_str!("convert.sql"), "released groups");
const SOURCES_OF_ROWS: &str = statement(include_str!("rows.sql"), "sources");
const DELETED: &str = statement(include_str!("convert.sql"), "deleted");
const FED: &str = statement(include_str!("convert.sql"), "fed");
const STAYS: &str = statement(include_str!("convert.sql"), "stays");
const DISABLED: &str = statement(include_str!("convert.sql"), "disabled");
const TO_REMOVE: &str = statement(include_str!("convert.sql"), "to remove");

/// Which instances are converted.
#[derive(Clone, Copy)]
pub(super) struct From<'a> {
    pub method: &'a str,
    /// The only one, enabled or not; `None` for all that are enabled.
    pub instance: Option<i64>,
}

/// The parameters of all statements.
fn params(ctx: &RunContext<'_>) -> Params {
    ctx.params()
        .with("keep", SourceFate::Keep.number())
        .with("disable", SourceFate::Disable.number())
        .with("delete", SourceFate::Delete.number())
        .fragment("best", BEST)
}

/// Refuses a method or an instance that these courses do not have.
pub(super) async fn check(
    conn: &mut Conn,
    site: &Site,
    courses: &[Course],
    method: &str,
    instance: Option<i64>,
) -> RunResult<()> {
    if method == method::MANUAL {
        return Err(RunError::Refused("enrolments by hand are manual already".to_owned()));
    }
    let ids: Vec<i64> = courses.iter().map(|course| course.id).collect();
    let params = Params::new().fragment("courses", id_list(&ids));
    let sql = "SELECT e.enrol, MAX(CASE WHEN e.id = :instance THEN 1 ELSE 0 END) FROM {enrol} e
        WHERE e.courseid IN (:courses) GROUP BY e.enrol ORDER BY e.enrol";
    let rows = conn.rows(sql, &params.with("instance", instance.unwrap_or(0))).await?;
    let there: Vec<String> = rows.iter().map(|row| row.text(0)).collect();
    let place = if courses.len() == 1 { "the course" } else { "the courses of the category" };
    if let Some(id) = instance
        && !rows.iter().any(|row| row.text(0) == method && row.int(1) == 1)
    {
        return Err(RunError::Refused(format!("{place} has no instance {id} of the method '{method}'")));
    }
    if !there.iter().any(|name| name == method) && !site.is_enabled(method) {
        let there = there.join(", ");
        return Err(RunError::Refused(format!("no method is called '{method}'; {place} has: {there}")));
    }
    Ok(())
}

/// Converts the enrolments of an order.
pub(super) async fn apply(
    ctx: &mut RunContext<'_>,
    order: &VerbOrder,
    from: From<'_>,
    fate: SourceFate,
) -> RunResult<()> {
    ctx.conn.declare(&SOURCE);
    let instances = match from.instance {
        Some(id) => format!("e.enrol = :method AND e.id = {id}"),
        None => "e.enrol = :method AND e.status = 0".to_owned(),
    };
    let params = params(ctx).with("method", from.method).with("fate", fate.number()).fragment("instances", instances);
    ctx.conn.exec(SOURCES, &params).await?;
    ctx.conn.analyse(SOURCE.name).await?;
    let instances = "e.id IN (SELECT s.enrolid FROM [verb_source] s)";
    let choice = Choice { instances, enrolments: "1 = 1", params: Params::new() };
    match people::choose(ctx, order, choice).await? {
        0 => Ok(()),
        _ => convert(ctx).await,
    }
}

/// Converts the enrolments of the rows of a file, which are chosen.
pub(super) async fn apply_rows(ctx: &mut RunContext<'_>) -> RunResult<()> {
    ctx.conn.declare(&SOURCE);
    if ctx.conn.exec(SOURCES_OF_ROWS, &params(ctx)).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse(SOURCE.name).await?;
    convert(ctx).await
}

/// Converts the chosen enrolments, then settles the instances that had them.
async fn convert(ctx: &mut RunContext<'_>) -> RunResult<()> {
    ctx.conn.declare(&ROLE);
    let pass_no = ctx.next_pass();
    let wanted = "SELECT DISTINCT v.courseid, v.contextid, 0 AS line FROM [verb_enrolment] v";
    manual::methods(ctx, pass_no, wanted, Params::new()).await?;
    leave_courses_without_manual(ctx).await?;
    let stay = ctx.conn.exec(STAYS, &params(ctx)).await? as i64;
    ctx.notes.extend((stay > 0).then_some(Note::SourceStays(stay)));
    enrol(ctx, pass_no).await?;
    roles(ctx, pass_no).await?;
    let position = Position { pass_no, rank: kinds::RELEASE_GROUP };
    let params = params(ctx).fragment("oldrow", ctx.old_row("groups_members", "x"));
    let columns = "line, userid, courseid, contextid, groupid, component, itemid, enrolid, targetid, oldrow";
    let planned = ctx.journal(position, columns, "planned.targetid", RELEASED_GROUPS, params).await?;
    ctx.change_planned(position, planned).await?;
    disable(ctx).await?;
    delete(ctx).await
}

/// Nothing is done in a course whose manual method is disabled.
async fn leave_courses_without_manual(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    for table in ["verb_enrolment", "verb_source"] {
        let sql = format!("DELETE FROM [{table}] WHERE courseid NOT IN (SELECT m.courseid FROM [verb_manual] m)");
        ctx.conn.exec(&sql, &Params::new()).await?;
    }
    Ok(())
}

/// Adds the manual enrolments.
async fn enrol(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let params = params(ctx)
        .with("rank_add", kinds::ENROL.at)
        .with("rank_update", kinds::UPDATE.at)
        .fragment("oldrow", ctx.old_row("user_enrolments", "x"));
    let planned = ctx
        .journal_ranked(
            pass_no,
            &[kinds::ENROL, kinds::UPDATE],
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.courseid, planned.userid",
            PLANNED,
            params,
        )
        .await?;
    enrol::apply_planned(ctx, pass_no, planned).await.map(|_| ())
}

/// Makes the roles that the instances own manual ones, once each. Those of an instance that stays are given by hand
/// beside its own: it would give them again.
async fn roles(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let owned = ctx.conn.exec(OWNED_ROLES, &params(ctx)).await?;
    ctx.conn.analyse(ROLE.name).await?;
    ctx.conn.prefer_indexes(true).await?;
    if owned > 0 {
        let position = Position { pass_no, rank: kinds::RELEASE_ROLE };
        let params = params(ctx).fragment("oldrow", ctx.old_row("role_assignments", "x"));
        let columns = "line, userid, courseid, contextid, roleid, component, itemid, enrolid, targetid, oldrow";
        let planned = ctx.journal(position, columns, "planned.targetid", RELEASED_ROLES, params).await?;
        ctx.change_planned(position, planned).await?;
        further_roles(ctx, pass_no).await?;
    }
    Ok(ctx.conn.prefer_indexes(false).await?)
}

/// Removes the roles that somebody has by hand or twice, and gives by hand those of a method that stays.
async fn further_roles(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let row = ctx.conn.row(FURTHER_ROLES, &Params::new()).await?;
    let (doubles, beside) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
    if doubles > 0 {
        let doubles = Pick::new(
            "SELECT p.id, p.line, p.courseid, p.contextid FROM [verb_role] p
              WHERE p.stays = 0 AND (p.nth > 1 OR p.manual = 1)",
        );
        ctx.remove_rows(Position { pass_no, rank: kinds::OWNED_ROLES }, doubles).await?;
    }
    if beside > 0 {
        let position = Position { pass_no, rank: kinds::ROLE };
        let beside = "SELECT p.line, p.userid, p.courseid, p.contextid, p.roleid, '' AS component, 0 AS itemid
            FROM [verb_role] p WHERE p.nth = 1 AND p.manual = 0 AND p.stays = 1";
        let columns = "line, userid, courseid, contextid, roleid, component, itemid";
        let planned = ctx.journal(position, columns, "planned.userid, planned.roleid", beside, ctx.params()).await?;
        enrol::apply_roles(ctx, position, planned, None).await?;
    }
    Ok(())
}

/// Disables the instances that are to be: all their people are manual participants now.
async fn disable(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let position = Position { pass_no: ctx.next_pass(), rank: kinds::DISABLE };
    let params = params(ctx).fragment("oldrow", ctx.old_row("enrol", "x"));
    let columns = "targetid, courseid, contextid, component, status, oldstatus, oldrow";
    let planned = ctx.journal(position, columns, "planned.targetid", DISABLED, params.clone()).await?;
    if planned > 0 {
        for row in ctx.conn.rows(FED, &params).await? {
            ctx.notes.push(Note::SourceDisabled(row.text(0)));
        }
    }
    Ok(ctx.change_planned(position, planned).await?)
}

/// Removes the instances that are to be, with their enrolments.
async fn delete(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let pass_no = ctx.next_pass();
    ctx.conn.exec("DELETE FROM [to_remove]", &ctx.params()).await?;
    let gone = ctx.conn.exec(TO_REMOVE, &params(ctx)).await? as i64;
    ctx.conn.analyse("to_remove").await?;
    if gone > 0 {
        end::unenrol_and_purge(ctx, pass_no, gone).await?;
    }
    let params = params(ctx).fragment("component", "s.component");
    Ok(reconcile::remove_instances(ctx, pass_no, DELETED, params).await?)
}
