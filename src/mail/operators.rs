//! Queues mails to operators, who are addresses and not accounts: one letter, and one row of the outbox per address.
//! It must not know what the mails say, nor send them.

use serde_json::json;

use crate::config::Settings;
use crate::db::{Conn, DbError, Params};
use crate::mail::errors_csv::Attached;
use crate::mail::outbox::state;
use crate::outcome::Report;

/// The kind of the mail about a source whose sets have stopped coming.
pub const SOURCE_STALE: &str = "source-stale";

/// A message to operators.
pub struct Word {
    /// The kind of the mail.
    pub kind: &'static str,
    /// The run that it is about, or 0.
    pub run: i64,
    /// Distinguishes the letter from others of the run and kind: 0, or a negative number.
    pub letter: i64,
    /// Identifies this message within its kind: one whose mark is in the outbox is not queued again.
    pub mark: String,
    /// When it is queued, Unix seconds.
    pub now: i64,
    /// One line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// From when on it is sent, Unix seconds.
    pub due: i64,
    /// A file that goes with it.
    pub attached: Option<Attached>,
}

impl Word {
    /// A message about the end of a run.
    pub fn about(kind: &'static str, report: &Report, subject: String, body: String) -> Self {
        let mark = format!("{kind}/{}", report.run);
        Self {
            kind,
            run: report.run,
            letter: 0,
            mark,
            now: report.clock,
            subject,
            body,
            due: report.clock,
            attached: None,
        }
    }
}

/// Queues a mail for each address; returns how many. Three statements; inside a transaction under the run lease.
///
/// # Errors
/// The database's error.
pub async fn queue(conn: &mut Conn, settings: &Settings, to: &[String], word: &Word) -> Result<u64, DbError> {
    let mut params = keep(conn, settings, word).await?.with("lang", settings.locale.as_str());
    let mut addressed = Vec::new();
    for (at, address) in to.iter().enumerate() {
        addressed.push(format!("SELECT {} AS place, :what{at} AS what, :address{at} AS address", at + 1));
        params = params
            .with(format!("what{at}"), format!("{}/{}", word.mark, at + 1))
            .with(format!("address{at}"), address.as_str());
    }
    let insert = conn.dialect().insert_absent(
        "{enrold_outbox}",
        COLUMNS,
        "SELECT (SELECT COALESCE(MAX(o.id), 0) FROM {enrold_outbox} o) + q.place, :run, :kind, q.what, :state,
                0, 0, :letter, 0, '', q.address, :lang, :now, :expires, 0, :due, 0
           FROM (:addressed) q WHERE NOT EXISTS (SELECT 1 FROM {enrold_outbox} d WHERE d.dedupe = q.what)",
    );
    conn.exec(&insert, &params.fragment("addressed", addressed.join(" UNION ALL "))).await
}

/// Queues a mail for one user, such as the main administrator; returns 1, or 0 for a deleted account. Three statements;
/// inside a transaction under the run lease.
///
/// # Errors
/// The database's error.
pub async fn queue_to_user(conn: &mut Conn, settings: &Settings, userid: i64, word: &Word) -> Result<u64, DbError> {
    let what = format!("{}/{userid}", word.mark);
    let params = keep(conn, settings, word).await?.with("userid", userid).with("what", what);
    let insert = conn.dialect().insert_absent(
        "{enrold_outbox}",
        COLUMNS,
        "SELECT (SELECT COALESCE(MAX(o.id), 0) FROM {enrold_outbox} o) + 1, :run, :kind, :what, :state,
                u.id, 0, :letter, 0, u.firstname || ' ' || u.lastname, u.email, u.lang, :now, :expires, 0, :due, 0
           FROM {user} u WHERE u.id = :userid AND u.deleted = 0
            AND NOT EXISTS (SELECT 1 FROM {enrold_outbox} d WHERE d.dedupe = :what)",
    );
    conn.exec(&insert, &params).await
}

/// The columns of the outbox that a new row has.
pub(super) const COLUMNS: &str = "id, run, kind, dedupe, state, userid, courseid, enrolid, timeend, name, address, \
                                  lang, queued, expires, attempts, due, sent";

/// Stores the letter of a message; gives the parameters of its mails.
async fn keep(conn: &mut Conn, settings: &Settings, word: &Word) -> Result<Params, DbError> {
    let name = "SELECT COALESCE(MIN(f.fullname), '') FROM {course} f WHERE f.category = 0";
    let site = conn.row(name, &Params::new()).await?.map(|row| row.text(0)).unwrap_or_default();
    let mut letter = json!({ "site": site, "subject": word.subject, "body": word.body });
    if let Some(Attached { name, text }) = &word.attached {
        letter["attached"] = json!({ "name": name, "text": text });
    }
    let params = Params::new()
        .with("run", word.run)
        .with("letter", word.letter)
        .with("kind", word.kind)
        .with("data", letter.to_string())
        .with("state", state::QUEUED)
        .with("now", word.now)
        .with("due", word.due)
        .with("expires", word.due + settings.smtp.kept());
    let keep = conn.dialect().insert_absent(
        "{enrold_letter}",
        "run, enrolid, kind, data",
        "SELECT l.run, l.enrolid, l.kind, l.data
           FROM (SELECT :run AS run, :letter AS enrolid, :kind AS kind, :data AS data) l WHERE 1 = 1",
    );
    conn.exec(&keep, &params).await?;
    Ok(params)
}
