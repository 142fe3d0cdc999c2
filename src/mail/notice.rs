//! Queues notifications that enrolments end soon: for the participants and, as one digest per instance, for the
//! enroller. It must not end an enrolment or send a mail; it queues, inside a run's transaction.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use crate::change::context::RunContext;
use crate::clock::midnight;
use crate::config::Settings;
use crate::db::table::int;
use crate::db::{DbError, Params, Table, statement};
use crate::mail::outbox::{keep_letters, queue, state};
use crate::mail::people;
use crate::moodle::site::{id_list, zone};

/// Enrolments that end soon; `place` is their order in a digest.
const SOON: Table = Table::new(
    "expiring",
    &[int("place"), int("enrolid"), int("courseid"), int("userid"), int("timeend"), int("early")],
);

/// The kind of the mail to a participant.
pub const EXPIRY_USER: &str = "expiry-user";
/// The kind of the digest for the enroller.
pub const EXPIRY_TEACHER: &str = "expiry-teacher";
/// The kind of a line of that digest: never a mail of its own.
pub const EXPIRY_ENTRY: &str = "expiry-entry";

/// The methods whose instances have these notifications in Moodle (spec enrol-core 15, autoenrol 7). Flat-file, cohort,
/// category and meta instances have the columns, but no such mails.
pub const METHODS: [&str; 3] = ["manual", "self", "autoenrol"];

/// The hour from which a method notifies if it has no setting (spec enrol-core 15).
const HOUR: i64 = 6;

/// Queues the notifications of every enabled method whose hour of this day has come and that has not notified since,
/// and returns the number of mails. A method whose own task in Moodle is enabled is left to Moodle, and so is a day on
/// which Moodle has already notified. While `smtp.enabled` is off, nothing is queued.
///
/// Only instances in the courses `courses` (`course.id`) notify; `None` for all.
///
/// Call it in any run of expirations, after expired enrolments were ended; at most fifteen statements per method that
/// is due, whatever the number of users.
///
/// # Errors
/// The database's error.
pub async fn notify(ctx: &mut RunContext<'_>, settings: &Settings, courses: Option<&[i64]>) -> Result<i64, DbError> {
    if !settings.smtp.enabled {
        return Ok(0);
    }
    let zone = zone(settings, Some(ctx.site));
    let among = courses.map_or_else(|| "1 = 1".to_owned(), |ids| format!("e.courseid IN ({})", id_list(ids)));
    let mut queued = 0;
    for method in METHODS {
        if let Some(since) = due(ctx, zone, method).await? {
            queued += of_method(ctx, settings, method, since, &among).await?;
        }
    }
    Ok(queued)
}

/// The time in Unix seconds from which the method is due today, if it is due now.
async fn due(ctx: &mut RunContext<'_>, zone: Tz, method: &str) -> Result<Option<i64>, DbError> {
    if !ctx.site.is_enabled(method) {
        return Ok(None);
    }
    let plugin = format!("enrol_{method}");
    let number = |name: &str| ctx.site.plugin(&plugin, name).and_then(|text| text.trim().parse::<i64>().ok());
    let hour = number("expirynotifyhour").unwrap_or(HOUR).clamp(0, 23);
    let by_moodle = number("expirynotifylast").unwrap_or(0);
    let since = midnight(zone, ctx.now) + hour * 3_600;
    if ctx.now < since || by_moodle >= since {
        return Ok(None);
    }
    let task = format!(r"\enrol_{method}\task\send_expiry_notifications");
    let params = ctx.params().with("method", method).with("task", task);
    let sql = "SELECT (SELECT MAX(n.queued) FROM {enrold_notice} n WHERE n.method = :method),
            (SELECT COUNT(*) FROM {task_scheduled} t WHERE t.classname = :task AND t.disabled = 0)";
    let row = ctx.conn.row(sql, &params).await?;
    let (last, twin) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
    Ok((last < since && twin == 0).then_some(since))
}

