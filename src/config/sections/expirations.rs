//! Section `expirations`: overrides of Moodle's expiration settings, and the start of a user's inactivity.
//! It must not know tables.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// The start of a user's inactivity, where an instance of `self` or `autoenrol` unenrols inactive users.
    InactiveSince {
        /// The last login or the last access to the course; for a user who never logged in, the start of the enrolment.
        Login = "login",
        /// As `Login`, but never before the start of the enrolment.
        Enrolment = "enrolment",
        /// As in Moodle: a user who never logged in counts as inactive since 1970.
        Moodle = "moodle",
    }
}

choice! {
    /// What happens to an enrolment with an elapsed `timeend`.
    ExpiredAction {
        /// The enrolment and its dependent rows are removed.
        Unenrol = "unenrol",
        /// Nothing happens.
        Keep = "keep",
        /// The enrolment is suspended.
        Suspend = "suspend",
        /// The enrolment is suspended and its roles are removed.
        SuspendNoRoles = "suspendnoroles",
    }
}

/// How enrolments of all methods expire; the flat file has its own [`crate::config::FlatFile::expiredaction`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expirations {
    /// When inactivity starts.
    pub inactive_since: InactiveSince,
    /// By method; a method without an entry uses Moodle's `enrol_METHOD/expiredaction`.
    #[serde(default)]
    pub expiredaction: BTreeMap<String, ExpiredAction>,
}
