//! What is known and decided of groups and groupings, as values.
//! It must not decide anything.

use std::collections::BTreeMap;

use crate::config::{BlankCell, FileGroupKey, Profile, Update};
use crate::files::{CustomColumn, GroupType};
use crate::problem::Problem;

/// The values of a group or a grouping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    pub name: String,
    pub idnumber: String,
    pub description: String,
    /// `groups.visibility`
    pub visibility: i64,
    /// `groups.participation`
    pub participation: bool,
    /// Whether its conversation is switched on; `None`: it has none.
    pub messaging: Option<bool>,
    /// Custom fields, by `customfield_field.id`.
    pub fields: BTreeMap<i64, String>,
}

/// A group or a grouping, of the site or of the file.
#[derive(Clone, Debug)]
pub struct Item {
    pub of: GroupType,
    /// 0: the file makes it.
    pub id: i64,
    pub courseid: i64,
    pub was: Values,
    pub is: Values,
    /// The line that makes or last changes it; 0: none.
    pub line: u64,
    /// Of a new one: whether a description is stored.
    pub described: bool,
    /// Of a new group: what enrols into it.
    pub enrolmentkey: String,
    /// The line that empties or removes it; 0: none.
    pub emptied: u64,
    pub removed: u64,
    /// What uses it, so that it cannot be removed; empty if nothing does.
    pub used: &'static str,
}

/// A course that a row names.
#[derive(Clone, Debug)]
pub struct Place {
    pub courseid: i64,
    pub contextid: i64,
    /// Its short name.
    pub shown: String,
}

/// What the profile and the site allow.
#[derive(Clone, Debug)]
pub struct Terms {
    pub key: FileGroupKey,
    /// Whether values of what exists change.
    pub update: bool,
    /// Whether empty cells erase.
    pub erase: bool,
    /// Whether rows may empty and remove.
    pub delete: bool,
    /// Whether groups may have conversations; else the column has no effect, as in Moodle.
    pub messaging: bool,
    /// The columns of custom fields, with their `customfield_field.id`.
    pub custom: Vec<(CustomColumn, i64)>,
}

impl Terms {
    /// Those of a profile.
    pub fn of(profile: &Profile, messaging: bool, custom: Vec<(CustomColumn, i64)>) -> Self {
        Self {
            key: profile.group_key,
            update: profile.update == Update::File,
            erase: profile.blank == BlankCell::Erase,
            delete: profile.delete.unwrap_or(false),
            messaging,
            custom,
        }
    }
}

/// What is decided.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    pub items: Vec<Item>,
    /// Groups that are to be in groupings, by their positions in `items`: group, grouping, line.
    pub bound: Vec<(usize, usize, u64)>,
    /// Rows that are refused.
    pub refused: Vec<Problem>,
    /// What is told of rows that are applied otherwise.
    pub told: Vec<Problem>,
}

impl Decided {
    /// Takes out items, with the bindings that they are in.
    pub fn forget(&mut self, gone: impl Fn(&Item) -> bool) {
        let mut next = 0;
        let kept: Vec<Option<usize>> = (self.items.iter())
            .map(|item| {
                let at = (!gone(item)).then_some(next);
                next += usize::from(at.is_some());
                at
            })
            .collect();
        self.items.retain(|item| !gone(item));
        let bound = std::mem::take(&mut self.bound).into_iter();
        self.bound = bound.filter_map(|(group, grouping, line)| Some((kept[group]?, kept[grouping]?, line))).collect();
    }
}
