//! What can be read of a record whose cells cannot be told apart: their number is wrong, or the quotes do not pair.
//! It must not know which column a value was meant for, nor what it means.

use serde::{Deserialize, Serialize};

use super::{CELL_LIMIT, trimmed};

/// The most values, and the most bytes of values, that are kept of one record.
const MOST: usize = 32;
const MOST_BYTES: usize = 1024;

/// The values of such a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scraps {
    /// What stands between delimiters of any kind, quotes and control characters, and between blanks; each once.
    pub values: Vec<String>,
    /// Whether they may be those of several records.
    pub several: bool,
    /// The user and the place of the row behind it, if that may be the rest of the record: a line end inside a value
    /// leaves a record of that value only.
    pub rest: Option<(String, String)>,
}

impl Scraps {
    /// The values in the text of a record; `several` if it may hold more than one.
    pub(super) fn of(text: &str, several: bool) -> Scraps {
        let is_end = |c: char| matches!(c, ',' | ';' | '|' | '"' | '\u{2028}' | '\u{2029}') || c.is_control();
        let parts = text.split(is_end).map(trimmed);
        let mut values: Vec<String> = Vec::new();
        let mut bytes = 0;
        for value in parts.flat_map(|part| std::iter::once(part).chain(part.split_whitespace())) {
            // No key is longer.
            let is_key = !value.is_empty() && value.chars().count() <= CELL_LIMIT;
            if is_key && !values.iter().any(|other| other == value) {
                bytes += value.len();
                if values.len() == MOST || bytes > MOST_BYTES {
                    break;
                }
                values.push(value.to_owned());
            }
        }
        Scraps { values, several, rest: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_at_whatever_separates_them() {
        let values = |text: &str| Scraps::of(text, false).values;
        assert_eq!(values("u1;\"c 1;student\t, u1|\u{2028}x\u{b}\u{feff}"), ["u1", "c 1", "c", "1", "student", "x"]);
        assert_eq!(values(&"é".repeat(300)), [""; 0]);
        assert_eq!(values(&(0..99).map(|n| format!("{n};")).collect::<String>()).len(), MOST);
    }
}
