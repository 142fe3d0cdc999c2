//! One autoenrol instance: what its columns mean (spec autoenrol 1 and 4).
//! It must not evaluate the instance's rule.

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
    /// The course's short name, for messages.
    pub course: String,
    /// The rule as it is stored.
    pub rule: String,
    /// How the group of a participant is named; `None` for no groups.
    pub naming: Option<Naming>,
    /// Whether new participants are admitted now.
    pub open: bool,
    /// How many enrolments it may have; 0 for no limit.
    pub most: i64,
    /// Whether it also enrols users who are enrolled in the course already.
    pub always: bool,
}

/// `customint1`: users enrol by a button, so no task enrols them.
const BY_BUTTON: i64 = 2;

/// The enabled instances of the pass, by id: the order in which instances of one course admit newcomers.
///
/// # Errors
/// The database's error.
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
