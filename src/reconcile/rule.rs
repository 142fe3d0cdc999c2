//! An enrolment method as a value: its name, its SQL, its policy, the steps of its own.
//! It must not know which rules there are.

use std::future::Future;
use std::pin::Pin;

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::moodle::site::Site;
use crate::outcome::RunResult;
use crate::reconcile::{Pass, Policy};

/// A step of its own that a rule takes inside its pass.
pub type Step = for<'a, 'w> fn(&'a mut RunContext<'w>, &'a Pass<'a>) -> Taking<'a>;
/// What a [`Step`] gives: it is awaited at once.
pub type Taking<'a> = Pin<Box<dyn Future<Output = RunResult<()>> + Send + 'a>>;

/// An enrolment method as a query: what it desires, and what may be done to make it so (DESIGN 2).
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in `enrold sync NAME`, in `[tasks.NAME]` and as the cause of its changes in the journal.
    pub name: &'static str,
    /// The method: `enrol.enrol` of its instances.
    pub method: &'static str,
    /// Moodle's scheduled tasks that do the same work.
    pub twins: &'static [&'static str],
    /// The desired sets, one section each: see docs/architecture.md, "A rule".
    pub sql: &'static str,
    /// What the settings of the site and of enrold make of it.
    pub policy: fn(&Site, &Settings) -> Policy,
    /// What comes before the sets are read: temporary tables of its own, a limit of its own.
    pub prepare: Option<Step>,
    /// What comes after the sets are true, in the same transaction.
    pub follow_up: Option<Step>,
}

impl Rule {
    /// The component of what its instances own: `enrol_METHOD`.
    pub fn component(&self) -> String {
        format!("enrol_{}", self.method)
    }
}
