//! Queues mails: set-based inserts into `enrold_outbox` and `enrold_letter` inside a run's transaction.
//! It must not send, nor know the words; it copies what a mail needs, as the rows may be gone when the mail is sent.

use std::ops::RangeInclusive;

use crate::change::context::{Position, RunContext};
use crate::change::kinds;
use crate::config::Settings;
use crate::db::{DbError, Params, statement};
use crate::mail::people;
use crate::moodle::method;

/// The kind of a welcome mail.
pub const WELCOME: &str = "welcome";

/// States of a row of `enrold_outbox`.
pub mod state {
    /// It waits to be sent, or to be tried again.
    pub const QUEUED: &str = "queued";
    /// It was claimed by a sender.
    pub const SENDING: &str = "sending";
    /// The server accepted it.
    pub const SENT: &str = "sent";
    /// The server refused it for good.
    pub const FAILED: &str = "failed";
    /// It was tried, or waited, for too long.
    pub const EXPIRED: &str = "given-up";
    /// The user gets no mails; the message says why.
    pub const SKIPPED: &str = "skipped";
    /// A line of a digest, never a mail of its own.
    pub const LISTED: &str = "listed";
}

/// Where a method has the settings of its welcome mail.
struct Welcoming {
    method: &'static str,
    /// 0: no mail, 1: answers go to the contact of the course, 3: the mail has no contact.
    sender: &'static str,
    /// The instance's own text.
    text: &'static str,
    /// The course that was completed, if the method has one.
    source: &'static str,
}

/// Methods whose new participants are welcomed (spec autoenrol 1 and 8, coursecompleted 1).
const WELCOMING: [Welcoming; 3] = [
    Welcoming { method: "autoenrol", sender: "COALESCE(e.customint7, 0)", text: "e.customtext1", source: "0" },
    Welcoming {
        method: "coursecompleted",
        sender: "COALESCE(e.customint2, 0)",
        text: "e.customtext1",
        source: "e.customint1",
    },
    // Since Moodle 4.5; before, the instance has no such setting.
    Welcoming { method: method::MANUAL, sender: "COALESCE(e.customint1, 0)", text: "e.customtext1", source: "0" },
];

/// Queues a welcome mail for every enrolment that `passes` of this run added to an instance of `method`, if the
/// instance sends one and the enrolment is still active, and returns how many. For other methods, and while
/// `smtp.enabled` is off, nothing is queued.
///
/// Call it after the passes were applied. Nine statements, whatever the number of users.
///
/// # Errors
/// The database's error.
pub async fn welcome(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    passes: RangeInclusive<i64>,
    method: &str,
) -> Result<i64, DbError> {
    let Some(welcoming) = WELCOMING.iter().find(|known| known.method == method) else { return Ok(0) };
    if !settings.smtp.enabled {
        return Ok(0);
    }
    ctx.conn.prefer_indexes(true).await?;
    let queued = welcome_all(ctx, settings, passes, welcoming).await?;
    ctx.conn.prefer_indexes(false).await?;
    Ok(queued)
}

async fn welcome_all(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    passes: RangeInclusive<i64>,
    welcoming: &Welcoming,
) -> Result<i64, DbError> {
    let (from, to) = Position::of_passes(*passes.start(), *passes.end());
    let params = ctx
        .params()
        .with("from", from)
        .with("to", to)
        .with("method", welcoming.method)
        .with("kind", WELCOME)
        .with("enrolled", &kinds::ENROLMENT_ADD)
        .fragment("sender", welcoming.sender)
        .fragment("text", welcoming.text)
        .fragment("source", welcoming.source);
    people::prepare(ctx);
    if ctx.conn.exec(WELCOMED, &params).await? == 0 {
        return Ok(0);
    }
    people::contacts(ctx).await?;
    let facts =
        ["course", "shortname", "text", "sender", "completed", "contact", "contactaddress", "maildisplay", "site"];
    keep_letters(ctx, LETTERS, &facts, params.clone().fragment("name", people::full_name(ctx, "p"))).await?;
    let dialect = ctx.conn.dialect();
    let params = params
        .fragment("name", people::full_name(ctx, "u"))
        .fragment("run_text", dialect.to_text("c.run"))
        .fragment("enrolid_text", dialect.to_text("c.enrolid"))
        .fragment("userid_text", dialect.to_text("c.userid"));
    queue(ctx, settings, state::QUEUED, NEWCOMERS, params).await
}

const WELCOMED: &str = statement(include_str!("outbox.sql"), "welcomed");
const LETTERS: &str = statement(include_str!("outbox.sql"), "letters");
const NEWCOMERS: &str = statement(include_str!("outbox.sql"), "newcomers");
const ADDED: &str = statement(include_str!("outbox.sql"), "queued");

/// Stores the letters that all mails of one instance share: `letter` selects enrolid and the columns `facts`. A letter
/// that this run has stored already stays unchanged.
///
/// # Errors
/// The database's error.
pub(super) async fn keep_letters(
    ctx: &mut RunContext<'_>,
    letter: &str,
    facts: &[&str],
    params: Params,
) -> Result<(), DbError> {
    let columns: Vec<String> = facts.iter().map(|&fact| fact.to_owned()).collect();
    let data = ctx.conn.dialect().json_row("q", &columns);
    let sql = ctx.conn.dialect().insert_absent(
        "{enrold_letter}",
        "run, enrolid, kind, data",
        "SELECT :run, q.enrolid, :kind, :data FROM (:letter) q WHERE q.enrolid > 0",
    );
    ctx.conn.exec(&sql, &params.fragment("letter", letter).fragment("data", data)).await.map(|_| ())
}

/// Queues one row for each of `select` (what, userid, courseid, enrolid, timeend, name, address, lang, place). The kind
/// and `what` identify a mail: one that is in the outbox already is not queued again.
///
/// # Errors
/// The database's error.
pub(super) async fn queue(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    state: &str,
    select: &str,
    params: Params,
) -> Result<i64, DbError> {
    let now = ctx.now;
    queue_for(ctx, settings, state, select, now, params).await
}

/// The same for mails that are sent from the moment `due` (Unix seconds) on.
///
/// # Errors
/// The database's error.
pub(super) async fn queue_for(
    ctx: &mut RunContext<'_>,
    settings: &Settings,
    state: &str,
    select: &str,
    due: i64,
    params: Params,
) -> Result<i64, DbError> {
    let sql = ctx.conn.dialect().insert_absent(
        "{enrold_outbox}",
        "id, run, kind, dedupe, state, userid, courseid, enrolid, timeend, name, address, lang, queued, expires, \
         attempts, due, sent",
        ADDED,
    );
    let params = params
        .with("state", state)
        .with("due", due)
        .with("expires", due + settings.smtp.kept())
        .fragment("select", select);
    Ok(ctx.conn.exec(&sql, &params).await? as i64)
}
