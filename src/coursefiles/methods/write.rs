//! Writes the methods that a file adds or changes, and the groups that they need.
//! It must not enrol anybody, nor remove a method.

use crate::change::context::{Position, RunContext};
use crate::change::rewrite::{NewValue, Rewriting};
use crate::change::{groups, kinds};
use crate::coursefiles::methods::decide::{Desired, Group, Key, Plan, Slot};
use crate::coursefiles::methods::facts::{Facts, Instance};
use crate::db::table::{int, text};
use crate::db::{Bulk, DbError, Field, Table, statement};
use crate::outcome::{RunError, RunResult};

/// Instances to add, in the order of `n`. `keyed` says what tells them apart beside course and method: 0 nothing, 1 the
/// source, 2 source and role.
const NEW_METHOD: Table = Table::new(
    "new_method",
    &[
        int("n"),
        int("line"),
        int("courseid"),
        int("contextid"),
        text("method", 20),
        int("keyed"),
        int("status"),
        text("name", 255),
        int("enrolperiod"),
        int("enrolstartdate"),
        int("enrolenddate"),
        int("expirynotify"),
        int("expirythreshold"),
        int("notifyall"),
        int("roleid"),
        int("customint1").or_null(),
        int("customint2").or_null(),
        int("customint3").or_null(),
        int("customint4").or_null(),
        int("customint5").or_null(),
        int("customint6").or_null(),
        text("gname", 255).or_null(),
    ],
)
.primary("n");

/// Instances that change, with the values that they get; NULL keeps one.
const CHANGED_METHOD: Table = Table::new(
    "changed_method",
    &[
        int("enrolid"),
        int("line"),
        int("courseid"),
        int("contextid"),
        int("status").or_null(),
        text("name", 255).or_null(),
        int("enrolperiod").or_null(),
        int("enrolstartdate").or_null(),
        int("enrolenddate").or_null(),
        int("roleid").or_null(),
        int("customint2").or_null(),
        text("gname", 255).or_null(),
    ],
)
.primary("enrolid");

/// Groups to make.
const METHOD_GROUP: Table = Table::new(
    "method_group",
    &[int("line"), int("courseid"), int("contextid"), text("gname", 255), int("groupid").or_null()],
)
.joined_by(&["courseid"]);

const MISSING_GROUPS: &str = statement(include_str!("methods.sql"), "missing groups");
const MADE_GROUPS: &str = statement(include_str!("methods.sql"), "made groups");
const PLANNED: &str = statement(include_str!("methods.sql"), "planned methods");
const NEW: &str = statement(include_str!("methods.sql"), "new methods");
const MADE: &str = statement(include_str!("methods.sql"), "made methods");
const OVERTAKEN: &str = statement(include_str!("methods.sql"), "overtaken methods");
const LOSING: &str = statement(include_str!("methods.sql"), "people of disabled methods");
const OF_SUCH: &str = statement(include_str!("methods.sql"), "people of such methods");
const CHANGED: &str = statement(include_str!("methods.sql"), "changed methods");

/// Writes groups, new methods and changed ones.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, facts: &Facts, plan: &Plan) -> RunResult<()> {
    let touched = || plan.slots.iter().filter(|(_, slot)| slot.line > 0);
    let lasting = || touched().filter_map(|(key, slot)| Some((key, slot, slot.is.as_ref()?)));
    let (mut new, changed): (Vec<_>, Vec<_>) = lasting().partition(|(_, slot, _)| slot.was.is_empty());
    if new.is_empty() && changed.is_empty() {
        return Ok(());
    }
    // Of a course, the first row comes first.
    new.sort_by_key(|(key, slot, _)| (slot.line, key.course));
    let pass_no = ctx.next_pass();
    load_new(ctx, facts, &new).await?;
    load_changed(ctx, facts, &changed).await?;
    let made = lasting().filter_map(|(key, slot, is)| match &is.group {
        Group::Made(name) => Some((key.course, name.clone(), slot.line)),
        _ => None,
    });
    let mut made: Vec<(i64, String, u64)> = made.collect();
    made.sort();
    made.dedup_by(|one, other| (one.0, &one.1) == (other.0, &other.1));
    if !made.is_empty() {
        make_groups(ctx, facts, &made, pass_no).await?;
    }
    if !new.is_empty() {
        add(ctx, pass_no).await?;
    }
    if !changed.is_empty() {
        weigh_disabled(ctx).await?;
        change(ctx, pass_no).await?;
    }
    Ok(())
}

