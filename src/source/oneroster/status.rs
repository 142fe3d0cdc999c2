//! The columns `status` and `dateLastModified`: blank in a bulk file, filled in a delta (OneRoster CSV 1.2).
//! It must not know what the rest of a row says.

use chrono::{DateTime, NaiveDate, NaiveTime};

use crate::problem::{Code, Problem};

/// Whether the object of a row is to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desired {
    Present,
    Absent,
}

/// Reads the two columns, and warns once per file about a value that contradicts its mode but is clear.
pub(super) struct StatusRule {
    delta: bool,
    told: bool,
    /// The latest change that was read, Unix seconds; 0 before there is one.
    pub newest: i64,
}

impl StatusRule {
    /// The rule of a file that is sent in this mode.
    pub fn new(delta: bool) -> StatusRule {
        StatusRule { delta, told: false, newest: 0 }
    }

    /// Whether the row is to exist, and a warning about it; or why this cannot be decided.
    pub fn desired(&mut self, line: u64, status: &str, modified: &str) -> Result<(Desired, Option<Problem>), Problem> {
        let problem = |value: &str, expected: &str| Problem::new(line, Code::StatusUnusable, value, expected);
        let desired = match (self.delta, status) {
            (false, "" | "active") | (true, "active") => Desired::Present,
            (true, "tobedeleted") => Desired::Absent,
            (true, other) => return Err(problem(other, "active or tobedeleted in a delta")),
            (false, other) => return Err(problem(other, "nothing in a bulk file")),
        };
        let moment = if self.delta { moment(modified) } else { None };
        self.newest = self.newest.max(moment.unwrap_or_default());
        let warning = match self.delta {
            true if moment.is_none() => Some(problem(modified, "dateLastModified filled in a delta")),
            false if !status.is_empty() => Some(problem(status, "nothing in a bulk file")),
            false if !modified.is_empty() => Some(problem(modified, "no dateLastModified in a bulk file")),
            _ => None,
        };
        let warning = warning.filter(|_| !self.told);
        self.told |= warning.is_some();
        Ok((desired, warning))
    }
}

/// A time as the specification writes it (ISO 8601, with its zone), or a day, in Unix seconds.
fn moment(text: &str) -> Option<i64> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).or_else(|_| day()).ok()?;
    Some(moment.timestamp())
}
