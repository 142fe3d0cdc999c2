//! Availability rules: the JSON trees of conditions that autoenrol keeps in `enrol.customtext2`, as one SQL condition.
//! It must not read enrolments or select users and courses: callers give these as the aliases `u` and `v`.

mod condition;
mod facts;
mod leaf;
mod predicate;
mod profile;
mod refused;
mod tree;
mod truth;

#[cfg(test)]
mod tests;

pub use condition::{Completion, Condition};
pub use facts::Facts;
pub use predicate::Predicate;
pub use profile::{Field, Test};
pub use refused::Refused;
pub use tree::{Node, Tree, read};
