//! Which roles of the site a feed may assign, by a list of the configuration. It must not depend on files or sets:
//! every planner of a feed's lines checks each role here, also for kinds that come later.

use crate::config::RoleList;
use crate::moodle::site::Site;

/// The roles that a feed may assign, and whose participations it may end.
#[derive(Clone, Debug)]
pub struct AllowedRoles {
    /// `role.id` of each; `None` for every role.
    ids: Option<Vec<i64>>,
    /// The configuration key of the list, for messages.
    key: String,
}

impl AllowedRoles {
    /// No limit, as for a run from a shell.
    pub fn any() -> Self {
        Self { ids: None, key: String::new() }
    }

    /// The roles of the site that a list covers; `key` is the list's configuration key.
    pub fn of(list: &RoleList, key: impl Into<String>, site: &Site) -> Self {
        let covered = site.roles.iter().filter(|role| list.covers(&role.shortname, &role.archetype));
        Self { ids: Some(covered.map(|role| role.id).collect()), key: key.into() }
    }

    /// The roles that dropped files may name, whatever their kind; `list` is `flatfile.roles`.
    pub fn of_dropped(list: &RoleList, site: &Site) -> Self {
        Self::of(list, "flatfile.roles", site)
    }

    /// Whether the role with this `role.id` may be assigned.
    pub fn allows(&self, role: i64) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&role))
    }

    /// `role.id` of each; `None` for every role.
    pub fn ids(&self) -> Option<&[i64]> {
        self.ids.as_deref()
    }

    /// The configuration key of the list; empty without a limit.
    pub fn key(&self) -> &str {
        &self.key
    }
}
