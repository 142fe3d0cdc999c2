//! Course completions lead to further courses: a new completion enrols the user in the next one (spec coursecompleted).
//! It must not use the time of aggregation: the state in enrold's own ledger shows which completions are new.

mod chain;
mod groups;
mod leave;
mod ledger;

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::moodle::site::{RemovalAction, Site};
use crate::reconcile::{Follow, Owner, Pass, Policy, Rule, Taking, comparing};

/// The rule.
pub const COURSECOMPLETED: Rule = Rule {
    name: "coursecompleted",
    method: "coursecompleted",
    // Moodle's plugin enrols in an event observer; its only scheduled task handles expirations.
    twins: &[],
    sql: include_str!("coursecompleted.sql"),
    policy,
    prepare: Some(before),
    follow_up: Some(after),
};

/// Nothing is removed; a second completion renews the window of an enrolment and leaves its status (spec 3).
fn policy(_site: &Site, settings: &Settings) -> Policy {
    let mut policy = Policy::new(RemovalAction::Keep);
    policy.status = Follow::Never;
    policy.dates = true;
    policy.groups = Owner::Nobody;
    // Leaving a source must spare the enrolments of the same pass, so one pass must cover a whole circle of courses.
    policy.by_course = false;
    policy.params = policy.params.with("creates_groups", i64::from(settings.coursecompleted.create_groups));
    policy
}

fn before<'a>(ctx: &'a mut RunContext<'_>, pass: &'a Pass<'a>) -> Taking<'a> {
    Box::pin(async move {
        chain::read(ctx, pass).await?;
        comparing(ctx, pass, true).await?;
        ledger::take_in(ctx, pass).await?;
        ledger::judge(ctx, pass).await?;
        groups::copy(ctx).await?;
        Ok(comparing(ctx, pass, false).await?)
    })
}

fn after<'a>(ctx: &'a mut RunContext<'_>, pass: &'a Pass<'a>) -> Taking<'a> {
    Box::pin(async move {
        comparing(ctx, pass, true).await?;
        ledger::book(ctx).await?;
        comparing(ctx, pass, false).await?;
        leave::unenrol_from_sources(ctx, pass).await
    })
}
