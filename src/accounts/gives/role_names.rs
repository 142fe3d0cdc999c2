//! Resolves the roles that cells name, each once, and checks whether they may be given there and by this file.
//! It must not assign any.

use crate::change::context::RunContext;
use crate::config::Settings;
use crate::db::table::{int, small, text};
use crate::db::{Bulk, DbError, Field, Params, Table};
use crate::moodle::role_levels::{COURSE, RoleLevels};
use crate::moodle::site::Role;
use crate::problem::Code;
use crate::staging::AllowedRoles;

/// The names of roles, by the level of the context and, where the name is empty, the `kind` of `typeN`; `roleid` is 0
/// and `code` is not empty if no role may be given by it.
pub const GIVEN_ROLE: Table = Table::new(
    "given_role",
    &[
        int("level"),
        text("given", 255),
        small("kind"),
        int("roleid"),
        text("code", 100),
        text("value", 255),
        text("hint", 255),
    ],
)
.joined_by(&["given"]);

/// The archetypes that `typeN` 1, 2 and 3 name.
const ARCHETYPES: [&str; 3] = ["student", "editingteacher", "teacher"];

/// Which roles a file may give.
struct Rights<'a> {
    roles: &'a [Role],
    levels: RoleLevels,
    allowed: AllowedRoles,
}

impl Rights<'_> {
    /// The role of a name, or of a `typeN`, at a level.
    fn find(&self, level: i64, given: &str, kind: i64) -> Result<i64, (Code, String, String)> {
        let of_kind = usize::try_from(kind - 1).ok().and_then(|at| ARCHETYPES.get(at));
        let known = match (given, of_kind) {
            ("", Some(archetype)) => self.roles.iter().find(|role| role.archetype == *archetype),
            ("", None) => return Err((Code::RoleUnknown, kind.to_string(), "1, 2, 3".to_owned())),
            _ => self.named(given),
        };
        let Some(role) = known.filter(|role| self.levels.allow(level, role)) else {
            let shown = known.map_or(of_kind.map_or(given, |archetype| archetype), |role| &role.shortname);
            return Err((Code::RoleUnknown, shown.to_owned(), self.usable(level)));
        };
        match self.allowed.allows(role.id) {
            true => Ok(role.id),
            false => Err((Code::RoleNotAllowed, role.shortname.clone(), self.allowed.key().to_owned())),
        }
    }

    /// The role with this id, or short name.
    fn named(&self, given: &str) -> Option<&Role> {
        let id: Option<i64> = given.strip_prefix("id:").unwrap_or(given).parse().ok();
        match id {
            Some(id) => self.roles.iter().find(|role| role.id == id),
            None => self.roles.iter().find(|role| role.shortname == given),
        }
    }

    /// The short names of the roles that may be given at a level.
    fn usable(&self, level: i64) -> String {
        let usable = self.roles.iter().filter(|role| self.levels.allow(level, role) && self.allowed.allows(role.id));
        usable.map(|role| role.shortname.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Fills `given_role` with the names of a select (level, role, kind), each once; two statements. A file that was
/// `dropped` may name only the roles of `flatfile.roles`.
///
/// # Errors
/// The database's error.
pub async fn load(ctx: &mut RunContext<'_>, settings: &Settings, dropped: bool, names: &str) -> Result<(), DbError> {
    ctx.conn.declare(&GIVEN_ROLE);
    let allowed = match dropped {
        true => AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site),
        false => AllowedRoles::any(),
    };
    let levels = RoleLevels::read(ctx.conn, ctx.site).await?;
    let rights = Rights { roles: &ctx.site.roles, levels, allowed };
    let names = ctx.conn.rows(names, &Params::new().with("course", COURSE)).await?;
    let mut rows = Bulk::into(ctx.conn.dialect(), &GIVEN_ROLE);
    for name in &names {
        let (level, given, kind) = (name.int(0), name.text(1), name.int(2));
        let (id, (code, value, hint)) = match rights.find(level, &given, kind) {
            Ok(id) => (id, ("", String::new(), String::new())),
            Err((code, value, hint)) => (0, (code.as_str(), value, hint)),
        };
        let row = [
            Field::Int(level),
            Field::Text(&given),
            Field::Int(kind),
            Field::Int(id),
            Field::Text(code),
            Field::Text(&value),
            Field::Text(&hint),
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(GIVEN_ROLE.name).await
}
