//! The groups that rows name: makes the missing ones if it may, and adds and removes their members.
//! It must not enrol anybody, nor put somebody into a group who is not enrolled.

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{groups, kinds};
use crate::config::{FileKind, Profile};
use crate::coursefiles::groups::{over, take_out};
use crate::coursefiles::participants::enrol::in_course;
use crate::coursefiles::participants::place::Place;
use crate::db::table::{int, small, text};
use crate::db::{DbError, Table, statement};
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, PlaceKind, Problem, shown};

/// Who is to join or leave which group.
const LIST_MEMBER: Table = Table::new(
    "list_member",
    &[int("line"), int("nth"), small("op"), int("userid"), text("gname", 255), small("clean"), small("enrolled")],
);
/// The groups that rows name; `found` are those of that name in the course.
const LIST_NAME: Table =
    Table::new("list_name", &[text("gname", 255), int("line"), small("clean"), int("groupid").or_null(), int("found")])
        .joined_by(&["gname"]);

const MEMBERS: &str = statement(include_str!("participants.sql"), "members");
const NAMES: &str = statement(include_str!("participants.sql"), "names");
const REFUSED: &str = statement(include_str!("participants.sql"), "refused groups");
const MISSING: &str = statement(include_str!("participants.sql"), "missing groups");
const MADE: &str = statement(include_str!("participants.sql"), "made groups");
const LEAVING: &str = statement(include_str!("participants.sql"), "leaving members");
const JOINING: &str = statement(include_str!("participants.sql"), "joining members");

/// Finds the groups of the rows, and reports those that nobody joins or leaves; gives the number of rows whose account
/// is not enrolled. The cost grows with the groups of the course.
///
/// # Errors
/// `group-unknown` or `group-ambiguous` for the whole file, if the profile names the only group. The database's error.
pub async fn find(ctx: &mut RunContext<'_>, profile: &Profile, place: &Place) -> RunResult<u64> {
    ctx.conn.declare(&LIST_MEMBER);
    ctx.conn.declare(&LIST_NAME);
    groups::prepare(ctx.conn);
    let only = match profile.groups.trim() {
        _ if profile.kind != FileKind::CourseList => None,
        "" | "file" | "none" => None,
        name => Some(name.to_owned()),
    };
    let params = in_course(ctx, place);
    if ctx.conn.exec(MEMBERS, &params).await? == 0 && only.is_none() {
        return Ok(0);
    }
    ctx.conn.analyse(LIST_MEMBER.name).await?;
    groups::load(ctx, &format!("SELECT {} AS courseid", place.courseid)).await?;
    let same = ctx.conn.dialect().same_text("g.name", "t.gname");
    ctx.conn.exec(NAMES, &params.clone().fragment("same", same)).await?;
    ctx.conn.analyse(LIST_NAME.name).await?;
    if let Some(name) = only {
        the_only(ctx, place, &name).await?;
    }
    let creates = profile.create_groups && profile.groups.trim() != "none";
    let params = params.with("creates", i64::from(creates));
    let outside = "SELECT COUNT(*) FROM (SELECT DISTINCT m.line, m.nth FROM [list_member] m
                    WHERE m.op = 1 AND m.enrolled = 0 AND :linked = 0) t";
    let outside = u64::try_from(ctx.conn.number(outside, &params).await?).unwrap_or_default();
    ctx.report_problems(PlaceKind::Line, REFUSED, params).await?;
    Ok(outside)
}

/// Refuses the file if the only group that everybody joins does not exist.
async fn the_only(ctx: &mut RunContext<'_>, place: &Place, name: &str) -> RunResult<()> {
    let same = ctx.conn.dialect().same_text("g.name", ":name");
    let params = in_course(ctx, place).with("name", name).fragment("same", same);
    let found = ctx.conn.number("SELECT COUNT(*) FROM [known_group] g WHERE :same", &params).await?;
    let code = match found {
        1 => return Ok(()),
        0 => Code::GroupUnknown,
        _ => Code::GroupAmbiguous,
    };
    Err(RunError::Rejected(Problem::new(0, code, shown(name), place.shown.clone())))
}

/// Makes groups, and adds and removes members, as a part of this pass.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, profile: &Profile, place: &Place, pass_no: i64) -> RunResult<()> {
    let params = in_course(ctx, place);
    if ctx.conn.is_unmade(LIST_NAME.name) {
        return Ok(());
    }
    if profile.create_groups {
        ctx.conn.declare(&groups::NEW_GROUP);
        if ctx.conn.exec(MISSING, &params).await? > 0 {
            groups::create(ctx, Position { pass_no, rank: kinds::GROUP }).await?;
            find_made(ctx, place).await?;
        }
    }
    let planned = ctx.planned;
    let leaving = Pick::new(LEAVING).params(params.clone());
    over(ctx, "SELECT c.id, :contextid FROM {course} c WHERE c.id = :courseid", &params).await?;
    take_out(ctx, pass_no, leaving).await?;
    let position = Position { pass_no, rank: kinds::JOIN };
    let columns = "line, userid, courseid, contextid, groupid, component, itemid";
    let joining = ctx.journal(position, columns, "planned.line, planned.groupid", JOINING, params).await?;
    groups::join_planned(ctx, position, joining).await?;
    if ctx.planned > planned {
        groups::settle(ctx, pass_no).await?;
    }
    Ok(())
}

/// Completes `list_name` by the groups that were made.
async fn find_made(ctx: &mut RunContext<'_>, place: &Place) -> Result<(), DbError> {
    let dialect = ctx.conn.dialect();
    let params = in_course(ctx, place).fragment("same", dialect.same_text("g.name", "t.name"));
    let same = format!("p.found = 0 AND {}", dialect.same_text("p.gname", "m.name"));
    let found = [("groupid", "m.id"), ("found", "1")];
    let update = dialect.update_joined("[list_name]", "p", &found, MADE, &same);
    ctx.conn.exec(&update, &params).await.map(|_| ())
}
