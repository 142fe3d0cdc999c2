//! The report of a run as one JSON document, for programs.
//! It must not know where it is written.

use crate::config::Locale;
use crate::outcome::Report;

/// The report as JSON; each problem has its sentence.
pub fn document(report: &Report, locale: Locale) -> serde_json::Value {
    let mut document = match serde_json::to_value(report) {
        Ok(document) => document,
        Err(error) => serde_json::json!({ "message": error.to_string() }),
    };
    for (at, problem) in report.problems.iter().enumerate() {
        document["problems"][at]["message"] = problem.text(locale).into();
    }
    document
}
