//! Queues one summary per course for its editing teachers: who is new, who has left, who has changed groups by a file.
//! It must not know what a file says or how a mail is written; it reads the journal.
//!
//! A summary is a row of the outbox for each teacher, and rows that are no mails (`listed`) for what it tells. They
//! share a key: the run, or the day of a digest.

use crate::change::context::RunContext;
use crate::change::kind::Kind;
use crate::change::kinds;
use crate::config::{Settings, TellTeachers};
use crate::db::table::int;
use crate::db::{DbError, Literal, Table, statement};
use crate::mail::outbox::{keep_letters, queue_for, state};
use crate::mail::participants::what;
use crate::mail::{digest, people};
use crate::moodle::site::zone;

/// The kind of a summary.
pub const TEACHER_SUMMARY: &str = "teacher-summary";
/// The kind of a row that a summary tells: never a mail of its own.
pub const TEACHER_ENTRY: &str = "teacher-entry";

/// Users whom a run concerns in a course.
const TOUCHED: Table = Table::new("touched", &[int("courseid"), int("userid")]).primary("courseid, userid");
/// Enrolments that it touched: whether they were active before, and are now.
const TOUCHED_ENROLMENT: Table =
    Table::new("touched_enrolment", &[int("courseid"), int("userid"), int("enrolid"), int("was"), int("active")])
        .primary("courseid, userid, enrolid");
/// Whether the users were participants before, and are now.
const PARTICIPANT: Table = Table::new("participant", &[int("courseid"), int("userid"), int("was"), int("present")])
    .primary("courseid, userid");

/// Groups that users have joined or left.
const REGROUPING: Table =
    Table::new("regrouping", &[int("courseid"), int("userid"), int("seq"), int("groupid"), int("happened")])
        .primary("courseid, userid, seq");

/// Changes of enrolments.
const ENROLMENTS: [&Kind; 4] =
    [&kinds::ENROLMENT_ADD, &kinds::ENROLMENT_UPDATE, &kinds::ENROLMENT_SUSPEND, &kinds::ENROLMENT_REMOVE];
/// Changes of memberships.
const MEMBERSHIPS: [&Kind; 2] = [&kinds::GROUP_MEMBER_ADD, &kinds::GROUP_MEMBER_REMOVE];

const TOUCHING: &str = statement(include_str!("teachers.sql"), "touched");
const OF_ENROLMENTS: &str = statement(include_str!("teachers.sql"), "enrolments");
const PARTICIPANTS: &str = statement(include_str!("teachers.sql"), "participants");
const OF_MEMBERSHIPS: &str = statement(include_str!("teachers.sql"), "memberships");
const CAME_AND_LEFT: &str = statement(include_str!("teachers.sql"), "came_and_left");
const REGROUPED: &str = statement(include_str!("teachers.sql"), "regrouped");
const COURSES: &str = statement(include_str!("teachers.sql"), "courses");
const LETTERS: &str = statement(include_str!("teachers.sql"), "letters");
const TEACHERS: &str = statement(include_str!("teachers.sql"), "teachers");

/// Queues the summaries of what this run, or this part of it, has changed, at once or as the digest of the day; returns
/// how many. While `smtp.enabled` is off, or if no participation or membership was changed, nothing is queued.
///
/// Call it once, after all changes were applied. At most sixteen statements, whatever the number of users.
///
/// # Errors
/// The database's error.
pub async fn summarize(ctx: &mut RunContext<'_>, settings: &Settings, how: TellTeachers) -> Result<i64, DbError> {
    let changed = ENROLMENTS.iter().chain(&MEMBERSHIPS).any(|kind| ctx.booked(kind) > 0);
    if how == TellTeachers::No || !settings.smtp.enabled || !changed {
        return Ok(0);
    }
    let (key, due) = key(ctx, settings, how).await?;
    let dialect = ctx.conn.dialect();
    let params = ctx
        .params()
        .with("from", ctx.committed)
        .with("key", key)
        .with("part", format!("{}.{}", ctx.run, ctx.committed))
        .with("entry", TEACHER_ENTRY)
        .with("added", &kinds::ENROLMENT_ADD)
        .with("joined", &kinds::GROUP_MEMBER_ADD)
        .with("gone", &kinds::GROUP_MEMBER_REMOVE)
        .with("new", what::NEW)
        .with("left", what::LEFT)
        .with("in_group", what::JOINED)
        .with("out_of_group", what::GONE)
        .fragment("enrolments", list(ENROLMENTS.iter()))
        .fragment("kinds", list(ENROLMENTS.iter().chain(&MEMBERSHIPS)))
        .fragment("name", people::full_name(ctx, "u"))
        .fragment("seq_text", dialect.to_text("r.seq"));
    for table in [&TOUCHED, &TOUCHED_ENROLMENT, &PARTICIPANT, &REGROUPING] {
        ctx.conn.declare(table);
    }
    people::prepare(ctx);
    for (table, sql) in [
        ("touched", TOUCHING),
        ("touched_enrolment", OF_ENROLMENTS),
        ("participant", PARTICIPANTS),
        ("regrouping", OF_MEMBERSHIPS),
    ] {
        ctx.conn.exec(sql, &params).await?;
        ctx.conn.analyse(table).await?;
    }
    let entries = params
        .clone()
        .with("kind", TEACHER_ENTRY)
        .fragment("course_text", dialect.to_text("t.courseid"))
        .fragment("user_text", dialect.to_text("t.userid"));
    let mut told = 0;
    for select in [CAME_AND_LEFT, REGROUPED] {
        told += queue_for(ctx, settings, state::LISTED, select, due, entries.clone()).await?;
    }
    if told == 0 {
        return Ok(0);
    }
    ctx.conn.exec(COURSES, &params).await?;
    let mails = params
        .with("kind", TEACHER_SUMMARY)
        .fragment("active", people::ACTIVE)
        .fragment("course_text", dialect.to_text("h.courseid"))
        .fragment("user_text", dialect.to_text("u.id"));
    keep_letters(ctx, LETTERS, &["course", "shortname", "sender", "site"], mails.clone()).await?;
    queue_for(ctx, settings, state::QUEUED, TEACHERS, due, mails).await
}

/// The key of a summary, and when it is due: at once, or at the next hour of digests by the site's clock.
async fn key(ctx: &mut RunContext<'_>, settings: &Settings, how: TellTeachers) -> Result<(String, i64), DbError> {
    if how != TellTeachers::Day {
        return Ok((format!("r{}.{}", ctx.run, ctx.committed), ctx.now));
    }
    let at = (zone(settings, Some(ctx.site)), settings.mail.digest_hour);
    digest::next_open(ctx.conn, TEACHER_SUMMARY, at, ctx.now).await
}

fn list<'a>(kinds: impl Iterator<Item = &'a &'static Kind>) -> String {
    kinds.map(|kind| Literal::word(kind.name).to_string()).collect::<Vec<_>>().join(", ")
}
