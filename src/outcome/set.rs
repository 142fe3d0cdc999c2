//! The outcome of a full set, place by place, as data for the terminal, JSON and the history. It must not count
//! anything, nor format anything for users.

use serde::{Deserialize, Serialize};

use crate::outcome::State;

/// The kind of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// A course.
    Course,
    /// A cohort.
    Cohort,
    /// No place: the accounts themselves.
    Accounts,
}

/// Counts of the source's enrolments or memberships, and of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Added.
    pub added: i64,
    /// Active again.
    pub reactivated: i64,
    /// With other dates.
    pub changed: i64,
    /// Suspended.
    pub suspended: i64,
    /// Removed.
    pub removed: i64,
    /// Already as in the set.
    pub unchanged: i64,
    /// Rows that name this place, and an account or a role that could not be found.
    pub unknown: i64,
    /// Not named by the set, and kept because a row that failed may mean them.
    #[serde(default)]
    pub kept: i64,
}

impl Figures {
    /// True if anything is added, removed or changed.
    pub fn change(&self) -> bool {
        self.added + self.reactivated + self.changed + self.suspended + self.removed > 0
    }

    /// How many lose access.
    pub fn lost(&self) -> i64 {
        self.removed + self.suspended
    }

    pub fn add(&mut self, other: &Self) {
        self.added += other.added;
        self.reactivated += other.reactivated;
        self.changed += other.changed;
        self.suspended += other.suspended;
        self.removed += other.removed;
        self.unchanged += other.unchanged;
        self.unknown += other.unknown;
        self.kept += other.kept;
    }
}

/// One course or cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPlace {
    /// Course or cohort.
    pub kind: PlaceKind,
    /// The course's short name; the cohort's idnumber, or its name where it has none.
    pub name: String,
    /// Its counts.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A role value of the set that matches no role of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleValue {
    /// The text in the rows.
    pub value: String,
    /// How many rows have it.
    pub rows: u64,
    /// Short name of the role that was assigned instead.
    pub role: String,
}

/// The outcome of a full set; for a held or simulated run, what it would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReport {
    /// The source.
    pub source: String,
    /// Rows of the set.
    pub rows: i64,
    /// Rows of the last good set, if there was one.
    pub last_rows: Option<i64>,
    /// Rows that failed, most of them because their keys match nothing or several.
    pub unknown: i64,
    /// The set was refused before anything was planned: the figures come from a comparison only.
    pub foreseen: bool,
    /// All places together; `unknown` counts the rows with a known place only.
    pub totals: Figures,
    /// The places: those that lose most first, then those that change, each by name.
    pub places: Vec<SetPlace>,
    /// Places that are not kept in the history.
    pub more_places: usize,
    /// The first role values that match no role of the site, and for which the source's default role was assigned.
    #[serde(default)]
    pub default_roles: Vec<RoleValue>,
    /// Rows with further values of that kind.
    #[serde(default)]
    pub more_default_roles: u64,
    /// Users who lost their last enrolment in a course.
    pub last_enrolments: i64,
    /// Grades moved to history.
    pub grades: i64,
    /// The earlier runs of this source, the newest first.
    pub trend: Vec<Point>,
    /// The base that an archive leaves for the next delta.
    #[serde(default, rename = "roster", skip_serializing_if = "Option::is_none")]
    pub oneroster_base: Option<OneRosterBase>,
}

/// Places kept in the history.
const KEPT: usize = 500;

impl SetReport {
    /// The report with as many places as the history keeps.
    pub fn kept(&self) -> Self {
        let mut kept = self.clone();
        kept.places.truncate(KEPT);
        kept.more_places += self.places.len() - kept.places.len();
        kept
    }
}

/// One run of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Its number.
    pub run: i64,
    /// Its clock in Unix seconds.
    pub clock: i64,
    /// Rows of its set.
    pub rows: i64,
    /// Enrolments or memberships added, or planned to be added.
    pub added: i64,
    /// The same removed.
    pub removed: i64,
    /// Rows that failed.
    pub failed: i64,
    /// How it ended.
    pub state: State,
}

impl Point {
    /// True if its set was applied.
    pub fn is_good(&self) -> bool {
        matches!(self.state, State::Done | State::DoneWithErrors | State::Approved)
    }
}

/// The median; `None` if there are no numbers.
pub fn median(mut numbers: Vec<i64>) -> Option<i64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// The base that a run has written, as its history stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneRosterBase {
    /// SHA-256 of the base after the archive.
    pub sha256: String,
    /// The archive was a delta.
    pub delta: bool,
    /// The digest of the base that a delta was merged into; empty for a bulk set.
    pub on: String,
    /// The latest change in a delta so far, Unix seconds; 0 without any.
    pub newest: i64,
}

/// Why a feed is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// No good set ever.
    Never,
    /// No good set for so many seconds.
    Silent(i64),
    /// No good set by this moment, Unix seconds.
    Late(i64),
    /// The same bytes for so many days.
    Same(i64),
}

impl Stale {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Silent(_) => "silent",
            Self::Late(_) => "late",
            Self::Same(_) => "same",
        }
    }
}
