//! Section `guard`: the limits above which a run is held.
//! It must not know how changes are counted.

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// What happens when a run is over a limit.
    GuardMode {
        /// The run is rolled back and waits for `approve` or `reject`.
        Hold = "hold",
        /// The run goes on, and its report names the exceeded limit.
        Warn = "warn",
        /// No limit is checked.
        Off = "off",
    }
}

/// Limits above which a run is held.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What happens when a limit is exceeded.
    pub mode: GuardMode,
    /// Failed lines in percent of the lines of the file (0 = no limit).
    pub failed_lines_percent: u32,
    /// A file with fewer failed lines than this is never held because of them.
    pub failed_lines_min: u32,
    /// Hold a file that is empty or has only a header.
    pub hold_empty: bool,
    /// Never remove or suspend a site administrator.
    pub protect_admins: bool,
    /// The whole run.
    pub run: Limits,
    /// Each course (later: each cohort) by itself.
    pub course: Limits,
    /// Each enrolment method by itself.
    pub method: Limits,
    /// Accounts that a users file changes, and members that a cohort file removes.
    pub accounts: AccountLimits,
}

/// Limits on the accounts of a run and on members of cohorts; 0 is no limit. A `percent` applies only from `at_least`
/// changes of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLimits {
    /// Accounts created, by count.
    pub creations_max: u32,
    /// Accounts created, in percent of those of the site.
    pub creations_percent: u32,
    /// Accounts updated, by count.
    pub updates_max: u32,
    /// Accounts updated, in percent.
    pub updates_percent: u32,
    /// Accounts suspended, by count.
    pub suspensions_max: u32,
    /// Accounts suspended, in percent.
    pub suspensions_percent: u32,
    /// Accounts deleted, by count.
    pub deletions_max: u32,
    /// Accounts deleted, in percent.
    pub deletions_percent: u32,
    /// User names changed, by count.
    pub renames_max: u32,
    /// User names changed, in percent.
    pub renames_percent: u32,
    /// E-mail addresses changed, by count.
    pub emails_max: u32,
    /// E-mail addresses changed, in percent.
    pub emails_percent: u32,
    /// Members removed from cohorts, by count.
    pub member_removals_max: u32,
    /// Members removed from cohorts, in percent of those of the cohorts concerned.
    pub member_removals_percent: u32,
    /// Percent limits need this many changes of their kind.
    pub at_least: u32,
}

/// Limits on one scope of a run: the run, a course or a method. A limit of 0 is no limit.
///
/// A `max` is a count. A `percent` refers to the rows in the scope before the run; it applies only from `at_least`
/// changes of its kind, and only in a scope with more than `min_members` members.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Enrolments removed, by count.
    pub removals_max: u32,
    /// Enrolments removed, in percent.
    pub removals_percent: u32,
    /// Enrolments suspended, by count.
    pub suspensions_max: u32,
    /// Enrolments suspended, in percent.
    pub suspensions_percent: u32,
    /// Enrolments created, by count.
    pub creations_max: u32,
    /// Enrolments created, in percent.
    pub creations_percent: u32,
    /// Percent limits need this many changes of their kind; a key of `run` and `method`, 0 for `course`.
    #[serde(default)]
    pub at_least: u32,
    /// Percent limits need more members than this; a key of `course`, 0 for `run` and `method`.
    #[serde(default)]
    pub min_members: u32,
}

/// Limits of one task: each that is set replaces the general one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnLimits {
    /// In place of [`Limits::removals_max`].
    pub removals_max: Option<u32>,
    /// In place of [`Limits::removals_percent`].
    pub removals_percent: Option<u32>,
    /// In place of [`Limits::suspensions_max`].
    pub suspensions_max: Option<u32>,
    /// In place of [`Limits::suspensions_percent`].
    pub suspensions_percent: Option<u32>,
    /// In place of [`Limits::creations_max`].
    pub creations_max: Option<u32>,
    /// In place of [`Limits::creations_percent`].
    pub creations_percent: Option<u32>,
    /// In place of [`Limits::at_least`].
    pub at_least: Option<u32>,
}

impl OwnLimits {
    /// The general limits, with these in place of those that they replace.
    pub fn over(&self, general: &Limits) -> Limits {
        Limits {
            removals_max: self.removals_max.unwrap_or(general.removals_max),
            removals_percent: self.removals_percent.unwrap_or(general.removals_percent),
            suspensions_max: self.suspensions_max.unwrap_or(general.suspensions_max),
            suspensions_percent: self.suspensions_percent.unwrap_or(general.suspensions_percent),
            creations_max: self.creations_max.unwrap_or(general.creations_max),
            creations_percent: self.creations_percent.unwrap_or(general.creations_percent),
            at_least: self.at_least.unwrap_or(general.at_least),
            min_members: general.min_members,
        }
    }
}
