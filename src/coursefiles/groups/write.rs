//! Writes what is decided about groups and groupings: problems, rows that are made and changed, bindings,
//! conversations, custom fields, and what is emptied and removed. It must not decide anything.

use std::collections::BTreeMap;

use crate::change::context::{Position, RunContext};
use crate::change::course_groups::{
    self, CHANGED_GROUP, CHANGED_GROUPING, FILE_BIND, FILE_FIELD, FILE_GROUP, FILE_GROUPING, FILE_TALK,
};
use crate::change::kind::Rank;
use crate::change::remove::Pick;
use crate::change::{groups, kinds};
use crate::config::Profile;
use crate::coursefiles::groups::GROUP_COURSE;
use crate::coursefiles::groups::items::{Decided, Item};
use crate::coursefiles::groups::usage;
use crate::db::table::{int, small};
use crate::db::{Bulk, DbError, Field, Params, Table, statement};
use crate::files::GroupType;
use crate::outcome::{RunError, RunResult};
use crate::problem::{PlaceKind, Problem, Rows};

/// Groups that are emptied, or removed too.
const GROUP_DOOM: Table = Table::new("group_doom", DOOM).primary("id");
/// Groupings that are emptied, or removed too.
const GROUPING_DOOM: Table = Table::new("grouping_doom", DOOM).primary("id");
const DOOM: &[crate::db::table::Column] =
    &[int("id"), int("line"), int("courseid"), int("contextid"), small("removed")];

const LEAVING: &str = statement(include_str!("groups.sql"), "members of emptied groups");
const KEPT: &str = statement(include_str!("groups.sql"), "kept members");
const UNBOUND: &str = statement(include_str!("groups.sql"), "groupings of removed groups");
const UNBOUND_GROUPS: &str = statement(include_str!("groups.sql"), "groups of emptied groupings");
const GROUP_FIELDS: &str = statement(include_str!("groups.sql"), "custom values of removed groups");
const GROUPING_FIELDS: &str = statement(include_str!("groups.sql"), "custom values of removed groupings");
const PURGED: &str = statement(include_str!("groups.sql"), "groups to purge");
const BINDINGS: &str = statement(include_str!("groups.sql"), "bindings of courses");
const MEMBERS: &str = statement(include_str!("groups.sql"), "members of courses");

/// Reports problems of rows.
///
/// # Errors
/// The database's error.
pub async fn report(ctx: &mut RunContext<'_>, problems: impl Iterator<Item = &Problem>) -> Result<(), DbError> {
    let mut rows = Rows::new(ctx.conn.dialect());
    for problem in problems {
        rows.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await?;
    }
    rows.finish(ctx.conn).await
}

/// Applies what is decided; `contexts` are those of the courses.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    profile: &Profile,
    mut decided: Decided,
    contexts: &BTreeMap<i64, i64>,
) -> RunResult<()> {
    let pass_no = ctx.next_pass();
    make(ctx, pass_no, &mut decided.items, contexts).await?;
    change(ctx, pass_no, &decided.items, contexts).await?;
    bind(ctx, pass_no, &decided, contexts).await?;
    talk(ctx, pass_no, &decided.items, contexts).await?;
    fill(ctx, pass_no, &decided.items, contexts).await?;
    let doomed: Vec<&Item> = decided.items.iter().filter(|item| item.emptied > 0).collect();
    if doomed.is_empty() {
        return Ok(());
    }
    let pass_no = ctx.next_pass();
    let removed = doom(ctx, &doomed, contexts).await?;
    let many = ctx.conn.dialect().to_text("d.many");
    ctx.report_problems(PlaceKind::Line, KEPT, ctx.params().fragment("many", many)).await?;
    if leave(ctx, pass_no, Pick::new(LEAVING)).await? > 0 {
        groups::settle(ctx, pass_no).await?;
    }
    unbind(ctx).await?;
    if removed {
        let pass_no = ctx.next_pass();
        remove(ctx, pass_no).await?;
    }
    if profile.purge_groups { purge(ctx, pass_no).await } else { Ok(()) }
}

/// Makes the new groups and groupings, and gives them their ids.
async fn make(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    items: &mut [Item],
    contexts: &BTreeMap<i64, i64>,
) -> Result<(), DbError> {
    for (of, table) in [(GroupType::Group, &FILE_GROUP), (GroupType::Grouping, &FILE_GROUPING)] {
        let new = |item: &Item| item.of == of && item.id == 0;
        if !items.iter().any(new) {
            continue;
        }
        ctx.conn.declare(table);
        let mut bulk = Bulk::into(ctx.conn.dialect(), table);
        // The n-th change of the journal is the n-th row.
        let made: Vec<usize> = (0..items.len()).filter(|at| new(&items[*at])).collect();
        for (n, at) in made.iter().enumerate() {
            let item = &items[*at];
            let or_null = |text, has| if has { Field::Text(text) } else { Field::Null };
            let row = [
                Field::Int(n as i64 + 1),
                Field::Int(item.line as i64),
                Field::Int(item.courseid),
                Field::Int(contexts[&item.courseid]),
                Field::Text(&item.is.name),
                Field::Text(&item.is.idnumber),
                or_null(&item.is.description, item.described),
                or_null(&item.enrolmentkey, !item.enrolmentkey.is_empty()),
                Field::Int(item.is.visibility),
                Field::Int(i64::from(item.is.participation)),
                Field::Int(0),
            ];
            bulk.push(ctx.conn, &row).await?;
        }
        bulk.finish(ctx.conn).await?;
        ctx.conn.analyse(table.name).await?;
        match of {
            GroupType::Group => course_groups::make_groups(ctx, pass_no).await?,
            GroupType::Grouping => course_groups::make_groupings(ctx, pass_no).await?,
        }
        for row in ctx.conn.rows(&format!("SELECT t.n, t.id FROM [{}] t", table.name), &ctx.params()).await? {
            items[made[row.int(0) as usize - 1]].id = row.int(1);
        }
    }
    Ok(())
}

