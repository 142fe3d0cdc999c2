//! The buffer of future lines, Moodle's table `enrol_flatfile`: keeps future lines, erases what a line of today names.
//! It must not replay rows: due rows become steps like lines of a file.

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::change::remove::Pick;
use crate::db::table::{int, small, text};
use crate::db::{DbError, Dialect, Table, statement};
use crate::moodle::site::id_list;
use crate::problem::PlaceKind;
use crate::staging::AllowedRoles;

/// Future lines to keep.
const LATER: Table = Table::new(
    "later",
    &[int("line"), text("action", 30), int("roleid"), int("userid"), int("courseid"), int("timestart"), int("timeend")],
)
.indexed_not_on_postgres(&["userid, courseid"]);
/// Due rows of dropped files whose role is not allowed.
const REFUSED_ROW: Table = Table::new("refused_row", &[int("id")]).primary("id");
/// Rows with such a role in the journal, each with the last run that kept it.
const KEPT_ROW: Table = Table::new(
    "kept_row",
    &[int("run"), int("userid"), int("courseid"), int("roleid"), small("op"), int("timestart"), int("timeend")],
)
.indexed(&["userid, courseid"]);

const KEPT_ROWS: &str = statement(include_str!("buffer.sql"), "kept rows");
const REFUSED_ROWS: &str = statement(include_str!("buffer.sql"), "refused rows");
const REFUSED_ROLES: &str = statement(include_str!("buffer.sql"), "refused roles");
const UNRESOLVED: &str = statement(include_str!("buffer.sql"), "unresolved rows");
const ERASED_BY_FILE: &str = statement(include_str!("buffer.sql"), "rows erased by a file");
const NAMED_HASHED: &str = statement(include_str!("buffer.sql"), "named rows, hashed");
const NAMED_BY_USER: &str = statement(include_str!("buffer.sql"), "named rows, user by user");
const LATER_LINES: &str = statement(include_str!("buffer.sql"), "later lines");
const TO_KEEP: &str = statement(include_str!("buffer.sql"), "lines to keep");

/// Settles the buffer for the steps of a file: erases the rows of a (user, course, role) that a line of today names,
/// and keeps future lines that no later line of today erases. An existing row stays as it is, so that the same file has
/// no effect the second time.
///
/// # Errors
/// The database's error.
pub async fn settle(ctx: &mut RunContext<'_>, any_future: bool) -> Result<(), DbError> {
    ctx.conn.declare(&LATER);
    if any_future {
        keep_later(ctx).await?;
    }
    let erased = erased_by_file(ctx.conn.dialect());
    erase(ctx, erased).await?;
    if any_future {
        add(ctx, Position { pass_no: 0, rank: kinds::KEEP }).await?;
    }
    Ok(())
}

/// Erases the due rows, whether they could be replayed or not (spec flatfile 5).
///
/// # Errors
/// The database's error.
pub async fn erase_due(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    erase(ctx, Pick::new(ERASED_BY_REPLAY)).await
}

/// Reports due rows of dropped files with a role that such a file may not name as errors, and puts them into
/// `refused_row`, so that they have no effect; they are erased like the others. New lines with such a role are refused
/// earlier; these rows came under another list, or before there was one. The journal of the run that kept a row last
/// shows where it came from; rows of Moodle's own task and of `enrold import` are in the journal of no dropped file.
/// Takes one statement, and three more if there are due rows with such a role, one of which reads the journal once.
///
/// # Errors
/// The database's error.
pub async fn refuse_roles(ctx: &mut RunContext<'_>, allowed: &AllowedRoles) -> Result<(), DbError> {
    ctx.conn.declare(&REFUSED_ROW);
    let Some(ids) = allowed.ids() else { return Ok(()) };
    let params = ctx.params().fragment("allowed", id_list(ids)).with("key", allowed.key());
    let params = params.with("kept", &kinds::BUFFER_ADD);
    let due = "SELECT COUNT(*) FROM {enrol_flatfile} b JOIN {role} r ON r.id = b.roleid
        WHERE b.timestart < :now AND b.roleid NOT IN (:allowed)";
    if ctx.conn.number(due, &params).await? == 0 {
        return Ok(());
    }
    ctx.conn.declare(&KEPT_ROW);
    for statement in [KEPT_ROWS, REFUSED_ROWS] {
        ctx.conn.exec(statement, &params).await?;
    }
    ctx.report_new(PlaceKind::Buffer, REFUSED_ROLES, params).await
}

/// Reports due rows whose account, role or course is gone, or that name a protected account, as errors; the line is the
/// row's id in the buffer. They are erased like the others, as in Moodle, without effect.
///
/// # Errors
/// The database's error.
pub async fn refuse_unresolved(ctx: &mut RunContext<'_>, protected: &[i64]) -> Result<(), DbError> {
    let text = |expression: &str| ctx.conn.dialect().to_text(expression);
    let params = ctx
        .params()
        .fragment("protected", id_list(protected))
        .fragment("userid", text("b.userid"))
        .fragment("courseid", text("b.courseid"))
        .fragment("roleid", text("b.roleid"));
    ctx.report_new(PlaceKind::Buffer, UNRESOLVED, params).await
}

/// The rows that the steps of a file erase. PostgreSQL hashes the steps; the other databases read the buffer of these
/// users once.
fn erased_by_file(dialect: Dialect) -> Pick {
    let named = if dialect.joins_by_hash() { NAMED_HASHED } else { NAMED_BY_USER };
    Pick::new(ERASED_BY_FILE).fragment("named", named)
}

/// Only due rows. Moodle also erases the rows of the triple that are not due yet: a `del` kept for June would be lost
/// when the `add` kept for February is replayed.
const ERASED_BY_REPLAY: &str =
    "SELECT b.id, b.id AS line, b.courseid, 0 AS contextid FROM {enrol_flatfile} b WHERE b.timestart < :now";

async fn erase(ctx: &mut RunContext<'_>, which: Pick) -> Result<(), DbError> {
    ctx.remove_rows(Position { pass_no: 0, rank: kinds::ERASE }, which).await
}

async fn keep_later(ctx: &mut RunContext<'_>) -> Result<(), DbError> {
    ctx.conn.exec(LATER_LINES, &ctx.params()).await?;
    ctx.conn.analyse(LATER.name).await
}

async fn add(ctx: &mut RunContext<'_>, position: Position) -> Result<(), DbError> {
    let params = ctx.at(position);
    let columns = "line, userid, courseid, roleid, component, timestart, timeend";
    let planned = ctx.journal(position, columns, "planned.line", TO_KEEP, params.clone()).await?;
    if planned > 0 {
        let sql = "INSERT INTO {enrol_flatfile} (action, roleid, userid, courseid, timestart, timeend, timemodified)
            SELECT c.component, c.roleid, c.userid, c.courseid, c.timestart, c.timeend, :now
              FROM {enrold_change} c WHERE :here ORDER BY c.seq";
        let applied = ctx.conn.exec(sql, &params).await? as i64;
        ctx.book(position.rank.kind, planned, applied);
    }
    Ok(())
}
