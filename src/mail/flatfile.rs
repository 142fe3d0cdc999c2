//! Queues the flat file's own mails: to whom it enrols anew, and to the enroller of the course about each of them.
//! It must not know what a line is or what the mails say; it reads the journal.

use std::ops::RangeInclusive;

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::config::Settings;
use crate::db::table::int;
use crate::db::{DbError, Table, statement};
use crate::mail::outbox::{keep_letters, queue, state};
use crate::mail::people;
use crate::moodle::method;

/// The kind of the mail to a new participant.
pub const FLATFILE_STUDENT: &str = "flatfile-student";
/// The kind of the mail to the enroller of the course about one.
pub const FLATFILE_TEACHER: &str = "flatfile-teacher";

/// The rights of which an enroller has the first, or else the second.
const RIGHTS: [&str; 2] = ["enrol/flatfile:manage", "moodle/role:assign"];

/// Users whom the run has enrolled, each with its first change.
const NEW: Table = Table::new("enrolled_anew", &[int("enrolid"), int("userid"), int("courseid"), int("seq")])
    .primary("enrolid, userid");

const NEWCOMERS: &str = statement(include_str!("flatfile.sql"), "newcomers");
const INSTANCES: &str = statement(include_str!("flatfile.sql"), "instances");
const LETTERS: &str = statement(include_str!("flatfile.sql"), "letters");
const STUDENTS: &str = statement(include_str!("flatfile.sql"), "students");
const TEACHER_LETTERS: &str = statement(include_str!("flatfile.sql"), "teacher_letters");
const TEACHERS: &str = statement(include_str!("flatfile.sql"), "teachers");

/// Queues the mails about the enrolments that `passes` of this run added to flat-file instances and that are still
/// active, as the settings and Moodle's `mailstudents` and `mailteachers` ask for (spec flatfile 7); returns how many.
/// While `smtp.enabled` is off, nothing is queued.
///
/// Call it after the passes were applied. At most a dozen statements, whatever the number of users.
///
/// # Errors
/// The database's error.
pub async fn enrolled(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    passes: RangeInclusive<i64>,
) -> Result<i64, DbError> {
    let moodle = |name| ctx.site.plugin(method::FLATFILE_COMPONENT, name);
    let students = settings.flatfile.mail_students.is_on(moodle("mailstudents"));
    let teachers = settings.flatfile.mail_teachers.is_on(moodle("mailteachers"));
    if !settings.smtp.enabled || !(students || teachers) {
        return Ok(0);
    }
    ctx.conn.prefer_indexes(true).await?;
    let queued = queue_all(ctx, settings, passes, (students, teachers)).await?;
    ctx.conn.prefer_indexes(false).await?;
    Ok(queued)
}

async fn queue_all(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    passes: RangeInclusive<i64>,
    (students, teachers): (bool, bool),
) -> Result<i64, DbError> {
    let (from, to) = Position::of_passes(*passes.start(), *passes.end());
    let params = ctx
        .params()
        .with("from", from)
        .with("to", to)
        .with("method", method::FLATFILE)
        .with("enrolled", &kinds::ENROLMENT_ADD);
    people::prepare(ctx);
    ctx.conn.declare(&NEW);
    if ctx.conn.exec(NEWCOMERS, &params).await? == 0 {
        return Ok(0);
    }
    ctx.conn.analyse("enrolled_anew").await?;
    ctx.conn.exec(INSTANCES, &params).await?;
    people::authorities(ctx, RIGHTS).await?;
    let dialect = ctx.conn.dialect();
    let mails = params
        .clone()
        .fragment("name", people::full_name(ctx, "u"))
        .fragment("run_text", dialect.to_text(":run"))
        .fragment("enrolid_text", dialect.to_text("n.enrolid"))
        .fragment("userid_text", dialect.to_text("n.userid"));
    let letters = params.fragment("name", people::full_name(ctx, "p"));
    let facts = ["course", "shortname", "sender", "contact", "contactaddress", "maildisplay", "site"];
    let mut queued = 0;
    if students {
        keep_letters(ctx, LETTERS, &facts, letters.clone().with("kind", FLATFILE_STUDENT)).await?;
        queued += queue(ctx, settings, state::QUEUED, STUDENTS, mails.clone().with("kind", FLATFILE_STUDENT)).await?;
    }
    if teachers {
        let facts = [facts.as_slice(), &["participant"]].concat();
        let letters = letters.with("kind", FLATFILE_TEACHER).fragment("participant", people::full_name(ctx, "s"));
        keep_letters(ctx, TEACHER_LETTERS, &facts, letters).await?;
        queued += queue(ctx, settings, state::QUEUED, TEACHERS, mails.with("kind", FLATFILE_TEACHER)).await?;
    }
    Ok(queued)
}
