//! The courses of rows (`courseN` and its columns): manual enrolments with their dates, and roles. It must not make
//! instances, and changes only dates that the file gives.

use crate::accounts::AccountsFile;
use crate::accounts::gives::{any, groups, report, role_names};
use crate::accounts::tables::ACCOUNT_PLACE;
use crate::change::context::{Position, RunContext};
use crate::change::{enrol, kinds};
use crate::clock::midnight;
use crate::config::{CourseKey, Settings};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Table, statement};
use crate::mail;
use crate::moodle::method;
use crate::moodle::site::id_list;
use crate::outcome::RunResult;
use crate::problem::Code;
use crate::staging::{AllowedRoles, resolve};

/// The first manual instance of each course, enabled or not, and its default role as a cell would name it.
const GIVEN_INSTANCE: Table =
    Table::new("given_instance", &[int("courseid"), int("enrolid"), text("role", 30), int("period")])
        .primary("courseid");
/// The courses of rows, resolved; `code`, `value` and `hint` say what is wrong with one.
const GIVEN_PLACE: Table = Table::new(
    "given_place",
    &[
        int("line"),
        int("n"),
        int("userid"),
        int("courseid").or_null(),
        int("contextid").or_null(),
        small("front"),
        int("enrolid").or_null(),
        int("roleid").or_null(),
        int("instanceperiod").or_null(),
        int("period").or_null(),
        small("status").or_null(),
        int("start").or_null(),
        text("grp", 255),
        text("code", 100),
        text("value", 255),
        text("hint", 255),
    ],
);

const INSTANCES: &str = statement(include_str!("courses.sql"), "manual instances");
const PLACES: &str = statement(include_str!("courses.sql"), "places");
const PLANNED: &str = statement(include_str!("courses.sql"), "planned enrolments");
const SPARED: &str = statement(include_str!("courses.sql"), "spared places");
const MISSING_ROLES: &str = statement(include_str!("courses.sql"), "missing roles");

/// Enrols the accounts of the rows, assigns their roles and puts them into their groups. The number of statements does
/// not grow with the rows.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(ctx: &mut RunContext<'_>, settings: &Settings, file: &AccountsFile<'_>) -> RunResult<()> {
    if !any(ctx, ACCOUNT_PLACE.name).await? {
        return Ok(());
    }
    resolve(ctx, settings, file.dropped).await?;
    let refused = "SELECT p.n, p.line AS number, p.code, p.value, p.hint FROM [given_place] p WHERE p.code <> ''";
    report(ctx, refused, ctx.params()).await?;
    let pass_no = ctx.next_pass();
    enrol(ctx, pass_no, midnight(file.zone, ctx.now)).await?;
    assign(ctx, Position { pass_no, rank: kinds::ROLE }).await?;
    groups::apply(ctx, pass_no).await?;
    mail::welcome(ctx, settings, pass_no..=pass_no, method::MANUAL).await?;
    Ok(())
}

/// Fills `given_place`.
async fn resolve(ctx: &mut RunContext<'_>, settings: &Settings, dropped: bool) -> Result<(), DbError> {
    ctx.conn.declare(&GIVEN_INSTANCE);
    ctx.conn.declare(&GIVEN_PLACE);
    resolve::courses(ctx, CourseKey::Shortname, "SELECT DISTINCT course AS ckey FROM [account_place]").await?;
    let mut names =
        "SELECT DISTINCT :course AS level, role, kind FROM [account_place] WHERE role <> '' OR kind <> 0".to_owned();
    if ctx.site.is_enabled(method::MANUAL) {
        let dialect = ctx.conn.dialect();
        let params = ctx.params().with("method", method::MANUAL).fragment("roleid", dialect.to_text("t.roleid"));
        ctx.conn.exec(INSTANCES, &params).await?;
        names.push_str(" UNION SELECT DISTINCT :course, role, 0 FROM [given_instance]");
    }
    role_names::load(ctx, settings, dropped, &names).await?;
    let dialect = ctx.conn.dialect();
    let params = ctx
        .params()
        .with("method", method::MANUAL)
        .with("key", CourseKey::Shortname.as_str())
        .fragment("column", dialect.to_text("a.n"))
        .fragment("count", dialect.to_text("k.found"));
    ctx.conn.exec(PLACES, &params).await?;
    ctx.conn.analyse(GIVEN_PLACE.name).await?;
    if dropped { spare(ctx, settings).await } else { Ok(()) }
}

/// Refuses the places of accounts that have a role in the course which a dropped file may not give: neither may it
/// suspend or end their enrolment.
async fn spare(ctx: &mut RunContext<'_>, settings: &Settings) -> Result<(), DbError> {
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    let Some(ids) = allowed.ids() else { return Ok(()) };
    let params = ctx
        .params()
        .with("key", allowed.key())
        .with("refused", Code::RoleNotAllowed.as_str())
        .fragment("allowed", id_list(ids));
    ctx.conn.exec(SPARED, &params).await.map(|_| ())
}

/// Adds the enrolments that are missing, from the beginning of `today`, and changes those that the file wants
/// otherwise.
async fn enrol(ctx: &mut RunContext<'_>, pass_no: i64, today: i64) -> RunResult<()> {
    let oldrow = ctx.old_row("user_enrolments", "x");
    let params = ctx
        .params()
        .with("today", today)
        .with("rank_add", kinds::ENROL.at)
        .with("rank_update", kinds::UPDATE.at)
        .with("rank_suspend", kinds::SUSPEND_AS_DESIRED.at)
        .fragment("oldrow", oldrow);
    let planned = ctx
        .journal_ranked(
            pass_no,
            &[kinds::ENROL, kinds::UPDATE, kinds::SUSPEND_AS_DESIRED],
            "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
             oldtimestart, oldtimeend, oldrow",
            "planned.line, planned.enrolid",
            PLANNED,
            params,
        )
        .await?;
    enrol::apply_planned(ctx, pass_no, planned).await.map(|_| ())
}

/// Assigns the roles that are missing; Moodle's manual method owns none.
async fn assign(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let columns = "line, userid, courseid, contextid, roleid, component, itemid";
    let order = "planned.line, planned.courseid, planned.roleid";
    ctx.conn.prefer_indexes(true).await?;
    let planned = ctx.journal(position, columns, order, MISSING_ROLES, ctx.params()).await?;
    ctx.conn.prefer_indexes(false).await?;
    enrol::apply_roles(ctx, position, planned, None).await
}
