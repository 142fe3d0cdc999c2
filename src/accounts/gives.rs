//! What a row of a users file gives besides the account: cohorts, roles, courses, groups. It must not find or change
//! accounts: `account_row` names them.

mod cohorts;
mod courses;
mod groups;
mod keys;
mod role_names;
mod roles;

use crate::accounts::AccountsFile;
use crate::change::context::RunContext;
use crate::config::{Profile, Settings};
use crate::db::{DbError, Params};
use crate::outcome::RunResult;
use crate::problem::PlaceKind;

/// Applies the cohorts, roles, courses and groups of the rows whose account is known, in Moodle's order. What is wrong
/// with one of them is a problem of its line and stops nothing else. The number of statements grows with the numbered
/// columns that have problems, not with the rows.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn apply(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &AccountsFile<'_>,
) -> RunResult<()> {
    cohorts::apply(ctx, profile).await?;
    roles::apply(ctx, settings, profile, file.dropped).await?;
    courses::apply(ctx, settings, file).await
}

/// Whether a temporary table has a row.
async fn any(ctx: &mut RunContext<'_>, table: &str) -> Result<bool, DbError> {
    if ctx.conn.is_unmade(table) {
        return Ok(false);
    }
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 AS there FROM [{table}] LIMIT 1) t");
    Ok(ctx.conn.number(&sql, &Params::new()).await? > 0)
}

/// Reports the rows (n, number, code, value, hint) of a select as problems of their lines: one statement, and one more
/// for each `n`, the numbered column, because a line may have a problem in several.
async fn report(ctx: &mut RunContext<'_>, refused: &str, params: Params) -> Result<(), DbError> {
    let params = params.fragment("refused", refused);
    let columns = ctx.conn.rows("SELECT DISTINCT f.n FROM (:refused) f ORDER BY f.n", &params).await?;
    for column in columns {
        let of_column = "SELECT f.number, f.code, f.value, f.hint FROM (:refused) f WHERE f.n = :n";
        ctx.report_problems(PlaceKind::Line, of_column, params.clone().with("n", column.int(0))).await?;
    }
    Ok(())
}
