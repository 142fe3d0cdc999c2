//! Section `sources`: where full sets come from, and what is done with them, one table per source.
//! It must not know how a set is fetched or applied; what Moodle's own settings decide is `None` here.

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
    /// What the rows of a set say.
    Target {
        /// Who is enrolled where, by method `database`.
        Enrolments = "enrolments",
        /// Who is in which cohort.
        Cohorts = "cohorts",
    }
}

choice! {
    /// What the files of a source are.
    SetFormat {
        /// CSV with a header line.
        Csv = "csv",
        /// A zip of OneRoster CSV files.
        OneRoster = "oneroster",
    }
}

choice! {
    /// What becomes of the enrolments of somebody whose account a OneRoster export says is not enabled.
    DisabledUsers {
        /// They are suspended; memberships of cohorts stay.
        Suspend = "suspend",
        /// They are none of the set.
        LeaveOut = "leave_out",
        /// They are as everybody's.
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
    /// What becomes of an enrolment that the set no longer holds (Moodle's choices for `enrol_database`).
    AbsentAction {
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

choice! {
    /// After which runs of a source a mail goes out.
    MailWhen {
        /// After one that changed something, and with every problem.
        Changes = "changes",
        /// After one that is held, that failed, or of which rows failed.
        Problems = "problems",
        /// After every one.
        Always = "always",
    }
}

/// One source of full sets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Whether the daemon runs it and takes its files; commands run it anyway.
    pub enabled: bool,
    /// What its rows say.
    pub target: Target,
    /// The second database, from `url` or the content of `url_file`; `None` for a source of files, and for the source
    /// `database` while Moodle's own settings name it.
    #[serde(default)]
    pub url: Option<SecretString>,
    /// The table or view, as it is written in SQL; empty where `query` is set.
    pub table: String,
    /// A SELECT in place of a table.
    pub query: String,
    /// Statements for each new session (Moodle's `dbsetupsql`).
    pub setup: Vec<String>,
    /// How long one attempt to connect may take.
    #[serde(deserialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// How long the second database may take for the statement as a whole, and for each next row.
    #[serde(deserialize_with = "seconds")]
    pub statement_timeout: Duration,
    /// Names in the drop directory that are sets of this source, with `*` and `?`.
    pub files: Vec<String>,
    /// What those files are.
    pub format: SetFormat,
    /// Which roles its sets may give; and which role of Moodle a role of a OneRoster export becomes, `-` for none; any
    /// other enrols nobody, and is a problem.
    pub roles: SourceRoles,
    /// What becomes of enrolments of users that a OneRoster export says are not enabled.
    pub disabled_users: DisabledUsers,
    /// Which column is what.
    pub columns: SetColumns,
    /// By what a set names users.
    pub user_key: UserKey,
    /// By what a set names courses.
    pub course_key: CourseKey,
    /// By what a set names roles.
    pub role_key: RoleKey,
    /// By what a set names groups.
    pub group_key: GroupKey,
    /// By what a set names cohorts.
    pub cohort_key: CohortKey,
    /// Short name of the role for rows without a known one; empty for none.
    pub default_role: String,
    /// What becomes of what the set no longer holds; without it Moodle's `enrol_database/unenrolaction` decides.
    pub unenrolaction: Option<AbsentAction>,
    /// Leave hidden courses alone; without it Moodle's `enrol_database/ignorehiddencourses` decides.
    pub ignore_hidden_courses: Option<bool>,
    /// Make the groups that a course lacks.
    pub create_groups: bool,
    /// Make the cohorts that the site lacks.
    pub create_cohorts: bool,
    /// `cohort.component` of the cohorts that are made, and that the source may fill; empty for those edited by hand.
    pub cohort_component: String,
    /// Where courses that the site lacks are described.
    pub courses: CourseTable,
    /// How long an absent person stays suspended before the enrolment ends; zero: not at all.
    #[serde(deserialize_with = "seconds")]
    pub removal_grace: Duration,
    /// User names that are never removed or suspended.
    pub protected: Vec<String>,
    /// When the daemon fetches it, by the wall clock of its zone.
    pub schedule: Schedule,
    /// The zone of the schedule; `None` for the site's.
    #[serde(default, deserialize_with = "zone")]
    pub timezone: Option<Tz>,
    /// What happens to times that passed while no daemon was there.
    pub catch_up: CatchUp,
    /// Limits above which its sets are held.
    pub guard: SetLimits,
    /// Other limits for some weeks.
    pub seasons: Vec<Season>,
    /// The operator is told when no new set has come for so long; zero: never.
    #[serde(deserialize_with = "seconds")]
    pub stale_after: Duration,
    /// The operator is told when the same bytes have come for so many days; 0: never.
    pub same_bytes_days: u32,
    /// The operator is told when no new set has come by this time of day, by the wall clock of the source's zone;
    /// `None`: never.
    #[serde(default, deserialize_with = "expected_by::optional")]
    pub expected_by: Option<ExpectedBy>,
    /// Mail addresses that get the reports of its runs.
    pub mail_to: Vec<String>,
    /// After which runs.
    pub mail_when: MailWhen,
    /// The keys below `sources.NAME.` that a layer sets.
    #[serde(skip)]
    pub(in crate::config) given: BTreeSet<String>,
}

impl Source {
    /// True if a layer sets this key (`table`, `columns.user`), be it to its default; else Moodle's settings may
    /// decide.
    pub fn gives(&self, key: &str) -> bool {
        self.given.contains(key)
    }

    /// The roles that its sets may give: those that `roles` lists, and each that the operator names for this source
    /// otherwise: as the default role, or as what a role of an export becomes.
    pub fn allowed_roles(&self) -> RoleList {
        let maps = self.roles.maps && self.format == SetFormat::OneRoster;
        let targets = self.roles.of_export.iter().filter(|role| maps && role.to != RoleOf::NOBODY);
        let allowed = targets.fold(self.roles.allowed.clone(), |list, role| list.and(&role.to));
        allowed.and(&self.default_role)
    }

    /// True if a layer says which roles its sets may give: that holds for a second database too, which the operator has
    /// connected himself and which gives any role otherwise.
    pub fn lists_roles(&self) -> bool {
        self.gives("roles") && self.roles.lists
    }

    /// The limits of a day: those of the first season that it lies in, over the usual ones.
    pub fn limits(&self, day: NaiveDate) -> SetLimits {
        match self.seasons.iter().find(|season| season.holds(day)) {
            Some(season) => season.limits.over(&self.guard),
            None => self.guard.clone(),
        }
    }
}

/// The names of the columns in the table or file. Empty: in a file the canonical name, in a table there is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetColumns {
    /// Who.
    pub user: String,
    /// In which course.
    pub course: String,
    /// As what.
    pub role: String,
    /// In which group.
    pub group: String,
    /// Not empty: the role alone, without an enrolment (Moodle's `remoteotheruserfield`).
    pub other: String,
    /// From when.
    pub timestart: String,
    /// Until when.
    pub timeend: String,
    /// Active or suspended.
    pub status: String,
    /// In which cohort.
    pub cohort: String,
    /// What a new cohort is called.
    pub name: String,
}

/// The table of courses (Moodle's `newcoursetable`) and the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseTable {
    /// The table or view in the same database; empty: no courses are made.
    pub table: String,
    /// The column of the full name.
    pub fullname: String,
    /// The column of the short name.
    pub shortname: String,
    /// The column of the idnumber; empty for none.
    pub idnumber: String,
    /// The column of the category; empty for none.
    pub category: String,
    /// `course_categories.id` for rows without a category.
    pub default_category: u32,
    /// By what the column names a category.
    pub category_key: CategoryKey,
    /// Short name of the course whose settings a new one gets; empty for none.
    pub template: String,
}
