//! Reads the cohorts of the site, and the members of one.
//! It must not change anything.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::db::{Conn, DbError, Params};
use crate::front::{Front, Who};
use crate::moodle::{category, method};
use crate::outcome::RunResult;
use crate::report::sort_by_names;

/// A cohort.
#[derive(Clone, Debug, Serialize)]
pub struct CohortRow {
    /// `cohort.id`
    pub id: i64,
    /// Its idnumber, or an empty text.
    pub idnumber: String,
    /// Its name.
    pub name: String,
    /// `context.id` of the system or of its category.
    pub contextid: i64,
    /// The names of its category from the top; empty for the system.
    pub category: String,
    /// Whether teachers see it.
    pub visible: bool,
    /// The plugin that fills it, or an empty text.
    pub component: String,
    /// The number of its members.
    pub members: i64,
    /// The number of enrolment methods that enrol its members, enabled or not.
    pub methods: i64,
}

/// A member of a cohort.
#[derive(Clone, Debug, Serialize)]
pub struct CohortMember {
    /// `user.id`
    pub userid: i64,
    /// The user name.
    pub username: String,
    /// The idnumber, or an empty text.
    pub idnumber: String,
    /// The last name.
    pub lastname: String,
    /// The first name.
    pub firstname: String,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// When the user became a member, in Unix seconds.
    pub since: i64,
}

impl Front {
    /// All cohorts, by category, then by name, as French sorts.
    pub async fn cohorts(&self, who: &Who) -> RunResult<Vec<CohortRow>> {
        who.asks("cohorts");
        let mut conn = self.connect().await?;
        let cohorts = cohorts(&mut conn).await?;
        conn.close().await;
        Ok(cohorts)
    }

    /// The cohorts that a text names, each with its members by name: those with this idnumber, else with this name,
    /// else with this id.
    pub async fn cohort(&self, who: &Who, key: &str) -> RunResult<Vec<(CohortRow, Vec<CohortMember>)>> {
        who.asks(format_args!("cohort {key}"));
        let mut conn = self.connect().await?;
        let all = cohorts(&mut conn).await?;
        let keys: [fn(&CohortRow) -> String; 3] =
            [|cohort| cohort.idnumber.clone(), |cohort| cohort.name.clone(), |cohort| cohort.id.to_string()];
        let named = keys.iter().map(|of| all.iter().filter(|cohort| of(cohort) == key).cloned().collect::<Vec<_>>());
        let named = named.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        let mut found = Vec::new();
        for cohort in named {
            let members = members(&mut conn, cohort.id).await?;
            found.push((cohort, members));
        }
        conn.close().await;
        Ok(found)
    }
}

async fn cohorts(conn: &mut Conn) -> Result<Vec<CohortRow>, DbError> {
    let paths: BTreeMap<i64, String> =
        category::all(conn).await?.into_iter().map(|category| (category.contextid, category.path)).collect();
    let sql = "SELECT c.id, c.idnumber, c.name, c.contextid, c.visible, c.component, COALESCE(m.members, 0),
               COALESCE(e.methods, 0)
          FROM {cohort} c
          LEFT JOIN (SELECT m.cohortid, COUNT(*) AS members FROM {cohort_members} m
                       JOIN {user} u ON u.id = m.userid AND u.deleted = 0 GROUP BY m.cohortid) m ON m.cohortid = c.id
          LEFT JOIN (SELECT e.customint1, COUNT(*) AS methods FROM {enrol} e
                      WHERE e.enrol = :method GROUP BY e.customint1) e ON e.customint1 = c.id";
    let mut cohorts = Vec::new();
    conn.each(sql, &Params::new().with("method", method::COHORT), |row| {
        let contextid = row.int(3);
        cohorts.push(CohortRow {
            id: row.int(0),
            idnumber: row.text(1),
            name: row.text(2),
            contextid,
            category: paths.get(&contextid).cloned().unwrap_or_default(),
            visible: row.int(4) != 0,
            component: row.text(5),
            members: row.int(6),
            methods: row.int(7),
        });
        Ok(())
    })
    .await?;
    cohorts.sort_by_key(|cohort| cohort.id);
    sort_by_names(&mut cohorts, |cohort| [&cohort.category, &cohort.name]);
    Ok(cohorts)
}

async fn members(conn: &mut Conn, cohort: i64) -> Result<Vec<CohortMember>, DbError> {
    let sql = "SELECT u.id, u.username, u.idnumber, u.lastname, u.firstname, u.suspended, m.timeadded
          FROM {cohort_members} m JOIN {user} u ON u.id = m.userid AND u.deleted = 0
         WHERE m.cohortid = :cohort ORDER BY u.id";
    let mut members = Vec::new();
    conn.each(sql, &Params::new().with("cohort", cohort), |row| {
        members.push(CohortMember {
            userid: row.int(0),
            username: row.text(1),
            idnumber: row.text(2),
            lastname: row.text(3),
            firstname: row.text(4),
            suspended: row.int(5) != 0,
            since: row.int(6),
        });
        Ok(())
    })
    .await?;
    sort_by_names(&mut members, |member| [&member.lastname, &member.firstname]);
    Ok(members)
}
