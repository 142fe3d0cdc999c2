//! Finds the contact of courses, or the enroller of a method in them, for many courses at once.
//! It must not know what is written to them.

use crate::change::context::RunContext;
use crate::db::table::int;
use crate::db::{DbError, Table};
use crate::moodle::site::id_list;

/// The enrolment instances that send mails; `sender` is Moodle's setting for the sender.
const LETTER: Table =
    Table::new("letter", &[int("enrolid"), int("courseid"), int("contextid"), int("sender")]).primary("enrolid");
/// The candidates for each course; the smallest `place` comes first.
const HOLDER: Table = Table::new("holder", &[int("courseid"), int("userid"), int("place")]);

const PERSON: Table = Table::new("person", &[int("courseid"), int("userid")]).primary("courseid");

/// Which users are candidates in the courses of the temporary table `letter`.
struct Wanted {
    /// A condition on the role `r.roleid` in the context `k` of the course.
    roles: String,
    /// The rank of the role; the smallest comes first.
    place: String,
    /// A condition on the user `u` in the course `l.courseid`.
    also: &'static str,
}

/// Declares the temporary tables of the search; `letter` has one row per enrolment instance that sends mails.
pub(super) fn prepare(ctx: &mut RunContext<'_>) {
    ctx.conn.declare(&LETTER);
    ctx.conn.declare(&HOLDER);
    ctx.conn.declare(&PERSON);
}

/// Fills the temporary table `person` with the contact of each course in `letter`: the first role of Moodle's setting
/// `coursecontact` that any user has in the course or above it, and of its users the first by name (spec autoenrol 8).
/// A course without any has no row.
///
/// # Errors
/// The database's error.
pub(super) async fn contacts(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    let ids: Vec<i64> = ctx.site.config("coursecontact").unwrap_or_default().split(',').filter_map(number).collect();
    let cases: String = ids.iter().zip(1..).map(|(id, place)| format!(" WHEN {id} THEN {place}")).collect();
    let wanted = Wanted {
        roles: format!("r.roleid IN ({})", id_list(&ids)),
        place: if cases.is_empty() { "0".to_owned() } else { format!("CASE r.roleid{cases} ELSE 0 END") },
        also: "",
    };
    find(ctx, &wanted, ["", ""]).await
}

/// Fills `person` with the enroller of each course in `letter`: of the participants with an active enrolment whose role
/// has `capability` in the course, the one whose role comes first in the site's order of roles, then by name (spec
/// enrol-core 15).
///
/// # Errors
/// The database's error.
pub(super) async fn enrollers(ctx: &mut RunContext<'_>, capability: &str) -> Result<(), DbError> {
    let wanted = Wanted {
        roles: allowed(":capability"),
        place: "(SELECT MIN(q.sortorder) FROM {role} q WHERE q.id = r.roleid)".to_owned(),
        also: ACTIVE,
    };
    find(ctx, &wanted, [capability, ""]).await
}

/// Fills `person` with the enroller of the flat file in each course in `letter`: of the participants with an active
/// enrolment and a role that has the first of `rights`, or else the second, the one with the highest role by Moodle's
/// authority: the deepest context, then the site's order of roles, then the earliest assignment (spec flatfile 7).
///
/// # Errors
/// The database's error.
pub(super) async fn authorities(ctx: &mut RunContext<'_>, rights: [&str; 2]) -> Result<(), DbError> {
    let (first, second) = (allowed(":capability"), allowed(":otherwise"));
    // Four numbers in one: the right, the depth of the context, the role, the assignment.
    let place = format!(
        "CASE WHEN {first} THEN 0 ELSE 1000000000000000000 END
             + (99 - (SELECT MAX(LENGTH(d.path) - LENGTH(REPLACE(d.path, '/', ''))) FROM {{context}} d
                      WHERE d.id = r.contextid)) * 1000000000000000
             + (SELECT MIN(q.sortorder) FROM {{role}} q WHERE q.id = r.roleid) * 100000000000 + r.id"
    );
    let wanted = Wanted { roles: format!("(({first}) OR ({second}))"), place, also: ACTIVE };
    find(ctx, &wanted, rights).await
}

/// The condition that the role `r.roleid` has a right in the context `k`: an override replaces what is set above, and a
/// prohibition is final.
fn allowed(right: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {{role_capabilities}} a JOIN {{context}} w ON w.id = a.contextid
            WHERE a.roleid = r.roleid AND a.capability = {right} AND a.permission = 1
              AND (w.id = k.id OR k.path LIKE w.path || '/%')
              AND NOT EXISTS (SELECT 1 FROM {{role_capabilities}} o JOIN {{context}} v ON v.id = o.contextid
                  WHERE o.roleid = r.roleid AND o.capability = {right} AND (v.id = k.id OR k.path LIKE v.path || '/%')
                    AND (o.permission = -1000 OR (o.permission < 0 AND v.path LIKE w.path || '/%'))))"
    )
}

/// The condition that the user has an active enrolment in the course.
pub(super) const ACTIVE: &str = "AND EXISTS (SELECT 1 FROM {user_enrolments} x JOIN {enrol} e ON e.id = x.enrolid
         WHERE e.courseid = h.courseid AND x.userid = u.id AND x.status = 0 AND e.status = 0
           AND x.timestart <= :now AND (x.timeend = 0 OR x.timeend > :now))";

async fn find(ctx: &mut RunContext<'_>, wanted: &Wanted, rights: [&str; 2]) -> Result<(), DbError> {
    let params = ctx
        .params()
        .with("capability", rights[0])
        .with("otherwise", rights[1])
        .fragment("roles", wanted.roles.clone())
        .fragment("place", wanted.place.clone())
        .fragment("also", wanted.also);
    for sql in [HOLDERS_IN, HOLDERS_ABOVE, FIRST] {
        ctx.conn.exec(sql, &params).await?;
    }
    Ok(())
}

const HOLDERS_IN: &str = "INSERT INTO [holder]
    SELECT DISTINCT l.courseid, r.userid, :place FROM [letter] l JOIN {context} k ON k.id = l.contextid
      JOIN {role_assignments} r ON r.contextid = k.id WHERE :roles";

/// Roles in categories and the whole site: few, so they are joined by the beginning of their path.
const HOLDERS_ABOVE: &str = "INSERT INTO [holder]
    SELECT DISTINCT l.courseid, r.userid, :place FROM {context} p JOIN {role_assignments} r ON r.contextid = p.id
      JOIN [letter] l ON 1 = 1 JOIN {context} k ON k.id = l.contextid
     WHERE p.contextlevel < 50 AND k.path LIKE p.path || '/%' AND :roles";

const FIRST: &str = "INSERT INTO [person]
    SELECT t.courseid, t.userid FROM
        (SELECT h.courseid, u.id AS userid,
                ROW_NUMBER() OVER (PARTITION BY h.courseid ORDER BY h.place, u.lastname, u.firstname, u.id) AS n
           FROM [holder] h JOIN {user} u ON u.id = h.userid
          WHERE u.deleted = 0 AND u.suspended = 0 :also) t
     WHERE t.n = 1";

/// A user's name in the order that the site's setting `fullnamedisplay` gives first and last name.
pub(super) fn full_name(ctx: &RunContext<'_>, user: &str) -> String {
    let setting = ctx.site.config("fullnamedisplay").unwrap_or_default();
    let (first, last) = (setting.find("firstname"), setting.find("lastname"));
    if last < first && last.is_some() {
        format!("{user}.lastname || ' ' || {user}.firstname")
    } else {
        format!("{user}.firstname || ' ' || {user}.lastname")
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}
