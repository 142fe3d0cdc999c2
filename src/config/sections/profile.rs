//! Section `profiles`: the kinds of file that may be dropped beside flat files and sources, one table per profile.
//! It must not know how a file is read or applied.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::locale::Locale;
use super::mail::TellTeachers;
use super::source::{CohortKey, MailWhen};
use super::waiting::Waiting;
use crate::config::choice::choice;
use crate::config::sections::{CourseKey, UserKey};

choice! {
    /// What the rows of a file say.
    FileKind {
        /// Enrolments: a flat file.
        FlatFile = "flatfile",
        /// Accounts, with their cohorts and courses (spec files 4).
        Users = "users",
        /// New cohorts (spec files 3.2).
        Cohorts = "cohorts",
        /// Cohorts and their members by commands (spec files 3.1).
        CohortMembers = "cohort-members",
        /// Participants of one course, with their groups (spec files 5.1).
        CourseList = "course-list",
        /// Participants of one course, as addresses in sections of groups (spec files 5.2).
        CourseText = "course-text",
        /// Enrolment methods of many courses (spec files 6.1 and 6.2).
        Methods = "methods",
        /// The enrolment columns of Moodle's course upload (spec files 6.3).
        CourseMethods = "course-methods",
        /// Groups of courses (spec files 7.1, 7.2).
        Groups = "groups",
        /// Groupings of courses (spec files 7.2).
        Groupings = "groupings",
        /// Members of groups (spec files 7.3).
        GroupMembers = "group-members",
        /// Orders about one person in one course each: tool_sync's enrolment file (spec files 2.3).
        Enrolments = "enrolments",
        /// Automatic enrolments that become manual ones.
        Convert = "convert",
        /// Enrolments that get a later end.
        Renew = "renew",
    }
}

choice! {
    /// What becomes of somebody whose enrolments in the course are all suspended or ended.
    Reactivate {
        /// Nothing: the line is reported.
        No = "no",
        /// The manual enrolment becomes active, or is added.
        Manual = "manual",
    }
}

choice! {
    /// By what a file names a group or a grouping.
    FileGroupKey {
        /// `groups.name`
        Name = "name",
        /// `groups.idnumber`
        Idnumber = "idnumber",
        /// `groups.id`
        Id = "id",
    }
}

choice! {
    /// The methods whose enrolments people make.
    ByHand {
        /// By a teacher.
        Manual = "manual",
        /// By the users themselves.
        SelfEnrolment = "self",
    }
}

choice! {
    /// What becomes of a file that comes through the drop directory.
    ProfileMode {
        /// It is applied.
        Apply = "apply",
        /// It is held until an operator approves it.
        Approve = "approve",
        /// It is simulated only.
        Simulate = "simulate",
    }
}

choice! {
    /// Which rows of a users file make or change accounts: Moodle's operation types 0 to 3.
    Operation {
        /// New accounts are created, existing ones skipped.
        Add = "add",
        /// Every row creates an account; a number is added to a user name that is taken.
        AddAll = "add-all",
        /// New accounts are created, existing ones updated.
        AddUpdate = "add-update",
        /// Existing accounts are updated, the other rows skipped.
        Update = "update",
    }
}

choice! {
    /// What an update writes: Moodle's update types 0 to 3.
    Update {
        /// Nothing of the account itself.
        None = "none",
        /// The values of the file.
        File = "file",
        /// The values of the file, and the defaults of the profile.
        FileAndDefaults = "file-and-defaults",
        /// Only fields that are empty.
        Missing = "missing",
    }
}

choice! {
    /// By what a row finds its account.
    MatchBy {
        /// `user.username`
        Username = "username",
        /// `user.email`
        Email = "email",
    }
}

choice! {
    /// Where the password of a new account comes from.
    PasswordFrom {
        /// The file must give it.
        File = "file",
        /// The file may give it; without one it is generated.
        Create = "create",
    }
}

choice! {
    /// Whose password must be changed at the next login.
    ForceChange {
        /// Nobody's.
        None = "none",
        /// Those that do not satisfy the site's policy.
        Weak = "weak",
        /// Everybody's whose password the file gives.
        All = "all",
    }
}

