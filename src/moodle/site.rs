//! Reads the site's own settings from `config` and `config_plugins`, its roles, actor and host, anew for each run.
//! It must not have defaults of its own where Moodle documents one.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::db::{Columns, Conn, DbError, Params};

/// What happens to an enrolment that ends (spec enrol-core 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalAction {
    /// 0: the enrolment and all that depends on it are removed.
    Unenrol,
    /// 1: nothing is done.
    Keep,
    /// 2: the enrolment is suspended, roles stay.
    Suspend,
    /// 3: the enrolment is suspended and its roles are removed.
    SuspendNoRoles,
}

impl RemovalAction {
    /// Moodle's number in `config_plugins`.
    pub fn from_setting(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "0" => Self::Unenrol,
            "1" => Self::Keep,
            "2" => Self::Suspend,
            "3" => Self::SuspendNoRoles,
            _ => return None,
        })
    }
}

/// One row of `role`.
#[derive(Clone, Debug)]
pub struct Role {
    /// `role.id`.
    pub id: i64,
    /// `role.shortname`.
    pub shortname: String,
    /// `role.archetype`: the predefined type that the role is based on (`student`, `manager`, …); empty for none.
    pub archetype: String,
}

/// A site's own settings, read at the start of a run.
#[derive(Clone, Debug)]
pub struct Site {
    config: BTreeMap<String, String>,
    plugins: BTreeMap<(String, String), String>,
    /// All roles by id.
    pub roles: Vec<Role>,
    /// The columns that the site's tables really have.
    pub columns: Columns,
    /// The account in `modifierid` and the log: the main administrator (spec enrol-core 3).
    pub actor: i64,
    /// `context.id` of the system.
    pub system_context: i64,
}

