//! Renews enrolments: an active one with an end gets a later end. It must not shorten an enrolment, nor make a
//! suspended one active.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::config::SmallTimes;
use crate::db::table::{int, small};
use crate::db::{Bulk, Field, Params, Table, statement};
use crate::files::times::{Bound, parse};
use crate::outcome::{Note, RunError, RunResult};
use crate::verbs::order::{NewEnd, VerbOrder};
use crate::verbs::people::{self, Choice};
use crate::verbs::{Facts, Period};

/// The ends that the chosen enrolments have, each with the one that a period makes of it.
const END: Table = Table::new("verb_end", &[int("oldend"), small("period"), int("newend")]).primary("oldend, period");

const ENDS: &str = statement(include_str!("renew.sql"), "ends");
const PLANNED: &str = statement(include_str!("renew.sql"), "planned");
const LEFT: &str = statement(include_str!("renew.sql"), "left");
const ENDS_OF_ROWS: &str = statement(include_str!("rows.sql"), "ends of rows");
const NEW_ENDS: &str = statement(include_str!("rows.sql"), "new ends of rows");

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
    let new_ends = match end {
        NewEnd::Until(date) => Params::new().with("newend", until(facts, date)?).fragment("ends", ""),
        NewEnd::By(period) => {
            load_ends(ctx, facts, ENDS, &[*period]).await?;
            let ends = "LEFT JOIN [verb_end] n ON n.oldend = v.timeend";
            Params::new().fragment("newend", "n.newend").fragment("ends", ends)
        }
    };
    renew(ctx, new_ends).await
}

/// Renews the enrolments of the rows of a file, which are chosen; of several ends the latest counts.
pub(super) async fn apply_rows(ctx: &mut RunContext<'_>, facts: &Facts, periods: &[Period]) -> RunResult<()> {
    load_ends(ctx, facts, ENDS_OF_ROWS, periods).await?;
    renew(ctx, Params::new().fragment("newend", "n.newend").fragment("ends", NEW_ENDS)).await
}

/// Gives the chosen enrolments the end `:newend`, which `:ends` joins; tells who is left.
async fn renew(ctx: &mut RunContext<'_>, new_ends: Params) -> RunResult<()> {
    told(ctx, &new_ends).await?;
    let position = Position { pass_no: ctx.next_pass(), rank: kinds::UPDATE };
    let params = new_ends.and(ctx.at(position)).fragment("oldrow", ctx.old_row("user_enrolments", "x"));
    let columns = "line, userid, courseid, enrolid, contextid, targetid, status, timestart, timeend, oldstatus, \
        oldtimestart, oldtimeend, oldrow";
    let planned =
        ctx.journal(position, columns, "planned.courseid, planned.userid, planned.enrolid", PLANNED, params).await?;
    Ok(ctx.change_planned(position, planned).await?)
}

/// Adds a note about who is left as he is.
async fn told(ctx: &mut RunContext<'_>, new_ends: &Params) -> RunResult<()> {
    let row = ctx.conn.row(LEFT, new_ends).await?;
    let (suspended, endless, later) = row.map_or((0, 0, 0), |row| (row.int(0), row.int(1), row.int(2)));
    if suspended + endless + later > 0 {
        ctx.notes.push(Note::NotRenewed { suspended, endless, later });
    }
    Ok(())
}

/// Fills `verb_end` from a select of ends and the numbers of their periods: the calendar is reckoned here, for each
/// pair once.
async fn load_ends(ctx: &mut RunContext<'_>, facts: &Facts, ends: &str, periods: &[Period]) -> RunResult<()> {
    ctx.conn.declare(&END);
    let ends: Vec<(i64, i64)> =
        ctx.conn.rows(ends, &ctx.params()).await?.iter().map(|row| (row.int(0), row.int(1))).collect();
    let mut rows = Bulk::into(ctx.conn.dialect(), &END);
    for (end, number) in ends {
        let period = usize::try_from(number - 1).ok().and_then(|at| periods.get(at));
        if let Some(later) = period.and_then(|period| period.after(end.max(facts.now), facts.zone)) {
            rows.push(ctx.conn, &[Field::Int(end), Field::Int(number), Field::Int(later)]).await?;
        }
    }
    rows.finish(ctx.conn).await?;
    Ok(ctx.conn.analyse(END.name).await?)
}
