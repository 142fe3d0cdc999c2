//! Limits a pass to a part of the site: everything, some courses, or what this run has changed so far. It must not
//! interpret a rule's SQL, which uses the fragments made here.

use crate::change::context::RunContext;
use crate::change::kind;
use crate::db::table::int;
use crate::db::{Bulk, Conn, DbError, Field, Params, Table};
use crate::moodle::method;
use crate::moodle::site::id_list;
use crate::reconcile::{Rule, section};

const ONLY_USER: Table = Table::new("only_user", &[int("userid")]).primary("userid");
const ONLY_COURSE: Table = Table::new("only_course", &[int("courseid")]).primary("courseid");
const ONLY_INSTANCE: Table = Table::new("only_instance", &[int("enrolid")]).primary("enrolid");
const TOUCHED: Table = Table::new("touched", &[int("userid"), int("courseid")]).primary("userid, courseid");

/// The users, courses and instances that a pass reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in the temporary table `only_user`.
    pub users: bool,
    /// Only those in `only_course`.
    pub courses: bool,
    /// Only those in `only_instance`.
    pub instances: bool,
}

impl Filter {
    /// The whole site.
    pub const ALL: Self = Self { users: false, courses: false, instances: false };

    /// Adds the fragments that a rule's SQL puts after a column: `x.userid :among_users`.
    pub(super) fn fragments(self, params: Params) -> Params {
        let among = |limited: bool, table: &str, column: &str| {
            if limited { format!("IN (SELECT o.{column} FROM [{table}] o)") } else { "IS NOT NULL".to_owned() }
        };
        params
            .fragment("among_users", among(self.users, "only_user", "userid"))
            .fragment("among_courses", among(self.courses, "only_course", "courseid"))
            .fragment("among_instances", among(self.instances, "only_instance", "enrolid"))
    }
}

pub(super) fn prepare(conn: &mut Conn) {
    conn.declare(&ONLY_USER);
    conn.declare(&ONLY_COURSE);
    conn.declare(&ONLY_INSTANCE);
    conn.declare(&TOUCHED);
}

/// Limits the next pass of `method` to these courses: to their instances and all their users.
///
/// # Errors
/// The database's error.
pub async fn of_courses(conn: &mut Conn, method: &str, courses: &[i64]) -> Result<Filter, DbError> {
    let params = Params::new().with("method", method);
    conn.exec("DELETE FROM [only_course]", &params).await?;
    let mut bulk = Bulk::into(conn.dialect(), &ONLY_COURSE);
    for course in courses {
        bulk.push(conn, &[Field::Int(*course)]).await?;
    }
    bulk.finish(conn).await?;
    conn.exec("DELETE FROM [only_instance]", &params).await?;
    conn.exec(
        "INSERT INTO [only_instance]
         SELECT e.id FROM {enrol} e JOIN [only_course] o ON o.courseid = e.courseid WHERE e.enrol = :method",
        &params,
    )
    .await?;
    conn.analyse("only_course").await?;
    conn.analyse("only_instance").await?;
    Ok(Filter { users: false, courses: true, instances: true })
}

/// Limits the next pass to the users that a select gives (`userid`, each once).
///
/// # Errors
/// The database's error.
pub async fn of_users(conn: &mut Conn, users: &str) -> Result<Filter, DbError> {
    let params = Params::new().fragment("users", users);
    conn.exec("DELETE FROM [only_user]", &params).await?;
    conn.exec("INSERT INTO [only_user] :users", &params).await?;
    conn.analyse("only_user").await?;
    Ok(Filter { users: true, ..Filter::ALL })
}

