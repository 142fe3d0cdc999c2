//! The roles that rows give or take in the system and in categories (`sysroleN`, `categoryroleN`).
//! It must not handle roles in courses: these come with enrolments.

use crate::accounts::gives::{any, report, role_names};
use crate::accounts::tables::ACCOUNT_ROLE;
use crate::change::context::{Position, RunContext};
use crate::change::remove::Pick;
use crate::change::{enrol, kinds};
use crate::config::{Profile, Settings};
use crate::db::table::{int, small, text};
use crate::db::{DbError, Params, Table, statement};
use crate::moodle::role_levels::{CATEGORY, SYSTEM};

/// The categories that cells name by idnumber, and how many match.
const GIVEN_CATEGORY: Table =
    Table::new("given_category", &[text("given", 255), int("contextid").or_null(), int("found")]).joined_by(&["given"]);
/// The last word of the file about each role of each account.
const GIVEN_ASSIGNMENT: Table =
    Table::new("given_assignment", &[int("line"), int("userid"), int("contextid"), int("roleid"), small("removed")]);

const CATEGORIES: &str = statement(include_str!("roles.sql"), "named categories");
const REFUSED: &str = statement(include_str!("roles.sql"), "refused roles");
const ASSIGNMENTS: &str = statement(include_str!("roles.sql"), "assignments");
const MISSING: &str = statement(include_str!("roles.sql"), "missing roles");
const TAKEN: &str = statement(include_str!("roles.sql"), "taken roles");

/// Gives and takes the roles of the rows; of several words about one role of one account the last counts. Twelve
/// statements at most, and one for each numbered column with problems.
///
/// # Errors
/// The database's error.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    dropped: bool,
) -> Result<(), DbError> {
    if !any(ctx, ACCOUNT_ROLE.name).await? {
        return Ok(());
    }
    let names = "SELECT DISTINCT level, role, 0 AS kind FROM [account_role] WHERE role <> ''";
    role_names::load(ctx, settings, dropped, names).await?;
    ctx.conn.declare(&GIVEN_CATEGORY);
    ctx.conn.declare(&GIVEN_ASSIGNMENT);
    let exact = ctx.conn.exact("course_categories", "c.idnumber", "k.given");
    let params = resolved(ctx, profile, dropped).fragment("same", exact);
    ctx.conn.exec(CATEGORIES, &params).await?;
    ctx.conn.analyse(GIVEN_CATEGORY.name).await?;
    report(ctx, REFUSED, params.clone()).await?;
    ctx.conn.exec(ASSIGNMENTS, &params).await?;
    ctx.conn.analyse(GIVEN_ASSIGNMENT.name).await?;
    let pass_no = ctx.next_pass();
    let taken = Pick::new(TAKEN);
    ctx.remove_rows(Position { pass_no, rank: kinds::NAMED_ROLE }, taken.params(ctx.params())).await?;
    let position = Position { pass_no, rank: kinds::ROLE };
    let columns = "line, userid, courseid, contextid, roleid, component, itemid";
    ctx.conn.prefer_indexes(true).await?;
    let planned = ctx
        .journal(position, columns, "planned.line, planned.contextid, planned.roleid", MISSING, ctx.params())
        .await?;
    ctx.conn.prefer_indexes(false).await?;
    enrol::apply_roles(ctx, position, planned, None).await
}

/// The parameters of statements over cells: what is wrong with one, and which levels the file may use. An option that
/// the profile does not name is off for dropped files, and on for those of an operator.
fn resolved(ctx: &RunContext<'_>, profile: &Profile, dropped: bool) -> Params {
    let on = |option: Option<bool>| i64::from(option.unwrap_or(!dropped));
    let dialect = ctx.conn.dialect();
    ctx.params()
        .with("system", SYSTEM)
        .with("category", CATEGORY)
        .with("system_context", ctx.site.system_context)
        .with("system_on", on(profile.system_roles))
        .with("category_on", on(profile.category_roles))
        .fragment("column", dialect.to_text("a.n"))
        .fragment("count", dialect.to_text("c.found"))
}
