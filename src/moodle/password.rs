//! Facts about passwords in Moodle: the forms of a hash by version, the words that stand for none, and the site's
//! policy. It must not hash anything.

use std::ops::RangeInclusive;

use crate::moodle::site::Site;

/// `user.password` of an account whose password Moodle's task generates and mails.
pub const TO_BE_GENERATED: &str = "to be generated";
/// `user.password` of an account whose password another system checks.
pub const NOT_CACHED: &str = "not cached";

/// The preference by which Moodle's task finds the accounts whose password it generates and mails.
pub const CREATE_PASSWORD: &str = "create_password";
/// The preference that makes an account change its password at the next login.
pub const FORCE_CHANGE: &str = "auth_forcepasswordchange";

/// The longest password in bytes, without the pepper.
pub const LONGEST: usize = 128;

/// Moodle 4.3, the first version with SHA-512 crypt.
const WITH_SHA512: i64 = 2023100900;

/// How a version of Moodle hashes the passwords of a bulk upload, which it calls fast: it hashes each again, slower, at
/// its first login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `$6$rounds=5000$`, from Moodle 4.3 on.
    Sha512 {
        /// Rounds of SHA-512.
        rounds: u32,
    },
    /// `$2y$04$`, before.
    Bcrypt {
        /// The logarithm of the number of rounds.
        cost: u32,
    },
}

impl Scheme {
    /// The scheme of a bulk upload on this site. A site of unknown version is taken for a new one.
    pub fn of(site: &Site) -> Self {
        match site.version() {
            1..WITH_SHA512 => Self::Bcrypt { cost: 4 },
            _ => Self::Sha512 { rounds: 5_000 },
        }
    }
}

/// The site's password policy. A number of 0 or less demands nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Whether the site has a policy at all.
    pub enabled: bool,
    /// The least number of characters.
    pub length: i64,
    /// The least number of digits.
    pub digits: i64,
    /// The least number of lower-case letters.
    pub lower: i64,
    /// The least number of upper-case letters.
    pub upper: i64,
    /// The least number of characters that are neither letters with a case nor digits.
    pub others: i64,
    /// The most identical characters in a row.
    pub in_a_row: i64,
}

/// The characters of a class, as [`PasswordPolicy`] counts them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Lower,
    Upper,
    Other,
}

impl Class {
    fn of(letter: char) -> Self {
        match letter {
            '0'..='9' => Self::Digit,
            _ if letter.is_lowercase() => Self::Lower,
            _ if letter.is_uppercase() => Self::Upper,
            _ => Self::Other,
        }
    }
}

impl PasswordPolicy {
    /// The policy in the site's settings, with Moodle's defaults for those that have no row.
    pub fn of(site: &Site) -> Self {
        Self {
            enabled: site.number("passwordpolicy", 1) != 0,
            length: site.number("minpasswordlength", 8),
            digits: site.number("minpassworddigits", 1),
            lower: site.number("minpasswordlower", 1),
            upper: site.number("minpasswordupper", 1),
            others: site.number("minpasswordnonalphanum", 1),
            in_a_row: site.number("maxconsecutiveidentchars", 0),
        }
    }

    /// Whether the policy admits a password. Without a policy it admits every one.
    pub fn admits(&self, password: &str) -> bool {
        let count = |class| password.chars().filter(|letter| Class::of(*letter) == class).count() as i64;
        !self.enabled
            || (password.chars().count() as i64 >= self.length
                && count(Class::Digit) >= self.digits
                && count(Class::Lower) >= self.lower
                && count(Class::Upper) >= self.upper
                && count(Class::Other) >= self.others
                && (self.in_a_row < 1 || longest_row(password) <= self.in_a_row))
    }

    /// How many characters of each class a generated password has at least: lower-case letters, upper-case letters,
    /// digits, others; and its length, which is within `lengths` unless the policy demands more.
    pub fn demands(&self, lengths: RangeInclusive<usize>) -> ([usize; 4], usize) {
        let most = *lengths.end();
        let least = |demanded: i64| if self.enabled { demanded.clamp(1, most as i64) as usize } else { 1 };
        let classes = [self.lower, self.upper, self.digits, self.others].map(least);
        let length = least(self.length).max(*lengths.start()).max(classes.iter().sum());
        (classes, length)
    }
}

/// The length of the longest row of one character.
fn longest_row(password: &str) -> i64 {
    let (mut longest, mut row, mut before) = (0, 0, None);
    for letter in password.chars() {
        row = if before == Some(letter) { row + 1 } else { 1 };
        longest = longest.max(row);
        before = Some(letter);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOODLES: PasswordPolicy =
        PasswordPolicy { enabled: true, length: 8, digits: 1, lower: 1, upper: 1, others: 1, in_a_row: 0 };

    #[test]
    fn each_demand_of_the_policy_counts() {
        assert!(MOODLES.admits("Generique-2026"));
        for weak in ["bienvenue", "Gen-202", "Generique-x", "generique-2026", "GENERIQUE-2026", "Generique2026", ""] {
            assert!(!MOODLES.admits(weak), "{weak}");
            assert!(PasswordPolicy { enabled: false, ..MOODLES }.admits(weak));
        }
        // Letters with accents have a case, and a length in characters.
        assert!(MOODLES.admits("élÉ-2026") && !MOODLES.admits("éÉ-2026"));
        let few = PasswordPolicy { in_a_row: 2, ..MOODLES };
        assert!(few.admits("Generique-2266") && !few.admits("Generique-2666"));
        assert!(PasswordPolicy { in_a_row: 0, ..MOODLES }.admits("Generique-66666"));
        assert!(PasswordPolicy { digits: -3, ..MOODLES }.admits("Generique-x"));
    }

    #[test]
    fn a_policy_that_nothing_satisfies_has_bounded_demands() {
        let greedy = PasswordPolicy { length: i64::MAX, digits: i64::MAX, ..MOODLES };
        assert_eq!(greedy.demands(14..=64), ([1, 1, 64, 1], 67));
        assert_eq!(MOODLES.demands(14..=64), ([1, 1, 1, 1], 14));
        assert_eq!(PasswordPolicy { enabled: false, length: 40, ..MOODLES }.demands(14..=64), ([1, 1, 1, 1], 14));
    }
}
