//! Completed courses lead on to others: a completion that is news enrols in the next course (spec coursecompleted).
//! It must not know when a completion was aggregated: what is news says enrold's own ledger, by state.

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
    // Moodle's plugin enrols in an observer of its own; its only scheduled task is that of expirations.
    twins: &[],
    sql: include_str!("coursecompleted.sql"),
    policy,
    prepare: Some(before),
    follow_up: Some(after),
};

/// Nothing is taken back; a second completion renews the window of an enrolment and leaves its status (spec 3).
fn policy(_site: &Site, settings: &Settings) -> Policy {
    let mut policy = Policy::new(RemovalAction::Keep);
    policy.status = Follow::Never;
    policy.dates = true;
    policy.groups = Owner::Nobody;
    // Who leaves a course for the next one stays where the same pass has enrolled him: a circle must be seen whole.
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