impl Site {
    /// Reads the settings in three small statements, whatever the site's size.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(conn: &mut Conn) -> Result<Self, DbError> {
        let none = Params::new();
        let columns = Columns::read(conn).await?;
        let mut site = Self {
            config: BTreeMap::new(),
            plugins: BTreeMap::new(),
            roles: Vec::new(),
            columns,
            actor: 0,
            system_context: 0,
        };
        let text = |column: &str| conn.dialect().to_text(column);
        let params = none.fragment("roleid", text("r.id")).fragment("contextid", text("MIN(k.id)"));
        // In one statement: each costs a round trip, before every run.
        let all = "SELECT 'config' AS place, {=c.name}, '' AS part, {=c.value} FROM {config} c
             UNION ALL SELECT 'plugin', {=p.plugin}, {=p.name}, {=p.value} FROM {config_plugins} p
                 WHERE p.plugin LIKE 'enrol%'
                    OR p.plugin IN ('tool_log', 'tool_sync', 'logstore_standard', 'moodlecourse')
                    OR (p.plugin LIKE 'auth%' AND (p.name = 'version' OR p.name LIKE 'field_lock%'))
             UNION ALL SELECT 'role', {=r.shortname}, {=r.archetype}, :roleid FROM {role} r
             UNION ALL SELECT 'system', '', '', :contextid FROM {context} k WHERE k.contextlevel = 10";
        for row in conn.rows(all, &params).await? {
            let (name, value) = (row.text(1), row.text(3));
            match row.text(0).as_str() {
                "config" => drop(site.config.insert(name, value)),
                "plugin" => drop(site.plugins.insert((name, row.text(2)), value)),
                "role" => site.roles.push(Role { id: row.int(3), shortname: name, archetype: row.text(2) }),
                _ => site.system_context = row.int(3),
            }
        }
        site.roles.sort_by_key(|role| role.id);
        site.actor = site.main_administrator(conn).await?;
        Ok(site)
    }

    async fn main_administrator(&self, conn: &mut Conn) -> Result<i64, DbError> {
        let admins = self.administrators();
        if admins.is_empty() {
            return Ok(0);
        }
        let params = Params::new().fragment("ids", id_list(&admins));
        let alive = conn.rows("SELECT id FROM {user} WHERE deleted = 0 AND id IN (:ids)", &params).await?;
        let alive: Vec<i64> = alive.iter().map(|row| row.int(0)).collect();
        Ok(admins.into_iter().find(|id| alive.contains(id)).unwrap_or(0))
    }

    /// A site setting from `config`.
    pub fn config(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    /// A plugin's setting from `config_plugins`.
    pub fn plugin(&self, plugin: &str, name: &str) -> Option<&str> {
        self.plugins.get(&(plugin.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// The removal action in a plugin's setting; `documented` where it has no row or none of the four numbers. (PHP
    /// would happen to read an empty value as 0, unenrol.)
    pub fn removal_action(&self, plugin: &str, name: &str, documented: RemovalAction) -> RemovalAction {
        self.plugin(plugin, name).and_then(RemovalAction::from_setting).unwrap_or(documented)
    }

    /// The values that plugins of this prefix have for a setting, by the name of the plugin without the prefix.
    pub fn of_plugins<'a>(&'a self, prefix: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of = move |((plugin, key), value): (&'a (String, String), &'a String)| {
            (key == name).then(|| plugin.strip_prefix(prefix)).flatten().map(|plugin| (plugin, value.as_str()))
        };
        self.plugins.iter().filter_map(of)
    }

    /// A whole number from `config`, or Moodle's documented default.
    pub fn number(&self, name: &str, documented: i64) -> i64 {
        self.config(name).and_then(|text| text.trim().parse().ok()).unwrap_or(documented)
    }

    /// Moodle's version without the part after the point (2024100706 for 4.5.6); 0 if it is not known.
    pub fn version(&self) -> i64 {
        let text = self.config("version").unwrap_or_default().trim();
        text.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// True if the enrolment method is in `enrol_plugins_enabled`.
    pub fn is_enabled(&self, method: &str) -> bool {
        self.enabled_methods().any(|name| name == method)
    }

    /// The methods in `enrol_plugins_enabled`, without names that no plugin can have.
    pub fn enabled_methods(&self) -> impl Iterator<Item = &str> {
        let can_be = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let list = self.config("enrol_plugins_enabled").unwrap_or_default();
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).filter(can_be)
    }

    /// The ids in `siteadmins`, the main administrator first.
    pub fn administrators(&self) -> Vec<i64> {
        let list = self.config("siteadmins").unwrap_or_default();
        list.split(',').filter_map(|id| id.trim().parse().ok()).collect()
    }

    /// The guest account, 0 if none is set.
    pub fn guest(&self) -> i64 {
        self.number("siteguest", 0)
    }

    /// Accounts that no run removes anything from: the guest, and administrators where the guard protects them.
    pub fn protected(&self, administrators: bool) -> Vec<i64> {
        let mut ids = vec![0, self.guest()];
        if administrators {
            ids.extend(self.administrators());
        }
        ids
    }

    /// The host id of local accounts.
    pub fn local_host(&self) -> i64 {
        self.number("mnet_localhost_id", 1)
    }

    /// The lifetime of a session in seconds, and so of a dirty flag (spec enrol-core 11).
    pub fn session_timeout(&self) -> i64 {
        self.number("sessiontimeout", 28800)
    }

    /// True if the standard log store is on (spec enrol-core 13).
    pub fn logs_events(&self) -> bool {
        self.plugin("tool_log", "enabled_stores")
            .unwrap_or_default()
            .split(',')
            .any(|store| store.trim() == "logstore_standard")
            && self.columns.has_table("logstore_standard_log")
    }

    /// True if grades are copied to history before they are deleted.
    pub fn keeps_grade_history(&self) -> bool {
        !matches!(self.config("disablegradehistory"), Some("1"))
    }

    /// The site's time zone, if it names one (`99` means the server's own).
    pub fn timezone(&self) -> Option<&str> {
        self.config("timezone").filter(|name| *name != "99" && !name.is_empty())
    }

    /// Role aliases of the flat file: `map_<id>`, or the short name where that setting has no row; an empty alias
    /// switches the role off; of several roles with one alias the first keeps it (spec flatfile 2).
    pub fn flatfile_roles(&self) -> BTreeMap<String, i64> {
        let mut aliases = BTreeMap::new();
        for role in &self.roles {
            let alias = self.plugin("enrol_flatfile", &format!("map_{}", role.id)).unwrap_or(&role.shortname);
            let alias = alias.trim().to_lowercase();
            if !alias.is_empty() {
                aliases.entry(alias).or_insert(role.id);
            }
        }
        aliases
    }

    /// Names in flat files that are the short name of one role and the alias of another, with both roles as a text
    /// (`teacher = id:4, editingteacher = id:3`): the one form of the file would mean the first, the other the second.
    pub fn ambiguous_roles(&self) -> BTreeMap<String, String> {
        let pair = |(alias, id): (String, i64)| {
            let is_short = |role: &&Role| role.shortname.to_lowercase() == alias;
            let short = self.roles.iter().find(is_short)?;
            let other = self.roles.iter().find(|role| role.id == id).filter(|role| !is_short(role))?;
            let both = [short, other].map(|role| format!("{} = id:{}", role.shortname, role.id));
            Some((alias, both.join(", ")))
        };
        self.flatfile_roles().into_iter().filter_map(pair).collect()
    }
}

/// Numbers as the inside of `IN (…)`; an empty list matches nothing.
pub fn id_list(ids: &[i64]) -> String {
    if ids.is_empty() {
        return "-1".to_owned();
    }
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// The time zone of times without one: enrold's setting, Moodle's, else UTC.
pub fn zone(settings: &Settings, site: Option<&Site>) -> chrono_tz::Tz {
    settings
        .site
        .timezone
        .or_else(|| site.and_then(|site| site.timezone()).and_then(|name| name.parse().ok()))
        .unwrap_or(chrono_tz::UTC)
}
