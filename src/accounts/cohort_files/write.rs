//! Writes what is decided about cohorts: problems, new cohorts, changed ones, and the table of the cohorts that the
//! file names. It must not decide anything.

use crate::accounts::cohort_files::decide::{Decided, Existing, Target};
use crate::change::cohorts::{self, CHANGED_COHORT, NEW_COHORT};
use crate::change::context::RunContext;
use crate::db::table::{int, small, text};
use crate::db::{Bulk, DbError, Field, Table};
use crate::problem::{PlaceKind, Problem, Rows};
use crate::staging::resolve::KEY_WIDTH;

/// The keys of a file of members: the cohort, the lines that count, what happens to all members, what is wrong. `made`
/// is the number of a cohort that the file makes.
pub const FILE_COHORT: Table = Table::new(
    "file_cohort",
    &[
        text("ckey", KEY_WIDTH),
        int("cohortid"),
        int("contextid"),
        int("made"),
        int("since"),
        int("until"),
        int("freed"),
        small("synced"),
        small("deleted"),
        text("code", 40),
        text("hint", 255),
    ],
)
.primary("ckey");

/// Reports rows that are refused.
///
/// # Errors
/// The database's error.
pub async fn report(ctx: &mut RunContext<'_>, problems: &[Problem]) -> Result<(), DbError> {
    let mut rows = Rows::new(ctx.conn.dialect());
    for problem in problems {
        rows.add(ctx.conn, &mut ctx.problems, (PlaceKind::Line, problem.line as i64), problem).await?;
    }
    rows.finish(ctx.conn).await
}

/// Makes the new cohorts, and writes their ids into `file_cohort`, if there is one. Moodle's own upload stores empty
/// texts, but no idnumbers where the file has no column of them; tool_sync stores none.
///
/// # Errors
/// The database's error.
pub async fn create(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    decided: &Decided,
    (members, idnumbers): (bool, bool),
) -> Result<(), DbError> {
    if decided.new.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&NEW_COHORT);
    let mut rows = Bulk::into(ctx.conn.dialect(), &NEW_COHORT);
    let or_null = |text| if members && str::is_empty(text) { Field::Null } else { Field::Text(text) };
    for (at, (line, cohort)) in decided.new.iter().enumerate() {
        let row = [
            Field::Int(at as i64 + 1),
            Field::Int(*line as i64),
            Field::Int(cohort.contextid),
            Field::Text(&cohort.name),
            if idnumbers || members { Field::Text(&cohort.idnumber) } else { Field::Null },
            or_null(&cohort.description),
            Field::Int(cohort.format),
            Field::Int(i64::from(cohort.visible)),
            Field::Text(&cohort.component),
            or_null(&cohort.theme),
            Field::Int(0),
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(NEW_COHORT.name).await?;
    cohorts::create(ctx, pass_no).await?;
    if decided.keys.is_empty() {
        return Ok(());
    }
    let ids = [("cohortid", "t.cohortid")];
    let sql = ctx.conn.dialect().update_joined("[file_cohort]", "k", &ids, "[new_cohort] t", "t.n = k.made");
    ctx.conn.exec(&sql, &ctx.params()).await.map(|_| ())
}

/// Changes existing cohorts. A file of members leaves their `timemodified`, as tool_sync does.
///
/// # Errors
/// The database's error.
pub async fn change(
    ctx: &mut RunContext<'_>,
    pass_no: i64,
    decided: &Decided,
    keeps_time: bool,
) -> Result<(), DbError> {
    let changed: Vec<&Existing> = decided.existing.iter().filter(|cohort| cohort.is != cohort.was).collect();
    if changed.is_empty() {
        return Ok(());
    }
    ctx.conn.declare(&CHANGED_COHORT);
    let mut rows = Bulk::into(ctx.conn.dialect(), &CHANGED_COHORT);
    for Existing { line, was, is } in changed {
        let row = [
            Field::Int(was.id),
            Field::Int(*line as i64),
            Field::Int(is.contextid),
            Field::Text(&is.name),
            Field::Text(&is.idnumber),
            Field::Text(&is.description),
            Field::Int(is.format),
            Field::Int(i64::from(is.visible)),
            Field::Text(&is.theme),
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(CHANGED_COHORT.name).await?;
    cohorts::change(ctx, pass_no, keeps_time).await
}

/// Makes `file_cohort`; the ids of new cohorts are still missing.
///
/// # Errors
/// The database's error.
pub async fn keys(ctx: &mut RunContext<'_>, decided: &Decided) -> Result<(), DbError> {
    ctx.conn.declare(&FILE_COHORT);
    let mut rows = Bulk::into(ctx.conn.dialect(), &FILE_COHORT);
    for named in &decided.keys {
        let (cohortid, contextid, made) = match named.target {
            _ if named.fault.is_some() => (0, 0, 0),
            Target::Nothing => (0, 0, 0),
            Target::Existing(at) => (decided.existing[at].was.id, decided.existing[at].is.contextid, 0),
            Target::New(at) => (0, decided.new[at].1.contextid, at as i64 + 1),
        };
        let (code, hint) = match &named.fault {
            Some((code, hint)) => (code.as_str(), hint.as_str()),
            None => ("", ""),
        };
        let until = i64::try_from(named.until).unwrap_or(i64::MAX);
        let row = [
            Field::Text(&named.key),
            Field::Int(cohortid),
            Field::Int(contextid),
            Field::Int(made),
            Field::Int(named.since as i64),
            Field::Int(until),
            Field::Int(named.freed as i64),
            Field::Int(i64::from(named.synced)),
            Field::Int(i64::from(named.deleted)),
            Field::Text(code),
            Field::Text(hint),
        ];
        rows.push(ctx.conn, &row).await?;
    }
    rows.finish(ctx.conn).await?;
    ctx.conn.analyse(FILE_COHORT.name).await
}
