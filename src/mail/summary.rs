//! The mail that tells the operators what a full set came to: written when it is queued, with the closing of its run.
//! It must not send, nor decide how a run ends.

use serde_json::json;

use crate::config::{Locale, MailWhen, Settings};
use crate::db::{Conn, DbError, Params};
use crate::mail::outbox::state;
use crate::report::words::{self, pick};
use crate::report::{set, table};
use crate::run::outcome::{Report, State};

/// The kind of the mail.
pub const SET_REPORT: &str = "set-report";

/// Problems in the mail before the rest is only counted.
const PROBLEMS: usize = 20;

/// Queues the mail about a run of a source to whom its settings name, if they want one for such an ending; gives how many.
/// A run without a number, a rehearsal, tells nobody. At most three statements; `message` says why a run failed.
///
/// # Errors
/// The engine's.
pub async fn queue(
    conn: &mut Conn,
    settings: &Settings,
    source: &str,
    report: &Report,
    message: &str,
) -> Result<u64, DbError> {
    let Some(known) = settings.sources.get(source) else { return Ok(0) };
    if known.mail_to.is_empty() || report.run == 0 || !settings.smtp.enabled || !is_wanted(known.mail_when, report) {
        return Ok(0);
    }
    let locale = settings.locale;
    let name = "SELECT COALESCE(MIN(f.fullname), '') FROM {course} f WHERE f.category = 0";
    let site = conn.row(name, &Params::new()).await?.map(|row| row.text(0)).unwrap_or_default();
    let letter = json!({
        "site": site, "subject": subject(source, report, locale), "body": body(report, message, locale),
    });
    let now = report.clock;
    let params = Params::new()
        .with("run", report.run)
        .with("kind", SET_REPORT)
        .with("data", letter.to_string())
        .with("lang", locale.as_str())
        .with("state", state::QUEUED)
        .with("now", now)
        .with("expires", now + settings.smtp.kept());
    let keep = conn.dialect().insert_absent(
        "{enrold_letter}",
        "run, enrolid, kind, data",
        "SELECT l.run, l.enrolid, l.kind, l.data FROM (SELECT :run AS run, 0 AS enrolid, :kind AS kind, :data AS data) l WHERE 1 = 1",
    );
    conn.exec(&keep, &params).await?;
    let mut params = params;
    let mut addressed = Vec::new();
    for (at, address) in known.mail_to.iter().enumerate() {
        addressed.push(format!("SELECT {} AS place, :what{at} AS what, :address{at} AS address", at + 1));
        params = params
            .with(format!("what{at}"), format!("{SET_REPORT}/{}/{}", report.run, at + 1))
            .with(format!("address{at}"), address.as_str());
    }
    let insert = conn.dialect().insert_absent(
        "{enrold_outbox}",
        "id, run, kind, dedupe, state, userid, courseid, enrolid, timeend, name, address, lang, queued, expires, attempts, due, sent",
        "SELECT (SELECT COALESCE(MAX(o.id), 0) FROM {enrold_outbox} o) + q.place, :run, :kind, q.what, :state, 0, 0, 0, 0, '', q.address,
                :lang, :now, :expires, 0, :now, 0
           FROM (:addressed) q WHERE NOT EXISTS (SELECT 1 FROM {enrold_outbox} d WHERE d.dedupe = q.what)",
    );
    conn.exec(&insert, &params.fragment("addressed", addressed.join(" UNION ALL "))).await
}

/// True if this ending is one that somebody wants to be told.
fn is_wanted(when: MailWhen, report: &Report) -> bool {
    let problem = matches!(report.state, State::Held | State::Failed | State::DoneWithErrors);
    match when {
        MailWhen::Always => problem || report.state == State::Done,
        MailWhen::Changes => problem || !report.counts.is_empty(),
        MailWhen::Problems => problem,
    }
}

fn subject(source: &str, report: &Report, locale: Locale) -> String {
    let state = words::state(report.state, locale);
    match locale {
        Locale::En => format!("enrold, set of {source}: {state} (run {})", report.run),
        Locale::Fr => format!("enrold, lot de {source} : {state} (passage {})", report.run),
    }
}

/// The report as the terminal shows it, without milliseconds.
fn body(report: &Report, message: &str, locale: Locale) -> String {
    let mut lines = vec![words::headline(report, locale)];
    if !message.is_empty() {
        lines.push(message.to_owned());
    }
    lines.extend(report.breaches.iter().map(|breach| words::breach(breach, locale)));
    let account = report.set.as_ref().map(|account| set::lines(account, locale)).unwrap_or_default();
    for part in [account, table::lines(&report.rules, locale)] {
        if !part.is_empty() {
            lines.push(String::new());
            lines.extend(part);
        }
    }
    lines.extend(report.notes.iter().map(|note| words::note(note, locale)));
    if report.errors > 0 {
        lines.push(String::new());
        lines.push(pick(locale, "What is wrong:", "Ce qui ne va pas :"));
        lines.extend(report.problems.iter().take(PROBLEMS).map(|problem| problem.text(locale)));
        let more = report.errors.saturating_sub(PROBLEMS as u64);
        if more > 0 {
            lines.push(words::more_problems(more, report.run, locale));
        }
    }
    if report.state == State::Held {
        lines.push(String::new());
        lines.push(words::held(report.run, locale));
    }
    lines.join("\n") + "\n"
}
