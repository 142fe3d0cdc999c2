//! Cohort sync: the members of a cohort are enrolled in the courses that have an instance for it (spec cohort).
//! It must not write anything: it gives the desired rows and what its settings allow.

use crate::config::Settings;
use crate::moodle::site::{RemovalAction, Site};
use crate::reconcile::{Policy, Rule};

/// The rule.
pub const COHORT: Rule = Rule {
    name: "cohort",
    method: "cohort",
    twins: &[r"\enrol_cohort\task\enrol_cohort_sync"],
    sql: include_str!("cohort.sql"),
    policy,
    prepare: None,
    follow_up: None,
};

/// `unenrolaction`: 0 unenrols, 2 suspends, 3 and 1 suspend without roles (golden c04b); if not set, it unenrols, as
/// Moodle documents (spec cohort 2). Only 2 keeps the roles of suspended enrolments and of disabled instances.
fn policy(site: &Site, _settings: &Settings) -> Policy {
    let on_extra = match site.removal_action("enrol_cohort", "unenrolaction", RemovalAction::Unenrol) {
        RemovalAction::Keep => RemovalAction::SuspendNoRoles,
        action => action,
    };
    let mut policy = Policy::new(on_extra);
    policy.params = policy.params.with("keeps_roles", i64::from(on_extra == RemovalAction::Suspend));
    policy
}
