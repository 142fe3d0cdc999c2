//! The terms of one source for one run: its settings, and those of the site where it has none.
//! It must not read the rows of a set, nor resolve accounts.

use std::collections::BTreeMap;

use crate::change::courses::NewCourses;
use crate::config::{
    AbsentAction, GroupKey, RoleKey, SetLimits, Settings, SmallTimes, Source, Target, UnknownProtects, Waiting,
};
use crate::db::{Conn, Params};
use crate::moodle::site::{Site, zone};
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem};
use crate::sets::courses;
use crate::sets::oneroster_base::numbers;
use crate::source::with_moodles_settings;
use crate::staging::AllowedRoles;

use crate::moodle::site::RemovalAction;
use crate::staging::resolve::Keys;

/// Where the rows of a set come from, which decides the roles that they may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Files in the drop directory, from any user who may write there.
    Dropped,
    /// The second database that the operator has connected, or a snapshot that is given directly.
    Database,
    /// Files that an operator with a shell has named.
    Shell,
}

/// The terms under which a set is applied.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The source's name.
    pub source: String,
    /// Where its rows come from.
    pub feed: Feed,
    /// Whether its rows name cohorts, not courses.
    pub cohorts: bool,
    /// The column of `cohort` that the set names: `idnumber`, `name` or `id`.
    pub cohort_key: &'static str,
    /// Whether cohorts that do not exist are made.
    pub create_cohorts: bool,
    /// The component of the cohorts that are made; cohorts of it are the source's, too.
    pub cohort_component: String,
    /// What its user and course columns hold.
    pub keys: Keys,
    /// Role values of the set and the roles that they mean (spec database 5: exact, with case).
    pub roles: BTreeMap<String, i64>,
    /// The roles that its rows may give.
    pub allowed: AllowedRoles,
    /// The role of a row without one, or with an unknown one; 0 for none.
    pub default_role: i64,
    /// What becomes of enrolments that the set no longer names.
    pub on_extra: RemovalAction,
    /// Whether hidden courses are left alone.
    pub ignore_hidden: bool,
    /// Whether groups are found by their idnumber instead of their name.
    pub group_by_idnumber: bool,
    /// Whether groups that a course does not have are made.
    pub create_groups: bool,
    /// User names of accounts that keep what they have.
    pub protected: Vec<String>,
    /// What rows protect whose keys match nothing.
    pub unknown_protects: UnknownProtects,
    /// Whether site administrators keep what they have.
    pub protect_admins: bool,
    /// Seconds for which an absent user stays suspended before the enrolment is removed; 0 for at once.
    pub grace: i64,
    /// Rows of the last good set, if there was one.
    pub last_rows: Option<i64>,
    /// How far the set may be from the last good one, and how much its run may change, on this day.
    pub limits: SetLimits,
    /// How to make courses that the source describes.
    pub new_courses: NewCourses,
    /// Time zone of times without one.
    pub zone: chrono_tz::Tz,
    /// Whether small numbers are times.
    pub small_times: SmallTimes,
    /// Which rows wait for their user, and how long.
    pub waiting: Waiting,
}

impl Terms {
    /// The column that a row must have beside the user.
    pub fn container(&self) -> &'static str {
        if self.cohorts { "cohort" } else { "course" }
    }

    /// Whether absent users are suspended for a grace period before the enrolment is removed.
    pub fn waits(&self) -> bool {
        self.grace > 0 && self.on_extra == RemovalAction::Unenrol
    }

    /// The terms of a source: enrold's settings over those of the site.
    ///
    /// # Errors
    /// [`RunError::NoSuchSource`], or the database's error.
    pub async fn of(
        conn: &mut Conn,
        site: &Site,
        settings: &Settings,
        name: &str,
        feed: Feed,
        (run, now): (i64, i64),
    ) -> RunResult<Self> {
        let source = settings.sources.get(name).ok_or_else(|| RunError::no_such_source(name, settings))?;
        let source = with_moodles_settings(name, source, site)
            .map_err(|error| RunError::Rejected(Problem::new(0, Code::SourceUnreadable, name, error.to_string())))?;
        let zone = zone(settings, Some(site));
        let day = chrono::DateTime::from_timestamp(now, 0).unwrap_or_default().with_timezone(&zone).date_naive();
        let limits = source.limits(day);
        let roles = site.roles.iter().rev().map(|role| match source.role_key {
            RoleKey::Shortname => (role.shortname.clone(), role.id),
            RoleKey::Id => (role.id.to_string(), role.id),
        });
        let roles: BTreeMap<String, i64> = roles.collect();
        let default_role = site.roles.iter().find(|role| role.shortname == source.default_role);
        Ok(Self {
            source: name.to_owned(),
            feed,
            cohorts: source.target == Target::Cohorts,
            cohort_key: source.cohort_key.as_str(),
            create_cohorts: source.create_cohorts,
            cohort_component: source.cohort_component.trim().to_owned(),
            keys: Keys { user: source.user_key, course: source.course_key },
            default_role: default_role.map_or(0, |role| role.id),
            roles,
            allowed: allowed(&source, name, feed, site),
            on_extra: source.unenrolaction.map_or(RemovalAction::Unenrol, absent),
            ignore_hidden: source.ignore_hidden_courses.unwrap_or(false),
            group_by_idnumber: source.group_key == GroupKey::Idnumber,
            create_groups: source.create_groups,
            protected: source.protected.clone(),
            unknown_protects: source.unknown_protects,
            protect_admins: settings.guard.protect_admins,
            grace: source.removal_grace.as_secs() as i64,
            last_rows: last_rows(conn, name, run).await?,
            new_courses: courses::terms(&source.courses, zone),
            limits,
            zone,
            small_times: settings.flatfile.small_times,
            waiting: settings.waiting.but(source.waiting_days, source.waiting_expected),
        })
    }
}

/// The roles that the rows of such a feed may give. A second database gives any, as in Moodle's own method, unless the
/// operator has listed roles for the source.
fn allowed(source: &Source, name: &str, feed: Feed, site: &Site) -> AllowedRoles {
    match feed {
        Feed::Shell => AllowedRoles::any(),
        Feed::Database if !source.lists_roles() => AllowedRoles::any(),
        Feed::Database | Feed::Dropped => {
            AllowedRoles::of(&source.allowed_roles(), format!("sources.{name}.roles"), site)
        }
    }
}

/// The number of rows of the last set of this source that was applied; `None` if there was none. The guard compares
/// with it, so a number that cannot be read is an error and not the first set.
async fn last_rows(conn: &mut Conn, source: &str, run: i64) -> RunResult<Option<i64>> {
    let before = if run == 0 { i64::MAX } else { run };
    let params = Params::new().with("kind", format!("sync {source}")).with("before", before);
    let sql =
        "SELECT COALESCE(r.counts, 'null'), r.id FROM {enrold_run} r WHERE r.id = (SELECT MAX(t.id) FROM {enrold_run} t
        WHERE t.kind = :kind AND t.id < :before AND t.state IN ('done', 'done-with-errors', 'approved'))";
    let Some(row) = conn.row(sql, &params).await? else { return Ok(None) };
    Ok(numbers(row.int(1), &row.text(0))?["lines"]["records"].as_i64())
}

fn absent(action: AbsentAction) -> RemovalAction {
    match action {
        AbsentAction::Unenrol => RemovalAction::Unenrol,
        AbsentAction::Keep => RemovalAction::Keep,
        AbsentAction::Suspend => RemovalAction::Suspend,
        AbsentAction::SuspendNoRoles => RemovalAction::SuspendNoRoles,
    }
}
