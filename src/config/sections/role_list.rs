//! The roles that a feed may assign: short names, archetypes, or any; each kind of feed has its own list.
//! It must not know the roles of a site: the caller checks each role of the site against the list.

use std::fmt;

use serde::Deserialize;

/// Stands for roles without an archetype.
const NONE: &str = "none";

/// One entry of a list of roles. Short names and archetypes are compared without case, as in flat files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleEntry {
    /// `*`: every role of the site.
    Any,
    /// `@student`: the roles with this `role.archetype`; empty for `@none`, the roles without one.
    Archetype(String),
    /// `manager`: the role with this short name.
    Shortname(String),
}

impl RoleEntry {
    /// Reads one entry.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected the short name of a role, @ and an archetype (@student), @none, or *";
        let text = text.trim();
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | '@' | '*' | ',');
        match (text, text.strip_prefix('@')) {
            ("*", _) => Ok(Self::Any),
            (_, Some("")) | ("", _) => Err(EXPECTED.to_owned()),
            (_, Some(archetype)) if !archetype.contains(odd) => {
                let archetype = archetype.to_lowercase();
                Ok(Self::Archetype(if archetype == NONE { String::new() } else { archetype }))
            }
            (name, None) if !name.contains(odd) => Ok(Self::Shortname(name.to_lowercase())),
            _ => Err(EXPECTED.to_owned()),
        }
    }

    /// True if the entry matches a role with this short name and archetype.
    pub fn covers(&self, shortname: &str, archetype: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Archetype(name) => archetype.trim().to_lowercase() == *name,
            Self::Shortname(name) => shortname.trim().to_lowercase() == *name,
        }
    }
}

impl fmt::Display for RoleEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Archetype(name) if name.is_empty() => write!(f, "@{NONE}"),
            Self::Archetype(name) => write!(f, "@{name}"),
            Self::Shortname(name) => f.write_str(name),
        }
    }
}

/// The roles that a feed may assign. An empty list allows none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct RoleList(Vec<RoleEntry>);

impl RoleList {
    /// The default of every list: teachers, students, and roles that a site created without an archetype. Manager,
    /// course creator and guest must be listed explicitly.
    pub(in crate::config) const DEFAULT: [&str; 4] = ["@student", "@teacher", "@editingteacher", "@none"];

    /// Reads a list.
    pub(in crate::config) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        texts.into_iter().map(RoleEntry::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The entries, in their order.
    pub fn entries(&self) -> &[RoleEntry] {
        &self.0
    }

    /// True if a role with this short name and archetype may be assigned.
    pub fn covers(&self, shortname: &str, archetype: &str) -> bool {
        self.0.iter().any(|entry| entry.covers(shortname, archetype))
    }

    /// The list with the role of this short name added; an empty name adds nothing.
    pub fn and(mut self, shortname: &str) -> Self {
        let name = shortname.trim().to_lowercase();
        if !name.is_empty() {
            self.0.push(RoleEntry::Shortname(name));
        }
        self
    }
}

impl TryFrom<Vec<String>> for RoleList {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        Self::parse(texts.iter().map(String::as_str))
    }
}

/// Maps a role of a OneRoster export to a Moodle role: `teacher = editingteacher`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleOf {
    /// The role in the export, case-sensitive.
    pub from: String,
    /// The short name in Moodle; `-` for none.
    pub to: String,
}

impl RoleOf {
    /// In place of a Moodle role: enrolments with this export role are left out of the set without a problem.
    pub const NOBODY: &str = "-";

    /// The mapping that applies if the configuration sets none.
    const DEFAULT: [&str; 2] = ["student = student", "teacher = editingteacher"];

    /// Reads one mapping.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(from, to)| (from.trim(), to.trim())) {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err("expected a role of the export and one of Moodle, as in \"teacher = editingteacher\"".to_owned()),
        }
    }
}

/// The key `roles` of a source: the roles that its sets may assign, and the mapping of roles of a OneRoster export. If
/// only one kind has entries, the other keeps its default; an empty list allows no role and maps no role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct SourceRoles {
    /// The roles that this key allows.
    pub allowed: RoleList,
    /// The mapping of export roles.
    pub of_export: Vec<RoleOf>,
    /// The key sets the allowed roles.
    pub(super) lists: bool,
    /// The key sets the mapping.
    pub(super) maps: bool,
}

impl SourceRoles {
    /// Reads the entries of both kinds.
    pub(in crate::config) fn parse(texts: &[&str]) -> Result<Self, String> {
        let (maps, lists): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| text.contains('='));
        let or_default = |written: &[&str], default: &[&str]| match written {
            [] if !texts.is_empty() => default.iter().map(|text| (*text).to_owned()).collect(),
            written => written.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>(),
        };
        let of_export = or_default(&maps, &RoleOf::DEFAULT);
        Ok(Self {
            allowed: or_default(&lists, &RoleList::DEFAULT).try_into()?,
            of_export: of_export.iter().map(|text| RoleOf::parse(text)).collect::<Result<_, _>>()?,
            lists: texts.is_empty() || !lists.is_empty(),
            maps: !maps.is_empty(),
        })
    }
}

impl TryFrom<Vec<String>> for SourceRoles {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        Self::parse(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