/// Limits the next pass of a rule to what this run has changed so far: to its users, and to the instances that the
/// rule's section `concerned` selects, in the courses `limited_to` if given; `None` if there are none.
///
/// # Errors
/// The database's error.
pub async fn of_touched(
    ctx: &mut RunContext<'_>,
    rule: &Rule,
    limited_to: Option<&[i64]>,
) -> Result<Option<Filter>, DbError> {
    let Some(concerned) = section(rule.sql, "concerned") else { return Ok(None) };
    let params = ctx
        .params()
        .with("method", rule.method)
        .with("component", rule.component())
        // In a run in parts, the same rule may have followed in other courses already.
        .with("itself", rule.name)
        .with("of_buffer", kind::names(|kind| kind.table == "enrol_flatfile"))
        .fragment("concerned", concerned)
        .fragment(
            "minded",
            limited_to.map_or_else(|| "IS NOT NULL".to_owned(), |ids| format!("IN ({})", id_list(ids))),
        );
    let conn = &mut *ctx.conn;
    conn.exec("DELETE FROM [touched]", &params).await?;
    let touched = conn
        .exec(
            "INSERT INTO [touched] SELECT DISTINCT c.userid, c.courseid FROM {enrold_change} c
              WHERE c.run = :run AND c.state = 0 AND c.userid IS NOT NULL AND c.courseid IS NOT NULL
                AND c.kind NOT IN (:of_buffer) AND c.cause <> :itself",
            &params,
        )
        .await?;
    if touched == 0 {
        return Ok(None);
    }
    conn.analyse("touched").await?;
    conn.exec("DELETE FROM [only_instance]", &params).await?;
    let instances = "INSERT INTO [only_instance]
        SELECT DISTINCT t.enrolid FROM (:concerned) t JOIN {enrol} e ON e.id = t.enrolid WHERE e.courseid :minded";
    if conn.exec(instances, &params).await? == 0 {
        return Ok(None);
    }
    conn.exec("DELETE FROM [only_user]", &params).await?;
    conn.exec("INSERT INTO [only_user] SELECT DISTINCT t.userid FROM [touched] t", &params).await?;
    conn.analyse("only_instance").await?;
    conn.analyse("only_user").await?;
    Ok(Some(Filter { users: true, courses: false, instances: true }))
}

/// Limits the next pass of a rule to the instances of its method that this run has added or changed itself, with all
/// their users; for links also to those whose source has such an instance. `None` if there are none.
///
/// # Errors
/// The database's error.
pub async fn of_changed_instances(ctx: &mut RunContext<'_>, rule: &Rule) -> Result<Option<Filter>, DbError> {
    let own = "SELECT DISTINCT e.id FROM {enrold_change} c JOIN {enrol} e ON e.id = c.enrolid AND e.enrol = :method
         WHERE c.run = :run AND c.state = 0 AND c.kind IN (:of_instances)";
    let of_sources = "SELECT e.id FROM {enrold_change} c
          JOIN {enrol} e ON e.customint1 = c.courseid AND e.enrol = :method
         WHERE c.run = :run AND c.state = 0 AND c.kind IN (:of_instances)";
    let select = if rule.method == method::META { format!("{own} UNION {of_sources}") } else { own.to_owned() };
    let params = ctx.params().with("method", rule.method);
    let params = params.with("of_instances", kind::names(|kind| kind.table == "enrol"));
    ctx.conn.exec("DELETE FROM [only_instance]", &params).await?;
    if ctx.conn.exec(&format!("INSERT INTO [only_instance] {select}"), &params).await? == 0 {
        return Ok(None);
    }
    ctx.conn.analyse("only_instance").await?;
    Ok(Some(Filter { users: false, courses: false, instances: true }))
}

/// Limits the next pass of a rule to the users whose cohort memberships this run has changed; cohort sync also to the
/// instances of those cohorts. `None` if no membership has changed.
///
/// # Errors
/// The database's error.
pub async fn of_cohorts(ctx: &mut RunContext<'_>, rule: &Rule) -> Result<Option<Filter>, DbError> {
    let changed = "c.run = :run AND c.state = 0 AND c.kind IN (:of_cohorts)";
    let params = ctx.params().with("method", rule.method).fragment("changed", changed);
    let params = params.with("of_cohorts", kind::names(|kind| kind.table == "cohort_members"));
    let conn = &mut *ctx.conn;
    conn.exec("DELETE FROM [only_user]", &params).await?;
    let users = "INSERT INTO [only_user] SELECT DISTINCT c.userid FROM {enrold_change} c WHERE :changed";
    if conn.exec(users, &params).await? == 0 {
        return Ok(None);
    }
    conn.analyse("only_user").await?;
    let instances = rule.method == method::COHORT;
    if instances {
        conn.exec("DELETE FROM [only_instance]", &params).await?;
        conn.exec(
            "INSERT INTO [only_instance] SELECT e.id FROM {enrol} e WHERE e.enrol = :method
                AND e.customint1 IN (SELECT DISTINCT c.itemid FROM {enrold_change} c WHERE :changed)",
            &params,
        )
        .await?;
        conn.analyse("only_instance").await?;
    }
    Ok(Some(Filter { users: true, courses: false, instances }))
}
