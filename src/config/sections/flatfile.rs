//! Section `flatfile`: how flat files are read, and overrides of Moodle's settings of its flat-file method.
//! It must not know bytes, lines or tables.

use serde::Deserialize;

use super::mail::TellTeachers;
use super::role_list::RoleList;
use crate::config::choice::choice;

choice! {
    /// Which enrolments a `del` line ends.
    DelScope {
        /// As in Moodle: every enrolment of the user in the course, of any method.
        Moodle = "moodle",
        /// Only enrolments of the flat-file method itself.
        Own = "own",
    }
}

choice! {
    /// What happens to a file while `flatfile` is not among Moodle's enabled enrolment methods.
    WhenDisabled {
        /// Nothing is applied, and the report contains it.
        Wait = "wait",
        /// The file is applied anyway.
        Apply = "apply",
    }
}

choice! {
    /// The encoding of a file that is not UTF-8 and has no byte-order mark.
    EncodingFallback {
        /// Windows-1252, the western European code page of Windows.
        Windows1252 = "windows-1252",
        /// ISO-8859-15, Latin-9.
        Iso8859_15 = "iso-8859-15",
    }
}

choice! {
    /// What a number below 100,000,000 is where a time is expected: as Unix seconds it is before March 1973.
    SmallTimes {
        /// An error of its line.
        Refuse = "refuse",
        /// A time.
        Accept = "accept",
    }
}

choice! {
    /// The column of `user` that names a user in a file.
    UserKey {
        /// `user.username`
        Username = "username",
        /// `user.idnumber`
        Idnumber = "idnumber",
        /// `user.email`
        Email = "email",
        /// `user.id`
        Id = "id",
    }
}

choice! {
    /// The column of `course` that names a course in a file.
    CourseKey {
        /// `course.shortname`
        Shortname = "shortname",
        /// `course.idnumber`
        Idnumber = "idnumber",
        /// `course.id`
        Id = "id",
    }
}

choice! {
    /// What a `del` line or an elapsed `timeend` does to an enrolment (Moodle's choices for `enrol_flatfile`).
    RemovalAction {
        /// The enrolment and its dependent rows are removed.
        Unenrol = "unenrol",
        /// Nothing happens.
        Keep = "keep",
        /// The enrolment is suspended and its roles are removed.
        SuspendNoRoles = "suspendnoroles",
    }
}

choice! {
    /// Whether one kind of the flat file's mails is sent.
    MailSwitch {
        /// As Moodle's own setting says.
        Moodle = "moodle",
        /// It is.
        Yes = "yes",
        /// It is not.
        No = "no",
    }
}

impl MailSwitch {
    /// True if the mail is sent; `moodle` is the value of Moodle's setting.
    pub fn is_on(self, moodle: Option<&str>) -> bool {
        match self {
            Self::Moodle => moodle.is_some_and(|value| value.trim() == "1"),
            Self::Yes => true,
            Self::No => false,
        }
    }
}

/// How flat files are read and applied.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlatFile {
    /// Which enrolments a `del` line ends.
    pub del_scope: DelScope,
    /// What happens while the method is disabled in Moodle.
    pub when_disabled: WhenDisabled,
    /// The encoding of files that are not UTF-8.
    pub encoding_fallback: EncodingFallback,
    /// Maximum of steps for one pair of user and course in one file; all lines of a pair with more are errors.
    pub max_steps: u32,
    /// Whether small numbers are times, in files and in full sets.
    pub small_times: SmallTimes,
    /// The roles that the lines of a dropped file may assign and remove.
    pub roles: RoleList,
    /// Whether new participants are welcomed.
    pub mail_students: MailSwitch,
    /// Whether the enroller of the course is told of each.
    pub mail_teachers: MailSwitch,
    /// Whether the main administrator gets the report of each run.
    pub mail_admins: MailSwitch,
    /// Whether the editing teachers of a course get a summary.
    pub tell_teachers: TellTeachers,
    /// Keys of the file form with a header line.
    pub header: FlatFileKeys,
    /// Keys of Moodle's own positional form.
    pub native: FlatFileKeys,
    /// What a `del` line does; `None`: Moodle's `enrol_flatfile/unenrolaction`.
    pub unenrolaction: Option<RemovalAction>,
    /// What an elapsed `timeend` does; `None`: Moodle's `enrol_flatfile/expiredaction`.
    pub expiredaction: Option<RemovalAction>,
}

/// The columns by which one form of the file names users and courses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlatFileKeys {
    /// The column of `user`.
    pub user_key: UserKey,
    /// The column of `course`.
    pub course_key: CourseKey,
}
