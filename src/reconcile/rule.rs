//! A rule as a value: the name, SQL, policy and own steps of an enrolment method. It must not name a rule.

use std::future::Future;
use std::pin::Pin;

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::moodle::site::Site;
use crate::outcome::RunResult;
use crate::reconcile::{Pass, Policy};

/// A rule's own step inside its pass.
pub type Step = for<'a, 'w> fn(&'a mut RunContext<'w>, &'a Pass<'a>) -> Taking<'a>;
/// The future of a [`Step`], which is awaited at once.
pub type Taking<'a> = Pin<Box<dyn Future<Output = RunResult<()>> + Send + 'a>>;

/// An enrolment method as a query: what it desires, and what may be done to reach that (DESIGN 2).
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
    /// Its policy under the settings of the site and of enrold.
    pub policy: fn(&Site, &Settings) -> Policy,
    /// Runs before the sets are read: for temporary tables of its own, or a limit of its own.
    pub prepare: Option<Step>,
    /// Runs after the sets are applied, in the same transaction.
    pub follow_up: Option<Step>,
}

impl Rule {
    /// The component of what its instances own: `enrol_METHOD`.
    pub fn component(&self) -> String {
        format!("enrol_{}", self.method)
    }
}
