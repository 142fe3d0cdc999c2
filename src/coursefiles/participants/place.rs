//! Where the rows of a file belong: its course, the enrolment instance, and the role that they give.
//! It must not read rows.

use std::path::Path;

use crate::change::context::RunContext;
use crate::config::{ByHand, Profile, Settings, UserKey};
use crate::coursefiles::CourseFile;
use crate::db::table::text;
use crate::db::{Bulk, Field, Table};
use crate::outcome::{RunError, RunResult};
use crate::problem::{Code, Problem, shown};
use crate::staging::AllowedRoles;
use crate::staging::resolve::{self, KEY_WIDTH, Keys};

/// What the name of a file begins with that says its course.
const BEFORE: &str = "course-";
/// Words for no enrolment.
const NOBODY: [&str; 2] = ["none", "aucun"];

/// The keys that the file's name may mean.
const LIST_COURSE: Table = Table::new("list_course", &[text("ckey", KEY_WIDTH)]);

/// Where the rows belong.
pub struct Place {
    pub courseid: i64,
    pub contextid: i64,
    /// The short name of the course.
    pub shown: String,
    /// The instance that enrols; 0 if nobody is enrolled.
    pub enrolid: i64,
    /// `role.id` of new participants; `None`: nobody is enrolled.
    pub role: Option<i64>,
    /// Whether nobody is enrolled because the course gets its participants from others.
    pub linked: bool,
}

/// Finds the course of a file.
///
/// # Errors
/// A file that is refused as a whole: `course-not-named`, `course-unknown`, `course-ambiguous`, `role-unknown`,
/// `role-not-allowed`, `no-method`. The database's error.
pub async fn find(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    profile: &Profile,
    file: &CourseFile<'_>,
) -> RunResult<Place> {
    let mut place = course(ctx, profile, file.path).await?;
    let role = role(ctx, settings, profile, file.dropped)?;
    let Some(role) = role else { return Ok(place) };
    let params = ctx.params().with("courseid", place.courseid).with("method", profile.method.as_str());
    let sql = "SELECT e.id, e.enrol FROM {enrol} e
        WHERE e.courseid = :courseid AND e.status = 0 AND e.enrol IN ('meta', :method) ORDER BY e.sortorder, e.id";
    let mut instance = None;
    for row in ctx.conn.rows(sql, &params).await? {
        match row.text(1).as_str() {
            "meta" => place.linked |= profile.method == ByHand::Manual && ctx.site.is_enabled("meta"),
            _ => instance = instance.or(Some(row.int(0))),
        }
    }
    if place.linked {
        return Ok(place);
    }
    match instance.filter(|_| ctx.site.is_enabled(profile.method.as_str())) {
        Some(enrolid) => Ok(Place { enrolid, role: Some(role), ..place }),
        None => Err(refused(Code::NoMethod, profile.method.as_str(), &place.shown)),
    }
}

async fn course(ctx: &mut RunContext<'_>, profile: &Profile, path: &str) -> RunResult<Place> {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let keys = Keys { user: UserKey::Id, course: profile.course_key };
    let named = match profile.course.trim() {
        "" => named_by_file(&name),
        course => vec![course.to_owned()],
    };
    let Some(whole) = named.first().cloned() else { return Err(refused(Code::CourseNotNamed, &name, "")) };
    let named: Vec<String> = named.into_iter().filter(|key| keys.may_name_course(key).is_ok()).collect();
    ctx.conn.declare(&LIST_COURSE);
    let mut rows = Bulk::into(ctx.conn.dialect(), &LIST_COURSE);
    for key in &named {
        rows.push(ctx.conn, &[Field::Text(key)]).await?;
    }
    rows.finish(ctx.conn).await?;
    resolve::courses(ctx, profile.course_key, "SELECT DISTINCT ckey FROM [list_course]").await?;
    let sql = "SELECT k.ckey, k.courseid, k.contextid, k.found, c.shortname
        FROM [stage_course] k JOIN {course} c ON c.id = k.courseid WHERE k.found > 0 AND k.contextid IS NOT NULL";
    let found = ctx.conn.rows(sql, &ctx.params()).await?;
    // Of the keys that exist, the longest is meant.
    let Some(row) = found.iter().max_by_key(|row| row.text(0).len()) else {
        return Err(refused(Code::CourseUnknown, &whole, profile.course_key.as_str()));
    };
    if row.int(3) > 1 {
        return Err(refused(Code::CourseAmbiguous, &row.text(0), &row.int(3).to_string()));
    }
    let (courseid, contextid, shown) = (row.int(1), row.int(2), row.text(4));
    Ok(Place { courseid, contextid, shown, enrolid: 0, role: None, linked: false })
}

/// The keys that a name may mean, the longest first: `course-L1.2026.20261201.csv` may be of the course
/// `L1.2026.20261201`, of `L1.2026` or of `L1`.
fn named_by_file(name: &str) -> Vec<String> {
    let Some(begin) = name.get(..BEFORE.len()).filter(|begin| begin.eq_ignore_ascii_case(BEFORE)) else {
        return Vec::new();
    };
    let mut rest = name[begin.len()..].rsplit_once('.').map_or("", |(rest, _)| rest);
    let mut keys = Vec::new();
    while !rest.trim().is_empty() {
        keys.push(rest.trim().to_owned());
        rest = rest.rsplit_once('.').map_or("", |(shorter, _)| shorter);
    }
    keys
}

/// The role that rows give; `None` for none.
fn role(ctx: &RunContext<'_>, settings: &Settings, profile: &Profile, dropped: bool) -> RunResult<Option<i64>> {
    let wanted = profile.role.trim().to_lowercase();
    if NOBODY.contains(&wanted.as_str()) {
        return Ok(None);
    }
    let all = &ctx.site.roles;
    let Some(role) = all.iter().find(|role| role.shortname.to_lowercase() == wanted) else {
        let known = all.iter().map(|role| role.shortname.as_str()).collect::<Vec<_>>().join(", ");
        return Err(refused(Code::RoleUnknown, &profile.role, &known));
    };
    let allowed = AllowedRoles::of_dropped(&settings.flatfile.roles, ctx.site);
    if dropped && !allowed.allows(role.id) {
        return Err(refused(Code::RoleNotAllowed, &profile.role, allowed.key()));
    }
    Ok(Some(role.id))
}

fn refused(code: Code, value: &str, hint: &str) -> RunError {
    RunError::Rejected(Problem::new(0, code, shown(value), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_mean_several_courses() {
        for (name, keys) in [
            ("course-L1.csv", &["L1"][..]),
            ("course-L1.20261201.csv", &["L1.20261201", "L1"]),
            ("Course-UE 3.1.2026.csv", &["UE 3.1.2026", "UE 3.1", "UE 3"]),
            ("course-.csv", &[]),
            ("course-é", &[]),
            ("liste.csv", &[]),
            ("coursé-x.csv", &[]),
        ] {
            assert_eq!(named_by_file(name), keys, "{name}");
        }
    }
}
