//! Reads the courses of the site, with their methods and counts.
//! It must not change anything.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::Serialize;

use crate::db::{Conn, Params, statement};
use crate::front::{Front, Who};
use crate::moodle::category;
use crate::moodle::site::{Site, zone};
use crate::outcome::RunResult;
use crate::report::sort_by_names;

const COURSES: &str = statement(include_str!("courses.sql"), "courses");
const METHODS: &str = statement(include_str!("courses.sql"), "methods");

/// A course.
#[derive(Clone, Debug, Serialize)]
pub struct CourseRow {
    /// `course.id`
    pub id: i64,
    /// Its short name.
    pub shortname: String,
    /// Its full name.
    pub fullname: String,
    /// Its idnumber, or an empty text.
    pub idnumber: String,
    /// The names of its category from the top.
    pub category: String,
    /// Whether students see it.
    pub visible: bool,
    /// When it begins, in Unix seconds; `None` for no date.
    pub startdate: Option<i64>,
    /// When it ends; `None` for no date.
    pub enddate: Option<i64>,
    /// The number of people with an enrolment, whatever its status.
    pub participants: i64,
    /// The methods that enrol people or may, the enabled ones first.
    pub methods: Vec<CourseMethod>,
}

/// The instances of a method in a course that are all enabled, or all disabled.
#[derive(Clone, Debug, Serialize)]
pub struct CourseMethod {
    /// The method: `enrol.enrol`.
    pub method: String,
    /// Whether they are enabled.
    pub enabled: bool,
    /// How many instances there are.
    pub instances: i64,
    /// How many enrolments they have, whatever their status.
    pub enrolments: i64,
}

impl Front {
    /// All courses without the front page, by category, then by short name, as French sorts; and the time zone of dates
    /// for people. The number of statements does not depend on how many courses there are.
    ///
    /// # Errors
    /// The database's error.
    pub async fn courses(&self, who: &Who) -> RunResult<(Vec<CourseRow>, Tz)> {
        who.asks("courses");
        let mut conn = self.connect().await?;
        let found = async {
            let site = Site::read(&mut conn).await?;
            Ok((courses(&mut conn).await?, zone(&self.engine.settings, Some(&site))))
        };
        let found: RunResult<_> = found.await;
        conn.close().await;
        found
    }
}

async fn courses(conn: &mut Conn) -> RunResult<Vec<CourseRow>> {
    let paths: BTreeMap<i64, String> =
        category::all(conn).await?.into_iter().map(|category| (category.contextid, category.path)).collect();
    let mut methods: BTreeMap<i64, Vec<CourseMethod>> = BTreeMap::new();
    conn.each(METHODS, &Params::new(), |row| {
        let (instances, enrolments) = (row.int(3), row.int(4));
        let method = CourseMethod { method: row.text(1), enabled: row.int(2) == 0, instances, enrolments };
        methods.entry(row.int(0)).or_default().push(method);
        Ok(())
    })
    .await?;
    let mut courses = Vec::new();
    conn.each(COURSES, &Params::new(), |row| {
        let date = |at: usize| Some(row.int(at)).filter(|date| *date > 0);
        courses.push(CourseRow {
            id: row.int(0),
            shortname: row.text(1),
            fullname: row.text(2),
            idnumber: row.text(3),
            category: paths.get(&row.int(4)).cloned().unwrap_or_default(),
            visible: row.int(5) != 0,
            startdate: date(6),
            enddate: date(7),
            participants: row.int(8),
            methods: methods.remove(&row.int(0)).unwrap_or_default(),
        });
        Ok(())
    })
    .await?;
    courses.sort_by_key(|course| course.id);
    sort_by_names(&mut courses, |course| [&course.category, &course.shortname]);
    Ok(courses)
}
