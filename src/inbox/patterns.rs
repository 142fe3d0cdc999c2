//! The patterns of `sources.NAME.files`: which names they match, and whether they can match any.
//! It must not read the drop directory.

use std::ffi::OsStr;

use super::names::{self, Sort};

/// A name that matches the pattern.
fn example(pattern: &str) -> String {
    pattern.replace(['*', '?'], "x")
}

/// Whether a file could match both.
pub fn overlap(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Whether the rest of `one` from the current letter on and that of `other` from each letter on have a name in
    // common.
    let mut next = vec![false; other.len() + 1];
    for at in (0..=one.len()).rev() {
        let mut here = vec![false; other.len() + 1];
        for of in (0..=other.len()).rev() {
            here[of] = match (one.get(at), other.get(of)) {
                (None, None) => true,
                (Some('*'), letter) => next[of] || (letter.is_some() && here[of + 1]),
                (letter, Some('*')) => here[of + 1] || (letter.is_some() && next[of]),
                (Some(a), Some(b)) => (a == b || *a == '?' || *b == '?') && next[of + 1],
                _ => false,
            };
        }
        next = here;
    }
    next[0]
}

/// Whether a file in the drop directory can have a name that matches this pattern and be input.
pub fn is_of_input(pattern: &str) -> bool {
    !pattern.contains('/') && names::sort(OsStr::new(&example(pattern))) == Sort::Input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::names::matches;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("night-*.csv", "night-20261122.csv", true),
            ("night-*.csv", "night-.csv", true),
            ("night-*.csv", "night-1.csv.gz", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("n?ght", "nïght", true),
            ("n?ght", "nght", false),
            ("*", "", true),
            ("", "x", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_two_patterns_share_and_what_is_never_input() {
        assert!(overlap("night-*.csv", "*.csv") && overlap("*.csv", "night-*.csv"));
        assert!(!overlap("night-*.csv", "day-*.csv"));
        for (one, other, expected) in [
            ("night*.csv", "*-2.csv", true),
            ("a*b*c", "*x*", true),
            ("a?c", "ab*", true),
            ("a?c", "ab", false),
            ("*", "", true),
            ("a*", "*b", true),
            ("a*.csv", "a*.txt", false),
            ("é?", "éa", true),
        ] {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
        for (pattern, expected) in [
            ("night-*.csv", true),
            ("*", true),
            ("*.ok", false),
            (".night.csv", false),
            ("_*.csv", false),
            ("in/night.csv", false),
            ("*.done", false),
        ] {
            assert_eq!(is_of_input(pattern), expected, "{pattern}");
        }
    }
}
