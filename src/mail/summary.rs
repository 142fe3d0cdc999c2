//! The mail that reports the result of a full set or of a dropped file: written when it is queued, as its run is
//! closed. It must not send, nor decide how a run ends.

use std::path::Path;

use crate::config::{Locale, MailWhen, Profile, Settings};
use crate::db::{Conn, DbError};
use crate::mail::operators::{self, Word};
use crate::outcome::{Report, State};
use crate::report::words::{self, pick};
use crate::report::{set, table};

/// The kind of the mail about a full set.
pub const SET_REPORT: &str = "set-report";
/// The kind of the mail about a dropped users file or cohort file.
pub const FILE_REPORT: &str = "file-report";

/// How many problems the mail lists; the rest is only counted.
const PROBLEMS: usize = 20;

/// Queues the mail about a run of a source to the configured addresses, if this outcome calls for one; returns how
/// many. A simulation, which has no number, sends none. At most three statements; `message` says why a run failed.
///
/// # Errors
/// The database's error.
pub async fn of_set(
    conn: &mut Conn,
    settings: &Settings,
    source: &str,
    report: &Report,
    message: &str,
) -> Result<u64, DbError> {
    let Some(known) = settings.sources.get(source) else { return Ok(0) };
    let what = match settings.locale {
        Locale::En => format!("set of {source}"),
        Locale::Fr => format!("lot de {source}"),
    };
    let about = About { kind: SET_REPORT, what, locale: settings.locale, to: &known.mail_to, when: known.mail_when };
    about.queue(conn, settings, report, message).await
}

/// The same about a dropped file that has this profile, in the language of the profile.
///
/// # Errors
/// The database's error.
pub async fn of_file(
    conn: &mut Conn,
    settings: &Settings,
    profile: &Profile,
    report: &Report,
    message: &str,
) -> Result<u64, DbError> {
    let locale = profile.locale.unwrap_or(settings.locale);
    let name = Path::new(&report.source).file_name().unwrap_or_default().to_string_lossy();
    let what = format!("{} {name}", pick(locale, "file", "fichier"));
    let about = About { kind: FILE_REPORT, what, locale, to: &profile.mail_to, when: profile.mail_when };
    about.queue(conn, settings, report, message).await
}

/// What a mail is about, and who gets it.
struct About<'a> {
    kind: &'static str,
    what: String,
    locale: Locale,
    to: &'a [String],
    when: MailWhen,
}

impl About<'_> {
    async fn queue(
        &self,
        conn: &mut Conn,
        settings: &Settings,
        report: &Report,
        message: &str,
    ) -> Result<u64, DbError> {
        if self.to.is_empty() || report.run == 0 || !settings.smtp.enabled || !is_wanted(self.when, report) {
            return Ok(0);
        }
        let word = Word {
            kind: self.kind,
            run: report.run,
            letter: 0,
            mark: format!("{}/{}", self.kind, report.run),
            now: report.clock,
            subject: subject(&self.what, report, self.locale),
            body: body(report, message, self.locale),
        };
        operators::queue(conn, settings, self.to, &word).await
    }
}

/// True if the setting asks for a mail about this outcome.
fn is_wanted(when: MailWhen, report: &Report) -> bool {
    let problem = matches!(report.state, State::Held | State::Failed | State::DoneWithErrors);
    match when {
        MailWhen::Always => problem || report.state == State::Done,
        MailWhen::Changes => problem || !report.counts.is_empty(),
        MailWhen::Problems => problem,
    }
}

fn subject(what: &str, report: &Report, locale: Locale) -> String {
    let state = words::state(report.state, locale);
    match locale {
        Locale::En => format!("enrold, {what}: {state} (run {})", report.run),
        Locale::Fr => format!("enrold, {what} : {state} (exécution {})", report.run),
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
    for part in [account, table::lines(&report.rules, locale, None)] {
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
