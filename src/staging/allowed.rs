//! Which roles of the site a feed may give: a list of the configuration, laid over the roles that the site has.
//! It must not know files or sets: whoever plans lines of a feed asks it about each role, also for kinds that come
//! later.

use crate::config::RoleList;
use crate::moodle::site::Site;

/// The roles that whoever feeds a run may give, and whose participations he may end.
#[derive(Clone, Debug)]
pub struct AllowedRoles {
    /// `role.id` of each; `None` for every role.
    ids: Option<Vec<i64>>,
    /// The key of the configuration that says so, for messages.
    key: String,
}

impl AllowedRoles {
    /// No limit: what somebody with a shell applies.
    pub fn any() -> Self {
        Self { ids: None, key: String::new() }
    }

    /// Those that a list names, which stands under this key of the configuration. A role that the site does not have is
    /// none.
    pub fn of(list: &RoleList, key: impl Into<String>, site: &Site) -> Self {
        let covered = site.roles.iter().filter(|role| list.covers(&role.shortname, &role.archetype));
        Self { ids: Some(covered.map(|role| role.id).collect()), key: key.into() }
    }

    /// Whether the role with this `role.id` may be given.
    pub fn allows(&self, role: i64) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&role))
    }

    /// `role.id` of each; `None` for every role.
    pub fn ids(&self) -> Option<&[i64]> {
        self.ids.as_deref()
    }

    /// The key of the configuration that says so; empty where there is no limit.
    pub fn key(&self) -> &str {
        &self.key
    }
}
