//! What a pass came to, counted from its wave of the journal.
//! It must not know how it is shown.

use crate::db::{DbError, Params};
use crate::run::outcome::RuleReport;
use crate::run::reconcile::Pass;
use crate::run::work::{Place, Work};

/// The last rank of a wave.
const LAST_RANK: i64 = 99;

/// The counts of a pass; none where it planned nothing.
pub(super) async fn of(work: &mut Work<'_>, pass: &Pass<'_>, changed: bool) -> Result<RuleReport, DbError> {
    if !changed {
        return Ok(RuleReport { rule: pass.rule.name.to_owned(), ..RuleReport::default() });
    }
    of_waves(work, pass.rule.name, pass.wave, pass.wave).await
}

/// The counts of some waves, as the report of a rule or job of this name.
///
/// # Errors
/// The engine's.
pub async fn of_waves(work: &mut Work<'_>, name: &str, first: i64, last: i64) -> Result<RuleReport, DbError> {
    let mut report = RuleReport { rule: name.to_owned(), ..RuleReport::default() };
    let (from, _) = Place { wave: first, rank: 0 }.range();
    let (_, to) = Place { wave: last, rank: LAST_RANK }.range();
    let params = work.params().with("from", from).with("to", to);
    count(work, "c.seq > :from AND c.seq <= :to", &params, &mut report).await?;
    Ok(report)
}

/// The counts of a job that is no rule, by the cause that it writes into the journal.
///
/// # Errors
/// The engine's.
pub async fn of_cause(work: &mut Work<'_>, cause: &str) -> Result<RuleReport, DbError> {
    let mut report = RuleReport { rule: cause.to_owned(), ..RuleReport::default() };
    let params = work.params().with("cause", cause);
    count(work, "c.cause = :cause", &params, &mut report).await?;
    Ok(report)
}

async fn count(work: &mut Work<'_>, which: &str, params: &Params, report: &mut RuleReport) -> Result<(), DbError> {
    let sql = format!(
        "SELECT c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END AS again, COUNT(*) FROM {{enrold_change}} c
          WHERE c.run = :run AND {which} AND c.state = 0
          GROUP BY c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END"
    );
    for row in work.conn.rows(&sql, params).await? {
        let count = row.int(2);
        match (row.text(0).as_str(), row.int(1)) {
            ("enrolment.add", _) => report.added += count,
            ("enrolment.update", 1) => report.reactivated += count,
            ("enrolment.update", _) => report.changed += count,
            ("enrolment.suspend", _) => report.suspended += count,
            ("enrolment.remove", _) => report.removed += count,
            ("role.add", _) => report.roles_added += count,
            ("role.remove", _) => report.roles_removed += count,
            ("group-member.add", _) => report.groups_added += count,
            ("group-member.remove", _) => report.groups_removed += count,
            ("instance.add" | "group.add", _) => report.made += count,
            ("instance.remove", _) => report.unmade += count,
            _ => {}
        }
    }
    Ok(())
}
