//! Moves groups with their members to another course: the members become manual participants there, and leave the
//! groups of the first course. It must not delete a group: activities may refer to it.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{groups, kinds};
use crate::config::Settings;
use crate::db::table::{int, text};
use crate::db::{Conn, DbError, Params, Table, statement};
use crate::mail;
use crate::moodle::named::Course;
use crate::moodle::site::id_list;
use crate::moodle::{method, named};
use crate::outcome::{RunError, RunResult};
use crate::verbs::copy::with_access;
use crate::verbs::manual::Target;
use crate::verbs::order::VerbOrder;
use crate::verbs::people::{self, Choice};

/// The groups, with those of the target that have their names.
const GROUP: Table =
    Table::new("verb_group", &[int("groupid"), text("name", 255), int("targetid").or_null()]).primary("groupid");

const GROUPS: &str = statement(include_str!("move_groups.sql"), "groups");
const NEW_GROUPS: &str = statement(include_str!("move_groups.sql"), "new groups");
const IS_MEMBER: &str = statement(include_str!("move_groups.sql"), "is member");
const JOINING: &str = statement(include_str!("move_groups.sql"), "joining");
const LEAVING: &str = statement(include_str!("move_groups.sql"), "leaving");

/// Refuses names that no group of the course has.
pub(super) async fn check(conn: &mut Conn, courses: &[Course], names: &[String]) -> RunResult<()> {
    if names.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = courses.iter().map(|course| course.id).collect();
    let params = Params::new().fragment("courses", id_list(&ids));
    let rows = conn.rows("SELECT g.name FROM {groups} g WHERE g.courseid IN (:courses)", &params).await?;
    match names.iter().find(|name| !rows.iter().any(|row| row.text(0) == **name)) {
        Some(name) => Err(RunError::Refused(format!("the course has no group '{name}' exactly"))),
        None => Ok(()),
    }
}

/// Moves the groups of these names, or all.
pub(super) async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    order: &VerbOrder,
    to: &str,
    names: &[String],
) -> RunResult<()> {
    let to = named::course(ctx.conn, order.place.key(), to).await?;
    let target = Target::of(ctx, &to).await?;
    ctx.conn.declare(&GROUP);
    ctx.conn.declare(&groups::NEW_GROUP);
    load(ctx, &target, names).await?;
    let access = with_access(ctx);
    let enrolments = format!("{} AND {IS_MEMBER}", access.enrolments);
    if people::choose(ctx, order, Choice { enrolments: &enrolments, ..access }).await? == 0 {
        return Ok(());
    }
    let pass_no = ctx.next_pass();
    make(ctx, &target, pass_no).await?;
    load(ctx, &target, names).await?;
    target.enrol(ctx, pass_no, order).await?;
    join_and_leave(ctx, &target, pass_no).await?;
    mail::welcome(ctx, settings, pass_no..=pass_no, method::MANUAL).await?;
    Ok(())
}

/// Fills `verb_group`.
async fn load(ctx: &mut RunContext<'_>, target: &Target, names: &[String]) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let any = |name: &String| dialect.same_bytes("g.name", &dialect.text(name).to_string());
    let which = names.iter().map(any).collect::<Vec<_>>().join(" OR ");
    let params = target
        .params(ctx, "v.userid")
        .fragment("same_name", dialect.same_text("o.name", "g.name"))
        .fragment("which_groups", if names.is_empty() { "1 = 1".to_owned() } else { format!("({which})") });
    ctx.conn.exec("DELETE FROM [verb_group]", &params).await?;
    ctx.conn.exec(GROUPS, &params).await?;
    ctx.conn.analyse(GROUP.name).await
}

/// Makes the groups of whom the order concerns that the target does not have by name.
async fn make(ctx: &mut RunContext<'_>, target: &Target, pass_no: i64) -> Result<(), DbError> {
    let name_bytes = ctx.conn.dialect().neutral("q.name");
    let params = target.params(ctx, "v.userid").fragment("name_bytes", name_bytes);
    if ctx.conn.exec(NEW_GROUPS, &params).await? == 0 {
        return Ok(());
    }
    groups::load(ctx, &format!("SELECT {} AS courseid", target.id)).await?;
    groups::create(ctx, Position { pass_no, rank: kinds::GROUP }).await
}

/// The members join the groups of the target, and leave those of their course; who did not join stays.
async fn join_and_leave(ctx: &mut RunContext<'_>, target: &Target, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::JOIN };
    let columns = "line, userid, courseid, contextid, groupid, component, itemid";
    let order = "planned.groupid, planned.userid";
    let planned = ctx.journal(position, columns, order, JOINING, target.params(ctx, "v.userid")).await?;
    groups::join_planned(ctx, position, planned).await?;
    ctx.remove_rows(Position { pass_no, rank: kinds::LEAVE }, Pick::new(LEAVING)).await?;
    groups::settle(ctx, pass_no).await
}
