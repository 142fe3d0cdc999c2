//! The reconciliation rules: one value per enrolment method, in one list, each with its SQL beside it.
//! It must not diff or write anything; `reconcile` does, the same for every rule.

mod autoenrol;
pub mod availability;
mod category;
mod cohort;
mod coursecompleted;
mod meta;

use crate::reconcile::Rule;

/// The rules, in the order in which they run and follow each other. The order is part of what they mean: an autoenrol
/// rule can take an enrolment back because another rule made one.
pub const RULES: [Rule; 5] =
    [cohort::COHORT, category::CATEGORY, coursecompleted::COURSECOMPLETED, autoenrol::AUTOENROL, meta::META];
