//! Section `sources`: where full sets come from and how they are applied, one table per source.
//! It must not know how a set is fetched or applied; keys that fall back to Moodle's own settings are `None` here.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use secrecy::SecretString;
use serde::Deserialize;

use super::expected_by::{self, ExpectedBy};
use super::role_list::{RoleList, RoleOf, SourceRoles};
use super::seconds;
use super::site::zone;
use super::source_limits::{Season, SetLimits};
use crate::config::choice::choice;
use crate::config::sections::{CatchUp, CourseKey, Schedule, UserKey};

choice! {
    /// What the rows of a set describe.
    Target {
        /// Enrolments of method `database`.
        Enrolments = "enrolments",
        /// Memberships of cohorts.
        Cohorts = "cohorts",
    }
}

choice! {
    /// The format of a source's files.
    SetFormat {
        /// CSV with a header line.
        Csv = "csv",
        /// A zip of OneRoster CSV files.
        OneRoster = "oneroster",
    }
}

choice! {
    /// What happens to the enrolments of a user that a OneRoster export marks as not enabled.
    DisabledUsers {
        /// They are suspended; cohort memberships stay.
        Suspend = "suspend",
        /// They are left out of the set.
        LeaveOut = "leave_out",
        /// They are treated like all others.
        Enrol = "enrol",
    }
}

choice! {
    /// The column of `role` that names a role in a set.
    RoleKey {
        /// `role.shortname`
        Shortname = "shortname",
        /// `role.id`
        Id = "id",
    }
}

choice! {
    /// The column of `groups` that names a group of a course in a set.
    GroupKey {
        /// `groups.name`
        Name = "name",
        /// `groups.idnumber`
        Idnumber = "idnumber",
    }
}

choice! {
    /// The column of `cohort` that names a cohort in a set.
    CohortKey {
        /// `cohort.idnumber`
        Idnumber = "idnumber",
        /// `cohort.name`
        Name = "name",
        /// `cohort.id`
        Id = "id",
    }
}

choice! {
    /// The column of `course_categories` that names a category in the table of courses.
    CategoryKey {
        /// `course_categories.id`
        Id = "id",
        /// `course_categories.idnumber`
        Idnumber = "idnumber",
    }
}

