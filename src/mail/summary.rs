//! The mail that reports the result of a full set or of a dropped file: written when it is queued, as its run is
//! closed. It must not send, nor decide how a run ends.

use std::path::Path;

use crate::config::{Locale, MailSwitch, MailWhen, Profile, Settings};
use crate::db::{Conn, DbError, Params};
use crate::mail::operators::{self, Word};
use crate::mail::{errors_csv, failed, letter};
use crate::moodle::method;
use crate::moodle::site::Site;
use crate::outcome::{Report, State};
use crate::report::words::{self, pick};
use crate::report::{set, table};

/// The kind of the mail about a full set.
pub const SET_REPORT: &str = "set-report";
/// The kind of the mail about a dropped users file or cohort file.
pub const FILE_REPORT: &str = "file-report";

/// The kind of the mail to the main administrator about a run of the flat file.
pub const FLATFILE_REPORT: &str = "flatfile-report";

/// The kind of the mail to operators about a file that is held or has failed.
pub const TROUBLE: &str = "file-trouble";

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
    let what = file(report, locale);
    let about = About { kind: FILE_REPORT, what, locale, to: &profile.mail_to, when: profile.mail_when };
    about.queue(conn, settings, report, message).await
}

/// Queues the mail about a file that is held or has failed to the addresses of `mail.operators`, without those that
/// `profile`, the profile of a dropped file, tells already; a file with failed lines is noted for their daily mail.
/// Returns how many mails were queued. A simulation sends none.
///
/// # Errors
/// The database's error.
pub async fn of_trouble(
    conn: &mut Conn,
    settings: &Settings,
    profile: Option<&Profile>,
    report: &Report,
    message: &str,
) -> Result<u64, DbError> {
    if report.run == 0 || settings.mail.operators.is_empty() || !settings.smtp.enabled {
        return Ok(0);
    }
    if report.state == State::DoneWithErrors {
        failed::note(conn, settings, report).await?;
    }
    if !matches!(report.state, State::Held | State::Failed) {
        return Ok(0);
    }
    let told = |address: &&String| profile.is_some_and(|profile| profile.mail_to.contains(address));
    let to: Vec<String> = settings.mail.operators.iter().filter(|address| !told(address)).cloned().collect();
    let what = file(report, settings.locale);
    let about = About { kind: TROUBLE, what, locale: settings.locale, to: &to, when: MailWhen::Problems };
    about.queue(conn, settings, report, message).await
}

/// `file NAME`, the name without its directory.
fn file(report: &Report, locale: Locale) -> String {
    format!("{} {}", pick(locale, "file", "fichier"), file_name(report))
}

fn file_name(report: &Report) -> String {
    Path::new(&report.source).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Queues the mail to the main administrator about a run of the flat file, in his language, if the settings or Moodle's
/// `mailadmins` ask for it and the run had something to do; returns how many. A simulation sends none.
///
/// # Errors
/// The database's error.
pub async fn of_flatfile(conn: &mut Conn, settings: &Settings, report: &Report, message: &str) -> Result<u64, DbError> {
    let told = matches!(report.state, State::Done | State::DoneWithErrors | State::Held | State::Failed);
    if report.run == 0 || !settings.smtp.enabled || !told || settings.flatfile.mail_admins == MailSwitch::No {
        return Ok(0);
    }
    let site = Site::read(conn).await?;
    let moodle = site.plugin(method::FLATFILE_COMPONENT, "mailadmins");
    if !settings.flatfile.mail_admins.is_on(moodle) || site.actor == 0 {
        return Ok(0);
    }
    let lang = "SELECT u.lang FROM {user} u WHERE u.id = :userid";
    let lang = conn.row(lang, &Params::new().with("userid", site.actor)).await?.map(|row| row.text(0));
    let site_lang = site.config("lang").unwrap_or_default();
    let locale = lang.and_then(|lang| letter::locale(&lang)).or_else(|| letter::locale(site_lang));
    let locale = locale.unwrap_or(settings.locale);
    let name = file_name(report);
    let what = format!("{} {name}", pick(locale, "flat file", "fichier plat")).trim_end().to_owned();
    let attached = errors_csv::of_run(report, &name, locale);
    let told = Word::about(FLATFILE_REPORT, report, subject(&what, report, locale), body(report, message, locale));
    let word = Word { attached, ..told };
    operators::queue_to_user(conn, settings, site.actor, &word).await
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
        let subject = subject(&self.what, report, self.locale);
        let attached = errors_csv::of_run(report, &file_name(report), self.locale);
        let word = Word { attached, ..Word::about(self.kind, report, subject, body(report, message, self.locale)) };
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
