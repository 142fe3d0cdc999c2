//! Counts the changes of a pass, from what the run has counted or from the journal. It must not format anything.

use std::collections::BTreeMap;

use crate::change::context::{Position, RunContext};
use crate::change::kind::{Figure, Kind};
use crate::change::kinds;
use crate::db::{DbError, Params};
use crate::outcome::RuleReport;
use crate::reconcile::Pass;

/// The counts of a pass: the run's, less those `before` it. Only the journal distinguishes reactivated enrolments from
/// other changed ones.
pub(super) async fn of(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    before: &BTreeMap<&'static Kind, i64>,
) -> Result<RuleReport, DbError> {
    let mut report = RuleReport { rule: pass.rule.name.to_owned(), ..RuleReport::default() };
    let booked = ctx.counts.iter().map(|(kind, count)| (*kind, count - before.get(kind).copied().unwrap_or(0)));
    for (kind, count) in booked {
        report.book(kind.figure, false, count);
    }
    if report.changed > 0 {
        let (from, to) = Position::of_passes(pass.pass_no, pass.pass_no);
        let params = ctx.params().with("from", from).with("to", to).with("changed", &kinds::ENROLMENT_UPDATE);
        let again = "SELECT COUNT(*) FROM {enrold_change} c WHERE c.run = :run AND c.seq > :from AND c.seq <= :to
            AND c.state = 0 AND c.kind = :changed AND c.oldstatus = 1 AND c.status = 0";
        report.reactivated = ctx.conn.number(again, &params).await?;
        report.changed -= report.reactivated;
    }
    Ok(report)
}

/// The counts of some passes, as the report of a rule or job of this name.
///
/// # Errors
/// The database's error.
pub async fn of_passes(ctx: &mut RunContext<'_>, name: &str, first: i64, last: i64) -> Result<RuleReport, DbError> {
    let mut report = RuleReport { rule: name.to_owned(), ..RuleReport::default() };
    let (from, to) = Position::of_passes(first, last);
    let params = ctx.params().with("from", from).with("to", to);
    count(ctx, "c.seq > :from AND c.seq <= :to", &params, &mut report).await?;
    Ok(report)
}

/// The counts of a job that is not a rule, by the cause that it writes into the journal.
///
/// # Errors
/// The database's error.
pub async fn of_cause(ctx: &mut RunContext<'_>, cause: &str) -> Result<RuleReport, DbError> {
    let mut report = RuleReport { rule: cause.to_owned(), ..RuleReport::default() };
    let params = ctx.params().with("cause", cause);
    count(ctx, "c.cause = :cause", &params, &mut report).await?;
    Ok(report)
}

async fn count(ctx: &mut RunContext<'_>, which: &str, params: &Params, report: &mut RuleReport) -> Result<(), DbError> {
    let sql = format!(
        "SELECT c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END AS again, COUNT(*)
           FROM {{enrold_change}} c
          WHERE c.run = :run AND {which} AND c.state = 0
          GROUP BY c.kind, CASE WHEN c.oldstatus = 1 AND c.status = 0 THEN 1 ELSE 0 END"
    );
    for row in ctx.conn.rows(&sql, params).await? {
        report.book(Kind::of(&row.text(0)).and_then(|kind| kind.figure), row.int(1) == 1, row.int(2));
    }
    Ok(())
}

impl RuleReport {
    /// Adds `count` changes of a figure; changed enrolments that are active `again` have a count of their own.
    fn book(&mut self, figure: Option<Figure>, again: bool, count: i64) {
        match figure {
            Some(Figure::Enrolled) => self.added += count,
            Some(Figure::Changed) if again => self.reactivated += count,
            Some(Figure::Changed) => self.changed += count,
            Some(Figure::Suspended) => self.suspended += count,
            Some(Figure::Unenrolled) => self.removed += count,
            Some(Figure::RoleGiven) => self.roles_added += count,
            Some(Figure::RoleTaken) => self.roles_removed += count,
            Some(Figure::GroupJoined) => self.groups_added += count,
            Some(Figure::GroupLeft) => self.groups_removed += count,
            Some(Figure::Made) => self.made += count,
            Some(Figure::Unmade) => self.unmade += count,
            Some(Figure::CohortJoined | Figure::CohortLeft) | None => {}
        }
    }
}
