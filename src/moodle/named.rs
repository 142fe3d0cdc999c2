//! Finds the course or the category that an operator names, exactly.
//! It must not guess: nothing is found by a part of a name, and a key that several have is refused.

use std::collections::BTreeSet;

use crate::config::CourseKey;
use crate::db::{Conn, Params};
use crate::moodle::category::{self, SEPARATOR};
use crate::outcome::{RunError, RunResult};

/// How many similar names the error about an unknown course lists.
const ALIKE: usize = 5;

/// A course.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Course {
    /// `course.id`
    pub id: i64,
    /// `course.shortname`
    pub shortname: String,
    /// `course.fullname`
    pub fullname: String,
    /// `course.idnumber`, or an empty text.
    pub idnumber: String,
    /// `course.category`
    #[serde(skip)]
    pub category: i64,
}

/// All courses without the front page, by id, in one statement.
async fn all(conn: &mut Conn) -> RunResult<Vec<Course>> {
    let mut courses = Vec::new();
    let sql = "SELECT c.id, c.shortname, c.fullname, c.idnumber, c.category FROM {course} c
        WHERE c.category <> 0 ORDER BY c.id";
    conn.each(sql, &Params::new(), |row| {
        let (id, category) = (row.int(0), row.int(4));
        courses.push(Course { id, shortname: row.text(1), fullname: row.text(2), idnumber: row.text(3), category });
        Ok(())
    })
    .await?;
    Ok(courses)
}

/// The one course with exactly this key. Of several with one short name the oldest; one idnumber must be unique.
///
/// # Errors
/// [`RunError::NoSuchCourse`] with some similar keys, [`RunError::Refused`], or the database's error.
pub async fn course(conn: &mut Conn, key: CourseKey, text: &str) -> RunResult<Course> {
    let courses = all(conn).await?;
    let of = |course: &Course| match key {
        CourseKey::Shortname => course.shortname.clone(),
        CourseKey::Idnumber => course.idnumber.clone(),
        CourseKey::Id => course.id.to_string(),
    };
    let found: Vec<&Course> = courses.iter().filter(|course| !text.is_empty() && of(course) == text).collect();
    match found.as_slice() {
        [_, _, ..] if key == CourseKey::Idnumber => {
            let names = found.iter().map(|course| course.shortname.as_str()).collect::<Vec<_>>().join(", ");
            Err(RunError::Refused(format!("several courses have the idnumber '{text}': {names}; give a short name")))
        }
        [first, ..] => Ok((*first).clone()),
        [] => {
            let part = text.to_lowercase();
            let names: BTreeSet<String> = courses.iter().map(of).collect();
            let like = names.into_iter().filter(|name| name.to_lowercase().contains(&part));
            let like = if part.is_empty() { Vec::new() } else { like.take(ALIKE).collect() };
            Err(RunError::NoSuchCourse { key: key.as_str(), name: text.to_owned(), like })
        }
    }
}

/// The courses in a category and below it. The category is named by its path from the top (`Sciences / Chimie`), by its
/// idnumber, or by its id; the first of these that fits counts.
///
/// # Errors
/// [`RunError::Refused`] if no category or several fit, or if there is no course; or the database's error.
pub async fn courses_below(conn: &mut Conn, text: &str) -> RunResult<Vec<Course>> {
    let categories = category::all(conn).await?;
    let path = text.split('/').map(str::trim).collect::<Vec<_>>().join(SEPARATOR);
    let of_path: Vec<_> = categories.iter().filter(|category| category.path == path).collect();
    let of_idnumber = || categories.iter().filter(|c| !text.is_empty() && c.idnumber == text).collect::<Vec<_>>();
    let of_id = || categories.iter().filter(|c| c.id.to_string() == text).collect::<Vec<_>>();
    let found = [of_path, of_idnumber(), of_id()].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    let top = match found.as_slice() {
        [one] => one.path.clone(),
        [] => return Err(RunError::Refused(format!("no category has the path, the idnumber or the id '{text}'"))),
        _ => {
            let ids = found.iter().map(|category| category.id.to_string()).collect::<Vec<_>>().join(", ");
            return Err(RunError::Refused(format!(
                "several categories are called '{text}'; give one of the ids {ids}"
            )));
        }
    };
    let below = format!("{top}{SEPARATOR}");
    let is_below = |id: &i64| {
        categories.iter().any(|category| {
            let inside = category.path.starts_with(&below) || category.id == found[0].id;
            category.id == *id && inside
        })
    };
    let courses: Vec<Course> = all(conn).await?.into_iter().filter(|course| is_below(&course.category)).collect();
    if courses.is_empty() {
        return Err(RunError::Refused(format!("the category '{top}' has no course")));
    }
    Ok(courses)
}