choice! {
    /// What an empty cell does to an existing value.
    BlankCell {
        /// The value stays.
        Keep = "keep",
        /// The value becomes empty.
        Erase = "erase",
    }
}

choice! {
    /// Who mails a generated password.
    PasswordMail {
        /// Moodle's own task, which also generates it.
        Moodle = "moodle",
        /// enrold's outbox.
        Enrold = "enrold",
        /// Nobody.
        None = "none",
    }
}

/// How one kind of file is read and applied.
///
/// An option that is `None` was not named: what came through the drop directory may not do it then, and a file that an
/// operator imports follows Moodle's default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Whether dropped files of this profile are taken.
    pub enabled: bool,
    /// What the rows say.
    pub kind: FileKind,
    /// Names of files in the drop directory, with `*` and `?`.
    pub files: Vec<String>,
    /// What becomes of a dropped file.
    pub mode: ProfileMode,
    /// Language of the reports; `None`: that of the site.
    #[serde(default)]
    pub locale: Option<Locale>,
    /// Who gets the report by mail.
    pub mail_to: Vec<String>,
    /// When the report is mailed.
    pub mail_when: MailWhen,
    /// Whether the editing teachers of a course get a summary.
    #[serde(default)]
    pub tell_teachers: TellTeachers,
    /// Further names of columns: the name in the header, and the known name; in users files `-` for a column that is
    /// not read, and `*` for all others.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,

    /// Which rows make or change accounts.
    pub operation: Operation,
    /// What an update writes.
    pub update: Update,
    /// By what a row finds its account.
    #[serde(rename = "match")]
    pub match_by: MatchBy,
    /// What an empty cell does to an existing value.
    pub blank: BlankCell,
    /// Whether user names become lower-case and lose what Moodle does not allow.
    pub standardise: bool,
    /// Whether `oldusername` renames.
    #[serde(default)]
    pub rename: Option<bool>,
    /// Whether `deleted` deletes accounts, and rows delete groups or methods.
    #[serde(default)]
    pub delete: Option<bool>,
    /// Whether `suspended` suspends existing accounts.
    #[serde(default)]
    pub suspend: Option<bool>,
    /// Whether a row may change the e-mail of an account that exists.
    #[serde(default)]
    pub change_email: Option<bool>,
    /// Whether a row may change the `auth` of an account that exists.
    #[serde(default)]
    pub change_auth: Option<bool>,
    /// Whether the file may give passwords to new accounts.
    #[serde(default)]
    pub give_password: Option<bool>,
    /// Whether the file may change the password of an account that exists.
    pub password_update: bool,
    /// Where the password of a new account comes from.
    pub password: PasswordFrom,
    /// Whose password must be changed at the next login.
    pub force_change: ForceChange,
    /// Whether two accounts may have one e-mail, if the site allows it too.
    pub email_duplicates: bool,
    /// Whether `sysroleN` is followed.
    #[serde(default)]
    pub system_roles: Option<bool>,
    /// Whether `categoryroleN` is followed.
    #[serde(default)]
    pub category_roles: Option<bool>,
    /// Values for columns that the file does not have, by column; `%u`, `%f` and `%l` are replaced (spec files 4.1).
    #[serde(default)]
    pub default: BTreeMap<String, String>,

    /// The context of new cohorts that name none: a `context.id`; 0 for the system.
    pub context_id: i64,
    /// By what a row of a cohort file names a user.
    pub user_key: UserKey,
    /// By what a row of a cohort file names a cohort: `idnumber`, `name` or `id`.
    pub cohort_key: CohortKey,
    /// Whether unknown cohorts are made.
    pub create_cohorts: bool,
    /// How many days a row of a cohort file waits for its user; `None`: as `waiting.days` says.
    #[serde(default)]
    pub waiting_days: Option<u32>,
    /// Whether rows that wait are expected; `None`: as `waiting.expected` says.
    #[serde(default)]
    pub waiting_expected: Option<bool>,

    /// The only course of a file, by its key; empty: the file's name or its rows say it.
    #[serde(default)]
    pub course: String,
    /// By what a course is named.
    #[serde(default = "course_key")]
    pub course_key: CourseKey,
    /// The short name of the role that rows give which name none; `none` for no enrolment.
    #[serde(default)]
    pub role: String,
    /// Which groups people join: `file`, `none`, or the name of one group.
    #[serde(default)]
    pub groups: String,
    /// Whether groups are made that a course lacks.
    #[serde(default)]
    pub create_groups: bool,
    /// What becomes of somebody whose enrolments in the course are all suspended or ended.
    #[serde(default = "reactivate")]
    pub reactivate: Reactivate,
    /// The method that enrols: `manual` or `self`.
    #[serde(default = "method")]
    pub method: ByHand,
    /// Whether rows take people out of courses and groups.
    #[serde(default)]
    pub unenrol: Option<bool>,
    /// Whether rows enable methods by which anybody comes in.
    #[serde(default)]
    pub open_courses: Option<bool>,
    /// By what a row names an existing group or grouping.
    #[serde(default = "group_key")]
    pub group_key: FileGroupKey,
    /// Whether groups are removed that the file has emptied and that nothing uses.
    #[serde(default)]
    pub purge_groups: bool,
}

