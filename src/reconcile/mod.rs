//! Reconciliation: applies the difference between what a rule desires and what exists, set by set. It must not depend
//! on any rule: it reads sections of SQL and a policy.

mod compare;
mod enrolments;
mod filter;
mod groups;
mod instances;
mod members;
mod policy;
mod roles;
mod rule;
mod sections;
pub mod tally;

pub use filter::{Filter, of_changed_instances, of_cohorts, of_courses, of_touched, of_users};
pub use instances::{of_removed_cohorts, remove_instances};
pub use policy::{Follow, Instances, Owner, Policy};
pub use rule::{Rule, Step, Taking};
pub use sections::{section, table_of};
pub use tally::of_cause;

use crate::change::context::RunContext;
use crate::change::{end, enrol, groups as known_groups, kinds};
use crate::clock::StopWatch;
use crate::config::Settings;
use crate::db::table::{int, small};
use crate::db::{DbError, Params, Table};
use crate::mail;
use crate::outcome::{Moment, RunResult, Skipped};

/// The instances of a pass.
const SCOPE: Table = Table::new("scope", &[int("enrolid"), int("courseid"), int("contextid")])
    .primary("enrolid")
    .indexed_not_on_postgres(&["courseid"]);

const FRESH: Table = Table::new("fresh", &[int("enrolid"), int("userid")]).joined_by(&["enrolid, userid"]);
const DESIRED: Table = Table::new(
    "desired",
    &[
        int("enrolid"),
        int("userid"),
        int("courseid"),
        int("contextid"),
        small("presence"),
        int("status"),
        int("timestart"),
        int("timeend"),
    ],
)
.joined_by(&["enrolid, userid"]);

/// One pass of one rule.
pub struct Pass<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What it may do.
    pub policy: Policy,
    /// enrold's settings.
    pub settings: &'a Settings,
    /// The pass of its changes in the journal; no other step of the run has the same.
    pub pass_no: i64,
    /// The part of the site that it reads.
    pub filter: Filter,
}

impl Pass<'_> {
    /// The parameters that every section of the rule's SQL may use.
    pub fn params(&self, ctx: &RunContext<'_>) -> Params {
        // For a few users the indexes by user are best: no join order is prescribed.
        let params = if self.filter.users { Params::new().fragment("then", "JOIN") } else { Params::new() };
        self.filter
            .fragments(self.policy.params.clone().and(params).and(ctx.params()))
            .with("pass_no", self.pass_no)
            .with("method", self.rule.method)
            .with("component", self.rule.component())
            .fragment("own_instance", self.policy.own_instance.as_str())
            .fragment("given_memberships", members::OWNED)
    }

    /// Whether `fresh` is needed: the enrolments that this pass adds or makes active again.
    fn reads_fresh(&self) -> bool {
        self.policy.newcomers_join_first || self.rule.sql.contains("fresh")
    }

    /// A section of the rule's SQL.
    pub fn section(&self, name: &str) -> Option<&'static str> {
        section(self.rule.sql, name)
    }

    /// A section of the rule's SQL, unless the temporary table that its heading names is unmade: then it has no rows.
    fn desired(&self, ctx: &RunContext<'_>, name: &str) -> Option<&'static str> {
        let empty = table_of(self.rule.sql, name).is_some_and(|table| ctx.conn.is_unmade(table));
        self.section(name).filter(|_| !empty)
    }
}

/// Prefers hash joins from the beginning to the end of a comparison of whole sets; not in a pass limited to some users,
/// whose sets are small.
///
/// # Errors
/// The database's error.
pub async fn comparing(ctx: &mut RunContext<'_>, pass: &Pass<'_>, begins: bool) -> Result<(), DbError> {
    if pass.filter.users { Ok(()) } else { ctx.conn.prefer_hashes(begins).await }
}

/// Declares the temporary tables of reconciliation, once per run.
pub fn prepare(ctx: &mut RunContext<'_>) {
    enrol::prepare(ctx);
    end::prepare(ctx);
    let conn = &mut *ctx.conn;
    conn.declare(&SCOPE);
    conn.declare(&FRESH);
    conn.declare(&DESIRED);
    known_groups::prepare(conn);
    compare::prepare(conn);
    roles::prepare(conn);
    filter::prepare(conn);
}

/// Runs one rule over the part of the site that a filter leaves. The rule's sections fix the number of statements, each
/// over sets, and the writes grow with what differs; rows that are as desired are read and never written.
///
/// # Errors
/// The database's error, or a limit of the guard.
pub async fn run(
    ctx: &mut RunContext<'_>,
    rule: &Rule,
    settings: &Settings,
    filter: Filter,
    consequence: bool,
) -> RunResult<()> {
    let policy = (rule.policy)(ctx.site, settings);
    run_under(ctx, rule, policy, settings, filter, consequence).await
}

