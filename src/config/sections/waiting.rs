//! Section `waiting`: lines that wait for an account or a course which does not exist yet.
//! It must not know where they are kept.

use serde::Deserialize;

use super::mail::TellTeachers;

/// What waits, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// How many days a line waits; 0: none waits.
    pub days: u32,
    /// How many lines wait at most.
    pub max: u32,
    /// Authentication methods whose accounts no waiting line finds by user name, e-mail or id: everybody may give
    /// himself such an account, with any name.
    pub not_auth: Vec<String>,
    /// Whether lines that wait count as failed for the guard only if no line of their file resolves.
    pub expected: bool,
    /// Addresses that get a summary each day; empty: none.
    pub mail_to: Vec<String>,
    /// Whether the editing teachers of a course get a summary when lines that waited are applied.
    pub tell_teachers: TellTeachers,
}

impl Waiting {
    /// These settings with the days and the expectation of a profile or source, where it has any.
    pub fn but(&self, days: Option<u32>, expected: Option<bool>) -> Self {
        Self { days: days.unwrap_or(self.days), expected: expected.unwrap_or(self.expected), ..self.clone() }
    }
}
