//! The daily mail to operators about files of which lines have failed: noted as each run is closed, written when sent.
//! It must not decide what a failure is.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{Locale, Settings};
use crate::db::{Conn, DbError, Params};
use crate::mail::errors_csv::{Attached, LISTED, of_runs};
use crate::mail::operators::{self, Word};
use crate::mail::outbox::state;
use crate::mail::participants::Entry;
use crate::mail::template::is_one;
use crate::mail::{digest, words};
use crate::moodle::site::{Site, zone};
use crate::outcome::Report;
use crate::problem::{self, Code};
use crate::report::visible;

/// The kind of the mail.
pub const FAILED_LINES: &str = "failed-lines";
/// The kind of a row that it tells: never a mail of its own.
pub const FAILED_ENTRY: &str = "failed-entry";

/// How many problems the text names.
const NAMED: usize = 20;

/// Notes a file with failed lines for the next daily mail to `mail.operators`. Lines that wait have their own.
///
/// # Errors
/// The database's error.
pub(super) async fn note(conn: &mut Conn, settings: &Settings, report: &Report) -> Result<(), DbError> {
    let waiting = report.codes.get(Code::Waiting.as_str()).copied().unwrap_or_default();
    let errors = report.errors.saturating_sub(waiting);
    if errors == 0 {
        return Ok(());
    }
    let site = Site::read(conn).await?;
    let at = (zone(settings, Some(&site)), settings.mail.digest_hour);
    let (key, due) = digest::next_open(conn, FAILED_LINES, at, report.clock).await?;
    let word = Word {
        mark: format!("{FAILED_LINES}/{key}"),
        due,
        ..Word::about(FAILED_LINES, report, String::new(), String::new())
    };
    operators::queue(conn, settings, &settings.mail.operators, &word).await?;
    let name = Path::new(&report.source).file_name().unwrap_or_default().to_string_lossy();
    let params = Params::new()
        .with("run", report.run)
        .with("kind", FAILED_ENTRY)
        .with("what", format!("{FAILED_ENTRY}/{key}/{}", report.run))
        .with("state", state::LISTED)
        .with("errors", i64::try_from(errors).unwrap_or(i64::MAX))
        .with("name", name.chars().take(200).collect::<String>())
        .with("now", report.clock)
        .with("due", due)
        .with("expires", due + settings.smtp.kept());
    let insert = conn.dialect().insert_absent(
        "{enrold_outbox}",
        operators::COLUMNS,
        "SELECT q.id, :run, :kind, :what, :state, 0, 0, 0, :errors, :name, '', '', :now, :expires, 0, :due, 0
           FROM (SELECT COALESCE(MAX(o.id), 0) + 1 AS id FROM {enrold_outbox} o) q WHERE 1 = 1",
    );
    conn.exec(&insert, &params).await.map(|_| ())
}

/// What a daily mail says: its subject, its text and the list of the problems that are still known.
#[derive(Clone, Debug)]
pub struct FailedLines {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) attached: Option<Attached>,
}

/// Writes the mail about these files, whose runs `runs` selects; one statement.
///
/// # Errors
/// The database's error.
pub(super) async fn written(
    conn: &mut Conn,
    entries: &[Entry],
    runs: (&str, Params),
    locale: Locale,
) -> Result<FailedLines, DbError> {
    let names: BTreeMap<i64, &str> = entries.iter().map(|entry| (entry.run, entry.name.as_str())).collect();
    let found = problem::first_of_runs(conn, runs, Code::Waiting, LISTED as i64).await?;
    let name = |run: &i64| names.get(run).copied().unwrap_or_default().to_owned();
    let problems: Vec<_> = found.into_iter().map(|(run, problem)| (run, name(&run), problem)).collect();
    let all: i64 = entries.iter().map(|entry| entry.number).sum();
    let mut lines = vec![match locale {
        Locale::En => "Files of which lines have failed since the last mail:".to_owned(),
        Locale::Fr => "Fichiers dont des lignes ont échoué depuis le dernier courriel :".to_owned(),
    }];
    let file = |entry: &Entry| match locale {
        Locale::En => format!("{:>8}  {} (run {})", entry.number, visible(&entry.name), entry.run),
        Locale::Fr => format!("{:>8}  {} (exécution {})", entry.number, visible(&entry.name), entry.run),
    };
    lines.extend(entries.iter().map(file));
    lines.push(String::new());
    let named = problems.iter().take(NAMED);
    lines.extend(named.map(|(_, name, problem)| format!("{}: {}", visible(name), problem.text(locale))));
    let more = usize::try_from(all).unwrap_or(0).saturating_sub(NAMED.min(problems.len()));
    if more > 0 {
        lines.push(words::more(more, locale));
    }
    let one = is_one(all, locale);
    let subject = match locale {
        Locale::En => format!("enrold, failed lines: {all} {}", if one { "line" } else { "lines" }),
        Locale::Fr => format!("enrold, lignes en erreur : {all} {}", if one { "ligne" } else { "lignes" }),
    };
    Ok(FailedLines { subject, text: lines.join("\n") + "\n", attached: of_runs(&problems, locale) })
}