async fn change(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    items: &[Item],
    contexts: &BTreeMap<i64, i64>,
) -> Result<(), DbError> {
    for (of, table) in [(GroupType::Group, &CHANGED_GROUP), (GroupType::Grouping, &CHANGED_GROUPING)] {
        let changed: Vec<&Item> = items.iter().filter(|item| item.of == of && item.is != item.was).collect();
        if changed.is_empty() {
            continue;
        }
        ctx.conn.declare(table);
        let mut bulk = Bulk::into(ctx.conn.dialect(), table);
        for item in changed {
            let row = [
                Field::Int(item.id),
                Field::Int(item.line as i64),
                Field::Int(item.courseid),
                Field::Int(contexts[&item.courseid]),
                Field::Text(&item.is.name),
                Field::Text(&item.is.idnumber),
                Field::Text(&item.is.description),
            ];
            bulk.push(ctx.conn, &row).await?;
        }
        bulk.finish(ctx.conn).await?;
        ctx.conn.analyse(table.name).await?;
        match of {
            GroupType::Group => course_groups::change_groups(ctx, pass_no).await?,
            GroupType::Grouping => course_groups::change_groupings(ctx, pass_no).await?,
        }
    }
    Ok(())
}

async fn bind(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    decided: &Decided,
    contexts: &BTreeMap<i64, i64>,
) -> Result<(), DbError> {
    if decided.bound.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&FILE_BIND);
    let mut bulk = Bulk::into(ctx.conn.dialect(), &FILE_BIND);
    for (group, grouping, line) in &decided.bound {
        let (group, grouping) = (&decided.items[*group], &decided.items[*grouping]);
        let row = [
            Field::Int(group.id),
            Field::Int(grouping.id),
            Field::Int(*line as i64),
            Field::Int(group.courseid),
            Field::Int(contexts[&group.courseid]),
        ];
        bulk.push(ctx.conn, &row).await?;
    }
    bulk.finish(ctx.conn).await?;
    ctx.conn.analyse(FILE_BIND.name).await?;
    course_groups::bind(ctx, pass_no).await
}

/// Gives groups their conversations: a new group has none, whatever it `was`.
async fn talk(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    items: &[Item],
    contexts: &BTreeMap<i64, i64>,
) -> Result<(), DbError> {
    let differs = |item: &&Item| item.line > 0 && item.of == GroupType::Group && item.is.messaging.is_some();
    let changed: Vec<&Item> = items.iter().filter(differs).collect();
    if changed.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&FILE_TALK);
    let mut bulk = Bulk::into(ctx.conn.dialect(), &FILE_TALK);
    for item in changed {
        let row = [
            Field::Int(item.id),
            Field::Int(item.line as i64),
            Field::Int(item.courseid),
            Field::Int(contexts[&item.courseid]),
            Field::Text(&item.is.name),
            Field::Int(i64::from(item.is.messaging == Some(true))),
        ];
        bulk.push(ctx.conn, &row).await?;
    }
    bulk.finish(ctx.conn).await?;
    ctx.conn.analyse(FILE_TALK.name).await?;
    course_groups::talk(ctx, pass_no).await
}

async fn fill(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    items: &[Item],
    contexts: &BTreeMap<i64, i64>,
) -> Result<(), DbError> {
    let filled = |item: &&Item| item.line > 0 && !item.is.fields.is_empty();
    if !items.iter().any(|item| filled(&item)) {
        return Ok(());
    }
    ctx.conn.declare(&FILE_FIELD);
    let mut bulk = Bulk::into(ctx.conn.dialect(), &FILE_FIELD);
    for item in items.iter().filter(filled) {
        for (field, value) in &item.is.fields {
            let row = [
                Field::Int(item.id),
                Field::Int(*field),
                Field::Int(item.line as i64),
                Field::Int(item.courseid),
                Field::Int(contexts[&item.courseid]),
                Field::Text(value),
            ];
            bulk.push(ctx.conn, &row).await?;
        }
    }
    bulk.finish(ctx.conn).await?;
    ctx.conn.analyse(FILE_FIELD.name).await?;
    course_groups::fill(ctx, pass_no).await
}

