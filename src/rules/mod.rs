//! The reconciliation rules: one `Rule` value per enrolment method, in one list, each with its SQL file beside it.
//! It must not compare or write rows; `reconcile` does that in the same way for every rule.

mod autoenrol;
pub mod availability;
mod category;
mod cohort;
mod coursecompleted;
mod meta;

use crate::reconcile::Rule;

/// The rules, in the order in which they run and follow each other. The order has an effect: an autoenrol rule can
/// remove an enrolment because another rule has added one.
pub const RULES: [Rule; 5] =
    [cohort::COHORT, category::CATEGORY, coursecompleted::COURSECOMPLETED, autoenrol::AUTOENROL, meta::META];
