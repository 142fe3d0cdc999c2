//! Makes chosen people manual participants of a course. It must not choose them, nor change what they have elsewhere.

use crate::change::context::{Position, RunContext};
use crate::change::enrol::{self, Owned};
use crate::change::kinds;
use crate::db::table::int;
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::method;
use crate::moodle::named::Course;
use crate::outcome::{Note, RunResult};
use crate::problem::PlaceKind;
use crate::verbs::order::VerbOrder;

/// The first enabled manual instance of each course.
const MANUAL: Table = Table::new("verb_manual", &[int("courseid"), int("enrolid")]).primary("courseid");

const DISABLED: &str = statement(include_str!("manual.sql"), "disabled");
const METHODS: &str = statement(include_str!("manual.sql"), "methods");
const NEWCOMERS: &str = statement(include_str!("manual.sql"), "newcomers");
const IS_IN: &str = statement(include_str!("manual.sql"), "is in");
const LEFT: &str = statement(include_str!("manual.sql"), "left");
const ROLES: &str = statement(include_str!("manual.sql"), "roles");
/// What the chosen enrolments of a person in a course give together.
pub(super) const BEST: &str = statement(include_str!("manual.sql"), "best");

/// Fills `verb_manual` for the courses of `wanted`, a select of (courseid, contextid, line) with its parameters: adds
/// the method where a course has none, and reports the courses in which it is disabled.
pub(super) async fn methods(ctx: &mut RunContext<'_>, pass_no: i64, wanted: &str, params: Params) -> RunResult<()> {
    let position = Position { pass_no, rank: kinds::INSTANCE };
    let own = Owned { method: method::MANUAL, condition: "1 = 1", mark: "" };
    enrol::add_instances(ctx, position, own, wanted, params.clone()).await?;
    let params = params.and(ctx.params()).with("method", method::MANUAL).fragment("wanted", wanted);
    ctx.report_problems(PlaceKind::Instance, DISABLED, params.clone()).await?;
    ctx.conn.declare(&MANUAL);
    ctx.conn.exec(METHODS, &params).await?;
    Ok(ctx.conn.analyse(MANUAL.name).await?)
}

/// A course whose participants people become.
pub(super) struct Target {
    pub id: i64,
    context: i64,
}

impl Target {
    /// The course with its context.
    pub(super) async fn of(ctx: &mut RunContext<'_>, course: &Course) -> Result<Self, DbError> {
        let sql = "SELECT k.id FROM {context} k WHERE k.contextlevel = 50 AND k.instanceid = :course";
        let context = ctx.conn.number(sql, &Params::new().with("course", course.id)).await?;
        Ok(Self { id: course.id, context })
    }

    /// The parameters of statements about it; `who` is the user whose access `:is_in` asks for.
    pub(super) fn params(&self, ctx: &RunContext<'_>, who: &str) -> Params {
        ctx.params()
            .with("target", self.id)
            .with("target_context", self.context)
            .fragment("best", BEST)
            .fragment("who", who)
            .fragment("is_in", IS_IN)
    }

    /// Enrols the people of `verb_enrolment` who have no access to the course, with their dates, and gives all of them
    /// the roles that they have in their own course, or the one role of the order.
    pub(super) async fn enrol(&self, ctx: &mut RunContext<'_>, pass_no: i64, order: &VerbOrder) -> RunResult<()> {
        let wanted = "SELECT DISTINCT :target AS courseid, :target_context AS contextid, 0 AS line
            FROM [verb_enrolment] v";
        methods(ctx, pass_no, wanted, self.params(ctx, "v.userid")).await?;
        let position = Position { pass_no, rank: kinds::ENROL };
        let columns = "line, userid, courseid, enrolid, contextid, status, timestart, timeend";
        let order_by = "planned.line, planned.userid";
        let planned = ctx.journal(position, columns, order_by, NEWCOMERS, self.params(ctx, "s.userid")).await?;
        if planned > 0 {
            enrol::apply_adds(ctx, position).await?;
        }
        let left = ctx.conn.number(LEFT, &self.params(ctx, "v.userid")).await?;
        if left > 0 {
            ctx.notes.push(Note::NotReactivated(left));
        }
        let role = order.role_id(ctx.site)?;
        let which = if role.is_some() { "r.roleid = :roleid" } else { "1 = 1" };
        let params = self.params(ctx, "v.userid").with("roleid", role.unwrap_or(0)).fragment("which_role", which);
        let position = Position { pass_no, rank: kinds::ROLE };
        let columns = "line, userid, courseid, contextid, roleid, component, itemid";
        ctx.conn.prefer_indexes(true).await?;
        let planned = ctx.journal(position, columns, "planned.userid, planned.roleid", ROLES, params).await?;
        ctx.conn.prefer_indexes(false).await?;
        Ok(enrol::apply_roles(ctx, position, planned, None).await?)
    }
}
