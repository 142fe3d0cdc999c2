//! The cohorts of rows (`cohortN`): finds them, makes the unknown ones if the profile says so, adds the members.
//! It must not enrol anybody: cohort sync follows.

use crate::accounts::gives::keys::{self, How, Plain};
use crate::accounts::gives::{any, report};
use crate::accounts::tables::ACCOUNT_COHORT;
use crate::change::cohorts::{self, NEW_COHORT};
use crate::change::context::RunContext;
use crate::config::Profile;
use crate::db::table::{int, small, text};
use crate::db::{DbError, Params, Table, statement};
use crate::outcome::RunResult;

/// A plain number is `cohort.id`, any other text an idnumber, never a name.
const PLAIN: Plain = Plain { table: "cohort", column: "cohort", digits: How::Id, other: How::Idnumber };

/// The site's cohorts by each way of naming them.
const COHORT_LABEL: Table = Table::new(
    "cohort_label",
    &[int("cohortid"), int("contextid"), text("component", 100), small("how"), text("label", 255)],
)
.joined_by(&["label"]);
/// The cohorts that the cells name, and how many match.
const GIVEN_COHORT: Table = Table::new(
    "given_cohort",
    &[text("given", 255), int("cohortid").or_null(), int("contextid").or_null(), text("component", 100), int("found")],
)
.joined_by(&["given"]);

const LABELS: &str = statement(include_str!("cohorts.sql"), "labels");
const NAMED: &str = statement(include_str!("cohorts.sql"), "named cohorts");
const MISSING: &str = statement(include_str!("cohorts.sql"), "missing cohorts");
const MADE: &str = statement(include_str!("cohorts.sql"), "made cohorts");
const REFUSED: &str = statement(include_str!("cohorts.sql"), "refused cohorts");
const JOINING: &str = statement(include_str!("cohorts.sql"), "joining members");

/// Adds the accounts of the rows to their cohorts. Grows with the cohorts of the site, not with the rows: six
/// statements, seven more if cohorts are made.
///
/// # Errors
/// The database's error.
pub async fn apply(ctx: &mut RunContext<'_>, profile: &Profile) -> RunResult<()> {
    if !any(ctx, ACCOUNT_COHORT.name).await? {
        return Ok(());
    }
    keys::load(ctx, PLAIN, "SELECT DISTINCT ckey FROM [account_cohort]").await?;
    find(ctx).await?;
    if profile.create_cohorts {
        make(ctx, profile).await?;
    }
    let params = ctx.params().fragment("count", ctx.conn.dialect().to_text("g.found"));
    report(ctx, REFUSED, params).await?;
    let pass_no = ctx.next_pass();
    Ok(cohorts::join(ctx, pass_no, JOINING, Params::new()).await?)
}

async fn find(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.declare(&COHORT_LABEL);
    ctx.conn.declare(&GIVEN_COHORT);
    let dialect = ctx.conn.dialect();
    let params =
        ctx.params().fragment("id", dialect.to_text("c.id")).fragment("same", dialect.same_text("c.label", "k.label"));
    ctx.conn.exec(LABELS, &params).await?;
    ctx.conn.analyse(COHORT_LABEL.name).await?;
    ctx.conn.exec(NAMED, &params).await?;
    ctx.conn.analyse(GIVEN_COHORT.name).await
}

/// Makes the unknown cohorts that are not named by id.
async fn make(ctx: &mut RunContext<'_>, profile: &Profile) -> Result<(), DbError> {
    ctx.conn.declare(&NEW_COHORT);
    let context = if profile.context_id > 0 { profile.context_id } else { ctx.site.system_context };
    if ctx.conn.exec(MISSING, &ctx.params().with("context", context)).await? == 0 {
        return Ok(());
    }
    let pass_no = ctx.next_pass();
    cohorts::create(ctx, pass_no).await?;
    let dialect = ctx.conn.dialect();
    let same = |column: &str| dialect.same_text(column, "k.label");
    let params = Params::new().fragment("same_idnumber", same("t.idnumber")).fragment("same_name", same("t.name"));
    let found = [("cohortid", "m.cohortid"), ("contextid", "m.contextid"), ("found", "1")];
    let same = dialect.same_text("g.given", "m.given");
    let update = dialect.update_joined("[given_cohort]", "g", &found, MADE, &format!("g.found = 0 AND {same}"));
    ctx.conn.exec(&update, &params).await.map(|_| ())
}
