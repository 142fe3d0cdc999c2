//! The participants of a course as plain data: people, each with all enrolments, roles and groups there. It must not
//! read or format anything.

use serde::Serialize;

/// Whether an enrolment gives access now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrolmentStatus {
    /// It does.
    Active,
    /// It begins later, or has ended.
    NotCurrent,
    /// It is suspended.
    Suspended,
    /// Its method is disabled in the course.
    MethodDisabled,
}

impl EnrolmentStatus {
    /// All, the strongest first.
    pub const ALL: [Self; 4] = [Self::Active, Self::NotCurrent, Self::Suspended, Self::MethodDisabled];

    /// Its name in documents and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NotCurrent => "not-current",
            Self::Suspended => "suspended",
            Self::MethodDisabled => "method-disabled",
        }
    }
}

/// An enrolment of a participant. Times are Unix seconds; `None` for no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enrolment {
    /// The method: `enrol.enrol`.
    pub method: String,
    /// `enrol.id`
    pub instance: i64,
    /// Whether it gives access now.
    pub status: EnrolmentStatus,
    /// When it begins.
    pub timestart: Option<i64>,
    /// When it ends.
    pub timeend: Option<i64>,
    /// When it was made.
    pub timecreated: i64,
}

/// A role in the course.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RoleHeld {
    /// Its short name.
    pub shortname: String,
    /// The name that the course or the site gives it, or an empty text.
    pub name: String,
}

/// A participant of a course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// `user.id`
    pub userid: i64,
    /// The last name.
    pub lastname: String,
    /// The first name.
    pub firstname: String,
    /// The user name.
    pub username: String,
    /// The idnumber, or an empty text.
    pub idnumber: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the account is suspended on the whole site.
    pub account_suspended: bool,
    /// The roles in the course, in the order of the site.
    pub roles: Vec<RoleHeld>,
    /// The names of the groups.
    pub groups: Vec<String>,
    /// The last access to the course, in Unix seconds; `None` for never.
    pub last_access: Option<i64>,
    /// The enrolments, in the order of the methods of the course.
    pub enrolments: Vec<Enrolment>,
}

impl Participant {
    /// The strongest status of the enrolments.
    pub fn status(&self) -> EnrolmentStatus {
        self.enrolments.iter().map(|enrolment| enrolment.status).min().unwrap_or(EnrolmentStatus::Suspended)
    }
}
