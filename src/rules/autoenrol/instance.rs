//! One autoenrol instance: what its columns mean (spec autoenrol 1 and 4).
//! It must not know whom its rule lets in.

use crate::change::context::RunContext;
use crate::db::{DbError, Row};
use crate::reconcile::Pass;
use crate::rules::autoenrol::name::Naming;

/// An enabled instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `enrol.id`.
    pub id: i64,
    /// Its course.
    pub courseid: i64,
    /// The course's context.
    pub contextid: i64,
    /// The course's short name, for people.
    pub course: String,
    /// The rule as it is stored.
    pub rule: String,
    /// How the group of a participant is named; `None` for no groups.
    pub naming: Option<Naming>,
    /// New participants are let in now.
    pub open: bool,
    /// How many enrolments it may have; 0 for as many as there are.
    pub most: i64,
    /// It enrols also who is enrolled in the course already.
    pub always: bool,
}

/// `customint1`: a button must be pressed, so no task enrols.
const BY_BUTTON: i64 = 2;

/// The enabled instances that the pass looks at, by id: the order in which they take newcomers of the same course.
///
/// # Errors
/// The database's.
pub async fn read(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> Result<Vec<Instance>, DbError> {
    let Some(sql) = pass.section("enabled") else { return Ok(Vec::new()) };
    let params = pass.params(ctx);
    Ok(ctx.conn.rows(sql, &params).await?.iter().map(|row| Instance::of(row, ctx.now)).collect())
}

impl Instance {
    fn of(row: &Row, now: i64) -> Self {
        let (when, lets_in, starts, ends) = (row.int(5), row.int(6), row.int(7), row.int(8));
        let in_window = (starts == 0 || starts <= now) && (ends == 0 || ends >= now);
        Self {
            id: row.int(0),
            courseid: row.int(1),
            contextid: row.int(2),
            course: row.text(3),
            rule: row.text(4),
            naming: Naming::of(&row.text(12), &row.text(11), row.int(13)),
            open: when != BY_BUTTON && lets_in != 0 && in_window,
            most: row.int(9).max(0),
            always: row.int(10) == 1,
        }
    }
}