fn group_key() -> FileGroupKey {
    FileGroupKey::Name
}

fn method() -> ByHand {
    ByHand::Manual
}

/// That of plans that were held before there was a choice.
fn course_key() -> CourseKey {
    CourseKey::Shortname
}

fn reactivate() -> Reactivate {
    Reactivate::No
}

impl Profile {
    /// What waits of the files of this profile, and for how long.
    pub fn waiting(&self, general: &Waiting) -> Waiting {
        general.but(self.waiting_days, self.waiting_expected)
    }
}

/// Section `accounts`: what concerns every users file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Who mails a generated password.
    pub password_mail: PasswordMail,
    /// Authentication methods whose accounts get no password, and no field that the directory locks.
    pub foreign_auth: Vec<String>,
    /// User names of accounts that no users file changes.
    pub protected: Vec<String>,
    /// A file with the peppers of Moodle's `config.php` (`$CFG->passwordpeppers`), one a line, the newest first.
    #[serde(deserialize_with = "super::smtp::optional")]
    pub pepper_file: Option<PathBuf>,
}

impl Accounts {
    /// The peppers, the newest first. The file is read at each call, so that a new pepper is used.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn peppers(&self) -> std::io::Result<Vec<SecretString>> {
        let Some(path) = &self.pepper_file else { return Ok(Vec::new()) };
        let text = SecretString::from(std::fs::read_to_string(path)?);
        Ok(text.expose_secret().lines().filter(|line| !line.is_empty()).map(Into::into).collect())
    }

    /// Who mails generated passwords: Moodle, where enrold cannot because its mails are off.
    pub fn mails_passwords(&self, smtp_enabled: bool) -> PasswordMail {
        match self.password_mail {
            PasswordMail::Enrold if !smtp_enabled => PasswordMail::Moodle,
            by => by,
        }
    }
}

impl Operation {
    /// Whether accounts that exist may be changed.
    pub fn updates(self) -> bool {
        matches!(self, Self::AddUpdate | Self::Update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peppers_stand_in_a_file_the_newest_first() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("peppers");
        std::fs::write(&path, "new;pepper \r\n\nold\n").unwrap();
        let accounts = |pepper_file| Accounts {
            password_mail: PasswordMail::Enrold,
            foreign_auth: Vec::new(),
            protected: Vec::new(),
            pepper_file,
        };
        let told = accounts(Some(path)).peppers().unwrap();
        assert_eq!(told.iter().map(|pepper| pepper.expose_secret()).collect::<Vec<_>>(), ["new;pepper ", "old"]);
        assert!(accounts(None).peppers().unwrap().is_empty());
        accounts(Some(place.path().join("none"))).peppers().unwrap_err();
        assert_eq!(accounts(None).mails_passwords(true), PasswordMail::Enrold);
        assert_eq!(accounts(None).mails_passwords(false), PasswordMail::Moodle);
    }
}
