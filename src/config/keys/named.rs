//! Sections of tables that the operator names: all tables of a section have the same keys.
//! It must not know what such a table is for.

use super::{Key, profiles, sources};
use crate::config::forms;

/// The maximum length of a name; that of a source becomes part of names in the database.
const LONGEST: usize = 40;

/// A section of named tables.
pub(in crate::config) struct Named {
    /// What the paths of its keys begin with: `sources.`
    pub prefix: &'static str,
    /// The line of the reference where the example of a table begins; each line of the example is a comment.
    pub example: &'static str,
    /// A key of each table, for messages.
    pub first: &'static str,
    /// The keys of each table, without the prefix and the name, in the order of the reference.
    pub keys: &'static [Key],
    /// The sections of each table whose keys the operator chooses, with what such a key accepts.
    pub open: &'static [Key],
    /// Checks a name beyond its form.
    pub check_name: fn(&str) -> Result<(), String>,
}

/// Every section of named tables, in the order of the reference.
pub(in crate::config) static ALL: [&Named; 2] = [&profiles::SECTION, &sources::SECTION];

/// The path of a key of a named table.
#[derive(Clone, Copy)]
pub(in crate::config) struct Path<'a> {
    pub section: &'static Named,
    pub name: &'a str,
    /// The path after the name; it may be empty.
    pub rest: &'a str,
}

/// The parts of a path in a section of named tables.
pub(in crate::config) fn divided(path: &str) -> Option<Path<'_>> {
    let (section, inside) = ALL.iter().find_map(|section| Some((*section, path.strip_prefix(section.prefix)?)))?;
    let (name, rest) = inside.split_once('.').unwrap_or((inside, ""));
    Some(Path { section, name, rest })
}

impl<'a> Path<'a> {
    /// The known key.
    pub fn find(self) -> Option<&'static Key> {
        self.section.find(self.rest)
    }

    /// The path up to the name.
    pub fn table(self) -> String {
        self.section.table(self.name)
    }

    /// The section with chosen keys and the chosen key: `default` and `city`.
    pub fn chosen(self) -> Option<(&'a str, &'a str)> {
        self.section.open_key(self.rest)?;
        self.rest.split_once('.')
    }
}

impl Named {
    /// The known key with this path after the name.
    pub fn find(&self, rest: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == rest).or_else(|| self.open_key(rest))
    }

    fn open_key(&self, rest: &str) -> Option<&'static Key> {
        let (section, chosen) = rest.split_once('.')?;
        self.open.iter().find(|key| key.name == section && !chosen.is_empty())
    }

    /// The path of a table.
    pub fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The name of the section: `sources`.
    pub fn title(&self) -> &'static str {
        self.prefix.trim_end_matches('.')
    }

    /// Checks a name: it is used in paths and in environment variables.
    pub fn check(&self, text: &str) -> Result<(), String> {
        let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let later = |byte: u8| first(byte) || byte == b'-' || byte == b'_';
        let bytes = text.as_bytes();
        if bytes.first().is_some_and(|byte| first(*byte))
            && bytes.iter().all(|byte| later(*byte))
            && bytes.len() <= LONGEST
        {
            return (self.check_name)(text);
        }
        let found = forms::shown(text);
        Err(format!(
            "found the name {found}, expected at most {LONGEST} of a-z, 0-9, - and _, the first of them a letter or \
             digit"
        ))
    }
}
