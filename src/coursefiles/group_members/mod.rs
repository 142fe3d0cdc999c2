//! Files of members of groups: the rows are resolved, and the last of a user and a group counts (spec files 7.3).
//! It must not know bytes, nor enrol anybody or make groups.

mod stage;

use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{groups, kinds};
use crate::config::{FileGroupKey, Profile, Settings};
use crate::coursefiles::CourseFile;
use crate::coursefiles::groups::{over, purge, take_out};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::site::id_list;
use crate::outcome::{Lines, Moment, RunError, RunResult};
use crate::problem::PlaceKind;
use crate::staging::lines::WRITTEN;
use crate::staging::resolve::KEY_WIDTH;
use crate::staging::{hints, resolve};

/// The keys of groups of rows, with the group that each names; `found` counts those that match.
const MEMBER_GROUP: Table = Table::new(
    "member_group",
    &[
        text("ckey", KEY_WIDTH),
        text("gkey", KEY_WIDTH),
        int("groupid").or_null(),
        int("courseid").or_null(),
        int("contextid").or_null(),
        int("found"),
    ],
)
.joined_by(&["gkey, ckey"]);

/// The last row of each user and group: whether the user is a member then.
const MEMBER_LAST: Table = Table::new(
    "member_last",
    &[int("groupid"), int("userid"), int("line"), int("courseid"), int("contextid"), small("stays")],
)
.primary("groupid, userid");

/// The last row that moves a user inside a course.
const MEMBER_SHIFT: Table =
    Table::new("member_shift", &[int("courseid"), int("userid"), int("line")]).primary("courseid, userid");

const GROUPS: &str = statement(include_str!("group_members.sql"), "groups by name or idnumber");
const GROUPS_BY_ID: &str = statement(include_str!("group_members.sql"), "groups by id");
const COURSES: &str = statement(include_str!("group_members.sql"), "courses");
const REFUSED: &str = statement(include_str!("group_members.sql"), "refused rows");
const SHIFTS: &str = statement(include_str!("group_members.sql"), "moves");
const LAST: &str = statement(include_str!("group_members.sql"), "last rows");
const KEPT: &str = statement(include_str!("group_members.sql"), "kept members");
const LEAVING: &str = statement(include_str!("group_members.sql"), "leaving members");
const JOINING: &str = statement(include_str!("group_members.sql"), "joining members");
const USABLE: &str = statement(include_str!("group_members.sql"), "usable");

/// Applies a file of members. The number of statements does not depend on the number of its rows, except for the chunks
/// of the load.
///
/// # Errors
/// The error of the reader or of the database, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<()> {
    let mut lines: Lines = stage::load(ctx, settings, profile, file).await?;
    resolve::users(ctx, profile.user_key).await?;
    find_groups(ctx, profile).await?;
    let protected = ctx.site.protected(settings.guard.protect_admins);
    let params = usable(ctx, profile, &protected);
    let refused = ctx.report_problems(PlaceKind::Line, REFUSED, params.clone()).await?;
    if refused > 0 {
        hints::users(ctx, profile.user_key).await?;
    }
    lines.failed += refused;
    ctx.lines = lines;
    ctx.observer.reached(Moment::Staged).await;
    ctx.guard.check_lines(lines.records, lines.failed);
    if ctx.guard.holds() {
        return Err(RunError::Held);
    }
    ctx.conn.declare(&MEMBER_SHIFT);
    ctx.conn.declare(&MEMBER_LAST);
    ctx.conn.exec(SHIFTS, &params).await?;
    ctx.conn.analyse(MEMBER_SHIFT.name).await?;
    ctx.conn.exec(LAST, &params).await?;
    ctx.conn.analyse(MEMBER_LAST.name).await?;
    change(ctx, profile).await
}

/// Takes users out of groups and puts them into groups.
async fn change(ctx: &mut RunContext<'_>, profile: &Profile) -> RunResult<()> {
    let pass_no = ctx.next_pass();
    let many = ctx.conn.dialect().to_text("COUNT(*)");
    ctx.report_problems(PlaceKind::Line, KEPT, ctx.params().fragment("many", many)).await?;
    let before = ctx.planned;
    take_out(ctx, pass_no, Pick::new(LEAVING)).await?;
    let position = Position { pass_no, rank: kinds::JOIN };
    let columns = "line, userid, courseid, contextid, groupid, component, itemid";
    let component = component(ctx);
    let params = ctx.params().with("component", component);
    let joining = ctx.journal(position, columns, "planned.line, planned.groupid", JOINING, params).await?;
    groups::join_planned(ctx, position, joining).await?;
    if ctx.planned > before {
        groups::settle(ctx, pass_no).await?;
    }
    if profile.purge_groups { purge(ctx, pass_no).await } else { Ok(()) }
}

/// What owns the memberships: tool_sync, as it writes them itself, where it is installed; elsewhere nobody could remove
/// them by hand.
fn component(ctx: &RunContext<'_>) -> &'static str {
    if ctx.site.plugin("tool_sync", "version").is_some() { "tool_sync" } else { "" }
}

/// Resolves the courses and groups of the rows.
async fn find_groups(ctx: &mut RunContext<'_>, profile: &Profile) -> Result<(), DbError> {
    resolve::courses(ctx, profile.course_key, "SELECT DISTINCT ckey FROM [stage_line] WHERE ckey <> ''").await?;
    ctx.conn.declare(&MEMBER_GROUP);
    if profile.group_key == FileGroupKey::Id {
        let params = ctx.params().fragment("id", ctx.conn.dialect().to_int("l.gkey"));
        ctx.conn.exec(GROUPS_BY_ID, &params).await?;
    } else {
        groups::prepare(ctx.conn);
        groups::load(ctx, "SELECT DISTINCT k.courseid FROM [stage_course] k WHERE k.found = 1").await?;
        let column = if profile.group_key == FileGroupKey::Name { "g.name" } else { "g.idnumber" };
        let same = ctx.conn.dialect().same_text(column, "t.gkey");
        ctx.conn.exec(GROUPS, &ctx.params().fragment("same", same)).await?;
    }
    ctx.conn.analyse(MEMBER_GROUP.name).await?;
    let params = ctx.params();
    over(ctx, COURSES, &params).await
}

/// The parameters of the statements over rows, with the fragment `:usable`: the row names one account that may be
/// written, one course and one group of it; who joins is enrolled.
fn usable(ctx: &RunContext<'_>, profile: &Profile, protected: &[i64]) -> Params {
    let dialect = ctx.conn.dialect();
    ctx.params()
        .with("userkey", profile.user_key.as_str())
        .with("coursekey", profile.course_key.as_str())
        .fragment("written", WRITTEN)
        .fragment("usercount", dialect.to_text("u.found"))
        .fragment("coursecount", dialect.to_text("k.found"))
        .fragment("protected", id_list(protected))
        .fragment("usable", USABLE)
}
