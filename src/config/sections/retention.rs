//! Section `retention`: how long applied files, reports and runs without a change are kept.
//! It must not know where they lie; a file that was not applied is never removed by age.

use serde::Deserialize;

/// Ages in days; 0 keeps for ever.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Applied files: `.done` in the drop directory, and what lies in `inbox.archive`.
    pub archives_days: u32,
    /// Reports, lists of errors and retry files beside them, and the kept copies of decided runs.
    pub reports_days: u32,
    /// Rows of the history for runs of tasks that changed nothing and have nothing to say.
    pub quiet_runs_days: u32,
}
