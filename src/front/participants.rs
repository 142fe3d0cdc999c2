//! Reads the participants of a course.
//! It must not change anything.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::config::CourseKey;
use crate::db::{Conn, DbError, Params, statement};
use crate::front::{Front, Who};
use crate::moodle::named::{self, Course};
use crate::moodle::site::{Site, zone};
use crate::outcome::{Enrolment, EnrolmentStatus, Participant, RoleHeld, RunError, RunResult};
use crate::report::sort_by_names;

const ENROLMENTS: &str = statement(include_str!("participants.sql"), "enrolments");
const ROLES: &str = statement(include_str!("participants.sql"), "roles");
const GROUPS: &str = statement(include_str!("participants.sql"), "groups");
const NAMES_OF_GROUPS: &str = statement(include_str!("participants.sql"), "names of groups");

/// Which participants are wanted: those that fit each filter with one of its values. An empty filter fits all.
#[derive(Clone, Debug, Default)]
pub struct ParticipantFilter {
    /// Short names of roles in the course.
    pub roles: Vec<String>,
    /// Names of groups of the course.
    pub groups: Vec<String>,
    /// Whether only people without a group are wanted.
    pub ungrouped: bool,
    /// Enrolment methods. With `statuses`, one enrolment must fit both.
    pub methods: Vec<String>,
    /// Statuses of enrolments.
    pub statuses: Vec<EnrolmentStatus>,
}

impl ParticipantFilter {
    fn fits(&self, person: &Participant) -> bool {
        let any = |wanted: &[String], of: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(of);
        any(&self.roles, &|role| person.roles.iter().any(|held| held.shortname == *role))
            && any(&self.groups, &|group| person.groups.contains(group))
            && (!self.ungrouped || person.groups.is_empty())
            && person.enrolments.iter().any(|enrolment| {
                any(&self.methods, &|method| enrolment.method == *method)
                    && (self.statuses.is_empty() || self.statuses.contains(&enrolment.status))
            })
    }
}

/// The participants of a course.
#[derive(Clone, Debug)]
pub struct Participants {
    /// The course.
    pub course: Course,
    /// Those that fit the filter, by last and first name as French sorts.
    pub people: Vec<Participant>,
    /// The time zone of dates for people.
    pub zone: Tz,
}

impl Front {
    /// The participants of a course that fit a filter. The number of statements does not depend on how many they are.
    ///
    /// # Errors
    /// [`RunError::NoSuchCourse`]; [`RunError::Refused`] for a role or a group that does not exist.
    pub async fn participants(
        &self,
        who: &Who,
        (key, text): (CourseKey, &str),
        filter: &ParticipantFilter,
    ) -> RunResult<Participants> {
        who.asks(format_args!("participants {text}"));
        let mut conn = self.connect().await?;
        let found = async {
            let site = Site::read(&mut conn).await?;
            let course = named::course(&mut conn, key, text).await?;
            known(&mut conn, &site, &course, filter).await?;
            let mut people = read(&mut conn, course.id, self.engine.clock.now()).await?;
            people.retain(|person| filter.fits(person));
            sort_by_names(&mut people, |person| [&person.lastname, &person.firstname, &person.username]);
            Ok(Participants { course, people, zone: zone(&self.engine.settings, Some(&site)) })
        };
        let found: RunResult<Participants> = found.await;
        conn.close().await;
        found
    }
}

/// Refuses a filter that can fit nobody, because what it names does not exist.
async fn known(conn: &mut Conn, site: &Site, course: &Course, filter: &ParticipantFilter) -> RunResult<()> {
    let roles: Vec<&str> = site.roles.iter().map(|role| role.shortname.as_str()).collect();
    if let Some(role) = filter.roles.iter().find(|role| !roles.contains(&role.as_str())) {
        return Err(RunError::Refused(format!("no role has the short name '{role}'; there are: {}", roles.join(", "))));
    }
    if filter.groups.is_empty() {
        return Ok(());
    }
    let params = Params::new().with("course", course.id);
    let groups: Vec<String> = conn.rows(NAMES_OF_GROUPS, &params).await?.iter().map(|row| row.text(0)).collect();
    match filter.groups.iter().find(|group| !groups.contains(group)) {
        Some(group) if groups.is_empty() => {
            Err(RunError::Refused(format!("there is no group '{group}': the course {} has none", course.shortname)))
        }
        Some(group) => Err(RunError::Refused(format!("there is no group '{group}'; there are: {}", groups.join(", ")))),
        None => Ok(()),
    }
}

/// All participants of a course, in three statements.
async fn read(conn: &mut Conn, course: i64, now: i64) -> Result<Vec<Participant>, DbError> {
    let params = Params::new().with("course", course);
    let mut roles: BTreeMap<i64, Vec<RoleHeld>> = BTreeMap::new();
    conn.each(ROLES, &params, |row| {
        let held = RoleHeld { shortname: row.text(2), name: row.text(3) };
        roles.entry(row.int(0)).or_default().push(held);
        Ok(())
    })
    .await?;
    let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    conn.each(GROUPS, &params, |row| {
        groups.entry(row.int(0)).or_default().push(row.text(1));
        Ok(())
    })
    .await?;
    let mut people: Vec<Participant> = Vec::new();
    conn.each(ENROLMENTS, &params, |row| {
        let userid = row.int(0);
        let limit = |time: i64| (time > 0).then_some(time);
        if people.last().is_none_or(|last| last.userid != userid) {
            let mut groups = groups.remove(&userid).unwrap_or_default();
            sort_by_names(&mut groups, |group| [group.as_str()]);
            people.push(Participant {
                userid,
                lastname: row.text(1),
                firstname: row.text(2),
                username: row.text(3),
                idnumber: row.text(4),
                email: row.text(5),
                account_suspended: row.int(6) != 0,
                roles: roles.remove(&userid).unwrap_or_default(),
                groups,
                last_access: limit(row.int(7)),
                enrolments: Vec::new(),
            });
        }
        let (timestart, timeend) = (row.int(12), row.int(13));
        let status = match (row.int(10), row.int(11)) {
            (0, 0) if timestart > now || (timeend > 0 && timeend <= now) => EnrolmentStatus::NotCurrent,
            (0, 0) => EnrolmentStatus::Active,
            (0, _) => EnrolmentStatus::Suspended,
            _ => EnrolmentStatus::MethodDisabled,
        };
        if let Some(person) = people.last_mut() {
            person.enrolments.push(Enrolment {
                method: row.text(8),
                instance: row.int(9),
                status,
                timestart: limit(timestart),
                timeend: limit(timeend),
                timecreated: row.int(14),
            });
        }
        Ok(())
    })
    .await?;
    Ok(people)
}
