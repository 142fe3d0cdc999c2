//! Reads the mails that are due, each with all that it tells: the rows of a digest, a sealed password, failed lines.
//! It must not send or mark a mail.

use crate::config::Settings;
use crate::db::{Conn, DbError, Params, Row, statement};
use crate::mail::failed::{self, FAILED_ENTRY, FAILED_LINES};
use crate::mail::letter::Draft;
use crate::mail::outbox::state;
use crate::mail::participants::Entry;
use crate::mail::{EXPIRY_ENTRY, EXPIRY_TEACHER, PASSWORD, TEACHER_ENTRY, TEACHER_SUMMARY, digest, password};

const NEXT: &str = statement(include_str!("deliver.sql"), "next");

/// A mail that is due.
pub(super) struct Next {
    pub id: i64,
    /// Identifies it among all mails of the outbox.
    pub mark: String,
    pub draft: Draft,
    /// Why its password cannot be told.
    pub unreadable: Option<String>,
}

/// The next mails that are due, each with its mark.
///
/// # Errors
/// The database's error.
pub(super) async fn next(conn: &mut Conn, settings: &Settings, now: i64, rows: i64) -> Result<Vec<Next>, DbError> {
    let params = Params::new().with("now", now).with("queued", state::QUEUED).with("rows", rows);
    let mut chunk = Vec::new();
    for row in conn.rows(NEXT, &params).await? {
        let mut next = Next {
            id: row.int(0),
            mark: format!("{}/{}", row.int(2), row.text(1)),
            draft: draft(&row),
            unreadable: None,
        };
        complete(conn, settings, &mut next, &row).await?;
        chunk.push(next);
    }
    Ok(chunk)
}

fn draft(row: &Row) -> Draft {
    Draft {
        kind: row.text(3),
        userid: row.int(4),
        courseid: row.int(5),
        timeend: row.int(6),
        name: row.text(7),
        address: row.text(8),
        lang: row.text(9),
        data: serde_json::from_str(&row.text(12)).unwrap_or_default(),
        entries: Vec::new(),
        queued: row.int(2),
        is_digest: false,
        timezone: row.text(13),
        password: None,
        failed: None,
    }
}

/// Adds what stands in other rows.
async fn complete(conn: &mut Conn, settings: &Settings, next: &mut Next, row: &Row) -> Result<(), DbError> {
    let (dedupe, run, enrolid) = (row.text(1), row.int(10), row.int(11));
    let draft = &mut next.draft;
    match draft.kind.as_str() {
        EXPIRY_TEACHER => draft.entries = entries(conn, EXPIRY_ENTRY, ("", false), (run, enrolid)).await?,
        TEACHER_SUMMARY => {
            let (of, is_digest) = digest::rows_of(TEACHER_ENTRY, &dedupe, 2);
            draft.entries = entries(conn, TEACHER_ENTRY, (&of, is_digest), (run, enrolid)).await?;
            draft.is_digest = is_digest;
        }
        FAILED_LINES => {
            let (of, is_digest) = digest::rows_of(FAILED_ENTRY, &dedupe, 1);
            let entries = entries(conn, FAILED_ENTRY, (&of, is_digest), (run, enrolid)).await?;
            draft.failed = Some(failed::written(conn, &entries, settings.locale).await?);
        }
        PASSWORD => {
            let sealed = draft.data["sealed"].as_str().unwrap_or_default();
            match password::opened(settings, run, draft.userid, sealed) {
                Ok(opened) => draft.password = Some(opened),
                Err(reason) => next.unreadable = Some(reason),
            }
        }
        _ => {}
    }
    Ok(())
}

/// The rows that a mail tells: those of its run whose keys begin with `of`, and for a digest those of later runs too.
async fn entries(
    conn: &mut Conn,
    kind: &str,
    (of, is_digest): (&str, bool),
    (run, enrolid): (i64, i64),
) -> Result<Vec<Entry>, DbError> {
    let later = match is_digest {
        true => "run >= :run AND dedupe LIKE :of || '%'",
        false => "run = :run AND dedupe LIKE :of || '%'",
    };
    let params = Params::new()
        .with("run", run)
        .with("enrolid", enrolid)
        .with("kind", kind)
        .with("of", of)
        .fragment("later", later);
    let sql = "SELECT run, userid, name, address, timeend FROM {enrold_outbox}
         WHERE :later AND enrolid = :enrolid AND kind = :kind ORDER BY id";
    let entry = |row: &Row| Entry {
        run: row.int(0),
        userid: row.int(1),
        name: row.text(2),
        detail: row.text(3),
        number: row.int(4),
    };
    Ok(conn.rows(sql, &params).await?.iter().map(entry).collect())
}
