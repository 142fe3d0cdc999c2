//! Counts the role values of a set that match no role of the site, while its rows are read. It must not grow with the
//! set: the first values are kept, the others are counted together.

use std::collections::BTreeMap;

use crate::outcome::RoleValue;

/// How many values are counted separately.
const VALUES: usize = 100;
/// How many characters of a value are reported.
const SHOWN: usize = 100;

/// The rows with an unknown role, by its value; they get the source's default role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultRoles {
    values: BTreeMap<String, u64>,
    /// Rows with values that are not counted separately.
    pub more: u64,
}

impl DefaultRoles {
    /// Counts a row with this value.
    pub fn count(&mut self, value: &str) {
        if let Some(rows) = self.values.get_mut(value) {
            *rows += 1;
        } else if self.values.len() < VALUES {
            self.values.insert(value.to_owned(), 1);
        } else {
            self.more += 1;
        }
    }

    /// The values, those of most rows first, with the short name of the role that was assigned instead.
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
