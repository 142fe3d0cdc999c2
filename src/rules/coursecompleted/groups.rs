//! The groups that follow a user from the source to the target, by name, in the temporary table `copied_group`.
//! It must not make groups or memberships; the rule's sections and `reconcile` do.

use crate::change::context::RunContext;
use crate::change::groups as known;
use crate::db::table::{int, text};
use crate::db::{Table, statement};
use crate::outcome::RunResult;

/// The names of the source groups of users who are enrolled now.
const COPIED_GROUP: Table =
    Table::new("copied_group", &[int("enrolid"), int("userid"), int("courseid"), int("contextid"), text("name", 254)]);

const COPIED: &str = statement(include_str!("groups.sql"), "copied groups");

/// Reads the source groups of users who are enrolled now, before memberships are removed (spec coursecompleted 5).
///
/// # Errors
/// The database's error.
pub async fn copy(ctx: &mut RunContext<'_>) -> RunResult<()> {
    ctx.conn.declare(&COPIED_GROUP);
    let copied = ctx.conn.exec(COPIED, &ctx.params()).await?;
    if copied > 0 {
        known::load(ctx, "SELECT DISTINCT courseid FROM [copied_group]").await?;
    }
    Ok(ctx.conn.analyse(COPIED_GROUP.name).await?)
}
