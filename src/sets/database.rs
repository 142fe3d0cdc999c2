//! A full set as a rule: the staged rows of one source are desired in its own instances of the method `database`.
//! It must not load rows or resolve keys: `sets` does both before.

use crate::config::Settings;
use crate::db::Params;
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::reconcile::{Instances, Policy, Rule};

/// The prefix of `enrol.customchar1` in instances of sources other than `database`.
pub const MARK: &str = "enrold:";

/// The rule. It is not in [`crate::rules::RULES`]: it runs when a set arrives, and follows no other changes.
pub const DATABASE: Rule = Rule {
    name: "database",
    method: method::DATABASE,
    twins: &[r"\enrol_database\task\sync_enrolments"],
    sql: include_str!("database.sql"),
    policy,
    prepare: None,
    follow_up: None,
};

/// The policy of a set without terms of its own, which `sets` refines (spec database 2: the documented action is to
/// unenrol).
fn policy(site: &Site, _settings: &Settings) -> Policy {
    Policy {
        instances: Instances::Created,
        ..Policy::new(site.removal_action("enrol_database", "unenrolaction", RemovalAction::Unenrol))
    }
}

/// The condition on `e` for the instances of a source: `database` has all without a mark, whoever made them.
pub fn own_instance(source: &str) -> (String, Params) {
    if source == method::DATABASE {
        let unmarked = "(e.customchar1 IS NULL OR e.customchar1 NOT LIKE :own_mark)".to_owned();
        return (unmarked, Params::new().with("own_mark", format!("{MARK}%")));
    }
    ("e.customchar1 = :own_mark".to_owned(), Params::new().with("own_mark", format!("{MARK}{source}")))
}
