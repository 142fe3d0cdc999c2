//! Role values of a set that no role of the site has, counted while its rows are read.
//! It must not grow with the set: of many values the first are kept, the rest is counted together.

use std::collections::BTreeMap;

use crate::outcome::RoleValue;

/// Values that are told apart.
const VALUES: usize = 100;
/// Characters of a value that are kept.
const SHOWN: usize = 100;

/// Rows whose role nobody knows, by what they say; they give the source's default role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultRoles {
    values: BTreeMap<String, u64>,
    /// Rows with values beyond those that are told apart.
    pub more: u64,
}

impl DefaultRoles {
    /// One more row with this value.
    pub fn count(&mut self, value: &str) {
        if let Some(rows) = self.values.get_mut(value) {
            *rows += 1;
        } else if self.values.len() < VALUES {
            self.values.insert(value.to_owned(), 1);
        } else {
            self.more += 1;
        }
    }

    /// The values, those of most rows first, with the short name of the role that was given.
    pub fn told(&self, role: &str) -> Vec<RoleValue> {
        let value = |(value, rows): (&String, &u64)| RoleValue {
            value: value.chars().take(SHOWN).collect(),
            rows: *rows,
            role: role.to_owned(),
        };
        let mut told: Vec<RoleValue> = self.values.iter().map(value).collect();
        told.sort_by_key(|value| std::cmp::Reverse(value.rows));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_their_list_is_bounded() {
        let mut roles = DefaultRoles::default();
        for number in 0..150 {
            roles.count(&format!("role{number:03}"));
        }
        roles.count("role007");
        roles.count("role149");
        let told = roles.told("student");
        assert_eq!((told.len(), roles.more), (VALUES, 51));
        assert_eq!(told[0], RoleValue { value: "role007".to_owned(), rows: 2, role: "student".to_owned() });
        assert_eq!(told[1].value, "role000");
    }
}