/// Compares those who lose access and roles because their methods are disabled with the limits of a run.
async fn weigh_disabled(ctx: &mut RunContext<'_>) -> RunResult<()> {
    let people = ctx.conn.number(LOSING, &ctx.params()).await?;
    if people > 0 {
        let of = ctx.conn.number(OF_SUCH, &ctx.params()).await?;
        ctx.guard.check_disabled(people, of);
    }
    if ctx.guard.holds() { Err(RunError::Held) } else { Ok(()) }
}

type Chosen<'a> = (&'a Key, &'a Slot, &'a Desired);

fn made_name(is: &Desired) -> Field<'_> {
    match &is.group {
        Group::Made(name) => Field::Text(name),
        _ => Field::Null,
    }
}

async fn load_new(ctx: &mut RunContext<'_>, facts: &Facts, new: &[Chosen<'_>]) -> Result<(), DbError> {
    ctx.conn.declare(&NEW_METHOD);
    let mut rows = Bulk::into(ctx.conn.dialect(), &NEW_METHOD);
    for (at, (key, slot, is)) in new.iter().enumerate() {
        let defaults = facts.defaults.get(&key.method);
        let own = |name: &str| defaults.and_then(|columns| columns.get(name)).copied();
        let or_null = |value: Option<i64>| value.map_or(Field::Null, Field::Int);
        let (keyed, source) = match key.method.as_str() {
            "cohort" => (2, Some(key.source)),
            "meta" => (1, Some(key.source)),
            _ => (0, own("customint1")),
        };
        let group = match is.group {
            Group::Id(id) if keyed > 0 => Some(id),
            _ => own("customint2"),
        };
        let row = [
            Field::Int(at as i64 + 1),
            Field::Int(slot.line as i64),
            Field::Int(key.course),
            Field::Int(facts.courses.get(&key.course).map_or(0, |course| course.contextid)),
            Field::Text(&key.method),
            Field::Int(keyed),
            Field::Int(is.status),
            Field::Text(&is.name),
            Field::Int(is.period),
            Field::Int(is.start),
            Field::Int(is.end),
            Field::Int(own("expirynotify").unwrap_or_default()),
            Field::Int(own("expirythreshold").unwrap_or_default()),
            Field::Int(own("notifyall").unwrap_or_default()),
            Field::Int(is.role),
            or_null(source),
            or_null(group),
            or_null(own("customint3")),
            or_null(own("customint4")),
            or_null(own("customint5")),
            or_null(own("customint6")),
            made_name(is),
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(NEW_METHOD.name).await
}

async fn load_changed(ctx: &mut RunContext<'_>, facts: &Facts, changed: &[Chosen<'_>]) -> Result<(), DbError> {
    ctx.conn.declare(&CHANGED_METHOD);
    let mut rows = Bulk::into(ctx.conn.dialect(), &CHANGED_METHOD);
    for (key, slot, is) in changed {
        let first = &slot.was[0];
        let differs = |now: i64, of: fn(&Instance) -> i64| if of(first) == now { Field::Null } else { Field::Int(now) };
        let group = match is.group {
            Group::Id(id) => differs(id, |was| was.group),
            Group::Same | Group::Made(_) => Field::Null,
        };
        for was in &slot.was {
            let row = [
                Field::Int(was.id),
                Field::Int(slot.line as i64),
                Field::Int(key.course),
                Field::Int(facts.courses.get(&key.course).map_or(0, |course| course.contextid)),
                if was.status == is.status { Field::Null } else { Field::Int(is.status) },
                if first.name == is.name { Field::Null } else { Field::Text(&is.name) },
                differs(is.period, |was| was.period),
                differs(is.start, |was| was.start),
                differs(is.end, |was| was.end),
                // The role of a link stays as another program has it.
                if key.method == "meta" { Field::Null } else { differs(is.role, |was| was.role) },
                group,
                made_name(is),
            ];
            rows.push(ctx.conn, &row).await?;
        }
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(CHANGED_METHOD.name).await
}

/// Makes groups, and gives them to the methods that are to have them.
async fn make_groups(
    ctx: &mut RunContext<'_>,
    facts: &Facts,
    made: &[(i64, String, u64)],
    pass_no: i64,
) -> Result<(), DbError> {
    ctx.conn.declare(&METHOD_GROUP);
    let mut rows = Bulk::into(ctx.conn.dialect(), &METHOD_GROUP);
    for (course, name, line) in made {
        let row = [
            Field::Int(*line as i64),
            Field::Int(*course),
            Field::Int(facts.courses.get(course).map_or(0, |course| course.contextid)),
            Field::Text(name),
            Field::Null,
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    groups::prepare(ctx.conn);
    groups::load(ctx, "SELECT DISTINCT courseid FROM [method_group]").await?;
    ctx.conn.declare(&groups::NEW_GROUP);
    ctx.conn.exec(MISSING_GROUPS, &ctx.params()).await?;
    groups::create(ctx, Position { pass_no, rank: kinds::GROUP }).await?;
    let dialect = ctx.conn.dialect();
    let same = dialect.same_bytes("q.name", "t.gname");
    let ids = [("groupid", "m.id")];
    let on = format!("t.courseid = m.courseid AND {}", dialect.same_text("t.gname", "m.gname"));
    let sql = dialect.update_joined("[method_group]", "t", &ids, MADE_GROUPS, &on);
    ctx.conn.exec(&sql, &ctx.params().fragment("same", same)).await?;
    for table in [NEW_METHOD.name, CHANGED_METHOD.name] {
        let ids = [("customint2", "q.groupid")];
        let on = format!("q.courseid = t.courseid AND {}", dialect.same_text("q.gname", "t.gname"));
        let sql = dialect.update_joined(&format!("[{table}]"), "t", &ids, "[method_group] q", &on);
        ctx.conn.exec(&sql, &ctx.params()).await?;
    }
    Ok(())
}

async fn add(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::INSTANCE };
    let columns = "line, courseid, contextid, component";
    let planned = ctx.journal(position, columns, "planned.n", PLANNED, ctx.params()).await?;
    let method = ctx.conn.dialect().same_bytes("e.enrol", "t.method");
    let same = format!(
        "e.courseid = t.courseid AND {method}
         AND (t.keyed = 0 OR (e.customint1 = t.customint1 AND (t.keyed = 1 OR e.roleid = t.roleid)))"
    );
    let params = ctx.at(position).fragment("same", same);
    let applied = ctx.conn.exec(NEW, &params).await? as i64;
    // The n-th change of this position is the n-th method.
    let ids = [("enrolid", "m.id"), ("targetid", "m.id")];
    let on = ":here AND m.n = c.seq - :from";
    let sql = ctx.conn.dialect().update_joined("{enrold_change}", "c", &ids, MADE, on);
    ctx.conn.exec(&sql, &params).await?;
    if applied < planned {
        ctx.conn.exec(OVERTAKEN, &params).await?;
    }
    ctx.book(position.rank.kind, planned, applied);
    Ok(())
}

async fn change(ctx: &mut RunContext<'_>, pass_no: i64) -> Result<(), DbError> {
    let position = Position { pass_no, rank: kinds::CHANGE_METHOD };
    let columns = kinds::INSTANCE_VALUES;
    let values = columns.iter().filter(|column| **column != "timemodified");
    let values: Vec<NewValue> = values.map(|column| (*column, format!("t.{column}"))).collect();
    let also = [("timemodified", ":now".to_owned())];
    let new = Rewriting::of(ctx.conn.dialect(), "enrol", &values, &also, &[]);
    let params =
        ctx.params().fragment("differs", new.differs).fragment("oldrow", new.oldrow).fragment("newrow", new.newrow);
    let journaled = "line, targetid, enrolid, courseid, contextid, component, oldrow, newrow";
    let planned = ctx.journal(position, journaled, "planned.line, planned.targetid", CHANGED, params).await?;
    ctx.rewrite_planned(position, planned, columns).await.map(|_| ())
}
