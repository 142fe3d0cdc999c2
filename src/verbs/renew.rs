//! Renews enrolments: an active one with an end gets a later end. It must not shorten an enrolment, nor make a
//! suspended one active.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::config::SmallTimes;
use crate::db::table::int;
use crate::db::{Bulk, Field, Params, Table, statement};
use crate::files::times::{Bound, parse};
use crate::outcome::{Note, RunError, RunResult};
use crate::verbs::order::{NewEnd, VerbOrder};
use crate::verbs::people::{self, Choice};
use crate::verbs::{Facts, Period};

/// The ends that the chosen enrolments have, each with the new one.
const END: Table = Table::new("verb_end", &[int("oldend"), int("newend")]).primary("oldend");

const ENDS: &str = statement(include_str!("renew.sql"), "ends");
const PLANNED: &str = statement(include_str!("renew.sql"), "planned");
const LEFT: &str = statement(include_str!("renew.sql"), "left");

/// Refuses an end that is no date, or has passed.
pub(super) fn check(facts: &Facts, end: &NewEnd) -> RunResult<()> {
    if let NewEnd::Until(date) = end {
        until(facts, date)?;
    }
    Ok(())
}

/// The last second of a day, or a moment, that is still to come.
fn until(facts: &Facts, date: &str) -> RunResult<i64> {
    let refused = |why: String| RunError::Refused(format!("--until {date}: {why}"));
    let end = parse(date.trim(), Bound::End, facts.zone, SmallTimes::Refuse);
    let end = end.map_err(|_| refused("write a date as 2027-06-30, 2027-06-30 18:00 or 30/06/2027".to_owned()))?;
    if end == 0 {
        return Err(refused("a new end is needed".to_owned()));
    }
    if end <= facts.now {
        return Err(refused("this has passed: nobody would be renewed by it".to_owned()));
    }
    Ok(end)
}

/// Gives the chosen enrolments their new end, in one statement.
pub(super) async fn apply(
    ctx: &mut RunContext<'_>,
    facts: &Facts,
    order: &VerbOrder,
    methods: &[String],
    end: &NewEnd,
) -> RunResult<()> {
    let wanted: Vec<String> = methods.iter().map(|method| ctx.conn.dialect().text(method).to_string()).collect();
    let params = Params::new().fragment("methods", wanted.join(", "));
    let instances = "e.enrol IN (:methods) AND e.status = 0";
    people::choose(ctx, order, Choice { instances, enrolments: "1 = 1", params }).await?;
    let params = match end {
        NewEnd::Until(date) => {
            let until = until(facts, date)?;
            told(ctx, until).await?;
            ctx.params().with("newend", until).fragment("ends", "")
        }
        NewEnd::By(period) => {
            told(ctx, i64::MAX).await?;
            load_ends(ctx, facts, *period).await?;
            ctx.params().fragment("newend", "n.newend").fragment("ends", "JOIN [verb_end] n ON n.oldend = x.timeend")
        }
    };
    let position = Position { pass_no: ctx.next_pass(), rank: kinds::UPDATE };
    let params = params.and(ctx.at(position)).fragment("oldrow", ctx.old_row("user_enrolments", "x"));
    let columns = "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
        oldtimestart, oldtimeend, oldrow";
    let planned =
        ctx.journal(position, columns, "planned.courseid, planned.userid, planned.enrolid", PLANNED, params).await?;
    Ok(ctx.change_planned(position, planned).await?)
}

/// Adds a note about who is left as he is.
async fn told(ctx: &mut RunContext<'_>, until: i64) -> RunResult<()> {
    let row = ctx.conn.row(LEFT, &Params::new().with("until", until)).await?;
    let (suspended, endless, later) = row.map_or((0, 0, 0), |row| (row.int(0), row.int(1), row.int(2)));
    if suspended + endless + later > 0 {
        ctx.notes.push(Note::NotRenewed { suspended, endless, later });
    }
    Ok(())
}

/// Fills `verb_end`: the calendar is reckoned here, for each end once.
async fn load_ends(ctx: &mut RunContext<'_>, facts: &Facts, period: Period) -> RunResult<()> {
    ctx.conn.declare(&END);
    let ends: Vec<i64> = ctx.conn.rows(ENDS, &ctx.params()).await?.iter().map(|row| row.int(0)).collect();
    let mut rows = Bulk::into(ctx.conn.dialect(), &END);
    for end in ends {
        if let Some(later) = period.after(end.max(facts.now), facts.zone) {
            rows.push(ctx.conn, &[Field::Int(end), Field::Int(later)]).await?;
        }
    }
    rows.finish(ctx.conn).await?;
    Ok(ctx.conn.analyse(END.name).await?)
}