choice! {
    /// What happens to an enrolment that is absent from the set (Moodle's choices for `enrol_database`).
    AbsentAction {
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

choice! {
    /// What a row protects whose user, course or cohort is not known.
    UnknownProtects {
        /// Whom it may mean; if its key is damaged, everybody in the course or cohort.
        Likely = "likely",
        /// Everybody in the course or cohort.
        Place = "place",
        /// Nobody but accounts and places whose key is the same except for case and blanks.
        Off = "off",
    }
}

choice! {
    /// Which runs of a source send a mail.
    MailWhen {
        /// Runs that changed something, and every run with a problem.
        Changes = "changes",
        /// Runs that are held, that failed, or with failed rows.
        Problems = "problems",
        /// All runs.
        Always = "always",
    }
}

/// One source of full sets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Whether the daemon runs the source and processes its files; commands run it anyway.
    pub enabled: bool,
    /// What its rows describe.
    pub target: Target,
    /// The second database, from `url` or the content of `url_file`; `None` for a source of files, and for the source
    /// `database` while Moodle's own settings name it.
    #[serde(default)]
    pub url: Option<SecretString>,
    /// The table or view as written in SQL; empty if `query` is set.
    pub table: String,
    /// A SELECT in place of a table.
    pub query: String,
    /// SQL statements for each new session (Moodle's `dbsetupsql`).
    pub setup: Vec<String>,
    /// How long one attempt to connect may take.
    #[serde(deserialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// How long the second database may take for the whole statement, and for each next row.
    #[serde(deserialize_with = "seconds")]
    pub statement_timeout: Duration,
    /// Names of files in the drop directory that are sets of this source, with `*` and `?`.
    pub files: Vec<String>,
    /// The format of those files.
    pub format: SetFormat,
    /// The roles that its sets may assign, and the mapping of OneRoster roles to Moodle roles (`-` for none); an export
    /// role without a mapping enrols no user and is a problem.
    pub roles: SourceRoles,
    /// What happens to enrolments of users that a OneRoster export marks as not enabled.
    pub disabled_users: DisabledUsers,
    /// The names of the columns.
    pub columns: SetColumns,
    /// The column that identifies users.
    pub user_key: UserKey,
    /// The column that identifies courses.
    pub course_key: CourseKey,
    /// The column that identifies roles.
    pub role_key: RoleKey,
    /// The column that identifies groups.
    pub group_key: GroupKey,
    /// The column that identifies cohorts.
    pub cohort_key: CohortKey,
    /// Short name of the role for rows without a known role; empty for none.
    pub default_role: String,
    /// What happens to enrolments absent from the set; `None`: Moodle's `enrol_database/unenrolaction`.
    pub unenrolaction: Option<AbsentAction>,
    /// Leave hidden courses unchanged; `None`: Moodle's `enrol_database/ignorehiddencourses`.
    pub ignore_hidden_courses: Option<bool>,
    /// Create the groups that a course lacks.
    pub create_groups: bool,
    /// Create the cohorts that the site lacks.
    pub create_cohorts: bool,
    /// `cohort.component` of cohorts that are created or that the source may fill; empty for manually edited cohorts.
    pub cohort_component: String,
    /// The table that describes courses to create.
    pub courses: CourseTable,
    /// How long the enrolment of an absent user stays suspended before it is removed; zero: no suspension.
    #[serde(deserialize_with = "seconds")]
    pub removal_grace: Duration,
    /// User names that are never removed or suspended.
    pub protected: Vec<String>,
    /// What rows protect whose keys match nothing.
    pub unknown_protects: UnknownProtects,
    /// How many days a row waits for its user; `None`: as `waiting.days` says.
    #[serde(default)]
    pub waiting_days: Option<u32>,
    /// Whether rows that wait are expected; `None`: as `waiting.expected` says.
    #[serde(default)]
    pub waiting_expected: Option<bool>,
    /// When the daemon fetches the set, in the local time of `timezone`.
    pub schedule: Schedule,
    /// The zone of the schedule; `None`: the site's zone.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// What happens to scheduled times that passed while no daemon ran.
    pub catch_up: CatchUp,
    /// Limits above which its sets are held.
    pub guard: SetLimits,
    /// Other limits for some periods.
    pub seasons: Vec<Season>,
    /// Report to the operator when no new set has come for this long; zero: never.
    #[serde(deserialize_with = "seconds")]
    pub stale_after: Duration,
    /// Report to the operator when the same bytes have come for this many days; 0: never.
    pub same_bytes_days: u32,
    /// Report to the operator when no new set has come by this time of day, in the local time of the source's zone;
    /// `None`: never.
    #[serde(default, deserialize_with = "expected_by::optional")]
    pub expected_by: Option<ExpectedBy>,
    /// Mail addresses that receive the reports of its runs.
    pub mail_to: Vec<String>,
    /// Which runs send a mail.
    pub mail_when: MailWhen,
    /// The keys below `sources.NAME.` that a layer sets.
    #[serde(skip)]
    pub(in crate::config) given: BTreeSet<String>,
}

impl Source {
    /// True if a layer sets this key (`table`, `columns.user`), even to its default; else Moodle's settings may apply.
    pub fn gives(&self, key: &str) -> bool {
        self.given.contains(key)
    }

    /// The roles that its sets may assign: those that `roles` lists, the default role, and the Moodle roles to which
    /// `roles` maps OneRoster roles.
    pub fn allowed_roles(&self) -> RoleList {
        let maps = self.roles.maps && self.format == SetFormat::OneRoster;
        let targets = self.roles.of_export.iter().filter(|role| maps && role.to != RoleOf::NOBODY);
        let allowed = targets.fold(self.roles.allowed.clone(), |list, role| list.and(&role.to));
        allowed.and(&self.default_role)
    }

    /// True if a layer sets the allowed roles. They then apply to a second database too, which may otherwise assign any
    /// role because the operator connected it.
    pub fn lists_roles(&self) -> bool {
        self.gives("roles") && self.roles.lists
    }

    /// The limits of a day: those of the first season that contains it, over the usual ones.
    pub fn limits(&self, day: NaiveDate) -> SetLimits {
        match self.seasons.iter().find(|season| season.holds(day)) {
            Some(season) => season.limits.over(&self.guard),
            None => self.guard.clone(),
        }
    }
}

/// The names of the columns in the table or file. Empty: in a file the canonical name, in a table no column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetColumns {
    /// The user.
    pub user: String,
    /// The course.
    pub course: String,
    /// The role.
    pub role: String,
    /// The group.
    pub group: String,
    /// Not empty: the row assigns the role only, without an enrolment (Moodle's `remoteotheruserfield`).
    pub other: String,
    /// The start of the enrolment.
    pub timestart: String,
    /// The end of the enrolment.
    pub timeend: String,
    /// Active or suspended.
    pub status: String,
    /// The cohort.
    pub cohort: String,
    /// The name of a new cohort.
    pub name: String,
}

/// The table of courses (Moodle's `newcoursetable`) and the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseTable {
    /// The table or view in the same database; empty: no courses are created.
    pub table: String,
    /// The column of the full name.
    pub fullname: String,
    /// The column of the short name.
    pub shortname: String,
    /// The column of the idnumber; empty for none.
    pub idnumber: String,
    /// The column of the category; empty for none.
    pub category: String,
    /// The column of the first day; empty for none.
    pub startdate: String,
    /// The column of the last day; empty for none.
    pub enddate: String,
    /// `course_categories.id` for rows without a category.
    pub default_category: u32,
    /// The column by which `category` identifies a category.
    pub category_key: CategoryKey,
    /// Short name of the course whose settings a new course copies; empty for none.
    pub template: String,
}
