//! Finds the role that a line means, and checks whether its file may name it.
//! It must not handle lines: it gets the text of the column.

use std::collections::BTreeMap;

use crate::files::Kind;
use crate::moodle::site::Site;
use crate::problem::Code;
use crate::staging::AllowedRoles;

/// The roles of the site, by the names that a form of the file uses.
pub struct Roles {
    names: BTreeMap<String, i64>,
    /// Names that are the short name of one role and the alias of another, with both roles as a hint.
    ambiguous: BTreeMap<String, String>,
    ids: Vec<i64>,
    allowed: AllowedRoles,
}

impl Roles {
    /// The header form names roles by short name, then by alias; the native form by Moodle's alias map alone, where an
    /// empty alias switches a role off. In both a name that is the short name of one role and the alias of another
    /// names none.
    pub fn of(site: &Site, kind: Kind, allowed: AllowedRoles) -> Self {
        let mut names = site.flatfile_roles();
        if kind == Kind::Header {
            for role in site.roles.iter().rev() {
                names.insert(role.shortname.to_lowercase(), role.id);
            }
        }
        Self { names, ambiguous: site.ambiguous_roles(), ids: site.roles.iter().map(|role| role.id).collect(), allowed }
    }

    /// `role.id` of a role by the site's alias map, or by its id: digits, or `id:` and digits (spec files 1.3). However
    /// it is named, the file must be allowed to name it.
    ///
    /// # Errors
    /// The code of the line, with its hint.
    pub fn find(&self, name: &str) -> Result<i64, (Code, &str)> {
        if let Some(both) = self.ambiguous.get(name) {
            return Err((Code::RoleAmbiguous, both.as_str()));
        }
        let by_id = || {
            let id = name.strip_prefix("id:").unwrap_or(name).parse().ok()?;
            self.ids.contains(&id).then_some(id)
        };
        let id = self.names.get(name).copied().or_else(by_id).ok_or((Code::RoleUnknown, ""))?;
        if self.allowed.allows(id) { Ok(id) } else { Err((Code::RoleNotAllowed, self.allowed.key())) }
    }
}