/// Loads what is emptied and removed; tells whether anything is removed.
async fn doom(ctx: &mut RunContext<'_>, doomed: &[&Item], contexts: &BTreeMap<i64, i64>) -> Result<bool, DbError> {
    for (of, table) in [(GroupType::Group, &GROUP_DOOM), (GroupType::Grouping, &GROUPING_DOOM)] {
        ctx.conn.declare(table);
        let mut bulk = Bulk::into(ctx.conn.dialect(), table);
        for item in doomed.iter().filter(|item| item.of == of && item.id > 0) {
            let row = [
                Field::Int(item.id),
                Field::Int(item.emptied.max(item.removed) as i64),
                Field::Int(item.courseid),
                Field::Int(contexts[&item.courseid]),
                Field::Int(i64::from(item.removed > 0)),
            ];
            bulk.push(ctx.conn, &row).await?;
        }
        bulk.finish(ctx.conn).await?;
        ctx.conn.analyse(table.name).await?;
    }
    Ok(doomed.iter().any(|item| item.removed > 0))
}

/// Takes the groups out of emptied groupings, and compares their number with the limits of a run.
async fn unbind(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let pass_no = ctx.next_pass();
    let bound = ctx.conn.number(BINDINGS, &ctx.params()).await?;
    let before = ctx.planned;
    ctx.remove_rows(Position { pass_no, rank: kinds::UNBIND }, Pick::new(UNBOUND_GROUPS)).await?;
    ctx.guard.check_bindings(ctx.planned - before, bound);
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

/// Names the courses of a statement (`courseid`, `contextid`) as those whose groups [`leave`] compares.
///
/// # Errors
/// The database's error.
pub async fn over(ctx: &mut RunContext<'_>, courses: &str, params: &Params) -> Result<(), DbError> {
    ctx.conn.declare(&GROUP_COURSE);
    ctx.conn.exec(&format!("INSERT INTO [group_course] {courses}"), params).await?;
    ctx.conn.analyse(GROUP_COURSE.name).await
}

/// Takes members out of groups, compares their number with the limits of a run, and gives it; what follows for the
/// groups is still to be done ([`groups::settle`]). Needs `group_course`.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn leave(ctx: &mut RunContext<'_>, pass_no: i64, leaving: Pick) -> RunResult<i64> {
    let members = ctx.conn.number(MEMBERS, &ctx.params()).await?;
    let before = ctx.planned;
    ctx.remove_rows(Position { pass_no, rank: kinds::LEAVE }, leaving).await?;
    let left = ctx.planned - before;
    ctx.guard.check_group_members(left, members);
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(left) }
}

/// Removes the groups and groupings of `group_doom` and `grouping_doom` that are to go, which have no members by now.
async fn remove(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let position = |rank: Rank| Position { pass_no, rank };
    ctx.remove_rows(position(kinds::UNBIND), Pick::new(UNBOUND)).await?;
    if ctx.site.columns.has_table("customfield_data") {
        let fields = format!("{GROUP_FIELDS} UNION {GROUPING_FIELDS}");
        ctx.remove_rows(position(kinds::CUSTOM_FIELD_DROP), Pick::new(&fields)).await?;
    }
    let before = ctx.planned;
    for (rank, doom) in [(kinds::GROUP_GONE, &GROUP_DOOM), (kinds::GROUPING_GONE, &GROUPING_DOOM)] {
        let gone = format!("SELECT d.id, d.line, d.courseid, d.contextid FROM [{}] d WHERE d.removed = 1", doom.name);
        ctx.remove_rows(position(rank), Pick::new(&gone)).await?;
    }
    let removed = ctx.planned - before;
    let all = "SELECT COUNT(*) FROM [group_course] q JOIN {groups} g ON g.courseid = q.courseid";
    let of = ctx.conn.number(all, &ctx.params()).await? + removed;
    ctx.guard.check_groups(removed, of);
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

/// Removes the groups that a pass took the last members from, as far as nothing uses them. Needs `group_course`.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn purge(ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
    let params = ctx.at(Position { pass_no, rank: kinds::LEAVE });
    let empty = ctx.conn.rows(PURGED, &params).await?;
    if empty.is_empty() {
        return Ok(());
    }
    let used = usage::read(ctx).await?;
    ctx.conn.declare(&GROUP_DOOM);
    ctx.conn.declare(&GROUPING_DOOM);
    let mut bulk = Bulk::into(ctx.conn.dialect(), &GROUP_DOOM);
    for row in empty.iter().filter(|row| used.of(GroupType::Group, row.int(0)).is_empty()) {
        let row = [row.int(0), row.int(1), row.int(2), row.int(3), 1].map(Field::Int);
        bulk.push(ctx.conn, &row).await?;
    }
    if bulk.finish(ctx.conn).await? == 0 {
        return Ok(());
    }
    ctx.conn.analyse(GROUP_DOOM.name).await?;
    let pass_no = ctx.next_pass();
    remove(ctx, pass_no).await
}
