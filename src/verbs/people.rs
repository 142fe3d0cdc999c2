//! The courses and the enrolments that a verb concerns: in one course or a category, of who has a role, of a list. It
//! must not change anything but temporary tables.

use crate::change::context::RunContext;
use crate::config::CourseKey;
use crate::db::table::{int, small, text};
use crate::db::{Bulk, Conn, DbError, Field, Params, Table, statement};
use crate::moodle::named::{self, Course};
use crate::moodle::site::id_list;
use crate::outcome::{Note, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::staging::lines::{WRITTEN, written};
use crate::staging::resolve::{self, KEY_WIDTH, Keys};
use crate::verbs::order::{PeopleList, Place, VerbOrder};

/// The courses.
const PLACE: Table = Table::new("verb_place", &[int("courseid"), int("contextid")]).primary("courseid");
/// The lines of a list of people.
const LINES: Table = Table::new("stage_line", &[int("line"), text("ukey", KEY_WIDTH), text("written", KEY_WIDTH)]);
/// The accounts of a list of people.
const PERSON: Table = Table::new("verb_person", &[int("userid"), int("line")]).primary("userid");
/// The enrolments.
const ENROLMENT: Table = Table::new(
    "verb_enrolment",
    &[
        int("ueid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        int("enrolid"),
        int("line"),
        small("status"),
        int("timestart"),
        int("timeend"),
    ],
)
.primary("ueid")
.joined_by(&["userid, courseid"]);

const PLACES: &str = statement(include_str!("people.sql"), "places");
const LISTED: &str = statement(include_str!("people.sql"), "listed");
const UNKNOWN: &str = statement(include_str!("people.sql"), "unknown");
const CHOSEN: &str = statement(include_str!("people.sql"), "chosen");
const NOT_CHOSEN: &str = statement(include_str!("people.sql"), "not chosen");

/// Declares the temporary tables.
pub(super) async fn prepare(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&PLACE);
    ctx.conn.declare(&PERSON);
    ctx.conn.declare(&ENROLMENT);
    Ok(())
}

/// The courses of a place.
///
/// # Errors
/// As [`named::course`] and [`named::courses_below`].
pub(super) async fn places(conn: &mut Conn, place: &Place) -> RunResult<Vec<Course>> {
    match place {
        Place::Course { key, text } => Ok(vec![named::course(conn, *key, text).await?]),
        Place::Category(text) => named::courses_below(conn, text).await,
    }
}

/// Fills `verb_place`.
pub(super) async fn load_places(ctx: &mut RunContext<'_>, places: &[Course]) -> Result<(), DbError> {
    let ids: Vec<i64> = places.iter().map(|course| course.id).collect();
    let params = ctx.params().fragment("courses", id_list(&ids));
    ctx.conn.exec("DELETE FROM [verb_place]", &params).await?;
    ctx.conn.exec(PLACES, &params).await?;
    ctx.conn.analyse(PLACE.name).await
}

/// Fills `verb_person` with the accounts of a list, and reports its other lines.
pub(super) async fn load_listed(ctx: &mut RunContext<'_>, list: &PeopleList) -> RunResult<()> {
    ctx.conn.declare(&LINES);
    let keys = Keys { user: list.key, course: CourseKey::Shortname };
    let (mut lines, mut errors) = (Bulk::into(ctx.conn.dialect(), &LINES), Rows::new(ctx.conn.dialect()));
    for (line, user) in &list.users {
        match keys.user_key(user) {
            Ok(key) => {
                let row = [Field::Int(*line as i64), Field::Text(&key), Field::Text(written(&key, user))];
                lines.push(ctx.conn, &row).await?;
            }
            Err(code) => {
                let hint = if code == Code::UserUnknown { list.key.as_str() } else { "user" };
                let problem = Problem::new(*line, code, shown(user), hint);
                errors.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, *line as i64), &problem).await?;
            }
        }
    }
    lines.finish(ctx.conn).await?;
    errors.finish(ctx.conn).await?;
    ctx.conn.analyse(LINES.name).await?;
    resolve::users(ctx, list.key).await?;
    ctx.conn.exec(LISTED, &ctx.params()).await?;
    ctx.conn.analyse(PERSON.name).await?;
    let params = ctx
        .params()
        .with("userkey", list.key.as_str())
        .fragment("written", WRITTEN)
        .fragment("count", ctx.conn.dialect().to_text("u.found"));
    ctx.report_problems(PlaceKind::Line, UNKNOWN, params).await?;
    Ok(())
}

/// Which enrolments are chosen: conditions on the instance `e` and on the enrolment `x`, with their parameters.
pub(super) struct Choice<'a> {
    pub instances: &'a str,
    pub enrolments: &'a str,
    pub params: Params,
}

/// Fills `verb_enrolment` with the enrolments of a choice in `verb_place` of whom the order concerns, and reports who
/// is in its list and has none; gives their number.
pub(super) async fn choose(ctx: &mut RunContext<'_>, order: &VerbOrder, choice: Choice<'_>) -> RunResult<i64> {
    let listed = order.people.is_some();
    let has_role = "EXISTS (SELECT 1 FROM {role_assignments} r :by_user
        WHERE r.userid = x.userid AND r.contextid :whole = k.contextid AND r.roleid :whole = :roleid)";
    let role = order.role_id(ctx.site)?;
    let params = choice
        .params
        .and(ctx.params())
        .with("roleid", role.unwrap_or(0))
        .fragment("instances", choice.instances)
        .fragment("enrolments", choice.enrolments)
        .fragment("line", if listed { "p.line" } else { "0" })
        .fragment("listed", if listed { "JOIN [verb_person] p ON p.userid = x.userid" } else { "" })
        .fragment("has_role", if role.is_some() { has_role } else { "1 = 1" });
    let chosen = take(ctx, CHOSEN, &params).await?;
    if listed {
        ctx.report_new(PlaceKind::Line, NOT_CHOSEN, params).await?;
    }
    Ok(chosen)
}

/// Fills `verb_enrolment` by an insert, and says so if nobody is concerned; gives their number.
pub(super) async fn take(ctx: &mut RunContext<'_>, insert: &str, params: &Params) -> Result<i64, DbError> {
    ctx.conn.exec("DELETE FROM [verb_enrolment]", params).await?;
    let chosen = ctx.conn.exec(insert, params).await? as i64;
    ctx.conn.analyse(ENROLMENT.name).await?;
    ctx.notes.extend((chosen == 0).then_some(Note::NobodyConcerned));
    Ok(chosen)
}
