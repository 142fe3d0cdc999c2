//! What rules need from the site: its profile fields, its disabled conditions, the roles that see all groups or badges.
//! It must not hold anything that grows with users.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::{Conn, DbError, Dialect, Params};
use crate::moodle::site::Site;

/// Users with this capability pass every condition about groups (spec availability 5).
const ALL_GROUPS: &str = "moodle/site:accessallgroups";
/// Users with this capability pass every condition about badges (spec availability 5).
const ALL_BADGES: &str = "moodle/badges:manageglobalsettings";

/// The standard profile fields that rules may test: those of Moodle's editor, and those of older rules.
const STANDARD_FIELDS: [&str; 17] = [
    "firstname",
    "lastname",
    "email",
    "city",
    "country",
    "idnumber",
    "institution",
    "department",
    "phone1",
    "phone2",
    "address",
    "auth",
    "lang",
    "username",
    "timezone",
    "picture",
    "policyagreed",
];

/// The kind of custom field that neither rules nor group names can read.
pub(super) const TEXT_AREA: &str = "textarea";

/// A custom profile field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    /// `user_info_field.id`.
    pub id: i64,
    /// The value of users who have none of their own.
    pub default: Option<String>,
    /// Its kind: `text`, `menu`, `checkbox`, …
    pub datatype: String,
}

/// What rules need from the site.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub(super) standard: Vec<&'static str>,
    pub(super) custom: BTreeMap<String, Vec<CustomField>>,
    pub(super) disabled: BTreeSet<String>,
    pub(super) course_badges: bool,
    pub(super) system_context: i64,
    pub(super) see_all_groups: Vec<i64>,
    pub(super) see_all_badges: Vec<i64>,
}

impl Facts {
    /// Reads the facts in three small statements.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(conn: &mut Conn, site: &Site) -> Result<Self, DbError> {
        let mut facts = Self {
            standard: STANDARD_FIELDS.into_iter().filter(|name| site.columns.has("user", name)).collect(),
            course_badges: site.number("badges_allowcoursebadges", 1) != 0,
            system_context: site.system_context,
            ..Self::default()
        };
        let none = Params::new();
        let fields = "SELECT id, shortname, defaultdata, datatype FROM {user_info_field} ORDER BY id";
        for row in conn.rows(fields, &none).await? {
            let default = (!row.is_null(2)).then(|| row.text(2));
            let field = CustomField { id: row.int(0), default, datatype: row.text(3) };
            facts.custom.entry(row.text(1)).or_default().push(field);
        }
        let disabled =
            "SELECT plugin, value FROM {config_plugins} WHERE plugin LIKE 'availability%' AND name = 'disabled'";
        for row in conn.rows(disabled, &none).await? {
            if let (Some(name), false) = (row.text(0).strip_prefix("availability_"), ["", "0"].contains(&&*row.text(1)))
            {
                facts.disabled.insert(name.to_owned());
            }
        }
        facts.read_capabilities(conn).await?;
        Ok(facts)
    }

    /// The value of a standard profile field of the user `u` in SQL, as text and never NULL; `None` if rules may not
    /// test a field of that name, or the site has none.
    pub fn standard_field(&self, name: &str, dialect: Dialect) -> Option<String> {
        let name = self.standard.iter().find(|known| **known == name)?;
        Some(match *name {
            "picture" | "policyagreed" => dialect.to_text(&format!("COALESCE(u.{name}, 0)")),
            _ => format!("COALESCE(u.{name}, '')"),
        })
    }

    /// The id and the default of the only custom profile field of that short name, unless it is a text area.
    pub fn custom_field(&self, name: &str) -> Option<(i64, Option<&str>)> {
        match self.custom.get(name).map(Vec::as_slice) {
            Some([field]) if field.datatype != TEXT_AREA => Some((field.id, field.default.as_deref())),
            _ => None,
        }
    }

    /// The roles that allow a capability at system level; overrides in lower contexts are ignored.
    async fn read_capabilities(&mut self, conn: &mut Conn) -> Result<(), DbError> {
        let params =
            Params::new().with("system", self.system_context).with("groups", ALL_GROUPS).with("badges", ALL_BADGES);
        let sql = "SELECT roleid, capability FROM {role_capabilities}
            WHERE contextid = :system AND permission = 1 AND capability IN (:groups, :badges) ORDER BY roleid";
        for row in conn.rows(sql, &params).await? {
            match row.text(1).as_str() {
                ALL_GROUPS => self.see_all_groups.push(row.int(0)),
                _ => self.see_all_badges.push(row.int(0)),
            }
        }
        Ok(())
    }
}
