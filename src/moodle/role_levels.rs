//! Reads in which kinds of context a role may be assigned (`role_context_levels`).
//! It must not know who assigns a role, nor to whom.

use std::collections::BTreeSet;

use crate::db::{Conn, DbError, Params};
use crate::moodle::site::{Role, Site};

/// `context.contextlevel` of the system.
pub const SYSTEM: i64 = 10;
/// `context.contextlevel` of a course category.
pub const CATEGORY: i64 = 40;
/// `context.contextlevel` of a course.
pub const COURSE: i64 = 50;

/// The levels at which Moodle makes the roles of an archetype assignable, as far as roles are assigned there by files.
const OF_ARCHETYPES: [(&str, &[i64]); 5] = [
    ("manager", &[SYSTEM, CATEGORY, COURSE]),
    ("coursecreator", &[SYSTEM, CATEGORY]),
    ("editingteacher", &[COURSE]),
    ("teacher", &[COURSE]),
    ("student", &[COURSE]),
];

/// The levels at which each role may be assigned.
#[derive(Clone, Debug)]
pub struct RoleLevels(BTreeSet<(i64, i64)>);

impl RoleLevels {
    /// Reads them in one statement. A table without any row, which no installed Moodle has, stands for the levels that
    /// Moodle gives its archetypes.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(conn: &mut Conn, site: &Site) -> Result<Self, DbError> {
        let sql = "SELECT r.contextlevel, r.roleid FROM {role_context_levels} r";
        let rows = conn.rows(sql, &Params::new()).await?;
        if rows.is_empty() {
            return Ok(Self(site.roles.iter().flat_map(of_archetype).collect()));
        }
        Ok(Self(rows.iter().map(|row| (row.int(0), row.int(1))).collect()))
    }

    /// Whether a role may be assigned in contexts of a level.
    pub fn allow(&self, level: i64, role: &Role) -> bool {
        self.0.contains(&(level, role.id))
    }
}

fn of_archetype(role: &Role) -> impl Iterator<Item = (i64, i64)> {
    let known = OF_ARCHETYPES.iter().find(|(archetype, _)| *archetype == role.archetype);
    known.into_iter().flat_map(|(_, levels)| levels.iter()).map(|level| (*level, role.id))
}
