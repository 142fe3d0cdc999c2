//! What a file may not do to a method: give or copy a role that it may not give, or open a course to whom nobody chose.
//! It must not change anything.

use super::{At, Decision, Desired, Key, Slot, said};
use crate::coursefiles::methods::facts::Instance;
use crate::files::MethodRow;
use crate::problem::{Code, Problem, shown};

impl Decision<'_> {
    /// Refuses a link that would copy a role that the file may not give.
    pub(super) fn may_copy(&self, at: &At<'_>, source: i64) -> Result<(), Problem> {
        match (self.facts.foreign_sources.get(&source), &self.facts.allowed) {
            (Some(role), Some(allowed)) => Err(Problem::new(at.line, Code::RoleNotAllowed, shown(role), allowed.key())),
            _ => Ok(()),
        }
    }

    /// Refuses to touch the places of people with a role that the file may not give.
    pub(super) fn may_touch(&self, at: &At<'_>, slot: &Slot) -> Result<(), Problem> {
        let Some(allowed) = &self.facts.allowed else { return Ok(()) };
        let own = |instance: &Instance| {
            let has_own = instance.method != "meta" && instance.role != 0 && !allowed.allows(instance.role);
            has_own.then(|| self.role_name(instance.role)).or_else(|| self.facts.foreign.get(&instance.id).cloned())
        };
        match slot.was.iter().find_map(own) {
            Some(role) => Err(Problem::new(at.line, Code::RoleNotAllowed, shown(&role), allowed.key())),
            None => Ok(()),
        }
    }

    /// Refuses a method that would give a role that the file may not give; a link has the roles of its source.
    pub(super) fn may_give(&self, at: &At<'_>, key: &Key, new: &Desired) -> Result<(), Problem> {
        match &self.facts.allowed {
            Some(allowed) if key.method != "meta" && new.role != 0 && !allowed.allows(new.role) => {
                Err(Problem::new(at.line, Code::RoleNotAllowed, shown(&self.role_name(new.role)), allowed.key()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to enable a method, or to change its dates or its role, by which others come in than those whom the file
    /// or a teacher chooses: self enrolment (enrold reads and sets no enrolment keys), guest access, and what other
    /// plugins let in.
    pub(super) fn may_open(&self, at: &At<'_>, row: &MethodRow) -> Result<(), Problem> {
        let closed = ["cohort", "meta", "manual"].contains(&row.method.as_str());
        let wants_key = row.method == "self" && self.facts.wants_key;
        if closed || self.profile.open_courses.unwrap_or(!self.facts.dropped && !wants_key) {
            return Ok(());
        }
        Err(Problem::new(at.line, Code::ChangeRefused, shown(&said(row)), "open_courses"))
    }

    /// The short name of a role, or its id if courses do not have it.
    pub(super) fn role_name(&self, id: i64) -> String {
        let known = self.facts.roles.iter().find(|role| role.id == id);
        known.map_or_else(|| id.to_string(), |role| role.shortname.clone())
    }
}
