//! Section `coursecompleted`: delays and groups that enrold adds to the method's own instances.
//! It must not know completions or tables; what an instance sets in Moodle is not repeated here.

use std::time::Duration;

use serde::Deserialize;

use super::seconds;
use crate::config::forms;

/// Delays and groups of enrolments that follow a completed course.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseCompleted {
    /// How long after a completion the enrolment begins; zero: when a run finds the completion.
    #[serde(deserialize_with = "seconds")]
    pub delay: Duration,
    /// Delays of single pairs of courses, without duplicate pairs.
    pub delays: Vec<CourseDelay>,
    /// Create the groups that the target lacks, where an instance copies memberships from the source.
    pub create_groups: bool,
}

/// The delay between one source and one target: `SOURCE -> TARGET = 30d`, by short names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CourseDelay {
    /// Short name of the course that is completed.
    pub source: String,
    /// Short name of the course that follows.
    pub target: String,
    /// Seconds between the two.
    pub seconds: i64,
}

impl CourseDelay {
    const ARROW: &'static str = " -> ";

    /// Reads one pair. The last `=` separates the delay, so that a short name may contain one.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, String> {
        let form = || "expected \"SOURCE -> TARGET = 30d\", with the short names of two courses".to_owned();
        let (pair, delay) = text.rsplit_once('=').ok_or_else(form)?;
        let (source, target) = pair.split_once(Self::ARROW).ok_or_else(form)?;
        if target.contains(Self::ARROW) {
            return Err("it holds \" -> \" twice, so that nobody can tell the courses apart".to_owned());
        }
        let (source, target) = (source.trim(), target.trim());
        if source.is_empty() || target.is_empty() {
            return Err(form());
        }
        let seconds = forms::seconds_in(delay).ok_or_else(|| format!("expected behind the \"=\" {}", forms::SPAN))?;
        Ok(Self { source: source.to_owned(), target: target.to_owned(), seconds })
    }
}

impl TryFrom<String> for CourseDelay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}
