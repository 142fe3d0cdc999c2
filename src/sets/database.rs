//! A full set as a rule: the rows of one source, staged, are what its own instances of the method `database` hold.
//! It must not know where the rows come from, nor resolve keys: the room `sets` does both before.

use crate::config::Settings;
use crate::db::Params;
use crate::moodle::method;
use crate::moodle::site::{RemovalAction, Site};
use crate::reconcile::{Instances, Policy, Rule};

/// What begins `enrol.customchar1` of an instance that belongs to another source than `database`.
pub const MARK: &str = "enrold:";

/// The rule. It is not in [`crate::rules::RULES`]: it runs when its set has come, and follows nothing.
pub const DATABASE: Rule = Rule {
    name: "database",
    method: method::DATABASE,
    twins: &[r"\enrol_database\task\sync_enrolments"],
    sql: include_str!("database.sql"),
    policy,
    prepare: None,
    follow_up: None,
};

/// The policy of a set without terms of its own; the room `sets` refines it (spec database 2: the documented action is
/// to unenrol).
fn policy(site: &Site, _settings: &Settings) -> Policy {
    Policy {
        instances: Instances::Created,
        ..Policy::new(site.removal_action("enrol_database", "unenrolaction", RemovalAction::Unenrol))
    }
}

/// Which instances are those of a source, as a condition on `e`: `database` has all that bear no mark, whoever made
/// them.
pub fn own_instance(source: &str) -> (String, Params) {
    if source == method::DATABASE {
        let unmarked = "(e.customchar1 IS NULL OR e.customchar1 NOT LIKE :own_mark)".to_owned();
        return (unmarked, Params::new().with("own_mark", format!("{MARK}%")));
    }
    ("e.customchar1 = :own_mark".to_owned(), Params::new().with("own_mark", format!("{MARK}{source}")))
}