async fn of_method(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    method: &str,
    since: i64,
    among: &str,
) -> Result<i64, DbError> {
    let zone = zone(settings, Some(ctx.site));
    let day = DateTime::from_timestamp(since, 0).map_or(0, |at| {
        let at = at.with_timezone(&zone);
        i64::from(at.year()) * 10_000 + i64::from(at.month()) * 100 + i64::from(at.day())
    });
    let params = ctx.params().with("method", method).with("day", day.to_string()).fragment("among", among);
    mark(ctx, &params).await?;
    people::prepare(ctx);
    ctx.conn.declare(&SOON);
    if ctx.conn.exec(EXPIRING, &params).await? == 0 {
        return Ok(0);
    }
    ctx.conn.analyse("expiring").await?;
    ctx.conn.exec(INSTANCES, &params).await?;
    people::enrollers(ctx, &format!("enrol/{method}:manage")).await?;
    letters(ctx, &params).await?;
    mails(ctx, settings, params).await
}

/// Records that the method has notified, even if there was no mail to queue.
async fn mark(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    let insert = ctx.conn.dialect().insert_absent("{enrold_notice}", "method, queued", "VALUES (:method, :now)");
    ctx.conn.exec(&insert, params).await?;
    ctx.conn.exec("UPDATE {enrold_notice} SET queued = :now WHERE method = :method", params).await.map(|_| ())
}

const EXPIRING: &str = statement(include_str!("notice.sql"), "expiring");

const INSTANCES: &str = "INSERT INTO [letter]
    SELECT DISTINCT t.enrolid, t.courseid, k.id, 1 FROM [expiring] t
      JOIN {context} k ON k.instanceid = t.courseid AND k.contextlevel = 50";

const LETTERS: &str = statement(include_str!("notice.sql"), "letters");

async fn letters(ctx: &mut RunContext<'_>, params: &Params) -> Result<(), DbError> {
    let facts = ["course", "shortname", "threshold", "sender", "contact", "contactaddress", "maildisplay", "site"];
    let params = params.clone().fragment("name", people::full_name(ctx, "p"));
    // The digest goes to the contact itself, so it has no contact to answer to.
    for (kind, sender) in [(EXPIRY_USER, 1), (EXPIRY_TEACHER, 3)] {
        keep_letters(ctx, LETTERS, &facts, params.clone().with("kind", kind).with("sender", sender)).await?;
    }
    Ok(())
}

const TO_USERS: &str = statement(include_str!("notice.sql"), "users");

const ENTRIES: &str =
    "SELECT :day || '/' || :enrolid_text || '/' || :userid_text AS what, t.userid, t.courseid, t.enrolid, t.timeend,
        :name AS name, u.email AS address, u.lang, t.place
   FROM [expiring] t JOIN {user} u ON u.id = t.userid WHERE t.userid > 0";

const TO_ENROLLERS: &str =
    "SELECT :day || '/' || :enrolid_text AS what, u.id AS userid, t.courseid, t.enrolid, 0 AS timeend,
        :name AS name, u.email AS address, u.lang, t.enrolid AS place
   FROM [letter] t LEFT JOIN [person] c ON c.courseid = t.courseid JOIN {user} u ON u.id = COALESCE(c.userid, :actor)
  WHERE u.deleted = 0";

async fn mails(ctx: &mut RunContext<'_>, settings: &Settings, params: Params) -> Result<i64, DbError> {
    let dialect = ctx.conn.dialect();
    let params = params
        .fragment("name", people::full_name(ctx, "u"))
        .fragment("enrolid_text", dialect.to_text("t.enrolid"))
        .fragment("userid_text", dialect.to_text("t.userid"))
        .fragment("timeend_text", dialect.to_text("t.timeend"));
    let of = |kind: &str| params.clone().with("kind", kind);
    let users = queue(ctx, settings, state::QUEUED, TO_USERS, of(EXPIRY_USER)).await?;
    queue(ctx, settings, state::LISTED, ENTRIES, of(EXPIRY_ENTRY)).await?;
    let enrollers = queue(ctx, settings, state::QUEUED, TO_ENROLLERS, of(EXPIRY_TEACHER)).await?;
    Ok(users + enrollers)
}
