//! The outbox for operators: its mails, counts by state, and the command to try again.
//! It must not send.

use serde::Serialize;

use crate::db::{Conn, DbError, Literal, Params, Row};
use crate::mail::outbox::state;
use crate::moodle::site::id_list;

/// A row of the outbox; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Its number.
    pub id: i64,
    /// The run that queued it.
    pub run: i64,
    /// Its kind.
    pub kind: String,
    /// Its state.
    pub state: String,
    /// `user.id` of the recipient.
    pub userid: i64,
    /// The recipient's address.
    pub address: String,
    /// `course.id`.
    pub courseid: i64,
    /// `enrol.id`.
    pub enrolid: i64,
    /// When it was queued.
    pub queued: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub due: i64,
    /// When it was sent; 0 if it was not.
    pub sent: i64,
    /// The last answer of the server, or why the user gets no mail.
    pub message: String,
}

const COLUMNS: &str =
    "id, run, kind, state, userid, address, courseid, enrolid, queued, attempts, due, sent, COALESCE(message, '')";

fn mail(row: &Row) -> Mail {
    Mail {
        id: row.int(0),
        run: row.int(1),
        kind: row.text(2),
        state: row.text(3),
        userid: row.int(4),
        address: row.text(5),
        courseid: row.int(6),
        enrolid: row.int(7),
        queued: row.int(8),
        attempts: row.int(9),
        due: row.int(10),
        sent: row.int(11),
        message: row.text(12),
    }
}

/// The latest mails, at most `limit`: those that wait or were not delivered, or with `all` also those that were sent or
/// left out.
///
/// # Errors
/// The database's error.
pub async fn list(conn: &mut Conn, all: bool, limit: i64) -> Result<Vec<Mail>, DbError> {
    let done: &[&'static str] = if all { &[state::LISTED] } else { &[state::LISTED, state::SENT, state::SKIPPED] };
    let done: Vec<String> = done.iter().map(|&state| Literal::word(state).to_string()).collect();
    let params = Params::new().with("limit", limit).fragment("done", done.join(", "));
    let sql =
        format!("SELECT {COLUMNS} FROM {{enrold_outbox}} WHERE state NOT IN (:done) ORDER BY id DESC LIMIT :limit");
    Ok(conn.rows(&sql, &params).await?.iter().map(mail).collect())
}

/// How many mails are in each state, the lines of digests left out.
///
/// # Errors
/// The database's error.
pub async fn counts(conn: &mut Conn) -> Result<Vec<(String, i64)>, DbError> {
    let params = Params::new().with("listed", state::LISTED);
    let sql = "SELECT state, COUNT(*) FROM {enrold_outbox} WHERE state <> :listed GROUP BY state ORDER BY state";
    Ok(conn.rows(sql, &params).await?.iter().map(|row| (row.text(0), row.int(1))).collect())
}

/// Queues refused and given-up mails again, all of them or those of `ids`, and makes waiting ones due at once; returns
/// how many. They are tried until `expires` (Unix seconds).
///
/// # Errors
/// The database's error.
pub async fn retry(conn: &mut Conn, ids: &[i64], now: i64, expires: i64) -> Result<u64, DbError> {
    let which = if ids.is_empty() { String::new() } else { format!("AND id IN ({})", id_list(ids)) };
    let params = Params::new()
        .with("now", now)
        .with("expires", expires)
        .with("queued", state::QUEUED)
        .with("failed", state::FAILED)
        .with("expired", state::EXPIRED)
        .fragment("which", which);
    let sql = "UPDATE {enrold_outbox} SET state = :queued, due = :now, expires = :expires
        WHERE state IN (:queued, :failed, :expired) :which";
    conn.exec(sql, &params).await
}

/// Removes mails that expired before `before` (Unix seconds), except queued and claimed ones, and the letters that no
/// mail needs any more; returns how many mails.
///
/// # Errors
/// The database's error.
pub async fn forget(conn: &mut Conn, before: i64) -> Result<u64, DbError> {
    let params = Params::new().with("before", before).with("queued", state::QUEUED).with("sending", state::SENDING);
    let sql = "DELETE FROM {enrold_outbox} WHERE expires < :before AND state NOT IN (:queued, :sending)";
    let removed = conn.exec(sql, &params).await?;
    let letters = "DELETE FROM {enrold_letter} WHERE NOT EXISTS
        (SELECT 1 FROM {enrold_outbox} m WHERE m.run = enrold_letter.run AND m.enrolid = enrold_letter.enrolid)";
    conn.exec(letters, &params).await?;
    Ok(removed)
}
