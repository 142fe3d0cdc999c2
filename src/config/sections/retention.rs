//! Section `retention`: how long applied files, reports and runs without a change are kept.
//! It must not know where they are stored; a file that was not applied is never removed by age.

use serde::Deserialize;

/// Ages in days; 0 means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Applied files: `.done` files in the drop directory, and the files in `inbox.archive`.
    pub archives_days: u32,
    /// Reports, error lists and retry files beside them, the stored copies of decided runs, and waiting lines that have
    /// ended.
    pub reports_days: u32,
    /// Rows of the history for task runs without changes and without anything to report.
    pub quiet_runs_days: u32,
}