/// [`run`] under a given policy.
///
/// # Errors
/// As [`run`].
pub async fn run_under(
    ctx: &mut RunContext<'_>,
    rule: &Rule,
    policy: Policy,
    settings: &Settings,
    filter: Filter,
    consequence: bool,
) -> RunResult<()> {
    let watch = StopWatch::start();
    let before = std::mem::replace(&mut ctx.cause, rule.name);
    let planned = ctx.planned;
    let booked = ctx.counts.clone();
    let pass_no = ctx.next_pass();
    let pass = Pass { rule, policy, settings, pass_no, filter };
    let outcome = steps(ctx, &pass).await;
    ctx.cause = before;
    let checked = outcome?;
    let changed = ctx.planned > planned;
    let mut report = tally::of(ctx, &pass, &booked).await?;
    report.consequence = consequence;
    report.checked = checked;
    report.millis = watch.millis();
    if !consequence || changed {
        ctx.rules.push(report);
    }
    Ok(())
}

/// Fills the temporary table `scope` with the instances of a rule, for a step before its pass.
///
/// # Errors
/// The database's error.
pub async fn load_scope(
    ctx: &mut RunContext<'_>,
    rule: &Rule,
    settings: &Settings,
    policy: &Policy,
) -> Result<(), DbError> {
    let pass = Pass { rule, policy: policy.clone(), settings, pass_no: 0, filter: Filter::ALL };
    scope(ctx, &pass).await.map(|_| ())
}

/// Removes the roles that a rule's method owns, on the whole site, and leaves the enrolments.
///
/// # Errors
/// The database's error.
pub async fn drop_roles(ctx: &mut RunContext<'_>, rule: &Rule, settings: &Settings) -> RunResult<()> {
    let watch = StopWatch::start();
    let before = std::mem::replace(&mut ctx.cause, rule.name);
    let booked = ctx.counts.clone();
    let pass_no = ctx.next_pass();
    let pass = Pass { rule, policy: (rule.policy)(ctx.site, settings), settings, pass_no, filter: Filter::ALL };
    let outcome = roles::remove_all(ctx, &pass).await;
    ctx.cause = before;
    outcome?;
    let mut report = tally::of(ctx, &pass, &booked).await?;
    report.skipped = Some(Skipped::MethodDisabled);
    report.millis = watch.millis();
    ctx.rules.push(report);
    Ok(())
}

/// The steps of a pass; gives how many enrolments were checked.
async fn steps(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<i64> {
    let planned = ctx.planned;
    let (observer, cause) = (ctx.observer.clone(), pass.rule.name);
    let reached = |done| observer.reached(Moment::Applying { cause, done, of: 4 });
    reached(0).await;
    if let Some(prepare) = pass.rule.prepare {
        prepare(ctx, pass).await?;
    }
    if pass.policy.instances != Instances::AsTheyAre {
        instances::create(ctx, pass).await?;
    }
    let instances = scope(ctx, pass).await?;
    enrolments::stage(ctx, pass).await?;
    let comparison = compare::compare(ctx, pass, instances).await?;
    reached(1).await;
    let before = people(ctx);
    if comparison.wrong > 0 {
        enrolments::add_and_change(ctx, pass, &comparison).await?;
    }
    if comparison.extra > 0 {
        enrolments::end_extra(ctx, pass, &comparison).await?;
    }
    let checked = comparison.there + people(ctx) - before;
    reached(2).await;
    // Roles without an owner follow changes of enrolments only.
    if pass.policy.roles == Owner::Instance || ctx.planned > planned {
        roles::add_and_remove(ctx, pass).await?;
    }
    reached(3).await;
    groups::make(ctx, pass).await?;
    members::join_and_leave(ctx, pass).await?;
    if pass.policy.instances == Instances::CreatedAndDeleted {
        instances::delete(ctx, pass).await?;
    }
    if let Some(follow_up) = pass.rule.follow_up {
        follow_up(ctx, pass).await?;
    }
    reached(4).await;
    if ctx.planned > planned {
        mail::welcome(ctx, pass.settings, pass.pass_no..=pass.pass_no, pass.rule.method).await?;
    }
    Ok(checked)
}

/// By how much the enrolments of the site have grown in this run.
fn people(ctx: &RunContext<'_>) -> i64 {
    ctx.booked(&kinds::ENROLMENT_ADD) - ctx.booked(&kinds::ENROLMENT_REMOVE)
}

/// Fills `scope` with the instances of the rule; gives their number.
async fn scope(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<i64, DbError> {
    let select = pass.section("scope").ok_or_else(|| missing(pass, "scope"))?;
    let params = pass.params(ctx).fragment("section", select);
    ctx.conn.exec("DELETE FROM [scope]", &params).await?;
    ctx.conn.exec("DELETE FROM [fresh]", &params).await?;
    let instances = ctx
        .conn
        .exec("INSERT INTO [scope] SELECT t.enrolid, t.courseid, t.contextid FROM (:section) t", &params)
        .await?;
    ctx.conn.analyse("scope").await?;
    Ok(instances as i64)
}

fn missing(pass: &Pass<'_>, name: &str) -> DbError {
    DbError::other(format!("the rule {} has no section '{name}'", pass.rule.name))
}

/// Component and item of what a rule adds, as SQL over an alias that has `enrolid`.
fn owner(owner: Owner, alias: &str) -> (&'static str, String) {
    match owner {
        Owner::Instance => (":component", format!("{alias}.enrolid")),
        Owner::Nobody => ("''", "0".to_owned()),
    }
}
