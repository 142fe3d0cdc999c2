//! Section `expirations`: what may override Moodle's settings of expirations, and from when inactivity counts.
//! It must not know tables.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::choice::choice;

choice! {
    /// From when the inactivity of a user counts, where an instance of `self` or `autoenrol` unenrols the inactive.
    InactiveSince {
        /// From the last login, or the last look at the course; of who never logged in, from the start of the
        /// enrolment.
        Login = "login",
        /// The same, but never from before the start of the enrolment.
        Enrolment = "enrolment",
        /// As in Moodle: who never logged in counts as inactive since 1970.
        Moodle = "moodle",
    }
}

choice! {
    /// What becomes of an enrolment with an elapsed `timeend`.
    ExpiredAction {
        /// The enrolment and what hangs on it are removed.
        Unenrol = "unenrol",
        /// Nothing happens.
        Keep = "keep",
        /// The enrolment is suspended.
        Suspend = "suspend",
        /// The enrolment is suspended and its roles are removed.
        SuspendNoRoles = "suspendnoroles",
    }
}

/// How enrolments of all methods expire; the flat file's own are under [`crate::config::FlatFile::expiredaction`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expirations {
    /// From when inactivity counts.
    pub inactive_since: InactiveSince,
    /// By method; without an entry Moodle's `enrol_METHOD/expiredaction` decides.
    #[serde(default)]
    pub expiredaction: BTreeMap<String, ExpiredAction>,
}
