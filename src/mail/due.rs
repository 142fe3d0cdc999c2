//! Reads the mails that are due, each with all that it tells: the rows of a digest, a sealed password, failed lines.
//! It must not send or mark a mail.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::db::{Conn, DbError, Params, Row, statement};
use crate::mail::failed::{self, FAILED_ENTRY, FAILED_LINES, FailedLines};
use crate::mail::letter::Draft;
use crate::mail::outbox::state;
use crate::mail::participants::Entry;
use crate::mail::{EXPIRY_ENTRY, EXPIRY_TEACHER, PASSWORD, TEACHER_ENTRY, TEACHER_SUMMARY, digest, password};

/// A digest is due less than so many seconds after its first row is queued.
const DIGEST: i64 = 3 * 86_400;

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
    // Each address gets the same mail about failed lines: it is written once.
    let mut written = BTreeMap::new();
    for row in conn.rows(NEXT, &params).await? {
        let mut next = Next {
            id: row.int(0),
            mark: format!("{}/{}", row.int(2), row.text(1)),
            draft: draft(&row),
            unreadable: None,
        };
        complete(conn, settings, &mut next, (&row, &mut written)).await?;
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
async fn complete(
    conn: &mut Conn,
    settings: &Settings,
    next: &mut Next,
    (row, written): (&Row, &mut BTreeMap<String, FailedLines>),
) -> Result<(), DbError> {
    let (dedupe, run) = (row.text(1), row.int(10));
    let draft = &mut next.draft;
    match draft.kind.as_str() {
        EXPIRY_TEACHER => draft.entries = entries(conn, listed(EXPIRY_ENTRY, ("", false), row)).await?,
        TEACHER_SUMMARY => {
            let (of, is_digest) = digest::rows_of(TEACHER_ENTRY, &dedupe, 2);
            draft.entries = entries(conn, listed(TEACHER_ENTRY, (&of, is_digest), row)).await?;
            draft.is_digest = is_digest;
        }
        FAILED_LINES => {
            let (of, is_digest) = digest::rows_of(FAILED_ENTRY, &dedupe, 1);
            if !written.contains_key(&of) {
                let (condition, params) = listed(FAILED_ENTRY, (&of, is_digest), row);
                let entries = entries(conn, (condition.clone(), params.clone())).await?;
                let runs = format!("SELECT q.run AS run, q.id AS nth FROM {{enrold_outbox}} q WHERE {condition}");
                let told = failed::written(conn, &entries, (&runs, params), settings.locale).await?;
                written.insert(of.clone(), told);
            }
            draft.failed = written.get(&of).cloned();
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

/// The condition of the rows `q` that a mail tells: those of its run whose keys begin with `of`, and for a digest those
/// of later runs too. Its rows are due as it was at first: that is how the index finds them.
fn listed(kind: &str, (of, is_digest): (&str, bool), row: &Row) -> (String, Params) {
    let of_run = match is_digest {
        true => "q.state = :listed AND q.due >= :queued AND q.due < :queued + :digest AND q.run >= :run",
        false => "q.run = :run",
    };
    let params = Params::new()
        .with("run", row.int(10))
        .with("enrolid", row.int(11))
        .with("queued", row.int(2))
        .with("digest", DIGEST)
        .with("listed", state::LISTED)
        .with("kind", kind)
        .with("of", of);
    (format!("{of_run} AND q.enrolid = :enrolid AND q.kind = :kind AND q.dedupe LIKE :of || '%'"), params)
}

async fn entries(conn: &mut Conn, (condition, params): (String, Params)) -> Result<Vec<Entry>, DbError> {
    let sql = format!(
        "SELECT q.run, q.userid, q.name, q.address, q.timeend FROM {{enrold_outbox}} q WHERE {condition} ORDER BY q.id"
    );
    let entry = |row: &Row| Entry {
        run: row.int(0),
        userid: row.int(1),
        name: row.text(2),
        detail: row.text(3),
        number: row.int(4),
    };
    Ok(conn.rows(&sql, &params).await?.iter().map(entry).collect())
}
