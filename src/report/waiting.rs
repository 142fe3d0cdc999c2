//! The parts of the hint of a line that waits: until when, the code that it would have, and that code's hint.
//! It must not know where the line is kept.

use chrono::DateTime;

use crate::problem::Code;

/// The day until which the line waits (UTC), its code and the hint of that code; `waiting-full` has no time.
pub(super) fn parts(hint: &str) -> (String, Code, &str) {
    let (first, rest) = hint.split_once(' ').unwrap_or((hint, ""));
    let (until, rest) = match first.parse::<i64>() {
        Ok(seconds) => (DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d").to_string(), rest),
        Err(_) => (String::new(), hint),
    };
    let (code, hint) = rest.split_once(' ').unwrap_or((rest, ""));
    (until, Code::parse(code).unwrap_or(Code::UserUnknown), hint)
}
