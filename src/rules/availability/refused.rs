//! Why a rule cannot be used.
//! It must not decide what happens then: the caller leaves the instance out.

/// What is wrong with a rule; the text gives the place (`condition 2.1` is the first part of the second) and the fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The text is no JSON at all.
    #[error("no valid JSON: {0}")]
    NotJson(String),
    /// The JSON is not built as a rule must be (spec availability 1).
    #[error("{at}: {what}")]
    Structure {
        /// Which part of the rule.
        at: String,
        /// What is wrong with it.
        what: String,
    },
    /// A condition that enrold does not support, or that means nothing for an enrolment.
    #[error("{at}: the condition {name:?} is not one that enrold knows")]
    UnknownCondition {
        /// Which part of the rule.
        at: String,
        /// The `type`.
        name: String,
    },
    /// A condition whose plugin the site has disabled; Moodle would skip it, which changes the rule.
    #[error("the condition {0:?} is disabled on this site")]
    DisabledCondition(String),
    /// A custom profile field that the site does not have, has twice, or keeps as a text area.
    #[error("the custom profile field {name:?} {why}")]
    CustomField {
        /// The short name in the rule.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A column of `user` that rules may not test, or that this site's table lacks.
    #[error("{0:?} is not a profile field of Moodle")]
    StandardField(String),
    /// More conditions than a statement can hold.
    #[error("more than {0} conditions")]
    TooLarge(usize),
}

impl Refused {
    pub(super) fn structure(at: &str, what: impl Into<String>) -> Self {
        Self::Structure { at: at.to_owned(), what: what.into() }
    }
}
